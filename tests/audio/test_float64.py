"""Float64 where there is some, and on the CPU where there is none."""

import pytest
import torch
from pretended import pretended_mps

from robustaudio.audio.float64 import exact, exact_device


@pytest.mark.parametrize(
    "device, right",
    [("mps", "cpu"), ("mps:0", "cpu"), ("cpu", "cpu"), ("cuda", "cuda"), ("cuda:1", "cuda:1")],
)
def test_the_device_of_exact_numbers(device, right):
    assert exact_device(device) == torch.device(right)
    assert exact_device(torch.device(device)) == torch.device(right)


def test_exact_numbers_are_the_same_numbers():
    x = torch.tensor([0.1, -3.0])
    assert exact(x).dtype == torch.float64 and torch.equal(exact(x).float(), x)
    assert exact(torch.tensor([True, False])).tolist() == [1, 0]


def test_a_device_without_float64_is_not_asked_for_any(monkeypatch):
    with pretended_mps(monkeypatch):
        x = torch.tensor([0.1, -3.0]).to("mps")
        with pytest.raises(TypeError, match="float64"):
            x.double()
        assert exact(x).device.type == "cpu" and exact(x).dtype == torch.float64
        assert x.device.type == "mps"

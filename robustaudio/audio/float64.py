"""Float64 on every device: where there is none, on the CPU."""

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor


def exact_device(device: str | torch.device) -> torch.device:
    """The device itself, or the CPU where the device has no float64."""
    device = torch.device(device)
    return torch.device("cpu") if device.type == "mps" else device  # Apple's GPUs have none


def exact(x: Shaped[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
    """The same numbers in float64, on the nearest device that has it."""
    return x.to(exact_device(x.device)).double()

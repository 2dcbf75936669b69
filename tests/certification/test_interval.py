"""Soundness first: every rule encloses what points of the box really do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from robustaudio.certification.interval import (
    Interval,
    UnsupportedLayer,
    change,
    fused,
    obstacle,
    propagate,
)
from robustaudio.classifiers.networks import LastHidden, Lstm
from robustaudio.representations.spectral import (
    Framing,
    LogMel,
    Magnitude,
    Mel,
    MelScale,
    Mfcc,
    RootLogMel,
)

FRAMING = Framing(n_fft=32, hop_length=20)
EMPHASISED = Framing(n_fft=32, hop_length=20, window="hamming", pre_emphasis=0.97, unitary=True)
MEL = MelScale(sample_rate=8_000, n_mels=4)
TIME, BINS, FRAMES = 92, 17, 4
ROUNDING = 1e-12  # float64


def seasoned(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    """Statistics and scales (a negative one among them) as after a training."""
    norm.running_mean, norm.running_var = torch.randn(3), torch.rand(3) + 0.1
    nn.init.normal_(norm.weight)
    return norm.eval()


def prelu(slopes: list[float]) -> nn.PReLU:
    layer = nn.PReLU(len(slopes))
    layer.weight.data = torch.tensor(slopes)
    return layer


LAYERS = {
    "linear": (lambda: nn.Linear(6, 5), (6,)),
    "conv": (lambda: nn.Conv1d(3, 4, 3, stride=2, padding=1), (3, 9)),
    "relu": (nn.ReLU, (5,)),
    "flatten": (nn.Flatten, (2, 3)),
    "magnitude": (lambda: Magnitude(FRAMING), (TIME,)),
    "magnitude, pre-emphasis": (lambda: Magnitude(EMPHASISED), (TIME,)),
    "mel": (lambda: Mel(MEL, 32), (BINS, FRAMES)),
    "log_mel": (lambda: LogMel(1e-3), (4, FRAMES)),
    "root_log_mel": (lambda: RootLogMel(0.1), (4, FRAMES)),
    "batch norm": (lambda: seasoned(nn.BatchNorm1d(3)), (3, 5)),
    "dropout": (lambda: nn.Dropout(0.5).eval(), (5,)),
    "mfcc": (lambda: Mfcc(6, 5, lifter=22), (6, FRAMES)),
    "identity": (nn.Identity, (5,)),
    "unflatten": (lambda: nn.Unflatten(1, (1, 3)), (3, 5)),
    "conv in 2d": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 5, 6)),
    "conv in 2d, dilated, grouped, same": (
        lambda: nn.Conv2d(2, 4, 3, padding="same", dilation=2, groups=2),
        (2, 5, 6),
    ),
    "batch norm in 2d": (lambda: seasoned(nn.BatchNorm2d(3)), (3, 4, 5)),
    "dropout in 2d": (lambda: nn.Dropout2d(0.5).eval(), (2, 3, 3)),
    "relu in place": (lambda: nn.ReLU(inplace=True), (5,)),
    "relu6": (nn.ReLU6, (5,)),
    "leaky relu": (nn.LeakyReLU, (5,)),
    "leaky relu, steep": (lambda: nn.LeakyReLU(1.7), (5,)),
    "elu": (lambda: nn.ELU(1.5), (5,)),
    "selu": (nn.SELU, (5,)),
    "celu": (lambda: nn.CELU(0.5), (5,)),
    "gelu": (nn.GELU, (9,)),
    "gelu by tanh": (lambda: nn.GELU("tanh"), (9,)),
    "silu": (nn.SiLU, (9,)),
    "tanh": (nn.Tanh, (5,)),
    "log sigmoid": (nn.LogSigmoid, (5,)),
    "softsign": (nn.Softsign, (5,)),
    "hardtanh": (nn.Hardtanh, (5,)),
    "hardsigmoid": (nn.Hardsigmoid, (5,)),
    "max pool": (lambda: nn.MaxPool1d(3, 2, 1), (2, 8)),
    "max pool, dilated": (lambda: nn.MaxPool1d(2, dilation=2, ceil_mode=True), (2, 9)),
    "max pool in 2d": (lambda: nn.MaxPool2d(2), (2, 5, 4)),
    "average pool": (lambda: nn.AvgPool1d(3, 2, 1), (2, 8)),
    "average pool in 2d": (lambda: nn.AvgPool2d(2, ceil_mode=True), (2, 5, 4)),
    "adaptive average": (lambda: nn.AdaptiveAvgPool1d(3), (2, 7)),
    "adaptive average in 2d": (lambda: nn.AdaptiveAvgPool2d((2, 1)), (2, 5, 4)),
    "adaptive maximum": (lambda: nn.AdaptiveMaxPool1d(3), (2, 7)),
    "leaky relu, falling": (lambda: nn.LeakyReLU(-0.3), (5,)),
    "prelu": (lambda: prelu([0.2, -0.4, 1.6]), (3, 4)),
    "rrelu": (lambda: nn.RReLU().eval(), (5,)),
    "softplus": (lambda: nn.Softplus(2.0, 1.0), (9,)),
    "mish": (nn.Mish, (9,)),
    "hardswish": (nn.Hardswish, (9,)),
    "hardshrink": (nn.Hardshrink, (5,)),
    "softshrink": (nn.Softshrink, (5,)),
    "padded": (lambda: nn.ConstantPad1d(2, -0.7), (2, 3)),
    "padded with zeros": (lambda: nn.ZeroPad2d(1), (2, 3, 4)),
    "reflected": (lambda: nn.ReflectionPad1d(2), (2, 4)),
    "replicated": (lambda: nn.ReplicationPad2d(1), (2, 3, 4)),
    "upsampled": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 3, 4)),
    "lstm": (lambda: LastHidden(3, 4), (3, 6)),
    "lstm network": (lambda: Lstm(width=4).build((3, 6), labels=2), (3, 6)),
    "mfcc and convolution": (
        lambda: nn.Sequential(Mfcc(6, 5, 22), nn.Conv1d(5, 3, 2)),
        (6, FRAMES),
    ),
}


def points_of(box: Interval, generator: torch.Generator) -> torch.Tensor:
    """Random corners, then interior points (the first dimension of the box is a batch of one)."""
    size = (32, *box.lower.shape[1:])
    uniform = torch.rand(size, generator=generator, dtype=torch.float64)
    corners = (uniform > 0.5).double()
    share = torch.cat([corners, uniform])
    return box.lower + share * (box.upper - box.lower)


def gradient_corners(layer: nn.Module, box: Interval) -> torch.Tensor:
    """For every output, the corners that its gradient at the centre points to and away from."""
    center = box.center.clone().requires_grad_()
    output = layer(center.clone()).flatten()
    chosen = range(0, len(output), max(1, len(output) // 40))
    signs = [torch.autograd.grad(output[i], center, retain_graph=True)[0].sign() for i in chosen]
    sign = torch.cat(signs)
    return torch.cat([box.center + sign * box.radius, box.center - sign * box.radius])


def assert_encloses(layer: nn.Module, box: Interval, generator: torch.Generator) -> None:
    out = propagate(layer, box)
    with torch.no_grad():
        for points in (points_of(box, generator), box.center):
            values = layer(points.clone())
            slack = ROUNDING * (1 + values.abs())
            assert (values >= out.lower - slack).all()
            assert (values <= out.upper + slack).all()
    values = layer(gradient_corners(layer, box)).detach()
    slack = ROUNDING * (1 + values.abs())
    assert (values >= out.lower - slack).all() and (values <= out.upper + slack).all()


@pytest.mark.parametrize("kind", LAYERS)
@given(seed=st.integers(0, 10_000), log_radius=st.floats(-6, 0.5))
def test_a_rule_encloses_every_point_of_the_box(kind, seed, log_radius):
    make, shape = LAYERS[kind]
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    layer = make().double()
    center = torch.randn((1, *shape), generator=generator, dtype=torch.float64)
    spread = torch.rand((1, *shape), generator=generator, dtype=torch.float64)
    assert_encloses(layer, Interval.around(center, 10**log_radius * spread), generator)


def test_numbers_by_heart():
    """From DeepMind's interval_bound_propagation tests: [1, 2, 3] +- 1 and [3, 4] +- 1."""
    linear = nn.Linear(3, 1).double()
    nn.init.ones_(linear.weight)
    nn.init.constant_(linear.bias, 2)
    x = torch.tensor([[1.0, 2, 3]], dtype=torch.float64)
    out = propagate(linear, Interval.around(x, 1.0))
    assert (out.lower.item(), out.upper.item()) == (5, 11)
    conv = nn.Conv1d(1, 1, 2).double()
    nn.init.ones_(conv.weight)
    nn.init.constant_(conv.bias, 2)
    out = propagate(conv, Interval.around(torch.tensor([[[3.0, 4]]], dtype=torch.float64), 1.0))
    assert (out.lower.item(), out.upper.item()) == (7, 11)


def test_fusing_changes_nothing_but_the_tightness():
    torch.manual_seed(0)
    layers = [Mfcc(6, 5, 22).double(), nn.Conv1d(5, 3, 2).double()]
    center = torch.randn(2, 6, 4, dtype=torch.float64)
    box = Interval.around(center, 0.1)
    (together,) = fused(layers)
    tight, loose = propagate(together, box), propagate(layers[1], propagate(layers[0], box))
    assert torch.allclose(tight.center, nn.Sequential(*layers)(center))
    assert (tight.radius <= loose.radius + 1e-12).all() and (
        tight.radius < 0.9 * loose.radius
    ).any()


@pytest.mark.parametrize("options", [{"padding": 1, "padding_mode": "circular"}, {"groups": 5}])
def test_a_convolution_that_fusing_would_change_is_left_alone(options):
    layers = [Mfcc(6, 5), nn.Conv1d(5, 5, 3, **options)]
    assert fused(layers) == layers


def test_a_layer_without_a_rule_is_named():
    with pytest.raises(UnsupportedLayer, match="LayerNorm"):
        propagate(nn.LayerNorm(2), Interval.around(torch.zeros(1, 2), 1.0))


def test_new_rules_by_heart():
    """The largest, the mean, and the valley of x sigmoid(x) at -1.2785, which is -0.27846."""
    x = Interval.around(torch.tensor([[[1.0, 4, 2, 3]]], dtype=torch.float64), 0.5)
    out = propagate(nn.MaxPool1d(2), x)
    assert (out.lower.tolist(), out.upper.tolist()) == ([[[3.5, 2.5]]], [[[4.5, 3.5]]])
    out = propagate(nn.AvgPool1d(4), x)
    assert (out.lower.item(), out.upper.item()) == (2, 3)
    out = propagate(nn.SiLU(), Interval.around(torch.zeros(1, 1, dtype=torch.float64), 2.0))
    assert out.lower.item() == pytest.approx(-0.2784645427610738, abs=1e-15)
    assert out.upper.item() == pytest.approx(2 / (1 + np.exp(-2)))
    out = propagate(nn.LeakyReLU(0.5), Interval.around(torch.zeros(1, 1), 2.0))
    assert (out.lower.item(), out.upper.item()) == (-1, 2)
    out = propagate(prelu([-0.5]), Interval.around(torch.zeros(1, 1), 2.0))
    assert (out.lower.item(), out.upper.item()) == (0, 2)
    out = propagate(nn.Hardswish(), Interval.around(torch.full((1, 1), -2.0), 1.0))
    assert (out.lower.item(), out.upper.item()) == (-0.375, 0)
    out = propagate(nn.Mish(), Interval.around(torch.zeros(1, 1, dtype=torch.float64), 2.0))
    assert out.lower.item() == pytest.approx(-0.3088434130172504, abs=1e-15)


def test_a_softplus_encloses_the_step_where_torch_goes_over_to_the_identity():
    """At 1 it is log(1 + e) = 1.3133 with a threshold of 1, just above it is just above 1."""
    layer, above = nn.Softplus(threshold=1.0), 1 + 1e-9
    box = Interval(torch.tensor([[0.9]]).double(), torch.tensor([[1.1]]).double())
    out = propagate(layer, box)
    assert out.lower.item() == 1
    assert out.upper.item() == pytest.approx(np.log(1 + np.e), abs=1e-15)
    assert layer(torch.tensor(above, dtype=torch.float64)).item() == above


class Steep(nn.ReLU):
    def forward(self, input):
        return 50 * super().forward(input)


class Residual(nn.Sequential):
    def forward(self, input):
        return input + super().forward(input)


class Named(nn.Linear):
    """Derived, and computes what it is derived from."""


def hooked() -> nn.Module:
    layer = nn.Identity()
    layer.register_forward_hook(lambda module, inputs, output: 50 * output)
    return layer


def hooked_before() -> nn.Module:
    layer = nn.Identity()
    layer.register_forward_pre_hook(lambda module, inputs: (50 * inputs[0],))
    return layer


def replaced() -> nn.Module:
    layer = nn.Identity()
    layer.forward = lambda input: 50 * input
    return layer


@pytest.mark.parametrize(
    "make, words",
    [
        (Steep, "Steep has a forward of its own, unlike the ReLU"),
        (lambda: Residual(nn.Linear(2, 2)), "Residual has a forward of its own"),
        (lambda: nn.Sequential(nn.Sequential(Steep())), "Steep has a forward"),
        (hooked, "Identity has hooks"),
        (hooked_before, "Identity has hooks"),
        (replaced, "the forward of Identity was replaced"),
    ],
)
def test_a_layer_that_computes_something_else_than_its_kind_is_seen(make, words):
    assert words in (change(make()) or "")


@pytest.mark.parametrize("kind", LAYERS)
def test_no_layer_with_a_rule_is_taken_for_another(kind):
    assert change(LAYERS[kind][0]()) is None


@pytest.mark.parametrize(
    "layer",
    [
        Named(2, 2),
        nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)),
        nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2)),
        nn.LayerNorm(2),
        Magnitude(Framing(n_fft=32, hop_length=16)),
    ],
)
def test_a_derived_layer_that_computes_the_same_keeps_its_rule(layer):
    assert change(layer) is None


def test_a_layer_that_works_in_place_leaves_the_box_alone():
    box = Interval.around(torch.zeros(1, 3), 1.0)
    propagate(nn.ReLU(inplace=True), box)
    assert box.lower.tolist() == [[-1, -1, -1]]


@pytest.mark.parametrize("lower, upper", [(1.0, 0.0), (float("nan"), 1.0)])
def test_an_interval_refuses_nan_and_crossed_ends(lower, upper):
    with pytest.raises(ValueError, match="lower <= upper"):
        Interval(torch.tensor([lower]), torch.tensor([upper]))


def test_the_bounds_of_a_positive_lstm_are_its_values_at_the_two_ends():
    """With weights >= 0 an LSTM is increasing on positive inputs: interval bounds are exact."""
    torch.manual_seed(0)
    layer = LastHidden(3, 4).double()
    for parameter in layer.parameters():
        parameter.data.abs_()
    center = 0.3 + torch.rand(2, 3, 6, dtype=torch.float64)
    box = Interval.around(center, 0.2 * torch.rand(2, 3, 6, dtype=torch.float64))
    out = propagate(layer, box)
    torch.testing.assert_close(out.lower, layer(box.lower), rtol=0, atol=1e-12)
    torch.testing.assert_close(out.upper, layer(box.upper), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular"),
        nn.BatchNorm1d(2, track_running_stats=False).eval(),
        nn.BatchNorm1d(2).train(),
        nn.Dropout().train(),
        nn.Softplus(-1.0),
        nn.RReLU().train(),
        nn.Upsample(scale_factor=2, mode="bicubic"),
        nn.ELU(-1.0),
        nn.MaxPool1d(2, return_indices=True),
        nn.Sequential(nn.ReLU(), nn.Dropout().train()),
    ],
)
def test_a_layer_that_its_rule_does_not_cover_is_refused(layer):
    with pytest.raises(UnsupportedLayer):
        propagate(layer, Interval.around(torch.zeros(1, 2, 5), 1.0))


def test_methods_that_compute_are_seen_like_a_forward():
    class Scaled(nn.Conv1d):
        def _conv_forward(self, input, weight, bias):
            return super()._conv_forward(input, 50 * weight, bias)

    class Louder(Magnitude):
        def spectrum(self, waveform):
            return 50 * super().spectrum(waveform)

    assert "Scaled has a _conv_forward of its own" in (change(Scaled(1, 1, 3)) or "")
    assert "Louder has a spectrum of its own" in (change(Louder(FRAMING)) or "")
    shadowed = nn.Conv1d(1, 1, 3)
    shadowed._conv_forward = lambda input, weight, bias: input  # type: ignore[method-assign]
    assert "the _conv_forward of Conv1d was replaced" in (change(shadowed) or "")


def test_a_front_end_with_other_numbers_than_its_constants_is_refused():
    mel, magnitude = Mel(MEL, 32), Magnitude(FRAMING)
    assert obstacle(mel) is None and obstacle(magnitude) is None
    assert obstacle(mel.double()) is None and obstacle(Mel(MEL, 33)) is None
    mel.filters.mul_(2)
    magnitude.window.mul_(2)
    assert obstacle(mel) == "Mel has other filters than those of its scale"
    assert obstacle(magnitude) == "Magnitude has another window than that of its framing"
    assert obstacle(Mel(MEL, 32)) is None  # and no other stage has changed with it


@pytest.mark.parametrize(
    "layer",
    [nn.Flatten(0, 1), nn.Flatten(-3, -2), nn.Unflatten(0, (1, 2)), nn.Unflatten(-3, (1, 2))],
)
def test_what_mixes_the_clips_of_a_batch_is_refused(layer):
    with pytest.raises(UnsupportedLayer, match="the axis of the batch mixes its clips"):
        propagate(layer, Interval.around(torch.zeros(2, 3, 4), 1.0))


def test_a_convolution_of_a_clip_without_channels_is_refused():
    with pytest.raises(UnsupportedLayer, match="Conv1d takes 3 axes, not 2"):
        propagate(nn.Conv1d(1, 4, 3), Interval.around(torch.zeros(1, 9), 1.0))


@pytest.mark.parametrize("layer", [nn.LogSigmoid(), nn.Softsign(), nn.SiLU(), nn.Mish()])
def test_ends_a_rounding_apart_are_no_error(layer):
    lower = 2 * torch.randn(1, 4_000, dtype=torch.float64)
    lower[0, :2_000] = -1.2784645427610738 + 1e-8 * torch.randn(2_000, dtype=torch.float64)
    upper = torch.nextafter(lower, torch.full_like(lower, torch.inf))
    out = propagate(layer, Interval(lower, upper))
    assert (out.lower <= layer(lower) + 1e-15).all()
    assert (out.upper >= layer(upper) - 1e-15).all()


def test_float32_may_stand_on_the_other_side_of_a_jump():
    """A point within float32's rounding of the jump of a Hardshrink is not known to be above."""
    at = torch.tensor([[0.5 + 1e-9, 0.5 - 1e-9, -0.5 - 1e-9, -0.5 + 1e-9, 0.6, 0.4]]).double()
    at[:, :4] = torch.tensor([0.5 + 1e-9, 0.5 - 1e-9, -0.5 - 1e-9, -0.5 + 1e-9]).double()
    out = propagate(nn.Hardshrink(), Interval(at, at))
    assert (out.lower[0, :2] == 0).all() and (out.upper[0, :2] > 0.49).all()
    assert (out.lower[0, 2:4] < -0.49).all() and (out.upper[0, 2:4] == 0).all()
    assert (out.lower[0, 4:] == out.upper[0, 4:]).all()


@pytest.mark.parametrize("kind", [nn.SiLU, nn.Mish, nn.Hardswish, nn.LeakyReLU, nn.ReLU])
def test_bounds_through_a_layer_that_works_in_place_can_be_trained(kind):
    dense = nn.Linear(3, 3)
    box = propagate(kind(inplace=True), propagate(dense, Interval.around(torch.zeros(1, 3), 1.0)))
    (box.lower.sum() + 2 * box.upper.sum()).backward()
    assert dense.weight.grad is not None

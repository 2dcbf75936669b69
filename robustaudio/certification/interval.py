"""Interval bound propagation: one rule per layer type (Gowal et al. 2018, arXiv:1810.12715).

`propagate(layer, box)` encloses the layer's outputs over every point of the box. The rules are
differentiable, so that the bound that verifies is the bound that trains.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import singledispatch
from itertools import chain
from math import cos, exp, log1p, pi
from typing import Any, NamedTuple, TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.classifiers.networks import LastHidden
from robustaudio.representations.spectral import (
    LogMel,
    Magnitude,
    Mel,
    Mfcc,
    RootLogMel,
    analysis_rows,
    framed,
    mel_filterbank,
    window,
)

COMPUTING = ("forward", "_conv_forward", "spectrum", "__iter__", "__call__")  # methods that compute
JUMP = 1e-5  # so near a jump, float32 may stand on its other side
ANGLES = 16  # directions at which the magnitude rule measures a box
# where an activation that falls to one valley and then rises is lowest: roots of the derivative, to
# float64; so flat there that another ulp changes nothing
VALLEYS = {nn.SiLU: -1.2784645427610738, nn.Mish: -1.1924312145154952, nn.Hardswish: -1.5}
GELU_VALLEYS = {"none": -0.7517915246935645, "tanh": -0.7524614220710162}
# layers that are non-decreasing in every input: those that are affine, and others
AVERAGING = (
    nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.Upsample,
    nn.ConstantPad1d, nn.ConstantPad2d, nn.ReflectionPad1d, nn.ReflectionPad2d,
    nn.ReplicationPad1d, nn.ReplicationPad2d,
)  # fmt: skip
RISING = (
    nn.ReLU6, nn.ELU, nn.CELU, nn.SELU, nn.LogSigmoid, nn.Softsign, nn.Hardtanh, nn.Hardsigmoid,
    nn.Softshrink, nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d,
)  # fmt: skip
Dropped = nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.AlphaDropout


@dataclass(frozen=True, eq=False)
class Interval:
    """All tensors between `lower` and `upper`, elementwise.

    Raises:
        ValueError: on NaN, or where lower > upper.
    """

    lower: Float[Tensor, "*shape"]
    upper: Float[Tensor, "*shape"]

    def __post_init__(self):
        if not bool((self.lower <= self.upper).all()):
            raise ValueError("an interval needs lower <= upper everywhere, and no NaN.")

    @classmethod
    def around(cls, center: Tensor, radius: Tensor | float) -> "Interval":
        return cls(center - radius, center + radius)

    @property
    def center(self) -> Tensor:
        return (self.lower + self.upper) / 2

    @property
    def radius(self) -> Tensor:
        return (self.upper - self.lower) / 2


class UnsupportedLayer(TypeError):
    """A layer type that has no interval rule."""


@singledispatch
def propagate(layer: nn.Module, x: Interval) -> Interval:
    """An interval that holds layer(v) for every v in x.

    Raises:
        UnsupportedLayer: for a layer without a rule, or one set in a way that its rule does not
            cover (see `obstacle`, which asks without computing).
    """
    raise UnsupportedLayer(obstacle(layer))


def obstacle(layer: nn.Module) -> str | None:
    """Why a layer has no interval rule, as the beginning of a sentence; None where it has one."""
    name = type(layer).__name__
    if propagate.dispatch(type(layer)) is propagate.dispatch(object):
        return f"no interval rule for {name}"
    match layer:
        case nn.Sequential():
            return next((reason for step in layer if (reason := obstacle(step))), None)
        case nn.Conv1d() | nn.Conv2d() if layer.padding_mode != "zeros":
            return f"no interval rule for {name} with {layer.padding_mode!r} padding"
        case nn.BatchNorm1d() | nn.BatchNorm2d() if layer.training or layer.running_mean is None:
            return f"{name} by the batch's own statistics couples its clips"
        case nn.Dropout() | nn.Dropout1d() | nn.Dropout2d() | nn.AlphaDropout() | nn.RReLU():
            return f"{name} in training mode is random" if layer.training else None
        case nn.Flatten(start_dim=0) | nn.Unflatten(dim=0):
            return _mixing(layer)
        case nn.ELU() | nn.CELU() if not layer.alpha > 0:
            return f"{name} with an alpha of {layer.alpha} falls before it rises"
        case nn.MaxPool1d() | nn.MaxPool2d() | nn.AdaptiveMaxPool1d() | nn.AdaptiveMaxPool2d():
            return (
                f"{name} that returns indices gives two results" if layer.return_indices else None
            )
        case nn.AvgPool2d(divisor_override=int(divisor)) if divisor < 0:
            return f"AvgPool2d with a divisor of {divisor} falls"
        case nn.Upsample(mode="bicubic"):
            return "Upsample in bicubic mode has weights below 0"
        case nn.Softplus(beta=beta, threshold=threshold) if not (beta > 0 and threshold >= 0):
            return f"Softplus with a beta of {beta} and a threshold of {threshold} falls"
        case Mel() if not any(_same(layer.filters, filters) for filters in _filterbanks(layer)):
            # the rule needs weights >= 0, the front end's constants those of the scale
            return "Mel has other filters than those of its scale"
        case Magnitude() if not _same(layer.window, window(layer.framing)):
            return "Magnitude has another window than that of its framing"
    return None


def change(layer: nn.Module) -> str | None:
    """Why a layer may do something else than its kind's rule says, as the beginning of a sentence.

    Rules go by the kind of a layer, and a kind derived from it may compute what the rule does not
    know: so may a hook, or a `forward` set on the layer itself. None where nothing of that is seen.
    """
    kind, rules = type(layer), propagate.registry
    base = next((base for base in kind.__mro__ if base in rules and base is not object), None)
    if base is None:  # no rule at all, as `obstacle` says
        return None
    steps = layer if isinstance(layer, nn.Sequential) else ()
    reasons = chain([own_forward(layer, base)], (change(step) for step in steps))
    return next((reason for reason in reasons if reason), None)


def own_forward(module: nn.Module, base: type[nn.Module]) -> str | None:
    """Why a module may compute something else than `base` does; None where nothing is seen."""
    kind = type(module)
    for name in COMPUTING:
        method, known = getattr(kind, name, None), getattr(base, name, None)
        if name in vars(module):
            return f"the {name} of {kind.__name__} was replaced"
        if known is not None and method is not known:
            return (
                f"{kind.__name__} has a {name} of its own, unlike the {base.__name__} it is made of"
            )
    if module._forward_hooks or module._forward_pre_hooks:
        return (
            f"{kind.__name__} has hooks, which may change what it computes; remove them "
            "(as remove_weight_norm and prune.remove do)"
        )
    return None


def _checked(layer: nn.Module) -> None:
    if reason := obstacle(layer):
        raise UnsupportedLayer(reason)


@propagate.register
def _(layer: nn.Sequential, x: Interval) -> Interval:
    for step in fused(list(layer)):
        x = propagate(step, x)
    return x


@propagate.register
def _(layer: nn.Linear, x: Interval) -> Interval:
    """Affine rule: the centre passes W, the radius passes |W| (Gowal et al. 2018, eq. 6)."""
    return Interval.around(layer(x.center), F.linear(x.radius, layer.weight.abs()))


@propagate.register
def _(layer: nn.Conv1d | nn.Conv2d, x: Interval) -> Interval:
    _checked(layer)
    if x.lower.ndim != layer.weight.ndim:  # torch takes one clip without a batch axis for a batch
        raise UnsupportedLayer(
            f"{type(layer).__name__} takes {layer.weight.ndim} axes, not {x.lower.ndim}"
        )
    convolve: Any = F.conv1d if isinstance(layer, nn.Conv1d) else F.conv2d
    geometry = layer.stride, layer.padding, layer.dilation, layer.groups
    return Interval.around(layer(x.center), convolve(x.radius, layer.weight.abs(), None, *geometry))


@propagate.register
def _(layer: nn.BatchNorm1d | nn.BatchNorm2d, x: Interval) -> Interval:
    """Affine per channel, by the statistics of the training set (evaluation mode only)."""
    _checked(layer)
    return _ordered(layer(x.lower), layer(x.upper))


@propagate.register(Dropped)
def _(layer: nn.Module, x: Interval) -> Interval:
    """The identity in evaluation mode."""
    _checked(layer)
    return x


@propagate.register
def _(layer: Mfcc, x: Interval) -> Interval:
    return Interval.around(layer(x.center), layer.weight.abs() @ x.radius)


def _increasing(layer: nn.Module, x: Interval) -> Interval:
    """Non-decreasing in every input (or a reshape): the ends map to the ends.

    The layer gets copies, for one that works in place would move the box itself.
    """
    _checked(layer)
    ends = layer(x.lower.clone()), layer(x.upper.clone())
    if len(ends[0]) != len(x.lower):
        raise UnsupportedLayer(_mixing(layer))
    return _ordered(*ends)


def _ordered(lower: Tensor, upper: Tensor) -> Interval:
    """The interval of two ends, in either order: rounding may cross those that lie near."""
    return Interval(torch.minimum(lower, upper), torch.maximum(lower, upper))


def _mixing(layer: nn.Module) -> str:
    return f"{type(layer).__name__} along the axis of the batch mixes its clips"


INCREASING = (
    nn.Identity, nn.Flatten, nn.Unflatten, nn.ReLU, nn.Sigmoid, nn.Tanh, LogMel, RootLogMel,
    *AVERAGING, *RISING,
)  # fmt: skip
for _kind in INCREASING:
    propagate.register(_kind, _increasing)


@propagate.register
def _(layer: nn.Hardshrink, x: Interval) -> Interval:
    """Non-decreasing, with a jump: an end that lies at it stands on either side."""
    near = JUMP * (1 + abs(layer.lambd))
    (lower, below), (upper, above) = (
        (layer(end), layer(end + step)) for end, step in ((x.lower, -near), (x.upper, near))
    )
    return Interval(
        torch.where((lower == 0) == (below == 0), lower, below),
        torch.where((upper == 0) == (above == 0), upper, above),
    )


@propagate.register
def _(layer: nn.Softplus, x: Interval) -> Interval:
    """Rising, but where torch goes over to the identity, at t, it falls by log(1 + e^(-beta t))."""
    _checked(layer)
    t = layer.threshold / layer.beta
    step = log1p(exp(-layer.threshold)) / layer.beta
    lower, upper = layer(x.lower), layer(x.upper)
    inside = (x.lower <= t + step) & (x.upper >= t - step)
    return Interval(
        torch.where(inside, lower.clamp_max(t), lower),
        torch.where(inside, upper.clamp_min(t + step), upper),
    )


@propagate.register(nn.LeakyReLU | nn.PReLU | nn.RReLU)
@propagate.register(nn.GELU | nn.SiLU | nn.Mish | nn.Hardswish)
def _(layer: nn.Module, x: Interval) -> Interval:
    """Falling or rising on either side of one point: the extremes are at the ends, or there."""
    _checked(layer)
    turn = x.lower.clamp_min(_turn(layer)).minimum(x.upper)
    values = torch.stack([layer(point.clone()) for point in (x.lower, x.upper, turn)])
    return Interval(values.amin(0), values.amax(0))


def _turn(layer: nn.Module) -> float:
    """Where the layer turns: a valley, or the point in which two lines meet."""
    if isinstance(layer, nn.GELU):
        return GELU_VALLEYS[layer.approximate]
    return next((valley for kind, valley in VALLEYS.items() if isinstance(layer, kind)), 0.0)


@propagate.register
def _(layer: Mel, x: Interval) -> Interval:
    """Squares, then weights >= 0, which are increasing in every square."""
    smallest = torch.where(x.lower * x.upper > 0, torch.minimum(x.lower.abs(), x.upper.abs()), 0)
    largest = torch.maximum(x.lower.abs(), x.upper.abs())
    return Interval(layer(smallest), layer(largest))


def _filterbanks(layer: Mel) -> Iterator[Tensor]:
    """Those of the scale, for the frames of even and of odd length with so many bins."""
    for n_fft in (2 * layer.filters.shape[1] - 2, 2 * layer.filters.shape[1] - 1):
        with suppress(ValueError):  # a band without a bin
            yield mel_filterbank(layer.scale, n_fft)


def _same(held: Tensor, built: Tensor) -> bool:
    return torch.equal(held.detach().cpu().double(), built.double())


@propagate.register
def _(layer: Magnitude, x: Interval) -> Interval:
    """|X_k| moves by at most the support function of the box's image, a disc around X_k.

    The support over all angles is at most its maximum over J angles in [0, pi), divided by
    cos(pi / 2J).
    """
    angles = torch.arange(ANGLES, dtype=x.lower.dtype, device=x.lower.device) * (pi / ANGLES)
    cosine, sine = analysis_rows(layer.framing).to(x.lower)
    rows = cosine[:, None] * angles.cos()[:, None] + sine[:, None] * angles.sin()[:, None]
    reach = framed(x.radius, layer.framing) @ rows.abs().flatten(0, 1).T
    radius = reach.unflatten(-1, (-1, ANGLES)).amax(-1) / cos(pi / (2 * ANGLES))
    magnitude, radius = layer(x.center), radius.transpose(1, 2)
    return Interval((magnitude - radius).clamp_min(0), magnitude + radius)


Ends = tuple[Tensor, Tensor]  # lower, upper


class Frame(NamedTuple):
    """Bounds at one frame of an LSTM: gates before their squashing, cell before and after."""

    i: Ends
    f: Ends
    g: Ends
    o: Ends
    before: Ends
    cell: Ends


@propagate.register
def _(layer: LastHidden, x: Interval) -> Interval:
    return Interval(*_hidden(unrolled(layer, x)[-1]))


def unrolled(layer: LastHidden, x: Interval) -> list[Frame]:
    """Interval bounds frame by frame."""
    weight, bias = layer.weight_ih_l0, layer.bias_ih_l0 + layer.bias_hh_l0
    inputs = F.linear(x.center.transpose(1, 2), weight, bias)
    spread = F.linear(x.radius.transpose(1, 2), weight.abs())
    recurrent, reach = layer.weight_hh_l0, layer.weight_hh_l0.abs()
    zero = inputs.new_zeros(len(inputs), layer.hidden_size)
    h, c, frames = (zero, zero), (zero, zero), []
    for t in range(inputs.shape[1]):
        center = inputs[:, t] + F.linear((h[0] + h[1]) / 2, recurrent)
        radius = spread[:, t] + F.linear((h[1] - h[0]) / 2, reach)
        lower, upper = (center - radius).chunk(4, -1), (center + radius).chunk(4, -1)
        i, f, g, o = zip(lower, upper, strict=True)
        kept = _gated(_map(torch.sigmoid, f), c)
        added = _gated(_map(torch.sigmoid, i), _map(torch.tanh, g))
        before, c = c, (kept[0] + added[0], kept[1] + added[1])
        frames.append(Frame(i, f, g, o, before, c))
        h = _hidden(frames[-1])
    return frames


def _hidden(frame: Frame) -> Ends:
    return _gated(_map(torch.sigmoid, frame.o), _map(torch.tanh, frame.cell))


def _map(f: Callable[[Tensor], Tensor], x: Ends) -> Ends:
    """Bounds of an increasing function."""
    return f(x[0]), f(x[1])


def _gated(gate: Ends, x: Ends) -> Ends:
    """Bounds of gate * x for a gate >= 0: two corners each, not four."""
    return (
        torch.minimum(gate[0] * x[0], gate[1] * x[0]),
        torch.maximum(gate[0] * x[1], gate[1] * x[1]),
    )


class FusedConv1d(nn.Conv1d):
    """An MFCC stage and the convolution after it as ONE affine map.

    Two affine rules in a row lose what cancels between them; the product of the matrices does not.
    """

    def __init__(self, mfcc: Mfcc, convolution: nn.Conv1d):
        nn.Module.__init__(self)  # nn.Conv1d's own would draw weights
        for name in ("stride", "padding", "dilation", "groups", "padding_mode", "bias"):
            setattr(self, name, getattr(convolution, name))
        weight: Any = torch.einsum("oct,cm->omt", convolution.weight, mfcc.weight)
        self.weight = weight  # no parameter: gradients flow on to the convolution's


def is_plain(layer: nn.Module) -> TypeGuard[nn.Conv1d]:
    """Whether it is a convolution of all channels, undilated, with zeros around its input."""
    if not isinstance(layer, nn.Conv1d) or layer.groups != 1 or layer.dilation != (1,):
        return False
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def fused(layers: list[nn.Module]) -> list[nn.Module]:
    """The same chain with an Mfcc and a Conv1d that follows it made one."""
    out: list[nn.Module] = []
    for layer in layers:
        if out and isinstance(mfcc := out[-1], Mfcc) and is_plain(layer):
            out[-1] = FusedConv1d(mfcc, layer)
        else:
            out.append(layer)
    return out


def differences(layer: nn.Linear, label: Tensor) -> tuple[Tensor, Tensor]:
    """w_label - w_j and b_label - b_j for every item and every j."""
    rows = layer.weight[label][:, None] - layer.weight
    if layer.bias is None:
        return rows, rows.new_zeros(())
    return rows, layer.bias[label][:, None] - layer.bias


def worst_margins(layer: nn.Linear, x: Interval, label: Tensor) -> Float[Tensor, "batch label"]:
    """Lower bounds of logit[label] - logit[j] over the box, the last layer elided (0 at j = label).

    The difference of two rows of W is bounded as one row: tighter than the difference of two
    bounds (Gowal et al. 2018, section 3.3).
    """
    rows, offset = differences(layer, label)
    center = torch.einsum("bjh,bh->bj", rows, x.center) + offset
    return center - torch.einsum("bjh,bh->bj", rows.abs(), x.radius)

"""CROWN-IBP: linear bounds carried backwards from the margins, with interval bounds inside.

Zhang et al. 2018 (arXiv:1811.00866) for the linear bounds, Zhang et al. 2020 (arXiv:1906.06316)
for the intervals. `backward(layer, form, box)` replaces a linear lower bound in a layer's outputs
by one in its inputs, sound for every input in `box`. What the interval rules forget between
layers, that one unit falls as another rises, a linear form remembers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.certification import interval
from robustaudio.certification.frontend import Features, boxes
from robustaudio.certification.interval import (
    AVERAGING,
    RISING,
    Dropped,
    Ends,
    Interval,
    UnsupportedLayer,
    fused,
    propagate,
    unrolled,
)
from robustaudio.classifiers.networks import LastHidden


@dataclass(frozen=True, eq=False)
class Form:
    """Linear lower bounds: rows * y + constant <= what is bounded, a row per quantity."""

    rows: Float[Tensor, "batch row *shape"]
    constant: Float[Tensor, "batch row"]


def lower_bounds(
    form: Form, features: Features, layers: list[nn.Module], inputs: list[Interval] | None = None
) -> Float[Tensor, "batch row"]:
    """Lower bounds of linear forms of the layers' last output, over all that `features` hold.

    `inputs` are the intervals at the input of every layer, as `boxes` finds them.

    Raises:
        UnsupportedLayer: if a layer has no backward rule.
    """
    inputs = inputs or boxes(features, layers)
    for layer, box in reversed(list(zip(layers, inputs, strict=False))):
        form = backward(layer, form, box)
    return features.minimum(form.rows) + form.constant


@singledispatch
def backward(layer: nn.Module, form: Form, box: Interval) -> Form:
    """A linear lower bound in the layer's inputs, from one in its outputs.

    Raises:
        UnsupportedLayer: for a layer without a rule (see `obstacle`, which asks beforehand).
    """
    raise UnsupportedLayer(obstacle(layer))


def obstacle(layer: nn.Module) -> str | None:
    """Why a layer has no backward rule, as the beginning of a sentence; None where it has one."""
    if backward.dispatch(type(layer)) is backward.dispatch(object):
        return f"no backward rule for {type(layer).__name__}"
    match layer:
        case nn.Sequential():
            return next((why for step in fused(list(layer)) if (why := obstacle(step))), None)
        case nn.Conv1d() if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            return "no backward rule for a Conv1d whose padding is not of zeros"
        case nn.Conv1d():
            return None
    return interval.obstacle(layer)


@backward.register
def _(layer: nn.Sequential, form: Form, box: Interval) -> Form:
    steps = fused(list(layer))
    inputs = [box]
    for step in steps[:-1]:
        inputs.append(propagate(step, inputs[-1]))
    for step, inside in reversed(list(zip(steps, inputs, strict=False))):  # no step: one input
        form = backward(step, form, inside)
    return form


@backward.register
def _(layer: nn.Linear, form: Form, box: Interval) -> Form:
    constant = form.constant
    if layer.bias is not None:
        constant = constant + (form.rows * layer.bias).flatten(2).sum(2)
    return Form(form.rows @ layer.weight, constant)


@backward.register
def _(layer: nn.Conv1d, form: Form, box: Interval) -> Form:
    if reason := obstacle(layer):
        raise UnsupportedLayer(reason)
    geometry: Any = layer.stride, layer.padding, layer.dilation
    (stride,), (padding,), (dilation,) = geometry
    batch, rows, _, frames = form.rows.shape
    seen = (frames - 1) * stride + dilation * (layer.weight.shape[2] - 1) + 1
    unused = box.lower.shape[2] + 2 * padding - seen
    flat, weight = form.rows.flatten(0, 1), layer.weight
    back = F.conv_transpose1d(flat, weight, None, stride, padding, unused, layer.groups, dilation)
    constant = form.constant
    if layer.bias is not None:
        constant = constant + form.rows.sum(3) @ layer.bias
    return Form(back.unflatten(0, (batch, rows)), constant)


def _affine(layer: nn.Module, form: Form, box: Interval) -> Form:
    """Any affine layer y = L x + c: rows L, by the layer's own derivative."""
    batch, rows = form.rows.shape[:2]
    further = torch.is_grad_enabled()
    with torch.enable_grad():
        zeros = torch.zeros_like(box.lower).repeat_interleave(rows, 0).requires_grad_()
        shift = layer(zeros)
        (back,) = torch.autograd.grad(shift, zeros, form.rows.flatten(0, 1), create_graph=further)
    shift = shift if further else shift.detach()
    constant = (form.rows * shift.unflatten(0, (batch, rows))).flatten(2).sum(2)
    return Form(back.unflatten(0, (batch, rows)), form.constant + constant)


def _forgetful(layer: nn.Module, form: Form, box: Interval) -> Form:
    """Forgets the inputs: what the interval rule knows of the outputs, as a constant."""
    out = propagate(layer, box)
    lowest = (
        form.rows.clamp_min(0) * out.lower[:, None] + form.rows.clamp_max(0) * out.upper[:, None]
    )
    rows = form.rows.new_zeros(*form.rows.shape[:2], *box.lower.shape[1:])
    return Form(rows, form.constant + lowest.flatten(2).sum(2))


for _kind in (nn.Conv2d, nn.BatchNorm2d, *AVERAGING):
    backward.register(_kind, _affine)
for _kind in (
    nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus, nn.Hardshrink, nn.PReLU, nn.RReLU,
    *RISING,
):  # fmt: skip
    backward.register(_kind, _forgetful)


@backward.register
def _(layer: nn.BatchNorm1d, form: Form, box: Interval) -> Form:
    assert layer.running_var is not None and layer.running_mean is not None  # so says propagate
    scale = (layer.running_var + layer.eps).rsqrt()
    scale = scale if layer.weight is None else scale * layer.weight
    shift = (0 if layer.bias is None else layer.bias) - layer.running_mean * scale
    shape = (-1, *[1] * (form.rows.ndim - 3))
    constant = form.constant + (form.rows * shift.reshape(shape)).flatten(2).sum(2)
    return Form(form.rows * scale.reshape(shape), constant)


@backward.register(nn.Identity | Dropped)
def _(layer: nn.Module, form: Form, box: Interval) -> Form:
    """The identity, as dropout is in evaluation mode (the interval rule has refused the other)."""
    return form


@backward.register(nn.Flatten | nn.Unflatten)
def _(layer: nn.Module, form: Form, box: Interval) -> Form:
    return replace(form, rows=form.rows.reshape(*form.rows.shape[:2], *box.lower.shape[1:]))


@backward.register
def _(layer: nn.ReLU | nn.LeakyReLU, form: Form, box: Interval) -> Form:
    """Above: the chord. Below: a line through 0 of slope 1, or of the negative slope (ReLU's: 0).

    Of the two, the nearer one (CROWN's adaptive slope).
    """
    negative_slope = 0.0 if isinstance(layer, nn.ReLU) else layer.negative_slope
    if not 0 <= negative_slope <= 1:
        return _forgetful(layer, form, box)
    lower, upper = box.lower, box.upper
    unstable = (lower < 0) & (upper > 0)
    ones, slope = torch.ones_like(lower), torch.full_like(lower, negative_slope)
    same = torch.where(lower >= 0, ones, slope)
    width = (upper - lower).clamp_min(1e-30)
    chord = torch.where(unstable, (upper - slope * lower) / width, same)
    offset = torch.where(unstable, (slope - chord) * lower, 0)
    below = torch.where(unstable, torch.where(upper > -lower, ones, slope), same)
    return _relaxed(form, below, torch.zeros_like(offset), chord, offset)


@backward.register
def _(layer: nn.Sigmoid | nn.Tanh, form: Form, box: Interval) -> Form:
    squash = SIGMOID if isinstance(layer, nn.Sigmoid) else TANH
    rows, constant = _line(form.rows, squash, (box.lower, box.upper))
    return Form(rows, form.constant + constant)


def _relaxed(form: Form, below: Tensor, low: Tensor, above: Tensor, high: Tensor) -> Form:
    """Elementwise: below * y + low <= f(y) <= above * y + high."""
    rising, falling = form.rows.clamp_min(0), form.rows.clamp_max(0)
    constant = (rising * low[:, None] + falling * high[:, None]).flatten(2).sum(2)
    return Form(rising * below[:, None] + falling * above[:, None], form.constant + constant)


@backward.register
def _(layer: LastHidden, form: Form, box: Interval) -> Form:
    """Back through time, from the state after the last frame to the zeros before the first."""
    bias = layer.bias_ih_l0 + layer.bias_hh_l0
    constant, hidden, cell, rows = form.constant, form.rows, torch.zeros_like(form.rows), []
    for frame in reversed(unrolled(layer, box)):
        o, after, given = _product(hidden, SIGMOID, frame.o, TANH, frame.cell)
        f, before, kept = _product(cell + after, SIGMOID, frame.f, None, frame.before)
        i, g, added = _product(cell + after, SIGMOID, frame.i, TANH, frame.g)
        gates = torch.cat([i, f, g, o], 2)
        constant = constant + given + kept + added + gates @ bias
        rows.append(gates @ layer.weight_ih_l0)
        hidden, cell = gates @ layer.weight_hh_l0, before
    return Form(torch.stack(rows[::-1], 3), constant)


class Squash(NamedTuple):
    """An increasing function that is convex below 0 and concave above, and its derivative."""

    at: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


SIGMOID = Squash(torch.sigmoid, lambda x: torch.sigmoid(x) * torch.sigmoid(-x))
TANH = Squash(torch.tanh, lambda x: 1 - torch.tanh(x).square())


def _product(
    rows: Float[Tensor, "batch row unit"], f: Squash, a: Ends, g: Squash | None, b: Ends
) -> tuple[Tensor, Tensor, Tensor]:
    """rows * f(a) * g(b) from below: its rows in a, its rows in b, and its constant.

    s u = mid(u) s + mid(s) u - mid(s) mid(u), give or take rad(s) rad(u): the mean of the two
    McCormick planes on either side. `g` None is the identity.
    """
    s, u = (f.at(a[0]), f.at(a[1])), (g.at(b[0]), g.at(b[1])) if g else b
    mid_s, mid_u = (s[0] + s[1]) / 2, (u[0] + u[1]) / 2
    slack = (s[1] - s[0]) * (u[1] - u[0]) / 4
    constant = -(rows * (mid_s * mid_u)[:, None] + rows.abs() * slack[:, None]).sum(2)
    in_a, of_a = _line(rows * mid_u[:, None], f, a)
    in_b, of_b = _line(rows * mid_s[:, None], g, b) if g else (rows * mid_s[:, None], 0)
    return in_a, in_b, constant + of_a + of_b


def _line(rows: Tensor, f: Squash, x: Ends) -> tuple[Tensor, Tensor]:
    """rows * f(x) from below: chord and tangent where f bends one way, else parallel lines."""
    lower, upper = x
    middle, width = (lower + upper) / 2, upper - lower
    tangent, ends = f.slope(middle), torch.minimum(f.slope(lower), f.slope(upper))
    chord = torch.where(width > 1e-9, (f.at(upper) - f.at(lower)) / width.clamp_min(1e-9), ends)
    concave, convex = lower >= 0, upper <= 0
    below = torch.where(concave, chord, torch.where(convex, tangent, ends))
    above = torch.where(convex, chord, torch.where(concave, tangent, ends))
    low = torch.where(convex, f.at(middle) - tangent * middle, f.at(lower) - below * lower)
    high = torch.where(concave, f.at(middle) - tangent * middle, f.at(upper) - above * upper)
    form = _relaxed(Form(rows, rows.new_zeros(())), below, low, above, high)
    return form.rows, form.constant

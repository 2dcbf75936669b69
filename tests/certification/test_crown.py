"""Backward linear bounds: below every layer at every point of its box, and exact where known."""

from functools import cache
from itertools import product
from math import inf

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor, nn

from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.crown import (
    SIGMOID,
    TANH,
    Form,
    Squash,
    _line,
    _product,
    backward,
    lower_bounds,
)
from robustaudio.certification.frontend import Features, boxes
from robustaudio.certification.interval import (
    FusedConv1d,
    Interval,
    UnsupportedLayer,
    worst_margins,
)
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import LastHidden, Network
from robustaudio.classifiers.stages import LogMelStages
from robustaudio.evaluation.batch import load_clips
from robustaudio.representations.spectral import Framing, MelScale, Mfcc
from robustaudio.threats.norms import L2, LINF, MASKING, Norm
from robustaudio.threats.threat_model import ThreatModel

NORMS = [LINF, L2, MASKING]
ROUNDING = 1e-9
seeds = st.integers(0, 10_000)


def seasoned(norm: nn.BatchNorm1d) -> nn.BatchNorm1d:
    """Statistics and scales (a negative one among them) as after a training."""
    norm.running_mean, norm.running_var = torch.randn(3), torch.rand(3) + 0.1
    if norm.affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return norm.eval()


def conv(*options: int, **more: bool) -> nn.Conv1d:
    return nn.Conv1d(3, 4, *options, **more).double()


AFFINE = {
    "linear": (lambda: nn.Linear(6, 5), (6,)),
    "linear, no bias": (lambda: nn.Linear(6, 5, bias=False), (6,)),
    "linear per row": (lambda: nn.Linear(6, 5), (3, 6)),
    "conv": (lambda: conv(3), (3, 9)),
    "conv, stride, padding": (lambda: conv(3, 2, 1), (3, 9)),
    "conv, frames left over": (lambda: conv(5, 3, 2, bias=False), (3, 12)),
    "conv, one tap": (lambda: conv(1), (3, 9)),
    "conv, grouped": (lambda: nn.Conv1d(3, 6, 3, 2, 1, groups=3), (3, 9)),
    "conv, dilated": (lambda: conv(3, 2, 1, 2), (3, 10)),
    "mfcc and conv": (lambda: FusedConv1d(Mfcc(6, 3, 22).double(), conv(3, 2, 1)), (6, 9)),
    "batch norm": (lambda: seasoned(nn.BatchNorm1d(3)), (3, 5)),
    "batch norm after a dense layer": (lambda: seasoned(nn.BatchNorm1d(3)), (3,)),
    "batch norm, not affine": (lambda: seasoned(nn.BatchNorm1d(3, affine=False)), (3, 5)),
    "dropout": (lambda: nn.Dropout(0.5).eval(), (5,)),
    "flatten": (nn.Flatten, (2, 3)),
    "flatten nothing": (lambda: nn.Flatten(2), (2, 3)),
    "identity": (nn.Identity, (2, 3)),
    "unflatten": (lambda: nn.Unflatten(1, (1, 3)), (3, 5)),
    "conv in 2d": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 5, 6)),
    "batch norm in 2d": (lambda: seasoned(nn.BatchNorm2d(3)), (3, 4, 5)),
    "average pool": (lambda: nn.AvgPool1d(3, 2, 1), (2, 8)),
    "adaptive average in 2d": (lambda: nn.AdaptiveAvgPool2d((2, 1)), (2, 5, 4)),
    "padded": (lambda: nn.ConstantPad1d(2, -0.7), (2, 3)),
    "reflected": (lambda: nn.ReflectionPad2d(1), (2, 3, 4)),
    "upsampled": (lambda: nn.Upsample(scale_factor=2, mode="linear"), (2, 4)),
    "a chain": (lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)), (6,)),
}
LAYERS = AFFINE | {
    "relu": (nn.ReLU, (3, 4)),
    "sigmoid": (nn.Sigmoid, (3, 4)),
    "tanh": (nn.Tanh, (3, 4)),
    "leaky relu": (lambda: nn.LeakyReLU(0.2), (3, 4)),
    "leaky relu, nearly straight": (lambda: nn.LeakyReLU(0.99), (3, 4)),
    "gelu": (nn.GELU, (3, 4)),
    "elu": (nn.ELU, (3, 4)),
    "mish": (nn.Mish, (3, 4)),
    "hardswish": (nn.Hardswish, (3, 4)),
    "softplus": (lambda: nn.Softplus(2.0, 1.0), (3, 4)),
    "prelu": (lambda: nn.PReLU(3, -0.3), (3, 4)),
    "max pool": (lambda: nn.MaxPool1d(3, 2, 1), (2, 8)),
    "max pool in 2d": (lambda: nn.MaxPool2d(2), (2, 5, 4)),
    "a chain that bends": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)),
        (6,),
    ),
    "lstm": (lambda: LastHidden(3, 4), (3, 6)),
    "lstm, one frame": (lambda: LastHidden(3, 4), (3, 1)),
}


def random_box(seed: int, log_radius: float, shape: tuple[int, ...]) -> Interval:
    """Around a random centre, some sides of no width."""
    torch.manual_seed(seed)
    center, spread = 2 * torch.randn(1, *shape), torch.rand(1, *shape)
    spread = 10**log_radius * spread * (torch.rand(1, *shape) > 0.2)
    return Interval.around(center.double(), spread.double())


def random_form(layer: nn.Module, box: Interval, count: int = 6) -> Form:
    shape = layer(box.center).shape[1:]
    rows = torch.randn(1, count, *shape, dtype=torch.float64)
    rows[:, 0], rows[:, 1] = 0, rows[:, 1].abs()
    return Form(rows, torch.randn(1, count, dtype=torch.float64))


def value(form: Form, points: Tensor) -> Tensor:
    """The forms at every point: (point, row)."""
    return torch.einsum("rn,pn->pr", form.rows[0].flatten(1), points.flatten(1)) + form.constant


def gaps(layer: nn.Module, box: Interval, form: Form, steps: int = 12) -> Tensor:
    """Layer minus bound at random points, at corners, and at points climbed down to."""
    back = backward(layer, form, box)
    rows = form.rows.shape[1]

    def gap(points: Tensor) -> Tensor:
        return value(form, layer(points)) - value(back, points)

    share = torch.rand(24, *box.lower.shape[1:], dtype=torch.float64)
    share[:8], share[8] = (share[:8] > 0.5).double(), 0.5
    points = box.lower + share * (box.upper - box.lower)
    found = [gap(points).detach()]
    here = points[-rows:]
    for step in range(steps):
        here = here.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(gap(here).diagonal().sum(), here)
        # the first two steps reach the gradient's own corner
        size = 2.0 if step < 2 else 0.6 ** (step - 1)
        moved = here.detach() - size * box.radius * gradient.sign()
        here = torch.minimum(torch.maximum(moved, box.lower), box.upper)
        found.append(gap(here).detach())
    return torch.cat(found)


@pytest.mark.parametrize("kind", LAYERS)
@given(seed=seeds, log_radius=st.floats(-6, 1))
@settings(max_examples=15)
def test_a_backward_form_lies_below_its_layer(kind, seed, log_radius):
    make, shape = LAYERS[kind]
    torch.manual_seed(seed)
    layer, box = make().double(), random_box(seed, log_radius, shape)
    found = gaps(layer, box, random_form(layer, box))
    assert (found >= -ROUNDING).all()
    if kind in AFFINE:  # and says all that the layer does
        assert (found <= ROUNDING).all()


@given(seed=seeds, log_radius=st.floats(-6, 1))
@settings(max_examples=15)
def test_an_lstm_with_weights_as_large_as_trained_ones_is_bounded(seed, log_radius):
    torch.manual_seed(seed)
    layer = LastHidden(3, 4).double()
    for parameter in layer.parameters():
        parameter.data *= 4
    box = random_box(seed, log_radius, (3, 5))
    assert (gaps(layer, box, random_form(layer, box)) >= -ROUNDING).all()


@pytest.mark.parametrize(
    "lower, upper, below, above, offset",
    [
        (-1.0, 3.0, 1.0, 0.75, 0.75),  # the identity is nearer
        (-3.0, 1.0, 0.0, 0.25, 0.75),  # 0 is nearer
        (-2.0, 2.0, 0.0, 0.5, 1.0),
        (1.0, 2.0, 1.0, 1.0, 0.0),
        (0.0, 2.0, 1.0, 1.0, 0.0),
        (-2.0, -1.0, 0.0, 0.0, 0.0),
        (-2.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0, 1.0, 0.0),
    ],
)
def test_one_relu_by_hand(lower, upper, below, above, offset):
    box = Interval(torch.tensor([[lower]]), torch.tensor([[upper]]))
    form = Form(torch.tensor([[[2.0], [-2.0]]]), torch.tensor([[5.0, 5.0]]))
    back = backward(nn.ReLU(), form, box)
    assert back.rows.flatten().tolist() == [2 * below, -2 * above]
    assert back.constant.flatten().tolist() == [5.0, 5.0 - 2 * offset]


# ---- the lines and planes of an LSTM


ENDS = [
    (-3.0, -1.0), (-1.0, 0.0), (0.0, 2.0), (1.0, 1.5), (-1.0, 4.0), (-4.0, 1.0), (-2.0, 2.0),
    (0.0, 0.0), (0.7, 0.7), (-0.7, -0.7), (0.5, 0.5 + 1e-10), (-1e-10, 0.0), (-1e-8, 1e-8),
    (-1e-3, 5e-4), (-1e3, 1e3), (-40.0, -39.0), (300.0, 1e3), (-1e3, 0.1), (-30.0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("squash", [SIGMOID, TANH], ids=["sigmoid", "tanh"])
@pytest.mark.parametrize("ends", ENDS, ids=str)
@pytest.mark.parametrize("row", [1.5, -1.5, 0.0])
def test_the_lines_of_an_s_curve_lie_on_their_side_and_touch_it(squash, ends, row):
    lower, upper = (torch.tensor([[end]], dtype=torch.float64) for end in ends)
    slope, constant = _line(torch.full((1, 1, 1), row, dtype=torch.float64), squash, (lower, upper))
    grid = lower + (upper - lower) * torch.linspace(0, 1, 4_001, dtype=torch.float64)
    gap = row * squash.at(grid) - (slope[0] * grid + constant[0])
    assert gap.min() >= -1e-12 and gap.min() <= 1e-9
    width = float(upper - lower)
    bends = min(1.0, 0.5 * width**2)  # the second derivatives are below 1
    if min(ends) >= 0 or max(ends) <= 0:  # one line touches in the middle, or at both ends
        assert gap.max() <= abs(row) * bends + 1e-12


@pytest.mark.parametrize("squash", [SIGMOID, TANH], ids=["sigmoid", "tanh"])
@given(seed=seeds, log_width=st.floats(-9, 3))
def test_the_lines_of_an_s_curve_hold_anywhere(squash, seed, log_width):
    generator = torch.Generator().manual_seed(seed)
    center, row = torch.randn(2, 1, 1, 20, generator=generator, dtype=torch.float64)
    lower, upper = 3 * center[0] - 10**log_width, 3 * center[0] + 10**log_width * row[0].abs()
    slope, constant = _line(row, squash, (lower, upper))
    share = torch.linspace(0, 1, 401, dtype=torch.float64)[:, None, None]
    grid = lower + (upper - lower) * share
    gap = (row[0] * squash.at(grid) - slope[0] * grid).sum(-1) - constant[0]
    each = row[0] * squash.at(grid) - slope[0] * grid
    assert (gap >= -1e-9).all()
    assert (each.amin(0).sum(-1) - constant[0] >= -1e-9).all()  # each unit at its own worst
    assert (each.amin(0).sum(-1) - constant[0] <= 0.02 * (1 + 10 ** max(log_width, 0))).all()


@pytest.mark.parametrize("squash", [SIGMOID, TANH], ids=["sigmoid", "tanh"])
def test_the_derivative_of_an_s_curve(squash: Squash):
    at = torch.linspace(-8, 8, 401, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(squash.at(at).sum(), at)
    torch.testing.assert_close(squash.slope(at.detach()), slope, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("second", [None, TANH], ids=["identity", "tanh"])
@given(seed=seeds, widths=st.tuples(st.floats(-5, 1.5), st.floats(-5, 1.5)))
def test_the_planes_lie_below_the_product(second, seed, widths):
    generator = torch.Generator().manual_seed(seed)
    centers = 2 * torch.randn(2, 1, 3, generator=generator, dtype=torch.float64)
    (a, b), rows = (
        [(c - 10**width, c + 10**width) for c, width in zip(centers, widths, strict=True)],
        torch.randn(1, 4, 3, generator=generator, dtype=torch.float64),
    )
    in_a, in_b, constant = _product(rows, SIGMOID, a, second, b)
    share = torch.linspace(0, 1, 41, dtype=torch.float64)[:, None]
    at_a, at_b = (x[0] + (x[1] - x[0]) * share for x in (a, b))
    of_b = second.at(at_b) if second else at_b
    # every unit at its own worst point of the grid: (a, b, row, unit)
    gap = (
        rows[0] * (torch.sigmoid(at_a)[:, None] * of_b[None])[:, :, None]
        - in_a[0] * at_a[:, None, None]
        - in_b[0] * at_b[None, :, None]
    )
    lowest = gap.amin((0, 1)).sum(-1) - constant[0]
    assert (lowest >= -ROUNDING * (1 + 10 ** widths[1])).all()


def test_the_slack_of_a_product_is_that_of_mccormick():
    """A narrow gate times a wide identity: all that is lost is rad(s) rad(u)."""
    a = (torch.tensor([[0.3 - 1e-5]]).double(), torch.tensor([[0.3 + 1e-5]]).double())
    b = (torch.tensor([[-6.0]]).double(), torch.tensor([[10.0]]).double())
    for row in (1.0, -1.0):
        rows = torch.full((1, 1, 1), row, dtype=torch.float64)
        in_a, in_b, constant = _product(rows, SIGMOID, a, None, b)
        corner = [row * torch.sigmoid(x) * y - in_a[0] * x - in_b[0] * y - constant
                  for x, y in product(a, b)]  # fmt: skip
        rad_s = float(torch.sigmoid(a[1]) - torch.sigmoid(a[0])) / 2
        lowest, highest = min(map(float, corner)), max(map(float, corner))
        assert lowest == pytest.approx(0, abs=1e-9)
        assert highest == pytest.approx(2 * rad_s * 8, rel=1e-3)


# ---- whole networks


def around(center: Tensor, radius: float) -> Features:
    return Features(Interval.around(center, radius), center)


@pytest.mark.parametrize("joined", [None, False, True], ids=["box", "per frame", "joined"])
def test_an_affine_network_is_bounded_exactly(joined):
    torch.manual_seed(0)
    layers: list[nn.Module] = [
        seasoned(nn.BatchNorm1d(3)).double(), conv(3, 2, 1), nn.Dropout().eval(),
        nn.Conv1d(4, 4, 3).double(), nn.Flatten(), nn.Linear(12, 5).double(),
    ]  # fmt: skip
    center = torch.randn(2, 3, 9, dtype=torch.float64)
    spread = None if joined is None else 0.3 * torch.rand(center.shape, dtype=torch.float64)
    features = Features(Interval.around(center, 0.5), center, spread, bool(joined))
    form = Form(torch.randn(2, 7, 5, dtype=torch.float64), torch.randn(2, 7, dtype=torch.float64))
    network = nn.Sequential(*layers)
    jacobian = torch.autograd.functional.jacobian(network, center[:1])[0, :, 0]
    rows = torch.einsum("bro,oct->brct", form.rows, jacobian)
    values = torch.einsum("bro,bo->br", form.rows, network(center)) + form.constant
    middle = (rows * center[:, None]).flatten(2).sum(2)
    exact = values - middle + features.minimum(rows)
    torch.testing.assert_close(lower_bounds(form, features, layers), exact)
    if joined is None:
        drop = 0.5 * rows.abs().flatten(2).sum(2)
        torch.testing.assert_close(exact, values - drop)


def dense(seed: int) -> tuple[list[nn.Module], nn.Linear, Tensor]:
    """Two hidden layers of four units over three inputs, the last layer, and a point."""
    torch.manual_seed(seed)
    layers = [nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU()]
    return [layer.double() for layer in layers], nn.Linear(4, 3).double(), torch.randn(3).double()


def relaxed_minimum(
    row: np.ndarray, layers: list[nn.Module], inputs: list[Interval], pattern: tuple | None
) -> float:
    """Minimum of row . hidden by linear programming, over x and the outputs of both ReLUs.

    With `pattern` (a sign per unit) the ReLUs are exact on the part of the box where the signs
    are those; without, each is relaxed to its triangle.
    """
    weights = [layers[0].weight.detach().numpy(), layers[2].weight.detach().numpy()]
    biases = [layers[0].bias.detach().numpy(), layers[2].bias.detach().numpy()]
    sides = [inputs[1], inputs[3]]
    inequalities, limits = [], []  # A v <= b over v = (x, z1, z2)
    at = [slice(0, 3), slice(3, 7), slice(7, 11)]

    def add(terms: dict, limit: float) -> None:
        line = np.zeros(11)
        for key, factor in terms.items():
            line[key] += factor
        inequalities.append(line), limits.append(limit)

    for depth in (0, 1):
        before, here = at[depth], at[depth + 1].start
        for unit in range(4):
            w, b = weights[depth][unit], float(biases[depth][unit])
            columns = dict(zip(range(before.start, before.stop), w, strict=True))
            low = float(sides[depth].lower[0, unit])
            high = float(sides[depth].upper[0, unit])
            output = here + unit
            minus = {key: -factor for key, factor in columns.items()}
            if pattern is not None:
                active = pattern[4 * depth + unit]
                if active:  # w.v + b >= 0 and output = w.v + b
                    add(minus, b)
                    add({**columns, output: -1}, -b), add({**minus, output: 1}, b)
                else:
                    add(columns, -b)
                    add({output: 1}, 0), add({output: -1}, 0)
                continue
            add({output: -1}, 0)
            add({**columns, output: -1}, -b)  # output >= w.v + b
            if high <= 0:
                add({output: 1}, 0)
            elif low >= 0:
                add({**minus, output: 1}, b)
            else:  # below the chord
                chord = high / (high - low)
                add({**{k: -chord * f for k, f in columns.items()}, output: 1}, chord * (b - low))
    cost = np.concatenate([np.zeros(7), row])
    x = list(zip(inputs[0].lower[0].tolist(), inputs[0].upper[0].tolist(), strict=True))
    bounds = x + [(0, None)] * 8
    solved = linprog(cost, np.array(inequalities), np.array(limits), bounds=bounds)
    return float(solved.fun) if solved.status == 0 else inf


@pytest.mark.parametrize("seed", range(4))
def test_crown_lies_between_nothing_and_the_linear_program(seed):
    """CROWN is a feasible point of the dual of the triangle relaxation; enumeration is exact."""
    layers, last, center = dense(seed)
    features = around(center[None], 0.6)
    with torch.no_grad():
        inputs = boxes(features, layers)
    label = last(nn.Sequential(*layers)(center[None])).argmax(1)
    rows = (last.weight[label][:, None] - last.weight).detach()
    offset = (last.bias[label][:, None] - last.bias).detach()
    with torch.no_grad():
        crown = lower_bounds(Form(rows, offset), features, layers)[0]
        interval = worst_margins(last, inputs[-1], label)[0]
    stable = [
        (0,) if high <= 0 else (1,) if low >= 0 else (0, 1)
        for side in (inputs[1], inputs[3])
        for low, high in zip(side.lower[0].tolist(), side.upper[0].tolist(), strict=True)
    ]
    for j in range(3):
        row = rows[0, j].numpy()
        triangle = relaxed_minimum(row, layers, inputs, None) + float(offset[0, j])
        exact = min(relaxed_minimum(row, layers, inputs, p) for p in product(*stable))
        exact += float(offset[0, j])
        assert crown[j] <= triangle + 1e-7
        assert interval[j] <= exact + 1e-7 and triangle <= exact + 1e-7


def test_crown_remembers_what_intervals_forget():
    """relu(x + 2) - relu(x + 1) is 1 on x in [-1, 1]; intervals say it may be -1."""
    layer = nn.Linear(1, 2).double()
    with torch.no_grad():
        layer.weight.copy_(torch.ones(2, 1))
        layer.bias.copy_(torch.tensor([2.0, 1.0]))
    features = around(torch.zeros(1, 1, dtype=torch.float64), 1.0)
    form = Form(torch.tensor([[[1.0, -1.0]]]).double(), torch.zeros(1, 1).double())
    layers = [layer, nn.ReLU()]
    with torch.no_grad():
        assert float(lower_bounds(form, features, layers)) == 1.0
        hidden = boxes(features, layers)[-1]
    assert float(hidden.lower[0, 0] - hidden.upper[0, 1]) == -1.0


@cache
def small(network: str) -> Classifier:
    torch.manual_seed(0)
    cepstrum = {"n_mfcc": 8, "lifter": 22, "compression": "log", "floor": 1e-2}
    stages = LogMelStages(
        Framing(n_fft=128, hop_length=80, unitary=True, pre_emphasis=0.9), MelScale(n_mels=8),
        **(cepstrum if network == "lstm" else {}),
    )  # fmt: skip
    kind = Network.of_kind(network)
    architecture = Architecture(tuple("abc"), 8_000, 2_000, stages, kind(width=8))
    return architecture.build().eval().double()


LEVELS_DB = {LINF: (-70.0, -45.0), L2: (-55.0, -30.0), MASKING: (-25.0, 0.0)}


def attacked(
    classifier: nn.Module, x: Tensor, label: Tensor, threat: ThreatModel, steps: int = 8
) -> tuple[Tensor, Tensor]:
    """Logits at points of the set, and the margins there: sampled, then climbed down to."""
    generator = torch.Generator().manual_seed(0)
    here, found = threat.sample(x, generator), []
    for step in range(steps):
        here = here.detach().requires_grad_()
        logits = classifier(here)
        margin = logits.gather(1, label[:, None]) - logits
        found.append(logits.detach())
        nearest = margin.scatter(1, label[:, None], inf).amin(1)
        (gradient,) = torch.autograd.grad(nearest.sum(), here)
        size = 2.0 if step == 0 else 0.5
        here = threat.project((here - size * threat.steepest(gradient)).detach(), x)
    logits = torch.stack([*found, classifier(here).detach()])
    return logits, logits.gather(2, label.expand(len(logits), -1)[..., None]) - logits


def assert_sandwich(classifier: Classifier, x: Tensor, levels_db: tuple[float, ...], norm: Norm):
    """interval <= crown <= what an attack finds; and the same for the logits."""
    verifiers = [Verifier(classifier, method=method) for method in ("interval", "crown")]
    label = verifiers[0].predict(x)
    for level_db in levels_db:
        threat = verifiers[0].threat_at(x, level_db, norm)
        interval, crown = (v.verify(x, label, threat).margins for v in verifiers)
        wide, narrow = (v.logits(x, threat) for v in verifiers)
        logits, margins = attacked(classifier, x, label, threat)
        assert (interval <= crown + 1e-12).all()
        assert (crown <= margins + 1e-9).all()
        assert (wide.lower <= narrow.lower + 1e-12).all()
        assert (narrow.upper <= wide.upper + 1e-12).all()
        assert (narrow.lower <= logits + 1e-9).all() and (logits <= narrow.upper + 1e-9).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("network", ["cnn", "deep_cnn", "lstm"])
def test_the_sandwich_of_small_networks(network, norm):
    x = torch.rand(3, 2_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[2] *= torch.linspace(0, 1, 2_000, dtype=torch.float64) ** 8  # silence before the sound
    assert_sandwich(small(network), 2 * x - 1, LEVELS_DB[norm], norm)


@pytest.mark.parametrize("name", checkpoints.names(task="digits"))
def test_the_sandwich_of_the_shipped_classifiers(name):
    classifier = checkpoints.load_classifier(name).double()
    x = load_clips(classifier, open_dataset("bundled-digits")).waveforms[:1].double()
    for norm in NORMS:
        assert_sandwich(classifier, x, LEVELS_DB[norm][:1], norm)


@pytest.mark.parametrize("network", ["cnn", "deep_cnn", "lstm"])
def test_crown_is_tighter_on_small_balls(network):
    x = torch.rand(3, 2_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    interval, crown = (Verifier(small(network), method=m) for m in ("interval", "crown"))
    label = interval.predict(x)
    threat = interval.threat_at(x, -70.0, LINF)
    clean = interval.verify(x, label, threat.scaled(0.0)).margins
    loose, tight = (clean - v.verify(x, label, threat).margins for v in (interval, crown))
    assert tight.sum() < 0.9 * loose.sum()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("network", ["cnn", "deep_cnn", "lstm"])
def test_a_set_of_one_point_gives_its_logits(network, norm):
    classifier, generator = small(network), torch.Generator().manual_seed(1)
    x = torch.rand(6, 2_000, generator=generator, dtype=torch.float64) * 2 - 1
    verifier = Verifier(classifier, method="crown")
    threat = verifier.threat_at(x, -60.0, norm).scaled(0.0)
    bounds, logits = verifier.logits(x, threat), classifier(x).detach()
    torch.testing.assert_close(bounds.lower, logits, rtol=0, atol=1e-9)
    torch.testing.assert_close(bounds.upper, logits, rtol=0, atol=1e-9)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="no method 'lp'; choose from interval, crown"):
        Verifier(small("cnn"), method="lp")


def test_a_layer_without_a_backward_rule_is_named():
    with pytest.raises(UnsupportedLayer, match="no backward rule for LayerNorm"):
        backward(nn.LayerNorm(2), Form(torch.ones(1, 1, 2), torch.zeros(1, 1)),
                 Interval.around(torch.zeros(1, 2), 1.0))  # fmt: skip


@pytest.mark.parametrize("options", [{"padding_mode": "circular"}, {"padding": "same"}])
def test_a_convolution_that_no_backward_rule_covers_is_refused(options):
    layer, box = nn.Conv1d(2, 2, 2, **options), Interval.around(torch.zeros(1, 2, 5), 1.0)
    form = random_form(layer, box)
    with pytest.raises(UnsupportedLayer, match="whose padding is not of zeros"):
        backward(layer, form, box)


@pytest.mark.parametrize("method", ["interval", "crown"])
def test_a_threat_at_another_representation_is_refused(method):
    verifier = Verifier(small("cnn"), method=method)
    x = torch.zeros(1, 2_000)
    threat = ThreatModel(LINF, torch.tensor([0.1]), "mel")
    for use in (lambda: verifier.verify(x, torch.tensor([0]), threat),
                lambda: verifier.logits(x, threat)):  # fmt: skip
        with pytest.raises(ValueError, match="a threat at the mel is not one at the waveform"):
            use()

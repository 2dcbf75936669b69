"""What the front end encloses: random points, corners and points climbed to never leave it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh
from torch import Tensor, nn

from robustaudio.certification.frontend import (
    Features,
    boxes,
    enclose,
    joint_reach,
    magnitude_reach,
    mel_reach,
    steepest_slope,
)
from robustaudio.certification.interval import FusedConv1d, Interval, propagate
from robustaudio.perception.masking import masking_threshold
from robustaudio.representations.spectral import (
    Framing,
    LogMel,
    Magnitude,
    Mel,
    MelScale,
    Mfcc,
    RootLogMel,
    analysis_rows,
    mel_filterbank,
)
from robustaudio.threats.norms import L2, LINF, MASKING, Norm
from robustaudio.threats.threat_model import UNBOUNDED, ThreatModel

FRAMINGS = {
    "plain": Framing(n_fft=32, hop_length=20),
    "emphasised": Framing(32, 20, window="hamming", pre_emphasis=0.97, unitary=True),
}
FRAMING = FRAMINGS["plain"]
MEL = MelScale(sample_rate=8_000, n_mels=4)
TIME, BANDS, FRAMES = 92, 4, 4
NORMS = [LINF, L2, MASKING]
ROUNDING = 1e-9  # float64, and the OUTWARD of the constants

framings = pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
few = settings(max_examples=10)
seeds = st.integers(0, 10_000)
# the quietest clips lie under the floor and inside the ball: roots near 0, radius >> root
clips = {"seed": seeds, "log_epsilon": st.floats(-5, 0.5), "loudness": st.sampled_from([1, 1e-3])}
logs = st.sampled_from([RootLogMel(0.1), RootLogMel(1e-3), LogMel(1e-2), LogMel(1e-6)])


def double_stages(framing: Framing, *log: nn.Module) -> nn.Sequential:
    return nn.Sequential(Magnitude(framing), Mel(MEL, framing.n_fft), *log).double()


def noise(seed: int, *shape: int) -> tuple[Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64), generator


def threat_on(x: Tensor, framing: Framing, norm: Norm, epsilon: float) -> ThreatModel:
    threshold = None
    if norm is MASKING:
        threshold, epsilon = masking_threshold(x, framing, MEL.sample_rate), 10 * epsilon
    radius = x.new_full((len(x),), epsilon)
    return ThreatModel(norm, radius, bounds=UNBOUNDED, threshold=threshold)


def propagate_threat(stages: nn.Sequential, x: Tensor, threat: ThreatModel) -> Interval:
    """Encloses stages(x + d) for every d of the threat, from the waveform (or any stage) on."""
    return boxes(*enclose(stages, x, threat))[-1]


def reached(
    stages: nn.Module, x: Tensor, threat: ThreatModel, rows: Tensor, generator: torch.Generator
) -> Tensor:
    """Outputs at points of the set around ONE clip: random, corners, and two climbs per row."""
    every = torch.zeros(2 * len(rows), dtype=torch.long)
    threat, start = threat[every], x[every]
    rows = torch.cat([rows, -rows])
    points = [threat.sample(start, generator)]
    corner = threat.steepest(torch.randn(start.shape, generator=generator, dtype=start.dtype))
    points.append(threat.project(start + corner, start))
    here = points[0]
    for share in (2.0, 1.0, 0.5, 0.3, 0.1, 0.1):
        here = here.detach().requires_grad_()
        (gradient,) = torch.autograd.grad((rows * stages(here)).sum(), here)
        here = threat.project((here + share * threat.steepest(gradient)).detach(), start)
        points.append(here)
    rounding = 1e-6 if threat.norm is MASKING else 1e-9  # of x + d, in thresholds
    assert (threat.distance(here - start) <= threat.epsilon * (1 + 1e-9) + rounding).all()
    with torch.no_grad():
        return stages(torch.cat(points))


def assert_inside(values: Tensor, box: Interval) -> None:
    slack = ROUNDING * (1 + values.abs())
    assert (values >= box.lower - slack).all() and (values <= box.upper + slack).all()


def some_rows(generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    """Dense rows, rows with one entry, and rows that see one frame only."""
    rows = torch.randn((12, *shape), generator=generator, dtype=torch.float64)
    entry = torch.randint(0, rows[0].numel(), (4, 1), generator=generator)
    single = torch.zeros(4, rows[0].numel(), dtype=torch.float64).scatter(1, entry, 1)
    rows[4:8] = single.unflatten(1, shape)
    rows[8:, :, 1:] = 0
    return rows


@pytest.mark.parametrize("norm", NORMS)
@framings
@few
@given(**clips)
def test_every_stage_encloses_the_set(norm, framing, seed, log_epsilon, loudness):
    x, generator = noise(seed, 1, TIME)
    threat = threat_on(loudness * x, framing, norm, 10**log_epsilon)
    whole = double_stages(framing, RootLogMel(0.1))
    for stages in (whole[:1], whole[:2]):
        rows = torch.randn(8, *stages(x).shape[1:], generator=generator, dtype=torch.float64)
        values = reached(stages, loudness * x, threat, rows, generator)
        assert_inside(values, propagate_threat(stages, loudness * x, threat))


@pytest.mark.parametrize("norm", NORMS)
@framings
@few
@given(log=logs, **clips)
def test_box_and_ball_hold_for_the_compressed_bands(
    norm, framing, log, seed, log_epsilon, loudness
):
    x, generator = noise(seed, 1, TIME)
    x = loudness * x
    threat, stages = threat_on(x, framing, norm, 10**log_epsilon), double_stages(framing, log)
    features, rest = enclose(stages, x, threat)
    assert rest == []
    torch.testing.assert_close(features.center, stages(x), rtol=0, atol=0)
    rows = some_rows(generator, (BANDS, FRAMES))
    values = reached(stages, x, threat, rows, generator)
    assert_inside(values, features.box)
    found = torch.einsum("rbf,pbf->pr", rows, values)
    lowest = features.minimum(rows[None])[0]
    assert (found >= lowest - ROUNDING * (1 + found.abs())).all()
    if norm is MASKING:
        assert features.spread is None
        return
    u = (values - features.center) / features.spread  # the invariant that Features states
    assert features.joined == (norm is L2)
    size = u.flatten(1).norm(dim=1) if features.joined else u.norm(dim=1)
    assert (size <= 1 + 1e-7).all()


CONVOLUTIONS = {
    "one tap": lambda: nn.Conv1d(BANDS, 3, 1),
    "three taps, padded": lambda: nn.Conv1d(BANDS, 3, 3, stride=2, padding=1),
    "three taps, no bias": lambda: nn.Conv1d(BANDS, 3, 3, bias=False),
    "five taps, padded": lambda: nn.Conv1d(BANDS, 3, 5, stride=3, padding=2),
    "mfcc": lambda: FusedConv1d(
        Mfcc(BANDS, 3, 22).double(), nn.Conv1d(3, 3, 3, padding=1).double()
    ),
    "grouped": lambda: nn.Conv1d(BANDS, 4, 3, groups=2),
    "dilated": lambda: nn.Conv1d(BANDS, 3, 2, dilation=2),
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", CONVOLUTIONS)
@few
@given(log=logs, framing=st.sampled_from(list(FRAMINGS.values())), **clips)
def test_a_first_convolution_encloses_the_set(
    norm, kind, log, framing, seed, log_epsilon, loudness
):
    x, generator = noise(seed, 1, TIME)
    torch.manual_seed(seed)
    x, layer = loudness * x, CONVOLUTIONS[kind]().double()
    threat, stages = threat_on(x, framing, norm, 10**log_epsilon), double_stages(framing, log)
    features, _ = enclose(stages, x, threat)
    out = features.through(layer)
    rows = torch.eye(out.lower.numel(), dtype=torch.float64).unflatten(1, out.lower.shape[1:])
    values = reached(nn.Sequential(*stages, layer), x, threat, rows, generator)
    assert_inside(values, out)
    plain = propagate(layer, features.box)
    assert (out.lower >= plain.lower - 1e-12).all() and (out.upper <= plain.upper + 1e-12).all()


def by_hand(generator: torch.Generator, joined: bool) -> Features:
    """A ball inside a box that is too wide to matter."""
    center = torch.randn(2, BANDS, FRAMES, generator=generator, dtype=torch.float64)
    spread = torch.rand(center.shape, generator=generator, dtype=torch.float64)
    return Features(Interval.around(center, 100.0), center, spread, joined)


@pytest.mark.parametrize("joined", [False, True], ids=["per frame", "joined"])
@given(seed=seeds)
def test_the_ball_is_bounded_exactly(joined, seed):
    """The point that the row pushes to lies in the ball, and gives the bound itself."""
    generator = torch.Generator().manual_seed(seed)
    features = by_hand(generator, joined)
    rows = torch.randn(2, 3, BANDS, FRAMES, generator=generator, dtype=torch.float64)
    moved = rows * features.spread[:, None]
    size = (
        moved.flatten(2).norm(dim=2)[..., None, None] if joined else moved.norm(dim=2)[:, :, None]
    )
    worst = features.center[:, None] - features.spread[:, None] * moved / size
    torch.testing.assert_close(features.minimum(rows), (rows * worst).flatten(2).sum(2))


@pytest.mark.parametrize("joined", [False, True], ids=["per frame", "joined"])
@pytest.mark.parametrize("kind", ["one tap", "three taps, padded", "five taps, padded", "mfcc"])
def test_a_convolution_of_the_ball_is_bounded_exactly(joined, kind):
    """`through` agrees with `minimum` on the rows that the convolution is made of."""
    torch.manual_seed(0)
    features = by_hand(torch.Generator().manual_seed(0), joined)
    layer = CONVOLUTIONS[kind]().double()
    zero = features.center.new_zeros(1, BANDS, FRAMES)
    jacobian = torch.autograd.functional.jacobian(layer, zero)[0, :, :, 0]
    rows = jacobian.flatten(0, 1).expand(2, -1, -1, -1)
    offset, out = layer(zero).flatten(1), features.through(layer)
    torch.testing.assert_close(out.lower.flatten(1), features.minimum(rows) + offset)
    torch.testing.assert_close(out.upper.flatten(1), offset - features.minimum(-rows))


@pytest.mark.parametrize("joined", [False, True], ids=["per frame", "joined"])
@given(seed=seeds, log_width=st.floats(-2, 1))
def test_the_minimum_is_never_below_that_of_the_box(joined, seed, log_width):
    generator = torch.Generator().manual_seed(seed)
    ball = by_hand(generator, joined)
    box = Interval.around(ball.center, 10**log_width * ball.spread.flip(1))
    rows = torch.randn(2, 3, BANDS, FRAMES, generator=generator, dtype=torch.float64)
    plain = Features(box, ball.center).minimum(rows)
    exact = (rows * box.center[:, None] - rows.abs() * box.radius[:, None]).flatten(2).sum(2)
    torch.testing.assert_close(plain, exact)
    both = Features(box, ball.center, ball.spread, joined).minimum(rows)
    assert (both >= plain - 1e-12).all() and (both >= ball.minimum(rows) - 1e-12).all()


def bands_of_a_frame(framing: Framing, mel: MelScale) -> Tensor:
    """Matrices B_m with E_m(d) = ||B_m d||^2 for the samples d of one frame."""
    rows, filters = analysis_rows(framing), mel_filterbank(mel, framing.n_fft).double()
    return (filters.sqrt()[:, None, :, None] * rows).flatten(1, 2)


OVERLAPS = [
    Framing(32, 8), Framing(32, 20), Framing(32, 32), Framing(32, 45),
    Framing(32, 20, "hamming", 0.97, True), Framing(32, 8, "hamming", 0.5),
]  # fmt: skip


@pytest.mark.parametrize("framing", OVERLAPS, ids=lambda f: f"hop {f.hop_length} {f.pre_emphasis}")
def test_the_joint_reach_in_l2_bounds_the_operator_of_the_whole_clip(framing):
    """The largest eigenvalue of d -> all bands of all frames, built from the stages themselves."""
    frames, time = 12, 32 + 11 * framing.hop_length
    frame = bands_of_a_frame(framing, MEL).flatten(0, 1)
    before = framing.taps - framing.n_fft  # the sample before the first frame is not the clip's
    whole = frame.new_zeros(frames, len(frame), before + time)
    for t in range(frames):
        whole[t, :, t * framing.hop_length :][:, : framing.taps] = frame
    whole = whole.flatten(0, 1)[:, before:]
    delta = torch.randn(1, time, dtype=torch.float64)
    torch.testing.assert_close(
        (whole @ delta[0]).square().sum(), double_stages(framing)(delta).sum()
    )
    exact, bound = torch.linalg.matrix_norm(whole, 2), joint_reach(framing, MEL, L2)
    assert exact <= bound <= 1.25 * exact


@pytest.mark.parametrize("framing", OVERLAPS, ids=lambda f: f"hop {f.hop_length} {f.pre_emphasis}")
def test_the_joint_reach_is_that_of_the_smallest_scaled_diagonal(framing):
    """lambda D - Q >= 0, and for no smaller lambda: scipy's generalised eigenvalue."""
    frame = bands_of_a_frame(framing, MEL).flatten(0, 1)
    q = frame.T @ frame
    d = q.diagonal() + 1e-9 * q.diagonal().amax()
    largest = float(eigh(q.numpy(), d.diag().numpy(), eigvals_only=True)[-1])
    shared = max(float(d[n :: framing.hop_length].sum()) for n in range(framing.hop_length)
                 if n < len(d))  # fmt: skip
    assert joint_reach(framing, MEL, L2) == pytest.approx((largest * shared) ** 0.5, rel=1e-7)
    assert joint_reach(framing, MEL, LINF) == pytest.approx(
        (largest * float(d.sum())) ** 0.5, rel=1e-7
    )


def climbed(q: Tensor, restarts: int = 64) -> Tensor:
    """Lower bounds of max d'Qd over |d| <= 1, one per matrix, by sign ascent."""
    delta = torch.randn(*q.shape[:-2], q.shape[-1], restarts, dtype=torch.float64).sign()
    for _ in range(30):
        delta = (q @ delta).sign()
    return (delta * (q @ delta)).sum(-2).amax(-1)


@framings
def test_the_reaches_in_linf_hold_for_climbed_frames_and_come_near_them(framing):
    torch.manual_seed(0)
    bands = bands_of_a_frame(framing, MEL)
    q = bands.transpose(1, 2) @ bands
    lower, bound = climbed(q).sqrt(), mel_reach(framing, MEL, LINF)
    assert (lower <= bound).all() and (bound <= 1.15 * lower).all()
    together, joint = climbed(q.sum(0)).sqrt(), joint_reach(framing, MEL, LINF)
    assert together <= joint <= 1.2 * together


@framings
def test_the_reach_of_a_band_in_l2_is_its_largest_singular_value(framing):
    exact = torch.linalg.matrix_norm(bands_of_a_frame(framing, MEL), 2)
    bound = mel_reach(framing, MEL, L2)
    assert (bound >= exact).all() and torch.allclose(bound, exact, rtol=1e-8, atol=0)


@framings
def test_the_reach_of_a_band_in_linf_is_its_formula(framing):
    bands = bands_of_a_frame(framing, MEL)
    q = bands.transpose(1, 2) @ bands
    bound, chain = mel_reach(framing, MEL, LINF).square(), magnitude_reach(framing, LINF)
    assert (bound <= q.abs().sum((1, 2)) * (1 + 1e-6)).all()
    assert (bound <= framing.taps * torch.linalg.eigvalsh(q)[:, -1] * (1 + 1e-6)).all()
    chained = mel_filterbank(MEL, framing.n_fft).double() @ chain.square()
    assert (bound <= chained * (1 + 1e-6)).all()
    for m in range(len(q)):  # the certificate: a diagonal of this trace that dominates Q
        d = q[m].abs().sum(1) + 1e-12 * q[m].diagonal().amax()
        largest = float(eigh(q[m].numpy(), d.diag().numpy(), eigvals_only=True)[-1])
        best = min(largest * float(d.sum()), float(chained[m]),
                   framing.taps * float(torch.linalg.eigvalsh(q[m])[-1]))  # fmt: skip
        assert float(bound[m]) == pytest.approx(best, rel=1e-7)


@framings
def test_the_disc_constant_is_the_support_over_all_angles(framing):
    rows = analysis_rows(framing)
    angles = torch.arange(4_096, dtype=torch.float64) * torch.pi / 4_096
    support = torch.stack([(rows[0] * a.cos() + rows[1] * a.sin()).abs().sum(1) for a in angles])
    true, bound = support.amax(0), magnitude_reach(framing, LINF)
    assert (bound >= true).all() and (bound <= 1.002 * true).all()
    in_l2 = magnitude_reach(framing, L2)
    assert torch.allclose(in_l2, torch.linalg.svdvals(rows.transpose(0, 1))[:, 0], rtol=1e-6)


@pytest.mark.parametrize("norm", [LINF, L2])
def test_the_constants_are_reached_to_within_a_few_per_cent(norm):
    """Ascent on the semi-norm: a constant that nothing comes near would be a wrong formula."""
    framing = Framing()
    mel_scale = MelScale()
    magnitude = Magnitude(framing).double()
    stages = nn.Sequential(magnitude, Mel(mel_scale, framing.n_fft).double())
    generator = torch.Generator().manual_seed(0)
    delta = torch.randn(mel_scale.n_mels, framing.n_fft, generator=generator, dtype=torch.float64)
    for _ in range(200):
        delta.requires_grad_()
        energy = stages(delta)[:, :, 0].diagonal()
        (gradient,) = torch.autograd.grad(energy.sum(), delta)
        # one step of the power method (l2), or of its analogue on the cube (linf)
        delta = gradient.sign() if norm is LINF else gradient / gradient.norm(dim=1, keepdim=True)
    climbed_to = stages(delta)[:, :, 0].diagonal().sqrt()
    bound = mel_reach(framing, mel_scale, norm)
    assert (climbed_to <= bound * (1 + 1e-9)).all()
    assert (climbed_to / bound).min() > (0.83 if norm is LINF else 0.99)
    assert (magnitude(delta)[:, :, 0] <= magnitude_reach(framing, norm) * (1 + 1e-9)).all()


@pytest.mark.parametrize("make", [LogMel, RootLogMel])
@settings(max_examples=150)
@given(
    floor=st.sampled_from([1.0, 0.1, 1e-3, 1e-8]),
    root=st.one_of(st.just(0.0), st.floats(-9, 3).map(lambda e: 10**e)),
    log_radius=st.floats(-9, 4),
)
def test_the_steepest_slope_is_that_of_a_fine_grid(make, floor, root, log_radius):
    log, radius = make(floor), torch.tensor(10**log_radius, dtype=torch.float64)
    r = torch.tensor(root, dtype=torch.float64)
    slope = steepest_slope(log, r, radius)
    low = max(root - 10**log_radius, 0.0)
    small = torch.logspace(-12, 0, 500, dtype=torch.float64)
    at = torch.cat([low + (r - low) * small, r - (r - low) * small, r + radius * small])
    run, rise = (at - r).abs(), (log(at.square()) - log(r.square())).abs()
    assert (rise <= slope * run * (1 + 1e-9) + 1e-13).all()
    steepest = {
        RootLogMel: lambda v: 1 / (floor + v),
        LogMel: lambda v: 2 * v / (v.square() + floor),
    }[make](torch.cat([at, torch.tensor([floor**0.5]).clamp(low, root + radius)]))
    assert slope <= steepest.max() * (1 + 1e-5)
    if make is RootLogMel and floor >= 1e-3 and r - low > 1e-4 * (r + floor):
        secant = ((r / floor).log1p() - (r.new_tensor(low) / floor).log1p()) / (r - low)
        torch.testing.assert_close(slope, secant, rtol=1e-5, atol=0)


@framings
@pytest.mark.parametrize("norm", [LINF])
def test_the_front_end_is_never_looser_than_plain_intervals(framing, norm):
    x = torch.randn(3, TIME, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    epsilon = torch.tensor([1e-4, 1e-2, 1.0], dtype=torch.float64)
    stages = double_stages(framing, RootLogMel(0.1), nn.Conv1d(BANDS, 3, 3))
    for part in (stages[:2], stages[:3], stages):
        direct = propagate_threat(part, x, ThreatModel(norm, epsilon))
        plain = propagate(part, Interval.around(x, epsilon[:, None]))
        assert (direct.lower >= plain.lower - 1e-12).all()
        assert (direct.upper <= plain.upper + 1e-12).all()


@pytest.mark.parametrize("norm", [LINF, L2])
def test_the_ball_pays(norm):
    """Through a convolution it is much narrower than the box it lies in."""
    torch.manual_seed(0)
    x = torch.randn(1, TIME, dtype=torch.float64)
    stages = double_stages(FRAMING, RootLogMel(0.1))
    features, _ = enclose(stages, x, threat_on(x, FRAMING, norm, 1e-3))
    layer = nn.Conv1d(BANDS, 8, 3).double()
    assert (features.through(layer).radius < 0.9 * propagate(layer, features.box).radius).any()


def test_a_ball_at_a_stage_is_the_box_around_it():
    x = torch.rand(3, 4, 5, dtype=torch.float64)
    epsilon = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    stages = nn.Sequential(LogMel(0.1))
    ball = propagate_threat(stages, x, ThreatModel(LINF, epsilon))
    box = propagate(stages, Interval.around(x, epsilon[:, None, None]))
    assert torch.equal(ball.lower, box.lower) and torch.equal(ball.upper, box.upper)


@framings
def test_the_masking_set_is_exact_at_the_magnitudes(framing):
    x, _ = noise(0, 2, TIME)
    threat = threat_on(x, framing, MASKING, 0.05)
    box = propagate_threat(double_stages(framing)[:1], x, threat)
    magnitude = Magnitude(framing).double()(x)
    torch.testing.assert_close(box.upper - magnitude, 0.5 * threat.threshold.amplitude)
    lower = (magnitude - 0.5 * threat.threshold.amplitude).clamp_min(0)
    torch.testing.assert_close(box.lower, lower)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_masking_threshold_of_other_frames_is_refused(depth):
    x, _ = noise(0, 1, TIME)
    threat = threat_on(x, FRAMINGS["emphasised"], MASKING, 1.0)
    with pytest.raises(ValueError, match="must be that of the classifier's own frames"):
        enclose(double_stages(FRAMING, RootLogMel(0.1))[:depth], x, threat)


def test_the_masking_set_needs_its_threshold_and_a_magnitude():
    x, _ = noise(0, 1, TIME)
    stages = double_stages(FRAMING, RootLogMel(0.1))
    with pytest.raises(ValueError, match="masking"):
        enclose(stages, x, ThreatModel(MASKING, x.new_ones(1)))
    threat = threat_on(x, FRAMING, MASKING, 1.0)
    with pytest.raises(ValueError, match="no bounds for the masking set at this representation"):
        enclose(stages[2:], stages[:2](x), threat)
    with pytest.raises(ValueError, match="no bounds for a dense layer on the waveform"):
        enclose(nn.Sequential(nn.Linear(TIME, 2).double()), x, threat)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_threshold_beside_another_norm_changes_nothing(depth):
    """It says how a clip masks, not what the adversary of this norm may do."""
    x, _ = noise(0, 1, TIME)
    stages, threshold = double_stages(FRAMING, RootLogMel(0.1))[:depth], None
    bounds = []
    for threshold in (None, masking_threshold(x, FRAMING, MEL.sample_rate)):
        threat = ThreatModel(LINF, x.new_tensor([0.1]), threshold=threshold)
        bounds.append(propagate_threat(stages, x, threat))
    assert torch.equal(bounds[0].lower, bounds[1].lower)
    assert torch.equal(bounds[0].upper, bounds[1].upper)

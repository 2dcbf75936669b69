"""From a threat around the waveform to what the compressed mel bands can become.

How far a ball moves |X_k| or sqrt(E_m) at most is one constant per bin or band, known before any
clip is. Two enclosures hold at once: an interval for every band, and a ball for all bands
together, because no perturbation has the energy to be worst in all of them.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.certification.interval import Interval, fused, is_plain, propagate
from robustaudio.representations.spectral import (
    Framing,
    LogMel,
    Magnitude,
    Mel,
    MelScale,
    RootLogMel,
    analysis_rows,
    mel_filterbank,
)
from robustaudio.threats.geometry import per_item
from robustaudio.threats.norms import L2, LINF, Norm
from robustaudio.threats.threat_model import ThreatModel

SUPPORT_ANGLES = 64
OUTWARD = 1 + 1e-9  # covers the rounding of the constants themselves
TINY = 1e-30  # keeps the gradient of a square root finite
SHORT = 1e-6  # a run this small, as a share of what it starts from, counts as one so long


@lru_cache(maxsize=32)
def magnitude_reach(framing: Framing, norm: Norm) -> Float[Tensor, " bin"]:
    """rho_k = sup { |a_k . d| : ||d|| <= 1 }, for LINF or L2, in float64.

    linf: max over the angle phi of sum_n |Re(exp(-i phi) a_kn)|, taken at J angles and divided
    by cos(pi / 2J). l2: the largest singular value of the two rows.
    """
    rows = analysis_rows(framing)
    if norm is L2:
        return torch.linalg.matrix_norm(rows.transpose(0, 1), 2) * OUTWARD
    angles = torch.arange(SUPPORT_ANGLES, dtype=torch.float64) * (pi / SUPPORT_ANGLES)
    support = torch.stack([(rows[0] * a.cos() + rows[1] * a.sin()).abs().sum(1) for a in angles])
    return support.amax(0) / cos(pi / (2 * SUPPORT_ANGLES)) * OUTWARD


@lru_cache(maxsize=32)
def mel_reach(framing: Framing, mel: MelScale, norm: Norm) -> Float[Tensor, " mel"]:
    """rho_m = an upper bound of sup { sqrt(E_m(d)) : ||d|| <= 1 }, in float64.

    sqrt(E_m) is a semi-norm of the frame, so it moves by at most rho_m times the ball's radius.
    E_m(d) = d' Q_m d; l2: the largest eigenvalue, exactly. linf: for any diagonal D > 0,
    d' Q d <= trace(D) lambda_max(D^-1/2 Q D^-1/2); D holds the row sums of |Q|, which is never
    worse than sum |Q_ij|, and the smaller of this, D = I and the chain of discs is taken.
    """
    rows = analysis_rows(framing)
    filters = mel_filterbank(mel, framing.n_fft).double()
    discs = filters @ magnitude_reach(framing, norm).square() if norm is LINF else None
    bounds = []
    for band, weights in enumerate(filters):
        used = weights.nonzero()[:, 0]
        # Q = A' A; its eigenvalues are those of A A', which is as small as the band is narrow
        a = (weights[used].sqrt()[:, None] * rows[:, used]).flatten(0, 1)
        if norm is L2:
            bounds.append(_largest_eigenvalue(a @ a.T))
            continue
        q = a.T @ a
        d = q.abs().sum(1) + 1e-12 * q.diagonal().amax().clamp_min(TINY)
        assert discs is not None
        plain = framing.taps * _largest_eigenvalue(a @ a.T)
        bounds.append(
            torch.stack([d.sum() * _largest_eigenvalue((a / d) @ a.T), plain, discs[band]]).amin()
        )
    return torch.stack(bounds).sqrt() * OUTWARD


@lru_cache(maxsize=32)
def joint_reach(framing: Framing, mel: MelScale, norm: Norm) -> float:
    """An upper bound of sup { ||(sqrt(E_m(d)))_m|| : ||d|| <= 1 }: all bands at once.

    With Q = sum_m Q_m and a diagonal D > 0, d' Q d <= lambda sum_n D_n d_n^2, lambda being the
    largest eigenvalue of D^-1/2 Q D^-1/2. linf: for one frame, at most lambda trace(D). l2: for
    all frames of the clip together, at most lambda times the largest sum of the D of the frames
    that share a sample (the frames see a sample more than once, but with a window each).
    """
    rows = analysis_rows(framing)
    weights = mel_filterbank(mel, framing.n_fft).double().sum(0)
    q = torch.einsum("k,pki,pkj->ij", weights, rows, rows)
    d = q.diagonal() + 1e-9 * q.diagonal().amax()
    largest = _largest_eigenvalue(q / (d[:, None] * d).sqrt())
    if norm is LINF:
        return float((largest * d.sum()).sqrt() * OUTWARD)
    padded = F.pad(d, (0, -len(d) % framing.hop_length)).unflatten(0, (-1, framing.hop_length))
    return float((largest * padded.sum(0).amax()).sqrt() * OUTWARD)


@dataclass(frozen=True, eq=False)
class Features:
    """All that a threat can make of the compressed bands y of shape (batch, band, frame).

    `center` is what the unperturbed x gives. y lies in `box`. And y = center + e with
    |e| <= spread * u elementwise, where the vector u has an l2 norm of at most 1 in every frame,
    or in the whole clip if `joined`. Without `spread` only the box is known.
    """

    box: Interval
    center: Tensor
    spread: Tensor | None = None
    joined: bool = False

    def through(self, layer: nn.Module) -> Interval:
        """The interval of an affine layer's outputs."""
        box = propagate(layer, self.box)
        if self.spread is None or not is_plain(layer):
            return box
        center, radius = layer(self.center), self._radius(layer, self.spread)
        # the centre is a point of the set: widening to it undoes rounding and loses nothing
        lower = torch.minimum(torch.maximum(box.lower, center - radius), center)
        upper = torch.maximum(torch.minimum(box.upper, center + radius), center)
        return Interval(lower, upper)

    def _radius(self, layer: nn.Conv1d, spread: Tensor) -> Tensor:
        """sup of |w . e| for every output: an l2 norm over bands, summed over the frames."""
        spread, weight = F.pad(spread, tuple(map(int, layer.padding * 2))), layer.weight
        outputs, bands, taps = weight.shape
        (stride,) = layer.stride
        if self.joined:
            square = F.conv1d(spread.square(), weight.square(), None, stride)
            return (square + TINY).sqrt()
        rows = weight.square().permute(2, 0, 1).reshape(taps * outputs, bands, 1)
        per_frame = (F.conv1d(spread.square(), rows) + TINY).sqrt().unflatten(1, (taps, outputs))
        last = (spread.shape[2] - taps) // stride * stride + 1
        seen = [per_frame[:, k, :, k : k + last : stride] for k in range(taps)]
        return torch.stack(seen).sum(0)

    def minimum(self, rows: Float[Tensor, "batch row band frame"]) -> Float[Tensor, "batch row"]:
        """A lower bound of the sum of rows * y."""
        down, up = self.center - self.box.lower, self.box.upper - self.center
        falls = rows.clamp_min(0) * down[:, None] - rows.clamp_max(0) * up[:, None]
        center = (rows * self.center[:, None]).flatten(2).sum(2)
        if self.spread is None:
            return center - falls.flatten(2).sum(2)
        moved = rows * self.spread[:, None]
        if self.joined:
            ball = torch.linalg.vector_norm(moved.flatten(2), dim=2)
            return center - torch.minimum(falls.flatten(2).sum(2), ball)
        ball = torch.linalg.vector_norm(moved, dim=2)
        return center - torch.minimum(falls.sum(2), ball).sum(2)


def enclosed(layers: list[nn.Module]) -> int:
    """How many of the first layers `enclose` bounds by itself; the rest needs rules."""
    match layers:
        case [Magnitude(), Mel(), LogMel() | RootLogMel(), *_]:
            return 3
        case [Magnitude(), Mel(), *_]:
            return 2
        case [Magnitude() | nn.Linear(), *_]:
            return 1
    return 0


def enclose(
    stages: nn.Sequential, x: Float[Tensor, "batch *shape"], threat: ThreatModel
) -> tuple[Features, list[nn.Module]]:
    """What the first layers make of x + d for every d of the threat, and the layers after them.

    The direct constants serve as many stages as they know; each interval is intersected with
    that of the interval rules.
    """
    layers = fused(list(stages))
    match layers:
        case [Magnitude() as magnitude, Mel() as mel, (LogMel() | RootLogMel()) as log, *rest]:
            return _compressed(magnitude, mel, log, x, threat), rest
        case [Magnitude() as magnitude, Mel() as mel, *rest]:
            center = magnitude(x)
            box, center = _mel_box(magnitude, mel, center, threat), mel(center)
        case [Magnitude() as magnitude, *rest]:
            center = magnitude(x)
            box = _magnitude_box(magnitude, center, threat)
        case [nn.Linear() as layer, *rest]:
            center = layer(x)
            radius = per_item(threat.epsilon, x) * dual_norm(layer.weight, threat.norm)
            box = Interval.around(center, radius)
        case [*rest]:
            # an l2 ball lies in the linf ball of the same radius
            if threat.norm.dual is None:
                raise ValueError(f"no bounds for the {threat.norm} set at this representation.")
            center = x
            box = Interval.around(x, per_item(threat.epsilon, x))
    return Features(box, center), rest


def boxes(features: Features, layers: list[nn.Module]) -> list[Interval]:
    """The input of every layer, and the last output."""
    intervals = [features.box]
    for number, layer in enumerate(layers):
        intervals.append(propagate(layer, intervals[-1]) if number else features.through(layer))
    return intervals


def dual_norm(rows: Float[Tensor, "*rows time"], norm: Norm) -> Float[Tensor, "*rows"]:
    """sup { row . d : ||d|| <= 1 }: the l1 norm for LINF, the l2 norm for L2.

    Raises:
        ValueError: for the masking set, whose support has no formula.
    """
    if norm.dual is None:
        raise ValueError(f"no bounds for a dense layer on the waveform under the {norm} set.")
    return torch.linalg.vector_norm(rows, norm.dual, dim=-1)


def _magnitude_box(layer: Magnitude, magnitude: Tensor, threat: ThreatModel) -> Interval:
    """Discs around every X_k; the masking set says by itself how large they are."""
    epsilon = threat.epsilon.to(magnitude)[:, None, None]
    if threat.norm.dual is not None:
        radius = epsilon * magnitude_reach(layer.framing, threat.norm).to(magnitude)[:, None]
    elif threat.threshold is not None and threat.threshold.framing == layer.framing:
        radius = epsilon * threat.threshold.amplitude.to(magnitude)
    else:
        raise ValueError("the masking threshold must be that of the classifier's own frames.")
    return Interval((magnitude - radius).clamp_min(0), magnitude + radius)


def _mel_box(layer: Magnitude, mel: Mel, magnitude: Tensor, threat: ThreatModel) -> Interval:
    chain = propagate(mel, _magnitude_box(layer, magnitude, threat))
    if threat.norm.dual is None:
        return chain
    energy = mel(magnitude)
    root, radius = energy.sqrt(), _band_radius(layer, mel, energy, threat)
    lower = torch.maximum((root - radius).clamp_min(0).square(), chain.lower)
    upper = torch.minimum((root + radius).square(), chain.upper)
    # the centre is in the set: widening to it undoes rounding and loses nothing
    return Interval(torch.minimum(lower, energy), torch.maximum(upper, energy))


def _band_radius(layer: Magnitude, mel: Mel, like: Tensor, threat: ThreatModel) -> Tensor:
    reach = mel_reach(layer.framing, mel.scale, threat.norm).to(like)[:, None]
    return threat.epsilon.to(like)[:, None, None] * reach


def _compressed(
    layer: Magnitude, mel: Mel, log: LogMel | RootLogMel, x: Tensor, threat: ThreatModel
) -> Features:
    """Interval and ball of the compressed bands.

    v_m = sqrt(E_m(x + d)) - sqrt(E_m(x)) obeys |v_m| <= sqrt(E_m(d)), whose sum of squares is
    bounded by `joint_reach`; the compression moves by at most its steepest slope times |v_m|.
    """
    magnitude = layer(x)
    energy, box = mel(magnitude), propagate(log, _mel_box(layer, mel, magnitude, threat))
    center = log(energy)
    if threat.norm.dual is None:
        return Features(box, center)
    slope = steepest_slope(log, energy.sqrt(), _band_radius(layer, mel, energy, threat))
    reach = joint_reach(layer.framing, mel.scale, threat.norm)
    spread = slope * reach * threat.epsilon.to(x)[:, None, None]
    return Features(box, center, spread, joined=threat.norm is L2)


def steepest_slope(
    log: LogMel | RootLogMel, root: Float[Tensor, "*shape"], radius: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """sup of |f(r + v) - f(r)| / |v| over |v| <= radius, r + v >= 0, as f of the ROOT r of E."""
    low = (root - radius).clamp_min(0)
    if isinstance(log, RootLogMel):
        # concave: the secant to the lowest point is the steepest
        scale = log.floor + root
        share = ((root - low) / scale).clamp_min(SHORT)
        return -(-share).log1p() / (share * scale)
    # 2r / (r^2 + floor) peaks at r = sqrt(floor)
    peak = torch.full_like(root, log.floor**0.5)
    at = torch.minimum(torch.maximum(peak, low), root + radius)
    return 2 * at / (at.square() + log.floor)


def _largest_eigenvalue(q: Tensor) -> Tensor:
    return torch.linalg.eigvalsh(q)[-1] if len(q) else q.new_zeros(())

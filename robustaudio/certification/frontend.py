"""From a ball around the waveform to an interval of magnitudes or mel energies.

The norm of a ball is known before any clip is: how far it moves |X_k| or sqrt(E_m) at most is
one constant per bin or band, computed once per front end.
"""

from functools import lru_cache
from math import cos, pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.certification.interval import Interval, fused, propagate
from robustaudio.representations.spectral import (
    Framing,
    Magnitude,
    Mel,
    MelScale,
    analysis_rows,
    mel_filterbank,
)

SUPPORT_ANGLES = 64
OUTWARD = 1 + 1e-9  # covers the rounding of the constants themselves


@lru_cache(maxsize=32)
def magnitude_reach(framing: Framing, norm: str) -> Float[Tensor, " bin"]:
    """rho_k = sup { |a_k . d| : ||d|| <= 1 }, for norm "linf" or "l2", in float64.

    linf: max over the angle phi of sum_n |Re(exp(-i phi) a_kn)|, taken at J angles and divided
    by cos(pi / 2J). l2: the largest singular value of the two rows.
    """
    rows = analysis_rows(framing)
    if norm == "l2":
        return torch.linalg.matrix_norm(rows.transpose(0, 1), 2) * OUTWARD
    angles = torch.arange(SUPPORT_ANGLES, dtype=torch.float64) * (pi / SUPPORT_ANGLES)
    support = torch.stack([(rows[0] * a.cos() + rows[1] * a.sin()).abs().sum(1) for a in angles])
    return support.amax(0) / cos(pi / (2 * SUPPORT_ANGLES)) * OUTWARD


@lru_cache(maxsize=32)
def mel_reach(framing: Framing, mel: MelScale, norm: str) -> Float[Tensor, " mel"]:
    """rho_m = an upper bound of sup { sqrt(E_m(d)) : ||d|| <= 1 }, in float64.

    sqrt(E_m) is a semi-norm of the frame, so it moves by at most rho_m times the ball's radius.
    E_m(d) = d' Q_m d; l2: the largest eigenvalue, exactly. linf: for any diagonal D > 0,
    d' Q d <= trace(D) lambda_max(D^-1/2 Q D^-1/2); D holds the row sums of |Q|, which is never
    worse than sum |Q_ij|, and the smaller of this, D = I and the chain of discs is taken.
    """
    rows = analysis_rows(framing)
    filters = mel_filterbank(mel, framing.n_fft).double()
    q = torch.einsum("mk,pki,pkj->mij", filters, rows, rows)
    if norm == "l2":
        return _largest_eigenvalue(q).sqrt() * OUTWARD
    weights = q.abs().sum(2) + 1e-12 * q.diagonal(dim1=1, dim2=2).amax(1, keepdim=True)
    scaled = q / (weights[:, :, None] * weights[:, None, :]).sqrt()
    bounds = torch.stack(
        [
            weights.sum(1) * _largest_eigenvalue(scaled),
            framing.taps * _largest_eigenvalue(q),
            filters @ magnitude_reach(framing, norm).square(),
        ]
    )
    return bounds.amin(0).sqrt() * OUTWARD


def propagate_ball(
    stages: nn.Sequential,
    x: Float[Tensor, "batch *shape"],
    epsilon: Float[Tensor, " batch"],
    norm: str,
) -> Interval:
    """Encloses stages(x + d) for all ||d|| <= epsilon, from the waveform (or any stage) on.

    The direct constants are used for as many stages as they know (magnitude, mel, or one dense
    layer); interval rules take over from there. Each direct enclosure is intersected with the
    interval rule's own.
    """
    layers = fused(list(stages))
    match layers:
        case [Magnitude() as magnitude, Mel() as mel, *rest]:
            box = _mel_ball(magnitude, mel, magnitude(x), epsilon, norm)
        case [Magnitude() as magnitude, *rest]:
            box = _magnitude_ball(magnitude, magnitude(x), epsilon, norm)
        case [nn.Linear() as layer, *rest]:
            radius = epsilon[:, None] * dual_norm(layer.weight, norm)
            box = Interval.around(layer(x), radius)
        case [*rest]:
            # an l2 ball lies in the linf ball of the same radius
            box = Interval.around(x, epsilon.reshape(-1, *[1] * (x.ndim - 1)))
    return propagate(nn.Sequential(*rest), box)


def dual_norm(rows: Float[Tensor, "*rows time"], norm: str) -> Float[Tensor, "*rows"]:
    """sup { row . d : ||d|| <= 1 }: the l1 norm for "linf", the l2 norm for "l2"."""
    return torch.linalg.vector_norm(rows, {"linf": 1, "l2": 2}[norm], dim=-1)


def _magnitude_ball(layer: Magnitude, magnitude: Tensor, epsilon: Tensor, norm: str) -> Interval:
    radius = epsilon[:, None, None] * magnitude_reach(layer.framing, norm).to(magnitude)[:, None]
    return Interval((magnitude - radius).clamp_min(0), magnitude + radius)


def _mel_ball(
    layer: Magnitude, mel: Mel, magnitude: Tensor, epsilon: Tensor, norm: str
) -> Interval:
    chain = propagate(mel, _magnitude_ball(layer, magnitude, epsilon, norm))
    energy = mel(magnitude)
    root, radius = (
        energy.sqrt(),
        epsilon[:, None, None] * (mel_reach(layer.framing, mel.scale, norm).to(magnitude)[:, None]),
    )
    lower = torch.maximum((root - radius).clamp_min(0).square(), chain.lower)
    upper = torch.minimum((root + radius).square(), chain.upper)
    # the centre is in the set: widening to it undoes rounding and loses nothing
    return Interval(torch.minimum(lower, energy), torch.maximum(upper, energy))


def _largest_eigenvalue(q: Tensor) -> Tensor:
    return torch.linalg.eigvalsh(q)[..., -1]

"""How far the front end's constants are from the truth: `python -m benchmarks.tightness`.

`mel_reach` and `joint_reach` bound max { d'Qd : |d| <= 1 } from above by a diagonal D in closed
form. Sign ascent from many starts bounds it from below, gradient descent over D shows what a
better diagonal would give: the ratios say how much tighter any bound could be. Ratios of roots,
as they multiply the radius: 1.06 is 0.5 dB.
"""

import argparse

import torch
from torch import Tensor

from robustaudio.certification.frontend import joint_reach, mel_reach
from robustaudio.classifiers.stages import LogMelStages
from robustaudio.representations.spectral import analysis_rows, mel_filterbank
from robustaudio.threats.norms import L2, LINF
from robustaudio.training.recipes import CNN, LSTM

ROUNDS = 200  # of sign ascent; it stops moving much earlier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=256)
    parser.add_argument("--steps", type=int, default=60, help="of the descent over D")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(options.seed)
    for name, front in {"CNN": CNN.stages, "LSTM": LSTM.stages}.items():
        assert isinstance(front, LogMelStages)
        rows = analysis_rows(front.framing)
        filters = mel_filterbank(front.mel, front.framing.n_fft).double()
        bands = torch.stack([torch.einsum("k,pki,pkj->ij", f, rows, rows) for f in filters])
        q = torch.cat([bands, bands.sum(0, keepdim=True)])
        reached = climbed(q, options.restarts, generator)
        joint = torch.tensor([joint_reach(front.framing, front.mel, LINF)])
        reach = torch.cat([mel_reach(front.framing, front.mel, LINF), joint])
        descended = torch.minimum(reach, best_diagonal(q, options.steps))
        print(f"{name} front end, linf: bound / lower bound, and with the best diagonal found")
        labels = [f"band {m:>2}" for m in range(len(bands))] + ["all bands"]
        ratios = zip((reach / reached).tolist(), (descended / reached).tolist(), strict=True)
        for label, (closed, best) in zip(labels, ratios, strict=True):
            print(f"  {label:<10}{closed:8.4f}{best:9.4f}", flush=True)
        frames = whole_clip(q[-1], front.framing.hop_length)
        ratio = joint_reach(front.framing, front.mel, L2) / frames
        print(f"  all bands of all frames, l2: {ratio:.4f} of the exact one", flush=True)


def climbed(q: Tensor, restarts: int, generator: torch.Generator) -> Tensor:
    """Lower bounds: d <- sign(Q d) never falls, because Q has no negative eigenvalue."""
    shape = (len(q), q.shape[-1], restarts)
    delta = torch.randn(shape, generator=generator, dtype=q.dtype).sign()
    for _ in range(ROUNDS):
        moved = (q @ delta).sign()
        if bool((moved == delta).all()):
            break
        delta = moved
    return (delta * (q @ delta)).sum(1).amax(1).sqrt()


def best_diagonal(q: Tensor, steps: int) -> Tensor:
    """Upper bounds trace(D) lambda_max(D^-1/2 Q D^-1/2), D > 0 by Adam from the row sums of |Q|."""
    sums = q.abs().sum(2)
    log_d = (sums + 1e-12 * sums.amax(1, keepdim=True)).log().requires_grad_()
    optimizer = torch.optim.Adam([log_d], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best = torch.full((len(q),), torch.inf, dtype=q.dtype)
    for _ in range(steps):
        half = (-log_d / 2).exp()
        scaled = q * half[:, :, None] * half[:, None, :]
        largest = torch.linalg.eigvalsh(scaled)[:, -1]
        bound = largest.log() + log_d.logsumexp(1)
        best = torch.minimum(best, bound.detach())
        optimizer.zero_grad()
        bound.sum().backward()
        optimizer.step()
        schedule.step()
    return (best / 2).exp()


def whole_clip(q: Tensor, hop_length: int, frames: int = 24) -> float:
    """sup { sqrt(sum over frames of d_t' Q d_t) : ||d||_2 <= 1 }, exactly, for a clip of frames."""
    taps = len(q)
    whole = q.new_zeros((frames - 1) * hop_length + taps, (frames - 1) * hop_length + taps)
    for t in range(frames):
        at = slice(t * hop_length, t * hop_length + taps)
        whole[at, at] += q
    return float(torch.linalg.eigvalsh(whole)[-1].sqrt())


if __name__ == "__main__":
    main()

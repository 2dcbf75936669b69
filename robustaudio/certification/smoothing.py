"""Randomized smoothing (Cohen, Rosenfeld & Kolter 2019, arXiv:1902.02918)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, log2

import torch
from jaxtyping import Float, Int
from scipy.special import betaincinv, ndtri
from torch import Tensor, nn

from robustaudio.audio.tensor_checks import check_generator, check_item, shape
from robustaudio.certification.certificate import Certificate
from robustaudio.classifiers.answers import answer, check_model
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import evaluation_mode
from robustaudio.options import check, option
from robustaudio.progress import Enough, Progress
from robustaudio.threats.norms import L2

MOST_VOTES = 10_000_000  # a hundred times what the paper takes
MOST_AT_ONCE = 100_000  # copies of a second at 8 kHz are 3 GB, and a network makes more of them


@dataclass(frozen=True, eq=False)
class Smoothed:
    """The certificate of one item with the votes that it rests on.

    `counts` has fewer than n of them where `progress` said `Enough`.
    """

    certificate: Certificate
    p_lower: float
    counts: Int[Tensor, " label"]
    counts_n0: Int[Tensor, " label"]

    @property
    def n(self) -> int:
        """Votes that were counted."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Smoothing:
    """CERTIFY of Cohen et al. 2019, section 3.2.2, at any representation.

    `sigma` is in the units of the representation that receives the noise. Noise is added last:
    nothing is clipped or normalised after it.
    """

    sigma: float = option(0.25, "standard deviation of the noise", 0, 1000, above=0)
    n0: int = option(100, "draws that choose the class", 1, 100_000, most=MOST_VOTES)
    n: int = option(1000, "draws that estimate its probability", 1, 100_000, most=MOST_VOTES)
    alpha: float = option(0.001, "chance of a wrong certificate", above=0, below=1)
    chunk: int = option(250, "noisy copies in memory at a time", most=MOST_AT_ONCE)

    def __post_init__(self):
        check(self)
        if reason := vote_obstacle(self.n, self.alpha):
            raise ValueError(reason)

    @property
    def largest_radius(self) -> float:
        """The most that n votes can show: the radius where all of them agree."""
        return self.largest_radius_of(self.n)

    def largest_radius_of(self, n: int) -> float:
        """The same of another number of votes; 0 where they can show nothing."""
        return self._radius(clopper_pearson_lower(n, n, self.alpha))

    def _radius(self, p_lower: float) -> float:
        """Certified l2 radius (Cohen et al. 2019, Theorem 1); 0 for an abstention."""
        return self.sigma * float(ndtri(p_lower)) if p_lower > 0.5 else 0.0

    def __call__(
        self,
        model: nn.Module,
        x: Float[Tensor, "*shape"],
        *,
        representation: str = "waveform",
        generator: torch.Generator,
        progress: Progress | None = None,
    ) -> Smoothed:
        """With probability at least 1 - alpha: the smoothed classifier is constant in the ball.

        `Enough`, raised by `progress`, ends the vote, and the bound is that of the votes so far.
        It holds as long as when to stop does not depend on how they fell.
        """
        total = self.n0 + self.n

        def report(done: int) -> None:
            if progress:
                progress(done / total)

        chosen = self.votes(model, x, self.n0, generator, report)
        counts = self.votes(model, x, self.n, generator, lambda done: report(self.n0 + done))
        top = int(chosen.argmax())
        p_lower = clopper_pearson_lower(int(counts[top]), int(counts.sum()), self.alpha)
        certificate = Certificate(
            prediction=top if p_lower > 0.5 else None,
            radius=self._radius(p_lower),
            norm=L2,
            representation=representation,
            confidence=1 - self.alpha,
            method="smoothing",
        )
        return Smoothed(certificate, p_lower, counts, chosen)

    @torch.no_grad()
    def votes(
        self,
        model: nn.Module,
        x: Float[Tensor, "*shape"],
        n: int,
        generator: torch.Generator,
        report: Callable[[int], None] = lambda done: None,
    ) -> Int[Tensor, " label"]:
        """Predictions of n noisy copies, counted on x's device, `chunk` copies at a time.

        `report(done)` ends the vote by `Enough`; the first chunk is always counted.

        Raises:
            TypeError, ValueError: for arguments that do not fit each other.
            ValueError: if a logit is not finite: its argmax would be a vote for nothing.
        """
        check_model(model)
        check_item(x)
        check_generator(generator, x)
        if isinstance(model, Classifier) and x.ndim != 1:
            raise ValueError(f"x of shape {shape(x)} is a batch; smoothing takes one item: x[0].")
        counts = torch.zeros((), dtype=torch.long, device=x.device)
        for start in range(0, n, self.chunk):
            try:
                report(start)
            except Enough:
                if start:
                    break
            size = min(self.chunk, n - start)
            noise = torch.randn(
                (size, *x.shape), generator=generator, device=x.device, dtype=x.dtype
            )
            with evaluation_mode(model):
                logits = answer(model, noise.mul_(self.sigma).add_(x))
            if not bool(logits.isfinite().all()):
                raise ValueError("the classifier gave NaN or infinite logits under this noise.")
            counts = counts + logits.argmax(-1).bincount(minlength=logits.shape[-1])
        return counts.cpu()


def vote_obstacle(n: int, alpha: float) -> str | None:
    """Why n votes cannot certify anything at alpha, in one sentence; None where they can.

    n votes of n show a probability of alpha^(1/n) at most (Clopper & Pearson 1934), which has to
    exceed 1/2.
    """
    least = floor(-log2(alpha)) + 1
    if n >= least:
        return None
    return f"no vote of {n} can win at alpha {alpha:g}: n must be {least} or more."


def clopper_pearson_lower(successes: int, trials: int, alpha: float) -> float:
    """One-sided (1 - alpha) lower confidence bound of a proportion (Clopper & Pearson 1934)."""
    if successes == 0:
        return 0.0
    return float(betaincinv(successes, trials - successes + 1, alpha))

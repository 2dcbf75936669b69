"""Qin et al.: a perturbation that hides under the clip's own masking threshold."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks.attack import Attack
from robustaudio.attacks.carlini_wagner import quietest
from robustaudio.attacks.search import Search
from robustaudio.audio.draws import Randomness
from robustaudio.options import option
from robustaudio.perception.audibility import max_noise_to_mask_db, noise_to_mask_ratio
from robustaudio.perception.masking import MaskingThreshold
from robustaudio.representations.inversion import inverse
from robustaudio.representations.spectral import Magnitude
from robustaudio.threats.geometry import TINY

CALM = 3.0  # the second stage starts with every bin at most so far above the threshold
FINAL_RATE = 0.1  # of the second stage's rate
LOUDER, QUIETER, PATIENCE = 0.8, 1.2, 5  # alpha after so many failures, or successes, in a row


@dataclass(frozen=True)
class Psychoacoustic(Attack):
    """Two stages, for any classifier (Qin et al. 2019, arXiv:1903.10346, section 4).

    The first finds a quiet success, as Carlini & Wagner 2018 do. The second lowers
    loss + alpha hinge: the hinge is the power of the perturbation above the masking threshold, in
    units of the threshold, averaged over bins and frames; alpha rises after successes and falls
    after failures. Its steps are taken in units of the threshold too, so that every bin moves in
    proportion to what is hidden there. Kept is the success of the lowest maximum of the
    noise-to-mask ratio; in the masking norm, of the lowest level in it. The threat brings the
    masking threshold, and its ball limits the search.
    """

    title: ClassVar[str] = "Psychoacoustic (Qin et al.)"
    minimises: ClassVar[bool] = True

    steps: int = option(150, "steps of the first stage", 10, 2000)
    hiding_steps: int = option(500, "steps of the second stage", 10, 5000)
    step_size: float = option(0.1, "of the first stage, as a share of the limit", 0, 1, above=0)
    hiding_rate: float = option(
        0.05, "of the second stage, in units of the threshold", 0, 1, above=0
    )
    alpha: float = option(0.05, "first weight of the hinge", 0, 10, above=0)

    needs_threshold = True

    def run(self, search: Search, generator: Randomness) -> None:
        """
        Raises:
            ValueError: if the threat does not carry the clips' masking threshold.
        """
        threshold = search.threat.threshold
        if threshold is None:
            raise ValueError("a psychoacoustic attack needs the masking threshold of the clips.")
        share = self.steps / (self.steps + self.hiding_steps)
        quietest(search, self.steps, self.step_size, 0.9, share)
        self._hide(search, threshold, share)

    def _hide(self, search: Search, threshold: MaskingThreshold, done: float) -> None:
        """The second stage: `spectrum` is the perturbation's, in units of the threshold."""
        x, stage = search.x, Magnitude(threshold.framing).to(search.x)
        unit = threshold.amplitude.to(x).clamp_min(TINY)

        def loudest(delta: Tensor, loss: Tensor, index: Tensor) -> Tensor:
            return max_noise_to_mask_db(noise_to_mask_ratio(delta, threshold[index]))

        first = search.adversarial - x
        rank = None if search.threat.norm.needs_threshold else loudest
        if rank:
            search.order = torch.where(
                search.succeeded, loudest(first, x, search.everything), search.order
            )
        spectrum = stage.spectrum(first) / unit
        spectrum = spectrum * (CALM / spectrum.abs().clamp_min(TINY)).clamp_max(1)
        spectrum, direction = torch.view_as_real(spectrum), Adam()
        alpha, streak = x.new_full((len(x),), self.alpha), x.new_zeros(len(x))
        for step in range(self.hiding_steps):
            with torch.enable_grad():
                spectrum = spectrum.detach().requires_grad_()
                delta = inverse(stage, torch.view_as_complex(spectrum) * unit, x.shape[-1])
                point = search.threat.project(x + delta, x)
                logits = search.ask(point, search.everything, rank)
                excess = (stage.spectrum(point - x).abs() / unit).square() - 1
                hinge = excess.clamp_min(0).mean((1, 2))
                loss = search.criterion.surprise(logits) + alpha * hinge
                (gradient,) = torch.autograd.grad(loss.sum(), spectrum)
            search.report(done + (1 - done) * step / self.hiding_steps)
            success = search.fooled
            streak = torch.where(success, streak.clamp_min(0) + 1, streak.clamp_max(0) - 1)
            turn = streak % PATIENCE == 0
            alpha = torch.where(turn, alpha * torch.where(success, QUIETER, LOUDER), alpha)
            rate = self.hiding_rate * (1 - (1 - FINAL_RATE) * step / self.hiding_steps)
            spectrum = spectrum - rate * direction(gradient)


class Adam:
    """The direction of Adam's step (Kingma & Ba 2014, algorithm 1), about 1 in every element."""

    def __init__(self, decay: tuple[float, float] = (0.9, 0.999)):
        self.decay, self.steps = decay, 0
        self.mean, self.square = torch.zeros(()), torch.zeros(())

    def __call__(self, gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        slow, slower = self.decay
        self.steps += 1
        self.mean = slow * self.mean.to(gradient) + (1 - slow) * gradient
        self.square = slower * self.square.to(gradient) + (1 - slower) * gradient.square()
        mean = self.mean / (1 - slow**self.steps)
        square = self.square / (1 - slower**self.steps)
        return mean / (square.sqrt() + TINY)

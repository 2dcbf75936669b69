"""The training loop: one objective, one augmentation, one schedule."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from robustaudio.classifiers.classifier import Classifier
from robustaudio.training.objectives import Objective


@dataclass(frozen=True)
class Schedule:
    """Adam with gradient clipping; the learning rate falls over the last `decay` of the steps."""

    epochs: int = 60
    batch: int = 64
    learning_rate: float = 1e-3
    final_rate: float = 0.02  # of the learning rate
    decay: float = 0.3
    clip_gradient: float = 1.0
    weight_decay: float = 0.0
    max_shift_s: float = 0.1
    max_tempo: float = 0.0
    background_db: float = -200.0

    def rate(self, progress: float) -> float:
        """Learning rate at a share of the training."""
        late = max(0.0, (progress - 1 + self.decay) / self.decay)
        return self.learning_rate * (1 - late * (1 - self.final_rate))


def train(
    classifier: Classifier,
    x: Float[Tensor, "clip time"],
    y: Int[Tensor, " clip"],
    objective: Objective,
    schedule: Schedule,
    *,
    generator: torch.Generator,
    log: Callable[[str], None] = lambda line: None,
) -> Classifier:
    """Trains in place and returns the classifier in evaluation mode.

    `generator` (on x's device) drives order, augmentation and noise; the weights are the caller's.
    """
    optimiser = torch.optim.Adam(
        classifier.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    batches = max(1, len(x) // schedule.batch)  # a small set is one batch
    started = time.monotonic()
    classifier.train()
    for epoch in range(schedule.epochs):
        order = torch.randperm(len(x), generator=generator, device=x.device)
        total = 0.0
        for step in range(batches):
            progress = (epoch + step / batches) / schedule.epochs
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(progress)
            index = order[step * schedule.batch : (step + 1) * schedule.batch]
            clips = augmented(x[index], classifier.sample_rate, schedule, generator)
            loss = objective(classifier, clips, y[index], progress, generator)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(classifier.parameters(), schedule.clip_gradient)
            optimiser.step()
            total += float(loss.detach())
        log(
            f"epoch {epoch + 1}/{schedule.epochs}  loss {total / batches:.4f}  "
            f"{time.monotonic() - started:.0f} s"
        )
    return classifier.eval()


def augmented(
    x: Float[Tensor, "batch time"],
    sample_rate: int,
    schedule: Schedule,
    generator: torch.Generator,
) -> Float[Tensor, "batch time"]:
    """Random tempo and pitch (resampling), time shift with zero fill, and a little white noise.

    The peak is brought back to 1 after resampling: the gain policy holds in training too.
    """
    batch, length = x.shape

    def uniform() -> Tensor:
        return torch.rand(batch, 1, generator=generator, device=x.device) * 2 - 1

    shift = uniform() * schedule.max_shift_s * sample_rate
    tempo = 1 + uniform() * schedule.max_tempo
    t = torch.arange(length, device=x.device) - length / 2
    source = t * tempo - shift.round() + length / 2
    if not schedule.max_tempo:
        source = source.round()
    index = source.floor().long()
    fraction = source - index
    padded = nn.functional.pad(x, (1, 2))

    def tap(offset: int) -> Tensor:
        return padded.gather(1, (index + offset + 1).clamp(0, length + 2))

    moved = tap(0) * (1 - fraction) + tap(1) * fraction
    peak = moved.abs().amax(1, keepdim=True)
    moved = torch.where(peak > 0.05, moved / peak.clamp_min(0.05), x)
    if schedule.background_db > -150:
        level = 10 ** ((schedule.background_db + 15 * uniform()) / 20)
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        moved = moved + level * noise
    return moved

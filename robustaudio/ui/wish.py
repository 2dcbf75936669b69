"""What a visitor wants done to the clip on the first tab, and the flags that do it again."""

from dataclasses import dataclass, fields
from typing import Any

from robustaudio.attacks import ATTACKS
from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.noise import AddingNoise, add_noise
from robustaudio.evaluation.results import PerturbedClip
from robustaudio.progress import Progress
from robustaudio.threats.norms import norm_named

ANY_OTHER, NOISE = "any other", "noise"
METHODS = {name: made.title for name, made in ATTACKS.items()} | {NOISE: "Gaussian noise"}


def minimises(method: str) -> bool:
    return method != NOISE and ATTACKS[method].minimises


def start_level_db(method: str, norm: str) -> float:
    levels = norm_named(norm).levels
    if minimises(method):
        return levels.largest
    asks = method != NOISE and not ATTACKS[method].needs_gradient
    return levels.asking if asks else levels.start


@dataclass(frozen=True)
class Wish:
    """What a visitor asked for: the values of the tab's widgets.

    `options` are those of the chosen attack, by the names of its fields.
    """

    method: str
    norm: str
    level_db: float
    target: str
    representation: str
    survive_rounding: bool
    sigma: float
    seed: int
    options: dict[str, Any]

    def run(self, classifier: Classifier, clip: Clip, progress: Progress) -> PerturbedClip:
        """The perturbation, by the same back-end function that the command line calls.

        Raises:
            ValueError: one sentence, for whatever cannot be.
        """
        if self.method == NOISE:
            adding = AddingNoise(self.sigma, self.representation)
            return measure_clip(add_noise, classifier, clip.samples, adding, seed=self.seed)
        target = None if self.target == ANY_OTHER else classifier.label_index(self.target)
        kind = ATTACKS[self.method](**_whole(self.method, self.options))
        plan = Plan(kind, norm_named(self.norm), self.representation, self.survive_rounding)
        attacking = Attacking(plan, self.level_db, target)
        return measure_clip(
            attack, classifier, clip.samples, attacking, seed=self.seed, progress=progress
        )

    @property
    def verb(self) -> str:
        """The verb of the command line."""
        return "noise" if self.method == NOISE else "attack"

    @property
    def flags(self) -> dict[str, Any]:
        """What the command line is given to make the same perturbation."""
        flags = {"representation": self.representation}
        if self.method == NOISE:
            return flags | {"sigma": self.sigma, "seed": self.seed}
        return {
            "attack": self.method, "norm": self.norm, "level_db": self.level_db,
            "target": None if self.target == ANY_OTHER else self.target, **flags,
            "survive_rounding": self.survive_rounding or None,  # it has no opposite
            **self.options, "seed": self.seed,
        }  # fmt: skip


def _whole(method: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options, with the numbers of steps and the like as integers.

    Raises:
        ValueError: for a number of steps and the like with a fraction.
    """
    counts = {option.name for option in fields(ATTACKS[method]) if option.type is int}
    for name in counts:
        if options[name] != int(options[name]):
            shown = name.replace("_", " ")
            raise ValueError(f"{shown} {options[name]} must be a whole number.")
    return {name: int(v) if name in counts else v for name, v in options.items()}

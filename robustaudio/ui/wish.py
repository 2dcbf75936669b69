"""What a visitor wants done to the clip on the first tab, and the command that does it again."""

from dataclasses import dataclass, fields
from typing import Any

from robustaudio.attacks import ATTACKS, MINIMISING
from robustaudio.attacks.genetic import Genetic, HillClimber, RandomSearch
from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan, attack_clip
from robustaudio.evaluation.clips import Progress
from robustaudio.evaluation.noise import noise_clip
from robustaudio.evaluation.perturbed import PerturbedClip
from robustaudio.ui.commands import command_line
from robustaudio.ui.sources import Source
from robustaudio.ui.words.terms import ATTACK_NAMES

ANY_OTHER, NOISE = "any other", "noise"
METHODS = {name: ATTACK_NAMES[kind.__name__] for name, kind in ATTACKS.items()} | {
    NOISE: "Gaussian noise"
}
ASKING = (Genetic, HillClimber, RandomSearch)


@dataclass(frozen=True)
class Level:
    """What the level's slider offers in a norm: the norm's name, the level's meaning, its range.

    `start` is where attacks begin that use all of the level, `largest` where minimising ones do,
    and `asking` where those do that have no gradient.
    """

    name: str
    about: str
    low: float
    high: float
    start: float
    largest: float
    asking: float


LEVELS = {
    "linf": Level("L∞", "Largest sample, relative to the clip's peak.", -120, 0, -45, 0, -25),
    "l2": Level("L2", "Relative to the clip's L2 norm: minus the SNR.", -120, 0, -45, 0, -25),
    "masking": Level(
        "Masking set",
        "Relative to the clip's masking threshold on the classifier's own frames and bins, which "
        "is 0 dB.",
        -60, 60, 0, 20, 20,
    ),
}  # fmt: skip


def minimises(method: str) -> bool:
    return method != NOISE and issubclass(ATTACKS[method], MINIMISING)


def start_level_db(method: str, norm: str) -> float:
    level = LEVELS[norm]
    if minimises(method):
        return level.largest
    return level.asking if ATTACKS.get(method) in ASKING else level.start


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
            return noise_clip(
                classifier, clip.samples,
                representation=self.representation, sigma=self.sigma, seed=self.seed,
            )  # fmt: skip
        target = None if self.target == ANY_OTHER else classifier.label_index(self.target)
        attack = ATTACKS[self.method](**_whole(self.method, self.options))
        plan = Plan(attack, self.norm, self.representation, self.survive_rounding)
        return attack_clip(
            classifier, clip.samples, plan,
            level_db=self.level_db, target=target, seed=self.seed, progress=progress,
        )  # fmt: skip

    def command(self, source: Source, classifier: str) -> list[str]:
        """The command that makes the same perturbation."""
        options = {"representation": self.representation}
        if self.method == NOISE:
            options |= {"sigma": self.sigma, "seed": self.seed}
            return command_line("noise", source, classifier, options)
        options = {
            "attack": self.method, "norm": self.norm, "level_db": self.level_db,
            "target": None if self.target == ANY_OTHER else self.target, **options,
            "survive_rounding": self.survive_rounding or None,  # it has no opposite
            **self.options, "seed": self.seed,
        }  # fmt: skip
        return command_line("attack", source, classifier, options)


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

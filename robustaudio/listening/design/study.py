"""A study: which sounds are judged, how, and what listeners are told. `study_file` reads one."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from robustaudio.audio.clip import Clip
from robustaudio.audio.draws import MOST_SEED
from robustaudio.columns import Column, columns_of, holds, is_text, needed, number, one_of, whole
from robustaudio.listening.design.forced_choice import Adaptive
from robustaudio.listening.design.paradigm import Paradigm
from robustaudio.listening.design.procedures import FORCED_CHOICES, INAUDIBLE_BELOW
from robustaudio.listening.design.ratings import RATINGS
from robustaudio.listening.design.stimulus import Stimuli, stimulus_of
from robustaudio.listening.design.study_sound import sound_text
from robustaudio.listening.design.trial import Condition

PROCEDURES: dict[str, Any] = {made.kind: made for made in (*FORCED_CHOICES, *RATINGS)}
PARADIGMS: dict[str, Paradigm] = {
    paradigm.name: paradigm for made in PROCEDURES.values() for paradigm in made.paradigms
}
SCREENINGS = ("antiphase", "huggins", "none")
HEARD_DB = 6.0  # noise-to-mask ratio that practice and catch trials must reach
LONGEST_H = 366 * 24  # that a study may be open
LONGEST_NAME, LONGEST_TEXT = 120, 2_000  # characters: of titles and names, of texts


def words(longest: int) -> Column:
    """Text that is more than blanks."""
    right = f"text of at most {longest} characters"
    return needed(Column(right, lambda value: is_text(value, longest) and bool(value.strip())))


NAME, TEXT = words(LONGEST_NAME), words(LONGEST_TEXT)


@dataclass(frozen=True)
class Texts:
    """What listeners read; None stands for what the page says by itself."""

    about: str = holds(TEXT, "You will hear short sounds, and compare them.")
    question: str | None = holds(TEXT, None)  # None: that of the paradigm
    purpose: str = holds(TEXT, "To find out how loud a change has to be before people hear it.")
    contact: str = holds(TEXT, "Whoever gave you this link.")


@dataclass(frozen=True)
class Model:
    """What is known of the classifier that was attacked or proven; it travels with every row."""

    name: str | None = holds(NAME, None)
    certified_radius: float | None = holds(number(0, 1e12), None)  # L2, in the clip's own units
    sigma: float | None = holds(number(0, 1e12), None)
    alpha: float | None = holds(number(0, 1), None)
    n: int | None = holds(whole(1, 10**12), None)


@dataclass(frozen=True, eq=False)
class StudyClip:
    """A clip, and perturbed versions of it by the name of their family."""

    clip: Clip
    perturbed: Mapping[str, Clip] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Study:
    """What a study file says; `options` are those of the procedure, its `kind` among them."""

    title: str = field(metadata={"column": NAME})
    clips: tuple[StudyClip, ...]
    families: tuple[str, ...]
    options: Mapping[str, Any]
    texts: Texts = Texts()
    model: Model = Model()
    screening: str = holds(one_of(*SCREENINGS), SCREENINGS[0])
    expires_h: int = holds(whole(1, LONGEST_H), 7 * 24)
    seed: int = holds(whole(0, MOST_SEED), 0)

    @cached_property
    def procedure(self) -> Any:
        """The test, of every clip under every family: a `Procedure`."""
        conditions = tuple(
            Condition(sounds.clip.name, family) for sounds in self.clips for family in self.families
        )
        options = {name: value for name, value in self.options.items() if name != "kind"}
        return PROCEDURES[self.options["kind"]](conditions=conditions, **options)

    @property
    def inaudible_below(self) -> float:
        """The proportion correct below which a perturbation counts as inaudible."""
        return getattr(self.procedure, "inaudible_below", INAUDIBLE_BELOW)

    @cached_property
    def stimuli(self) -> Stimuli:
        pairs = [(sounds, family) for sounds in self.clips for family in self.families]
        made = [
            stimulus_of(sounds.clip, family, sounds.perturbed, [self.seed, number])
            for number, (sounds, family) in enumerate(pairs)
        ]
        conditions = dict(zip(self.procedure.conditions, made, strict=True))
        return Stimuli(conditions, max(self.procedure.stimulus_levels_db))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all of it: two studies with one digest ask the same."""
        digest = hashlib.sha256()
        for sounds in self.clips:  # not their files, which hold the time of writing
            for clip in (sounds.clip, *sounds.perturbed.values()):
                digest.update(clip.samples.numpy().tobytes())
        names = [[sounds.clip.name, *sounds.perturbed] for sounds in self.clips]
        words = {**self._words(), "clips": names}
        digest.update(json.dumps(words, sort_keys=True).encode())
        return digest.hexdigest()

    def unanswerable(self) -> list[str]:
        """What is wrong with questions that have no answer, or easy ones that nobody could hear."""
        if isinstance(self.procedure, Adaptive) and "shift" in self.families:
            return [
                "a shift has no answer without a reference, which a choice between two or three "
                "sounds lacks; ask about it with kind abx."
            ]
        level_db = getattr(self.procedure, "audible_db", None)
        if level_db is None or not (self.procedure.practice or self.procedure.catch_every):
            return []
        problems = []
        for condition, stimulus in self.stimuli.conditions.items():
            ratio_db = self.stimuli.noise_to_mask_db(condition, level_db)
            if stimulus.family == "shift":
                problems.append(
                    f"{condition}: nobody hears a shift, so that its practice and catch trials "
                    "would fail every listener; set practice and catch_every to 0."
                )
            elif ratio_db < HEARD_DB:
                problems.append(
                    f"{condition}: practice and catch trials must be heard, but at audible_db "
                    f"{level_db:g} the noise-to-mask ratio is {ratio_db:.1f} dB; audible_db "
                    f"{level_db + HEARD_DB - ratio_db:.0f} would do."
                )
        return problems

    def record(self) -> dict[str, Any]:
        """The study as JSON with its sounds inside, which `parse` reads."""
        clips = [
            {
                "name": sounds.clip.name,
                "sound": sound_text(sounds.clip),
                "perturbed": {name: sound_text(clip) for name, clip in sounds.perturbed.items()},
            }
            for sounds in self.clips
        ]
        return {"title": self.title, "clips": clips, **self._words()}

    def _words(self) -> dict[str, Any]:
        """All of the record but its sounds."""
        return {
            **{name: getattr(self, name) for name in columns_of(self)},
            "families": list(self.families),
            "procedure": json.loads(json.dumps(self.options)),
            "texts": asdict(self.texts),
            "model": asdict(self.model),
        }

"""The thresholds of a listening study, beside what is proven and broken on the ruler.

Every level here is 20 log10(|d| / |x|) of L2 norms, minus the SNR, for so a listening study plays
its sounds. They stand beside the L2 proof and an L2 attack, never on the linf ball's axis.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import torch

from robustaudio.attacks import PGD
from robustaudio.audio.clip import Clip
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.batch import finite
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.listening_study import (
    Export,
    GroupThreshold,
    ListenerThreshold,
    read_results,
)
from robustaudio.evaluation.results import Ruler
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.evaluation.smallest import changing_levels
from robustaudio.listening.analysis.by_paradigm import grouped, threshold_result
from robustaudio.listening.analysis.exclusion import excluded
from robustaudio.listening.design.paradigm import TrackedChoice
from robustaudio.listening.design.stimulus import Stimulus
from robustaudio.listening.design.study import Study
from robustaudio.listening.design.trial import Condition, Row
from robustaudio.perception.audibility import max_noise_to_mask_db, noise_to_mask_ratio
from robustaudio.perception.masking import masking_framing, masking_threshold
from robustaudio.progress import Progress, Watched, part_of
from robustaudio.threats.norms import L2

L2_ATTACK = "attack in L2"  # a part of the ruler, as its record names it
SAME_SOUND = 0.99  # correlation of two clips that are one sound
RULER_SHARE = 0.7  # of the time; the L2 attack has the rest
FAMILY_NAMES = {"white": "white noise", "shaped": "shaped noise", "shift": "a time shift"}
INSIDE = "every perturbation inside the certificate is inaudible"
OUTSIDE = "any successful attack must be audible"


@dataclass(frozen=True)
class HearingThreshold:
    """A `GroupThreshold` of one family, in dB of L2.

    `predicted_db` is the masking model's level; None where it has none. `made_against` names the
    classifier that an attack's family was made against, where the study says so.
    """

    family: str
    listeners: tuple[ListenerThreshold, ...]
    sign: str | None
    level_db: float | None
    lower_db: float | None
    upper_db: float | None
    predicted_db: float | None = None
    simulated: bool = False
    made_against: str | None = None

    @property
    def shown(self) -> str:
        """The family in words; an attack's keeps the name that the study gave it."""
        return FAMILY_NAMES.get(self.family, self.family)

    @property
    def range_db(self) -> tuple[float, float]:
        """Where the threshold may lie; infinite on a side that is not bounded."""
        low = -inf if self.lower_db is None else self.lower_db
        return low, inf if self.upper_db is None else self.upper_db


@dataclass(frozen=True)
class JudgedClaim:
    """A claim about an L2 certificate, and what thresholds say of it."""

    claim: str
    verdict: str
    because: str


@dataclass(frozen=True, kw_only=True)
class ListeningRuler(Ruler):
    """A ruler with an attack in a study's norm, its thresholds, and what they allow to claim."""

    attacked_l2_db: float | None
    heard: tuple[HearingThreshold, ...]
    claims: tuple[JudgedClaim, ...]


def ruler_with_thresholds(
    study: Path | None,
    classifier: Classifier,
    clip: Clip,
    *,
    smoothing: Smoothing,
    seed: int = 0,
    progress: Progress | None = None,
) -> Ruler:
    """`measure_ruler` of a prepared clip, and what the study in a JSON file says was heard of it.

    Raises:
        ValueError: for a file that holds no thresholds of this clip.
    """
    thresholds = [] if study is None else thresholds_in(study, classifier, clip)
    share = 1.0 if study is None else RULER_SHARE
    ruler = measure_clip(
        measure_ruler, classifier, clip.samples, Measuring(smoothing), seed=seed,
        progress=part_of(progress, 0, 1, share),
    )  # fmt: skip
    if study is None:
        return ruler
    watched = Watched(part_of(progress, share, 1, 1 - share))
    proven, plan = ruler.level_db("verified", L2), Plan(PGD(), L2)
    attacked = finite(
        measure_clip(changing_levels, classifier, clip.samples, plan, seed=seed, progress=watched)
    )
    if proven is not None and attacked is not None and proven >= attacked:
        raise AssertionError(f"an l2 attack at {attacked} dB contradicts a proof at {proven} dB")
    return ListeningRuler(
        **vars(replace(ruler, ended=ruler.ended + (L2_ATTACK,) * watched.ended)),
        attacked_l2_db=attacked,
        heard=tuple(thresholds),
        claims=tuple(claims(proven, thresholds)),
    )


def thresholds_in(path: Path, classifier: Classifier, clip: Clip) -> list[HearingThreshold]:
    """A study's thresholds of a prepared clip, from either JSON that the listening test writes.

    Its export (`rows.json`) holds the sounds, by which the clip is found; an analysis
    (`listen analyse --json`) holds names only: there the clip's has to be the same, and nothing is
    predicted of sounds that are not known.

    Raises:
        ValueError: for anything else, another clip, or a study without thresholds.
    """
    content, clip = read_results(path), clip.to("cpu")
    stimuli: Mapping[Condition, Stimulus] = {}
    if isinstance(content, Export):
        name, stimuli = _same_sound(content.study, classifier, clip)
        by_family = _analysed(content.rows, name)
        model, clips = content.study.model.name, {row.condition.clip for row in content.rows}
    else:
        name, model = clip.name, content.model
        listed = [(result.family_of(name), result.threshold) for result in content.results]
        by_family = {family: threshold for family, threshold in listed if family is not None}
        clips = {result.clip for result in content.results}
    if not by_family:
        raise ValueError(
            f"{path.name} has no answers of {name}, but of: "
            f"{', '.join(sorted(clips)) or 'nothing yet'}. An analysis knows clips by name only; "
            "the export of the answers (rows.json) holds their sounds."
        )
    thresholds = [
        HearingThreshold(
            family=family, **vars(threshold),
            predicted_db=predicted_level_db(stimuli.get(Condition(name, family))),
            simulated=content.simulated, made_against=None if family in FAMILY_NAMES else model,
        )
        for family, threshold in by_family.items()
        if threshold is not None
    ]  # fmt: skip
    if not thresholds:
        raise ValueError(f"{path.name} has no thresholds; quest and staircase studies find them.")
    return thresholds


def predicted_level_db(stimulus: Stimulus | None) -> float | None:
    """L2 level at which the first band of one Bark, in any frame, reaches the masking threshold.

    There `max_noise_to_mask_db` is 0 dB. None for a shift, which no factor makes louder, and for a
    sound that is not known.
    """
    if stimulus is None or stimulus.family == "shift":
        return None
    rate = stimulus.clip.sample_rate
    clean = torch.from_numpy(stimulus.clean)[None]
    at_0_db = torch.from_numpy(stimulus.perturbation(0.0))[None]
    threshold = masking_threshold(clean, masking_framing(rate), rate)
    return -float(max_noise_to_mask_db(noise_to_mask_ratio(at_0_db, threshold)))


def claims(proven_db: float | None, thresholds: Sequence[HearingThreshold]) -> list[JudgedClaim]:
    """What the thresholds say of an L2 certificate, in both directions.

    "Inaudible inside" needs it below what the most sensitive listener hears of the MOST audible
    direction, "audible if it succeeds" at the threshold of the least sensitive one in the LEAST
    audible direction. Families are single directions and neither extreme: they can refute the
    first, and leave the second unshown; neither is ever shown.
    """
    if proven_db is None:
        nothing = "no L2 certificate, so there is nothing to compare with"
        return [JudgedClaim(claim, "open", nothing) for claim in (INSIDE, OUTSIDE)]

    def who(is_so: Callable[[ListenerThreshold], bool]) -> tuple[str, bool]:
        """By how many listeners of which families, and whether that is everybody."""
        counts = [(family, sum(map(is_so, family.listeners))) for family in thresholds]
        some = [f"{family.shown} ({n} of {len(family.listeners)})" for family, n in counts if n]
        return ", ".join(some), all(n == len(family.listeners) for family, n in counts)

    heard_inside, by_all = who(lambda at: at.upper_db is not None and at.upper_db <= proven_db)
    not_yet, _ = who(lambda at: at.lower_db is not None and at.lower_db > proven_db)
    _, faint_for_all = who(lambda at: at.faint_db is not None and at.faint_db > proven_db)
    both = "for some listeners the certificate ends where they may hear it or not"
    within, beyond = JudgedClaim(INSIDE, "open", both), JudgedClaim(OUTSIDE, "open", both)
    if heard_inside:
        within = JudgedClaim(INSIDE, "refuted", f"heard inside the certificate: {heard_inside}")
    elif faint_for_all:
        why = "the certificate ends below where hearing begins, for all who were asked"
        within = JudgedClaim(
            INSIDE, "not refuted", f"{why}; no family is known to be the most audible"
        )
    if not_yet:
        why = f"not yet heard where the certificate ends: {not_yet}"
        beyond = JudgedClaim(OUTSIDE, "not shown", f"{why}; an attack between may go unheard")
    elif by_all:
        why = "heard inside the certificate by all who were asked"
        last = "no family is known to be the least audible"
        beyond = JudgedClaim(OUTSIDE, "not refuted", f"{why}; {last}")
    return [within, beyond]


def _analysed(rows: Sequence[Row], name: str) -> dict[str, GroupThreshold | None]:
    """What `analyse` finds of one clip, by family, without the curves, which nobody draws here.

    None where the paradigm finds no threshold. Listeners are screened by their answers to all
    clips.
    """
    counted = sorted((row for row in rows if row.kind != "practice"), key=lambda row: row.listener)
    left_out, thresholds = excluded(counted), {}
    kept = [row for row in counted if row.listener not in left_out and row.condition.clip == name]
    for condition, answers in sorted(grouped(kept, lambda row: row.condition).items()):
        paradigm = answers[0].paradigm
        if not isinstance(paradigm, TrackedChoice):
            thresholds[condition.family] = None
        elif result := threshold_result(paradigm, condition, answers, curve=False):
            fits = ((fit.faint_db, fit.thresholds.d_prime_1) for fit in result.listeners.values())
            listeners = [ListenerThreshold(faint, at.lower_db, at.upper_db) for faint, at in fits]
            group = GroupThreshold.of(listeners, result.thresholds.d_prime_1)
            thresholds[condition.family] = group
    return thresholds


def _same_sound(
    study: Study, classifier: Classifier, clip: Clip
) -> tuple[str, Mapping[Condition, Stimulus]]:
    """The name in a study of the clip that this one is, but for gain; and all its stimuli.

    Of another rate, or cut by the classifier, it has other levels in dB.

    Raises:
        ValueError: if the clip is none of the study's.
    """
    others = [sounds.clip for sounds in study.clips]
    for other in others:
        if other.sample_rate == clip.sample_rate and len(other.samples) <= len(clip.samples):
            pair = (classifier.prepare(other).samples, clip.samples)
            if float(torch.cosine_similarity(*pair, dim=0)) >= SAME_SOUND:
                return other.name, study.stimuli.conditions
    names = ", ".join(f"{other.name} ({other.sample_rate} Hz)" for other in others)
    raise ValueError(
        f"the study asks about another sound than {clip.name} as the classifier takes it "
        f"({len(clip.samples)} samples at {clip.sample_rate} Hz): {names}."
    )

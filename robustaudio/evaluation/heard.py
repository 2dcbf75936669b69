"""What people heard, beside what is proven and broken: the thresholds of a listening study.

Every level here is 20 log10(|d| / |x|) of L2 norms, minus the SNR, for so a listening study plays
its sounds. They stand beside the L2 proof and an L2 attack, never on the linf ball's axis.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import PGD
from robustaudio.audio.clip import Clip
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan, smallest_level
from robustaudio.evaluation.clips import finite
from robustaudio.evaluation.heard_file import ADAPTIVE, CRITERION, ENDS, Export, read_results
from robustaudio.evaluation.results import Ruler
from robustaudio.evaluation.ruler import measure_ruler
from robustaudio.listening.analysis.analyse import screen
from robustaudio.listening.analysis.by_paradigm import (
    Record,
    Row,
    group_record,
    grouped,
    listener_record,
    standing,
)
from robustaudio.listening.design.stimulus import Stimulus
from robustaudio.listening.design.study import JOINED, Study
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
class Listener:
    """What one listener shows of a family, in dB; None where nothing bounds it.

    Below `faint_db` hardly anything is heard (60 % of two intervals right); the threshold (76 %)
    lies between `lower_db` and `upper_db`. All are ends of 95 % intervals.
    """

    faint_db: float | None
    lower_db: float | None
    upper_db: float | None


@dataclass(frozen=True)
class Heard:
    """The threshold of one family (d' = 1), in dB of L2: of one listener, or the listeners' mean.

    With `sign` "<=" or ">=" `level_db` is a bound; with None some heard everything and some
    nothing. An end of the 95 % interval is None where nothing bounds it. `predicted_db` is the
    masking model's level; None where it has none. `made_against` names the classifier that an
    attack's family was made against, where the study says so.
    """

    family: str
    listeners: tuple[Listener, ...]
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


@dataclass(frozen=True, kw_only=True)
class HeardRuler(Ruler):
    """A ruler with an attack in a study's norm, its thresholds, and what they allow to claim."""

    attacked_l2_db: float | None
    heard: tuple[Heard, ...]
    claims: tuple[dict[str, str], ...]


def ruler_with_heard(
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
    if study is None:
        return measure_ruler(
            classifier, clip.samples, smoothing=smoothing, seed=seed, progress=progress
        )
    heard = heard_in(study, classifier, clip)
    first = part_of(progress, 0, 1, RULER_SHARE)
    last = part_of(progress, RULER_SHARE, 1, 1 - RULER_SHARE)
    ruler = measure_ruler(classifier, clip.samples, smoothing=smoothing, seed=seed, progress=first)
    return _beside(ruler, classifier, clip.samples, heard, seed, last)


def _beside(
    ruler: Ruler,
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    heard: Sequence[Heard],
    seed: int,
    progress: Progress | None,
) -> HeardRuler:
    """The thresholds, an attack in their own norm, and what may be claimed of them."""
    plan, proven = Plan(PGD(), L2), ruler.level_db("verified", L2)
    watched = Watched(progress)
    attacked = finite(smallest_level(classifier, waveform, plan, seed=seed, progress=watched))
    if proven is not None and attacked is not None and proven >= attacked:
        raise AssertionError(f"an l2 attack at {attacked} dB contradicts a proof at {proven} dB")
    ended = ruler.ended + (L2_ATTACK,) * watched.ended
    return HeardRuler(
        **vars(replace(ruler, ended=ended)),
        attacked_l2_db=attacked,
        heard=tuple(heard),
        claims=tuple(claims(proven, heard)),
    )


def heard_in(path: Path, classifier: Classifier, clip: Clip) -> list[Heard]:
    """A study's thresholds of a prepared clip, from either JSON that the listening test writes.

    Its export (`rows.json`) holds the sounds, by which the clip is found; an analysis
    (`listen analyse --json`) holds names only: there the clip's has to be the same, and nothing is
    predicted of sounds that are not known.

    Raises:
        ValueError: for anything else, another clip, or a study without thresholds.
    """
    told, clip = read_results(path), clip.to("cpu")
    if isinstance(told, Export):
        name, stimuli = _same_sound(told.study, classifier, clip)
        results = _results(told.rows, name)
        fake = any(row.get("simulated") for row in told.rows)
        model = told.study.model.name
        known = {row["condition"] for row in told.rows}
    else:
        name, stimuli, results = clip.name, {}, told.results
        fake, model = told.simulated, told.model
        known = {one["condition"] for one in results}
    mine = {
        family: one
        for one in results
        for clip_name, _, family in [one["condition"].rpartition(JOINED)]
        if clip_name == name
    }
    groups = {f: _threshold(one) for f, one in mine.items() if "thresholds" in one["group"]}
    if not mine:
        others = ", ".join(sorted({one.rpartition(JOINED)[0] for one in known})) or "nothing yet"
        raise ValueError(
            f"{path.name} has no answers of {name}, but of: {others}. An analysis knows clips by "
            "name only; the export of the answers (rows.json) holds their sounds."
        )
    if not groups:
        raise ValueError(f"{path.name} has no thresholds; quest and staircase studies find them.")
    played = {family: stimuli.get(f"{name}{JOINED}{family}") for family in groups}
    return [
        Heard(
            family, **found, predicted_db=(of := played[family]) and predicted_level_db(of),
            simulated=fake, made_against=None if family in FAMILY_NAMES else model,
        )
        for family, found in groups.items()
    ]  # fmt: skip


def predicted_level_db(stimulus: Stimulus) -> float | None:
    """L2 level at which the first band of one Bark, in any frame, reaches the masking threshold.

    There `max_noise_to_mask_db` is 0 dB. None for a shift, which no factor makes louder.
    """
    if stimulus.family == "shift":
        return None
    rate = stimulus.clip.sample_rate
    clean = torch.from_numpy(stimulus.clean)[None]
    at_0_db = torch.from_numpy(stimulus.perturbation(0.0))[None]
    threshold = masking_threshold(clean, masking_framing(rate), rate)
    return -float(max_noise_to_mask_db(noise_to_mask_ratio(at_0_db, threshold)))


def claims(proven_db: float | None, heard: Sequence[Heard]) -> list[dict[str, str]]:
    """What the thresholds say of an L2 certificate, in both directions.

    "Inaudible inside" needs it below what the most sensitive listener hears of the MOST audible
    direction, "audible if it succeeds" at the threshold of the least sensitive one in the LEAST
    audible direction. Families are single directions and neither extreme: they can refute the
    first, and leave the second unshown; neither is ever shown.
    """
    if proven_db is None:
        nothing = "no L2 certificate, so there is nothing to compare with"
        return [_claim(claim, "open", nothing) for claim in (INSIDE, OUTSIDE)]

    def who(is_so: Callable[[Listener], bool]) -> tuple[str, bool]:
        """By how many listeners of which families, and whether that is everybody."""
        counts = {one: sum(map(is_so, one.listeners)) for one in heard}
        some = (f"{one.shown} ({n} of {len(one.listeners)})" for one, n in counts.items() if n)
        return ", ".join(some), all(n == len(one.listeners) for one, n in counts.items())

    heard_inside, by_all = who(lambda one: one.upper_db is not None and one.upper_db <= proven_db)
    not_yet, _ = who(lambda one: one.lower_db is not None and one.lower_db > proven_db)
    _, faint_for_all = who(lambda one: one.faint_db is not None and one.faint_db > proven_db)
    both = "for some listeners the certificate ends where they may hear it or not"
    within, beyond = _claim(INSIDE, "open", both), _claim(OUTSIDE, "open", both)
    if heard_inside:
        within = _claim(INSIDE, "refuted", f"heard inside the certificate: {heard_inside}")
    elif faint_for_all:
        why = "the certificate ends below where hearing begins, for all who were asked"
        within = _claim(INSIDE, "not refuted", f"{why}; no family is known to be the most audible")
    if not_yet:
        why = f"not yet heard where the certificate ends: {not_yet}"
        beyond = _claim(OUTSIDE, "not shown", f"{why}; an attack between may go unheard")
    elif by_all:
        why = "heard inside the certificate by all who were asked"
        last = "no family is known to be the least audible"
        beyond = _claim(OUTSIDE, "not refuted", f"{why}; {last}")
    return [within, beyond]


def _claim(claim: str, verdict: str, because: str) -> dict[str, str]:
    return {"claim": claim, "verdict": verdict, "because": because}


def _results(rows: Sequence[Row], name: str) -> list[Record]:
    """What `analyse` finds of one clip, without the curves, which nobody draws here.

    Listeners are screened by their answers to all clips.
    """
    counted = sorted((row for row in rows if row["kind"] != "practice"), key=_listener)
    excluded, results = screen(counted), []
    kept = [row for row in counted if row["listener"] not in excluded]
    for condition, mine in sorted(grouped(kept, "condition").items()):
        if condition.rpartition(JOINED)[0] != name:
            continue
        paradigm = mine[0]["paradigm"]
        if paradigm not in ADAPTIVE:
            results.append({"condition": condition, "listeners": {}, "group": {}})
            continue
        listeners = {
            listener: listener_record(of_one, paradigm, [])
            for listener, of_one in grouped(mine, "listener").items()
            if any(row["kind"] == "test" for row in of_one)
        }
        if listeners:
            group = group_record([*listeners.values()], mine, paradigm, [])
            results.append({"condition": condition, "listeners": listeners, "group": group})
    return results


def _listener(row: Row) -> str:
    return row["listener"]


def _same_sound(
    found: Study, classifier: Classifier, clip: Clip
) -> tuple[str, Mapping[str, Stimulus]]:
    """The name in a study of the clip that this one is, but for gain; and all its stimuli.

    Of another rate, or cut by the classifier, it has other levels in dB.

    Raises:
        ValueError: if the clip is none of the study's.
    """
    for of in found.clips:
        other = of.clip
        if other.sample_rate == clip.sample_rate and len(other.samples) <= len(clip.samples):
            pair = (classifier.prepare(other).samples, clip.samples)
            if float(torch.cosine_similarity(*pair, dim=0)) >= SAME_SOUND:
                return other.name, found.stimuli.conditions
    names = ", ".join(f"{of.clip.name} ({of.clip.sample_rate} Hz)" for of in found.clips)
    raise ValueError(
        f"the study asks about another sound than {clip.name} as the classifier takes it "
        f"({len(clip.samples)} samples at {clip.sample_rate} Hz): {names}."
    )


def _threshold(result: dict[str, Any]) -> dict[str, Any]:
    """Sign, level, interval: of a single listener their own, of several their mean; and each's."""
    records = list(result["listeners"].values())
    each = tuple(
        Listener(one["faint_db"], *(one["thresholds"][CRITERION][end] for end in ENDS))
        for one in records
    )
    found = standing(result)["thresholds"][CRITERION] or {}
    return {"listeners": each} | {key: found.get(key) for key in ("sign", "level_db", *ENDS)}

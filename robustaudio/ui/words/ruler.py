"""The ruler as HTML: one axis in dB, what is proven on the left, what is broken on the right.

That axis is the L∞ ball's. The proofs against the L2 ball and the masking set stand below it, each
on a strip with its own axis and unit. What people heard stands on the L2 strip: its levels are L2.
"""

from html import escape

from robustaudio.evaluation.hearing_thresholds import L2_ATTACK, HearingThreshold, ListeningRuler
from robustaudio.evaluation.results import Ruler
from robustaudio.evaluation.ruler import ATTACK
from robustaudio.listening.analysis.thresholds import SIGNS
from robustaudio.threats.norms import L2, MASKING
from robustaudio.ui.html import decibel, label_words
from robustaudio.ui.widgets.axis import (
    ENERGY,
    PEAK,
    THRESHOLD,
    broken_part,
    proven_part,
    row,
    strip,
)
from robustaudio.ui.words.terms import BOUNDS, BY_ITSELF, Ending, is_right, limited, misheard_words

RULER_HINT = (
    "<p class='ra-note'>How far is it proven, and where does it break? Press Measure: both on one "
    "scale in dB.</p>"
)
NO_PROOF = "no proof, as above"
UNIT = "L∞: largest sample of the perturbation, in dB relative to the clip's peak"


def ruler_html(
    ruler: Ruler, *, beside: bool = False, truth: str | None = None, ending: Ending = BY_ITSELF
) -> str:
    """A picture of a ruler that needs no script and fits any width.

    A proof is green where the prediction is the clip's label, the `truth`, or that is not known.
    `beside` another ruler of the same clip, what people heard is not drawn again.
    """
    method, label = BOUNDS[ruler.method], ruler.prediction
    proven, attacked = ruler.level_db("verified"), ruler.level_db("attacked")
    unproven = escape(ruler.unproven or "")
    rows = [
        row("16-bit step", "ra-floor", ruler.level_db("floor_16_bit"),
            "the resolution of a 16-bit file: smaller changes mostly vanish in it"),
        row("proven", "ra-proven", proven,
            f"{method}: no perturbation up to here changes the decision"
            if proven is not None
            else unproven or f"{method} prove nothing above −160 dB"),
        row("broken", "ra-attacked", attacked,
            "the smallest PGD perturbation found that changes the decision"
            if attacked is not None
            else "PGD has found nothing so far" if ATTACK in ruler.ended
            else "PGD found nothing up to 0 dB"),
    ]  # fmt: skip
    misheard = "" if is_right(label, truth) else (
        f". <strong class='ra-changed'>{misheard_words(label, truth)}: what is proven is the "
        "mistake.</strong>"
    )  # fmt: skip
    kind = "ra-ruler ra-wrong" if misheard else "ra-ruler"
    summary = _reach(proven, attacked, ATTACK in ruler.ended)
    return (
        f"<figure class='{kind}' aria-label='{escape(f'Ruler: {summary}')}'>"
        f"<figcaption><strong>{label_words(label)}</strong> by "
        f"{escape(ruler.classifier)}: {summary}{misheard}</figcaption>"
        f"{_cut_short(ruler, ending)}"
        f"<div class='ra-band'>{proven_part(PEAK, proven)}{broken_part(PEAK, attacked)}</div>"
        f"{PEAK.ticks()}"
        f"<p class='ra-unit'>{UNIT}</p><dl>{''.join(rows)}</dl>"
        "<p class='ra-apart'>Against other threats: each has its own axis and its own 0 dB</p>"
        f"{_of_energy(ruler, beside)}{_of_masking(ruler)}"
        "<p class='ra-apart'>Another classifier: the vote over noisy copies of the clip</p>"
        f"{_of_smoothing(ruler)}</figure>"
    )


def _of_energy(ruler: Ruler, beside: bool) -> str:
    level = ruler.level_db("verified", L2)
    words = (
        f"no perturbation at an SNR of {decibel(-level)} or more changes the decision"
        if level is not None else NO_PROOF if ruler.unproven
        else "nothing is proven above −160 dB"
    )  # fmt: skip
    unit = "L2 norm of the perturbation, in dB relative to the clip's: minus the SNR"
    mark, hearing = "", ""
    if isinstance(ruler, ListeningRuler):
        mark, hearing = broken_part(ENERGY, ruler.attacked_l2_db), _of_hearing(ruler, beside)
    return strip("ra-of-l2", "L2", level, ENERGY, unit, words, mark, hearing)


def _of_hearing(ruler: ListeningRuler, beside: bool) -> str:
    """Thresholds of a listening study beside proof and attack in L2."""
    families = ruler.heard
    people = max(len(family.listeners) for family in families)
    levels = ", ".join(
        f"{escape(family.shown)} without a common threshold"
        if family.sign is None
        else f"{escape(family.shown)} at {_at(family)}"
        for family in families
    )
    simulated = "simulated " * any(family.simulated for family in families)
    who = f"One {simulated}listener" if people == 1 else f"{people} {simulated}listeners"
    cut = L2_ATTACK in ruler.ended
    reach = _reach(ruler.level_db("verified", L2), ruler.attacked_l2_db, cut, "this model")
    claims = "".join(
        f"<li>“{claim.claim.capitalize()}”: <strong>{claim.verdict}</strong>, "
        f"{escape(claim.because)}.</li>"
        for claim in ruler.claims
    )
    strange = "".join(
        f" The attack {escape(family.shown)} was made against "
        f"{escape(str(family.made_against))}, not against this classifier."
        for family in families
        if family.made_against not in (None, ruler.classifier)
    )
    judged = f"<ul class='ra-claims'>{claims}</ul>"
    if beside:
        return f"<div class='ra-heard-words'>In L2: {reach}.{strange}</div>{judged}"
    return (
        f"<div class='ra-heard-words'>{who} heard {levels}; {reach} (all in L2).{strange}</div>"
        f"<dl>{''.join(map(_heard_row, families))}</dl>{judged}"
        "<div class='ra-note'>Heard: at d′ = 1 (76 % right of two intervals), in dB of L2, with "
        "the 95 % interval; dashed: the masking model's prediction. Each family is one direction, "
        "neither the most audible nor the least; the thresholds are these people's, of this clip."
        "</div>"
    )


def _at(family: HearingThreshold) -> str:
    return "–" if family.sign is None else f"{SIGNS[family.sign]}{decibel(family.level_db)}"


def _heard_row(family: HearingThreshold) -> str:
    """A family: its threshold as a mark, the interval as a bar, the prediction dashed."""
    low, high = (ENERGY.at(end) for end in family.range_db)
    known, predicted = family.sign is not None, family.predicted_db
    people = len(family.listeners)
    words = [f"{people} listener{'' if people == 1 else 's'}", _interval(family)]
    marks = f"<i class='ra-interval' style='left:{low:.2f}%;width:{high - low:.2f}%'></i>" * known
    if predicted is not None:
        words.append(f"by the masking model inaudible below {decibel(predicted)}")
        marks += f"<i class='ra-predicted' style='left:{ENERGY.at(predicted):.2f}%'></i>"
    if family.level_db is not None:
        marks += f"<span style='left:{ENERGY.at(family.level_db):.2f}%'></span>"
    return (
        f"<div class='ra-heard'><dt>{escape(family.shown)}</dt>"
        f"<dd class='ra-level'>{_at(family)}</dd><dd class='ra-mark'>{marks}</dd>"
        f"<dd class='ra-note'>{'; '.join(words)}</dd></div>"
    )


def _interval(family: HearingThreshold) -> str:
    match family.lower_db, family.upper_db:
        case None, None:
            return "no interval"
        case None, upper:
            return f"95 % interval up to {decibel(upper)}"
        case lower, None:
            return f"95 % interval from {decibel(lower)} on"
    return f"95 % interval {decibel(family.lower_db)} to {decibel(family.upper_db)}"


def _of_masking(ruler: Ruler) -> str:
    level = ruler.level_db("verified", MASKING)
    unit = "the perturbation's loudest bin against the clip's masking threshold, which is 0 dB"
    if ruler.unproven:
        words = NO_PROOF
    elif MASKING not in ruler.norms:
        words = "not defined: this classifier does not start with the magnitude of an STFT"
    elif level is None:
        words = "nothing is proven above −100 dB, relative to the threshold"
    elif level < 0:
        words = (
            f"nothing that stays {decibel(-level)} below the threshold changes the decision; the "
            "rest up to the threshold is inaudible by the model and not proven"
        )
    else:
        words = "nothing under the threshold changes the decision: inaudible by the model"
    threshold = f"<span class='ra-zero' style='left:{THRESHOLD.at(0):.2f}%'></span>"
    return strip("ra-of-masking", "Masking set", level, THRESHOLD, unit, words, threshold)


def _of_smoothing(ruler: Ruler) -> str:
    """The smoothed classifier on its own strip: it may stand beyond what breaks the plain one."""
    voted, sigma = ruler.smoothed_prediction, f"σ {ruler.smoothed.smoothing.sigma:g}"
    level = ruler.level_db("smoothed")
    if voted is None:
        words = f"the smoothed classifier ({sigma}) abstains"
    elif voted != ruler.prediction:
        words = f"the smoothed classifier ({sigma}) hears {label_words(voted)}, not "
        words += f"{label_words(ruler.prediction)}: not trained for this noise"
    else:
        words = f"of the smoothed classifier ({sigma}): the L∞ ball inside its L2 ball, R / √T"
    mark = proven_part(PEAK, level, "ra-smoothed")
    return strip("ra-of-smoothing", "Smoothed", None, PEAK, UNIT, words, mark, shown_db=level)


def _cut_short(ruler: Ruler, ending: Ending) -> str:
    """What was left unfinished; empty where nothing was."""
    if not ruler.ended:
        return ""
    early = "it was ended early, and this is what was found until then"
    why = "".join(limited(ending)) or early
    return (
        f"<p class='ra-note'>{why[0].upper()}{why[1:]}. Not finished: {', '.join(ruler.ended)}. A "
        "proof may reach further than is shown, and an attack may need less.</p>"
    )


def _reach(proven: float | None, attacked: float | None, cut: bool, whom: str = "it") -> str:
    """How far proof and attack reach, in words; the attack may have been `cut` short."""
    below = (
        "nothing is proven" if proven is None
        else f"nothing below {decibel(proven)} can fool {whom}"
    )  # fmt: skip
    above = (
        "the attack has found nothing so far" if attacked is None and cut
        else "the attack finds nothing up to 0 dB" if attacked is None
        else f"the attack needs {decibel(attacked)}"
    )  # fmt: skip
    return f"{below}; {above}"

"""The ruler as HTML: one axis in dB, what is proven on the left, what is broken on the right.

That axis is the L∞ ball's. The proofs against the L2 ball and the masking set stand below it, each
on a strip with its own axis and unit. What people heard stands on the L2 strip: its levels are L2.
"""

from dataclasses import dataclass
from html import escape

from robustaudio.evaluation.figures import shown_label
from robustaudio.evaluation.hearing_thresholds import L2_ATTACK, HearingThreshold
from robustaudio.evaluation.ruler import ATTACK
from robustaudio.listening.analysis.thresholds import SIGNS
from robustaudio.ui.verdicts import METHODS, decibel, is_right, limited, misheard_words


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` dB with a number every `tick` dB."""

    low: int
    high: int
    tick: int = 20

    def at(self, level_db: float) -> float:
        """Position in per cent."""
        share = (min(max(level_db, self.low), self.high) - self.low) / (self.high - self.low)
        return 100 * share

    def ticks(self) -> str:
        marks = "".join(
            f"<i style='left:{self.at(level):.2f}%'><b>{str(level).replace('-', '−')}</b></i>"
            for level in range(self.low, self.high + 1, self.tick)
        )
        return f"<div class='ra-axis'>{marks}</div>"


NO_PROOF = "no proof, as above"
PEAK, ENERGY, THRESHOLD = Axis(-140, 0), Axis(-140, 0), Axis(-100, 20)


def ruler_html(record: dict, *, beside: bool = False, truth: str | None = None) -> str:
    """A picture of one `measure_ruler` record that needs no script and fits any width.

    A proof is green where the prediction is the clip's label, the `truth`, or that is not known. Of
    one that stands `beside` another of the same clip, what people heard is not drawn again.
    """
    ruler, method = record["ruler"], METHODS[record["method"]]
    proven, attacked = ruler["verified_db"], ruler["attacked_db"]
    ended = record.get("ended", [])
    rows = [
        _row("16-bit step", "ra-floor", ruler["floor_16_bit_db"],
             "the resolution of a 16-bit file: smaller changes mostly vanish in it"),
        _row("proven", "ra-proven", proven,
             f"{method}: no perturbation up to here changes the decision"
             if proven is not None
             else _why_not(record) or f"{method} prove nothing above −160 dB"),
        _row("broken", "ra-attacked", attacked,
             "the smallest PGD perturbation found that changes the decision"
             if attacked is not None
             else "PGD has found nothing so far" if ATTACK in ended
             else "PGD found nothing up to 0 dB"),
    ]  # fmt: skip
    misheard = "" if is_right(record["prediction"], truth) else (
        f". <strong class='ra-changed'>{misheard_words(record['prediction'], truth)}: what is "
        "proven is the mistake.</strong>"
    )  # fmt: skip
    kind = "ra-ruler ra-wrong" if misheard else "ra-ruler"
    return (
        f"<figure class='{kind}' aria-label='{escape(_spoken(record))}'>"
        f"<figcaption><strong>{escape(shown_label(record['prediction']))}</strong> by "
        f"{escape(record['classifier'])}: {_summary(record)}{misheard}</figcaption>"
        f"{_cut_short(record)}"
        f"<div class='ra-band'>{_proven(PEAK, proven)}{_broken(PEAK, attacked)}</div>{PEAK.ticks()}"
        "<p class='ra-unit'>L∞: largest sample of the perturbation, in dB relative to the clip's "
        f"peak</p><dl>{''.join(rows)}</dl>"
        "<p class='ra-apart'>Against other threats: each has its own axis and its own 0 dB</p>"
        f"{_of_energy(record, beside)}{_of_masking(record)}"
        "<p class='ra-apart'>Another classifier: the vote over noisy copies of the clip</p>"
        f"{_of_smoothing(record)}</figure>"
    )


def _of_energy(record: dict, beside: bool) -> str:
    level = record["ruler"]["verified_l2_db"]
    words = (
        f"no perturbation at an SNR of {decibel(-level)} or more changes the decision"
        if level is not None else NO_PROOF if record["unproven"]
        else "nothing is proven above −160 dB"
    )  # fmt: skip
    unit = "L2 norm of the perturbation, in dB relative to the clip's: minus the SNR"
    right = _broken(ENERGY, record.get("attacked_l2_db"))
    heard = _of_hearing(record, beside)
    return _strip("ra-of-l2", "L2", level, ENERGY, unit, words, right, heard)


def _of_hearing(record: dict, beside: bool) -> str:
    """Thresholds of a listening study beside proof and attack in L2; empty without a study."""
    if "heard" not in record:
        return ""
    heard = [HearingThreshold(**one) for one in record["heard"]]
    people, levels = max(len(one.listeners) for one in heard), ", ".join(map(_heard_at, heard))
    simulated = "simulated " * any(one.simulated for one in heard)
    who = f"One {simulated}listener" if people == 1 else f"{people} {simulated}listeners"
    proven, attacked = record["ruler"]["verified_l2_db"], record["attacked_l2_db"]
    rest = _found(proven, attacked, L2_ATTACK in record.get("ended", []), "this model")
    claims = "".join(
        f"<li>“{one['claim'].capitalize()}”: <strong>{one['verdict']}</strong>, "
        f"{escape(one['because'])}.</li>"
        for one in record["claims"]
    )
    strange = "".join(
        f" The attack {escape(one.shown)} was made against {escape(str(one.made_against))}, not "
        "against this classifier."
        for one in heard
        if one.made_against not in (None, record["classifier"])
    )
    judged = f"<ul class='ra-claims'>{claims}</ul>"
    if beside:
        return f"<div class='ra-heard-words'>In L2: {rest}.{strange}</div>{judged}"
    return (
        f"<div class='ra-heard-words'>{who} heard {levels}; {rest} (all in L2).{strange}</div>"
        f"<dl>{''.join(map(_heard_row, heard))}</dl>{judged}"
        "<div class='ra-note'>Heard: at d′ = 1 (76 % right of two intervals), in dB of L2, with "
        "the 95 % interval; dashed: the masking model's prediction. Each family is one direction, "
        "neither the most audible nor the least; the thresholds are these people's, of this clip."
        "</div>"
    )


def _heard_at(heard: HearingThreshold) -> str:
    name = escape(heard.shown)
    return f"{name} without a common threshold" if heard.sign is None else f"{name} at {_at(heard)}"


def _at(heard: HearingThreshold) -> str:
    return "–" if heard.sign is None else f"{SIGNS[heard.sign]}{decibel(heard.level_db)}"


def _heard_row(heard: HearingThreshold) -> str:
    """A family: its threshold as a mark, the interval as a bar, the prediction dashed."""
    low, high = (ENERGY.at(end) for end in heard.range_db)
    known, predicted = heard.sign is not None, heard.predicted_db
    people = len(heard.listeners)
    words = [f"{people} listener{'' if people == 1 else 's'}", _interval(heard)]
    marks = f"<i class='ra-interval' style='left:{low:.2f}%;width:{high - low:.2f}%'></i>" * known
    if predicted is not None:
        words.append(f"by the masking model inaudible below {decibel(predicted)}")
        marks += f"<i class='ra-predicted' style='left:{ENERGY.at(predicted):.2f}%'></i>"
    if heard.level_db is not None:
        marks += f"<span style='left:{ENERGY.at(heard.level_db):.2f}%'></span>"
    return (
        f"<div class='ra-heard'><dt>{escape(heard.shown)}</dt>"
        f"<dd class='ra-level'>{_at(heard)}</dd><dd class='ra-mark'>{marks}</dd>"
        f"<dd class='ra-note'>{'; '.join(words)}</dd></div>"
    )


def _interval(heard: HearingThreshold) -> str:
    match heard.lower_db, heard.upper_db:
        case None, None:
            return "no interval"
        case None, upper:
            return f"95 % interval up to {decibel(upper)}"
        case lower, None:
            return f"95 % interval from {decibel(lower)} on"
    return f"95 % interval {decibel(heard.lower_db)} to {decibel(heard.upper_db)}"


def _of_masking(record: dict) -> str:
    level = record["ruler"]["verified_masking_db"]
    unit = "the perturbation's loudest bin against the clip's masking threshold, which is 0 dB"
    if record["unproven"]:
        words = NO_PROOF
    elif "masking" not in record["norms"]:
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
    return _strip("ra-of-masking", "Masking set", level, THRESHOLD, unit, words, threshold)


def _strip(
    kind: str, name: str, level_db: float | None, axis: Axis, unit: str, words: str,
    mark: str = "", more: str = "", shown_db: float | None = None,
) -> str:  # fmt: skip
    shown_db = level_db if shown_db is None else shown_db
    value = "–" if shown_db is None else decibel(shown_db)
    return (
        f"<section class='ra-strip {kind}'><p><strong>{name}</strong>"
        f"<span class='ra-level'>{value}</span></p>"
        f"<div class='ra-band'>{_proven(axis, level_db)}{mark}</div>{axis.ticks()}"
        f"<p class='ra-unit'>{unit}</p><p class='ra-note'>{words}</p>{more}</section>"
    )


def _proven(axis: Axis, level_db: float | None) -> str:
    if level_db is None:
        return ""
    return f"<span class='ra-proven' style='left:0;width:{axis.at(level_db):.2f}%'></span>"


def _broken(axis: Axis, level_db: float | None) -> str:
    if level_db is None:
        return ""
    return f"<span class='ra-attacked' style='left:{axis.at(level_db):.2f}%;right:0'></span>"


def _row(name: str, kind: str, level_db: float | None, words: str) -> str:
    mark = "" if level_db is None else f"<span style='left:{PEAK.at(level_db):.2f}%'></span>"
    value = "–" if level_db is None else decibel(level_db)
    return (
        f"<div class='{kind}'><dt>{name}</dt><dd class='ra-level'>{value}</dd>"
        f"<dd class='ra-mark'>{mark}</dd><dd class='ra-note'>{words}</dd></div>"
    )


def _of_smoothing(record: dict) -> str:
    """The smoothed classifier on its own strip: it may stand beyond what breaks the plain one."""
    sigma, says = f"σ {record['smoothing']['sigma']:g}", record["smoothed_prediction"]
    level = record["ruler"]["smoothed_db"]
    mark = ""
    if says is None:
        words = f"the smoothed classifier ({sigma}) abstains"
    elif says != record["prediction"]:
        words = f"the smoothed classifier ({sigma}) hears {escape(shown_label(says))}, not "
        words += f"{escape(shown_label(record['prediction']))}: not trained for this noise"
    else:
        words = f"of the smoothed classifier ({sigma}): the L∞ ball inside its L2 ball, R / √T"
    if level is not None:
        mark = f"<span class='ra-smoothed' style='left:0;width:{PEAK.at(level):.2f}%'></span>"
    unit = "L∞: largest sample of the perturbation, in dB relative to the clip's peak"
    return _strip("ra-of-smoothing", "Smoothed", None, PEAK, unit, words, mark, shown_db=level)


def _why_not(record: dict) -> str:
    """Why there is no proof at all; empty where one was tried."""
    return escape(record["unproven"] or "")


def _cut_short(record: dict) -> str:
    """What a server's limit has left unfinished; empty where nothing was."""
    if not (ended := record.get("ended")):
        return ""
    why = "".join(limited(record)) or "it was ended early, and this is what was found until then"
    return (
        f"<p class='ra-note'>{why[0].upper()}{why[1:]}. Not finished: {', '.join(ended)}. A proof "
        "may reach further than is shown, and an attack may need less.</p>"
    )


def _summary(record: dict) -> str:
    ruler = record["ruler"]
    cut = ATTACK in record.get("ended", [])
    return _found(ruler["verified_db"], ruler["attacked_db"], cut)


def _found(proven: float | None, attacked: float | None, cut: bool, whom: str = "it") -> str:
    """In words; the attack may have been `cut` short."""
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


def _spoken(record: dict) -> str:
    return f"Ruler: {_summary(record)}"

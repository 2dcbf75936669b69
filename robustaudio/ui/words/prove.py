"""Words of the tab Prove: verdicts, in which units, and what they do not cover."""

import html

from robustaudio.certification.smoothing import Smoothing
from robustaudio.evaluation.figures import rivals_in_reach, shown_label
from robustaudio.threats.norms import norm_named
from robustaudio.ui.html import caption, card, decibel, label_words
from robustaudio.ui.words.terms import (
    BOUNDS,
    is_right,
    limited,
    misheard_words,
)


def verification_words(record: dict, truth: str | None = None) -> str:
    """The verdict against a threat, in its own decibels, and what it rests on.

    A proof that a clip is misheard, its label being the `truth`, is no good news.
    """
    norm, largest = record["norm"], record["largest_level_db"]
    if record["verified"]:
        headline, outcome = "PROVEN", f"{_nothing(record)} changes the decision"
    else:
        headline = "NOT PROVEN"
        outcome = f"{_nothing(record, 'something', 'a')} may exist that changes the decision"
    wrong = not is_right(record["prediction"], truth)
    if wrong:
        outcome += f". {misheard_words(record['prediction'], truth)}"
        headline = (
            f"PROVEN {label_words(record['prediction'])}, wrong" if record["verified"] else headline
        )
    rivals = {k: v for k, v in record["worst_logits"].items() if k != record["prediction"]}
    rival = max(rivals, key=rivals.__getitem__)
    size = f"waveform {norm_named(norm).symbol} ball of ε = {record['epsilon']:.3g}"
    facts = [
        f"prediction {label_words(record['prediction'])}",
        BOUNDS[record["method"]],
        f"ε = {record['epsilon']:.3g} times the threshold" if norm == "masking" else size,
        _closest(record["prediction"], rival, rivals[rival]),
        "largest proven level "
        + (
            f"{decibel(largest)} relative to {norm_named(norm).words.relative_to}"
            if largest is not None
            else "none"
        ),
        f"{record['seconds']:.2f} s",
    ]
    notes = [
        f"{BOUNDS[record['method']]} in float64 over the whole {record['duration_s']:g} s that "
        "the classifier hears, the silence around the clip included; no larger perturbation, no "
        "shift in time and no other clip is covered"
    ]
    if "limit_s" in record:
        notes.append(f"{limited(record)[0]}. The largest proven level may be larger")
    if not record["verified"]:
        notes.append("not proven is not broken: the bounds may be too wide; only an attack breaks")
    if record["masking"]:
        notes += _masking_notes(record["masking"])
    if norm == "linf" and record["level_db"] < record["floor_16_bit_db"]:
        notes.append(
            "this ball is smaller than one step of a 16-bit file, where most of it vanishes"
        )
    return card(headline, outcome, facts, notes, bad=wrong or not record["verified"])


def _nothing(record: dict, nothing: str = "nothing", no: str = "no") -> str:
    """All that the threat holds, as the subject of a sentence."""
    level_db = record["level_db"]
    if record["norm"] == "linf":
        return f"{no} perturbation with every sample within {decibel(level_db)} of the clip's peak"
    if record["norm"] == "l2":
        return (
            f"{no} perturbation with an L2 norm of at most {decibel(level_db)} of the clip's "
            f"(SNR {decibel(-level_db)} or more)"
        )
    if level_db > 0:
        return (
            f"{nothing} that exceeds the clip's masking threshold by at most {decibel(level_db)} "
            "in every bin of every frame"
        )
    where = f"{decibel(-level_db)} below" if level_db < 0 else "at or below"
    return f"{nothing} that stays {where} the clip's masking threshold in every bin of every frame"


def _masking_notes(masking: dict) -> list[str]:
    """What the masking set takes for granted."""
    weighted = (
        f"; they follow a pre-emphasis of {masking['pre_emphasis']:g}, with which the threshold is "
        "weighted bin by bin"
        if masking["pre_emphasis"] else ""
    )  # fmt: skip
    return [
        f"frames are those of the classifier's own STFT: {masking['frame_ms']:.3g} ms, one every "
        f"{masking['hop_ms']:.3g} ms{weighted}",
        "inaudible is the prediction of a model (Qin et al. 2019): the clip's loudest bin is "
        f"played at {masking['assumed_peak_spl_db']:g} dB SPL, tones mask only what sounds in the "
        "same frame (no temporal masking); a listener who turns the volume up is not covered",
    ]


def interval_words(record: dict) -> str:
    """The caption of the logits' intervals: why it is proven, or why not."""
    prediction, reaching = record["prediction"], rivals_in_reach(record)
    line = f"Dashed: the least logit of {label_words(prediction)} over the whole set. "
    if not reaching:
        return caption(line + "No other label reaches it, so the decision cannot change.")
    red = f"Red: {', '.join(map(label_words, reaching))}, which may reach above it. "
    if record["verified"]:
        red += (
            "It is proven all the same: the difference of two logits is bounded directly, over "
            "the same perturbations, and that is tighter than the difference of their intervals."
        )
    else:
        red += (
            "A proof may hold where intervals overlap, because differences of logits are bounded "
            "directly; here those bounds are not above zero either."
        )
    return caption(line + red)


def noise_words(record: dict) -> str:
    """Two noises of equal energy against the threshold."""
    above, ratio = record["exceeds_threshold_db"], record["noise_to_mask_db"]
    hidden = above["shaped"] <= 0
    outcome = (
        "the model predicts: with the clip playing you hear the white noise, not the shaped one"
        if hidden and above["white"] > 0
        else "one energy, two noises, and what the model predicts of each"
    )
    facts = [
        f"both: SNR {decibel(record['snr_db'], '∞ dB')}, the same energy",
        f"shaped: {_against(above['shaped'])} in its worst bin, "
        f"noise-to-mask ratio {decibel(ratio['shaped'])}",
        f"white: {_against(above['white'])} in its worst bin, "
        f"noise-to-mask ratio {decibel(ratio['white'])}",
    ]
    notes = [
        "the shaped noise is one sound of the masking set, as loud as the set allows, and not its "
        "worst one: a proof speaks of all of them. D and E have one common amplification",
        "noise-to-mask ratio: energy over that of the threshold, mean over Bark bands and frames",
    ]
    return card("Listen", outcome, facts, notes)


def smoothing_words(record: dict, truth: str | None = None, for_noise: str | None = None) -> str:
    """The vote's class and radius; good only where it is the clip's label, the `truth`.

    Where that is not known, it is what the classifier itself hears. `for_noise` is the classifier
    that was trained for such noise, if this is another one.
    """
    expected, wrong = _expected(record, truth), outvoted(record, truth)
    if record["prediction"] is None:
        headline, outcome = "ABSTAIN", "no class wins more than half of the noisy copies for sure"
    else:
        headline = f"CERTIFIED {label_words(record['prediction'])}"
        radius = f"L2 radius {record['radius']:.3g} at the {record['representation']}"
        smoothing = Smoothing(sigma=record["sigma"], alpha=record["alpha"])
        if record["radius"] >= 0.9999 * smoothing.largest_radius_of(record["n"]):
            radius += f", the most that {record['n']:g} votes can show"
        outcome = radius
        if wrong:
            headline += ", wrong" * (truth is not None)
            outcome = (
                f"The vote hears {label_words(record['prediction'])}, not {html.escape(expected)}"
            )
            outcome += (
                f": this classifier was not trained for this noise. Try {html.escape(for_noise)}. "
                if for_noise else ". "
            ) + f"Certified: {radius}"  # fmt: skip
    facts = [
        f"σ {record['sigma']:g}", f"n {record['n']}", f"p ≥ {record['p_lower']:.4f}",
        f"confidence 1 − {record['alpha']:g}", f"{record['seconds']:.2f} s",
    ]  # fmt: skip
    notes = ["it speaks of the SMOOTHED classifier, which votes over noisy copies of the clip"]
    if "limit_s" in record:
        notes.append(f"{limited(record)[0]}. It rests on the {record['n']} votes until then")
    if record["prediction"] not in (None, record["clean_prediction"]):
        notes.append(
            f"the classifier itself hears {label_words(record['clean_prediction'])}; the "
            "certificate is for the vote, which is often wrong under noise that the classifier was "
            "not trained for"
        )
    if record["level_l2_db"] is not None:
        notes.append(
            f"the radius is {decibel(record['level_l2_db'])} of the clip's L2 norm; the largest L∞ "
            f"ball inside it lies at {decibel(record['level_linf_db'])} of the clip's peak"
        )
    return card(headline, outcome, facts, notes, bad=wrong or record["prediction"] is None)


def outvoted(record: dict, truth: str | None) -> bool:
    """Whether the vote certifies another class than the clip's, or than the classifier's own."""
    return record["prediction"] is not None and not is_right(
        record["prediction"], _expected(record, truth)
    )


def _expected(record: dict, truth: str | None) -> str:
    return shown_label(record["clean_prediction"]) if truth is None else truth


def _against(level_db: float | None) -> str:
    """A level relative to the threshold, in words."""
    if level_db is None or level_db <= 0:
        return f"{decibel(None if level_db is None else -level_db, '∞ dB')} below the threshold"
    return f"{decibel(level_db)} above the threshold"


def _closest(prediction: str, rival: str, lead: float) -> str:
    if lead < 0:
        others = f"every rival (closest: {label_words(rival)})"
        return f"{label_words(prediction)} stays {-lead:.2f} logits above {others}"
    return f"at worst {label_words(rival)} could lead by {lead:.2f} logits"

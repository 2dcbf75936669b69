"""Words of the tab Prove: verdicts, in which units, and what they do not cover."""

import html
from operator import itemgetter

from robustaudio.audio.tasks import shown_label
from robustaudio.evaluation.results import (
    CertifiedClip,
    MaskingAssumptions,
    NoisePair,
    VerifiedClip,
)
from robustaudio.ui.figures import rivals_in_reach
from robustaudio.ui.html import caption, card, decibel, label_words
from robustaudio.ui.words.terms import BOUNDS, BY_ITSELF, Ending, is_right, limited, misheard_words


def verification_words(
    result: VerifiedClip, truth: str | None = None, ending: Ending = BY_ITSELF
) -> str:
    """The verdict against a threat, in its own decibels, and what it rests on.

    A proof that a clip is misheard, its label being the `truth`, is no good news.
    """
    norm, largest, label = result.norm, result.largest_level_db, result.prediction
    if result.verified:
        headline, outcome = "PROVEN", f"{_nothing(result)} changes the decision"
    else:
        headline = "NOT PROVEN"
        outcome = f"{_nothing(result, 'something', 'a')} may exist that changes the decision"
    wrong = not is_right(label, truth)
    if wrong:
        outcome += f". {misheard_words(label, truth)}"
        headline = f"PROVEN {label_words(label)}, wrong" if result.verified else headline
    rivals = {rival: lead for rival, lead in result.worst_logits.items() if rival != label}
    closest, lead = max(rivals.items(), key=itemgetter(1))
    epsilon = f"ε = {result.epsilon:.3g}"
    relative_to = norm.words.relative_to
    proven = "none" if largest is None else f"{decibel(largest)} relative to {relative_to}"
    facts = [
        f"prediction {label_words(label)}",
        BOUNDS[result.method],
        f"{epsilon} times the threshold" if norm.needs_threshold
        else f"waveform {norm.symbol} ball of {epsilon}",
        f"{label_words(label)} stays {-lead:.2f} logits above every rival (closest: "
        f"{label_words(closest)})"
        if lead < 0 else f"at worst {label_words(closest)} could lead by {lead:.2f} logits",
        f"largest proven level {proven}",
        f"{result.seconds:.2f} s",
    ]  # fmt: skip
    notes = [
        f"{BOUNDS[result.method]} in float64 over the whole {result.duration_s:g} s that the "
        "classifier hears, the silence around the clip included; no larger perturbation, no shift "
        "in time and no other clip is covered"
    ]
    notes += [f"{note}. The largest proven level may be larger" for note in limited(ending)]
    if not result.verified:
        notes.append("not proven is not broken: the bounds may be too wide; only an attack breaks")
    if result.masking:
        notes += _masking_notes(result.masking)
    if norm.is_box and result.level_db < result.floor_16_bit_db:
        notes.append(
            "this ball is smaller than one step of a 16-bit file, where most of it vanishes"
        )
    return card(headline, outcome, facts, notes, bad=wrong or not result.verified)


def _nothing(result: VerifiedClip, nothing: str = "nothing", no: str = "no") -> str:
    """All that the threat holds, as the subject of a sentence."""
    level_db, norm = result.level_db, result.norm
    if norm.is_box:
        return f"{no} perturbation with every sample within {decibel(level_db)} of the clip's peak"
    if not norm.needs_threshold:
        return (
            f"{no} perturbation with an {norm.symbol} norm of at most {decibel(level_db)} of the "
            f"clip's (SNR {decibel(-level_db)} or more)"
        )
    if level_db > 0:
        return (
            f"{nothing} that exceeds the clip's masking threshold by at most {decibel(level_db)} "
            "in every bin of every frame"
        )
    where = f"{decibel(-level_db)} below" if level_db < 0 else "at or below"
    return f"{nothing} that stays {where} the clip's masking threshold in every bin of every frame"


def _masking_notes(masking: MaskingAssumptions) -> list[str]:
    """What the masking set takes for granted."""
    weighted = (
        f"; they follow a pre-emphasis of {masking.pre_emphasis:g}, with which the threshold is "
        "weighted bin by bin"
        if masking.pre_emphasis else ""
    )  # fmt: skip
    return [
        f"frames are those of the classifier's own STFT: {masking.frame_ms:.3g} ms, one every "
        f"{masking.hop_ms:.3g} ms{weighted}",
        "inaudible is the prediction of a model (Qin et al. 2019): the clip's loudest bin is "
        f"played at {masking.assumed_peak_spl_db:g} dB SPL, tones mask only what sounds in the "
        "same frame (no temporal masking); a listener who turns the volume up is not covered",
    ]


def interval_words(result: VerifiedClip) -> str:
    """The caption of the logits' intervals: why it is proven, or why not."""
    prediction, reaching = result.prediction, rivals_in_reach(result)
    line = f"Dashed: the least logit of {label_words(prediction)} over the whole set. "
    if not reaching:
        return caption(line + "No other label reaches it, so the decision cannot change.")
    red = f"Red: {', '.join(map(label_words, reaching))}, which may reach above it. "
    if result.verified:
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


def noise_words(noises: NoisePair) -> str:
    """Two noises of equal energy against the threshold."""
    above, ratio = noises.exceeds_threshold_db, noises.noise_to_mask_db
    hidden = _at_most_0(above.shaped) and not _at_most_0(above.white)
    outcome = (
        "the model predicts: with the clip playing you hear the white noise, not the shaped one"
        if hidden
        else "one energy, two noises, and what the model predicts of each"
    )
    facts = [
        f"both: SNR {decibel(noises.snr_db, '∞ dB')}, the same energy",
        f"shaped: {_against(above.shaped)} in its worst bin, "
        f"noise-to-mask ratio {decibel(ratio.shaped)}",
        f"white: {_against(above.white)} in its worst bin, "
        f"noise-to-mask ratio {decibel(ratio.white)}",
    ]
    notes = [
        "the shaped noise is one sound of the masking set, as loud as the set allows, and not its "
        "worst one: a proof speaks of all of them. D and E have one common amplification",
        "noise-to-mask ratio: energy over that of the threshold, mean over Bark bands and frames",
    ]
    return card("Listen", outcome, facts, notes)


def smoothing_words(
    result: CertifiedClip, truth: str | None = None, for_noise: str | None = None,
    ending: Ending = BY_ITSELF,
) -> str:  # fmt: skip
    """The vote's class and radius; good only where it is the clip's label, the `truth`.

    Where that is not known, it is what the classifier itself hears. `for_noise` is the classifier
    that was trained for such noise, if this is another one.
    """
    wrong, n, alpha = outvoted(result, truth), result.n, result.smoothing.alpha
    if result.prediction is None:
        headline, outcome = "ABSTAIN", "no class wins more than half of the noisy copies for sure"
    else:
        headline = f"CERTIFIED {label_words(result.prediction)}"
        radius = f"L2 radius {result.radius:.3g} at the {result.representation}"
        if result.radius >= 0.9999 * result.largest_radius:
            radius += f", the most that {n:g} votes can show"
        outcome = radius
        if wrong:
            headline += ", wrong" * (truth is not None)
            outcome = f"The vote hears {label_words(result.prediction)}, not "
            outcome += html.escape(_expected(result, truth))
            outcome += (
                f": this classifier was not trained for this noise. Try {html.escape(for_noise)}. "
                if for_noise else ". "
            ) + f"Certified: {radius}"  # fmt: skip
    facts = [
        f"σ {result.smoothing.sigma:g}", f"n {n}", f"p ≥ {result.p_lower:.4f}",
        f"confidence 1 − {alpha:g}", f"{result.seconds:.2f} s",
    ]  # fmt: skip
    notes = ["it speaks of the SMOOTHED classifier, which votes over noisy copies of the clip"]
    notes += [f"{note}. It rests on the {n} votes until then" for note in limited(ending)]
    if result.prediction not in (None, result.clean_prediction):
        notes.append(
            f"the classifier itself hears {label_words(result.clean_prediction)}; the certificate "
            "is for the vote, which is often wrong under noise that the classifier was not trained "
            "for"
        )
    if result.level_l2_db is not None:
        notes.append(
            f"the radius is {decibel(result.level_l2_db)} of the clip's L2 norm; the largest L∞ "
            f"ball inside it lies at {decibel(result.level_linf_db)} of the clip's peak"
        )
    return card(headline, outcome, facts, notes, bad=wrong or result.prediction is None)


def outvoted(result: CertifiedClip, truth: str | None) -> bool:
    """Whether the vote certifies another class than the clip's, or than the classifier's own."""
    voted = result.prediction
    return voted is not None and not is_right(voted, _expected(result, truth))


def _expected(result: CertifiedClip, truth: str | None) -> str:
    return shown_label(result.clean_prediction) if truth is None else truth


def _at_most_0(level_db: float | None) -> bool:
    return level_db is None or level_db <= 0


def _against(level_db: float | None) -> str:
    """A level relative to the threshold, in words."""
    if level_db is None or level_db <= 0:
        return f"{decibel(None if level_db is None else -level_db, '∞ dB')} below the threshold"
    return f"{decibel(level_db)} above the threshold"

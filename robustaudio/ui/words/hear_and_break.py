"""Words of the tab Hear & break: what was done to the clip, and what became of the decision."""

import html
from collections.abc import Sequence

from robustaudio.evaluation.exhibits import SHIFT
from robustaudio.evaluation.results import (
    AttackedClip,
    Difference,
    Exhibit,
    MaximisedClip,
    NoisyClip,
    PerturbedClip,
    Standing,
)
from robustaudio.perception.audibility import DISTURBED_DB
from robustaudio.perception.masking import ASSUMED_PEAK_SPL_DB
from robustaudio.threats.norms import norm_named
from robustaudio.ui.figures import Audibility
from robustaudio.ui.html import caption, card, decibel, label_words
from robustaudio.ui.wish import minimises
from robustaudio.ui.words.terms import BY_ITSELF, Ending, is_right, level_relative_to, stopped

NOTHING_TO_JUDGE = caption("There is no perturbation, and so nothing to judge.")
AT_MOST = "The largest allowed: this attack looks for the smallest by itself."


def perturbation_words(
    result: PerturbedClip, truth: str | None = None, ending: Ending = BY_ITSELF
) -> str:
    """What happened to the decision, how large it was, and what 16 bits leave of it.

    Where the clip's label is known, the `truth`, a decision that holds is good only if right.
    """
    before, after = label_words(result.clean_prediction), label_words(result.prediction)
    changed = before != after
    headline = f"<strong>{before}</strong> → <strong>{after}</strong>"
    outcome, reached = "the decision changed" if changed else "the decision holds", changed
    facts = [*_made_by(result), *_sizes(result), *_predicted(result.difference)]
    if isinstance(result, AttackedClip):
        if result.target is not None:
            reached = result.prediction == result.target
            target = label_words(result.target)
            outcome = f"target {target} " + ("reached" if reached else "not reached")
        plural = "query" if result.queries == 1 else "queries"
        facts.append(f"{result.queries} {plural} in {result.seconds:.1f} s")
    wrong = not is_right(result.clean_prediction, truth)
    if wrong:
        outcome += f"; it was wrong before: this clip is labelled {html.escape(str(truth))}"
    notes = []
    if reached:
        notes.append(
            "survives rounding to 16 bit" if result.success_after_rounding
            else "does NOT survive rounding to 16 bit: a 16-bit file would undo it"
        )  # fmt: skip
    notes += stopped(ending)
    notes += _inversion_notes(result)
    return card(headline, outcome, facts, notes, bad=changed or wrong)


def so_far_words(before: str, after: str) -> str:
    """While an attack still searches."""
    headline = f"<strong>{label_words(before)}</strong> → <strong>{label_words(after)}</strong>"
    return card(headline, "so far: the best candidate is in the player", [], [])


def _inversion_notes(result: PerturbedClip) -> list[str]:
    """What became of a perturbed representation on its way to a sound."""
    match result:
        case AttackedClip(representation=at) if at != "waveform":
            done = "succeeded" if result.success else "did not succeed"
            return [
                f"at the {at} itself the attack {done}; what you hear, and what is judged above, "
                "is the closest inversion, with the clean phase: the classifier hears "
                f"{label_words(result.prediction)} in it. Level, SNR and noise-to-mask ratio are "
                "those of that sound"
            ]
        case NoisyClip(representation=at) if at != "waveform" and result.sigma:
            return [
                f"at the {at} itself the classifier says "
                f"{label_words(result.prediction_at_representation)}; no sound has exactly this "
                "noisy spectrum: what the inversion with the clean phase misses is "
                f"{decibel(result.inversion_loss_db)} relative to the noise"
            ]
    return []


def exhibits_words(shown: Sequence[Exhibit], result: PerturbedClip) -> str:
    """A row per exhibit, the clean clip's letter in the player before them."""
    names = {
        "given": _method(result), "noise": "uniform noise, same L2",
        "shift": f"clip {SHIFT} samples late",
    }  # fmt: skip
    rows = "".join(
        f"<tr><td><kbd>{key}</kbd></td><th scope='row'>{names[exhibit.kind]}</th>"
        f"<td>{exhibit.l2:.4g}</td>"
        f"<td>{decibel(exhibit.snr_db, '∞ dB')}</td>"
        f"<td>{decibel(exhibit.noise_to_mask_db)}</td>"
        f"<td>{_heard_as(result.clean_prediction, exhibit.prediction)}</td></tr>"
        for key, exhibit in zip("BCD", shown, strict=True)
    )
    head = "".join(
        f"<th scope='col'>{title}</th>"
        for title in ("", "perturbation", "L2", "SNR", "noise-to-mask", "heard as")
    )
    return (
        f"<div class='ra-wide'><table class='ra-table'><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        + caption(
            "The shift sounds like the clip, however large its L2. Noise of the perturbation's own "
            "L2 may be far easier to hear, or change nothing: L2 alone says neither what is heard "
            "nor what is decided. The noise-to-mask ratio takes all of a difference for an added "
            "sound, and so calls the shift loud, too."
        )
    )


def _heard_as(before: str, after: str) -> str:
    label = label_words(after)
    return f"<strong class='ra-changed'>{label}</strong>" if after != before else label


def audibility_words(audibility: Audibility) -> str:
    """What the masking model predicts of a perturbation."""
    total, share = audibility.total_db, audibility.share_above
    outcome = f"in {share:.0%} of the frames some band lies above the threshold"
    if not share:
        outcome = "in every frame the whole perturbation lies below the threshold"
    framing = audibility.threshold.framing
    worst = audibility.time_s(audibility.worst_frame)
    facts = [
        f"total noise-to-mask ratio {decibel(total)}",
        f"frames of {1000 * framing.n_fft / audibility.threshold.sample_rate:.3g} ms",
        "bands of one Bark",
    ]
    notes = [
        f"left: the frame in which it is loudest against the threshold, at {worst:.2f} s; move the "
        "slider for another. Right: red is above the threshold. In silence only the threshold in "
        "quiet hides anything",
        "the masking set counts on the classifier's frames and bins: these frames and bands may "
        "say otherwise of the same sound",
        "predictions of a model (Qin et al. 2019), not of a listener: the clip's loudest bin is "
        f"played at {ASSUMED_PEAK_SPL_DB:g} dB SPL, and no temporal masking is modelled",
    ]
    return card("predicted inaudible" if not share else "predicted audible", outcome, facts, notes)


def search_words(words: str, steps: Sequence[Standing], relative_to: str) -> str:
    """Where a search stands, beside its bar; `words` until it has said so."""
    if not steps:
        return words
    if population := steps[-1].population:
        best = f"{population.best:.2f}".replace("-", "−")
        return f"generation {len(steps)}, best fitness {best}:"
    return f"step {len(steps)}, {decibel(steps[-1].level_db)} of {relative_to}:"


def maximised_words(result: MaximisedClip, ending: Ending = BY_ITSELF) -> str:
    """How sure the classifier was, and is."""
    facts = [
        f"level {decibel(result.level_full_scale_db)} of full scale",
        f"{result.queries} queries in {result.seconds:.1f} s on {result.classifier}",
    ]
    notes = [
        "the search knows the classifier's answers only; what it is sure of need not sound like it",
        *stopped(ending),
    ]
    outcome = f"that this is “{label_words(result.label)}”: it was "
    outcome += f"{result.probability_before:.1%} sure before"
    return card(f"{result.probability:.1%} sure", outcome, facts, notes)


def _method(result: PerturbedClip) -> str:
    return result.settings.title if isinstance(result, AttackedClip) else "Gaussian noise"


def _made_by(result: PerturbedClip) -> list[str]:
    """The method, so that the words stay true when a widget is moved."""
    match result:
        case NoisyClip(sigma=sigma, representation=at):
            return [f"{_method(result)}, σ {sigma:g} at the {at}"]
        case AttackedClip(representation=at):
            where = "" if at == "waveform" else f" at the {at}"
            rounding = ", rounded to 16 bit within" if result.survive_rounding else ""
            reach = "allowed" if result.difference.linf else "nothing found up to"
            symbol = result.norm.symbol
            return [
                f"{_method(result)} in {symbol} on {result.classifier}{where}{rounding}",
                f"{reach} {decibel(result.budget_db)} of {level_relative_to(result.norm, at)}",
            ]
    return []


def _predicted(difference: Difference) -> list[str]:
    """What the masking model says of the perturbation."""
    if not difference.linf:
        return []
    total, most = difference.noise_to_mask_db, difference.max_noise_to_mask_db
    return [
        f"noise-to-mask {decibel(total)}, at most {decibel(most)}",
        f"disturbed frames {difference.disturbed_frames:.0%} (above {DISTURBED_DB:g} dB)",
    ]


def _sizes(result: PerturbedClip) -> list[str]:
    """Level and SNR, the norm that was asked for first."""
    size = result.difference
    if not size.linf:
        return [] if isinstance(result, AttackedClip) else ["no perturbation at all"]
    level = f"{decibel(size.level_db)} of the clip's peak"
    peak, energy = f"largest sample {level}", f"SNR {decibel(size.snr_db, '∞ dB')}"
    first = [f"level {level}", energy]
    match result:
        case AttackedClip(norm=norm) if norm.needs_threshold:
            reached = f"{decibel(result.reached_db)} relative to {norm.words.relative_to}"
            first = [f"level {reached}, on the classifier's frames", energy, peak]
        case AttackedClip(norm=norm) if not norm.is_box and size.snr_db is not None:
            first = [f"L2 level {decibel(-size.snr_db)} of the clip's energy", energy, peak]
    return [*first, f"L2 {size.l2:.4g}", f"L∞ {size.linf:.3g}"]


def about_level(method: str, norm: str, representation: str) -> str:
    """The sentences next to the level."""
    words = norm_named(norm).words
    about = words.about[0].upper() + words.about[1:]
    if representation != "waveform" and words.size:
        about = f"Relative to {level_relative_to(norm_named(norm), representation)}"
    return f"{about}." + (f" {AT_MOST}" if minimises(method) else "")

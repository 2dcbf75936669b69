"""Words of the tab Hear & break: what was done to the clip, and what became of the decision."""

import html
from collections.abc import Sequence

from robustaudio.evaluation.attack import Standing
from robustaudio.evaluation.exhibits import SHIFT, Exhibit
from robustaudio.evaluation.figures import Audibility
from robustaudio.perception.masking import ASSUMED_PEAK_SPL_DB, DISTURBED_DB
from robustaudio.threats.norms import norm_named
from robustaudio.ui.html import caption, card, decibel, label_words
from robustaudio.ui.wish import minimises
from robustaudio.ui.words.terms import ATTACK_NAMES, is_right, level_relative_to, limited

NOTHING_TO_JUDGE = caption("There is no perturbation, and so nothing to judge.")
AT_MOST = "The largest allowed: this attack looks for the smallest by itself."


def perturbation_words(record: dict, truth: str | None = None) -> str:
    """What happened to the decision, how large it was, and what 16 bits leave of it.

    Of a clip whose label is known, the `truth`, a decision that holds is good only if it is right.
    """
    before, after = label_words(record["clean_prediction"]), label_words(record["prediction"])
    changed = before != after
    headline = f"<strong>{before}</strong> → <strong>{after}</strong>"
    outcome, reached = "the decision changed" if changed else "the decision holds", changed
    if record.get("targeted"):
        reached = record["prediction"] == record["target"]
        outcome = f"target {label_words(record['target'])} " + (
            "reached" if reached else "not reached"
        )
    wrong = not is_right(record["clean_prediction"], truth)
    if wrong:
        outcome += f"; it was wrong before: this clip is labelled {html.escape(str(truth))}"
    facts = [*_made_by(record), *_sizes(record), *_predicted(record)]
    if "queries" in record:
        plural = "query" if record["queries"] == 1 else "queries"
        facts.append(f"{record['queries']} {plural} in {record['seconds']:.1f} s")
    notes = []
    if reached:
        notes.append(
            "survives rounding to 16 bit" if record["success_after_rounding"]
            else "does NOT survive rounding to 16 bit: a 16-bit file would undo it"
        )  # fmt: skip
    if record.get("stopped"):
        notes.append("stopped by hand: the command in the report goes on to the end")
    notes += limited(record)
    if record.get("representation", "waveform") != "waveform":
        notes += _inversion_notes(record)
    return card(headline, outcome, facts, notes, bad=changed or wrong)


def so_far_words(before: str, after: str) -> str:
    """While an attack still searches."""
    headline = f"<strong>{label_words(before)}</strong> → <strong>{label_words(after)}</strong>"
    return card(headline, "so far: the best candidate is in the player", [], [])


def _inversion_notes(record: dict) -> list[str]:
    """What became of a perturbed representation on its way to a sound."""
    at, after = record["representation"], label_words(record["prediction"])
    if "attack" in record:
        done = "succeeded" if record["success"] else "did not succeed"
        return [
            f"at the {at} itself the attack {done}; what you hear, and what is judged above, is "
            f"the closest inversion, with the clean phase: the classifier hears {after} in it. "
            "Level, SNR and noise-to-mask ratio are those of that sound"
        ]
    if not record["sigma"]:
        return []
    return [
        f"at the {at} itself the classifier says "
        f"{label_words(record['prediction_at_representation'])}; no sound has exactly this noisy "
        "spectrum: what the inversion with the clean phase misses is "
        f"{decibel(record['inversion_loss_db'])} relative to the noise"
    ]


def exhibits_words(shown: Sequence[Exhibit], record: dict) -> str:
    """A row per exhibit, the clean clip's letter in the player before them."""
    own = _method(record)
    names = {
        "given": own, "noise": "uniform noise, same L2", "shift": f"clip {SHIFT} samples late",
    }  # fmt: skip
    before = record["clean_prediction"]
    rows = "".join(
        f"<tr><td><kbd>{key}</kbd></td><th scope='row'>{names[exhibit.kind]}</th>"
        f"<td>{exhibit.record['l2']:.4g}</td>"
        f"<td>{decibel(exhibit.record['snr_db'], '∞ dB')}</td>"
        f"<td>{decibel(exhibit.record['noise_to_mask_db'])}</td>"
        f"<td>{_heard_as(before, exhibit.record['prediction'])}</td></tr>"
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


def maximised_words(record: dict) -> str:
    """How sure the classifier was, and is."""
    label, sure = label_words(record["label"]), record["probability"]
    facts = [
        f"level {decibel(record['level_full_scale_db'])} of full scale",
        f"{record['queries']} queries in {record['seconds']:.1f} s on {record['classifier']}",
    ]
    notes = [
        "the search knows the classifier's answers only; what it is sure of need not sound like it"
    ]
    if record.get("stopped"):
        notes.append("stopped by hand: the command in the report goes on to the end")
    notes += limited(record)
    outcome = f"that this is “{label}”: it was {record['probability_before']:.1%} sure before"
    return card(f"{sure:.1%} sure", outcome, facts, notes)


def _method(record: dict) -> str:
    return ATTACK_NAMES[record["attack"]] if "attack" in record else "Gaussian noise"


def _made_by(record: dict) -> list[str]:
    """The method, so that the words stay true when a widget is moved."""
    method, at = _method(record), record.get("representation", "waveform")
    if "attack" not in record:
        return [f"{method}, σ {record['sigma']:g} at the {at}"]
    where = "" if at == "waveform" else f" at the {at}"
    rounding = ", rounded to 16 bit within" if record["survive_rounding"] else ""
    reach = "allowed" if record["linf"] else "nothing found up to"
    symbol = norm_named(record["norm"]).symbol
    return [
        f"{method} in {symbol} on {record['classifier']}{where}{rounding}",
        f"{reach} {decibel(record['budget_db'])} of {level_relative_to(record['norm'], at)}",
    ]


def _predicted(record: dict) -> list[str]:
    """What the masking model says of the perturbation."""
    total, most = record["noise_to_mask_db"], record["max_noise_to_mask_db"]
    if not record["linf"]:
        return []
    return [
        f"noise-to-mask {decibel(total)}, at most {decibel(most)}",
        f"disturbed frames {record['disturbed_frames']:.0%} (above {DISTURBED_DB:g} dB)",
    ]


def _sizes(record: dict) -> list[str]:
    """Level and SNR, the norm that was asked for first."""
    if not record["linf"]:
        return [] if "attack" in record else ["no perturbation at all"]
    peak = f"largest sample {decibel(record['level_db'])} of the clip's peak"
    energy = f"SNR {decibel(record['snr_db'], '∞ dB')}"
    if record.get("norm") == "l2":
        level = f"L2 level {decibel(-record['snr_db'])} of the clip's energy"
        first = [level, energy, peak]
    elif record.get("norm") == "masking":
        level = f"level {decibel(record['reached_db'])} relative to the masking threshold"
        first = [f"{level}, on the classifier's frames", energy, peak]
    else:
        first = [peak.replace("largest sample", "level"), energy]
    return [*first, f"L2 {record['l2']:.4g}", f"L∞ {record['linf']:.3g}"]


def about_level(method: str, norm: str, representation: str) -> str:
    """The sentences next to the level."""
    words = norm_named(norm).words
    about = words.about[0].upper() + words.about[1:]
    if representation != "waveform" and words.size:
        about = f"Relative to {level_relative_to(norm, representation)}"
    return f"{about}." + (f" {AT_MOST}" if minimises(method) else "")

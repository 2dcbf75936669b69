"""Records as words: what was found, in which units, and what it does and does not cover."""

import html
from collections.abc import Sequence

from robustaudio.certification.smoothing import Smoothing
from robustaudio.evaluation.exhibits import SHIFT
from robustaudio.evaluation.figures import Audibility, rivals_in_reach, shown_label
from robustaudio.evaluation.results import Exhibit, Standing
from robustaudio.perception.audibility import DISTURBED_DB
from robustaudio.perception.masking import ASSUMED_PEAK_SPL_DB
from robustaudio.threats.norms import norm_named
from robustaudio.ui.convert import Source

ATTACK_NAMES = {  # by the attack's class, as records have it
    "FGSM": "FGSM",
    "BIM": "BIM",
    "PGD": "PGD",
    "MIFGSM": "MI-FGSM",
    "APGD": "APGD",
    "DeepFool": "DeepFool",
    "JSMA": "JSMA",
    "CarliniWagner": "Carlini–Wagner (L2)",
    "CarliniWagnerAudio": "Carlini–Wagner audio (dB)",
    "Psychoacoustic": "Psychoacoustic (Qin et al.)",
    "Genetic": "Genetic algorithm",
    "HillClimber": "Hill climber",
    "RandomSearch": "Random search",
}
METHODS = {"interval": "interval bounds (IBP)", "crown": "CROWN-IBP bounds"}
WAITING = "<p class='ra-progress' role='status'>waiting for its turn …</p>"
UNREACHED = (
    "<p class='ra-progress ra-unreached' role='alert'>The server cannot be reached, so nothing was "
    "computed. Check the connection, then press the button again.</p>"
)


def prediction_words(record: dict, source: Source) -> str:
    p = record["probabilities"][record["prediction"]]
    misheard = ""
    if not is_right(record["prediction"], source.label):
        truth = html.escape(str(source.label))
        misheard = f"<span class='ra-misheard'>wrong: this clip is labelled {truth}</span>"
    return (
        f"<p class='ra-verdict'>heard as <strong>{_label(record['prediction'])}</strong>{misheard}"
        f"<span class='ra-note'>probability {p:.1%} · {html.escape(record['classifier'])} · "
        f"{html.escape(source.name)}</span>{_judged(record)}</p>"
    )


def _judged(record: dict) -> str:
    """Which part of a longer recording the classifier takes."""
    if not (part := record.get("judged")):
        return ""
    return (
        f"<span class='ra-note'>Judged: {part['start_s']:.2f} s to {part['end_s']:.2f} s of "
        f"{part['of_s']:.2f} s, the stretch with the most energy.</span>"
    )


def perturbation_words(record: dict, truth: str | None = None) -> str:
    """What happened to the decision, how large it was, and what 16 bits leave of it.

    Of a clip whose label is known, the `truth`, a decision that holds is good only if it is right.
    """
    before, after = _label(record["clean_prediction"]), _label(record["prediction"])
    changed = before != after
    headline = f"<strong>{before}</strong> → <strong>{after}</strong>"
    outcome, reached = "the decision changed" if changed else "the decision holds", changed
    if record.get("targeted"):
        reached = record["prediction"] == record["target"]
        outcome = f"target {_label(record['target'])} " + ("reached" if reached else "not reached")
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
    return verdict(headline, outcome, facts, notes, bad=changed or wrong)


def so_far_words(before: str, after: str) -> str:
    """While an attack still searches."""
    headline = f"<strong>{_label(before)}</strong> → <strong>{_label(after)}</strong>"
    return verdict(headline, "so far: the best candidate is in the player", [], [])


def _inversion_notes(record: dict) -> list[str]:
    """What became of a perturbed representation on its way to a sound."""
    at, after = record["representation"], _label(record["prediction"])
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
        f"{_label(record['prediction_at_representation'])}; no sound has exactly this noisy "
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
        f"<td>{exhibit.l2:.4g}</td>"
        f"<td>{decibel(exhibit.snr_db, '∞ dB')}</td>"
        f"<td>{decibel(exhibit.noise_to_mask_db)}</td>"
        f"<td>{_heard_as(before, exhibit.prediction)}</td></tr>"
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
    heard = _label(after)
    return f"<strong class='ra-changed'>{heard}</strong>" if after != before else heard


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
            f"PROVEN {_label(record['prediction'])}, wrong" if record["verified"] else headline
        )
    rivals = {k: v for k, v in record["worst_logits"].items() if k != record["prediction"]}
    rival = max(rivals, key=rivals.__getitem__)
    size = f"waveform {norm_named(norm).symbol} ball of ε = {record['epsilon']:.3g}"
    facts = [
        f"prediction {_label(record['prediction'])}",
        METHODS[record["method"]],
        f"ε = {record['epsilon']:.3g} times the threshold" if norm == "masking" else size,
        _closest(record["prediction"], rival, rivals[rival]),
        "largest proven level "
        + (
            "none"
            if largest is None
            else f"{decibel(largest)} relative to {norm_named(norm).words.relative_to}"
        ),
        f"{record['seconds']:.2f} s",
    ]
    notes = [
        f"{METHODS[record['method']]} in float64 over the whole {record['duration_s']:g} s that "
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
    return verdict(headline, outcome, facts, notes, bad=wrong or not record["verified"])


def misheard_words(heard: str, truth: str | None) -> str:
    return f"It hears {_label(heard)}, and this clip is labelled {html.escape(str(truth))}"


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
    line = f"Dashed: the least logit of {_label(prediction)} over the whole set. "
    if not reaching:
        return caption(line + "No other label reaches it, so the decision cannot change.")
    red = f"Red: {', '.join(map(_label, reaching))}, which may reach above it. "
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
    return verdict("Listen", outcome, facts, notes)


def audibility_words(heard: Audibility) -> str:
    """What the masking model predicts of a perturbation."""
    total, share = heard.total_db, heard.share_above
    outcome = f"in {share:.0%} of the frames some band lies above the threshold"
    if not share:
        outcome = "in every frame the whole perturbation lies below the threshold"
    framing = heard.threshold.framing
    worst = heard.time_s(heard.worst_frame)
    facts = [
        f"total noise-to-mask ratio {decibel(total)}",
        f"frames of {1000 * framing.n_fft / heard.threshold.sample_rate:.3g} ms",
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
    return verdict(
        "predicted inaudible" if not share else "predicted audible", outcome, facts, notes
    )


def smoothing_words(record: dict, truth: str | None = None, for_noise: str | None = None) -> str:
    """The vote's class and radius; good only where it is the clip's label, the `truth`.

    Where that is not known, it is what the classifier itself hears. `for_noise` is the classifier
    that was trained for such noise, if this is another one.
    """
    expected, wrong = _expected(record, truth), outvoted(record, truth)
    if record["prediction"] is None:
        headline, outcome = "ABSTAIN", "no class wins more than half of the noisy copies for sure"
    else:
        headline = f"CERTIFIED {_label(record['prediction'])}"
        radius = f"L2 radius {record['radius']:.3g} at the {record['representation']}"
        smoothing = Smoothing(sigma=record["sigma"], alpha=record["alpha"])
        if record["radius"] >= 0.9999 * smoothing.largest_radius_of(record["n"]):
            radius += f", the most that {record['n']:g} votes can show"
        outcome = radius
        if wrong:
            headline += ", wrong" * (truth is not None)
            outcome = f"The vote hears {_label(record['prediction'])}, not {html.escape(expected)}"
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
            f"the classifier itself hears {_label(record['clean_prediction'])}; the certificate is "
            "for the vote, which is often wrong under noise that the classifier was not trained for"
        )
    if record["level_l2_db"] is not None:
        notes.append(
            f"the radius is {decibel(record['level_l2_db'])} of the clip's L2 norm; the largest L∞ "
            f"ball inside it lies at {decibel(record['level_linf_db'])} of the clip's peak"
        )
    return verdict(headline, outcome, facts, notes, bad=wrong or record["prediction"] is None)


def outvoted(record: dict, truth: str | None) -> bool:
    """Whether the vote certifies another class than the clip's, or than the classifier's own."""
    return record["prediction"] is not None and not is_right(
        record["prediction"], _expected(record, truth)
    )


def _expected(record: dict, truth: str | None) -> str:
    return shown_label(record["clean_prediction"]) if truth is None else truth


def verdict(
    headline: str,
    outcome: str,
    facts: Sequence[str],
    notes: Sequence[str],
    *,
    bad: bool | None = None,
) -> str:
    """One card: a headline, a sentence, numbers, and what to keep in mind."""
    kind = {None: "", True: "ra-broken", False: "ra-holds"}[bad]
    numbers = "".join(f"<li>{fact}</li>" for fact in facts)
    remarks = "".join(f"<p class='ra-note'>{note}.</p>" for note in notes)
    return (
        f"<div class='ra-card {kind}'>"
        f"<p class='ra-verdict'>{headline}<span>{outcome}</span></p>"
        f"<ul class='ra-facts'>{numbers}</ul>{remarks}</div>"
    )


def unable_words(why: str | None) -> str:
    """Why a button is off, in its place; nothing where it is not."""
    return "" if why is None else f"<p class='ra-old'>{html.escape(why[0].upper() + why[1:])}</p>"


def caption(words: str) -> str:
    return f"<p class='ra-note ra-caption'>{words}</p>"


def progress_bar(share: float, words: str) -> str:
    return (
        f"<div class='ra-progress' role='status'><progress max='1' value='{share:.3f}'></progress>"
        f"<span>{words} {share:.0%}</span></div>"
    )


def limited(record: dict) -> list[str]:
    """That a run was ended by the server, if it was."""
    if "limit_s" not in record:
        return []
    return [
        f"the server's limit of {record['limit_s']:g} s ended it, and this is what was found until "
        "then; the command in the report goes on to the end"
    ]


def waiting_words(before: int, wait_s: float | None) -> str:
    """Where a run stands that waits for its turn."""
    several = f"{before} runs are before yours"
    runs = {0: "yours is next", 1: "1 run is before yours"}.get(before, several)
    about = "" if wait_s is None else f", about {_rounded(wait_s)} s"
    return f"<p class='ra-progress' role='status'>waiting: {runs}{about} …</p>"


def _rounded(seconds: float) -> int:
    """To 5 s, so that the words do not change all the time."""
    return max(5, 5 * round(seconds / 5))


def search_bar(share: float, words: str, told: Sequence[Standing], relative_to: str) -> str:
    """The bar, with where the search stands as soon as that is told."""
    if told and (population := told[-1].population):
        best = f"{population.best:.2f}".replace("-", "−")
        words = f"generation {len(told)}, best fitness {best}:"
    elif told:
        words = f"step {len(told)}, {decibel(told[-1].level_db)} of {relative_to}:"
    return progress_bar(share, words)


def level_relative_to(norm: str, representation: str) -> str:
    """What 0 dB of an attack's level is."""
    words = norm_named(norm).words
    at_waveform = representation == "waveform"
    return words.relative_to if at_waveform else f"the {representation}'s {words.size}"


def decibel(value: float | None, none: str = "−∞ dB") -> str:
    """A level for people; None stands for an infinite one."""
    return none if value is None else f"{round(value, 1) + 0.0:.1f} dB".replace("-", "−")


def maximised_words(record: dict) -> str:
    """How sure the classifier was, and is."""
    label, sure = _label(record["label"]), record["probability"]
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
    return verdict(f"{sure:.1%} sure", outcome, facts, notes)


def targets_words(rows: Sequence[dict], clips: int = 1) -> str:
    """The easiest and the hardest of all the targets that were tried, of so many `clips`."""
    norm = norm_named(rows[0]["norm"])
    pairs = [
        (level, f"{_label(row['prediction'])} → {_label(target)}")
        for row in rows
        for target, level in row["levels_db"].items()
    ]
    reached = sorted((level, pair) for level, pair in pairs if level is not None)
    facts = [
        f"{ATTACK_NAMES[rows[0]['attack']]} in {norm.symbol} on {rows[0]['classifier']}",
        f"{len(reached)} of {len(pairs)} targets reached",
        f"{sum(row['queries'] for row in rows)} queries in {sum(r['seconds'] for r in rows):.1f} s",
    ]
    notes = [
        "each level is the smallest that this attack found: another one may find less, and what "
        "was not found may exist"
    ]
    if limits := limited(rows[-1]):
        last = f", {len(rows)} of {clips} clips" if clips > 1 else ""
        notes.append(f"{limits[0]}{last}. The targets of the last one may take less than is shown")
    if not reached:
        return verdict("nothing found", "no target was reached", facts, notes)
    (least, easiest), (most, hardest) = reached[0], reached[-1]
    facts.insert(0, f"hardest of those reached: {hardest}, {decibel(most)}")
    outcome = f"is the easiest: {decibel(least)} of {norm.words.relative_to}"
    return verdict(f"<strong>{easiest}</strong>", outcome, facts, notes)


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


def _against(level_db: float | None) -> str:
    """A level relative to the threshold, in words."""
    if level_db is None or level_db <= 0:
        return f"{decibel(None if level_db is None else -level_db, '∞ dB')} below the threshold"
    return f"{decibel(level_db)} above the threshold"


def _closest(prediction: str, rival: str, lead: float) -> str:
    if lead < 0:
        others = f"every rival (closest: {_label(rival)})"
        return f"{_label(prediction)} stays {-lead:.2f} logits above {others}"
    return f"at worst {_label(rival)} could lead by {lead:.2f} logits"


def is_right(heard: str | None, truth: str | None) -> bool:
    """Whether a label is the clip's own, by the name shown; where that is not known, it is."""
    return truth is None or (heard is not None and shown_label(heard) == truth)


def _label(label: str) -> str:
    return html.escape(shown_label(label))

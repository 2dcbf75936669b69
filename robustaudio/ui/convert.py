"""The edge of the page: what a visitor chose becomes back-end values, records become words."""

import html
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.perturbed import PerturbedClip
from robustaudio.evaluation.report import save_report
from robustaudio.ui.player import Track, amplification_db, player_value

ANY_OTHER = "any other"
UPLOAD = "your own clip"
BALLS = {"linf": "L∞", "l2": "L2"}
CORPUS_CLIPS = 40  # of a data set's test split, offered beside the bundled ones


@dataclass(frozen=True)
class Services:
    """What the page is given once at the start: classifiers by name, clips by the name shown."""

    classifiers: Mapping[str, Classifier]
    cards: Mapping[str, dict]
    clips: Mapping[str, Path]
    upload_folder: Path
    device: torch.device


@dataclass(frozen=True)
class Source:
    """Which clip a visitor works on; `path` was chosen from the list or uploaded."""

    name: str
    path: Path
    uploaded: bool = False


def listed_clips() -> dict[str, Path]:
    """Bundled clips first, then some of the real corpora where they are at hand."""
    bundled = open_dataset("bundled")
    clips = {
        f"{row['label']} · {row['speaker_or_source']}": bundled.folder / row["file"]
        for row in bundled.rows
    }
    try:
        corpus = open_dataset("fsdd").select("test", CORPUS_CLIPS)
    except ValueError:
        return clips
    return clips | {
        f"{row['label']} · FSDD {Path(row['file']).stem}": corpus.folder / row["file"]
        for row in corpus.rows
    }


def open_source(services: Services, source: Source, classifier: str) -> tuple[Classifier, Clip]:
    """The classifier, and the source prepared for it.

    Raises:
        ValueError: one sentence, for anything wrong with the file or the name.
    """
    if classifier not in services.classifiers:
        raise ValueError(f"no classifier {classifier!r}; choose from {', '.join(services.cards)}.")
    chosen = services.classifiers[classifier]
    within = [services.upload_folder] if source.uploaded else None
    clip = chosen.prepare(Clip.load(source.path, within=within))
    return chosen, clip.to(services.device)


def command_line(verb: str, source: Source, classifier: str, options: Mapping) -> list[str]:
    """The command that makes a result of the page again."""
    path = source.path.name if source.uploaded else _shown_path(source.path)
    command = ["python", "-m", "robustaudio", verb, path, "--classifier", classifier]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            command.append(flag if value else f"--no-{name.replace('_', '-')}")
        elif value is not None:
            command.append(f"{flag}={value}")
    return command


def player_tracks(result: PerturbedClip, sample_rate: int) -> dict:
    """Clean, perturbed, and the perturbation alone with the amplification that its label says."""
    gain_db = amplification_db(result.perturbation, result.clean)
    tracks = [
        Track("A", "clean", result.clean),
        Track("B", "perturbed", result.perturbed),
        Track("D", "difference", result.perturbation, gain_db),
    ]
    return player_value(tracks, sample_rate)


def required(**numbers: float | None) -> None:
    """Refuses a number field that was left empty.

    Raises:
        ValueError: one sentence that names the field.
    """
    for name, number in numbers.items():
        if number is None:
            raise ValueError(f"{name} is empty; a number would be right.")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the files of one answer; Gradio has copied what it serves when it goes."""
    with tempfile.TemporaryDirectory(prefix="robustaudio-") as folder:
        yield Path(folder)


def report_file(folder: Path, report: dict) -> str:
    path = folder / "report.json"
    save_report(report, path)
    return str(path)


# --- records as words ----------------------------------------------------------------------------


def prediction_words(record: dict, source: Source) -> str:
    p = record["probabilities"][record["prediction"]]
    return (
        f"<p class='ra-verdict'>heard as <strong>{html.escape(record['prediction'])}</strong>"
        f"<span class='ra-note'>probability {p:.1%} · {html.escape(record['classifier'])} · "
        f"{html.escape(source.name)}</span></p>"
    )


def perturbation_words(record: dict) -> str:
    """What happened to the decision, how large it was, and what 16 bits leave of it."""
    before, after = record["clean_prediction"], record["prediction"]
    changed = record.get("success", before != after)
    headline = f"<strong>{before}</strong> → <strong>{after}</strong>"
    outcome = "the decision changed" if before != after else "the decision holds"
    if record.get("targeted"):
        outcome = f"target {record['target']} " + ("reached" if changed else "not reached")
    facts = [*_made_by(record), *_sizes(record)]
    if "queries" in record:
        plural = "query" if record["queries"] == 1 else "queries"
        facts.append(f"{record['queries']} {plural} in {record['seconds']:.1f} s")
    notes = []
    if before != after or changed:
        survives = record["success_after_rounding"]
        notes.append(
            "survives rounding to 16 bit" if survives
            else "does NOT survive rounding to 16 bit: a 16-bit file would undo it"
        )  # fmt: skip
    if record.get("representation", "waveform") != "waveform" and record["sigma"]:
        loss = record["inversion_loss_db"]
        notes.append(
            f"at the {record['representation']} itself the classifier says "
            f"{record['prediction_at_representation']}; no sound has exactly this noisy spectrum: "
            f"what the inversion with the clean phase misses is {decibel(loss)} "
            f"relative to the noise"
        )
    return verdict(headline, outcome, facts, notes, bad=before != after)


def verification_words(record: dict) -> str:
    level, largest = decibel(record["level_db"]), record["largest_level_db"]
    ball = BALLS[record["norm"]]
    if record["verified"]:
        headline, outcome = (
            "PROVEN",
            f"no perturbation up to {level} in {ball} changes the decision",
        )
    else:
        headline = "NOT PROVEN"
        outcome = f"a perturbation of {level} in {ball} may exist that changes it"
    rivals = {k: v for k, v in record["worst_logits"].items() if k != record["prediction"]}
    rival = max(rivals, key=rivals.__getitem__)
    facts = [
        f"prediction {record['prediction']}",
        f"waveform {ball} ball of ε = {record['epsilon']:.3g}",
        _closest(record["prediction"], rival, rivals[rival]),
        "largest proven level " + (decibel(largest) if largest is not None else "none"),
    ]
    notes = [
        "interval bounds in float64 over every sound in the ball, the silence around the clip "
        "included; it says nothing of larger perturbations, of shifts in time or of other clips"
    ]
    if record["norm"] == "linf" and record["level_db"] < record["floor_16_bit_db"]:
        notes.append(
            "this ball is smaller than one step of a 16-bit file, where most of it vanishes"
        )
    return verdict(headline, outcome, facts, notes, bad=not record["verified"])


def smoothing_words(record: dict) -> str:
    if record["prediction"] is None:
        headline, outcome = "ABSTAIN", "no class wins more than half of the noisy copies for sure"
    else:
        headline = f"CERTIFIED {record['prediction']}"
        outcome = f"L2 radius {record['radius']:.3g} at the {record['representation']}"
    facts = [
        f"σ {record['sigma']:g}", f"n {record['n']}", f"p ≥ {record['p_lower']:.4f}",
        f"confidence 1 − {record['alpha']:g}", f"{record['seconds']:.2f} s",
    ]  # fmt: skip
    notes = ["it speaks of the SMOOTHED classifier, which votes over noisy copies of the clip"]
    if record["prediction"] not in (None, record["clean_prediction"]):
        notes.append(
            f"the classifier itself hears {record['clean_prediction']}; the certificate is for the "
            "vote, which is often wrong under noise that the classifier was not trained for"
        )
    if record["level_l2_db"] is not None:
        notes.append(
            f"the radius is {decibel(record['level_l2_db'])} of the clip's L2 norm; the largest L∞ "
            f"ball inside it lies at {decibel(record['level_linf_db'])} of the clip's peak"
        )
    return verdict(headline, outcome, facts, notes, bad=record["prediction"] is None)


def verdict(
    headline: str, outcome: str, facts: Sequence[str], notes: Sequence[str], *, bad: bool
) -> str:
    """One card: a headline, a sentence, numbers, and what to keep in mind."""
    numbers = "".join(f"<li>{fact}</li>" for fact in facts)
    remarks = "".join(f"<p class='ra-note'>{note}.</p>" for note in notes)
    return (
        f"<div class='ra-card {'ra-broken' if bad else 'ra-holds'}'>"
        f"<p class='ra-verdict'>{headline}<span>{outcome}</span></p>"
        f"<ul class='ra-facts'>{numbers}</ul>{remarks}</div>"
    )


def progress_bar(share: float, words: str) -> str:
    return (
        f"<div class='ra-progress' role='status'><progress max='1' value='{share:.3f}'></progress>"
        f"<span>{words} {share:.0%}</span></div>"
    )


def decibel(value: float | None, none: str = "−∞ dB") -> str:
    """A level for people; None stands for an infinite one."""
    return none if value is None else f"{round(value, 1) + 0.0:.1f} dB".replace("-", "−")


def _made_by(record: dict) -> list[str]:
    """The method, so that the words stay true when a widget is moved."""
    if "attack" not in record:
        return [f"Gaussian noise, σ {record['sigma']:g} at the {record['representation']}"]
    return [f"{record['attack'].upper()} in {BALLS[record['norm']]} on {record['classifier']}"]


def _sizes(record: dict) -> list[str]:
    """Level and SNR, the norm that was asked for first."""
    if not record["linf"]:
        return ["no perturbation at all"]
    peak = f"level {decibel(record['level_db'])} of the clip's peak"
    energy = f"SNR {decibel(record['snr_db'], '∞ dB')}"
    if record.get("norm") == "l2":
        level = f"L2 level {decibel(-record['snr_db'])} of the clip's energy"
        first = [level, energy, f"largest sample {decibel(record['level_db'])} of the peak"]
    else:
        first = [peak, energy]
    return [*first, f"L2 {record['l2']:.4g}", f"L∞ {record['linf']:.3g}"]


def _closest(prediction: str, rival: str, lead: float) -> str:
    if lead < 0:
        return f"{prediction} stays {-lead:.2f} logits above every rival (closest: {rival})"
    return f"at worst {rival} could lead by {lead:.2f} logits"


def _shown_path(path: Path) -> str:
    """Relative to the folder that the README's commands run in, where it lies inside it."""
    home = Path(__file__).resolve().parents[2]
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)

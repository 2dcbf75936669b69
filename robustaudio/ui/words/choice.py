"""Words at the top of the page: the prediction, and the card of a classifier."""

from html import escape

from robustaudio.audio.clip import Stretch
from robustaudio.audio.tasks import shown_label
from robustaudio.classifiers.card import Card
from robustaudio.evaluation.results import Prediction
from robustaudio.ui.html import label_words
from robustaudio.ui.sources import Source
from robustaudio.ui.words.terms import is_right


def prediction_words(result: Prediction, source: Source, judged: Stretch | None = None) -> str:
    """What is heard, how surely; and which part of a longer recording was `judged`."""
    label, p = result.prediction, result.probabilities[result.prediction]
    misheard, part = "", ""
    if not is_right(label, source.label):
        truth = escape(str(source.label))
        misheard = f"<span class='ra-misheard'>wrong: this clip is labelled {truth}</span>"
    if judged:
        part = (
            f"<span class='ra-note'>Judged: {judged.start_s:.2f} s to {judged.end_s:.2f} s of "
            f"{judged.of_s:.2f} s, the stretch with the most energy.</span>"
        )
    return (
        f"<p class='ra-verdict'>heard as <strong>{label_words(label)}</strong>{misheard}"
        f"<span class='ra-note'>probability {p:.1%} · {escape(result.classifier)} · "
        f"{escape(source.name)}</span>{part}</p>"
    )


def card_words(card: Card) -> str:
    """A classifier's card for people; somebody's own may say less than a shipped one."""
    training = card.training
    rows = {
        "what": card.about,
        "labels": ", ".join(map(shown_label, card.labels)),
        "listens to": f"{card.length / card.sample_rate:g} s at {card.sample_rate} Hz",
        "representations": " → ".join(card.representations),
        "gain": str(card.gain),
    }
    if card.test_accuracy is not None and card.test:
        rows["test accuracy"] = f"{card.test_accuracy:.1%} ({card.test})"
    if card.bundled_accuracy is not None:
        rows["bundled clips"] = f"{card.bundled_accuracy:.1%}"
    rows["data"] = card.data
    if None not in (training.seed, training.seconds) and training.command:
        rows["made by"] = f"{training.command} (seed {training.seed}, {training.seconds} s)"
    if card.licence and card.attribution:
        rows["licence"] = f"{card.licence}. {card.attribution}"
    lines = (f"<dt>{name}</dt><dd>{escape(row)}</dd>" for name, row in rows.items() if row)
    return f"<dl class='ra-about'>{''.join(lines)}</dl>"

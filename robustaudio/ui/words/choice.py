"""Words at the top of the page: the prediction, and the card of a classifier."""

import html
from contextlib import suppress
from html import escape

from robustaudio.evaluation.figures import shown_label
from robustaudio.ui.html import label_words
from robustaudio.ui.sources import Source
from robustaudio.ui.words.terms import is_right


def prediction_words(record: dict, source: Source) -> str:
    p = record["probabilities"][record["prediction"]]
    misheard = ""
    if not is_right(record["prediction"], source.label):
        truth = html.escape(str(source.label))
        misheard = f"<span class='ra-misheard'>wrong: this clip is labelled {truth}</span>"
    return (
        f"<p class='ra-verdict'>heard as <strong>{label_words(record['prediction'])}</strong>"
        f"{misheard}"
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


def card_words(card: dict) -> str:
    """A classifier's card for people; somebody's own may say less than a shipped one."""
    stages = card.get("representations")
    rows = {
        "what": "{about}",
        "labels": ", ".join(map(shown_label, card["labels"])),
        "listens to": "{seconds:g} s at {sample_rate} Hz",
        "representations": " → ".join(map(str, stages)) if isinstance(stages, list) else "",
        "gain": "{gain}",
        "test accuracy": "{test_accuracy:.1%} ({test})",
        "bundled clips": "{bundled_accuracy:.1%}",
        "data": "{data}",
        "made by": "{training[command]} (seed {training[seed]}, {training[seconds]} s)",
        "licence": "{licence}. {attribution}",
    }
    build = card["architecture"]
    known = {**build, "seconds": build["length"] / build["sample_rate"], **card}
    lines = ""
    for name, text in rows.items():
        with suppress(LookupError, TypeError, ValueError):  # what the card does not say
            said = text if name == "labels" else text.format_map(known)
            lines += f"<dt>{name}</dt><dd>{escape(said)}</dd>" if said else ""
    return f"<dl class='ra-about'>{lines}</dl>"

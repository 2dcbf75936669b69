"""Pieces of HTML that every tab uses: a card, a caption, a bar, levels and labels as text."""

import html
from collections.abc import Sequence

from robustaudio.audio.tasks import shown_label


def card(
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


def decibel(value: float | None, none: str = "−∞ dB") -> str:
    """A level for people; None stands for an infinite one."""
    return none if value is None else f"{round(value, 1) + 0.0:.1f} dB".replace("-", "−")


def label_words(label: str) -> str:
    return html.escape(shown_label(label))

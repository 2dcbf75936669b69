"""Words that several tabs share: names of bounds, and what limits a result."""

import html
from dataclasses import dataclass

from robustaudio.audio.tasks import shown_label
from robustaudio.threats.norms import Norm
from robustaudio.ui.html import label_words

BOUNDS = {"interval": "interval bounds (IBP)", "crown": "CROWN-IBP bounds"}


def misheard_words(label: str, truth: str | None) -> str:
    return f"It hears {label_words(label)}, and this clip is labelled {html.escape(str(truth))}"


@dataclass(frozen=True)
class Ending:
    """How a run came to its end, if not by itself: the visitor's Stop, the server's limit."""

    stopped: bool = False
    limit_s: float | None = None


BY_ITSELF = Ending()


def stopped(ending: Ending) -> list[str]:
    """The note on a run that was ended early, by whomever."""
    by_hand = ["stopped by hand: the command in the report goes on to the end"] * ending.stopped
    return by_hand + limited(ending)


def limited(ending: Ending) -> list[str]:
    """The note on a run that was ended by the server."""
    if ending.limit_s is None:
        return []
    return [
        f"the server's limit of {ending.limit_s:g} s ended it, and this is what was found until "
        "then; the command in the report goes on to the end"
    ]


def level_relative_to(norm: Norm, representation: str) -> str:
    """What 0 dB of an attack's level is."""
    words = norm.words
    at_waveform = representation == "waveform"
    return words.relative_to if at_waveform else f"the {representation}'s {words.size}"


def is_right(label: str | None, truth: str | None) -> bool:
    """Whether a label is the clip's own, by the name shown; where that is not known, it is."""
    return truth is None or (label is not None and shown_label(label) == truth)

"""What one visitor works on, and how their clips and classifiers follow each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import gradio as gr

from robustaudio.ui.long_runs import Shares
from robustaudio.ui.services import Services

TRY = "Try "  # then a classifier's name: the words of a button that chooses it


@dataclass
class Halt:
    """Whether a visitor wants a search to end with what it has found."""

    asked: bool = False


@dataclass
class Turns:
    """How often one visitor has changed clip or classifier; every run of theirs looks at it.

    Gradio's own `cancels` cannot do this: it goes on after the next run has begun, and then takes
    that one for the cancelled one.
    """

    latest: int = 0
    begun: int = 0  # the last one for which the page was emptied
    halt: Halt | None = None  # of the search that runs

    def over(self, turn: int) -> bool:
        """Whether a run of this turn is of another clip or classifier than the page's."""
        self.latest = max(self.latest, turn)
        return turn < self.latest

    @contextmanager
    def search(self) -> Iterator[Halt]:
        """While a search runs: what ends it early."""
        self.halt = halt = Halt()
        try:
            yield halt
        finally:
            if self.halt is halt:
                self.halt = None


@dataclass(frozen=True)
class Visit:
    """What one visitor works on; `turn` counts in the browser, ahead of `turns`.

    `target` is the label that attacks are to reach; it is shown where they are. `perturbed` holds
    what the first tab has made of the clip, or None. `opened` is the listening test that they
    opened: its token and its teacher's key, which their browser keeps where it can. `worked` is the
    classifier that the page's results are of: what `classifier` said last. Each of `switches` is a
    button that chooses the classifier it names. All visits have the same `services` and `shares`.
    """

    source: gr.State
    classifier: gr.Dropdown
    target: gr.Dropdown
    perturbed: gr.State
    runs: gr.State
    turns: gr.State
    turn: gr.Number
    opened: gr.JSON
    worked: gr.Textbox
    services: Services
    shares: Shares
    switches: list[gr.Button] = field(default_factory=list)

    def switch(self, elem_id: str) -> gr.Button:
        """A hidden button; `tried` shows it."""
        self.switches.append(
            gr.Button(visible=False, elem_id=elem_id, size="sm", variant="secondary")
        )
        return self.switches[-1]


def tried(classifier: str | None) -> dict:
    """Shows a switch to a classifier, or none."""
    return gr.update(value=f"{TRY}{classifier}", visible=classifier is not None)

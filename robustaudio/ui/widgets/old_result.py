"""Old results never look current: a result keeps what it was asked with.

When an input is changed, the browser dims the result at once and says for what it holds; put back
or run again, and the result is current.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.ui.events import QUIET, script


@dataclass(frozen=True)
class Asked:
    """The widgets that a result depends on.

    Those in `when` count only while the widget `by` has one of the values named there.
    """

    widgets: Sequence[Any]
    by: Component | None = None
    when: Mapping[Component, Sequence[str]] = field(default_factory=dict)

    def note(self, dimmed: Sequence[str], again: str) -> str:
        """JavaScript: what the widgets held and hold -> the note beside the result."""
        by = [*self.widgets].index(self.by) if self.by is not None else None
        fields = [
            {"label": widget.label, "names": _names(widget)}
            | ({"by": by, "when": [*self.when[widget]]} if widget in self.when else {})
            for widget in self.widgets
        ]
        return script("old_result", fields, dimmed, again)


def dim_when_changed(
    asked: Asked, held: gr.JSON, old: gr.HTML, done: Sequence[Any], shown: Sequence[Any],
    again: str,
) -> None:  # fmt: skip
    """Compares what the result was asked with to what the widgets say, whenever either changes.

    The result is what is `shown`, `done` are the events that change it.
    """
    dimmed = [
        widget.elem_id for widget in shown
        if isinstance(widget, gr.HTML | gr.Plot) and widget.elem_id
    ]  # fmt: skip
    compare: dict[str, Any] = {
        "fn": None, "inputs": [held, *asked.widgets], "outputs": old,
        "js": asked.note(dimmed, again), **QUIET,
    }  # fmt: skip
    gr.on([widget.change for widget in asked.widgets], **compare)
    for event in done:
        event.then(**compare)


def _names(widget: Any) -> dict[str, str]:
    """The names shown of what a widget offers, by their values as JSON."""
    if not isinstance(widget, gr.Radio | gr.Dropdown):
        return {}
    return {json.dumps(value): shown for shown, value in widget.choices if shown != value}

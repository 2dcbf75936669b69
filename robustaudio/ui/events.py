"""How events of the page are wired, and the scripts that the page runs in the browser."""

import json
from copy import deepcopy
from functools import cache
from typing import Any

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

from robustaudio.paths import ASSETS

# what a handler shows, by component; the others stay as they are
Update = dict[Component | BlockContext, Any]
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# queued: an event outside the queue changes a State without telling its listeners, and shows no
# sentence on an error
QUICK: dict[str, Any] = {**QUIET, "queue": True}
HEAVY: dict[str, Any] = {
    "concurrency_limit": None,  # they wait for their shares instead
    "show_progress": "hidden",
    "api_visibility": "private",
}
NO_FILE = gr.update(value=None, interactive=False)  # of a download
# a plot that was drawn while it was hidden measures its place now
MEASURE_PLOTS = "() => window.dispatchEvent(new Event('resize'))"


@cache
def asset(name: str) -> str:
    """The text of a file of the page; Gradio makes a component anew whenever it changes."""
    return (ASSETS / name).read_text("utf-8")


def script(name: str, *values: Any) -> str:
    """The function for the browser that `assets/page/NAME.js` makes of values."""
    return f"(\n{asset(f'page/{name}.js')})({', '.join(map(json.dumps, values))})"


def fresh(update: Update) -> Update:
    """A deep copy of an update: Gradio changes the updates that it is given."""
    return {shown: deepcopy(value) for shown, value in update.items()}

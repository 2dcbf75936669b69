"""How events of the page are wired, and the scripts that the page runs in the browser."""

from copy import deepcopy
from typing import Any

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

Update = dict[
    Component | BlockContext, Any
]  # what a handler shows, by component; the others stay as they are

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
# a slider reads an emptied number as 0, which its range may not even hold: the last one comes back
KEEP_NUMBERS = """() => {
  let last = "";
  const number = (event) => event.target.matches?.("input[type=number][data-testid=number-input]");
  document.addEventListener("focusin", (event) => {
    if (number(event)) last = event.target.value;
  });
  document.addEventListener("blur", (event) => {
    if (!number(event) || event.target.value !== "") return;
    event.target.value = last;
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
}"""


def fresh(update: Update) -> Update:
    """A copy with values of its own: Gradio takes the updates that it is given apart."""
    return {shown: deepcopy(value) for shown, value in update.items()}

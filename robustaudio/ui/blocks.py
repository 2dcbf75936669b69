"""Two building blocks that every tab uses: a place for words, and start/cancel of a long job."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import Dependency

from robustaudio.ui.jobs import on_gpu

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
HEAVY: dict[str, Any] = {
    "concurrency_id": "compute",
    "show_progress": "hidden",
    "api_visibility": "private",
}


def words(elem_id: str, value: str = "") -> gr.HTML:
    """A place for the page's own HTML, without Gradio's styles and padding."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, padding=False)


def start_and_cancel(start: str, elem_id: str) -> tuple[gr.Button, gr.Button]:
    """A row with the button that starts a long job and the one that stops it."""
    with gr.Row():
        return (
            gr.Button(start, variant="primary", elem_id=elem_id, min_width=120),
            gr.Button("Cancel", elem_id=f"cancel-{elem_id}", min_width=80),
        )


def wire(
    triggers: list, stop: gr.Button, run: Callable, inputs: list, outputs: list, status: gr.HTML
) -> Dependency:
    """Runs a long job on any trigger, newest wish last; `stop` cancels it and clears `status`."""
    event = gr.on(triggers, on_gpu(run), inputs, outputs, trigger_mode="always_last", **HEAVY)
    stopped = stop.click(None, None, None, cancels=[event], **QUIET)
    stopped.then(lambda: "", None, status, **QUIET)  # after the last report of progress, not before
    return event

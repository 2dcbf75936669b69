"""Widgets that every tab has: a place for words, the buttons of a long job."""

import gradio as gr


def words(elem_id: str, value: str = "") -> gr.HTML:
    """A place for the page's own HTML, without Gradio's styles and padding."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, padding=False)


def start_and_cancel(
    start: str, elem_id: str, cancel: str = "Cancel"
) -> tuple[gr.Button, gr.Button]:
    """A row with the button that starts a long job and the one that stops it."""
    with gr.Row():
        return (
            gr.Button(start, variant="primary", elem_id=elem_id, min_width=120),
            gr.Button(cancel, elem_id=f"cancel-{elem_id}", min_width=80),
        )

"""Widgets that every tab has: a place for words, the norms, a report, the buttons of a long job."""

import gradio as gr

from robustaudio.threats.norms import LINF, NORMS


def words(elem_id: str, value: str = "", *, render: bool = True) -> gr.HTML:
    """A place for the page's own HTML, without Gradio's styles and padding."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, padding=False, render=render)


def norm_choice(label: str, elem_id: str) -> gr.Radio:
    """The norms, by their titles."""
    choices = [(norm.title, norm.name) for norm in NORMS.values()]
    return gr.Radio(choices, value=LINF.name, label=label, elem_id=elem_id)


def file_button(label: str, elem_id: str, *, render: bool = True) -> gr.DownloadButton:
    """A download that begins empty."""
    return gr.DownloadButton(label, interactive=False, elem_id=elem_id, render=render)


class Buttons:
    """A row that starts and stops a long job, its progress, and the note on an old result.

    With `keeps`, `stop` ends a job that runs with the best that it has found; it cancels one that
    waits. Any other job is cancelled. Where the result stands `apart`, so does the note: the caller
    renders it.
    """

    def __init__(
        self, start: str, elem_id: str, about: str, *, keeps: bool = False, apart: bool = False
    ) -> None:
        self.keeps = keeps
        with gr.Row():
            self.start = gr.Button(start, variant="primary", elem_id=elem_id, min_width=120)
            stop = "Stop" if keeps else "Cancel"
            self.stop = gr.Button(stop, elem_id=f"cancel-{elem_id}", min_width=80)
        self.status = words(f"{about}-status")
        self.old = words(f"{about}-old", render=not apart)

"""Prove: verification of the clip beside randomized smoothing."""

import gradio as gr

from robustaudio.ui.events import Update
from robustaudio.ui.tabs.randomized_smoothing import build_randomized_smoothing
from robustaudio.ui.tabs.verification import build_verification
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.basic import file_button


def build_prove(visit: Visit, changed: list) -> Update:
    """The tab; returns what a new clip empties, and how."""
    report = file_button("Report (JSON)", "download-proofs", render=False)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            verification = build_verification(visit, report, changed)
        with gr.Column(min_width=320):
            smoothing = build_randomized_smoothing(visit, report, changed)
    report.render()
    return verification | smoothing

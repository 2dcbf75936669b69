"""Widgets that every tab has, found by their names."""

import gradio as gr

from robustaudio.threats.norms import LINF, NORMS
from robustaudio.ui.widgets.basic import Buttons, file_button, norm_choice, words


def test_the_buttons_of_a_long_job_are_found_by_its_name():
    with gr.Blocks() as page:
        certify = Buttons("Certify", "certify", "certify")
        evolve = Buttons("Evolve", "maximise", "maximise", keeps=True, apart=True)
    start, cancel = certify.start, certify.stop
    assert (start.elem_id, cancel.elem_id) == ("certify", "cancel-certify")
    assert (start.value, start.variant, cancel.value, evolve.stop.value) == (
        "Certify", "primary", "Cancel", "Stop",
    )  # fmt: skip
    assert (certify.status.elem_id, certify.old.elem_id) == ("certify-status", "certify-old")
    rendered = page.blocks.values()
    assert certify.old in rendered and evolve.status in rendered and evolve.old not in rendered


def test_words_are_the_pages_own_html():
    with gr.Blocks():
        place = words("verdict", "<p>PROVEN</p>")
    assert (place.elem_id, place.value) == ("verdict", "<p>PROVEN</p>")
    assert not place.apply_default_css and not place.padding


def test_every_norm_is_offered_and_a_download_begins_empty():
    with gr.Blocks():
        norms, report = norm_choice("Norm", "norm"), file_button("Report (JSON)", "report")
    assert [name for _, name in norms.choices] == [*NORMS] and norms.value == LINF.name
    assert report.value is None or not report.interactive

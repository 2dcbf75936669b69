"""Widgets that every tab has, found by their names."""

import gradio as gr

from robustaudio.ui.widgets.basic import start_and_cancel, words


def test_the_buttons_of_a_long_job_are_found_by_its_name():
    with gr.Blocks():
        start, cancel = start_and_cancel("Certify", "certify")
        _, stop = start_and_cancel("Evolve", "maximise", "Stop")
    assert (start.elem_id, cancel.elem_id) == ("certify", "cancel-certify")
    assert (start.value, start.variant, cancel.value, stop.value) == (
        "Certify", "primary", "Cancel", "Stop",
    )  # fmt: skip


def test_words_are_the_pages_own_html():
    with gr.Blocks():
        place = words("verdict", "<p>PROVEN</p>")
    assert (place.elem_id, place.value) == ("verdict", "<p>PROVEN</p>")
    assert not place.apply_default_css and not place.padding

"""A slider over frames."""

import gradio as gr
import pytest

from robustaudio.ui.widgets.cursor import Cursor


def test_a_number_outside_the_frames_is_taken_as_it_is():
    """The nearest frame is shown for it; Gradio's own slider refuses it."""
    with gr.Blocks():
        cursor, slider = Cursor(0, 1, 0), gr.Slider(0, 1, 0)
    assert cursor.preprocess(99) == 99
    with pytest.raises(gr.Error):
        slider.preprocess(99)

"""A handler gets what its components can hold, and nothing else."""

import gradio as gr
import pytest

from robustaudio.ui.checked_blocks import fits


@pytest.mark.parametrize(
    "component, good, bad",
    [
        (gr.Radio, ["a"], [None, 1, []]), (gr.Checkbox, [True], [None, 1, "yes"]),
        (gr.Number, [1, 2.5, None], [float("nan"), float("inf"), 10**400, True, "1", []]),
        (gr.Slider, [1], [float("nan"), {}]), (gr.Textbox, ["", None], [1, [], {}]),
        (gr.Dropdown, ["a", None], [1, ["a"], {}]), (gr.CheckboxGroup, [[], ["a"]], ["a", [1]]),
        (gr.JSON, [{}, None, 1], []),
    ],
)  # fmt: skip
def test_a_handler_gets_what_its_components_can_hold(component, good, bad):
    with gr.Blocks():
        made = component()
    assert all(fits(made, value) for value in good)
    assert not any(fits(made, value) for value in bad)

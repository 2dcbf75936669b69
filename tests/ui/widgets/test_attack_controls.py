"""Every attack has widgets for its options; a wish is read from them."""

from dataclasses import asdict

import gradio as gr
import pytest
from ui.wishes import defaults, wish

from robustaudio.attacks import ATTACKS
from robustaudio.ui.widgets.attack_controls import build_controls, option_widgets
from robustaudio.ui.wish import ANY_OTHER, METHODS, NOISE


def target() -> gr.Dropdown:
    return gr.Dropdown([ANY_OTHER, "0", "1"], value=ANY_OTHER, render=False)


def test_every_attack_has_a_name_and_widgets_that_hold_its_defaults(services):
    assert set(METHODS) == {*ATTACKS, NOISE} and len(set(METHODS.values())) == len(METHODS)
    for name, kind in ATTACKS.items():
        widgets = option_widgets(name)
        assert {field: widget.value for field, widget in widgets.items()} == asdict(kind())
        for slider in (w for w in widgets.values() if isinstance(w, gr.Slider)):
            assert slider.minimum <= slider.value <= slider.maximum
            steps = slider.value / slider.step
            assert steps == pytest.approx(round(steps)), (name, slider.label)


def test_a_wish_is_read_from_the_chosen_attacks_own_widgets(services):
    with gr.Blocks():
        controls = build_controls(target())
    method, values = controls.wish["method"], {widget: widget.value for widget in controls.inputs}
    read = controls.read(values)
    assert read == wish(options=defaults("pgd"))
    assert controls.read(values | {method: "apgd"}).options == defaults("apgd")
    assert controls.read(values | {method: NOISE}).options == {}
    values[controls.options["pgd"]["steps"]] = None
    with pytest.raises(ValueError, match="steps is empty; a number would be right"):
        controls.read(values)
    controls.read(values | {method: "apgd"})  # of an attack that was not chosen


def test_a_number_that_is_not_shown_is_not_judged(services):
    with gr.Blocks():
        controls = build_controls(target())
    values = {widget: widget.value for widget in controls.inputs}
    values[controls.wish["sigma"]] = -1e9
    assert controls.read(values).sigma == -1e9
    with pytest.raises(ValueError, match="sigma -1e"):
        controls.read(values | {controls.wish["method"]: NOISE})

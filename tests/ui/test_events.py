"""Updates of a page, and the scripts that it runs."""

import gradio as gr

from robustaudio.paths import ASSETS
from robustaudio.ui.events import HEAVY, QUICK, QUIET, fresh, script


def test_an_update_is_copied_with_its_values():
    """Gradio takes apart what it is given: the next run of the same handler needs it whole."""
    with gr.Blocks():
        words, button = gr.HTML(), gr.Button()
    update = {words: None, button: gr.update(visible=True)}
    copy = fresh(update)
    assert copy == update and [*copy] == [words, button]
    copy[button].pop("visible")
    assert update[button]["visible"] is True


def test_quick_events_wait_in_the_queue_and_heavy_ones_for_their_shares():
    assert QUICK == QUIET | {"queue": True} and QUIET["queue"] is False
    assert HEAVY["concurrency_limit"] is None


def test_a_script_is_its_file_given_values_as_json():
    text = (ASSETS / "page" / "still_here.js").read_text("utf-8")
    assert script("still_here", 5) == f"(\n{text})(5)"
    assert script("read_opened", "a'b\"").endswith('("a\'b\\"")')

"""Updates of a page, and what stands in the scripts that it runs."""

import gradio as gr

from robustaudio.ui.events import HEAVY, QUICK, QUIET, fresh


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

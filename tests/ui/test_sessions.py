"""Old sessions go, with what was kept for them."""

from datetime import datetime, timedelta

import gradio as gr
from gradio.state_holder import StateHolder

from robustaudio.ui.sessions import AGE_S, drop_old


def test_a_session_that_nobody_uses_is_dropped_and_cleaned_up_behind():
    cleaned = []
    with gr.Blocks() as page:
        state = gr.State("clip", delete_callback=cleaned.append)
    holder = StateHolder()
    holder.set_blocks(page)
    for session in ("old", "open"):
        holder[session][state._id] = session
    holder.time_last_used["old"] = datetime.now() - timedelta(seconds=AGE_S + 1)
    holder.time_last_used["open"] = datetime.now() - timedelta(seconds=AGE_S - 60)
    assert drop_old(holder) == 1
    assert cleaned == ["old"]
    assert [*holder.session_data] == [*holder.time_last_used] == ["open"]
    assert drop_old(holder) == 0

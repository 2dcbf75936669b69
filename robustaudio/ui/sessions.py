"""What Gradio holds of visits, dropped when they are old.

It holds half a megabyte of every session, of ten thousand of them, whether their pages are open or
not; what it deletes an hour after a page has closed are the values in it alone.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import gradio as gr
from gradio.state_holder import StateHolder

AGE_S = 3_600.0  # since a session was last used: an open page says every ten minutes that it is
SWEEP_S = 60.0


def drop_old(holder: StateHolder, age_s: float = AGE_S) -> int:
    """Drops the sessions that nobody has used for so long; returns how many."""
    last, dropped = datetime.now() - timedelta(seconds=age_s), 0
    for session, used in [*holder.time_last_used.items()]:
        if used > last:
            continue
        holder.delete_state(session)  # calls what cleans up behind its values
        with holder.lock:
            dropped += holder.session_data.pop(session, None) is not None
            holder.time_last_used.pop(session, None)
    return dropped


def keep_dropping(page: gr.Blocks) -> Callable[[], None]:
    """Drops old sessions of a served page every minute, until the returned function is called."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.wait(SWEEP_S):
            drop_old(page.server_app.state_holder, AGE_S)

    threading.Thread(target=work, daemon=True, name="old-sessions").start()
    return stopped.set

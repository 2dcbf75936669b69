"""What Gradio keeps of visits and runs, bounded.

Gradio keeps the last value of every output of a visit, for links to what it shows, which this page
does not offer; a component for each plain value that follows an update; and a visit for ever.
"""

import time
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.state_holder import SessionState, StateHolder

from robustaudio.serving.streams import Streams
from robustaudio.ui.long_runs import MOST_WAITING

EVENTS = 100  # of which Gradio keeps when they came
KEPT = timedelta(hours=1)  # after its last use: an open page uses it every ten minutes
UNHEARD_S = 60.0  # messages to a page that does not listen


class Visit(SessionState):
    """One session: its States, and each component once, without the values that they show."""

    def __init__(self, blocks: gr.Blocks):
        super().__init__(blocks)
        self.config_values = {}

    def __setitem__(self, key: int, value: Any) -> None:
        if isinstance(value, Block):
            value._id = key  # or else the next value makes an entry of its own
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class Visits(StateHolder):
    """All sessions; Gradio asks once a second what of them has had its time."""

    def __init__(self, page: gr.Blocks, streams: Streams):
        super().__init__()
        self.set_blocks(page)
        self.page, self.streams = page, streams
        self._unheard: dict[str, float] = {}  # since when nobody listens

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = Visit(self.blocks)
        return super().__getitem__(session_id)

    def delete_all_expired_state(self) -> None:
        super().delete_all_expired_state()
        oldest = datetime.now() - KEPT
        for session in [name for name, used in self.time_last_used.items() if used < oldest]:
            self.delete_state(session)
            self.session_data.pop(session, None)
            self.time_last_used.pop(session, None)
        self._clear_mail(time.monotonic())

    def _clear_mail(self, now: float) -> None:
        """Messages that nobody fetches go, and Gradio's list of the runs that they are of."""
        queue = self.page._queue
        waiting = (line.queue for line in queue.event_queue_per_concurrency_id.values())
        running = (job or () for job in queue.active_jobs)
        busy = {event.session_hash for event in chain(*waiting, *running)}
        known = {*queue.pending_messages_per_session, *queue.pending_event_ids_session}
        left = {session for session in known - busy if not self.streams.open(session)}
        self._unheard = {session: self._unheard.get(session, now) for session in left}
        for session, since in self._unheard.items():
            if now - since > UNHEARD_S:
                queue.pending_messages_per_session.pop(session, None)
                queue.pending_event_ids_session.pop(session, None)


def keep_tidy(page: gr.Blocks, streams: Streams) -> None:
    """Bounds what a served page keeps, and gives its queue an entry for every run that may wait.

    By default it has 40 entries, which are no threads; the quick handlers keep those. Gradio makes
    a table of all events after each, for a page that is closed here: that is switched off.
    """
    queue = page._queue
    queue.active_jobs += [None] * MOST_WAITING
    queue.ANALYTICS_MAX_EVENTS, queue.ANAYLTICS_CACHE_FREQUENCY = EVENTS, 10**9
    page.server_app.state_holder = Visits(page, streams)

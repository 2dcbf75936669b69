"""Fair shares of the quick events: whatever the page asks for that is no heavy run.

Gradio runs the events of a handler first come, first served over everybody. Here addresses take
turns, then the sessions of an address, and within a session the first event to come. Heavy runs
pass at once: they wait for their shares.
"""

import random
import time
from collections import Counter
from math import inf
from typing import Any

import gradio as gr
from fastapi import HTTPException, Request
from gradio.block_function import BlockFunction
from gradio.queueing import Event, EventQueue, Queue

from robustaudio.serving.limits import Limits, Visitor
from robustaudio.serving.streams import Streams
from robustaudio.serving.turns import ASKER, Served
from robustaudio.ui.long_runs import GONE_S

QUICK_RUNS = 2  # of one handler at a time
ADDRESS_RUNS = 4  # of one address at a time, of all handlers together
WAITING = 2  # events for each heavy run that may wait
SWEPT_S = 0.5  # between two looks for pages that have gone


class Quick(Queue):
    """Gradio's queue, with turns; `limits` of heavy runs hold for the events of a handler, too."""

    def __init__(self, plain: Queue, limits: Limits, streams: Streams):
        super().__init__(
            plain.live_updates, plain.max_thread_count, plain.update_intervals, plain.max_size,
            plain.blocks, plain.default_concurrency_limit,
        )  # fmt: skip
        self.limits, self.streams = limits, streams
        self._served, self._swept_at = Served(), -inf

    async def push(self, body: Any, request: Request, username: str | None) -> Any:
        """As Gradio's.

        Raises:
            HTTPException: 429 and one sentence, if the session or the address waits too often.
        """
        address, handler = _address(request), self.blocks.fns.get(body.fn_index)
        waiting = [event for event in self._waiting() if _address(event.request) == address]
        clicks = sum(event.session_hash == body.session_hash for event in waiting)
        if handler and handler.concurrency_limit is not None:
            if clicks >= WAITING * self.limits.waiting:
                raise HTTPException(429, f"{clicks} of your clicks wait already; wait for them.")
            if len(waiting) >= self.limits.address_waiting:
                raise HTTPException(
                    429,
                    f"{len(waiting)} clicks from your network address wait for their turn already; "
                    "try again in a minute.",
                )
        return await super().push(body, request, username)

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next event to begin; Gradio asks again and again."""
        self._sweep()
        lines = [line for line in self.event_queue_per_concurrency_id.values() if line.queue]
        random.shuffle(lines)
        for line in lines:
            limit = line.concurrency_limit
            if limit is None:
                return [line.queue.pop(0)], False, line.concurrency_id
            if line.current_concurrency < limit and (event := self._next(line)):
                line.queue.remove(event)
                self._served.note(*_visitor(event).keys)
                return [event], False, line.concurrency_id
        return None

    async def process_events(
        self, events: list[Event], batch: bool, begin_time: float, fn: BlockFunction
    ) -> None:
        """As Gradio's; whatever is locked on the way knows for whom."""
        if self.limits.running < inf:
            ASKER.set(_address(events[0].request))
        await super().process_events(events, batch, begin_time, fn)

    def send_message(self, event: Event, event_message: Any) -> None:
        """As Gradio's, whose loop would end at a session that it has forgotten among 2000."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)

    def _waiting(self) -> list[Event]:
        """Quick events that have not begun."""
        lines = self.event_queue_per_concurrency_id.values()
        return [event for line in lines if line.concurrency_limit for event in line.queue]

    def _next(self, line: EventQueue) -> Event | None:
        """Whose turn is longest ago, or never was, if the address may have one more."""
        jobs = [event for job in self.active_jobs for event in job or ()]
        running = [event for event in jobs if event.fn.concurrency_limit is not None]
        here = [event for event in running if event.concurrency_id == line.concurrency_id]
        in_line, in_all = (
            Counter(_address(event.request) for event in events) for events in (here, running)
        )
        most = self.limits.running
        able = [
            event
            for event in line.queue
            if in_line[address := _address(event.request)] < most
            and in_all[address] < ADDRESS_RUNS * most
        ]
        return min(
            able, key=lambda event: [*map(self._served.last, _visitor(event).keys)], default=None
        )

    def _sweep(self) -> None:
        """Drop the events of pages that have not listened for too long."""
        now = time.monotonic()
        if now - self._swept_at < SWEPT_S:
            return
        self._swept_at = now
        for event in self._waiting():
            gone_for_s = self.streams.gone_for_s(event.session_hash)
            if min(gone_for_s, now - event.enqueue_time) <= GONE_S:
                continue
            self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
            self.event_ids_to_events.pop(event._id, None)
            self.pending_event_ids_session.get(event.session_hash, set()).discard(event._id)


def share_quick(page: gr.Blocks, limits: Limits, streams: Streams) -> None:
    """Queue a page's events; in turns, unless nobody shares the machine."""
    page.queue(default_concurrency_limit=QUICK_RUNS, max_size=None, api_open=False)
    if limits.running < inf or limits.address_waiting < inf:
        page._queue = Quick(page._queue, limits, streams)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _visitor(event: Event) -> Visitor:
    return Visitor(event.session_hash, _address(event.request))

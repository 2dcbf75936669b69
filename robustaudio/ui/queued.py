"""A heavy run on its way from a click to its result: it waits without a thread, then has one."""

import asyncio
import contextvars
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor

import gradio as gr

from robustaudio.serving.limits import Visitor
from robustaudio.ui.long_runs import GIVES_WAY, Shares
from robustaudio.ui.words.waiting import waiting_words

AT_ONCE_S, POLL_S = 0.02, 0.1  # between two looks: in the first second, later
REPEAT_S = 5.0  # words are said again: whether anybody listens is only seen by that


class Queued:
    """One run of a visitor; `over` says that nobody wants it any more.

    Raises:
        ValueError: one sentence, if they have too many waiting already.
    """

    def __init__(self, shares: Shares, visitor: Visitor, over: Callable[[], bool]):
        self.shares, self.place = shares, shares.join(visitor, over)
        self._steps: Generator[list] | None = None
        self._thread = ThreadPoolExecutor(1, "heavy-run")
        self._said, self._said_at = "", 0.0

    async def words(self) -> str | None:
        """The next words for a visitor who waits; None as soon as the wait has an end."""
        while not self.shares.granted(self.place):
            if self.shares.dropped(self.place):
                return None
            now, words = self.shares.clock(), waiting_words(*self.shares.ahead(self.place))
            if words != self._said or now - self._said_at >= REPEAT_S:
                self._said, self._said_at = words, now
                return words
            await asyncio.sleep(AT_ONCE_S if now - self.place.joined_at < 1 else POLL_S)
        return None

    @property
    def began(self) -> bool:
        return not self.place.waits

    def begin(self, steps: Generator[list]) -> None:
        """Sets the run whose steps are computed once the wait is over."""
        self._steps = steps

    async def step(self) -> list | None:
        """The next step of the run; None after the last, and where nobody is there to see one."""
        if self._steps is None or not self.began or self.shares.gone(self.place):
            return None
        context, steps = contextvars.copy_context(), self._steps
        context.run(GIVES_WAY.set, lambda: self.shares.gives_way(self.place))
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: context.run(next, steps, None)
        )

    def end(self) -> None:
        """Leaves the place as soon as nothing is computed any more."""
        if self._steps is None:
            self.shares.leave(self.place)
        else:
            closed = self._thread.submit(self._steps.close)
            closed.add_done_callback(lambda _: self.shares.leave(self.place))
        self._thread.shutdown(wait=False)


def visitor_of(request: gr.Request) -> Visitor:
    """The session and the address that a request comes from."""
    client = getattr(request, "client", None)
    return Visitor(request.session_hash or "", client.host if client else "")

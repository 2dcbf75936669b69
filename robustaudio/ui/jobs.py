"""Long jobs of the page, from the click to the result.

A tab gives `on_click` a generator of updates, which asks for what is to be computed with
`result = yield from run.result(...)`. The rest is here: the place in the queue, progress, cancel
and stop, the server's limit, old results that are dimmed, one sentence on an error.
"""

import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import gradio as gr
from gradio.components import Component

from robustaudio.certification.interval import UnsupportedLayer
from robustaudio.evaluation.batch import Batch
from robustaudio.evaluation.engine import Measure, measure_clip
from robustaudio.progress import Enough, Progress
from robustaudio.ui.downloads import download_report, scratch_folder, with_report
from robustaudio.ui.errors import one_sentence
from robustaudio.ui.events import HEAVY, QUICK, QUIET, Update, fresh, script
from robustaudio.ui.html import progress_bar
from robustaudio.ui.long_runs import GIVES_WAY
from robustaudio.ui.opened import Opened
from robustaudio.ui.queued import Queued, visitor_of
from robustaudio.ui.sources import Source
from robustaudio.ui.visit import Halt, Turns, Visit
from robustaudio.ui.widgets.basic import Buttons
from robustaudio.ui.widgets.old_result import Asked, dim_when_changed
from robustaudio.ui.words.terms import Ending
from robustaudio.ui.words.waiting import UNREACHED, WAITING

if os.environ.get("SPACES_ZERO_GPU"):  # first of all: it has to come before CUDA is touched
    import spaces  # type: ignore[import-not-found]
else:
    spaces = None

Result = TypeVar("Result")
EXPECTED = (ValueError, UnsupportedLayer)  # errors whose sentence is meant for the visitor
POLL_S = 0.1
PAUSE_S, NAP_S = 0.25, 0.01  # between two steps, for a run that has just begun


class Cancelled(Exception):
    """Raised inside a job at its next report of progress, after somebody cancelled it."""


def stream(
    job: Callable[[Progress], Any], enough: Callable[[], bool] = lambda: False
) -> Iterator[tuple[float, list[Any], Any]]:
    """Runs `job(progress)` in a thread: the share done, its steps so far, and None.

    The steps are one list that grows; the last item has the share 1 and the result.

    Closing the iterator (on cancel, and when the tab closes) stops the job at its next report of
    progress, and waits until then. An attack ends early, with the best so far, when it is `enough`.
    An error of the job is raised here.
    """
    running, cancelled, gives_way = Future(), threading.Event(), GIVES_WAY.get()
    share, steps = [0.0], []

    def progress(now: float, step: Any = None, /) -> None:
        ends = time.monotonic() + PAUSE_S
        while gives_way() and time.monotonic() < ends and not cancelled.wait(NAP_S):
            pass
        if cancelled.is_set():
            raise Cancelled
        if enough():
            raise Enough
        share[0] = now
        if step is not None:
            steps.append(step)

    def work() -> None:
        try:
            running.set_result(job(progress))
        except BaseException as error:
            running.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while not wait([running], POLL_S).done:
            yield share[0], steps, None
    finally:
        cancelled.set()
        wait([running])
    yield 1.0, steps, running.result()


class Budget:
    """Seconds of computing on a server that others use, too, from when it is made.

    What was found by then is the run's result; `ended` says that it has ended anything.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic):
        self.seconds, self.clock, self.begun, self.ended = seconds, clock, clock(), False

    def over(self) -> bool:
        """Whether work has to end, which it then is taken to do."""
        self.ended = self.ended or self.clock() - self.begun >= self.seconds
        return self.ended

    @property
    def record(self) -> dict:
        """The limit for a record; empty where the run came to its own end."""
        return {"limit_s": self.seconds} if self.ended else {}


@dataclass(frozen=True)
class Run:
    """One run of a job: `run[widget]` is what the widget said when it was asked for.

    `folder` is for files to download: Gradio has copied them when the run ends.
    """

    visit: Visit
    values: dict[Component, Any]
    status: gr.HTML
    budget: Budget
    halt: Halt
    folder: Path

    def __getitem__(self, widget: Component) -> Any:
        return self.values[widget]

    @property
    def source(self) -> Source:
        return self[self.visit.source]

    def open(self, source: Source | None = None, classifier: str | None = None) -> Opened:
        """The page's clip and classifier, or others.

        Raises:
            ValueError: one sentence, for what cannot be used; NoClip for a clip.
        """
        source, name = source or self.source, classifier or self[self.visit.classifier]
        return Opened(source, *self.visit.services.open(source, name))

    def collect(self, report: dict, file: gr.DownloadButton, name: str) -> Update:
        """Adds a report to the visit's on the same clip; all of them are one file to click on."""
        self.values[self.visit.runs] = runs = with_report(self[self.visit.runs], report)
        all_runs = download_report(self.folder, name, {"runs": [*runs]})
        return {self.visit.runs: runs, file: all_runs}

    @property
    def ending(self) -> Ending:
        """How the run came to its end."""
        return Ending(self.halt.asked, self.budget.seconds if self.budget.ended else None)

    @property
    def record(self) -> dict:
        """How a search came to its end, for its record."""
        return {"stopped": self.halt.asked, **self.budget.record}

    def enough(self) -> bool:
        """Whether a search has to end with its best so far."""
        return self.halt.asked or self.budget.over()

    def measured(
        self, measure: Measure[Batch, Any, Result], opened: Opened, settings: Any,
        words: str | Callable[[Sequence[Any]], str], *, seed: float = 0, **more: Any,
    ) -> Generator[Update, None, Result]:  # fmt: skip
        """The result of a measure on one clip; `words` and `more` as those of `result`."""

        def job(progress: Progress) -> Result:
            samples = opened.clip.samples
            return measure_clip(
                measure, opened.classifier, samples, settings, seed=int(seed), progress=progress
            )

        return (yield from self.result(job, words, **more))

    def result(
        self,
        job: Callable[[Progress], Result],
        words: str | Callable[[Sequence[Any]], str],
        live: Callable[[Sequence[Any]], Update] = lambda steps: {},
        part: tuple[float, float] = (0.0, 1.0),
    ) -> Generator[Update, None, Result]:
        """Computes `job(progress)`; a bar with `words` shows how far it is, `live` what it has.

        Both may depend on the steps so far. The job is one `part` of the run: where it begins, and
        its share of the whole.
        """
        begin, share = part
        outcome: Any = None
        for done, steps, outcome in stream(job, self.enough):
            if outcome is None:
                said = words if isinstance(words, str) else words(steps)
                yield {**live(steps), self.status: progress_bar(begin + share * done, said)}
        return cast(Result, outcome)


def on_click(
    visit: Visit, buttons: Buttons, job: Callable[[Run], Iterator[Update]],
    inputs: Sequence[Component], outputs: Update, *,
    also_on: Sequence = (), live: Sequence[Component] = (), asked: Asked | None = None,
) -> Update:  # fmt: skip
    """Runs a job on its button and on any other trigger, newest wish last, while its turn lasts.

    The job gets the visit's clip and classifier beside the `inputs`. `outputs` have their emptied
    values; the first is the verdict, beside which no progress is shown. Cancelling empties the
    `live` ones. A result whose inputs have changed is dimmed. Returns all that a new clip empties.
    """
    start, status = buttons.start, buttons.status
    if asked is None:  # a change of the classifier empties the result
        asked = Asked([widget for widget in inputs if not isinstance(widget, gr.State)])
    held, verdict = gr.JSON(visible=False), next(iter(outputs))
    outputs = {**outputs, status: "", held: None, buttons.old: ""}
    inputs = [visit.turns, visit.source, visit.classifier, *inputs]

    def compute(*values: Any) -> Generator[list]:
        """The job in plain lists both ways: a lent GPU computes in another process."""
        said = dict(zip(inputs, values, strict=True))
        budget = Budget(visit.shares.limits.seconds)
        turns = said[visit.turns] if buttons.keeps else Turns()
        with turns.search() as halt, scratch_folder() as folder:
            try:
                for update in job(Run(visit, said, status, budget, halt, folder)):
                    done = {status: ""} if verdict in update else {}
                    yield [(done | update).get(shown, gr.skip()) for shown in outputs]
            except EXPECTED as error:
                raise one_sentence(error) from None

    compute = on_gpu(compute)

    async def run_in_turn(request: gr.Request, values: Update) -> AsyncIterator[Update]:
        over = partial(values[visit.turns].over, values[visit.turn])
        queued = Queued(visit.shares, visitor_of(request), over)
        asked_with = [values[widget] for widget in asked.widgets]
        try:
            while waits := await queued.words():
                yield {status: waits}
            queued.begin(compute(*(values[widget] for widget in inputs)))
            while (step := await queued.step()) and not over():
                update = dict(zip(outputs, step, strict=True))
                shown = update[verdict] != gr.skip()
                yield update | ({held: asked_with} if shown else {})
            if queued.began and over():
                yield fresh(outputs)
        finally:
            queued.end()

    triggers = [*also_on, start.click]
    gr.on(triggers, None, None, status, js=f"() => {json.dumps(WAITING)}", **QUIET)
    gr.on(triggers, None, None, status, js=script("reached", gr.skip(), UNREACHED), **QUIET)
    event = gr.on(
        triggers, run_in_turn, {visit.turn, *inputs}, [*outputs],
        trigger_mode="always_last", **HEAVY,
    )  # fmt: skip
    event.failure(None, None, status, js="() => ''", **QUIET)
    stop = _while_it_waits(visit, buttons.stop) if buttons.keeps else buttons.stop.click
    stopped = stop(None, None, None, cancels=[event], **QUIET)
    # after the last report of progress, not before
    live = [*live, status]
    emptied = stopped.then(
        lambda: fresh({shown: outputs[shown] for shown in live}), None, live, **QUIET
    )
    shown = [widget for widget in outputs if widget not in (buttons.old, status)]
    dim_when_changed(asked, held, buttons.old, [event, emptied], shown, str(start.value))
    return outputs


def _while_it_waits(visit: Visit, stop: gr.Button) -> Callable:
    """The event that cancels a search that still waits for its turn.

    A click on `stop` ends a search that runs with the best that it has found.
    """
    waiting = gr.State(0)

    def end(values: Update) -> Any:
        if (halt := values[visit.turns].halt) is None:
            return {waiting: values[waiting] + 1}
        halt.asked = True
        return gr.skip()

    stop.click(end, {visit.turns, waiting}, waiting, **QUICK)
    return waiting.change


def on_gpu(function: Callable) -> Callable:
    """Runs `function` on the GPU that a ZeroGPU Space lends; elsewhere it is left as it is."""
    return spaces.GPU(function) if spaces else function

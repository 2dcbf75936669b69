"""Building blocks of the tabs: a place for words, a long job's start, cancel and report."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.evaluation.report import make_report
from robustaudio.ui.budget import Budget
from robustaudio.ui.commands import command_line
from robustaudio.ui.downloads import file_name, report_file, scratch_folder
from robustaudio.ui.html import progress_bar
from robustaudio.ui.jobs import EXPECTED, on_gpu, one_sentence, stream
from robustaudio.ui.long_runs import Shares
from robustaudio.ui.queued import Queued, visitor_of
from robustaudio.ui.services import Services
from robustaudio.ui.sources import Source
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.widgets.old_result import Asked
from robustaudio.ui.words.waiting import UNREACHED, WAITING

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
HEAVY: dict[str, Any] = {
    "concurrency_limit": None,  # they wait for their shares instead
    "show_progress": "hidden",
    "api_visibility": "private",
}
# a plot that was drawn while it was hidden measures its place now
MEASURE_PLOTS = "() => window.dispatchEvent(new Event('resize'))"
# a slider reads an emptied number as 0, which its range may not even hold: the last one comes back
KEEP_NUMBERS = """() => {
  let last = "";
  const number = (event) => event.target.matches?.("input[type=number][data-testid=number-input]");
  document.addEventListener("focusin", (event) => {
    if (number(event)) last = event.target.value;
  });
  document.addEventListener("blur", (event) => {
    if (!number(event) || event.target.value !== "") return;
    event.target.value = last;
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
}"""
# a job that cannot even be asked for says so where its progress would stand
REACHED = f"""async () => {{
  const {{ root, api_prefix }} = window.gradio_config;
  try {{
    await fetch(`${{root}}${{api_prefix}}/app_id`, {{ cache: "no-store" }});
    return {json.dumps(gr.skip())};
  }} catch {{
    return {json.dumps(UNREACHED)};
  }}
}}"""
TEXTS = ("norm", "method", "representation", "heard")  # options that are not numbers
MOST_RUNS = 50  # reports on one clip that a visit keeps
TRY = "Try "  # then a classifier's name: the words of a button that chooses it
NO_FILE = gr.update(value=None, interactive=False)  # of a download


@dataclass
class Halt:
    """Whether a visitor wants a search to end with what it has found."""

    asked: bool = False


@dataclass
class Turns:
    """How often one visitor has changed clip or classifier; every run of theirs looks at it.

    Gradio's own `cancels` cannot do this: it goes on after the next run has begun, and then takes
    that one for the cancelled one.
    """

    latest: int = 0
    begun: int = 0  # the last one for which the page was emptied
    halt: Halt | None = None  # of the search that runs

    def over(self, turn: int) -> bool:
        """Whether a run of this turn is of another clip or classifier than the page's."""
        self.latest = max(self.latest, turn)
        return turn < self.latest

    @contextmanager
    def search(self) -> Iterator[Halt]:
        """For as long as a search runs that can end early."""
        self.halt = halt = Halt()
        try:
            yield halt
        finally:
            if self.halt is halt:
                self.halt = None


@dataclass(frozen=True)
class Visit:
    """What one visitor works on; `turn` counts in the browser, ahead of `turns`.

    `target` is the label that attacks are to reach; it is shown where they are. `opened` is the
    listening test that they opened: its token and its teacher's key, which their browser keeps
    where it can. `worked` is the classifier that the page's results are of: what `classifier` said
    last. Each of `switches` is a button that chooses the classifier it names. All visits have the
    same `shares`.
    """

    source: gr.State
    classifier: gr.Dropdown
    target: gr.Dropdown
    runs: gr.State
    turns: gr.State
    turn: gr.Number
    opened: gr.JSON
    worked: gr.Textbox
    shares: Shares = field(default_factory=Shares)
    switches: list[gr.Button] = field(default_factory=list)

    def switch(self, elem_id: str) -> gr.Button:
        """A hidden button; `tried` shows it."""
        self.switches.append(
            gr.Button(visible=False, elem_id=elem_id, size="sm", variant="secondary")
        )
        return self.switches[-1]


def tried(classifier: str | None) -> dict:
    """Shows a switch to a classifier, or none."""
    return gr.update(value=f"{TRY}{classifier}", visible=classifier is not None)


def words(elem_id: str, value: str = "") -> gr.HTML:
    """A place for the page's own HTML, without Gradio's styles and padding."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, padding=False)


def start_and_cancel(
    start: str, elem_id: str, cancel: str = "Cancel"
) -> tuple[gr.Button, gr.Button]:
    """A row with the button that starts a long job and the one that stops it."""
    with gr.Row():
        return (
            gr.Button(start, variant="primary", elem_id=elem_id, min_width=120),
            gr.Button(cancel, elem_id=f"cancel-{elem_id}", min_width=80),
        )


def ends_search(visit: Visit, stop: gr.Button) -> Callable:
    """The event that cancels a search that still waits for its turn.

    A click on `stop` ends a search that runs with the best that it has found.
    """
    waiting = gr.State(0)

    def end(turns: Turns, clicks: int) -> Any:
        if turns.halt is None:
            return clicks + 1
        turns.halt.asked = True
        return gr.skip()

    stop.click(end, [visit.turns, waiting], waiting, **{**QUIET, "queue": True})
    return waiting.change


def wire(
    visit: Visit, start: gr.Button, triggers: list, stop: Callable, run: Callable, inputs: list,
    outputs: Mapping[Component, Any], live: list, old: gr.HTML, asked: Asked | None = None,
) -> dict[Component, Any]:  # fmt: skip
    """Runs a long job on its button and on any trigger, newest wish last, while its turn lasts.

    `outputs` have their emptied values, the first is the verdict; the event `stop` cancels the job
    and empties the `live` ones, which show where it stands, the status last. A result whose inputs
    have changed is dimmed, and `old` says for what it holds. Returns all that a new clip empties.
    """
    run, status = on_gpu(run), live[-1]
    apart = (visit.turn, visit.classifier)  # they empty the result
    widgets = [w for w in inputs if w not in apart and not isinstance(w, gr.State)]
    held = gr.JSON(visible=False)
    outputs = {**outputs, held: None, old: ""}

    def at_status(words: str) -> list:
        return [words if shown is status else gr.skip() for shown in outputs]

    async def run_in_turn(
        request: gr.Request, turns: Turns, turn: int, *values: Any
    ) -> AsyncIterator[list]:
        over = partial(turns.over, turn)
        try:
            queued = Queued(visit.shares, visitor_of(request), over)
        except ValueError as error:
            raise one_sentence(error) from None
        mine = [values[inputs.index(widget)] for widget in widgets]
        try:
            while told := await queued.told():
                yield at_status(told)
            queued.begin(run(*values))
            while (step := await queued.step()) and not over():
                shown = step[0] != gr.skip()
                yield [*step, mine if shown else gr.skip(), gr.skip()]
            if queued.began and over():
                yield deepcopy([*outputs.values()])  # Gradio takes the updates apart
        finally:
            queued.end()

    triggers = [*triggers, start.click]
    gr.on(triggers, None, None, status, js=f"() => {json.dumps(WAITING)}", **QUIET)
    gr.on(triggers, None, None, status, js=REACHED, **QUIET)
    event = gr.on(
        triggers, run_in_turn, [visit.turns, visit.turn, *inputs], [*outputs],
        trigger_mode="always_last", **HEAVY,
    )  # fmt: skip
    event.failure(None, None, status, js="() => ''", **QUIET)
    stopped = stop(None, None, None, cancels=[event], **QUIET)
    # after the last report of progress, not before
    emptied = stopped.then(
        lambda: deepcopy([outputs[shown] for shown in live]), None, live, **QUIET
    )
    _dim(asked or Asked(widgets), held, old, [event, emptied], outputs, status, str(start.value))
    return outputs


def _dim(
    asked: Asked, held: gr.JSON, old: gr.HTML, done: list, outputs: Mapping[Component, Any],
    status: Component, again: str,
) -> None:  # fmt: skip
    """Compares what the result was asked with to what the widgets say, whenever either changes."""
    shown = (gr.HTML, gr.Plot)
    dimmed = [
        one.elem_id for one in outputs
        if isinstance(one, shown) and one.elem_id and one not in (old, status)
    ]  # fmt: skip
    compare: dict[str, Any] = {
        "fn": None, "inputs": [held, *asked.widgets], "outputs": old,
        "js": asked.note(dimmed, again), **QUIET,
    }  # fmt: skip
    gr.on([widget.change for widget in asked.widgets], **compare)
    for event in done:
        event.then(**compare)


def proving(
    services: Services, source: Source, classifier: str, runs: tuple, verb: str, options: dict,
    job: Callable, named: str | None = None, budget: Budget | None = None,
) -> Iterator[tuple[Any, list]]:  # fmt: skip
    """A long job: (None, ...) with its progress, then (what it returned, ...) with its report.

    `job(classifier, clip, progress)` returns its record and whatever else is to be shown. The rest
    of each pair are the values of report button, runs and status. The report's file has the name of
    the clip, of the classifier, or what it is `named` instead, and of the verb. The `budget` may be
    one of several jobs.
    """
    budget = budget or Budget(services.limits.seconds)
    try:
        required(**{k: v for k, v in options.items() if k not in TEXTS})
        chosen, clip = services.open(source, classifier)
        command = command_line(verb, source, classifier, options)
        for share, _, done in stream(lambda progress: job(chosen, clip, progress), budget.over):
            if done is None:
                yield None, [gr.skip(), gr.skip(), progress_bar(share, verb)]
            else:
                done = ({**done[0], **budget.record}, *done[1:])
                runs = _with(runs, make_report(chosen, clip, command, done[0]))
                with scratch_folder() as folder:
                    name = file_name(source.path.stem, named or classifier, verb)
                    path = report_file(folder, name, {"runs": list(runs)})
                    yield done, [gr.DownloadButton(value=path, interactive=True), runs, ""]
    except EXPECTED as error:
        raise one_sentence(error) from None


def _with(runs: tuple[dict, ...], report: dict) -> tuple[dict, ...]:
    """The last reports on the same clip, and a new one."""
    same = [run for run in runs if run["clip"] == report["clip"]]
    return (*same[1 - MOST_RUNS :], report)

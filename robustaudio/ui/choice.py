"""The top of the page: a task, one of its classifiers, one of its clips, and what is heard."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.figures import shown_label
from robustaudio.evaluation.predict import predict as predict_it
from robustaudio.evaluation.report import judged
from robustaudio.evaluation.results import to_json
from robustaudio.ui import convert, verdicts
from robustaudio.ui.blocks import QUIET, Turns, Visit, words
from robustaudio.ui.convert import ANY_OTHER, Services, Source
from robustaudio.ui.intake import ANY_SOUND, MICROPHONE, REFUSED, too_large
from robustaudio.ui.jobs import EXPECTED, FAILED, as_html, in_place, one_sentence
from robustaudio.ui.learn import card_words
from robustaudio.ui.shares import Shares

# queued: an event outside the queue changes a State without telling its listeners
QUICK = {**QUIET, "queue": True}
STILL_HERE_MS = 600_000
# once a page has been offline, Gradio drops its States an hour after they were last set
STILL_HERE = """() => {{
  const tell = () => document.querySelector("#still-here")?.click();
  setInterval(tell, {every_ms});
  document.addEventListener("visibilitychange", () => document.hidden || tell());
}}"""


def build_choice(services: Services, page: gr.Blocks, turn: gr.Number) -> Visit:
    """The widgets and what they do to each other; returns what the tabs work on."""
    task = gr.Radio(
        [(task.shown, name) for name, task in services.tasks.items()],
        value=next(iter(services.tasks)), label="Task", elem_id="task",
        show_label=False, container=False, visible=len(services.tasks) > 1,
    )  # fmt: skip
    start, first = services.start(str(task.value))
    source = gr.State(first, delete_callback=lambda left: services.forget(left.visit))
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            classifier = gr.Dropdown(
                services.classifiers_of(first.task), value=start, label="Classifier",
                elem_id="classifier", filterable=False,
            )  # fmt: skip
            with gr.Accordion("About this classifier", open=False):
                card = words("card", card_words(services.cards[start]))
        with gr.Column(scale=3, min_width=300):
            clip = gr.Dropdown(
                list(services.clips[first.task]), value=first.name, label="Clip", elem_id="clip"
            )
            with gr.Accordion("Upload or record your own", open=False, elem_id="own-clip"):
                upload = gr.Audio(
                    sources=["upload", "microphone"], type="filepath", show_label=False,
                    elem_id="upload", editable=False, buttons=[],
                )  # fmt: skip
                microphone = words("no-microphone")
                large = gr.Textbox(visible="hidden", elem_id="too-large", show_label=False)
        with gr.Column(scale=2, min_width=240):
            prediction = words("prediction")
    target = gr.Dropdown(
        _targets(services, start), value=ANY_OTHER, label="Make it hear", elem_id="target",
        render=False,
    )  # fmt: skip

    def predict(source: Source, classifier: str) -> list:
        """What is heard, or in its place why nothing is."""
        about = card_words(services.cards[classifier])
        try:
            chosen, opened = convert.open_source(services, source, classifier)
            record = {
                **to_json(measure_clip(predict_it, chosen, opened.samples, None)),
                **judged(opened),
            }
        except EXPECTED as error:
            return [in_place(error), about]
        except Exception:  # of a classifier, or of the machine: the last clip's verdict must go
            logging.getLogger(__name__).exception("%s failed on %s", classifier, source.name)
            failure = RuntimeError(f"{classifier} failed on this clip; the server's log says why.")
            return [in_place(failure), about]
        return [verdicts.prediction_words(record, source), about]

    def choose_task(task: str, source: Source) -> list:
        """The task's own start; a visitor's own clip stays."""
        start, first = services.start(task)
        names, clips = services.classifiers_of(task), list(services.clips[task])
        chosen = replace(source if source.uploaded else first, task=task, visit=source.visit)
        return [
            chosen,
            gr.Dropdown(names, value=start),
            start,
            gr.Dropdown(clips, value=None if source.uploaded else first.name),
            gr.Dropdown(_targets(services, start), value=ANY_OTHER),
        ]

    def choose(name: str | None, source: Source) -> Source | dict:
        clips = services.clips[source.task]
        if name is None:  # beside an own clip the list is empty, and was merely looked at
            return gr.skip()
        if name not in clips:
            raise one_sentence(ValueError("choose a clip from the list."))
        return Source(name, clips[name], source.task, visit=source.visit)

    def use_upload(path: str | None, source: Source, classifier: str) -> tuple:
        """The visitor's own clip; of a file that cannot be used, the sentence that says why not.

        The list of clips is emptied, so that any of its clips can be chosen again.
        """
        if path is None:
            return gr.skip(), gr.skip()
        taken = convert.take_upload(services, Path(path), source, classifier)
        return told(taken), gr.Dropdown(value=None)

    def refuse(large: str, source: Source) -> tuple:
        refused = replace(source, name=convert.UPLOAD, uploaded=True, refused=too_large(large))
        return told(refused), gr.Dropdown(value=None), None

    worked = gr.Textbox(start, visible=False)
    of_task = [source, classifier, worked, clip, target]
    task.input(choose_task, [task, source], of_task, **QUICK)
    clip.input(choose, [clip, source], source, **QUICK)
    own = [upload.upload, upload.stop_recording]
    gr.on(own, use_upload, [upload, source, classifier], [source, clip], **QUICK)
    large.change(refuse, [large, source], [source, clip, upload], **QUICK)
    page.load(None, js=ANY_SOUND, **QUIET)
    page.load(None, js=REFUSED, **QUIET)
    shown = gr.JSON(visible=False)
    source.change(lambda source: source.shown, source, shown, **QUIET)
    still_here = gr.Button(visible="hidden", elem_id="still-here")
    still_here.click(
        lambda source, shown: resumed(services, source, first, shown),
        [source, shown], source, **QUICK,
    )  # fmt: skip
    page.load(None, js=STILL_HERE.format(every_ms=STILL_HERE_MS), **QUIET)
    page.load(None, None, [upload, microphone], js=MICROPHONE, **QUIET)
    changed = [page.load, source.change, classifier.change]
    gr.on(changed, predict, [source, classifier], [prediction, card], **QUIET)
    opened = gr.JSON(visible=False)
    shares = Shares(services.limits, streams=services.streams)
    return Visit(
        source, classifier, target, gr.State(()), gr.State(Turns()), turn, opened, worked, shares
    )


def told(source: Source) -> Source:
    """The source; a refusal is said at once, wherever the visitor has scrolled to."""
    if source.refused:
        gr.Warning(as_html(source.refused), title=FAILED)
    return source


def resumed(services: Services, source: Source, first: Source, shown: Any) -> Source:
    """The source, which is then kept for another hour; the one that the page shows if it was lost.

    A State that was lost begins anew with the `first` clip, whatever the page says.
    """
    if source != first or not isinstance(shown, dict) or shown == first.shown:
        return source
    task, name = str(shown.get("task")), str(shown.get("name"))
    if task not in services.tasks:
        return source
    if shown.get("uploaded"):
        return Source(convert.UPLOAD, Path(), task, uploaded=True, refused=convert.GONE)
    path = services.clips[task].get(name)
    return Source(name, path, task) if path else source


def _targets(services: Services, classifier: str) -> list[tuple[str, str]]:
    """Labels to reach, by the name shown."""
    labels = services.classifiers[classifier].labels
    return [(ANY_OTHER, ANY_OTHER), *((shown_label(label), label) for label in labels)]

"""The top of the page: a task, one of its classifiers, one of its clips, and what is heard."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from robustaudio.audio.tasks import shown_label
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.predict import predict as predict_label
from robustaudio.ui.errors import FAILED, as_html, in_place
from robustaudio.ui.events import QUICK, QUIET, Update, script
from robustaudio.ui.jobs import EXPECTED
from robustaudio.ui.long_runs import Shares
from robustaudio.ui.services import Services
from robustaudio.ui.sources import UPLOAD, Source
from robustaudio.ui.visit import Turns, Visit
from robustaudio.ui.widgets.basic import words
from robustaudio.ui.widgets.upload import MICROPHONE, TAKES, too_large
from robustaudio.ui.wish import ANY_OTHER
from robustaudio.ui.words.choice import card_words, prediction_words

STILL_HERE_MS = 600_000


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

    def predict(values: Update) -> Update:
        """What is heard, or in its place why nothing is."""
        chosen, name = values[source], values[classifier]
        try:
            model, prepared = services.open(chosen, name)
            result = measure_clip(predict_label, model, prepared.samples, None)
            said = prediction_words(result, chosen, prepared.stretch)
        except EXPECTED as error:
            said = in_place(error)
        except Exception:  # of a classifier, or of the machine: the last clip's verdict must go
            logging.getLogger(__name__).exception("%s failed on %s", name, chosen.name)
            failed = f"{name} failed on this clip; the server's log says why."
            said = in_place(RuntimeError(failed))
        return {prediction: said, card: card_words(services.cards[name])}

    def choose_task(values: Update) -> Update:
        """The task's own start; a visitor's own clip stays."""
        name, before = values[task], values[source]
        start, first = services.start(name)
        kept = before if before.uploaded else first
        chosen = None if before.uploaded else first.name
        return {
            source: replace(kept, task=name, visit=before.visit),
            classifier: gr.Dropdown(services.classifiers_of(name), value=start),
            worked: start,
            clip: gr.Dropdown(list(services.clips[name]), value=chosen),
            target: gr.Dropdown(_targets(services, start), value=ANY_OTHER),
        }

    def choose(values: Update) -> Any:
        name, before = values[clip], values[source]
        clips = services.clips[before.task]
        if name is None:  # beside an own clip the list is empty, and was merely looked at
            return gr.skip()
        if name not in clips:
            raise ValueError("choose a clip from the list.")
        return {source: Source(name, clips[name], before.task, visit=before.visit)}

    def use_upload(values: Update) -> Any:
        """The visitor's own clip; of a file that cannot be used, the sentence that says why not.

        The list of clips is emptied, so that any of its clips can be chosen again.
        """
        if values[upload] is None:
            return gr.skip()
        taken = services.take(Path(values[upload]), values[source], values[classifier])
        return {source: warned(taken), clip: gr.Dropdown(value=None)}

    def refuse(values: Update) -> Update:
        sentence = too_large(values[large])
        refused = replace(values[source], name=UPLOAD, uploaded=True, refused=sentence)
        return {source: warned(refused), clip: gr.Dropdown(value=None), upload: None}

    worked = gr.Textbox(start, visible=False)
    task.input(choose_task, {task, source}, [source, classifier, worked, clip, target], **QUICK)
    clip.input(choose, {clip, source}, source, **QUICK)
    uploaded = [upload.upload, upload.stop_recording]
    gr.on(uploaded, use_upload, {upload, source, classifier}, [source, clip], **QUICK)
    large.change(refuse, {large, source}, [source, clip, upload], **QUICK)
    page.load(None, js=TAKES, **QUIET)
    shown = gr.JSON(visible=False)
    source.change(lambda source: source.shown, source, shown, **QUIET)
    still_here = gr.Button(visible="hidden", elem_id="still-here")
    still_here.click(
        lambda values: resumed(services, values[source], first, values[shown]),
        {source, shown}, source, **QUICK,
    )  # fmt: skip
    page.load(None, js=script("still_here", STILL_HERE_MS), **QUIET)
    page.load(None, None, [upload, microphone], js=MICROPHONE, **QUIET)
    changed = [page.load, source.change, classifier.change]
    gr.on(changed, predict, {source, classifier}, [prediction, card], **QUIET)
    return Visit(
        source, classifier, target, perturbed=gr.State(None), runs=gr.State(()),
        turns=gr.State(Turns()), turn=turn, opened=gr.JSON(visible=False), worked=worked,
        services=services, shares=Shares(services.limits, streams=services.streams),
    )  # fmt: skip


def warned(source: Source) -> Source:
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
        upload = Source(UPLOAD, Path(), task, uploaded=True)
        return replace(upload, refused=upload.gone)
    path = services.clips[task].get(name)
    return Source(name, path, task) if path else source


def _targets(services: Services, classifier: str) -> list[tuple[str, str]]:
    """Labels to reach, by the name shown."""
    labels = services.classifiers[classifier].labels
    return [(ANY_OTHER, ANY_OTHER), *((shown_label(label), label) for label in labels)]

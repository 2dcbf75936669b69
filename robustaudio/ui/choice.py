"""The top of the page: a task, one of its classifiers, one of its clips, and what is heard."""

from dataclasses import replace
from pathlib import Path

import gradio as gr

from robustaudio.evaluation.figures import shown_label
from robustaudio.evaluation.predict import predict_clip
from robustaudio.evaluation.report import judged
from robustaudio.ui import convert, verdicts
from robustaudio.ui.blocks import QUIET, Turns, Visit, words
from robustaudio.ui.convert import ANY_OTHER, Services, Source
from robustaudio.ui.jobs import EXPECTED, one_sentence
from robustaudio.ui.learn import card_words

# queued: an event outside the queue changes a State without telling its listeners
QUICK = {**QUIET, "queue": True}


def build_choice(services: Services, page: gr.Blocks, turn: gr.Number) -> Visit:
    """The widgets and what they do to each other; returns what the tabs work on."""
    task = gr.Radio(
        [(task.shown, name) for name, task in services.tasks.items()],
        value=next(iter(services.tasks)), label="Task", elem_id="task",
        show_label=False, container=False, visible=len(services.tasks) > 1,
    )  # fmt: skip
    start, first = services.start(str(task.value))
    source = gr.State(first)
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            classifier = gr.Dropdown(
                services.classifiers_of(first.task), value=start, label="Classifier",
                elem_id="classifier",
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
        with gr.Column(scale=2, min_width=240):
            prediction = words("prediction")
    target = gr.Dropdown(
        _targets(services, start), value=ANY_OTHER, label="Make it hear", elem_id="target",
        render=False,
    )  # fmt: skip

    def predict(source: Source, classifier: str) -> list:
        try:
            chosen, opened = convert.open_source(services, source, classifier)
            record = {**predict_clip(chosen, opened.samples), **judged(opened)}
        except EXPECTED as error:
            raise one_sentence(error) from None
        heard = verdicts.prediction_words(record, source)
        return [heard, card_words(services.cards[classifier])]

    def choose_task(task: str, source: Source) -> list:
        """The task's own start; a visitor's own clip stays."""
        start, first = services.start(task)
        names, clips = services.classifiers_of(task), list(services.clips[task])
        chosen = replace(source, task=task) if source.uploaded else first
        return [
            chosen,
            gr.Dropdown(names, value=start),
            gr.Dropdown(clips, value=None if source.uploaded else first.name),
            gr.Dropdown(_targets(services, start), value=ANY_OTHER),
        ]

    def choose(name: str | None, source: Source) -> Source:
        clips = services.clips[source.task]
        if name is None or name not in clips:
            raise one_sentence(ValueError("choose a clip from the list."))
        return Source(name, clips[name], source.task)

    def use_upload(path: str | None, source: Source, classifier: str) -> tuple:
        """The visitor's own clip, if it can be read; else the sentence that says why not.

        The list of clips is emptied, so that any of its clips can be chosen again.
        """
        if path is None:
            return gr.skip(), gr.skip()
        uploaded = Source(convert.UPLOAD, Path(path), source.task, uploaded=True)
        try:
            convert.open_source(services, uploaded, classifier)
        except EXPECTED as error:
            raise one_sentence(error) from None
        return uploaded, gr.Dropdown(value=None)

    task.input(choose_task, [task, source], [source, classifier, clip, target], **QUICK)
    clip.input(choose, [clip, source], source, **QUICK)
    own = [upload.upload, upload.stop_recording]
    gr.on(own, use_upload, [upload, source, classifier], [source, clip], **QUICK)
    changed = [page.load, source.change, classifier.change]
    gr.on(changed, predict, [source, classifier], [prediction, card], **QUIET)
    # Gradio's own names change at every start, and what was kept is lost
    opened = gr.BrowserState(storage_key="robustaudio.opened", secret="robustaudio")
    return Visit(source, classifier, target, gr.State(()), gr.State(Turns()), turn, opened)


def _targets(services: Services, classifier: str) -> list[tuple[str, str]]:
    """Labels to reach, by the name shown."""
    labels = services.classifiers[classifier].labels
    return [(ANY_OTHER, ANY_OTHER), *((shown_label(label), label) for label in labels)]

"""The page: a clip and a classifier on top, then hear and break, prove, ruler, listen, words."""

import json
from copy import deepcopy
from pathlib import Path

import gradio as gr
from gradio.themes import Base

from robustaudio.classifiers.checkpoints import CHECKPOINTS
from robustaudio.evaluation.predict import predict_clip
from robustaudio.ui import convert, verdicts
from robustaudio.ui.blocks import KEEP_NUMBERS, MEASURE_PLOTS, QUIET, Turns, Visit, words
from robustaudio.ui.certify import build_certify, build_ruler
from robustaudio.ui.convert import Services, Source
from robustaudio.ui.explore import build_explore
from robustaudio.ui.jobs import EXPECTED, one_sentence
from robustaudio.ui.learn import LEARN, card_words
from robustaudio.ui.listen import build_listen

START_CLASSIFIER, START_CLIP = "digits-cnn", "7 · flite slt"  # a pair that breaks at -45 dB
STYLE = CHECKPOINTS.parent / "assets" / "style.css"
HEADER = (
    "<header class='ra-header'><h1>robustaudio</h1>"
    "<p>Hear, break and prove an audio classifier.</p></header>"
)
FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def theme() -> Base:
    """Calm colours and the visitor's own fonts: nothing is fetched from elsewhere."""
    plain = Base(
        primary_hue="teal", secondary_hue="orange", neutral_hue="slate", font=FONT, font_mono=MONO
    )
    return plain.set(  # the caveats stand in subdued text: it has to be readable
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        checkbox_border_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
    )


def build_page(services: Services) -> gr.Blocks:
    """The whole app; one visitor's state is in gr.State, everything else is read-only."""
    names = list(services.classifiers)
    start = START_CLASSIFIER if START_CLASSIFIER in names else names[0]
    first = START_CLIP if START_CLIP in services.clips else next(iter(services.clips))
    with gr.Blocks(title="robustaudio", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        source = gr.State(Source(first, services.clips[first]))
        turn, begun = gr.Number(0, visible=False), gr.State(0)
        words("header", HEADER)
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=300):
                clip = gr.Dropdown(list(services.clips), value=first, label="Clip", elem_id="clip")
                with gr.Accordion("Upload or record your own", open=False, elem_id="own-clip"):
                    upload = gr.Audio(
                        sources=["upload", "microphone"], type="filepath", show_label=False,
                        elem_id="upload", editable=False, buttons=[],
                    )  # fmt: skip
            with gr.Column(scale=3, min_width=300):
                classifier = gr.Dropdown(
                    names, value=start, label="Classifier", elem_id="classifier"
                )
                with gr.Accordion("About this classifier", open=False):
                    card = words("card", card_words(services.cards[start]))
            with gr.Column(scale=2, min_width=240):
                prediction = words("prediction")
        visit = Visit(source, classifier, gr.State(()), gr.State(Turns()), turn)
        changed = [page.load, source.change, classifier.change]
        with gr.Tabs() as tabs:
            with gr.Tab("Hear & break", elem_id="tab-explore"):
                of_explore = build_explore(services, visit, [page.load, begun.change])
            with gr.Tab("Prove", elem_id="tab-prove"):
                of_certify = build_certify(services, visit, changed)
            with gr.Tab("Ruler", elem_id="tab-ruler"):
                of_ruler = build_ruler(services, visit)
            with gr.Tab("Listen", elem_id="tab-listen"):
                build_listen(services, visit, of_explore)
            with gr.Tab("Learn", elem_id="tab-learn"):
                gr.Markdown(LEARN)

        page.load(None, js=KEEP_NUMBERS, **QUIET)
        tabs.select(None, js=MEASURE_PLOTS, **QUIET)

        def predict(source: Source, classifier: str) -> list:
            try:
                chosen, opened = convert.open_source(services, source, classifier)
                record = predict_clip(chosen, opened.samples)
            except EXPECTED as error:
                raise one_sentence(error) from None
            heard = verdicts.prediction_words(record, source)
            return [heard, card_words(services.cards[classifier])]

        def choose(name: str | None) -> Source:
            if name is None or name not in services.clips:
                raise one_sentence(ValueError("choose a clip from the list."))
            return Source(name, services.clips[name])

        def use_upload(path: str | None) -> tuple:
            """The visitor's own clip, if it can be read; else the sentence that says why not.

            The list of clips is emptied, so that any of its clips can be chosen again.
            """
            if path is None:
                return gr.skip(), gr.skip()
            uploaded = Source(convert.UPLOAD, Path(path), uploaded=True)
            try:
                convert.open_source(services, uploaded, start)
            except EXPECTED as error:
                raise one_sentence(error) from None
            return uploaded, gr.Dropdown(value=None)

        # queued: an event outside the queue changes a State without telling its listeners
        quick = {**QUIET, "queue": True}
        clip.input(choose, clip, source, **quick)
        own = [upload.upload, upload.stop_recording]
        gr.on(own, use_upload, upload, [source, clip], **quick)
        gr.on(changed, predict, [source, classifier], [prediction, card], **QUIET)

        stale = of_explore | of_certify | of_ruler

        def begin(turns: Turns, turn: int) -> list:
            """The run that is over learns it; what it found in the last moment goes as well."""
            turns.over(turn)
            return [turn, *deepcopy([*stale.values()])]  # Gradio takes the updates apart

        # what was found of another clip or classifier goes at once, in the browser; what is still
        # being found learns of it from the turn, and a new run begins
        emptied = json.dumps([*stale.values()])
        for event in (source.change, classifier.input):
            moved = event(
                None, turn, [turn, *stale], js=f"turn => [turn + 1, ...{emptied}]", **QUIET
            )
            moved.then(begin, [visit.turns, turn], [begun, *stale], **quick)
    return page

"""The page: task, classifier and clip, then hear and break, prove, ruler, listen, words."""

import json
from typing import Any

import gradio as gr
from gradio.themes import Base

from robustaudio.paths import ASSETS
from robustaudio.ui.checked_blocks import Page
from robustaudio.ui.events import MEASURE_PLOTS, QUICK, QUIET, Update, asset, fresh, script
from robustaudio.ui.kept_files import keep_downloads
from robustaudio.ui.services import Services
from robustaudio.ui.tabs.choice import build_choice
from robustaudio.ui.tabs.hear_and_break import build_hear_and_break
from robustaudio.ui.tabs.listen import build_listen
from robustaudio.ui.tabs.noise_it_is_sure_about import build_noise_it_is_sure_about
from robustaudio.ui.tabs.prove import build_prove
from robustaudio.ui.tabs.ruler import build_ruler
from robustaudio.ui.tabs.what_would_it_take import build_what_would_it_take
from robustaudio.ui.visit import TRY, Visit
from robustaudio.ui.widgets.basic import words

STYLE = ASSETS / "style.css"
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
    with Page(title="robustaudio", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        turn, begun = gr.Number(0, visible=False), gr.State(0)
        words("header", HEADER)
        visit = build_choice(services, page, turn)
        changed = [page.load, visit.source.change, visit.classifier.change]
        stale: Update = {}
        with gr.Tabs() as tabs:
            with gr.Tab("Hear & break", elem_id="tab-explore"):
                starts = [page.load, begun.change]
                stale |= build_hear_and_break(visit, starts, changed)
                with gr.Accordion("Noise it is sure about", open=False, elem_id="more-like-itself"):
                    stale |= build_noise_it_is_sure_about(visit, changed)
            with gr.Tab("Prove", elem_id="tab-prove"):
                stale |= build_prove(visit, changed)
            with gr.Tab("Ruler", elem_id="tab-ruler"):
                stale |= build_ruler(visit)
                stale |= build_what_would_it_take(visit)
            with gr.Tab("Listen", elem_id="tab-listen"):
                build_listen(visit, page.load)
            with gr.Tab("Learn", elem_id="tab-learn"):
                gr.Markdown(asset("learn.md"))

        page.load(None, js=script("keep_numbers"), **QUIET)
        tabs.select(None, js=MEASURE_PLOTS, **QUIET)
        _begin_anew(visit, begun, stale)
    keep_downloads(page)
    return page


def _begin_anew(visit: Visit, begun: gr.State, stale: Update) -> None:
    """Empties all results in the browser as soon as the clip or the classifier is another one.

    A run that still computes is ended by the turn, and a new run begins. Gradio calls a menu
    that was merely opened and closed an input, too: what counts is whether its value has changed.
    """

    def begin(values: Update) -> Any:
        """Ends the run before, and empties what it has shown in the last moment."""
        turns, now = values[visit.turns], values[turn]
        if now == turns.begun:
            return gr.skip()
        turns.over(now)
        turns.begun = now
        return {begun: now, **fresh(stale)}

    classifier, worked, turn = visit.classifier, visit.worked, visit.turn
    emptied, everything = json.dumps([*stale.values()]), [turn, *stale]
    to_another = (
        f"(name, worked, turn) => name === worked ? {json.dumps([gr.skip()] * (2 + len(stale)))}"
        f" : [name, turn + 1, ...{emptied}]"
    )
    moves = [
        visit.source.change(
            None, turn, everything, js=f"turn => [turn + 1, ...{emptied}]", **QUIET
        ),
        classifier.input(
            None, [classifier, worked, turn], [worked, *everything], js=to_another, **QUIET
        ),
    ]
    for button in visit.switches:
        js = (
            f"(words, worked, turn) => {{ const name = words.slice({len(TRY)}); "
            f"return [name, ...({to_another})(name, worked, turn)]; }}"
        )
        outputs = [classifier, worked, *everything]
        moves.append(button.click(None, [button, worked, turn], outputs, js=js, **QUIET))
    for moved in moves:
        moved.then(begin, {visit.turns, turn}, [begun, *stale], **QUICK)

"""Noise it is sure about: a sound that the classifier takes for one label, made by evolution."""

from collections.abc import Iterator
from dataclasses import replace

import gradio as gr

from robustaudio.attacks.genetic import Genetic
from robustaudio.audio.tasks import shown_label
from robustaudio.evaluation.maximise import STARTS, Maximising, maximise, start_from
from robustaudio.evaluation.results import to_json
from robustaudio.ui.downloads import download, download_report, file_name
from robustaudio.ui.events import NO_FILE, QUIET, Update
from robustaudio.ui.jobs import Run, on_click
from robustaudio.ui.tracks import player_tracks
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.basic import Buttons, file_button, words
from robustaudio.ui.widgets.live_search import Live, pictured
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.widgets.player import Player
from robustaudio.ui.words.hear_and_break import maximised_words

ABOUT = (
    "A genetic search for the sound that the classifier is surest of. Would you hear it that way?"
)
QUERIES = 1000


def build_noise_it_is_sure_about(visit: Visit, changed: list) -> Update:
    """The panel; returns what a new clip empties, and how."""
    gr.Markdown(ABOUT)
    with gr.Row():
        start = gr.Radio(STARTS, value="silence", label="Begin with", elem_id="maximise-start")
        label = gr.Dropdown([], label="Evolve towards", elem_id="maximise-label")
        level_db = gr.Slider(
            -60, 0, -20, step=1, label="Level (dB)", elem_id="maximise-level",
            info="Largest change of a sample, relative to full scale.",
        )  # fmt: skip
        queries = gr.Slider(
            50, 20_000, QUERIES, step=50, label="Queries", elem_id="maximise-queries",
            info="Questions to the classifier.",
        )  # fmt: skip
        seed = gr.Number(0, label="Seed", min_width=100)
    buttons = Buttons("Evolve", "maximise", "maximise", keeps=True)
    verdict = words("maximise-words")
    player = Player(elem_id="maximise-player", hint="Before and after play here.")
    search = gr.Plot(show_label=False, elem_id="maximise-search", visible=False)
    with gr.Row():
        wav = file_button("Sound (WAV)", "download-maximised")
        report = file_button("Report (JSON)", "report-maximised")

    def offer(classifier: str) -> gr.Dropdown:
        labels = visit.services.classifiers[classifier].labels
        return gr.Dropdown([(shown_label(name), name) for name in labels], value=labels[-1])

    gr.on(changed, offer, visit.classifier, label, **QUIET)

    def evolve_sound(run: Run) -> Iterator[Update]:
        required(level_db=run[level_db], queries=run[queries], seed=run[seed])
        options = {
            "start": run[start], "label": run[label], "level_db": run[level_db],
            "queries": int(run[queries]), "seed": run[seed],
        }  # fmt: skip
        opened = run.open()
        samples = start_from(run[start], opened.clip.samples, int(run[seed]))
        opened = replace(opened, clip=replace(opened.clip, samples=samples))
        wanted = Maximising(Genetic(queries=int(run[queries])), run[label], run[level_db])
        live = Live(opened.classifier, opened.clip, "dB of full scale", verdict, player, search)
        result = yield from run.measured(
            maximise, opened, wanted, "evolving", seed=run[seed], live=live.update
        )
        begun = run.source.path.stem if run[start] == "clip" else run[start]
        name = file_name(begun, shown_label(run[label]), opened.classifier.name, "maximise")
        path = run.folder / f"{name}.wav"
        record = to_json(result) | opened.save(result, path) | run.record
        yield {
            verdict: maximised_words(result, run.ending),
            player: player_tracks(result, opened.clip.sample_rate),
            search: pictured(result.course, live.unit),
            wav: download(path),
            report: download_report(run.folder, name, opened.report("maximise", options, record)),
        }

    hidden = gr.update(value=None, visible=False)
    return on_click(
        visit, buttons, evolve_sound, [start, label, level_db, queries, seed],
        {verdict: None, player: None, search: hidden, wav: NO_FILE, report: NO_FILE},
        live=[search],
    )  # fmt: skip

"""Noise it is sure about: a sound that the classifier takes for one label, made by evolution."""

from collections.abc import Iterator
from dataclasses import replace

import gradio as gr

from robustaudio.attacks.genetic import Genetic
from robustaudio.audio.tasks import shown_label
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.maximise import STARTS, Maximising, maximise, start_from
from robustaudio.evaluation.report import make_report, save_perturbed
from robustaudio.evaluation.results import to_json
from robustaudio.ui.commands import command_line
from robustaudio.ui.downloads import download, download_report, file_name, scratch_folder
from robustaudio.ui.events import NO_FILE, QUIET, Update
from robustaudio.ui.jobs import Buttons, Run, on_click
from robustaudio.ui.services import Services
from robustaudio.ui.tracks import player_tracks
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.basic import start_and_cancel, words
from robustaudio.ui.widgets.live_search import Live, pictured
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.widgets.player import Player
from robustaudio.ui.words.hear_and_break import maximised_words

ABOUT = (
    "A genetic search for the sound that the classifier is surest of. Would you hear it that way?"
)
QUERIES = 1000


def build_noise_it_is_sure_about(services: Services, visit: Visit, changed: list) -> Update:
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
    evolve, stop = start_and_cancel("Evolve", "maximise", "Stop")
    status, old = words("maximise-status"), words("maximise-old")
    verdict = words("maximise-words")
    player = Player(elem_id="maximise-player", hint="Before and after play here.")
    search = gr.Plot(show_label=False, elem_id="maximise-search", visible=False)
    with gr.Row():
        wav = gr.DownloadButton("Sound (WAV)", interactive=False, elem_id="download-maximised")
        report = gr.DownloadButton("Report (JSON)", interactive=False, elem_id="report-maximised")

    def offer(classifier: str) -> gr.Dropdown:
        labels = services.classifiers[classifier].labels
        return gr.Dropdown([(shown_label(name), name) for name in labels], value=labels[-1])

    gr.on(changed, offer, visit.classifier, label, **QUIET)

    def evolve_sound(run: Run) -> Iterator[Update]:
        required(level_db=run[level_db], queries=run[queries], seed=run[seed])
        options = {
            "start": run[start], "label": run[label], "level_db": run[level_db],
            "queries": int(run[queries]), "seed": run[seed],
        }  # fmt: skip
        source = run[visit.source]
        classifier, clip = services.open(source, run[visit.classifier])
        clip = replace(clip, samples=start_from(run[start], clip.samples, int(run[seed])))
        wanted = Maximising(Genetic(queries=int(run[queries])), run[label], run[level_db])
        live = Live(classifier, clip, "dB of full scale", verdict, player, search)
        result = yield from run.result(
            lambda progress: measure_clip(
                maximise, classifier, clip.samples, wanted, seed=int(run[seed]), progress=progress
            ),
            "evolving",
            live.update,
        )  # fmt: skip
        begun = source.path.stem if run[start] == "clip" else run[start]
        name = file_name(begun, shown_label(run[label]), classifier.name, "maximise")
        command = command_line("maximise", source, run[visit.classifier], options)
        with scratch_folder() as folder:
            path = folder / f"{name}.wav"
            file = save_perturbed(classifier, clip, result, path, "FLOAT")
            record = {**to_json(result), **file, "output": path.name, **run.record}
            yield {
                verdict: maximised_words(result, run.ending),
                player: player_tracks(result, clip.sample_rate),
                search: pictured(result.course, live.unit),
                wav: download(path),
                report: download_report(
                    folder, name, make_report(classifier, clip, command, record)
                ),
                status: "",
            }

    hidden = gr.update(value=None, visible=False)
    return on_click(
        visit, Buttons(evolve, stop, status, old, keeps=True), evolve_sound,
        [visit.source, visit.classifier, start, label, level_db, queries, seed],
        {verdict: None, player: None, search: hidden, wav: NO_FILE, report: NO_FILE},
        live=[search],
    )  # fmt: skip

"""More like itself: what a classifier is surest of, evolved from a clip, noise or silence."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.attacks import Genetic
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.figures import shown_label
from robustaudio.evaluation.maximise import STARTS, Maximising, maximise, start_from
from robustaudio.evaluation.report import make_report, save_perturbed
from robustaudio.evaluation.results import to_json
from robustaudio.ui import convert, verdicts
from robustaudio.ui.blocks import (
    NO_FILE,
    QUIET,
    Turns,
    Visit,
    ends_search,
    start_and_cancel,
    wire,
    words,
)
from robustaudio.ui.budget import Budget
from robustaudio.ui.convert import Services, Source
from robustaudio.ui.jobs import EXPECTED, one_sentence, stream
from robustaudio.ui.live import Live, pictured
from robustaudio.ui.player import Player

ABOUT = (
    "A genetic search for the sound that the classifier is surest of. Would you hear it that way?"
)
QUERIES = 1000


def build_maximise(services: Services, visit: Visit, changed: list) -> dict[Component, Any]:
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
    run, stop = start_and_cancel("Evolve", "maximise", "Stop")
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

    def run_maximise(
        turns: Turns, source: Source, classifier: str, start: str, label: str, level_db: float,
        queries: float, seed: float,
    ) -> Iterator[list]:  # fmt: skip
        options = {"start": start, "label": label, "level_db": level_db}
        options |= {"queries": int(queries), "seed": seed}
        try:
            convert.required(level_db=level_db, queries=queries, seed=seed)
            chosen, clip = convert.open_source(services, source, classifier)
            clip = replace(clip, samples=start_from(start, clip.samples, int(seed)))
            live, attack = Live(chosen, clip, "dB of full scale"), Genetic(queries=int(queries))
            budget = Budget(services.limits.seconds)

            def job(progress):
                asked = Maximising(attack, label, level_db)
                return measure_clip(
                    maximise, chosen, clip.samples, asked, seed=int(seed), progress=progress
                )

            with turns.search() as halt:
                for share, told, result in stream(job, lambda: halt.asked or budget.over()):
                    if result is None:
                        words, sound, picture = live.of(told)
                        bar = verdicts.progress_bar(share, "evolving")
                        yield [words, sound, picture, gr.skip(), gr.skip(), bar]
                        continue
                    command = convert.command_line("maximise", source, classifier, options)
                    with convert.scratch_folder() as folder:
                        begun = source.path.stem if start == "clip" else start
                        name = convert.file_name(begun, shown_label(label), chosen.name, "maximise")
                        path = folder / f"{name}.wav"
                        file = save_perturbed(chosen, clip, result, path, "FLOAT")
                        record = {**to_json(result), **file, "output": path.name}
                        record |= {"stopped": halt.asked, **budget.record}
                        made = make_report(chosen, clip, command, record)
                        files = (path, convert.report_file(folder, name, made))
                        yield [
                            verdicts.maximised_words(record),
                            convert.player_tracks(result, clip.sample_rate),
                            pictured(record, live.unit),
                            *(gr.DownloadButton(value=str(f), interactive=True) for f in files),
                            "",
                        ]
        except EXPECTED as error:
            raise one_sentence(error) from None

    inputs = [visit.turns, visit.source, visit.classifier, start, label, level_db, queries, seed]
    hidden = gr.update(value=None, visible=False)
    outputs = {
        verdict: None, player: None, search: hidden, wav: NO_FILE, report: NO_FILE, status: "",
    }  # fmt: skip
    stopped = ends_search(visit, stop)
    return wire(visit, run, [], stopped, run_maximise, inputs, outputs, [search, status], old)

"""Ruler: how far a clip's label is proven and where it breaks, on one scale in dB."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from robustaudio.certification.smoothing import Smoothing
from robustaudio.evaluation.hearing_thresholds import ruler_with_thresholds
from robustaudio.evaluation.results import to_json
from robustaudio.ui.downloads import file_name, scratch_folder
from robustaudio.ui.events import NO_FILE, QUICK, QUIET, Update
from robustaudio.ui.jobs import Run, on_click
from robustaudio.ui.tabs.listen import answers_of
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.basic import Buttons, file_button, words
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.words.ruler import RULER_HINT, ruler_html


def build_ruler(visit: Visit) -> Update:
    """The ruler; returns what a new clip empties, and how."""
    with gr.Row():
        sigma = gr.Number(Smoothing().sigma, label="σ of the smoothing", step=0.05, min_width=120)
        seed = gr.Number(0, label="Seed", min_width=120)
    everyone = gr.Checkbox(False, label="Compare all classifiers", elem_id="everyone")
    with gr.Accordion("What people heard of this clip", open=False, elem_id="what-was-heard"):
        study = gr.File(
            file_types=[".json"], elem_id="ruler-heard", height=120,
            label="A listening study's rows.json, with thresholds",
        )  # fmt: skip
        take = gr.Button("Take the answers of the test that I opened", elem_id="take-answers")
    buttons, picture = Buttons("Measure", "measure", "ruler"), words("ruler", RULER_HINT)
    report = file_button("Report (JSON)", "download-ruler")

    def take_answers(opened: Any) -> Iterator[str]:
        with scratch_folder() as folder:
            yield str(answers_of(visit.services.rooms, opened, folder))

    def measure_all(run: Run) -> Iterator[Update]:
        answers = run[study] and Path(run[study])
        if answers and not answers.is_file():
            raise ValueError(f"{answers.name} is no longer on the server; upload it again.")
        required(sigma=run[sigma], seed=run[seed])
        source, pictures, names = run.source, [], [run[visit.classifier]]
        if run[everyone]:
            names = visit.services.classifiers_of(source.task)
        options = {"sigma": run[sigma], "seed": run[seed]}
        options |= {"heard": answers.name} if answers else {}
        for name in names:
            opened = run.open(classifier=name)
            measure = partial(
                ruler_with_thresholds, answers, opened.classifier,
                replace(opened.clip, name=source.name),  # as the Listen tab does
                smoothing=Smoothing(sigma=run[sigma]), seed=run[seed],
            )  # fmt: skip
            ruler = yield from run.result(lambda now, job=measure: job(progress=now), "ruler")
            pictures.append(
                ruler_html(ruler, beside=bool(pictures), truth=source.label, ending=run.ending)
            )
            made = opened.report("ruler", options, to_json(ruler) | run.budget.record)
            whose = "all-classifiers" if run[everyone] else name
            file = file_name(source.path.stem, whose, "ruler")
            yield {picture: "".join(pictures), **run.collect(made, report, file)}
            if run.budget.ended:
                return

    emptied = on_click(
        visit, buttons, measure_all, [visit.runs, sigma, seed, everyone, study],
        {picture: RULER_HINT, report: NO_FILE, visit.runs: gr.skip()},
    )  # fmt: skip
    take.click(take_answers, visit.opened, study, **QUICK)
    # a study is of a clip: another classifier is asked about the same one
    visit.source.change(None, None, study, js="() => null", **QUIET)
    return emptied

"""Ruler: how far a clip's label is proven and where it breaks, on one scale in dB."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from robustaudio.certification.smoothing import Smoothing
from robustaudio.evaluation.hearing_thresholds import ruler_with_thresholds
from robustaudio.evaluation.report import make_report
from robustaudio.evaluation.results import to_json
from robustaudio.ui.commands import command_line
from robustaudio.ui.downloads import add_report, file_name, scratch_folder
from robustaudio.ui.errors import one_sentence
from robustaudio.ui.events import NO_FILE, QUICK, QUIET, Update
from robustaudio.ui.jobs import EXPECTED, Buttons, Run, on_click
from robustaudio.ui.services import Services
from robustaudio.ui.tabs.listen import answers_of
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.basic import start_and_cancel, words
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.words.ruler import RULER_HINT, ruler_html


def build_ruler(services: Services, visit: Visit) -> Update:
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
    measure, stop = start_and_cancel("Measure", "measure")
    status, old = words("ruler-status"), words("ruler-old")
    picture = words("ruler", RULER_HINT)
    report = gr.DownloadButton("Report (JSON)", interactive=False, elem_id="download-ruler")

    def take_answers(opened: Any) -> Iterator[str]:
        try:
            with scratch_folder() as folder:
                yield str(answers_of(services.rooms, opened, folder))
        except EXPECTED as error:
            raise one_sentence(error) from None

    def measure_all(run: Run) -> Iterator[Update]:
        answers = run[study] and Path(run[study])
        if answers and not answers.is_file():
            raise ValueError(f"{answers.name} is no longer on the server; upload it again.")
        required(sigma=run[sigma], seed=run[seed])
        source, runs, pictures = run[visit.source], run[visit.runs], []
        names = services.classifiers_of(source.task) if run[everyone] else [run[visit.classifier]]
        options = {"sigma": run[sigma], "seed": run[seed]}
        options |= {"heard": answers.name} if answers else {}
        for name in names:
            classifier, clip = services.open(source, name)
            ruler = yield from run.result(
                lambda progress, classifier=classifier, clip=clip: ruler_with_thresholds(
                    answers, classifier, replace(clip, name=source.name),  # as the Listen tab does
                    smoothing=Smoothing(sigma=run[sigma]), seed=run[seed], progress=progress,
                ),
                "ruler",
            )  # fmt: skip
            pictures.append(
                ruler_html(ruler, beside=bool(pictures), truth=source.label, ending=run.ending)
            )
            whose = "all-classifiers" if run[everyone] else name
            command = command_line("ruler", source, name, options)
            with scratch_folder() as folder:
                record = to_json(ruler) | run.budget.record
                made = make_report(classifier, clip, command, record)
                runs, rulers = add_report(
                    runs, made, folder, file_name(source.path.stem, whose, "ruler")
                )
                yield {picture: "".join(pictures), report: rulers, visit.runs: runs, status: ""}
            if run.budget.ended:
                return

    emptied = on_click(
        visit, Buttons(measure, stop, status, old), measure_all,
        [visit.source, visit.classifier, visit.runs, sigma, seed, everyone, study],
        {picture: RULER_HINT, report: NO_FILE, visit.runs: gr.skip()},
    )  # fmt: skip
    take.click(take_answers, visit.opened, study, **QUICK)
    # a study is of a clip: another classifier is asked about the same one
    visit.source.change(None, None, study, js="() => null", **QUIET)
    return emptied

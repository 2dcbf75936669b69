"""Prove: verification of the clip, and the smoothed classifier's radius; the ruler."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.certification.smoothing import Smoothing, vote_obstacle
from robustaudio.evaluation import certify as certification
from robustaudio.evaluation import figures
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.hearing_thresholds import ruler_with_thresholds
from robustaudio.evaluation.results import to_json
from robustaudio.ui import verdicts
from robustaudio.ui.blocks import (
    NO_FILE,
    QUIET,
    Visit,
    proving,
    start_and_cancel,
    tried,
    wire,
    words,
)
from robustaudio.ui.budget import Budget
from robustaudio.ui.convert import Services, Source, scratch_folder
from robustaudio.ui.jobs import EXPECTED, one_sentence
from robustaudio.ui.listen import answers_of
from robustaudio.ui.ruler import ruler_html
from robustaudio.ui.verification import build_verification

RULER_HINT = (
    "<p class='ra-note'>How far is it proven, and where does it break? Press Measure: both on one "
    "scale in dB.</p>"
)


def build_certify(services: Services, visit: Visit, changed: list) -> dict[Component, Any]:
    """Verification beside randomized smoothing; returns what a new clip empties, and how."""
    report = gr.DownloadButton(
        "Report (JSON)", interactive=False, elem_id="download-proofs", render=False
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            verification = build_verification(services, visit, report, changed)
        with gr.Column(min_width=320):
            gr.Markdown("### Randomized smoothing\nCertifies a majority vote over noisy copies.")
            representation = gr.Dropdown(
                ["waveform"], value="waveform", label="Noise at", elem_id="certify-at"
            )
            gr.on(
                changed,
                lambda name: gr.Dropdown(services.classifiers[name].representations),
                visit.classifier, representation, **QUIET,
            )  # fmt: skip
            with gr.Row():
                defaults = Smoothing()
                sigma = gr.Number(
                    defaults.sigma, label="σ", step=0.05, elem_id="certify-sigma", min_width=100
                )
                n0 = gr.Number(
                    defaults.n0, label="n₀", elem_id="certify-n0", min_width=100,
                    info="votes to choose the class",
                )  # fmt: skip
                n = gr.Number(
                    defaults.n, label="n", elem_id="certify-n", min_width=100,
                    info="votes to count it",
                )  # fmt: skip
                alpha = gr.Number(
                    defaults.alpha, label="α", step=0.001, min_width=100, elem_id="certify-alpha",
                    info="risk of a wrong one",
                )  # fmt: skip
                seed = gr.Number(0, label="Seed", min_width=100)
            certify, stop_certify = start_and_cancel("Certify", "certify")
            unable = words("certify-unable")
            certify_status, old = words("certify-status"), words("certify-old")
            radius = words("certify-words")
            better = visit.switch("certify-switch")
            votes = gr.Plot(show_label=False, elem_id="votes")
    report.render()

    def ask(n: float | None, alpha: float | None) -> list:
        """Whether so many votes can certify anything."""
        if n is None or alpha is None or n < 1 or not 0 < alpha < 1:
            why = None  # said when it is asked for
        else:
            why = vote_obstacle(int(n), alpha)
        return [gr.update(interactive=why is None), verdicts.unable_words(why)]

    gr.on([n.change, alpha.change], ask, [n, alpha], [certify, unable], **QUIET)

    def run_certify(
        source, classifier, runs, representation, sigma, n0, n, alpha, seed
    ) -> Iterator[list]:
        options = {"sigma": sigma, "n0": n0, "n": n, "alpha": alpha}
        at = {"representation": representation, "seed": seed}

        def job(chosen, clip, progress):
            smoothing = Smoothing(**options)
            certifying = certification.Certifying(smoothing, representation)
            result = measure_clip(
                certification.certify, chosen, clip.samples, certifying, seed=seed,
                progress=progress,
            )  # fmt: skip
            return to_json(result), None

        for done, rest in proving(services, source, classifier, runs, "certify", options | at, job):
            shown = done and _voted(services, source, done[0])
            yield [*(shown or [gr.skip()] * 3), *rest]

    outputs = {
        radius: None, better: tried(None), votes: None, report: NO_FILE, visit.runs: gr.skip(),
        certify_status: "",
    }  # fmt: skip
    inputs = [visit.source, visit.classifier, visit.runs, representation, sigma, n0, n, alpha, seed]
    stop = stop_certify.click
    return verification | wire(
        visit, certify, [], stop, run_certify, inputs, outputs, [certify_status], old
    )


def _voted(services: Services, source: Source, record: dict) -> list:
    """Words, a switch to a classifier that would do better, and the votes."""
    trained = services.for_noise(source.task, record["sigma"], record["representation"])
    other = None if trained == record["classifier"] else trained
    said = verdicts.smoothing_words(record, source.label, other)
    return [said, tried(other if verdicts.outvoted(record, source.label) else None),
            figures.votes(record)]  # fmt: skip


def build_ruler(services: Services, visit: Visit) -> dict[Component, Any]:
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

    def run_ruler(source, classifier, runs, sigma, seed, everyone, study) -> Iterator[list]:
        heard = study and Path(study)
        if heard and not heard.is_file():
            words = f"{heard.name} is no longer on the server; upload it again."
            raise one_sentence(ValueError(words))
        options = {"sigma": sigma, "seed": seed} | ({"heard": heard.name} if heard else {})

        def job(chosen, clip, progress):
            smoothing = Smoothing(sigma=sigma)
            named = replace(clip, name=source.name)  # as the Listen tab names it
            ruler = ruler_with_thresholds(
                heard, chosen, named, smoothing=smoothing, seed=seed, progress=progress
            )
            return to_json(ruler), None

        pictures, budget = [], Budget(services.limits.seconds)
        for name in services.classifiers_of(source.task) if everyone else [classifier]:
            several = "all-classifiers" if everyone else None
            for done, rest in proving(
                services, source, name, runs, "ruler", options, job, several, budget
            ):
                if done:
                    beside = bool(pictures)
                    pictures.append(ruler_html(done[0], beside=beside, truth=source.label))
                    runs = rest[1]
                yield ["".join(pictures) if done else gr.skip(), *rest]
            if budget.ended:
                return

    inputs = [visit.source, visit.classifier, visit.runs, sigma, seed, everyone, study]
    outputs = {picture: RULER_HINT, report: NO_FILE, visit.runs: gr.skip(), status: ""}
    outputs = wire(visit, measure, [], stop.click, run_ruler, inputs, outputs, [status], old)
    take.click(take_answers, visit.opened, study, **{**QUIET, "queue": True})
    # a study is of a clip: another classifier is asked about the same one
    visit.source.change(None, None, study, js="() => null", **QUIET)
    return outputs

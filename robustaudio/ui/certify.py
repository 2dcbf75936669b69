"""Prove: interval verification of the clip, and the smoothed classifier's radius."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from robustaudio.certification.smoothing import Smoothing
from robustaudio.evaluation import figures
from robustaudio.evaluation.certify import certify_clip
from robustaudio.evaluation.report import make_report
from robustaudio.evaluation.ruler import measure_ruler
from robustaudio.evaluation.verify import verify_clip
from robustaudio.ui import convert
from robustaudio.ui.blocks import QUIET, start_and_cancel, wire, words
from robustaudio.ui.convert import Services, Source
from robustaudio.ui.explore import NORMS
from robustaudio.ui.jobs import EXPECTED, one_sentence, stream
from robustaudio.ui.ruler import ruler_html

START_LEVEL_DB = -70
MAX_DRAWS = 100_000
TEXTS = ("norm", "representation")  # options that are not numbers
RULER_HINT = (
    "<p class='ra-note'>Press the button: proof, attack and smoothing on one axis in dB.</p>"
)


def build_certify(
    services: Services, source: gr.State, classifier: gr.Dropdown, runs: gr.State, changed: list
) -> tuple[list, list]:
    """Interval verification beside randomized smoothing.

    Returns what a new clip makes stale, and the jobs it stops.
    """
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            gr.Markdown("### Interval verification\nA proof over every sound within the level.")
            norm = gr.Radio(
                list(NORMS), value=next(iter(NORMS)), label="Ball", elem_id="verify-norm"
            )
            level_db = gr.Slider(
                -120, 0, START_LEVEL_DB, step=1, label="Level (dB)", elem_id="verify-level"
            )
            verify, stop_verify = start_and_cancel("Verify", "verify")
            verify_status, verdict = words("verify-status"), words("verify-words")
            bounds = gr.Plot(show_label=False, elem_id="logit-intervals")
        with gr.Column(min_width=320):
            gr.Markdown("### Randomized smoothing\nA radius for the vote over noisy copies.")
            representation = gr.Dropdown(
                ["waveform"], value="waveform", label="Noise at", elem_id="certify-at"
            )
            gr.on(
                changed,
                lambda name: gr.Dropdown(services.classifiers[name].representations),
                classifier, representation, **QUIET,
            )  # fmt: skip
            with gr.Row():
                defaults = Smoothing()
                sigma = gr.Number(
                    defaults.sigma, label="σ", minimum=0, step=0.05, elem_id="certify-sigma",
                    min_width=100,
                )  # fmt: skip
                n0 = gr.Number(
                    defaults.n0, label="n₀", precision=0, minimum=1, maximum=MAX_DRAWS,
                    min_width=100, info="votes to choose the class",
                )  # fmt: skip
                n = gr.Number(
                    defaults.n, label="n", precision=0, minimum=1, maximum=MAX_DRAWS,
                    elem_id="certify-n", min_width=100, info="votes to count it",
                )  # fmt: skip
                alpha = gr.Number(
                    defaults.alpha, label="α", step=0.001, min_width=100, info="risk of a wrong one"
                )
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=100)
            certify, stop_certify = start_and_cancel("Certify", "certify")
            certify_status, radius = words("certify-status"), words("certify-words")
            votes = gr.Plot(show_label=False, elem_id="votes")
    report = gr.DownloadButton("Report (JSON)", interactive=False, elem_id="download-proofs")

    def run_verify(source, classifier, runs, norm, level_db) -> Iterator[list]:
        options = {"norm": NORMS[norm], "level_db": level_db}

        def job(chosen, clip, progress):
            return verify_clip(chosen, clip.samples, **options, progress=progress)

        for record, rest in _run(services, source, classifier, runs, "verify", options, job):
            shown = record and [convert.verification_words(record), figures.logit_intervals(record)]
            yield [*(shown or [gr.skip()] * 2), *rest]

    def run_certify(
        source, classifier, runs, representation, sigma, n0, n, alpha, seed
    ) -> Iterator[list]:
        options = {"sigma": sigma, "n0": n0, "n": n, "alpha": alpha}
        at = {"representation": representation, "seed": seed}

        def job(chosen, clip, progress):
            return certify_clip(chosen, clip.samples, Smoothing(**options), **at, progress=progress)

        for record, rest in _run(services, source, classifier, runs, "certify", options | at, job):
            shown = record and [convert.smoothing_words(record), figures.votes(record)]
            yield [*(shown or [gr.skip()] * 2), *rest]

    inputs = [source, classifier, runs]
    verifying = wire([verify.click], stop_verify, run_verify, [*inputs, norm, level_db],
         [verdict, bounds, report, runs, verify_status], verify_status)  # fmt: skip
    certifying = wire([certify.click], stop_certify, run_certify,
         [*inputs, representation, sigma, n0, n, alpha, seed],
         [radius, votes, report, runs, certify_status], certify_status)  # fmt: skip
    stale = [verdict, bounds, verify_status, radius, votes, certify_status, report]
    return stale, [verifying, certifying]


def build_ruler(
    services: Services, source: gr.State, classifier: gr.Dropdown, runs: gr.State
) -> tuple[list, list]:
    """The ruler; returns what a new clip makes stale, and the jobs it stops."""
    with gr.Row():
        sigma = gr.Number(
            Smoothing().sigma, label="σ of the smoothing", minimum=0, step=0.05, min_width=120
        )
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=120)
        everyone = gr.Checkbox(
            False, label="all classifiers, one below the other", min_width=240, elem_id="everyone"
        )
    measure, stop = start_and_cancel("Measure", "measure")
    status, picture = words("ruler-status"), words("ruler", RULER_HINT)
    report = gr.DownloadButton("Report (JSON)", interactive=False, elem_id="download-ruler")

    def run_ruler(source, classifier, runs, sigma, seed, everyone) -> Iterator[list]:
        options = {"sigma": sigma, "seed": seed}

        def job(chosen, clip, progress):
            smoothing = Smoothing(sigma=sigma)
            return measure_ruler(
                chosen, clip.samples, smoothing=smoothing, seed=seed, progress=progress
            )

        pictures = []
        for name in services.classifiers if everyone else [classifier]:
            for record, rest in _run(services, source, name, runs, "ruler", options, job):
                if record:
                    pictures.append(ruler_html(record))
                    runs = rest[1]
                yield ["".join(pictures) if record else gr.skip(), *rest]

    inputs = [source, classifier, runs, sigma, seed, everyone]
    outputs = [picture, report, runs, status]
    measuring = wire([measure.click], stop, run_ruler, inputs, outputs, status)
    return [picture, status, report], [measuring]


def _run(
    services: Services, source: Source, classifier: str, runs: tuple, verb: str, options: dict,
    job: Any,
) -> Iterator[tuple[dict | None, list]]:  # fmt: skip
    """A long job: (None, ...) with its progress, then (record, ...) with report and runs.

    The rest of each pair are the values of report button, runs and status.
    """
    try:
        convert.required(**{k: v for k, v in options.items() if k not in TEXTS})
        chosen, clip = convert.open_source(services, source, classifier)
        command = convert.command_line(verb, source, classifier, options)
        for share, record in stream(lambda progress: job(chosen, clip, progress)):
            if record is None:
                yield None, [gr.skip(), gr.skip(), convert.progress_bar(share, verb)]
            else:
                runs = _with(runs, make_report(chosen, clip, command, record))
                with convert.scratch_folder() as folder:
                    path = convert.report_file(folder, {"runs": list(runs)})
                    yield record, [gr.DownloadButton(value=path, interactive=True), runs, ""]
    except EXPECTED as error:
        yield None, [gr.skip(), gr.skip(), ""]
        raise one_sentence(error) from None


def _with(runs: tuple[dict, ...], report: dict) -> tuple[dict, ...]:
    """The reports so far on the same clip, and a new one."""
    return (*(run for run in runs if run["clip"] == report["clip"]), report)

"""Prove, on the right: the radius of the classifier that votes over noisy copies."""

from collections.abc import Iterator

import gradio as gr

from robustaudio.certification.smoothing import Smoothing, vote_obstacle
from robustaudio.evaluation.certify import Certifying
from robustaudio.evaluation.certify import certify as certify_clip
from robustaudio.evaluation.results import to_json
from robustaudio.ui import figures
from robustaudio.ui.events import NO_FILE, QUIET, Update
from robustaudio.ui.html import unable_words
from robustaudio.ui.jobs import Run, on_click
from robustaudio.ui.visit import Visit, tried
from robustaudio.ui.widgets.basic import Buttons, words
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.words.prove import outvoted, smoothing_words


def build_randomized_smoothing(visit: Visit, file: gr.DownloadButton, changed: list) -> Update:
    """The panel; returns what a new clip empties, and how."""
    services = visit.services
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
    buttons = Buttons("Certify", "certify", "certify")
    unable, radius = words("certify-unable"), words("certify-words")
    better = visit.switch("certify-switch")
    votes = gr.Plot(show_label=False, elem_id="votes")

    def ask(values: Update) -> Update:
        """Whether so many votes can certify anything; a number that cannot be is refused later."""
        votes, risk = values[n] or 0, values[alpha] or 0
        why = vote_obstacle(int(votes), risk) if votes >= 1 and 0 < risk < 1 else None
        return {buttons.start: gr.update(interactive=why is None), unable: unable_words(why)}

    gr.on([n.change, alpha.change], ask, {n, alpha}, [buttons.start, unable], **QUIET)

    def vote(run: Run) -> Iterator[Update]:
        options = {"sigma": run[sigma], "n0": run[n0], "n": run[n], "alpha": run[alpha]}
        at = {"representation": run[representation], "seed": run[seed]}
        required(**options, seed=run[seed])
        opened = run.open()
        certifying = Certifying(Smoothing(**options), run[representation])
        result = yield from run.measured(
            certify_clip, opened, certifying, "certify", seed=run[seed]
        )
        trained = services.for_noise(run.source.task, run[sigma], run[representation])
        other = None if trained == opened.classifier.name else trained
        report = opened.report("certify", options | at, to_json(result) | run.budget.record)
        yield {
            radius: smoothing_words(result, run.source.label, other, run.ending),
            better: tried(other if outvoted(result, run.source.label) else None),
            votes: figures.votes(result),
            **run.collect(report, file, opened.file_name("certify")),
        }

    return on_click(
        visit, buttons, vote, [visit.runs, representation, sigma, n0, n, alpha, seed],
        {radius: None, better: tried(None), votes: None, file: NO_FILE, visit.runs: gr.skip()},
    )  # fmt: skip

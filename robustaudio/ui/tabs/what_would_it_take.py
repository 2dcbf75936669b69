"""What would it take? A map of how little turns one label into another."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.attacks import ATTACKS
from robustaudio.evaluation import figures
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.report import make_report
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.ui.blocks import NO_FILE, Visit, start_and_cancel, wire, words
from robustaudio.ui.budget import Budget
from robustaudio.ui.commands import command_line
from robustaudio.ui.downloads import file_name, report_file, scratch_folder
from robustaudio.ui.html import progress_bar
from robustaudio.ui.jobs import EXPECTED, one_sentence, stream
from robustaudio.ui.services import Services
from robustaudio.ui.sources import Source
from robustaudio.ui.widgets.attack_controls import LEVELS
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.words.ruler import targets_words
from robustaudio.ui.words.terms import RELATIVE_TO

OFFERED = [("DeepFool", "deepfool"), ("PGD", "pgd")]
COMPARED = "PGD finds smaller ones, several times slower."
ABOUT = (
    "### What would it take?\nThe smallest perturbation found that makes the classifier hear each "
    "of the other labels. The quieter, the closer the two are to this classifier."
)
THIS, EVERY = "this clip", "one clip per label"


def build_targets(services: Services, visit: Visit) -> dict[Component, Any]:
    """The panel; returns what a new clip empties, and how."""
    gr.Markdown(ABOUT)
    with gr.Row():
        whose = gr.Radio([THIS, EVERY], value=THIS, label="From", elem_id="targets-from")
        method = gr.Radio(
            OFFERED, value="deepfool", label="Attack", info=COMPARED, elem_id="targets-attack"
        )
        norm = gr.Radio(
            [(level.name, norm) for norm, level in LEVELS.items()],
            value="linf", label="Norm", elem_id="targets-norm",
        )  # fmt: skip
        seed = gr.Number(0, label="Seed", min_width=100)
    start, stop = start_and_cancel("Find out", "targets")
    status, old, verdict = words("targets-status"), words("targets-old"), words("targets-words")
    picture = gr.Plot(show_label=False, elem_id="targets-map")
    report = gr.DownloadButton("Report (JSON)", interactive=False, elem_id="download-targets")

    def run_targets(
        source: Source, classifier: str, whose: str, method: str, norm: str, seed: float
    ) -> Iterator[list]:
        sources = [source] if whose == THIS else services.one_per_label(source.task)
        options, runs = {"attack": method, "norm": norm, "seed": seed}, []
        budget = Budget(services.limits.seconds)
        for number, one in enumerate(sources):
            for share, run in _measured(services, one, classifier, options, budget):
                if run is None:
                    share = (number + share) / len(sources)
                    yield [*[gr.skip()] * 3, progress_bar(share, one.name)]
                    continue
                runs.append(run)
                rows = [run["result"] for run in runs]
                with scratch_folder() as folder:
                    whom = source.path.stem if whose == THIS else source.task
                    name = file_name(whom, classifier, "targets")
                    file = report_file(folder, name, {"runs": runs})
                    yield [
                        targets_words(rows, len(sources)),
                        figures.targets(rows, unit=RELATIVE_TO[norm]),
                        gr.DownloadButton(value=file, interactive=True),
                        "" if len(runs) == len(sources) or budget.ended else gr.skip(),
                    ]
            if budget.ended:
                return

    inputs = [visit.source, visit.classifier, whose, method, norm, seed]
    outputs = {verdict: None, picture: None, report: NO_FILE, status: ""}
    return wire(visit, start, [], stop.click, run_targets, inputs, outputs, [status], old)


def _measured(
    services: Services, source: Source, classifier: str, options: dict, budget: Budget
) -> Iterator[tuple[float, dict | None]]:
    """(share done, None) while one clip is attacked, then (1, its report)."""
    try:
        required(seed=options["seed"])
        chosen, clip = services.open(source, classifier)
        plan = Plan(ATTACKS[options["attack"]](), options["norm"])
        command = command_line("targets", source, classifier, options)
        for share, _, row in stream(
            lambda progress: levels_by_target(
                chosen, clip.samples, plan, seed=int(options["seed"]), progress=progress
            ),
            budget.over,
        ):
            yield share, row and make_report(chosen, clip, command, {**row, **budget.record})
    except EXPECTED as error:
        raise one_sentence(error) from None

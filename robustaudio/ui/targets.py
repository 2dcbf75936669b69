"""What would it take? A map of how little turns one label into another."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.attacks import ATTACKS
from robustaudio.evaluation import figures
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.report import make_report
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.threats.norms import LINF, NORMS, norm_named
from robustaudio.ui import convert, verdicts
from robustaudio.ui.blocks import NO_FILE, Visit, start_and_cancel, wire, words
from robustaudio.ui.budget import Budget
from robustaudio.ui.convert import Services, Source
from robustaudio.ui.jobs import EXPECTED, one_sentence, stream

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
            [(norm.title, norm.name) for norm in NORMS.values()],
            value=LINF.name, label="Norm", elem_id="targets-norm",
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
                    yield [*[gr.skip()] * 3, verdicts.progress_bar(share, one.name)]
                    continue
                runs.append(run)
                rows = [run["result"] for run in runs]
                with convert.scratch_folder() as folder:
                    whom = source.path.stem if whose == THIS else source.task
                    name = convert.file_name(whom, classifier, "targets")
                    file = convert.report_file(folder, name, {"runs": runs})
                    yield [
                        verdicts.targets_words(rows, len(sources)),
                        figures.targets(rows, unit=norm_named(norm).words.relative_to),
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
        convert.required(seed=options["seed"])
        chosen, clip = convert.open_source(services, source, classifier)
        plan = Plan(ATTACKS[options["attack"]](), norm_named(options["norm"]))
        command = convert.command_line("targets", source, classifier, options)
        for share, _, row in stream(
            lambda progress: measure_clip(
                levels_by_target,
                chosen,
                clip.samples,
                plan,
                seed=int(options["seed"]),
                progress=progress,
            ),
            budget.over,
        ):
            record = row and {**to_json(row), **budget.record}
            yield share, record and make_report(chosen, clip, command, record)
    except EXPECTED as error:
        raise one_sentence(error) from None

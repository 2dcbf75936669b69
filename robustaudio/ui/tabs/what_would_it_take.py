"""What would it take? A map of how little turns one label into another."""

from collections.abc import Iterator

import gradio as gr

from robustaudio.attacks import ATTACKS
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.report import make_report
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.threats.norms import LINF, NORMS, norm_named
from robustaudio.ui import figures
from robustaudio.ui.commands import command_line
from robustaudio.ui.downloads import download_report, file_name, scratch_folder
from robustaudio.ui.events import NO_FILE, Update
from robustaudio.ui.jobs import Buttons, Run, on_click
from robustaudio.ui.services import Services
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.basic import start_and_cancel, words
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.words.what_would_it_take import targets_words

OFFERED = [("DeepFool", "deepfool"), ("PGD", "pgd")]
COMPARED = "PGD finds smaller ones, several times slower."
ABOUT = (
    "### What would it take?\nThe smallest perturbation found that makes the classifier hear each "
    "of the other labels. The quieter, the closer the two are to this classifier."
)
THIS, EVERY = "this clip", "one clip per label"


def build_what_would_it_take(services: Services, visit: Visit) -> Update:
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

    def find_out(run: Run) -> Iterator[Update]:
        required(seed=run[seed])
        source, name = run[visit.source], run[visit.classifier]
        sources = [source] if run[whose] == THIS else services.one_per_label(source.task)
        options = {"attack": run[method], "norm": run[norm], "seed": run[seed]}
        plan = Plan(ATTACKS[run[method]](), norm_named(run[norm]))
        whom = source.path.stem if run[whose] == THIS else source.task
        file, rows, reports = file_name(whom, name, "targets"), [], []
        for number, attacked in enumerate(sources):
            classifier, clip = services.open(attacked, name)
            row = yield from run.result(
                lambda progress, classifier=classifier, clip=clip: measure_clip(
                    levels_by_target,
                    classifier,
                    clip.samples,
                    plan,
                    seed=int(run[seed]),
                    progress=progress,
                ),
                attacked.name,
                part=(number / len(sources), 1 / len(sources)),
            )
            command = command_line("targets", attacked, name, options)
            record = to_json(row) | run.budget.record
            rows.append(row)
            reports.append(make_report(classifier, clip, command, record))
            last = len(reports) == len(sources) or run.budget.ended
            with scratch_folder() as folder:
                yield {
                    verdict: targets_words(rows, len(sources), run.ending),
                    picture: figures.targets(rows, unit=plan.norm.words.relative_to),
                    report: download_report(folder, file, {"runs": reports}),
                    **({status: ""} if last else {}),
                }
            if run.budget.ended:
                return

    return on_click(
        visit, Buttons(start, stop, status, old), find_out,
        [visit.source, visit.classifier, whose, method, norm, seed],
        {verdict: None, picture: None, report: NO_FILE},
    )  # fmt: skip

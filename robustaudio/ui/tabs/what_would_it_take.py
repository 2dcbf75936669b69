"""What would it take? A map of how little turns one label into another."""

from collections.abc import Iterator

import gradio as gr

from robustaudio.attacks import ATTACKS
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.threats.norms import norm_named
from robustaudio.ui import figures
from robustaudio.ui.downloads import download_report, file_name
from robustaudio.ui.events import NO_FILE, Update
from robustaudio.ui.jobs import Run, on_click
from robustaudio.ui.visit import Visit
from robustaudio.ui.widgets.basic import Buttons, file_button, norm_choice, words
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.words.what_would_it_take import targets_words

OFFERED = [("DeepFool", "deepfool"), ("PGD", "pgd")]
COMPARED = "PGD finds smaller ones, several times slower."
ABOUT = (
    "### What would it take?\nThe smallest perturbation found that makes the classifier hear each "
    "of the other labels. The quieter, the closer the two are to this classifier."
)
THIS, EVERY = "this clip", "one clip per label"


def build_what_would_it_take(visit: Visit) -> Update:
    """The panel; returns what a new clip empties, and how."""
    gr.Markdown(ABOUT)
    with gr.Row():
        whose = gr.Radio([THIS, EVERY], value=THIS, label="From", elem_id="targets-from")
        method = gr.Radio(
            OFFERED, value="deepfool", label="Attack", info=COMPARED, elem_id="targets-attack"
        )
        norm = norm_choice("Norm", "targets-norm")
        seed = gr.Number(0, label="Seed", min_width=100)
    buttons, verdict = Buttons("Find out", "targets", "targets"), words("targets-words")
    picture = gr.Plot(show_label=False, elem_id="targets-map")
    report = file_button("Report (JSON)", "download-targets")

    def find_out(run: Run) -> Iterator[Update]:
        required(seed=run[seed])
        source, one_clip = run.source, run[whose] == THIS
        sources = [source] if one_clip else visit.services.one_per_label(source.task)
        options = {"attack": run[method], "norm": run[norm], "seed": run[seed]}
        plan = Plan(ATTACKS[run[method]](), norm_named(run[norm]))
        from_what = source.path.stem if one_clip else source.task
        name, rows, reports = file_name(from_what, run[visit.classifier], "targets"), [], []
        for number, attacked in enumerate(sources):
            opened, share = run.open(attacked), 1 / len(sources)
            row = yield from run.measured(
                levels_by_target, opened, plan, attacked.name, seed=run[seed],
                part=(number * share, share),
            )  # fmt: skip
            rows.append(row)
            reports.append(opened.report("targets", options, to_json(row) | run.budget.record))
            last = attacked is sources[-1] or run.budget.ended
            yield {
                verdict: targets_words(rows, len(sources), run.ending),
                picture: figures.targets(rows, unit=plan.norm.words.relative_to),
                report: download_report(run.folder, name, {"runs": reports}),
                buttons.status: "" if last else gr.skip(),
            }
            if last:
                return

    return on_click(
        visit, buttons, find_out, [whose, method, norm, seed],
        {verdict: None, picture: None, report: NO_FILE},
    )  # fmt: skip

"""Prove, on the left: verification of the clip against a threat, and how the masking set sounds."""

from collections.abc import Iterator

import gradio as gr

from robustaudio.certification.verify import proof_obstacle
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.report import make_report
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.verify import Verifying, noise_under_threshold
from robustaudio.evaluation.verify import verify as verify_clip
from robustaudio.threats.norms import LINF, NORMS, norm_named
from robustaudio.ui import figures
from robustaudio.ui.commands import command_line
from robustaudio.ui.downloads import add_report, file_name, scratch_folder
from robustaudio.ui.events import NO_FILE, QUIET, Update
from robustaudio.ui.html import unable_words
from robustaudio.ui.jobs import Buttons, Run, on_click
from robustaudio.ui.services import Services
from robustaudio.ui.tracks import noise_tracks
from robustaudio.ui.visit import Visit, tried
from robustaudio.ui.widgets.basic import start_and_cancel, words
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.widgets.player import Player
from robustaudio.ui.words.prove import interval_words, noise_words, verification_words

METHODS = [("Interval (IBP)", "interval"), ("CROWN-IBP", "crown")]
HINT = "Verify the masking set to hear a noise that lies exactly under the threshold."
SEED = 0  # of the noises


def build_verification(
    services: Services, visit: Visit, file: gr.DownloadButton, changed: list
) -> Update:
    """The panel; returns what a new clip empties, and how."""
    gr.Markdown("### Verification\nA proof over every sound that the threat allows.")
    norm = gr.Radio(
        [(norm.title, norm.name) for norm in NORMS.values()],
        value=LINF.name, label="Threat", elem_id="verify-norm",
    )  # fmt: skip
    level_db = gr.Slider(
        *LINF.levels.proven, LINF.levels.proof, step=1, label="Level (dB)", info=LINF.words.about,
        elem_id="verify-level",
    )  # fmt: skip
    method = gr.Radio(
        METHODS, value="interval", label="Bounds", elem_id="verify-method",
        info="CROWN-IBP is never looser, and slower",
    )  # fmt: skip
    verify, stop = start_and_cancel("Verify", "verify")
    unable, provable = words("verify-unable"), visit.switch("verify-switch")
    status, old, verdict = words("verify-status"), words("verify-old"), words("verify-words")
    bounds = gr.Plot(show_label=False, elem_id="logit-intervals")
    caption = words("verify-caption")
    with gr.Column(visible=False, elem_classes="ra-tight") as listening:
        noise = words("noise-words")
        player = Player(elem_id="noise-player", hint=HINT)

    def follow(name: str) -> Update:
        threat = norm_named(name)
        low, high = threat.levels.proven
        return {
            level_db: gr.Slider(low, high, threat.levels.proof, info=threat.words.about),
            listening: gr.update(visible=threat.needs_threshold),
        }

    def ask(values: Update) -> Update:
        """Whether there can be a proof at all; if not why, and which classifier has one."""

        def obstacle(classifier: str) -> str | None:
            threat = norm_named(values[norm])
            return proof_obstacle(services.classifiers[classifier], values[method], threat)

        classifier = values[visit.classifier]
        why, able = obstacle(classifier), None
        if why is not None:
            others = services.classifiers_of(services.cards[classifier].task)
            able = next((name for name in others if obstacle(name) is None), None)
        return {
            verify: gr.update(interactive=why is None),
            unable: unable_words(why),
            provable: tried(able),
        }

    gr.on(
        [*changed, norm.change, method.change], ask, {visit.classifier, norm, method},
        [verify, unable, provable], **QUIET,
    )  # fmt: skip
    norm.change(follow, norm, [level_db, listening], **QUIET)

    def prove(run: Run) -> Iterator[Update]:
        options = {"norm": run[norm], "level_db": run[level_db], "method": run[method]}
        required(level_db=run[level_db])
        source, threat = run[visit.source], norm_named(run[norm])
        classifier, clip = services.open(source, run[visit.classifier])

        def job(progress):
            verifying = Verifying(threat, run[level_db], run[method])
            result = measure_clip(
                verify_clip, classifier, clip.samples, verifying, progress=progress
            )
            if not threat.needs_threshold:
                return result, None
            level = {"level_db": run[level_db], "seed": SEED}
            return result, noise_under_threshold(classifier, clip.samples, **level)

        result, pair = yield from run.result(job, "verify")
        record = to_json(result) | ({"noise": to_json(pair)} if pair else {}) | run.budget.record
        command = command_line("verify", source, classifier.name, options)
        report = make_report(classifier, clip, command, record)
        name = file_name(source.path.stem, classifier.name, "verify")
        with scratch_folder() as folder:
            runs, proofs = add_report(run[visit.runs], report, folder, name)
            yield {
                verdict: verification_words(result, source.label, run.ending),
                bounds: figures.logit_intervals(result),
                caption: interval_words(result),
                noise: noise_words(pair) if pair else "",
                player: pair and noise_tracks(clip.samples, pair, clip.sample_rate),
                visit.runs: runs,
                file: proofs,
                status: "",
            }

    shown = dict.fromkeys([verdict, bounds, caption, noise, player])
    return on_click(
        visit, Buttons(verify, stop, status, old), prove,
        [visit.source, visit.classifier, visit.runs, norm, level_db, method],
        {**shown, file: NO_FILE, visit.runs: gr.skip()},
    )  # fmt: skip

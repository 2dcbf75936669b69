"""Prove, on the left: verification of the clip against a threat, and how the masking set sounds."""

from collections.abc import Iterator

import gradio as gr

from robustaudio.certification.verify import proof_obstacle
from robustaudio.evaluation.results import to_json
from robustaudio.evaluation.verify import Verifying, noise_under_threshold
from robustaudio.evaluation.verify import verify as verify_clip
from robustaudio.threats.norms import LINF, norm_named
from robustaudio.ui import figures
from robustaudio.ui.events import NO_FILE, QUIET, Update
from robustaudio.ui.html import unable_words
from robustaudio.ui.jobs import Run, on_click
from robustaudio.ui.tracks import noise_tracks
from robustaudio.ui.visit import Visit, tried
from robustaudio.ui.widgets.basic import Buttons, norm_choice, words
from robustaudio.ui.widgets.numbers import required
from robustaudio.ui.widgets.player import Player
from robustaudio.ui.words.prove import interval_words, noise_words, verification_words

METHODS = [("Interval (IBP)", "interval"), ("CROWN-IBP", "crown")]
HINT = "Verify the masking set to hear a noise that lies exactly under the threshold."
SEED = 0  # of the noises


def build_verification(visit: Visit, file: gr.DownloadButton, changed: list) -> Update:
    """The panel; returns what a new clip empties, and how."""
    services = visit.services
    gr.Markdown("### Verification\nA proof over every sound that the threat allows.")
    norm = norm_choice("Threat", "verify-norm")
    level_db = gr.Slider(
        *LINF.levels.proven, LINF.levels.proof, step=1, label="Level (dB)", info=LINF.words.about,
        elem_id="verify-level",
    )  # fmt: skip
    method = gr.Radio(
        METHODS, value="interval", label="Bounds", elem_id="verify-method",
        info="CROWN-IBP is never looser, and slower",
    )  # fmt: skip
    buttons = Buttons("Verify", "verify", "verify")
    unable, provable = words("verify-unable"), visit.switch("verify-switch")
    verdict = words("verify-words")
    bounds = gr.Plot(show_label=False, elem_id="logit-intervals")
    caption = words("verify-caption")
    with gr.Column(visible=False, elem_classes="ra-tight") as listening:
        noise = words("noise-words")
        player = Player(elem_id="noise-player", hint=HINT)

    def follow(name: str) -> Update:
        threat = norm_named(name)
        levels, info = threat.levels, threat.words.about
        return {
            level_db: gr.Slider(*levels.proven, levels.proof, info=info),
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
            buttons.start: gr.update(interactive=why is None),
            unable: unable_words(why),
            provable: tried(able),
        }

    gr.on(
        [*changed, norm.change, method.change], ask, {visit.classifier, norm, method},
        [buttons.start, unable, provable], **QUIET,
    )  # fmt: skip
    norm.change(follow, norm, [level_db, listening], **QUIET)

    def prove(run: Run) -> Iterator[Update]:
        options = {"norm": run[norm], "level_db": run[level_db], "method": run[method]}
        required(level_db=run[level_db])
        threat, opened = norm_named(run[norm]), run.open()
        verifying = Verifying(threat, run[level_db], run[method])
        result = yield from run.measured(verify_clip, opened, verifying, "verify")
        pair, record = None, to_json(result) | run.budget.record
        if threat.needs_threshold:
            pair = noise_under_threshold(
                opened.classifier, opened.clip.samples, level_db=run[level_db], seed=SEED
            )
            record |= {"noise": to_json(pair)}
        report = opened.report("verify", options, record)
        yield {
            verdict: verification_words(result, run.source.label, run.ending),
            bounds: figures.logit_intervals(result),
            caption: interval_words(result),
            noise: noise_words(pair) if pair else "",
            player: pair and noise_tracks(opened.clip.samples, pair, opened.clip.sample_rate),
            **run.collect(report, file, opened.file_name("verify")),
        }

    shown = dict.fromkeys([verdict, bounds, caption, noise, player])
    return on_click(
        visit, buttons, prove, [visit.runs, norm, level_db, method],
        {**shown, file: NO_FILE, visit.runs: gr.skip()},
    )  # fmt: skip

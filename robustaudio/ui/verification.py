"""Prove, on the left: verification of the clip against a threat, and how the masking set sounds."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.certification.verify import proof_obstacle
from robustaudio.evaluation import figures
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.results import NoisePair, to_json
from robustaudio.evaluation.verify import Verifying, noise_under_threshold
from robustaudio.evaluation.verify import verify as prove
from robustaudio.threats.norms import LINF, NORMS, norm_named
from robustaudio.ui import convert, verdicts
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
from robustaudio.ui.convert import Services
from robustaudio.ui.player import Player

METHODS = [("Interval (IBP)", "interval"), ("CROWN-IBP", "crown")]
HINT = "Verify the masking set to hear a noise that lies exactly under the threshold."
SEED = 0  # of the noises


def build_verification(
    services: Services, visit: Visit, report: gr.DownloadButton, changed: list
) -> dict[Component, Any]:
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

    def follow(norm: str) -> list:
        chosen = norm_named(norm)
        levels = chosen.levels
        slider = gr.Slider(*levels.proven, levels.proof, info=chosen.words.about)
        return [slider, gr.update(visible=chosen.needs_threshold)]

    def ask(classifier: str, norm: str, method: str) -> list:
        """Whether there can be a proof at all; if not why, and which classifier has one."""
        why = proof_obstacle(services.classifiers[classifier], method, norm_named(norm))
        if why is None:
            return [gr.update(interactive=True), "", tried(None)]
        others = services.classifiers_of(services.cards[classifier].task)
        able = (
            name for name in others
            if not proof_obstacle(services.classifiers[name], method, norm_named(norm))
        )  # fmt: skip
        return [gr.update(interactive=False), verdicts.unable_words(why), tried(next(able, None))]

    asked = [visit.classifier, norm, method]
    gr.on([*changed, norm.change, method.change], ask, asked, [verify, unable, provable], **QUIET)
    norm.change(follow, norm, [level_db, listening], **QUIET)

    def run_verify(source, classifier, runs, norm, level_db, method) -> Iterator[list]:
        options = {"norm": norm, "level_db": level_db, "method": method}

        def job(chosen, clip, progress):
            threat = norm_named(norm)
            verifying = Verifying(threat, level_db, method)
            result = measure_clip(prove, chosen, clip.samples, verifying, progress=progress)
            record = to_json(result)
            if not threat.needs_threshold:
                return record, ["", None]
            pair = noise_under_threshold(chosen, clip.samples, level_db=level_db, seed=SEED)
            return {**record, "noise": to_json(pair)}, _heard(clip, pair)

        for done, rest in proving(services, source, classifier, runs, "verify", options, job):
            if done is None:
                yield [*[gr.skip()] * 5, *rest]
                continue
            record, heard = done
            picture = figures.logit_intervals(record)
            said = verdicts.verification_words(record, source.label)
            yield [said, picture, verdicts.interval_words(record), *heard, *rest]

    inputs = [visit.source, visit.classifier, visit.runs, norm, level_db, method]
    shown = dict.fromkeys([verdict, bounds, caption, noise, player])
    outputs = {**shown, report: NO_FILE, visit.runs: gr.skip(), status: ""}
    return wire(visit, verify, [], stop.click, run_verify, inputs, outputs, [status], old)


def _heard(clip: Any, pair: NoisePair) -> list:
    """Words about the two noises, and the player's value."""
    value = convert.noise_tracks(clip.samples, pair, clip.sample_rate)
    return [verdicts.noise_words(to_json(pair)), value]

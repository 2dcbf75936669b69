"""Prove, on the left: verification of the clip against a threat, and how the masking set sounds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.certification.verify import proof_obstacle
from robustaudio.evaluation import figures
from robustaudio.evaluation.verify import NoisePair, noise_under_threshold, verify_clip
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
from robustaudio.ui.html import unable_words
from robustaudio.ui.services import Services
from robustaudio.ui.tracks import noise_tracks
from robustaudio.ui.widgets.player import Player
from robustaudio.ui.words.prove import interval_words, noise_words, verification_words

METHODS = [("Interval (IBP)", "interval"), ("CROWN-IBP", "crown")]
HINT = "Verify the masking set to hear a noise that lies exactly under the threshold."
SEED = 0  # of the noises


@dataclass(frozen=True)
class Threat:
    """What the panel offers of a norm: its name, and its level's meaning and range in dB."""

    name: str
    about: str
    low: float
    high: float
    start: float


THREATS = {
    "linf": Threat("L∞", "largest sample, relative to the clip's peak", -120, 0, -70),
    "l2": Threat("L2", "relative to the clip's L2 norm: minus the SNR", -120, 0, -70),
    "masking": Threat(
        "Masking set", "relative to the clip's masking threshold, which is 0 dB", -60, 20, -12
    ),
}


def build_verification(
    services: Services, visit: Visit, report: gr.DownloadButton, changed: list
) -> dict[Component, Any]:
    """The panel; returns what a new clip empties, and how."""
    gr.Markdown("### Verification\nA proof over every sound that the threat allows.")
    norm = gr.Radio(
        [(threat.name, norm) for norm, threat in THREATS.items()],
        value="linf", label="Threat", elem_id="verify-norm",
    )  # fmt: skip
    start = THREATS["linf"]
    level_db = gr.Slider(
        start.low, start.high, start.start, step=1, label="Level (dB)", info=start.about,
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
        threat = THREATS[norm]
        slider = gr.Slider(threat.low, threat.high, threat.start, info=threat.about)
        return [slider, gr.update(visible=norm == "masking")]

    def ask(classifier: str, norm: str, method: str) -> list:
        """Whether there can be a proof at all; if not why, and which classifier has one."""
        why = proof_obstacle(services.classifiers[classifier], method, norm)
        if why is None:
            return [gr.update(interactive=True), "", tried(None)]
        others = services.classifiers_of(services.cards[classifier]["task"])
        able = (n for n in others if not proof_obstacle(services.classifiers[n], method, norm))
        return [gr.update(interactive=False), unable_words(why), tried(next(able, None))]

    asked = [visit.classifier, norm, method]
    gr.on([*changed, norm.change, method.change], ask, asked, [verify, unable, provable], **QUIET)
    norm.change(follow, norm, [level_db, listening], **QUIET)

    def run_verify(source, classifier, runs, norm, level_db, method) -> Iterator[list]:
        options = {"norm": norm, "level_db": level_db, "method": method}

        def job(chosen, clip, progress):
            record = verify_clip(chosen, clip.samples, **options, progress=progress)
            if norm != "masking":
                return record, ["", None]
            pair = noise_under_threshold(chosen, clip.samples, level_db=level_db, seed=SEED)
            return {**record, "noise": pair.record}, _heard(clip, pair)

        for done, rest in proving(services, source, classifier, runs, "verify", options, job):
            if done is None:
                yield [*[gr.skip()] * 5, *rest]
                continue
            record, heard = done
            picture = figures.logit_intervals(record)
            said = verification_words(record, source.label)
            yield [said, picture, interval_words(record), *heard, *rest]

    inputs = [visit.source, visit.classifier, visit.runs, norm, level_db, method]
    shown = dict.fromkeys([verdict, bounds, caption, noise, player])
    outputs = {**shown, report: NO_FILE, visit.runs: gr.skip(), status: ""}
    return wire(visit, verify, [], stop.click, run_verify, inputs, outputs, [status], old)


def _heard(clip: Any, pair: NoisePair) -> list:
    """Words about the two noises, and the player's value."""
    value = noise_tracks(clip.samples, pair, clip.sample_rate)
    return [noise_words(pair.record), value]

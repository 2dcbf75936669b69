"""A search while it runs: its picture, and its best candidate to be heard."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import gradio as gr
from torch import Tensor

from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.batch import predictions
from robustaudio.evaluation.results import Standing
from robustaudio.ui import figures
from robustaudio.ui.events import Update
from robustaudio.ui.tracks import live_tracks
from robustaudio.ui.words.hear_and_break import so_far_words

REDRAW_S, REPLAY_S = 0.5, 3.0  # at most so often


@dataclass
class Paced:
    """What is made anew when the last one is old enough, and there is news."""

    every_s: float
    seen: int = 1  # a picture of one step shows nothing
    at: float = field(default_factory=lambda: time.monotonic())

    def due(self, steps: int) -> bool:
        now = time.monotonic()
        if steps <= self.seen or now - self.at < self.every_s:
            return False
        self.seen, self.at = steps, now
        return True


class Live:
    """One search: words, sound and picture of where it stands, each when it is due."""

    def __init__(
        self, classifier: Classifier, clip: Clip, unit: str, verdict: gr.HTML, player: gr.HTML,
        picture: gr.Plot,
    ):  # fmt: skip
        self.classifier, self.clip, self.unit = classifier, clip, unit
        self.verdict, self.player, self.picture = verdict, player, picture
        self.before = self._prediction(clip.samples)
        self.redrawn, self.replayed = Paced(REDRAW_S), Paced(REPLAY_S)

    def update(self, steps: Sequence[Standing]) -> Update:
        """What has become due after these steps."""
        history = steps[:]  # it grows meanwhile
        update: Update = {}
        if self.redrawn.due(len(history)):
            update[self.picture] = pictured(history, self.unit)
        if self.replayed.due(len(history)) and (sound := history[-1].sound):
            best = sound()
            update[self.verdict] = so_far_words(self.before, self._prediction(best))
            update[self.player] = live_tracks(self.clip.samples, best, self.clip.sample_rate)
        return update

    def _prediction(self, samples: Tensor) -> str:
        return self.classifier.labels[int(predictions(self.classifier, samples[None]))]


def pictured(history: Sequence[Standing], unit: str) -> gr.Plot:
    """The course of a search; nothing where there was none, or of one step only."""
    if len(history) < 2:
        return gr.Plot(None, visible=False)
    if populations := [step.population for step in history if step.population]:
        return gr.Plot(figures.evolution(populations), visible=True)
    losses, levels_db = [step.loss for step in history], [step.level_db for step in history]
    return gr.Plot(figures.search(losses, levels_db, unit=unit), visible=True)

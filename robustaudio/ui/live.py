"""A search while it runs: its picture, and its best candidate to be heard."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import gradio as gr
from torch import Tensor

from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation import figures
from robustaudio.evaluation.batch import predictions
from robustaudio.evaluation.results import Standing, course
from robustaudio.ui import convert, verdicts

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
    """One search: words, sound and picture of where it stands, each skipped until it is due."""

    def __init__(self, classifier: Classifier, clip: Clip, unit: str):
        self.classifier, self.clip, self.unit = classifier, clip, unit
        self.before = self._heard_as(clip.samples)
        self.picture, self.sound = Paced(REDRAW_S), Paced(REPLAY_S)

    def of(self, told: Sequence[Standing]) -> list:
        """Words, the player's value, the picture."""
        history = told[:]  # it grows meanwhile
        verdict = player = picture = gr.skip()
        if self.picture.due(len(history)):
            picture = pictured(course(history), self.unit)
        if self.sound.due(len(history)) and (sound := history[-1].sound):
            best = sound()
            verdict = verdicts.so_far_words(self.before, self._heard_as(best))
            player = convert.live_tracks(self.clip.samples, best, self.clip.sample_rate)
        return [verdict, player, picture]

    def _heard_as(self, samples: Tensor) -> str:
        return self.classifier.labels[int(predictions(self.classifier, samples[None]))]


def pictured(record: dict, unit: str) -> gr.Plot:
    """The search of an attack's record; nothing where there was none, or of one step only."""
    losses = record.get("history", [])
    if len(losses) < 2:
        return gr.Plot(None, visible=False)
    if record["generations"]:
        return gr.Plot(figures.evolution(record["generations"]), visible=True)
    return gr.Plot(figures.search(losses, record["history_level_db"], unit=unit), visible=True)

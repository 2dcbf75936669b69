"""The panel below the first tab: what the clip hides of a perturbation, by the masking model."""

from typing import Any

import gradio as gr

from robustaudio.ui.events import MEASURE_PLOTS, QUIET, Update
from robustaudio.ui.figures import Audibility, masking_spectrum, noise_to_mask
from robustaudio.ui.widgets.basic import words
from robustaudio.ui.widgets.cursor import Cursor
from robustaudio.ui.words.hear_and_break import NOTHING_TO_JUDGE, audibility_words


class Masking:
    """The panel; its cursor redraws both pictures from the last result."""

    def __init__(self) -> None:
        self.audibility = gr.State(None)
        with gr.Accordion("Masking: what the clip hides", open=True, elem_id="masking") as panel:
            self.words = words("masking-words")
            self.cursor = Cursor(0, 1, 0, label="Frame at (s)", elem_id="frame", visible=False)
            with gr.Row():
                self.spectrum, self.ratio = (
                    gr.Plot(show_label=False, min_width=300, elem_id=f"masking-{name}")
                    for name in ("spectrum", "ratio")
                )
        panel.expand(None, js=MEASURE_PLOTS, **QUIET)
        self.cursor.input(
            self._redraw, {self.audibility, self.cursor}, [self.spectrum, self.ratio],
            trigger_mode="always_last", **QUIET,
        )  # fmt: skip

    @property
    def emptied(self) -> Update:
        hidden = {self.cursor: gr.update(visible=False), self.audibility: gr.skip()}
        return {**dict.fromkeys([self.words, self.spectrum, self.ratio]), **hidden}

    def shows(self, audibility: Audibility | None) -> Update:
        """The panel for a perturbation; None where there is none."""
        if audibility is None:
            return {**self.emptied, self.words: NOTHING_TO_JUDGE}
        frames = audibility.ratio_db.shape[1]
        first_s, second_s, worst_s, last_s = (
            round(audibility.time_s(frame), 3)
            for frame in (0, 1, audibility.worst_frame, frames - 1)
        )
        return {
            self.words: audibility_words(audibility),
            self.cursor: gr.update(
                minimum=first_s,
                maximum=last_s,
                value=worst_s,
                step=round(second_s - first_s, 3),
                visible=frames > 1,
            ),
            self.audibility: audibility,
            **self._pictures(audibility, audibility.worst_frame),
        }

    def _redraw(self, values: Update) -> Any:
        audibility, time_s = values[self.audibility], values[self.cursor]
        if audibility is None or time_s is None:
            return gr.skip()
        return self._pictures(audibility, audibility.frame_at(time_s))

    def _pictures(self, audibility: Audibility, frame: int) -> Update:
        return {
            self.spectrum: masking_spectrum(audibility, frame),
            self.ratio: noise_to_mask(audibility, frame),
        }

"""The figures, as Plotly values: decimated, transparent, readable on light and dark."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import Population
from robustaudio.audio.float64 import exact
from robustaudio.audio.tasks import shown_label
from robustaudio.evaluation.results import CertifiedClip, TargetLevels, VerifiedClip
from robustaudio.perception.audibility import noise_to_mask_ratio, total_noise_to_mask_db
from robustaudio.perception.masking import (
    ASSUMED_PEAK_SPL_DB,
    MaskingThreshold,
    masking_framing,
    masking_threshold,
    padded_magnitude,
)

INK, GRID = "#808a96", "rgba(128, 138, 150, 0.25)"
CLEAN, PERTURBED, DELTA = "#1c9e8f", "#d9623b", "#8a63d2"
REACHES = "#d64545"  # what could win, what could be heard
FLOOR_DB = -100.0  # of the spectrograms, below the clean clip's loudest bin
MAX_POINTS = 2_000
MAX_FRAMES = 200  # of a spectrogram, or one more
MAX_STEPS = 300  # drawn of a search
COLOURS = {"clean": CLEAN, "perturbed": PERTURBED}
LEGEND = {"orientation": "h", "y": 1.15, "x": 0}
COLOUR_BAR = {"title": "dB", "thickness": 10, "tickfont": {"color": INK}}
BY_LABEL: dict[str, Any] = {"type": "category", "automargin": True}  # names may stand upright
QUIETEST_SPL_DB = -40.0  # shown of a frame's spectrum
SOUNDING_SPL_DB = 60.0  # of a frame's loudest bin, from which on the clip counts as sounding
MAX_RATIO_DB = 30.0  # of the noise-to-mask ratio's colours, both ways
# a finger on a figure scrolls the page: what zooms is the toolbar, for those who have a mouse
BROWSER = {"displaylogo": False, "scrollZoom": False, "showAxisDragHandles": False,
           "doubleClick": "reset"}  # fmt: skip


class Figure(go.Figure):
    """A Plotly figure that brings its settings for the browser (`Plotly.newPlot`'s config)."""

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "config": BROWSER}


def waveforms(
    clean: Float[Tensor, " time"], perturbed: Float[Tensor, " time"], sample_rate: int
) -> go.Figure:
    """Clean over perturbed, against time in s."""
    figure = _figure("time (s)", "amplitude", height=220)
    for name, samples in (("perturbed", perturbed), ("clean", clean)):
        time_s, values = _envelope(samples, sample_rate)
        line = {"color": COLOURS[name], "width": 1}
        figure.add_scatter(x=time_s, y=values, name=name, line=line)
    return figure.update_layout(legend=LEGEND)


def spectrogram(
    samples: Float[Tensor, " time"],
    reference: Float[Tensor, " time"],
    sample_rate: int,
    *,
    title: str,
) -> go.Figure:
    """|STFT| in dB below the loudest bin of `reference`: one scale for all clips shown together."""
    n_fft = masking_framing(sample_rate).n_fft
    hop_length = max(n_fft // 4, len(samples) // MAX_FRAMES)
    loudest = _magnitude(reference, n_fft, hop_length).max()
    level_db = 20 * (_magnitude(samples, n_fft, hop_length) / loudest).clamp_min(1e-9).log10()
    z = _rounded(level_db.clamp(FLOOR_DB, 20))
    figure = _figure("time (s)", "frequency (kHz)", height=260)
    figure.add_heatmap(
        z=z,
        x=np.arange(z.shape[1], dtype=np.float32) * hop_length / sample_rate,
        y=np.arange(z.shape[0], dtype=np.float32) * sample_rate / n_fft / 1000,
        zmin=FLOOR_DB,
        zmax=0,
        colorscale="Magma",
        colorbar=COLOUR_BAR,
        hovertemplate="%{x:.3f} s, %{y:.2f} kHz: %{z:.1f} dB<extra></extra>",
    )
    return _titled(figure, title)


def probabilities(before: dict[str, float], after: dict[str, float] | None) -> go.Figure:
    """Class probabilities, clean beside perturbed."""
    figure = _bars(before, before.values(), "probability", 240, name="clean", marker_color=CLEAN)
    if after:
        x, y = [shown_label(label) for label in before], [after[label] for label in before]
        figure.add_bar(x=x, y=y, name="perturbed", marker_color=PERTURBED)
    figure.update_yaxes(range=[0, 1])
    return figure.update_layout(legend=LEGEND, showlegend=after is not None)


def rivals_in_reach(result: VerifiedClip) -> list[str]:
    """Labels whose upper bound reaches above the lower bound of the prediction."""
    bar = result.logits_lower[result.prediction]
    others = result.logits_upper.items()
    return [label for label, high in others if label != result.prediction and high >= bar]


def logit_intervals(result: VerifiedClip) -> go.Figure:
    """Every logit's interval over the threat: a line at the prediction's lower bound.

    The prediction has the colour of the clean clip; red are the labels that reach above the line.
    """
    labels, reaching = list(result.logits_lower), rivals_in_reach(result)
    lower, upper = list(result.logits_lower.values()), list(result.logits_upper.values())
    colours = {result.prediction: CLEAN} | dict.fromkeys(reaching, REACHES)
    figure = _bars(
        labels,
        [high - low for low, high in zip(lower, upper, strict=True)],
        "logit",
        300,
        base=lower,
        marker_color=[colours.get(label, INK) for label in labels],
        customdata=list(zip(lower, upper, strict=True)),
        hovertemplate="%{x}: [%{customdata[0]:.2f}, %{customdata[1]:.2f}]<extra></extra>",
        width=0.35,
    )
    bar = result.logits_lower[result.prediction]
    line = {"color": CLEAN, "width": 1.5, "dash": "dash"}
    return figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=bar, y1=bar, line=line)


def votes(result: CertifiedClip) -> go.Figure:
    """How many of the n noisy copies each class won."""
    counts = result.counts
    top = max(counts, key=counts.__getitem__)
    colours = [CLEAN if label == top else INK for label in counts]
    return _bars(counts, counts.values(), f"votes of {result.n}", 300, marker_color=colours)


def search(
    losses: Sequence[float], levels_db: Sequence[float | None], *, unit: str = "level (dB)"
) -> go.Figure:
    """Where an attack stood after each step: its loss, and the level of its perturbation."""
    lines = [("loss", losses, "solid"), ("level", levels_db, "solid")]
    return _over_time("step", lines, "loss", unit)


def evolution(populations: Sequence[Population]) -> go.Figure:
    """A population over its generations: best and mean fitness, and its diversity."""
    lines = [
        ("best", [each.best for each in populations], "solid"),
        ("mean", [each.mean for each in populations], "dot"),
        ("diversity", [each.diversity for each in populations], "solid"),
    ]
    return _over_time("generation", lines, "fitness: best, mean", "diversity")


def _over_time(
    unit: str, lines: Sequence[tuple[str, Sequence[float | None], str]], left: str, right: str
) -> go.Figure:
    """Lines (name, values, dash), the last of them against the right axis; at most `MAX_STEPS`."""
    figure = _figure(unit, "", height=240)
    steps = len(lines[0][1])
    every = max(1, -(-steps // MAX_STEPS))
    shown = list(range((steps - 1) % every, steps, every))  # always the last one
    for number, (name, values, dash) in enumerate(lines):
        last = number == len(lines) - 1
        y = [values[at] for at in shown]
        figure.add_scatter(
            x=shown, y=[value if value is None else float(f"{value:.4g}") for value in y],
            name=name, yaxis="y2" if last else "y", mode="lines",
            line={"color": CLEAN if last else PERTURBED, "width": 1.5, "dash": dash},
            hovertemplate=unit + " %{x}: %{y:.4g}<extra>" + name + "</extra>",
        )  # fmt: skip
    of_left, of_right = (
        {"text": text, "font": {"color": colour, "size": 12}}
        for text, colour in ((left, PERTURBED), (right, CLEAN))
    )
    second = {"overlaying": "y", "side": "right", "showgrid": False, "zeroline": False}
    return figure.update_layout(
        yaxis={"title": of_left, "zeroline": False},
        yaxis2={"title": of_right, **second},
        margin={"l": 48, "r": 60, "t": 10, "b": 40},
        showlegend=False,
        uirevision="search",
    )


def targets(rows: Sequence[TargetLevels], *, unit: str) -> go.Figure:
    """What it takes from each clip (a row) to each label (a column): the smallest level in dB.

    The numbers stand in the cells, and everybody can tell the colours (Cividis) apart. A clip's own
    label has a dot, a dash is where nothing was found.
    """
    labels = sorted({rows[0].prediction, *rows[0].levels_db})
    sources = [row.prediction for row in rows]
    x, sources = [[shown_label(label) for label in some] for some in (labels, sources)]
    figure = _figure("", "", height=230 + 30 * len(rows))
    figure.add_heatmap(
        z=[[row.levels_db.get(label) for label in labels] for row in rows],
        x=x, xgap=1, ygap=1, colorscale="Cividis", hoverongaps=False,
        text=[[f"{source} → {label}" for label in x] for source in sources],
        hovertemplate="%{text}: %{z:.1f} dB<extra></extra>",
        colorbar={"orientation": "h", "thickness": 10, "y": 1.02, "yanchor": "bottom",
                  "title": {"text": f"dB of {unit}", "side": "top"}, "tickfont": {"color": INK}},
    )  # fmt: skip
    figure.add_scatter(**_in_cells(rows, labels), mode="text", hoverinfo="skip")
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[s.replace(" ", "<br>") for s in sources],
        autorange="reversed", showgrid=False, zeroline=False, automargin=True,
    )  # fmt: skip
    figure.update_xaxes(**BY_LABEL, tickangle=-90, showgrid=False)
    return figure.update_layout(margin={"l": 8})


def _in_cells(rows: Sequence[TargetLevels], labels: Sequence[str]) -> dict[str, Any]:
    """The number of every cell, black or white, whichever can be read on its colour.

    Its sign is a hyphen: eleven columns leave a phone no room for minus signs.
    """
    levels = [v for row in rows for v in row.levels_db.values() if v is not None]
    middle = (min(levels) + max(levels)) / 2 if levels else 0.0
    x, y, text, colours = [], [], [], []
    for number, row in enumerate(rows):
        for label in labels:
            level = row.levels_db.get(label)
            nothing = "·" if label == row.prediction else "–"
            x.append(shown_label(label))
            y.append(number)
            text.append(nothing if level is None else f"{level:.0f}")
            colours.append(INK if level is None else "white" if level < middle else "black")
    return {"x": x, "y": y, "text": text, "textfont": {"color": colours, "size": 10}}


@dataclass(frozen=True, eq=False)
class Audibility:
    """A perturbation against the masking threshold of its clip, as the model predicts it.

    `perturbation_db` is dB SPL of every bin under the assumed level; `ratio_db` the noise-to-mask
    ratio of the bands of one Bark.
    """

    threshold: MaskingThreshold
    perturbation_db: Float[Tensor, "bin frame"]
    ratio_db: Float[Tensor, "band frame"]

    @property
    def total_db(self) -> float:
        """The noise-to-mask ratio of the whole clip."""
        return float(total_noise_to_mask_db(self.ratio_db[None]))

    @property
    def share_above(self) -> float:
        """Share of the frames in which some band's ratio is above 0 dB, the threshold itself.

        Unlike the disturbed frames of BS.1387 it has no margin: where it is 0, no band of any frame
        lies above the threshold.
        """
        return float(exact((self.ratio_db > 0).any(0)).mean())

    @property
    def worst_frame(self) -> int:
        """The frame with the largest noise-to-mask ratio over all its bands, while the clip sounds.

        In silence there is no masking to be seen: the threshold is the one in quiet.
        """
        loudest = _decibel(self.threshold.spectrum)[0].amax(0)
        ratio = (10 ** (exact(self.ratio_db) / 10)).mean(0)
        return int(ratio.masked_fill((loudest < SOUNDING_SPL_DB).to(ratio.device), 0).argmax())

    def time_s(self, frame: int) -> float:
        """Middle of a frame."""
        framing = self.threshold.framing
        return (frame * framing.hop_length + framing.n_fft / 2) / self.threshold.sample_rate

    def frame_at(self, time_s: float) -> int:
        """The frame whose middle is nearest, the first or last one outside the clip."""
        framing = self.threshold.framing
        frame = (time_s * self.threshold.sample_rate - framing.n_fft / 2) / framing.hop_length
        return min(max(round(frame), 0), self.ratio_db.shape[1] - 1)


def audibility(
    clean: Float[Tensor, " time"], perturbation: Float[Tensor, " time"], sample_rate: int
) -> Audibility:
    """What the clip hides of the perturbation, in frames of about 32 ms."""
    threshold = masking_threshold(clean[None], masking_framing(sample_rate), sample_rate)
    noise = padded_magnitude(perturbation[None], threshold.framing)
    power = threshold.threshold * (noise / threshold.amplitude).square()
    ratio = noise_to_mask_ratio(perturbation[None], threshold)
    return Audibility(threshold, _decibel(power)[0], ratio[0])


def masking_spectrum(audibility: Audibility, frame: int | None = None) -> go.Figure:
    """Clip, perturbation and masking threshold of one frame (the worst one), in dB SPL."""
    frame = audibility.worst_frame if frame is None else frame
    threshold = audibility.threshold
    bins = threshold.spectrum.shape[1]
    khz = np.arange(bins, dtype=np.float32) * threshold.sample_rate / threshold.framing.n_fft / 1000
    figure = _figure("frequency (kHz)", "dB SPL", height=300)
    lines = (
        ("clip", _decibel(threshold.spectrum)[0], {"color": CLEAN, "width": 1.5}),
        ("masking threshold", _decibel(threshold.threshold)[0], {"color": INK, "width": 2.5}),
        ("perturbation", audibility.perturbation_db, {"color": PERTURBED, "width": 1.5}),
    )
    for name, level_db, line in lines:
        y = _rounded(level_db[:, frame].clamp_min(QUIETEST_SPL_DB))
        figure.add_scatter(
            x=khz, y=y, name=name, line=line,
            hovertemplate="%{x:.2f} kHz: %{y:.1f} dB SPL<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_yaxes(range=[QUIETEST_SPL_DB, ASSUMED_PEAK_SPL_DB + 4])
    legend = {"x": 1, "y": 1, "xanchor": "right", "bgcolor": "rgba(0,0,0,0)"}
    figure.update_layout(legend=legend)
    return _titled(figure, f"Frame at {audibility.time_s(frame):.2f} s")


def noise_to_mask(audibility: Audibility, frame: int | None = None) -> go.Figure:
    """Noise-to-mask ratio per Bark band over time: red is above the threshold.

    The line is at the frame of `masking_spectrum`.
    """
    frame = audibility.worst_frame if frame is None else frame
    z = _rounded(audibility.ratio_db.clamp(-MAX_RATIO_DB, MAX_RATIO_DB))
    figure = _figure("time (s)", "band (Bark)", height=300)
    figure.add_heatmap(
        z=z,
        x=[round(audibility.time_s(frame), 4) for frame in range(z.shape[1])],
        y=np.arange(z.shape[0]) + 0.5,
        zmin=-MAX_RATIO_DB,
        zmax=MAX_RATIO_DB,
        colorscale=[[0, "#2f6f9f"], [0.5, "rgba(128, 138, 150, 0.12)"], [1, "#d1352b"]],
        colorbar=COLOUR_BAR,
        hovertemplate="%{x:.3f} s, band %{y:.1f} Bark: %{z:.1f} dB<extra></extra>",
    )
    figure.add_vline(x=audibility.time_s(frame), line={"color": INK, "width": 1.5, "dash": "dot"})
    return _titled(figure, "Noise-to-mask ratio per band")


def _figure(x_title: str, y_title: str, *, height: int) -> go.Figure:
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID}
    return Figure(
        layout={
            "template": "none",
            "dragmode": False,
            "height": height,
            "margin": {"l": 52, "r": 12, "t": 30, "b": 40},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": INK, "family": "system-ui, sans-serif", "size": 12},
            "xaxis": {"title": x_title, **axis},
            "yaxis": {"title": y_title, **axis},
        }
    )


def _bars(
    labels: Iterable[str], values: Iterable[float], y_title: str, height: int, **bars: Any
) -> go.Figure:
    """A bar for each label."""
    figure = _figure("", y_title, height=height)
    figure.add_bar(x=[shown_label(label) for label in labels], y=list(values), **bars)
    return figure.update_xaxes(**BY_LABEL)


def _titled(figure: go.Figure, title: str) -> go.Figure:
    return figure.update_layout(title={"text": title, "font": {"size": 14}, "x": 0.02})


def _rounded(level_db: Tensor) -> np.ndarray:
    return level_db.round(decimals=1).float().cpu().numpy()


def _decibel(power: Tensor) -> Tensor:
    return 10 * power.clamp_min(1e-20).log10()


def _magnitude(samples: Tensor, n_fft: int, hop_length: int) -> Tensor:
    window = torch.hann_window(n_fft, device=samples.device)
    return torch.stft(
        samples.float(), n_fft, hop_length, window=window, pad_mode="constant", return_complex=True
    ).abs()


def _envelope(samples: Tensor, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """At most MAX_POINTS points that keep every peak: the least and greatest value per block."""
    values = samples.detach().float().cpu().numpy()
    block = max(1, -(-len(values) * 2 // MAX_POINTS))
    if block == 1:
        return np.arange(len(values), dtype=np.float32) / sample_rate, values
    values = np.pad(values, (0, -len(values) % block)).reshape(-1, block)
    pairs = np.stack([values.min(1), values.max(1)], 1).ravel()
    return np.arange(len(pairs), dtype=np.float32) * block / 2 / sample_rate, pairs

"""The figures, as Plotly values: decimated, transparent, readable on light and dark."""

import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

INK, GRID = "#808a96", "rgba(128, 138, 150, 0.25)"
CLEAN, PERTURBED, DELTA = "#1c9e8f", "#d9623b", "#8a63d2"
FLOOR_DB = -100.0  # of the spectrograms, below the clean clip's loudest bin
MAX_POINTS = 2_000


def waveforms(
    clean: Float[Tensor, " time"], perturbed: Float[Tensor, " time"], sample_rate: int
) -> go.Figure:
    """Clean over perturbed, against time in s."""
    figure = _figure("time (s)", "amplitude", height=220)
    for name, samples, colour in (
        ("perturbed", perturbed, PERTURBED),
        ("clean", clean, CLEAN),
    ):
        time_s, values = _envelope(samples, sample_rate)
        figure.add_scatter(x=time_s, y=values, name=name, line={"color": colour, "width": 1})
    return figure.update_layout(legend={"orientation": "h", "y": 1.15, "x": 0})


def spectrogram(
    samples: Float[Tensor, " time"],
    reference: Float[Tensor, " time"],
    sample_rate: int,
    *,
    title: str,
    n_fft: int = 256,
    hop_length: int = 64,
) -> go.Figure:
    """|STFT| in dB below the loudest bin of `reference`: one scale for all clips shown together."""
    loudest = _magnitude(reference, n_fft, hop_length).max()
    level_db = 20 * (_magnitude(samples, n_fft, hop_length) / loudest).clamp_min(1e-9).log10()
    z = level_db.clamp(FLOOR_DB, 20).round(decimals=1).float().cpu().numpy()
    figure = _figure("time (s)", "frequency (kHz)", height=260)
    figure.add_heatmap(
        z=z,
        x=np.arange(z.shape[1], dtype=np.float32) * hop_length / sample_rate,
        y=np.arange(z.shape[0], dtype=np.float32) * sample_rate / n_fft / 1000,
        zmin=FLOOR_DB,
        zmax=0,
        colorscale="Magma",
        colorbar={"title": "dB", "thickness": 10, "tickfont": {"color": INK}},
        hovertemplate="%{x:.3f} s, %{y:.2f} kHz: %{z:.1f} dB<extra></extra>",
    )
    return figure.update_layout(title={"text": title, "font": {"size": 14}, "x": 0.02})


def probabilities(before: dict[str, float], after: dict[str, float] | None) -> go.Figure:
    """Class probabilities, clean beside perturbed."""
    figure = _figure("", "probability", height=220)
    figure.add_bar(x=list(before), y=list(before.values()), name="clean", marker_color=CLEAN)
    if after:
        figure.add_bar(
            x=list(after), y=list(after.values()), name="perturbed", marker_color=PERTURBED
        )
    figure.update_yaxes(range=[0, 1])
    figure.update_xaxes(type="category")
    return figure.update_layout(
        legend={"orientation": "h", "y": 1.15, "x": 0}, showlegend=after is not None
    )


def logit_intervals(record: dict) -> go.Figure:
    """Every logit's interval over the ball; the prediction's in the colour of the clean clip."""
    labels = list(record["logits_lower"])
    lower, upper = list(record["logits_lower"].values()), list(record["logits_upper"].values())
    figure = _figure("", "logit over the whole ball", height=300)
    figure.add_bar(
        x=labels,
        y=[high - low for low, high in zip(lower, upper, strict=True)],
        base=lower,
        marker_color=[CLEAN if label == record["prediction"] else INK for label in labels],
        customdata=list(zip(lower, upper, strict=True)),
        hovertemplate="%{x}: [%{customdata[0]:.2f}, %{customdata[1]:.2f}]<extra></extra>",
        width=0.35,
    )
    return figure.update_xaxes(type="category")


def votes(record: dict) -> go.Figure:
    """How many of the n noisy copies each class won."""
    counts = record["counts"]
    figure = _figure("", f"votes of {record['n']}", height=300)
    top = max(counts, key=counts.__getitem__)
    figure.add_bar(
        x=list(counts),
        y=list(counts.values()),
        marker_color=[CLEAN if label == top else INK for label in counts],
    )
    return figure.update_xaxes(type="category")


def _figure(x_title: str, y_title: str, *, height: int) -> go.Figure:
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID}
    return go.Figure(
        layout={
            "template": "none",
            "height": height,
            "margin": {"l": 52, "r": 12, "t": 30, "b": 40},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": INK, "family": "system-ui, sans-serif", "size": 12},
            "xaxis": {"title": x_title, **axis},
            "yaxis": {"title": y_title, **axis},
        }
    )


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

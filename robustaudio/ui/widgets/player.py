"""A player that switches between a clean and a perturbed clip while they play.

The browser's half is `assets/player.js`; this half states how loud each track is. Nothing is
normalised per track: a perturbation 40 dB below its clip sounds 40 dB below it, unless its track
says by how much it is amplified.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.ui.events import asset

MAX_AMPLIFICATION_DB = 120
RESERVED_KEYS = {" ", "L"}  # play and loop


@dataclass(frozen=True, eq=False)
class Track:
    """One choice of the player: `key` is its letter on the keyboard and on the button."""

    key: str
    label: str
    samples: Float[Tensor, " time"]
    gain_db: float = 0.0


def amplification_db(
    perturbation: Float[Tensor, " time"], reference: Float[Tensor, " time"]
) -> float:
    """Largest whole number of dB, 0 to 120, that keeps the peak 6 dB below the reference's.

    0 if either is silent, and if the perturbation is already louder than that.
    """
    peak, reference_peak = _peak(perturbation), _peak(reference)
    if peak == 0 or reference_peak == 0:
        return 0.0
    room_db = 20 * math.log10(reference_peak / peak) - 6
    return float(min(max(math.floor(room_db), 0), MAX_AMPLIFICATION_DB))


def player_value(
    tracks: Sequence[Track], sample_rate: int, *, goes_on: bool = False
) -> dict[str, Any]:
    """The player's JSON value: samples as base64 of little-endian float32, as they are.

    `common_gain_db` (0 or below) keeps the tracks without amplification within full scale; the
    player applies it to every track, so their ratios stay what they are. A value that `goes_on`
    replaces another one of the same clip: what plays does so from where it is.

    Raises ValueError for tracks that cannot be compared, and for one amplified beyond full scale.
    """
    _check(tracks)
    peak = max((_peak(track.samples) for track in tracks if track.gain_db == 0), default=0.0)
    common_gain_db = -20 * math.log10(peak) if peak > 1 else 0.0
    for track in tracks:
        _check_headroom(track, common_gain_db)
    return {
        "sample_rate": sample_rate,
        "common_gain_db": common_gain_db,
        "goes_on": goes_on,
        "tracks": [
            {
                "key": track.key,
                "label": track.label,
                "gain_db": track.gain_db,
                "pcm": _to_base64(track.samples),
            }
            for track in tracks
        ],
    }


def _peak(samples: Float[Tensor, " time"]) -> float:
    return samples.abs().max().item()


def _to_base64(samples: Float[Tensor, " time"]) -> str:
    pcm = samples.detach().to("cpu", torch.float32).numpy().astype("<f4")
    return base64.b64encode(pcm.tobytes()).decode("ascii")


def _check(tracks: Sequence[Track]) -> None:
    """Refuse tracks that cannot be switched between at any moment with any key."""
    keys = [track.key.upper() for track in tracks]
    if len(set(keys)) < len(keys) or RESERVED_KEYS & set(keys):
        raise ValueError(f"track keys {keys} must differ from each other and from space and L")
    lengths = {track.key: track.samples.numel() for track in tracks}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"tracks must have one common length above 0, not {lengths} samples")
    for track in tracks:
        if not track.samples.isfinite().all():
            raise ValueError(f"track {track.key!r} contains NaN or infinite samples")


def _check_headroom(track: Track, common_gain_db: float) -> None:
    peak = _peak(track.samples) * 10 ** ((track.gain_db + common_gain_db) / 20)
    if peak > 1 + 1e-6:
        raise ValueError(
            f"track {track.key!r} amplified by {track.gain_db:g} dB would peak at {peak:.3g}, "
            "above full scale; choose its gain with amplification_db"
        )


class Player(gr.HTML):
    """Comparison player; its value is what `player_value` returns, or None for the hint."""

    def __init__(
        self,
        value: dict[str, Any] | None = None,
        *,
        hint: str = "Run an attack to compare the clean and the perturbed clip here.",
        **kwargs: Any,
    ):
        # Gradio copies every parameter of this signature into the page's configuration, and looks
        # unknown attributes up in the JavaScript as event names: `hint` must be a real attribute.
        self.hint = hint
        super().__init__(
            value,
            html_template=asset("player.html").replace("HINT", escape(hint)),
            css_template=asset("player.css"),
            js_on_load=asset("player.js")
            + "\nwindow.robustaudioPlayer.mount(element, props, watch);",
            apply_default_css=False,
            **kwargs,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}

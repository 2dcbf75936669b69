"""An axis in dB as HTML, and what stands on it: needs no script and fits any width."""

from dataclasses import dataclass

from robustaudio.ui.html import decibel


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` dB with a number every `tick` dB."""

    low: int
    high: int
    tick: int = 20

    def at(self, level_db: float) -> float:
        """Position in per cent."""
        share = (min(max(level_db, self.low), self.high) - self.low) / (self.high - self.low)
        return 100 * share

    def ticks(self) -> str:
        marks = "".join(
            f"<i style='left:{self.at(level):.2f}%'><b>{str(level).replace('-', '−')}</b></i>"
            for level in range(self.low, self.high + 1, self.tick)
        )
        return f"<div class='ra-axis'>{marks}</div>"


PEAK, ENERGY, THRESHOLD = Axis(-140, 0), Axis(-140, 0), Axis(-100, 20)


def strip(
    kind: str, name: str, level_db: float | None, axis: Axis, unit: str, words: str,
    mark: str = "", more: str = "", shown_db: float | None = None,
) -> str:  # fmt: skip
    """A band with an axis of its own, its value and its words."""
    value = decibel(level_db if shown_db is None else shown_db, "–")
    return (
        f"<section class='ra-strip {kind}'><p><strong>{name}</strong>"
        f"<span class='ra-level'>{value}</span></p>"
        f"<div class='ra-band'>{proven_part(axis, level_db)}{mark}</div>{axis.ticks()}"
        f"<p class='ra-unit'>{unit}</p><p class='ra-note'>{words}</p>{more}</section>"
    )


def proven_part(axis: Axis, level_db: float | None, kind: str = "ra-proven") -> str:
    """All to the left of a level, as proven."""
    if level_db is None:
        return ""
    return f"<span class='{kind}' style='left:0;width:{axis.at(level_db):.2f}%'></span>"


def broken_part(axis: Axis, level_db: float | None) -> str:
    """All to the right of a level, as broken."""
    if level_db is None:
        return ""
    return f"<span class='ra-attacked' style='left:{axis.at(level_db):.2f}%;right:0'></span>"


def row(name: str, kind: str, level_db: float | None, words: str) -> str:
    """A mark on the `PEAK` axis, with its value and its words."""
    mark = "" if level_db is None else f"<span style='left:{PEAK.at(level_db):.2f}%'></span>"
    return (
        f"<div class='{kind}'><dt>{name}</dt><dd class='ra-level'>{decibel(level_db, '–')}</dd>"
        f"<dd class='ra-mark'>{mark}</dd><dd class='ra-note'>{words}</dd></div>"
    )

"""The psychometric curve of a result as SVG, for the teacher's page and for files.

Colours are the page's own (`currentColor` and its accent), so that light and dark both work.
"""

from html import escape
from typing import Any

from robustaudio.listening.results import standing

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 300, 56, 16, 20, 46
ACCENT, POINT = "#1c9e8f", "#d9623b"
PROPORTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
DB_PER_TICK = (2, 5, 10, 20, 50)
MOST_TICKS = 8
BOUNDS = {"<=": ("← or softer", "start"), ">=": ("or louder →", "end")}
LARGEST = 13.0  # radius of the point with the most trials


def psychometric(result: dict[str, Any]) -> str:
    """Proportion correct against level: trials as circles, the curve, its band, the threshold.

    `result` is one of the analysis, of a paradigm with thresholds.
    """
    group = result["group"]
    levels = [point["level_db"] for point in group["points"] + group["curve"]]
    low, high = min(levels) - 1, max(levels) + 1

    def x(level_db: float) -> float:
        return LEFT + (level_db - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = [*_frame(low, high, x), *_curve(group["curve"], x), *_points(group["points"], x)]
    if threshold := standing(result)["thresholds"]["correct_79"]:
        parts += _threshold(threshold, low, high, x)
    name = escape(f"{result['condition']}: proportion correct against level")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{name}" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="currentColor">{"".join(parts)}</svg>\n'
    )


def _y(proportion: float) -> float:
    return TOP + (1 - proportion) * (HEIGHT - TOP - BOTTOM)


def _frame(low: float, high: float, x) -> list[str]:
    """Grid, ticks and titles."""
    parts = []
    for proportion in PROPORTIONS:
        y = _y(proportion)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity=".15"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{proportion:.0%}</text>'
        )
    step = next((s for s in DB_PER_TICK if (high - low) / s <= MOST_TICKS), DB_PER_TICK[-1])
    for tick in range(int(low // step + 1) * step, int(high) + 1, step):
        label, y = f"{tick}".replace("-", "−"), HEIGHT - BOTTOM + 18
        parts.append(f'<text x="{x(tick):.1f}" y="{y}" text-anchor="middle">{label}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        "level of the perturbation (dB of the clip&#39;s L2 norm)</text>"
    )
    return parts


def _curve(curve: list[dict[str, Any]], x) -> list[str]:
    """The mean, and its band where more than one listener makes one."""
    line = " ".join(f"{x(at['level_db']):.1f},{_y(at['correct']):.1f}" for at in curve)
    parts = []
    banded = [at for at in curve if at["lower"] is not None]
    if banded:
        upper = [(at["level_db"], min(1.0, at["upper"])) for at in banded]
        lower = [(at["level_db"], max(0.0, at["lower"])) for at in reversed(banded)]
        outline = " ".join(f"{x(level):.1f},{_y(p):.1f}" for level, p in upper + lower)
        parts.append(f'<polygon points="{outline}" fill="{ACCENT}" opacity=".18"/>')
    return [*parts, f'<polyline points="{line}" fill="none" stroke="{ACCENT}" stroke-width="2.5"/>']


def _points(points: list[dict[str, Any]], x) -> list[str]:
    """A circle per level; its area is the number of trials."""
    most, parts = max(point["trials"] for point in points), []
    for point in points:
        level, correct, trials = point["level_db"], point["correct"], point["trials"]
        radius = max(2.0, LARGEST * (trials / most) ** 0.5)
        parts.append(
            f'<circle cx="{x(level):.1f}" cy="{_y(correct / trials):.1f}" r="{radius:.1f}" '
            f'fill="{POINT}" opacity=".55">'
            f"<title>{level:g} dB: {correct} of {trials}</title></circle>"
        )
    return parts


def _threshold(threshold: dict[str, Any], low: float, high: float, x) -> list[str]:
    """Where it lies, and its interval as a bar at the foot; that of a bound goes on to the end."""
    level_db, sign, y = threshold["level_db"], threshold["sign"], HEIGHT - BOTTOM
    ends = (threshold["lower_db"], threshold["upper_db"])
    lower, upper = (level_db if end is None else min(max(end, low), high) for end in ends)
    lower, upper = low if sign == "<=" else lower, high if sign == ">=" else upper
    bar = f"M{x(lower):.1f} {y}H{x(upper):.1f}"
    parts = [
        f'<path d="M{x(level_db):.1f} {TOP}V{y}" stroke="currentColor" stroke-dasharray="4 4" '
        'opacity=".7"/>',
        f'<path d="{bar}" stroke="currentColor" stroke-width="5" stroke-linecap="round" '
        'opacity=".7"/>',
    ]
    if sign != "=":
        words, anchor = BOUNDS[sign]
        at = x(low if sign == "<=" else high)
        parts.append(f'<text x="{at:.1f}" y="{y - 8}" text-anchor="{anchor}">{words}</text>')
    return parts

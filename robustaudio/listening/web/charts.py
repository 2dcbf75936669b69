"""The psychometric curve of a result, or its grades, as SVG: for the teacher's page and for files.

Colours are the page's own (`currentColor` and its accent), so that light and dark both work.
"""

from collections.abc import Callable, Sequence
from html import escape

from robustaudio.listening.analysis.by_paradigm import (
    CurvePoint,
    GradeResult,
    Point,
    ThresholdResult,
)
from robustaudio.listening.analysis.thresholds import Threshold
from robustaudio.listening.web.feedback import db, item

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 400, 260, 52, 14, 16, 52  # of a phone's column, about
ACCENT, POINT = "#1c9e8f", "#d9623b"
PROPORTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
DB_PER_TICK = (2, 5, 10, 20, 50)
MOST_TICKS = 7
BOUNDS = {"<=": ("← or softer", "start"), ">=": ("or louder →", "end")}
LARGEST = 11.0  # radius of the point with the most trials
NAMES, MEANS, ROW = 136, 52, 30  # of grades: the room left and right, and the height of a row

GRID, DARK = (f'stroke="currentColor" opacity="{opacity}"' for opacity in (".15", ".7"))
THICK = 'stroke-width="5" stroke-linecap="round"'

Place = Callable[[float], float]  # from a level in dB, to where it is drawn


def psychometric(result: ThresholdResult) -> str:
    """Proportion correct against level: trials as circles, the curve, its band, the threshold."""
    group = result.group
    levels = [point.level_db for point in (*group.points, *group.curve)]
    low, high = min(levels) - 1, max(levels) + 1

    def x(level_db: float) -> float:
        return LEFT + (level_db - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = [*_frame(low, high, x), *_curve(group.curve, x)]
    if threshold := result.thresholds.correct_79:
        parts += _threshold(threshold, low, high, x)
    parts += _points(group.points, x)
    return _svg(f"{result.condition}: proportion correct against level", HEIGHT, parts)


def ratings(results: Sequence[GradeResult]) -> str:
    """Mean grade and interval of each level of one condition, a row each in the order given."""
    low, high, step, title = results[0].paradigm.axis
    foot = TOP + ROW * len(results)

    def x(grade: float) -> float:
        inside = min(max(grade, low), high)
        return NAMES + (inside - low) / (high - low) * (WIDTH - NAMES - MEANS)

    parts, described = [], []
    for tick in range(low, high + 1, step):
        parts.append(_line(f"M{x(tick):.1f} {TOP}V{foot}", GRID))
        parts.append(_text(x(tick), foot + 20, _signed(tick)))
    parts.append(_text((NAMES + WIDTH - MEANS) / 2, foot + 42, title))
    for place, result in enumerate(results):
        group, y = result.group, TOP + ROW * (place + 0.5)
        mean, interval = _signed(group.mean), ""
        parts.append(_text(NAMES - 12, y + 5, item(result), "end"))
        if group.lower is not None and group.upper is not None:
            interval = f" ({_signed(group.lower)} to {_signed(group.upper)})"
            bar = f"M{x(group.lower):.1f} {y}H{x(group.upper):.1f}"
            parts.append(_line(bar, f'{THICK} stroke="{ACCENT}" opacity=".6"'))
        parts.append(f'<circle cx="{x(group.mean):.1f}" cy="{y}" r="6" fill="{POINT}"/>')
        parts.append(_text(WIDTH, y + 5, mean, "end"))
        described.append(f"{item(result)} {mean}{interval}")
    name = f"{results[0].condition}, {title} (95 % interval): {'; '.join(described)}"
    return _svg(name, foot + BOTTOM, parts)


def _svg(name: str, height: float, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(name)}" font-family="system-ui, sans-serif" font-size="14" '
        f'fill="currentColor">{"".join(parts)}</svg>\n'
    )


def _line(path: str, look: str) -> str:
    return f'<path d="{path}" {look}/>'


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _signed(number: float) -> str:
    """Whole numbers as they are, others to a tenth; with a true minus sign."""
    return (f"{number}" if isinstance(number, int) else f"{number:z.1f}").replace("-", "−")


def _y(proportion: float) -> float:
    return TOP + (1 - proportion) * (HEIGHT - TOP - BOTTOM)


def _frame(low: float, high: float, x: Place) -> list[str]:
    """Grid, ticks and titles."""
    parts = []
    for proportion in PROPORTIONS:
        y = _y(proportion)
        parts.append(_line(f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}", GRID))
        parts.append(_text(LEFT - 8, y + 5, f"{proportion:.0%}", "end"))
    step = next((s for s in DB_PER_TICK if (high - low) / s <= MOST_TICKS), DB_PER_TICK[-1])
    for tick in range(int(low // step + 1) * step, int(high) + 1, step):
        parts.append(_text(x(tick), HEIGHT - BOTTOM + 20, _signed(tick)))
    title = "level (dB of the clip's L2 norm)"
    return [*parts, _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 42, title)]


def _curve(curve: Sequence[CurvePoint], x: Place) -> list[str]:
    """The mean, and its band where more than one listener makes one."""

    def points(proportions: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x(level):.1f},{_y(p):.1f}" for level, p in proportions)

    line = points([(at.level_db, at.correct) for at in curve])
    parts = [f'<polyline points="{line}" fill="none" stroke="{ACCENT}" stroke-width="2.5"/>']
    upper = [(at.level_db, min(1.0, at.upper)) for at in curve if at.upper is not None]
    lower = [(at.level_db, max(0.0, at.lower)) for at in curve if at.lower is not None]
    if upper:
        band = points(upper + lower[::-1])
        parts.insert(0, f'<polygon points="{band}" fill="{ACCENT}" opacity=".18"/>')
    return parts


def _points(points: Sequence[Point], x: Place) -> list[str]:
    """A circle per level; its area is the number of trials."""
    most = max(point.trials for point in points)
    return [
        f'<circle cx="{x(at.level_db):.1f}" cy="{_y(at.correct / at.trials):.1f}" '
        f'r="{max(2.0, LARGEST * (at.trials / most) ** 0.5):.1f}" fill="{POINT}" opacity=".55">'
        f"<title>{db(at.level_db)}: {at.correct} of {at.trials}</title></circle>"
        for at in points
    ]


def _threshold(threshold: Threshold, low: float, high: float, x: Place) -> list[str]:
    """Where it lies, and its interval as a bar at the foot; that of a bound goes on to the end."""
    level_db, sign, y = threshold.level_db, threshold.sign, HEIGHT - BOTTOM
    ends = (threshold.lower_db, threshold.upper_db)
    lower, upper = (level_db if end is None else min(max(end, low), high) for end in ends)
    lower, upper = low if sign == "<=" else lower, high if sign == ">=" else upper
    parts = [
        _line(f"M{x(level_db):.1f} {TOP}V{y}", f'{DARK} stroke-dasharray="4 4"'),
        _line(f"M{x(lower):.1f} {y}H{x(upper):.1f}", f"{DARK} {THICK}"),
    ]
    if sign != "=":
        parts.append(_text(x(low if sign == "<=" else high), y - 8, *BOUNDS[sign]))
    return parts

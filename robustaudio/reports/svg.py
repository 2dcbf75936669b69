"""Scatter plots and curves as SVG, readable on light and dark pages, for docs/results."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 360, 64, 20, 24, 52
INK, DOT = "#808a96", "#1c9e8f"
COLOURS = ("#1c9e8f", "#d1352b", "#2f6f9f", "#c98a1b", "#7d5ba6", "#5f8f2f", "#b0508c", "#808a96")
LEGEND = 150  # width
LEGEND_X = WIDTH - RIGHT - LEGEND + 40  # of its texts
TICKS = 5


Point = tuple[float, float]


def scatter_svg(points: Mapping[str, Point], x_title: str, y_title: str) -> str:
    """Named points; each axis spans what it has to show, widened to whole fives."""
    at, parts = _axes(list(points.values()), x_title, y_title, RIGHT)
    for name, point in points.items():
        px, py = at(*point)
        end = px > WIDTH * 0.6
        parts.append(
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5" fill="{DOT}"/>'
            f'<text x="{px + (-9 if end else 9):.1f}" y="{py - 7:.1f}" '
            f'text-anchor="{"end" if end else "start"}">{escape(name)}</text>'
        )
    return "".join([*parts, "</svg>\n"])


def curves_svg(curves: Mapping[str, Sequence[Point]], x_title: str, y_title: str) -> str:
    """Named curves, with a legend on the right."""
    at, parts = _axes(
        [p for curve in curves.values() for p in curve], x_title, y_title, RIGHT + LEGEND
    )
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        dash = ' stroke-dasharray="5 3"' if number >= len(COLOURS) else ""
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in (at(*point) for point in curve))
        y, text = _entry(number, name)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
            f'<path d="M{LEGEND_X - 26} {y}h20" stroke="{colour}" stroke-width="2"{dash}/>{text}'
        )
    return "".join([*parts, "</svg>\n"])


def groups_svg(points: Sequence[tuple[str, Point]], x_title: str, y_title: str) -> str:
    """Points of named groups, each group with a colour and a shape of its own."""
    at, parts = _axes([point for _, point in points], x_title, y_title, RIGHT + LEGEND)
    for number, name in enumerate(dict.fromkeys(name for name, _ in points)):
        colour = COLOURS[number % len(COLOURS)]
        hollow = f'fill="none" stroke="{colour}" stroke-width="2"'
        look = f'fill="{colour}"' if number < len(COLOURS) else hollow
        (y, text), marks = _entry(number, name), [at(*point) for n, point in points if n == name]
        parts += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" {look}/>'
            for px, py in [*marks, (LEGEND_X - 16, y)]
        ]
        parts.append(text)
    return "".join([*parts, "</svg>\n"])


def _entry(number: int, name: str) -> tuple[int, str]:
    """Where an entry of the legend stands, and its text."""
    y = TOP + 8 + 18 * number
    return y, f'<text x="{LEGEND_X}" y="{y + 4}">{escape(name)}</text>'


def _axes(
    points: Sequence[Point], x_title: str, y_title: str, right: int
) -> tuple[Callable[[float, float], Point], list[str]]:
    """Where a point lies, and the frame with ticks and titles."""
    spans = [_span([point[axis] for point in points]) for axis in (0, 1)]

    def at(x: float, y: float) -> Point:
        across = (x - spans[0][0]) / (spans[0][1] - spans[0][0])
        up = (y - spans[1][0]) / (spans[1][1] - spans[1][0])
        height = HEIGHT - TOP - BOTTOM
        return LEFT + across * (WIDTH - LEFT - right), HEIGHT - BOTTOM - up * height

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
    ]
    for step in range(TICKS + 1):
        x, y = (low + (high - low) * step / TICKS for low, high in spans)
        (px, bottom), (left, py) = at(x, spans[1][0]), at(spans[0][0], y)
        parts.append(
            f'<path d="M{px:.1f} {TOP}V{bottom:.1f}M{left:.1f} {py:.1f}H{WIDTH - right}" '
            f'stroke="{INK}" stroke-opacity=".25"/>'
            f'<text x="{px:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{x:g}</text>'
            f'<text x="{left - 8:.1f}" y="{py + 4:.1f}" text-anchor="end">{y:g}</text>'
        )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text x="{(LEFT + WIDTH - right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
        f'{escape(x_title)}</text><text transform="translate(16 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_title)}</text>'
    )
    return at, parts


def _span(values: list[float]) -> tuple[float, float]:
    low, high = 5 * (min(values) // 5), 5 * -(-max(values) // 5)
    return low, max(high, low + 5)

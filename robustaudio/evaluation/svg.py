"""A scatter plot as SVG, readable on light and dark pages, for the tables of docs/results."""

from collections.abc import Mapping
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 360, 64, 20, 24, 52
INK, DOT = "#808a96", "#1c9e8f"
TICKS = 5


def scatter_svg(points: Mapping[str, tuple[float, float]], x_title: str, y_title: str) -> str:
    """Named points; each axis spans what it has to show, widened to whole fives."""
    xs, ys = ([p[axis] for p in points.values()] for axis in (0, 1))
    spans = [_span(xs), _span(ys)]

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - spans[0][0]) / (spans[0][1] - spans[0][0])
        up = (y - spans[1][0]) / (spans[1][1] - spans[1][0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (
            HEIGHT - TOP - BOTTOM
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
    ]
    for step in range(TICKS + 1):
        x, y = (low + (high - low) * step / TICKS for low, high in spans)
        (px, bottom), (left, py) = at(x, spans[1][0]), at(spans[0][0], y)
        parts.append(
            f'<path d="M{px:.1f} {TOP}V{bottom:.1f}M{left:.1f} {py:.1f}H{WIDTH - RIGHT}" '
            f'stroke="{INK}" stroke-opacity=".25"/>'
            f'<text x="{px:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{x:g}</text>'
            f'<text x="{left - 8:.1f}" y="{py + 4:.1f}" text-anchor="end">{y:g}</text>'
        )
    for name, point in points.items():
        px, py = at(*point)
        end = px > WIDTH * 0.6
        parts.append(
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5" fill="{DOT}"/>'
            f'<text x="{px + (-9 if end else 9):.1f}" y="{py - 7:.1f}" '
            f'text-anchor="{"end" if end else "start"}">{escape(name)}</text>'
        )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
        f'{escape(x_title)}</text><text transform="translate(16 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_title)}</text></svg>\n'
    )
    return "".join(parts)


def _span(values: list[float]) -> tuple[float, float]:
    low, high = 5 * (min(values) // 5), 5 * -(-max(values) // 5)
    return low, max(high, low + 5)

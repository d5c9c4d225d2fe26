"""Draws lines over time as an SVG: one file, no library, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH: Final = 800
_HEIGHT: Final = 360
_LEFT: Final = 64
_RIGHT: Final = 150
_TOP: Final = 36
_BOTTOM: Final = 40
_COLOURS: Final = ("#0b6e99", "#c0392b", "#2e7d32", "#8e44ad", "#b26a00", "#555555")
_TICKS: Final = 5


def lines_svg(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    across: str,
    upwards: str,
) -> str:
    """Draw each series of (x, y), from zero on both axes, its name beside its end."""
    most_x = max((x for points in series.values() for x, _ in points), default=0) or 1
    most_y = max((y for points in series.values() for _, y in points), default=0) or 1
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + wide * x / most_x, _TOP + high * (1 - y / most_y)

    drawn = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" font-size="12"'
            f' font-family="sans-serif" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
            f"<title>{escape(title)}</title>"
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in range(_TICKS + 1):
        x, y = most_x * tick / _TICKS, most_y * tick / _TICKS
        (px, _), (_, py) = at(x, 0), at(0, y)
        drawn.append(
            f'<path d="M{_LEFT} {py:.1f}H{_LEFT + wide}" stroke="#dddddd"/>'
            f'<text x="{_LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{y:,.0f}</text>'
            f'<text x="{px:.1f}" y="{_HEIGHT - 22}" text-anchor="middle">{x:,.0f}</text>'
        )
    drawn.append(
        f'<text x="{_LEFT + wide / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{escape(across)}</text>"
        f'<text x="6" y="{_TOP - 8}">{escape(upwards)}</text>'
    )
    for number, (name, points) in enumerate(series.items()):
        if not points:
            continue
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join("{:.1f},{:.1f}".format(*at(*point)) for point in points)
        x, y = at(*points[-1])
        drawn.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}"/>'
            f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(name)}</text>'
        )
    return "\n".join([*drawn, "</svg>", ""])

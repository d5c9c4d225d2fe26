"""Plots as SVG, readable on light and on dark."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any, Final

from bench.report import number, standing
from bench.targets import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH: Final = 720
_INK: Final = "#808890"  # on white and on black alike
_GOOD: Final = "#0a9384"
_COLOURS: Final = {"met": _GOOD, "missed": "#d2603a", "": _INK}
_ROW: Final = 24
_LEFT: Final = 190
_RIGHT: Final = 60
_MOST: Final = 16.0
"""A figure so many times its target, or a fraction, ends at the border."""


def against_targets(
    figures: Sequence[Mapping[str, Any]], *, quick: bool = False
) -> str:
    """Draw each figure as a multiple of its target; right of the line is better.

    Grey is what is not judged: times of a quick run.
    """
    rows = [figure for figure in figures if figure["name"] in BY_NAME]
    height = _ROW * (len(rows) + 1) + 8
    return _svg(
        height, "Each figure beside its target", _bars(rows, height, quick=quick)
    )


def line_of(figure: Mapping[str, Any]) -> str:
    """Draw the points of one figure over a logarithmic scale."""
    return _svg(260, figure["name"], _line(figure))


def _bars(
    rows: Sequence[Mapping[str, Any]], height: int, *, quick: bool
) -> Iterator[str]:
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    half = (WIDTH - _RIGHT - _LEFT) / 2
    for place, figure in enumerate(rows):
        target = BY_NAME[figure["name"]]
        value = figure["value"]
        bound = (quick and target.quick) or target.bound
        times = value / bound if value else 1 / _MOST
        if target.better == "lower":
            times = bound / value if value else _MOST
        reach = math.log(max(1 / _MOST, min(_MOST, times))) / math.log(_MOST) * half
        y = 4 + place * _ROW
        colour = _COLOURS[standing(figure, quick=quick)]
        yield _text(_LEFT - 8, y + 15, figure["name"], "end")
        yield (
            f'<rect x="{min(middle, middle + reach):.1f}" y="{y + 3}"'
            f' width="{max(1.0, abs(reach)):.1f}" height="{_ROW - 8}" rx="2"'
            f' fill="{colour}"/>'
        )
        yield _text(WIDTH - _RIGHT + 8, y + 15, number(value))
    y = height - 10
    yield (f'<path d="M{middle} 0V{y - 12}" stroke="{_INK}" stroke-dasharray="3 3"/>')
    for times, label in (
        (1 / _MOST, "1/16"),
        (0.25, "1/4"),
        (1, "target"),
        (4, "4 times"),
        (_MOST, "16"),
    ):
        yield _text(
            middle + math.log(times) / math.log(_MOST) * half, y, label, "middle"
        )


def _line(figure: Mapping[str, Any]) -> Iterator[str]:
    points = figure["points"]
    left, right, top, bottom = 70, WIDTH - 30, 30, 220
    xs = [math.log10(max(x, 1e-9)) for x, _ in points]
    most = max(y for _, y in points) or 1
    wide = (max(xs) - min(xs)) or 1
    places = [
        (
            left + (x - min(xs)) / wide * (right - left),
            bottom - y / most * (bottom - top),
        )
        for x, (_, y) in zip(xs, points, strict=True)
    ]
    yield _text(left, 16, f"{figure['name']} ({figure['unit']})")
    yield f'<path d="M{left} {top}V{bottom}H{right}" stroke="{_INK}" fill="none"/>'
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{drawn}" fill="none" stroke="{_GOOD}" stroke-width="2"/>'
    for (x, y), (at, value) in zip(places, points, strict=True):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_GOOD}"/>'
        yield _text(x, y - 8, number(value), "middle")
        yield _text(x, bottom + 18, number(at), "middle")


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def _svg(height: int, title: str, parts: Iterator[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img" fill="{_INK}"'
        ' font-family="system-ui, sans-serif" font-size="12">\n'
        f"<title>{escape(title)}</title>\n{body}\n</svg>\n"
    )

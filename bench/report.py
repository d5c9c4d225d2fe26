"""What a run found: the document `build/bench.json`, and the table on the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from bench.targets import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.measuring import Figure
    from bench.targets import Target

STYLES: Final = {"met": "green", "missed": "bold red", "": "dim"}
_LARGE: Final = 100


def document(
    figures: Sequence[Figure], skipped: Mapping[str, str], **about: Any
) -> dict[str, Any]:
    """Write a run down; `about` is its machine, commit, seed and whether it was quick."""
    return {
        **about,
        "figures": [_with_target(asdict(figure)) for figure in figures],
        "skipped": dict(skipped),
    }


def standing(figure: Mapping[str, Any], *, quick: bool = False) -> str:
    """Tell `met`, `missed` or, of what is not judged, nothing.

    A quick run is judged by what was counted alone.
    """
    target = BY_NAME.get(figure["name"])
    if target is None or (quick and target.quick is None):
        return ""
    return "met" if target.met_by(figure["value"], quick=quick) else "missed"


def failed(done: Mapping[str, Any]) -> list[str]:
    """Name the counted targets that were missed: these decide on any machine."""
    return [
        figure["name"]
        for figure in done["figures"]
        if standing(figure, quick=done["quick"]) == "missed"
        and BY_NAME[figure["name"]].quick is not None
    ]


def table(done: Mapping[str, Any]) -> Table:
    """Show every figure beside its target; of a quick run only counts are judged."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("figure", "value", "from", "to", "unit", "target", ""):
        right = heading in {"value", "from", "to"}
        shown.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for figure in done["figures"]:
        target = BY_NAME.get(figure["name"])
        word = standing(figure, quick=done["quick"])
        shown.add_row(
            figure["name"],
            *(number(figure[key]) for key in ("value", "low", "high")),
            figure["unit"],
            bound(target, quick=done["quick"]) if target else "",
            word,
            style=None if word or target else STYLES[""],
        )
    for name, reason in done["skipped"].items():
        shown.add_row(name, "skipped", "", "", "", reason, style="yellow")
    return shown


def bound(target: Target, *, quick: bool = False) -> str:
    """Write `≥ 0.65 (aim 0.85)`; what a quick run is judged by, for that."""
    sign = "≥" if target.better == "higher" else "≤"
    if quick and target.quick is not None:
        return f"{sign} {target.quick:g} in a quick run"
    aim = f" (aim {target.aim:g})" if target.aim else ""
    return f"{sign} {target.bound:g}{aim}"


def number(value: float) -> str:
    """Write a value with three figures that count."""
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.3g}"


def about(machine: Mapping[str, Any]) -> str:
    """Write the machine in one line."""
    versions = ", ".join(
        f"{name} {value}"
        for name, value in machine.items()
        if name not in {"cpu", "cores", "fdatasync_per_s", "os"} and value
    )
    return (
        f"{machine['cpu']}, {machine['cores']} cores, "
        f"{machine['fdatasync_per_s']:,} fdatasync/s, {machine['os']}; {versions}"
    )


def _with_target(figure: dict[str, Any]) -> dict[str, Any]:
    target = BY_NAME.get(figure["name"])
    return figure | {"target": target.bound if target else None}

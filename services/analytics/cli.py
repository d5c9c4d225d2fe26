"""`amends analytics …`: figures as tables or JSON, and the rebuild with its progress."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from services.kernel.errors import UnavailableError
from services.kernel.terminal import print_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FREQUENCY: Final = "/api/analytics/frequency"
ROOT_CAUSES: Final = "/api/analytics/root-causes"
FIGURE: Final = "/api/analytics/{name}"
REBUILD: Final = "/api/analytics/rebuild"

LOOK_AGAIN: Final = 0.2  # seconds between two looks at a running rebuild
_LINKS: Final = "cases"
_BEFORE: Final = " before"
_UNSHOWN: Final = frozenset({_LINKS, "has_countermeasure", "previous", "change"})


class Ask(Protocol):
    def __call__(
        self, method: str, path: str, query: Sequence[tuple[str, str]] = ()
    ) -> Any:
        """Give the JSON of an answer; raises AmendsError as the service refused."""


def frequency(ask: Ask, query: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """Print how often people complain; `query` is that of the HTTP interface."""
    _figure(ask("GET", FREQUENCY, query), as_json=as_json)


def root_causes(ask: Ask, query: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """Print why people complain, the most frequent cause first."""
    _figure(ask("GET", ROOT_CAUSES, query), as_json=as_json)


def figure(
    ask: Ask, name: str, query: Sequence[tuple[str, str]], *, as_json: bool
) -> None:
    """Print any figure of the register: its lines, and under them the whole."""
    found = ask("GET", FIGURE.format(name=name), query)
    if as_json:
        _print(json.dumps(found, ensure_ascii=False))
        return
    if isinstance(found["total"], int):
        _figure(found, as_json=False)
        return
    definition, kinds = found["definition"], found["definition"]["columns"]
    if definition.get("compare"):
        kinds = {**kinds, **{name + _BEFORE: kind for name, kind in kinds.items()}}
    lines, total = [_shown(row) for row in found["rows"]], _shown(found["total"])
    names = [name for name in (lines or [{}])[0] if name not in kinds]
    rows = [
        {
            **{each: _cell(each, row[each]) for each in names},
            **{each: _number(row[each], kind) for each, kind in kinds.items()},
        }
        for row in lines
    ]
    whole = {each: _number(total.get(each), kind) for each, kind in kinds.items()}
    if names:
        rows.append({**dict.fromkeys(names, ""), names[0]: "all", **whole})
    headings = {each: each for each in (*names, *kinds)}
    print_rows(headings, rows if names else [whole], numbers=frozenset(kinds))
    shares = f" Shares are of {definition['out_of']}." if definition["out_of"] else ""
    _print(
        f"Counted: {definition['counts']}.{shares} As known at position"
        f" {found['position']} ({found['as_of'] or 'an empty log'})."
    )
    if found["beyond"]:
        _print("The position asked for is not reached yet: this is the present.")
    if found["damaged"]:
        _print("Some rows are damaged: run `amends analytics rebuild`.")


def rebuild(
    ask: Ask, *, as_json: bool, sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Make the rows anew from handling's log; give whether they were equal.

    Raises `UnavailableError` where the rebuild failed: the live rows are untouched.
    """
    progress = ask("POST", REBUILD)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        disable=as_json or not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        task = bar.add_task("Reading the log", total=None)
        while progress["state"] == "running":
            sleep(LOOK_AGAIN)
            progress = ask("GET", REBUILD)
            bar.update(
                task,
                completed=progress["position"],
                total=progress["last_position"] or None,
            )
    if progress["state"] != "done":
        raise UnavailableError(
            "analytics.rebuild_failed",
            f"The rebuild did not finish ({progress['fault'] or progress['state']});"
            " the live figures are untouched. Try again.",
        )
    if as_json:
        _print(json.dumps(progress))
    else:
        _print(_told(progress))
    return bool(progress["equal"])


def _figure(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        _print(json.dumps(answer, ensure_ascii=False))
        return
    lines = [_shown(row) for row in answer["rows"]]
    columns = {name: name for name in (lines or [{}])[0]}
    if columns:
        rows = [{name: _cell(name, row[name]) for name in columns} for row in lines]
        numbers = _NUMBERS | {name + _BEFORE for name in _NUMBERS}
        print_rows(columns, rows, numbers=numbers)
    else:
        _print("No complaint yet.")
    _print(
        f"Complaints: {answer['total']}, as known at position {answer['position']}"
        f" ({answer['as_of'] or 'an empty log'})."
    )
    if answer["beyond"]:
        _print("The position asked for is not reached yet: this is the present.")
    if answer["damaged"]:
        _print("Some rows are damaged: run `amends analytics rebuild`.")


_NUMBERS: Final = frozenset(
    {"count", "customers", "countermeasures", "share", "cumulative_share"}
)


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    """Give what of a line has a column, with what its numbers were before."""
    before = line.get("previous") or {}
    return {
        **{name: value for name, value in line.items() if name not in _UNSHOWN},
        **{name + _BEFORE: value for name, value in before.items() if name != _LINKS},
    }


def _cell(name: str, value: object) -> str:
    if isinstance(value, float) and name.removesuffix(_BEFORE) in _NUMBERS:
        return f"{value:.1%}"
    return "-" if value is None else str(value)


def _number(value: float | str | None, kind: str) -> str:
    """Say a count, a share, a duration in days or hours, an instant, or yes."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value[:16].replace("T", " ")
    if kind == "flag":
        return "yes" if value else "no"
    if kind == "share":
        return f"{value:.1%}"
    if kind == "seconds":
        days, hours = value / 86_400, value / 3_600
        return f"{days:.1f} d" if days >= 1 else f"{hours:.1f} h"
    return f"{value:g}"


def _told(progress: dict[str, Any]) -> str:
    found = (
        "The rows were equal"
        if progress["equal"]
        else "The rows DIFFERED and were replaced"
    )
    held = progress["held"]
    return (
        f"{found} (compared at position {progress['compared_to']}, digest"
        f" {progress['digest'][:16]}…). Rebuilt to position {progress['position']}"
        f"{f', {held} events held back as unreadable' if held else ''}."
    )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")

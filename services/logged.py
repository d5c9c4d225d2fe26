"""Lines of a log, cut down to what amends itself has words for.

A log is a file, and anybody may have written into it. So nothing is looked for that
should not be there: a value is left where it is one of our own names, or it goes.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import services
from events.subjects import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LINES: Final = 2_000
"""Of the log, the last ones."""

_SERVICES: Final = frozenset({"access", "intake", "handling", "analytics"})
_CONSUMERS: Final = _SERVICES | {"intake-submit", "consumer"}
_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "level": frozenset({"debug", "info", "warning", "error", "critical"}),
    "method": frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}),
    "service": _SERVICES,
    "consumer": _CONSUMERS,
    "durable": _CONSUMERS,
    "stream": frozenset(map(str, Stream)),
}
_CODES: Final = frozenset({"event", "code", "check"})
_LIBRARIES: Final = frozenset(
    {"asyncio", "uvicorn", "faststream", "nats", "psycopg", "httpx", "httpcore", "py"}
)
"""Whose lines are in our log; what they say is theirs, that they said something ours."""
_FIGURES: Final = frozenset(
    [
        "status",
        "milliseconds",
        "messages",
        "events",
        "again_in_seconds",
        "attempt",
        "position",
        "after",
        "found",
        "batch",
        "signal",
    ]
)
_GREATEST: Final = 10**9
"""A figure above it may be a number that somebody is called at."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_FRAME: Final = re.compile(r'File "(?:[^"]*[/\\])?([^"/\\]+)", line (\d+), in (\S+)')
_ERROR: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)(?=$|[:(\s])", re.ASCII)
_CODE: Final = re.compile(r'"([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)"')
_ROUTE: Final = re.compile(r'"(/[A-Za-z0-9_./{}:-]*)"')
_FUNCTION: Final = re.compile(r"\bdef (\w+)\(", re.ASCII)
_CLASS: Final = re.compile(r"\bclass (\w+)", re.ASCII)


class _Ours(NamedTuple):
    """Names that stand in the sources of this installation."""

    modules: frozenset[str]
    files: frozenset[str]
    codes: frozenset[str]
    steps: frozenset[str]
    functions: frozenset[str]
    errors: frozenset[str]


@cache
def _ours() -> _Ours:
    root = Path(services.__file__).parent.parent
    files = [
        path for part in ("services", "events") for path in (root / part).rglob("*.py")
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    modules = (path.relative_to(root).with_suffix("") for path in files)
    steps = (step for route in _ROUTE.findall(text) for step in route.split("/"))
    return _Ours(
        frozenset(".".join(each.parts).removesuffix(".__init__") for each in modules),
        frozenset(path.name for path in files),
        frozenset(_CODE.findall(text)),
        frozenset(steps),
        frozenset(_FUNCTION.findall(text)),
        frozenset({*_CLASS.findall(text), *_raised(BaseException)}),
    )


def _raised(kind: type[BaseException]) -> Iterator[str]:
    """Name a kind of error and those under it, as far as their modules are loaded."""
    yield kind.__name__
    for each in type.__subclasses__(kind):
        yield from _raised(each)


def shown_log(lines: Iterable[str]) -> list[dict[str, object]]:
    """Give the last lines that are a log of amends, each cut down to what is ours."""
    found: list[dict[str, object]] = []
    for line in list(lines)[-LINES:]:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict) and "event" in told and "level" in told:
            found.append(_line(told))
    return found


def _line(told: Mapping[str, object]) -> dict[str, object]:
    shown: dict[str, object] = {}
    for name, value in told.items():
        words = isinstance(value, str)
        left = _word(name, str(value)) if words else _figure(name, value)
        if left is not None:
            shown[name] = left
    return shown


def _figure(name: str, value: object) -> object:
    if name not in _FIGURES or not isinstance(value, (bool, int, float)):
        return None
    return value if abs(value) < _GREATEST else None


def _word(name: str, value: str) -> object:  # noqa: PLR0911 one for each field
    ours = _ours()
    if name in _NAMES:
        return _among(_NAMES[name], value)
    if name in _CODES:
        return _among(ours.codes, value)
    match name:
        case "timestamp":
            return value if _TIME.fullmatch(value) else None
        case "logger":
            library = value.partition(".")[0]
            return _among(ours.modules, value) or _among(_LIBRARIES, library)
        case "route":
            return value if ours.steps.issuperset(value.split("/")) else None
        case "reason":
            return _among(ours.codes, value) or _error(value)
        case "exception":
            return _trace(value)
        case _:
            return None


def _among(names: frozenset[str], value: str) -> str | None:
    return value if value in names else None


def _error(text: str) -> str | None:
    """Give the kind of error that a text begins with."""
    begins = _ERROR.match(text)
    return _among(_ours().errors, begins[1]) if begins else None


def _trace(exception: str) -> list[str]:
    """Give our own files, lines and functions, and the kinds of errors."""
    found, ours = [], _ours()
    for line in exception.splitlines():
        if frame := _FRAME.search(line):
            file, number, function = frame.groups()
            if file in ours.files and int(number) < _GREATEST:
                named = f" {function}" if function in ours.functions else ""
                found.append(f"{file}:{number}{named}")
        elif error := _error(line.strip()):
            found.append(error)
    return found

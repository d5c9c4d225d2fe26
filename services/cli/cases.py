"""`amends case …`: read straight from the record, whether anything runs or not."""

import json
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from services.handling.api.cases import case_json, events_json
from services.handling.application.cases import History, Known
from services.handling.application.looking import read_as_of
from services.handling.main import open_for_reading
from services.kernel.clock import rfc3339
from services.kernel.folder import DataFolder
from services.kernel.settings import load_settings
from services.kernel.terminal import print_rows

_COLUMNS = {
    "version": "",
    "known": "known since",
    "happened": "happened",
    "event": "event",
    "by": "by",
}
_FACTS = (
    ("state", "State"),
    ("channel", "Channel"),
    ("received_at", "Received"),
    ("category", "Category"),
    ("product", "Product"),
    ("supplier", "Supplier"),
    ("severity", "Severity"),
    ("department", "Department"),
    ("origin", "Origin"),
    ("case_id", "Case id"),
)


def show_case(reference: str, as_of: str | None, *, as_json: bool) -> None:
    settings = load_settings()
    folder = DataFolder(settings.data)
    folder.require()
    with open_for_reading(settings, folder) as handling:
        history = handling.history(
            reference, read_as_of(as_of, ZoneInfo(settings.time_zone))
        )
    if as_json:
        found = {
            **case_json(history),
            **json.loads(events_json(history.events, history.position)),
        }
        print(json.dumps(found, ensure_ascii=False))  # noqa: T201 the verb's output
    else:
        _print(history)


def _print(history: History) -> None:
    case = case_json(history)
    console = Console(highlight=False, markup=False)
    heading = Text(_spoken(case["receipt_no"]), style="bold")
    console.print(heading, f" as of position {history.position}", soft_wrap=True)
    for name, label in _FACTS:
        if case[name] is not None:
            console.print(f"  {label:<11} {case[name]}", soft_wrap=True)
    print_rows(_COLUMNS, [_row(known) for known in history.events], narrow=_narrow)


def _spoken(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _row(known: Known) -> dict[str, str]:
    event = known.event
    who, role = event.actor.id, event.actor.role
    return {
        "version": str(event.version),
        "known": rfc3339(known.committed_at)[:19] + "Z",
        "happened": rfc3339(event.occurred_at)[:19] + "Z",
        "event": event.type,
        "by": who if who == role else f"{who} ({role})",
    }


def _narrow(row: Mapping[str, str]) -> str:
    return (
        f"{row['version']:>3}  {row['known']}  {row['event']}\n"
        f"     happened {row['happened']}\n"
        f"     by {row['by']}"
    )

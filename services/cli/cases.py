"""`amends case …`: read straight from the record, whether anything runs or not."""

import json

from rich.console import Console
from rich.table import Table

from services.handling.api.cases import case_json, events_json
from services.handling.application.cases import History
from services.handling.application.looking import read_as_of
from services.handling.main import open_for_reading
from services.kernel.clock import rfc3339
from services.kernel.folder import DataFolder
from services.kernel.settings import load_settings

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
        history = handling.history(reference, read_as_of(as_of))
    if as_json:
        found = {
            **case_json(history),
            **json.loads(events_json(history.events, history.position)),
        }
        print(json.dumps(found, ensure_ascii=False))  # noqa: T201 the verb's output
    else:
        _print(history)


def _print(history: History) -> None:
    console = Console(highlight=False)
    case = case_json(history)
    number = case["receipt_no"]
    spaced = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    console.print(f"[bold]{spaced}[/bold]  as of position {history.position}")
    for name, label in _FACTS:
        if case[name] is not None:
            console.print(f"  {label:<11} {case[name]}")
    table = Table(
        "", "known since", "happened", "event", "by", box=None, pad_edge=False
    )
    for known in history.events:
        event = known.event
        by = (
            event.actor.id
            if event.actor.id == event.actor.role
            else (f"{event.actor.id} ({event.actor.role})")
        )
        table.add_row(
            str(event.version),
            rfc3339(known.committed_at)[:19] + "Z",
            rfc3339(event.occurred_at)[:19] + "Z",
            event.type,
            by,
        )
    console.print(table)

"""`amends case …`: read straight from the record, whether anything runs or not."""

import json
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from events.catalogue import ComplaintResolved, DeadlineStated, RecordCorrected
from events.envelope import Event
from services.handling.api.cases import case_json, events_json
from services.handling.api.clocks import clocks_json
from services.handling.application.cases import History, Known
from services.handling.application.clocks import Timed, looked_at, timed
from services.handling.application.looking import read_as_of
from services.handling.domain.clocks import Clock
from services.handling.main import clockwork_of, default_policy, open_for_reading
from services.kernel.clock import rfc3339, stated, system_clock
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
_CLOCKS = {
    "clock": "clock",
    "holder": "owed by",
    "state": "state",
    "due": "due",
    "stopped": "stopped",
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
    ("batch", "Import"),
    ("case_id", "Case id"),
)


def show_case(reference: str, as_of: str | None, *, as_json: bool) -> None:
    settings = load_settings()
    folder = DataFolder(settings.data)
    folder.require()
    zone = ZoneInfo(settings.time_zone)
    when = read_as_of(as_of, zone)
    with open_for_reading(settings, folder) as handling:
        history = handling.history(reference, when)
    clockwork = clockwork_of(default_policy(), zone)
    at = looked_at(history, when, system_clock())
    clocks = timed(history, clockwork, at, unit=False)
    if as_json:
        found = {
            **case_json(history),
            **clocks_json(clocks, clockwork, explain=True),
            **json.loads(events_json(history.events, history.position)),
        }
        print(json.dumps(found, ensure_ascii=False))  # noqa: T201 the verb's output
    else:
        print_case(history, clocks)


def print_case(history: History, clocks: Timed) -> None:
    """Print a case, what runs or was late, and its history for people."""
    case = case_json(history)
    received = history.case.received_at
    if not history.case.counted:
        case["batch"] = f"{case['batch']} (revoked: no figure counts this case)"
    case["received_at"] = stated(received, history.case.received_precision)
    console = Console(highlight=False, markup=False)
    heading = Text(_spoken(case["receipt_no"]), style="bold")
    console.print(heading, f" as of position {history.position}", soft_wrap=True)
    for name, label in _FACTS:
        if case[name] is not None:
            console.print(f"  {label:<11} {case[name]}", soft_wrap=True)
    owed = [c for c in clocks.clocks if c.running or c.state == "breached"]
    if owed or clocks.what_if:
        owed.sort(key=lambda clock: (clock.started_at, clock.code))
        shown = [_clock(clock) for clock in owed]
        shown += [_clock(clock, "what if: ") for clock in clocks.what_if]
        print_rows(_CLOCKS, shown, narrow=_narrow_clock)
    rows = [_row(known) for known in history.events]
    says = {"says": "says"} if any(row["says"] for row in rows) else {}
    print_rows(_COLUMNS | says, rows, narrow=_narrow)


def _spoken(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _clock(clock: Clock, marked: str = "") -> dict[str, str]:
    stopped = clock.stopped_at
    return {
        "clock": f"{marked}{clock.code}",
        "holder": clock.holder,
        "state": clock.state,
        "due": _to_the_second(rfc3339(clock.due_at)),
        "stopped": _to_the_second(rfc3339(stopped)) if stopped else "",
    }


def _narrow_clock(row: Mapping[str, str]) -> str:
    return f"     {row['clock']} ({row['holder']}): {row['state']}, due {row['due']}"


def _row(known: Known) -> dict[str, str]:
    event = known.event
    who, role = event.actor.id, event.actor.role
    return {
        "version": str(event.version),
        "known": _to_the_second(rfc3339(known.committed_at)),
        "happened": _to_the_second(stated(event.occurred_at, event.occurred_precision)),
        "event": event.type,
        "by": who if who == role else f"{who} ({role})",
        "says": _says(event.data),
    }


def _to_the_second(told: str) -> str:
    return f"{told[:19]}Z" if told.endswith("Z") else told


def _says(data: Event) -> str:
    """Tell what another system stated, in its words, and what became of its import."""
    match data:
        case DeadlineStated(due_at=due_at, overdue=overdue):
            due = [f"due {_to_the_second(rfc3339(due_at))}"] if due_at else []
            kept = [] if overdue is None else ["overdue" if overdue else "not overdue"]
            return ", ".join(due + kept)
        case RecordCorrected(counted=bool(counted)):
            return "import reinstated" if counted else "import revoked"
        case ComplaintResolved(stated_as=str(words)):
            return f"stated as {words}"
        case _:
            return ""


def _narrow(row: Mapping[str, str]) -> str:
    return (
        f"{row['version']:>3}  {row['known']}  {row['event']}\n"
        f"     happened {row['happened']}\n"
        f"     by {row['by']}" + (f"\n     {row['says']}" if row["says"] else "")
    )

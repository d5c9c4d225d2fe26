"""`amends case find`: cases by a number, an address, words or what is due."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from services.cli.client import answer, with_services
from services.cli.printing import show_rows
from services.kernel.clock import parse_rfc3339, stated

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from services.kernel.settings import Settings

_COLUMNS = {
    "receipt_no": "receipt number",
    "state": "state",
    "department": "department",
    "category": "category",
    "received_at": "received",
}
_DUE = {"next_due": "due", "next_clock": "clock"}
_NOT_ASKED = (
    "Intake could not be asked: what customers handed in was not searched. Try again.\n"
)
_NOT_YET = "What was written since {since} was not searched for words yet. Try again.\n"


def find(sought: Mapping[str, str], *, limit: int, as_json: bool) -> None:
    """Ask handling, which notes who searched."""

    def ask(client: httpx.Client, _: Settings) -> Any:
        wanted: dict[str, str | int] = {**sought, "limit": limit}
        return answer(client.get("/api/handling/cases", params=wanted))

    found = with_services(ask)
    if not as_json:
        for row in found["rows"]:
            received = parse_rfc3339(row["received_at"])
            row["received_at"] = stated(received, row["received_precision"])
    columns = _COLUMNS | (_DUE if "due_before" in sought else {})
    show_rows(found, columns, as_json=as_json, empty="No case has all of this.")
    if as_json:
        return
    if found["missing"]:
        sys.stderr.write(_NOT_ASKED)
    if found["unsearched_since"]:
        sys.stderr.write(_NOT_YET.format(since=found["unsearched_since"]))
    if found["cursor"]:
        sys.stderr.write(f"There are {found['total']}: narrow it down, or --limit.\n")

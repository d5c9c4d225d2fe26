"""`amends audit readings`: who read, searched, exported what, from all services."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from services.cli.client import answer, with_services
from services.cli.printing import show_rows
from services.cli.quarantining import SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from services.kernel.settings import Settings

_COLUMNS = {
    "read_at": "when",
    "actor": "who",
    "role": "role",
    "act": "did",
    "kind": "what",
    "hits": "found",
    "purpose": "what for",
    "case_id": "case",
    "subject_id": "whose",
    "masked": "masked",
}


def listing(
    case: str | None, asked: Mapping[str, str | None], *, limit: int, as_json: bool
) -> None:
    """Ask each service for its latest, and give the latest of all."""

    def ask(client: httpx.Client, _: Settings) -> Any:
        wanted: dict[str, str | int] = {"limit": limit}
        wanted |= {name: value for name, value in asked.items() if value is not None}
        if case is not None:
            found = client.get(f"/api/handling/cases/{quote(case, safe='')}")
            wanted["case_id"] = answer(found)["case_id"]
        pages = [
            answer(client.get(f"/api/{name}/readings", params=wanted))
            for name in SERVICES
        ]
        rows = [
            {"service": name, **row}
            for name, page in zip(SERVICES, pages, strict=True)
            for row in page["rows"]
        ]
        rows.sort(key=lambda row: row["read_at"], reverse=True)
        more = len(rows) > limit or any(page["cursor"] for page in pages)
        return {"rows": rows[:limit], "more": more}

    found = with_services(ask)
    rows = [row | {"masked": "yes" if row["masked"] else None} for row in found["rows"]]
    show_rows(
        found if as_json else {"rows": rows},
        _COLUMNS,
        as_json=as_json,
        empty="Nobody read, searched or exported such a thing.",
    )
    if found["more"] and not as_json:
        sys.stderr.write("There are earlier ones: narrow it down, or raise --limit.\n")

"""Everybody at every route: who passes the door."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from bench.isolation.house import CHANNEL, PASSWORD, complaint, lines
from bench.isolation.table import Cell, Verdict
from services.kernel.web.pages.forms import CSRF_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from bench.isolation.house import Caller, Case, House
    from bench.isolation.table import Found, Table

NOTHING: Final = str(UUID(int=7))
"""An id of nothing: behind the door one is told so."""

EVIDENCE: Final = {"document": "Seen.", "source": "customer"}
_UNKNOWN: Final = "/access/login?next="
_STRANGERS: Final = frozenset({"anonymous", "departed"})
_NO_CASE: Final = "handling.no_case"
_NAME: Final = re.compile(r"\{(\w+)\}")
_OF_A_CASE: Final = re.compile(r"\{(case|case_id|reference)\}")
_ENDING: Final = frozenset({"POST /access/login", "POST /access/logout"})
"""Routes that end the session of who asks: each is asked in a browser of its own."""


async def every_door(
    house: House,
    table: Table,
    callers: Sequence[Caller],
    found: Found,
    *,
    case: Case,
    spare: Case,
) -> None:
    """Have every caller try every route; a route or role of one side only is missing.

    The code of `spare`, a case like `case`, may end here.
    """
    served = {f"{method} {path}" for method, path in house.routes()}
    found.missing += [
        f"{route}: served, not in the table" for route in served - set(table.doors)
    ]
    found.missing += [
        f"{route}: in the table, not served" for route in set(table.doors) - served
    ]
    known = table.known_callers() - {"operator"}
    found.missing += [
        f"role {role}: not in the table" for role in house.roles() - known
    ]
    found.missing += [
        f"role {role}: nobody can be it" for role in known - house.roles()
    ]
    probes = _Probes(house, case, spare)
    for route in sorted(served & set(table.doors)):
        method, path = route.split(" ", 1)
        program = path.startswith("/api/")
        for caller in callers:
            if not (caller.program if program else caller.page):
                continue
            expected = expectation(caller, allowed=table.opens(route, caller.name))
            ask = probes.program if program else probes.page
            got = verdict(
                await ask(caller, method, path),
                case=_OF_A_CASE.search(path) is not None,
            )
            found.cells.append(Cell(caller.name, route, "", expected, got))


def expectation(caller: Caller, *, allowed: bool) -> Verdict:
    if allowed:
        return Verdict.LET_IN
    stranger = caller.name in {"anonymous", "expired", "revoked", "departed", "receipt"}
    return Verdict.UNKNOWN if stranger else Verdict.REFUSED


def verdict(answer: httpx.Response, *, case: bool = False) -> Verdict | str:
    """Read an answer; `case`: that there is no such case refuses as well."""
    hidden = (
        case and answer.status_code == HTTPStatus.NOT_FOUND and _NO_CASE in answer.text
    )
    status = answer.status_code
    if answer.headers.get("content-type", "").startswith("application/x-ndjson"):
        first = answer.text.partition("\n")[0]
        told = re.search(r'"status": ?(\d{3})', first)
        status = int(told[1]) if told else status
        hidden = case and _NO_CASE in first
    if status == HTTPStatus.UNAUTHORIZED or _UNKNOWN in answer.headers.get(
        "location", ""
    ):
        return Verdict.UNKNOWN
    if status == HTTPStatus.FORBIDDEN or hidden:
        return Verdict.REFUSED
    if (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or status == HTTPStatus.TOO_MANY_REQUESTS
    ):
        return f"{status} {answer.text[:200]}"
    return Verdict.LET_IN


@dataclass(slots=True)
class _Probes:
    """Asks each route for as little as passes its door and does no harm behind it."""

    house: House
    case: Case
    spare: Case

    async def program(self, caller: Caller, method: str, path: str) -> httpx.Response:
        headers = {} if caller.header is None else {"Authorization": caller.header}
        sent: dict[str, Any] = {}
        if path == "/api/intake/complaints":
            headers["Idempotency-Key"] = self.house.key()
        if path.endswith((":batch", ":check")):
            sent["content"] = lines(self._line(path))
        elif method in {"POST", "PUT"}:
            sent["json"] = self._body(path)
        query = (
            "?department=quality"
            if path.endswith("/feed") and caller.name == "operator"
            else ""
        )
        return await self.house.http.request(
            method, self._filled(path, caller) + query, headers=headers, **sent
        )

    async def page(self, caller: Caller, method: str, path: str) -> httpx.Response:
        browser, csrf = caller.http, caller.csrf
        if f"{method} {path}" in _ENDING:
            browser, csrf = await self.house.stranger()
        elif method == "POST" and caller.name in _STRANGERS:
            csrf = await self.house.proof(browser, "/" if path == "/" else "/answer")
        address = self._filled(path, caller)
        if method == "GET":
            return await browser.get(address)
        return await browser.post(address, data={CSRF_FIELD: csrf, **self._form(path)})

    def _filled(self, path: str, caller: Caller) -> str:
        case = self.spare if path.endswith("/access-code") else self.case
        given = {
            "case": case.case_id,
            "case_id": case.case_id,
            "reference": case.case_id,
            "receipt_no": self.case.receipt_no,
            "command": "add-evidence",
            "channel": "phone",
            "batch": "20260101T000000Z-00000000",
            "code": caller.department or "quality",
            "document_id": self.case.statement if "/desk/" in path else NOTHING,
        }
        if path.startswith("/answer/"):
            given["command"] = "rate"
        return _NAME.sub(lambda name: given.get(name[1], NOTHING), path)

    def _line(self, path: str) -> dict[str, Any]:
        if "intake" in path:
            return {**complaint(CHANNEL), "idempotency_key": self.house.key()}
        return {
            "case_id": self.case.case_id,
            "command": "add-evidence",
            "with": EVIDENCE,
        }

    def _body(self, path: str) -> dict[str, Any]:
        last = path.rpartition("/")[2]
        bodies: dict[str, dict[str, Any]] = {
            "complaints": complaint(CHANNEL),
            "{command}": EVIDENCE,
            "{batch}": {"file": "0" * 64, "file_name": "no.csv", "format": "table"},
            "open": {"purpose": "repair"},
            "discard": {"cause": "test"},
            "erase": {"subject_id": NOTHING, "basis": "request"},
            "holds": {"person": NOTHING, "reason": "other", "until": "2999-12-31"},
            "tokens": {"role": "auditor"},
            "change": {"role": "auditor"},
            "users": {
                "login": f"n{self.house.key()}",
                "name": "Somebody",
                "role": "auditor",
                "password": PASSWORD,
            },
        }
        return bodies.get(last, {})

    def _form(self, path: str) -> dict[str, str]:
        if path.startswith("/answer"):
            return {"number": self.case.receipt_no, "code": self.case.access_code}
        if path == "/access/login":
            return {"login": "guest", "password": PASSWORD}
        if path.endswith("/do/{command}"):
            return EVIDENCE
        if path.endswith("/access-code"):
            return {"key": self.house.key(), "verified": "knew_details"}
        return {"purpose": "clarify", "present": "not this one"}

"""One case and everybody, by what each has to do with it: every way to see or touch it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from bench.isolation.doors import EVIDENCE, expectation, verdict
from bench.isolation.house import PHONE, WORD, lines
from bench.isolation.table import Cell, Verdict
from events.catalogue import EVENTS
from events.vocabulary import Audience
from services.handling.domain.commands import COMMANDS
from services.kernel.web.pages.forms import CSRF_FIELD

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import httpx

    from bench.isolation.house import Caller, Case, House
    from bench.isolation.table import Found, Table

_HANDLING: Final = "/api/handling"
_NOT_THEIR_ROLE: Final = "case.not_your_role"
_ON_PAGES: Final = frozenset({"search", "page", "document", "particulars", "answer"})


async def every_relation(
    house: House,
    table: Table,
    callers: Sequence[Caller],
    *,
    case: Case,
    foreign: Case,
    found: Found,
) -> None:
    """Have every caller try every act on the case, in each relation they can have to it.

    `callers` are units of each department of the case, staff and all others; `foreign`
    is a complaint that the receipt's holder did not make.
    """
    relation_of = {code: relation for relation, code in case.departments.items()}
    tries = _Tries(house, case)
    for caller in callers:
        relation = relation_of.get(caller.department or "", "")
        for act in table.acts:
            if not (caller.page if act in _ON_PAGES else caller.program):
                continue
            if caller.name == "receipt":
                if act not in {"write", "write_stale", "answer"}:
                    continue
                for own, at in (("own", case), ("foreign", foreign)):
                    allowed = table.lets(act, "receipt", own)
                    expected = Verdict.LET_IN if allowed else Verdict.REFUSED
                    got = await tries.at(at)[act](caller)
                    found.cells.append(Cell("receipt", act, own, expected, got))
                continue
            if act == "answer":
                continue
            allowed = table.lets(act, caller.name, relation)
            expected = expectation(caller, allowed=allowed)
            got = await tries.at(case)[act](caller)
            found.cells.append(Cell(caller.name, act, relation, expected, got))


async def every_command(
    house: House,
    table: Table,
    headers: Mapping[str, str],
    fresh: Callable[[], Awaitable[Case]],
    found: Found,
) -> None:
    """Have every role give every command; only whose role it is may get further."""
    found.missing += [
        f"command {name}: in one place only"
        for name in COMMANDS.keys() ^ table.commands.keys()
    ]
    case = await fresh()
    for name, body in COMMAND_BODIES.items():
        for role, header in headers.items():
            allowed = role in table.commands[name]
            shown = case.receipt if role == "receipt" else header
            answer = await house.ask(
                "POST",
                f"{_HANDLING}/cases/{case.case_id}/commands/{name}",
                body,
                by=shown,
            )
            expected = Verdict.LET_IN if allowed else Verdict.REFUSED
            found.cells.append(
                Cell(role, f"command {name}", "", expected, _by_role(answer))
            )


def _by_role(answer: httpx.Response) -> Verdict | str:
    """Read whether the role alone was refused; the state of a case may refuse as well."""
    code = str(answer.json().get("code", ""))
    if code == _NOT_THEIR_ROLE:
        return Verdict.REFUSED
    if (
        code.startswith("request.")
        or answer.status_code in {401, 404}
        or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return f"{answer.status_code} {answer.text[:200]}"  # nothing was tried
    return Verdict.LET_IN


async def restricted_classes(
    house: House, table: Table, callers: Sequence[Caller], case: Case, found: Found
) -> None:
    """See that what is not for departments reaches none, where units may look."""
    told = {
        name
        for name, event in EVENTS.items()
        if event.audience is not Audience.DEPARTMENTS
    }
    found.missing += [
        f"class {name}: restricted in one place only"
        for name in told ^ table.restricted
    ]
    for caller in callers:
        if caller.name not in table.units:
            continue
        for place, types in (
            ("events", await _types(house, case, caller, "events")),
            ("feed", await _types(house, case, caller, "feed")),
        ):
            leaked = bool(types & table.restricted)
            got = Verdict.LET_IN if leaked else Verdict.REFUSED
            found.cells.append(
                Cell(
                    caller.name,
                    f"restricted classes in {place}",
                    str(caller.department),
                    Verdict.REFUSED,
                    got,
                )
            )
    seen = await _types(house, case, None, "events")
    if not seen & table.restricted:
        found.missing.append("the case has no event of a restricted class")


async def _types(
    house: House, case: Case, caller: Caller | None, place: str
) -> set[str]:
    by = None if caller is None else caller.header
    if place == "feed":
        answer = await house.ask("GET", f"{_HANDLING}/feed?limit=500", by=by)
        events = answer.json().get("events", [])
    else:
        answer = await house.ask(
            "GET", f"{_HANDLING}/cases/{case.case_id}/events", by=by
        )
        events = [each["event"] for each in answer.json().get("events", [])]
    return {event["type"] for event in events}


class _Tries:
    """How each act is tried at a case."""

    def __init__(self, house: House, case: Case) -> None:
        self._house, self._case = house, case

    def at(self, case: Case) -> dict[str, Callable[[Caller], Awaitable[Verdict | str]]]:
        tries = self if case is self._case else _Tries(self._house, case)
        return {
            "list": tries.listed,
            "count": tries.counted,
            "search": tries.searched,
            "find": tries.found_by_phone,
            "find_words": tries.found_by_words,
            "read": tries.read,
            "read_past": tries.read_past,
            "events": tries.events,
            "page": tries.paged,
            "document": tries.document,
            "particulars": tries.particulars,
            "write": tries.write,
            "write_batch": tries.write_batch,
            "write_stale": tries.write_stale,
            "answer": tries.answer,
            "feed": tries.feed,
            "feed_later": tries.feed_later,
            "feed_of_others": tries.feed_of_others,
        }

    async def _got(self, caller: Caller, path: str) -> httpx.Response:
        headers = {} if caller.header is None else {"Authorization": caller.header}
        return await self._house.http.get(f"{_HANDLING}{path}", headers=headers)

    async def _posted(
        self, caller: Caller, path: str, *, version: int | None = None, **sent: Any
    ) -> httpx.Response:
        headers = {} if caller.header is None else {"Authorization": caller.header}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return await self._house.http.post(
            f"{_HANDLING}{path}", headers=headers, **sent
        )

    async def listed(self, caller: Caller) -> Verdict | str:
        answer = await self._got(caller, "/cases?limit=500")
        if not answer.is_success:
            return verdict(answer)
        rows = [row["case_id"] for row in answer.json()["rows"]]
        return _shown(self._case.case_id in rows)

    async def counted(self, caller: Caller) -> Verdict | str:
        """Ask for the total alone: it tells of cases as well as rows do."""
        answer = await self._got(caller, "/cases?limit=1")
        return (
            _shown(answer.json()["total"] > 0) if answer.is_success else verdict(answer)
        )

    async def searched(self, caller: Caller) -> Verdict | str:
        answer = await caller.http.get(f"/desk/cases?q={self._case.receipt_no}")
        if answer.status_code != HTTPStatus.OK:
            return verdict(answer)
        return _shown(f"/desk/cases/{self._case.case_id}" in answer.text)

    async def found_by_phone(self, caller: Caller) -> Verdict | str:
        return await self._found(caller, {"phone": PHONE})

    async def found_by_words(self, caller: Caller) -> Verdict | str:
        return await self._found(caller, {"q": WORD})

    async def _found(self, caller: Caller, asked: Mapping[str, str]) -> Verdict | str:
        answer = await self._got(caller, f"/cases?limit=500&{urlencode(asked)}")
        if not answer.is_success:
            return verdict(answer)
        rows = [row["case_id"] for row in answer.json()["rows"]]
        return _shown(self._case.case_id in rows)

    async def read(self, caller: Caller) -> Verdict | str:
        by_id = verdict(
            await self._got(caller, f"/cases/{self._case.case_id}"), case=True
        )
        by_number = verdict(
            await self._got(caller, f"/cases/{self._case.receipt_no}"), case=True
        )
        return by_id if by_id == by_number else f"{by_id} by id, {by_number} by number"

    async def read_past(self, caller: Caller) -> Verdict | str:
        path = f"/cases/{self._case.case_id}?as_of={self._case.past}"
        return verdict(await self._got(caller, path), case=True)

    async def events(self, caller: Caller) -> Verdict | str:
        return verdict(
            await self._got(caller, f"/cases/{self._case.case_id}/events"), case=True
        )

    async def paged(self, caller: Caller) -> Verdict | str:
        return verdict(
            await caller.http.get(f"/desk/cases/{self._case.case_id}"), case=True
        )

    async def document(self, caller: Caller) -> Verdict | str:
        path = f"/desk/cases/{self._case.case_id}/documents/{self._case.statement}"
        return verdict(await caller.http.get(path), case=True)

    async def particulars(self, caller: Caller) -> Verdict | str:
        form = {CSRF_FIELD: caller.csrf, "purpose": "contact"}
        path = f"/desk/cases/{self._case.case_id}/particulars"
        return verdict(await caller.http.post(path, data=form), case=True)

    async def write(self, caller: Caller) -> Verdict | str:
        path = f"/cases/{self._case.case_id}/commands/add-evidence"
        return verdict(await self._posted(caller, path, json=EVIDENCE), case=True)

    async def write_batch(self, caller: Caller) -> Verdict | str:
        """Name the case in a body, where no address tells of it."""
        line = {
            "case_id": self._case.case_id,
            "command": "add-evidence",
            "with": EVIDENCE,
        }
        answer = await self._posted(caller, "/commands:batch", content=lines(line))
        return verdict(answer, case=True)

    async def write_stale(self, caller: Caller) -> Verdict | str:
        """Give a version of one's own: the refusal must not tell the case's."""
        path = f"/cases/{self._case.case_id}/commands/add-evidence"
        return verdict(
            await self._posted(caller, path, version=999, json=EVIDENCE), case=True
        )

    async def answer(self, caller: Caller) -> Verdict | str:
        """Open a case with a receipt's own code; another case's code opens nothing."""
        browser, csrf = await self._house.stranger()
        code = (caller.header or "").rpartition(" ")[2]
        form = {CSRF_FIELD: csrf, "number": self._case.receipt_no, "code": code}
        return verdict(await browser.post("/answer", data=form))

    async def _copies(self, caller: Caller) -> list[int] | Verdict | str:
        named = f"&department={self._case.departments['lead']}"
        wanted = named if caller.name == "operator" else ""
        answer = await self._got(caller, f"/feed?limit=500{wanted}")
        if not answer.is_success:
            return verdict(answer)
        return [
            event["version"]
            for event in answer.json()["events"]
            if event["case_id"] == self._case.case_id
        ]

    async def feed(self, caller: Caller) -> Verdict | str:
        copies = await self._copies(caller)
        return _shown(bool(copies)) if isinstance(copies, list) else copies

    async def feed_later(self, caller: Caller) -> Verdict | str:
        """Look for what happened after a department had lost the case."""
        copies = await self._copies(caller)
        if not isinstance(copies, list):
            return copies
        return _shown(any(version > self._case.taken_at for version in copies))

    async def feed_of_others(self, caller: Caller) -> Verdict | str:
        theirs = next(
            d for d in self._case.departments.values() if d != caller.department
        )
        return verdict(await self._got(caller, f"/feed?department={theirs}"))


def _shown(shown: bool) -> Verdict:
    return Verdict.LET_IN if shown else Verdict.REFUSED


COMMAND_BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "acknowledge": {"expected_at": "2100-01-01T00:00:00Z", "medium": "phone"},
    "accept": {
        "complaint_class": "grievance",
        "category": "other",
        "scope_kind": 1,
        "order_check": "found",
        "shipment_check": "found",
    },
    "decline": {"reason": "misunderstanding", "explanation": "It is another matter."},
    "assign": {"department": "quality"},
    "sign-for": {},
    "return": {"reason": "not_ours"},
    "add-evidence": EVIDENCE,
    "confirm-statement": {"restated": "It hums at night.", "medium": "phone"},
    "investigate": {
        "findings": [{"statement": "A loose screw."}],
        "facts_match": "yes",
        "root_cause": {"path": "product/design", "confidence": "probable"},
        "responsible_unit": "production",
    },
    "propose": {
        "remedies": [],
        "proposal": "We repair it.",
        "improvement": "A washer.",
    },
    "approve": {},
    "send-back": {"reason": "no_improvement"},
    "issue": {"letter": "We repair it.", "outcome": "partly", "medium": "letter"},
    "agree": {},
    "refuse": {"reason": "other"},
    "resolve": {"outcome": "upheld"},
    "follow-up": {"result": "no_answer", "medium": "phone"},
    "rate": {"score": 5},
    "close": {},
    "appeal": {"grounds": ["facts"]},
    "accept-appeal": {},
    "dismiss-appeal": {
        "reasons": ["decision_correct"],
        "explanation": "It stands.",
        "outside_body": "regulator",
    },
    "reopen": {"new_facts": "It hums again.", "reason": "new_evidence"},
    "withdraw": {"reason": "no_longer_wanted"},
    "correct": {
        "target_event_id": "019c6b2e-0000-7000-8000-000000000000",
        "why": "wrong_code",
        "correction": {"field": "category", "value": "service"},
    },
    "record-history": {"facts": [{"fact": "closed"}]},
    "revoke-import": {"batch": "old"},
    "reinstate-import": {"batch": "old"},
}
"""For each command, a body that any case could accept; `withdraw` ends the case last but
one, so that what follows is refused by its state and not by its role."""

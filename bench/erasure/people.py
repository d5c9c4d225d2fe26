"""People who complain with a mark in every field, and staff who write about them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from bench.erasure.running import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import httpx

    from bench.erasure.marks import Marks

ACCEPT: Final = {
    "complaint_class": "grievance",
    "category": "other",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}
BASES: Final = ("request", "court_order", "unlawful")
"""On which basis somebody is erased: their case has ended, or goes on, or just came."""

_FILE_EVERY: Final = 5
_FILES: Final = 60
"""As many files at most: an address may not upload more in a minute."""
_HOLD_EVERY: Final = 10
_LONG: Final = 600_000
"""Bytes of a file: more than one piece."""
_LINES: Final = 100
_TUS: Final = {"Tus-Resumable": "1.0.0"}


@dataclass(slots=True)
class Somebody:
    """One person of the run, and what was handed in as theirs."""

    number: int
    case_id: str = ""
    receipt_no: str = ""
    subject_id: UUID = field(default_factory=lambda: UUID(int=0))
    uploaded: str | None = None

    @property
    def basis(self) -> str:
        return BASES[self.number % len(BASES)]


class Crowd:
    """Everybody of a run, handing in over HTTP and being handled."""

    def __init__(self, client: httpx.Client, marks: Marks, count: int) -> None:
        self.people = [Somebody(number) for number in range(count)]
        self._client = client
        self._marks = marks
        self._channel = self._token("channel", channel="phone")
        self._agent = self._token("agent")
        self.officer = self._token("privacy_officer")

    def _token(self, role: str, channel: str | None = None) -> dict[str, str]:
        wanted = {"role": role, "channel": channel}
        made = self._client.post("/api/handling/tokens", json=wanted)
        return {"Authorization": f"Bearer {checked(made)['token']}"}

    def upload(self) -> None:
        """Upload a file for some of them, in two requests."""
        for somebody in self.people[::_FILE_EVERY][:_FILES]:
            line = self._marks.both(somebody.number, "in a file").encode() + b"\n"
            content = line * (_LONG // len(line))
            name = base64.b64encode(self._marks.both(somebody.number, "name").encode())
            made = self._client.post(
                "/api/intake/uploads",
                headers={
                    **self._channel,
                    **_TUS,
                    "Upload-Length": str(len(content)),
                    "Upload-Metadata": f"filename {name.decode()}",
                },
            )
            made.raise_for_status()
            address = made.headers["Location"]
            for begin, end in ((0, len(content) // 2), (len(content) // 2, None)):
                self._client.patch(
                    address,
                    content=content[begin:end],
                    headers={
                        **self._channel,
                        **_TUS,
                        "Upload-Offset": str(begin),
                        "Content-Type": "application/offset+octet-stream",
                    },
                ).raise_for_status()
            somebody.uploaded = address.rpartition("/")[2]

    def hand_in(self) -> None:
        """Hand everything in, and wait until handling has it."""
        for some in _parts(self.people):
            answers = self._batch(
                "/api/intake/complaints:batch",
                [self._complaint(each) for each in some],
                self._channel,
            )
            for somebody, answer in zip(some, answers, strict=True):
                somebody.case_id = answer["case_id"]
                somebody.receipt_no = answer["receipt_no"]
        last = self.people[-1].case_id
        until(
            lambda: self._client.get(f"/api/handling/cases/{last}").is_success,
            "handling has the last case",
        )
        for somebody in self.people:
            events = checked(
                self._client.get(f"/api/handling/cases/{somebody.case_id}/events")
            )["events"]
            somebody.subject_id = UUID(events[0]["event"]["data"]["subject_id"])

    def _complaint(self, somebody: Somebody) -> dict[str, Any]:
        marks, number = self._marks, somebody.number

        def said(what: str) -> str:
            return marks.both(number, what)

        small = {
            "name": said("small"),
            "media_type": "text/plain",
            "content": base64.b64encode(said("attached").encode()).decode(),
        }
        attachments: list[dict[str, Any]] = [small]
        if somebody.uploaded:
            attachments.append({"upload": somebody.uploaded, "kind": "file"})
        return {
            "idempotency_key": said("key"),
            "channel": "phone",
            "statement": said("statement"),
            "desired_outcome": said("wish"),
            "contact": {
                "name": said("name"),
                "email": f"{marks.word(number)}@example.org",
                "phone": marks.phone(number),
                "customer_no": f"C-{marks.word(number)}",
            },
            # What is no code stays with the words; codes of goods stay for ever.
            "product": {
                "model": said("model"),
                "serial": said("S-"),
                "lot": said("L-"),
            },
            "order_no": said("O-"),
            "upstream_no": said("U-"),
            "attachments": attachments,
        }

    def handle(self) -> None:
        """Write about them: a third ends declined, a third goes on with a note."""
        for some in _parts(self.people):
            lines: list[dict[str, Any]] = []
            for somebody in some:
                lines += self._commands(somebody)
            self._batch("/api/handling/commands:batch", lines, self._agent)
        for somebody in self.people[::_HOLD_EVERY]:
            hold = self._client.post(
                "/api/handling/privacy/holds",
                json={
                    "person": somebody.receipt_no,
                    "reason": "other",
                    "until": "2999-12-31",
                    "text": self._marks.both(somebody.number, "held"),
                },
                headers=self.officer,
            )
            path = f"/api/handling/privacy/holds/{checked(hold)['hold_id']}/end"
            checked(self._client.post(path, headers=self.officer))
        for somebody in self.people[::_HOLD_EVERY]:
            asked = {"q": self._marks.word(somebody.number)}
            found = self._client.get(
                "/api/handling/cases", params=asked, headers=self._agent
            )
            if checked(found)["total"] != 1:
                raise RuntimeError(f"not found by a word: {somebody}")

    def _commands(self, somebody: Somebody) -> list[dict[str, Any]]:
        number = somebody.number
        commands: list[tuple[str, dict[str, Any]]] = []
        if somebody.basis == "request":
            told = self._marks.both(number, "explained")
            commands = [("decline", {"reason": "not_a_complaint", "explanation": told})]
        elif somebody.basis == "court_order":
            noted = self._marks.both(number, "noted")
            commands = [
                ("accept", ACCEPT),
                ("add-evidence", {"document": noted, "source": "customer"}),
            ]
        return [
            {
                "case_id": somebody.case_id,
                "command": name,
                "with": payload,
                "idempotency_key": self._marks.both(number, name),
            }
            for name, payload in commands
        ]

    def erase(self, somebody: Somebody) -> None:
        path = f"/api/handling/privacy/people/{somebody.receipt_no}/erase"
        wanted = {"subject_id": str(somebody.subject_id), "basis": somebody.basis}
        checked(self._client.post(path, json=wanted, headers=self.officer))

    def await_erased(self, people: Sequence[Somebody], *, cleaned: bool) -> None:
        """Wait until both services have erased everybody, and cleaned their files."""
        sign = "cleaned_at" if cleaned else "erased_at"

        def done(somebody: Somebody) -> bool:
            path = f"/api/handling/privacy/people/{somebody.subject_id}"
            found = checked(self._client.get(path, headers=self.officer))
            return all((found[name] or {}).get(sign) for name in ("handling", "intake"))

        for somebody in people:
            until(partial(done, somebody), f"{somebody} is erased")

    def export(self, somebody: Somebody) -> bytes:
        path = f"/api/handling/privacy/people/{somebody.subject_id}/export"
        answer = self._client.get(path, headers=self.officer)
        answer.raise_for_status()
        return answer.content

    def _batch(
        self, path: str, lines: Iterable[dict[str, Any]], headers: dict[str, str]
    ) -> list[dict[str, Any]]:
        body = "".join(json.dumps(each) + "\n" for each in lines)
        answer = self._client.post(
            path,
            content=body.encode(),
            headers={**headers, "Content-Type": "application/x-ndjson"},
        )
        answer.raise_for_status()
        found = [json.loads(each) for each in answer.text.splitlines() if each]
        for each in found:
            if each["status"] not in {200, 201}:
                raise RuntimeError(f"{path}: {each}")
        return found


def checked(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise RuntimeError(f"{answer.request.url}: {answer.status_code} {answer.text}")
    return answer.json()


def _parts(people: Sequence[Somebody]) -> Iterable[Sequence[Somebody]]:
    return (people[at : at + _LINES] for at in range(0, len(people), _LINES))

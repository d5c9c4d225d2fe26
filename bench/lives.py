"""Let cases live: their commands in batches, by tokens of those who may give them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measuring import Run
    from bench.oracle import Oracle
    from bench.processes import Amends
    from bench.workload import Message, Step, Workload

_CASES = "SELECT channel || '/' || key, case_id FROM submission"
_Who = tuple[str, str | None]
_Given = tuple["Message", "Step"]


@dataclass(slots=True)
class Lives:
    """Gives the commands of lives, and holds each answer against the oracle's."""

    run: Run
    amends: Amends
    oracle: Oracle
    given: int = 0
    took: float = 0.0
    _cases: dict[str, str] = field(default_factory=dict)
    _tokens: dict[_Who, str] = field(default_factory=dict)

    def live(self, workload: Workload, messages: Sequence[Message]) -> float:
        """Give every command of the lives of these complaints; return those a second.

        One command of each case at a time; those of one role and department together.
        """
        found = self.amends.rows("intake/store", _CASES)
        self._cases = {key: case.hex() for key, case in found}
        lives = [
            [(message, step) for step in workload.life(message)] for message in messages
        ]
        for each in zip_longest(*lives):
            self.run.say(f"commands, {self.given} so far")
            together: dict[_Who, list[_Given]] = {}
            for given in filter(None, each):
                step = given[1]
                together.setdefault((step.role, step.department), []).append(given)
            for who, some in together.items():
                self._give(who, some)
        return self.given / self.took

    def _give(self, who: _Who, some: Sequence[_Given]) -> None:
        if who not in self._tokens:
            self._tokens[who] = self._token(*who)
        body = b"".join(self._line(message, step) for message, step in some)
        with self.amends.client("handling", self._tokens[who]) as client:
            begun = time.perf_counter()
            answer = client.post(
                "/api/handling/commands:batch",
                content=body,
                headers={"Content-Type": "application/x-ndjson"},
            )
            self.took += time.perf_counter() - begun
        self.given += len(some)
        results = [json.loads(each) for each in answer.read().splitlines()]
        for (message, step), result in zip(some, results, strict=True):
            expected = self.oracle.do(
                message.key, message.channel, step.command, step.payload
            )
            found = tuple(result.get("events", ())) or None
            self.run.agree(f"{step.command} {result}", found, expected)

    def _token(self, role: str, department: str | None) -> str:
        wanted = {"role": role, "department": department}
        with self.amends.client("handling") as client:
            made = client.post("/api/handling/tokens", json=wanted).raise_for_status()
            shown: str = made.json()["token"]
            return shown

    def _line(self, message: Message, step: Step) -> bytes:
        asked: dict[str, Any] = {
            "case_id": self._cases[f"{message.channel}/{message.key}"],
            "command": step.command,
            "with": dict(step.payload),
            "idempotency_key": step.key,
        }
        return json.dumps(asked, ensure_ascii=False).encode() + b"\n"

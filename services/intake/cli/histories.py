"""The second half of `amends import --history`: what rows state of the past, to handling.

While the complaints are received their histories are laid aside in a file, each a command
ready to send; when handling has the cases they are sent many at a time. A case has one
history under one key, so that sending it again is a duplicate.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

import httpx

from services.intake.cli.sending import posted
from services.intake.domain.history import StatedHistory, history_of
from services.intake.domain.mapping import TableMapping, code_of
from services.kernel.errors import MisuseError

_URL: Final = "/api/handling/commands:batch"
_LISTED: Final = 1_000
"""Most contradictions that are listed by their lines; all are counted."""


@dataclass(slots=True)
class Counts:
    """What became of the histories; each is counted once."""

    recorded: int = 0
    duplicates: int = 0
    refused: int = 0
    contradictions: int = 0
    """Rows whose facts cannot all be true; they are kept as stated."""
    refusals: Counter[str] = field(default_factory=Counter)
    contradictory: list[tuple[int, str]] = field(default_factory=list)
    """The line of the file, and what contradicts what."""

    def told(self) -> dict[str, Any]:
        """Give them for programs."""
        found: dict[str, Any] = {
            "recorded": self.recorded,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "contradictions": self.contradictions,
        }
        if self.refusals:
            found["refusals"] = self.refusals
        if self.contradictory:
            found["contradictory"] = [
                {"line": line, "what": what} for line, what in self.contradictory
            ]
        return found

    def lines(self) -> Iterator[str]:
        """Tell people."""
        yield "Histories:"
        yield f"  recorded    {self.recorded:>9,}"
        yield f"  duplicates  {self.duplicates:>9,}"
        yield f"  refused     {self.refused:>9,}"
        for what, count in self.refusals.most_common():
            yield f"  {count:>9,} × {what}"  # noqa: RUF001 the sign, for people
        if self.contradictions:
            yield f"  {self.contradictions:,} contradict themselves and are kept as stated:"
            yield from (f"    line {line}: {what}" for line, what in self.contradictory)


class Histories:
    """What the rows of one import state of the past, between its two halves."""

    def __init__(self, mapping: TableMapping, aside: IO[bytes]) -> None:
        if mapping.history is None:
            raise MisuseError(
                "import.no_history",
                f"The mapping {mapping.format} does not say what a row states of the"
                " past: leave --history out, or add [history] to the mapping file.",
            )
        self.counts = Counts()
        self._mapping = mapping
        self._history = mapping.history
        self._aside = aside
        self._kept = 0

    def read(
        self, row: Mapping[str, str], submission: Mapping[str, Any]
    ) -> StatedHistory:
        """Read what a row states beside its receipt. Raises `MalformedError`."""
        return history_of(
            self._history,
            row,
            received=(
                self._mapping.occurred_on,
                datetime.fromisoformat(submission["occurred_at"]),
            ),
            read=self._mapping.date_of,
            zone=ZoneInfo(self._mapping.zone),
            code=code_of,
        )

    def keep(self, line: int, case_id: str | None, stated: StatedHistory) -> None:
        """Lay the history of a received row aside; without a case only count it."""
        if stated.contradictions:
            self.counts.contradictions += 1
        for what in stated.contradictions:
            if len(self.counts.contradictory) < _LISTED:
                self.counts.contradictory.append((line, what))
        if not stated.facts:
            return
        self._kept += 1
        if case_id is None:
            self.counts.recorded += 1
            return
        command = {
            "case_id": case_id,
            "command": "record-history",
            "idempotency_key": f"history:{case_id}",
            "with": {"facts": stated.facts},
        }
        self._aside.write(json.dumps(command).encode() + b"\n")

    def record(
        self,
        client: httpx.Client,
        *,
        batch_size: int,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send what was laid aside; a case that handling does not have yet is unknown.

        Raises `UnavailableError` where handling stays away: running the import again
        goes on.
        """
        self._aside.seek(0)
        done = 0
        while lines := list(islice(self._aside, batch_size)):
            for result in posted(client, _URL, lines, sleep, unknown=_not_there_yet):
                self._count(result)
            done += len(lines)
            progress(done, self._kept)

    def _count(self, result: Mapping[str, Any]) -> None:
        if result["status"] != HTTPStatus.OK:
            self.counts.refused += 1
            self.counts.refusals[f"{result['code']}: {result['detail']}"] += 1
        elif result["repeated"]:
            self.counts.duplicates += 1
        else:
            self.counts.recorded += 1


@contextmanager
def laid_aside(mapping: TableMapping) -> Iterator[Histories]:
    """Give room for histories, in a file for as long as they are used."""
    with tempfile.TemporaryFile(prefix="amends-histories-") as aside:
        yield Histories(mapping, aside)


def _not_there_yet(result: Mapping[str, Any]) -> bool:
    return result.get("code") == "handling.no_case"

"""The second half of `amends import --history`: what rows state of the past, to handling.

While the complaints are received their histories are laid aside in a file, each a command
ready to send; when handling has the cases they are sent many at a time. A case has one
history under one key, so that sending it again is a duplicate.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

import httpx

from services.intake.domain.history import StatedHistory, history_of
from services.intake.domain.mapping import TableMapping, code_of
from services.intake.importing.sending import posted
from services.kernel.errors import FieldError, MalformedError, MisuseError

_URL: Final = "/api/handling/commands:batch"
_LISTED: Final = 1_000
"""Most contradictions, refusals and unknown words that are listed; all are counted."""
_SHOWN: Final = 60
"""Most characters of an unknown word that a person is shown."""


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
    refused_lines: list[tuple[int, str]] = field(default_factory=list)
    """The line of the file, and why its history was refused."""
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many rows hold a word, by its column, that the mapping does not know."""
    more_unknown: int = 0
    """How often there were others, beyond those that are listed."""

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
            found["refused_lines"] = [
                {"line": line, "why": why} for line, why in self.refused_lines
            ]
        if self.contradictory:
            found["contradictory"] = [
                {"line": line, "what": what} for line, what in self.contradictory
            ]
        if self.unknown:
            found["unknown_words"] = [
                {"column": column, "word": word, "rows": rows}
                for (column, word), rows in self.unknown.most_common()
            ]
        if self.more_unknown:
            found["more_unknown_words"] = self.more_unknown
        return found

    def lines(self) -> Iterator[str]:
        """Tell people."""
        yield "Histories:"
        yield f"  recorded    {self.recorded:>9,}"
        yield f"  duplicates  {self.duplicates:>9,}"
        yield f"  refused     {self.refused:>9,}"
        for what, count in self.refusals.most_common():
            yield f"  {count:>9,} × {what}"  # noqa: RUF001 the sign, for people
        yield from (f"    line {line}: {why}" for line, why in self.refused_lines)
        if self.contradictions:
            told = (
                "contradicts itself and is"
                if self.contradictions == 1
                else "contradict themselves and are"
            )
            yield f"  {self.contradictions:,} {told} kept as stated:"
            yield from (f"    line {line}: {what}" for line, what in self.contradictory)
        if self.unknown:
            yield "  Words that the mapping does not know, taken as not stated:"
        for (column, word), rows in self.unknown.most_common():
            yield f"    {column}: {word[:_SHOWN]!r} ({rows:,})"
        if self.more_unknown:
            yield f"    and others ({self.more_unknown:,})"

    def note(self, unknown: Iterable[tuple[str, str]]) -> None:
        """Count the words of a row that the mapping does not know."""
        for each in unknown:
            if each in self.unknown or len(self.unknown) < _LISTED:
                self.unknown[each] += 1
            else:
                self.more_unknown += 1


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
        self.counts.note(stated.unknown)
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
        self._aside.write(b"%d %s\n" % (line, json.dumps(command).encode()))

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
        while kept := list(islice(self._aside, batch_size)):
            parts = [each.partition(b" ") for each in kept]
            commands = [command for _, _, command in parts]
            results = posted(client, _URL, commands, sleep, unknown=_not_there_yet)
            for (line, _, _), result in zip(parts, results, strict=True):
                self._count(int(line), result)
            done += len(kept)
            progress(done, self._kept)

    def _count(self, line: int, result: Mapping[str, Any]) -> None:
        if result["status"] != HTTPStatus.OK:
            why = f"{result['code']}: {result['detail']}"
            self.counts.refused += 1
            self.counts.refusals[why] += 1
            if len(self.counts.refused_lines) < _LISTED:
                self.counts.refused_lines.append((line, why))
        elif result["repeated"]:
            self.counts.duplicates += 1
        else:
            self.counts.recorded += 1


@contextmanager
def laid_aside(
    mapping: TableMapping, departments: Iterable[str]
) -> Iterator[Histories]:
    """Give room for histories, in a file for as long as they are used.

    Raises `MalformedError` for a mapping that names a department beside `departments`.
    """
    _require_departments(mapping, tuple(departments))
    with tempfile.TemporaryFile(prefix="amends-histories-") as aside:
        yield Histories(mapping, aside)


def _require_departments(mapping: TableMapping, listed: Sequence[str]) -> None:
    named = mapping.history.departments() if mapping.history else ()
    faults = [
        FieldError(
            place, f"{code!r} is no department", f"Use one of {', '.join(listed)}."
        )
        for place, code in named
        if code not in listed
    ]
    if faults:
        raise MalformedError(
            "import.mapping", "Correct the mapping file.", errors=faults
        )


def _not_there_yet(result: Mapping[str, Any]) -> bool:
    return result.get("code") == "handling.no_case"

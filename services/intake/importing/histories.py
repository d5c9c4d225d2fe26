"""The second half of `amends import --history`: what rows state of the past, to handling.

While the complaints are received their histories are laid aside in a file, each a command
ready to send; when handling has the cases they are sent many at a time. A case has one
history under one key, so that sending it again is a duplicate.
"""

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

import httpx

from services.intake.domain.history import StatedHistory, history_of
from services.intake.domain.mapping import TableMapping, code_of
from services.intake.importing.reading.table import Row
from services.intake.importing.rejects import Rejects, reason
from services.intake.importing.sending import posted
from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    MisuseError,
)

_URL: Final = "/api/handling/commands:batch"
_LISTED: Final = 1_000
"""Most contradictions, refusals and unknown words that are listed; all are counted."""
_TOLD: Final = 10
"""Most of each of them that a person is shown."""
_SHOWN: Final = 60
"""Most characters of an unknown word that a person is shown."""


_FACT: Final = re.compile(r"facts\.(\d+)")
_OTHER: Final = FieldError(
    "history",
    "is another one than was recorded before",
    "What was recorded stays: correct the case itself.",
)

_Place = tuple[int, Sequence[str], Sequence[str]]
"""Line and cells of a row, and for each fact the column that it is looked up in."""

Judge = Callable[[Sequence[Mapping[str, Any]]], AmendsError | None]
"""Says why handling would refuse these facts of a new case, or None."""


@dataclass(slots=True)
class Counts:
    """What became of the histories; each is counted once."""

    recorded: int = 0
    duplicates: int = 0
    refused: int = 0
    received_before: int = 0
    """Of a dry run: those of complaints that were received before."""
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
        if self.received_before:
            found["received_before"] = self.received_before
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
        if self.received_before:
            yield (
                f"  not asked   {self.received_before:>9,}"
                "  (of complaints that were received before)"
            )
        for what, count in self.refusals.most_common(_TOLD):
            yield f"  {count:>9,} × {what}"  # noqa: RUF001 the sign, for people
        yield from _few(
            [f"    line {line}: {why}" for line, why in self.refused_lines],
            self.refused,
        )
        if self.contradictions:
            told = (
                "contradicts itself and is"
                if self.contradictions == 1
                else "contradict themselves and are"
            )
            yield f"  {self.contradictions:,} {told} kept as stated:"
            yield from _few(
                [f"    line {line}: {what}" for line, what in self.contradictory],
                self.contradictions,
            )
        if self.unknown:
            yield "  Words that the mapping does not know, taken as not stated:"
        for (column, word), rows in self.unknown.most_common():
            yield f"    {column}: {word[:_SHOWN]!r} ({rows:,})"
        if self.more_unknown:
            yield f"    and others ({self.more_unknown:,})"

    def refuse(self, line: int, code: str, told: str) -> None:
        """Count a history that is refused, and why."""
        self.refused += 1
        self.refusals[code] += 1
        if len(self.refused_lines) < _LISTED:
            self.refused_lines.append((line, told))

    def note(self, unknown: Iterable[tuple[str, str]]) -> None:
        """Count the words of a row that the mapping does not know."""
        for each in unknown:
            if each in self.unknown or len(self.unknown) < _LISTED:
                self.unknown[each] += 1
            else:
                self.more_unknown += 1


class Histories:
    """What the rows of one import state of the past, between its two halves."""

    def __init__(
        self, mapping: TableMapping, aside: IO[bytes], judge: Judge | None = None
    ) -> None:
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
        self._judge = judge
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

    def keep(self, row: Row, case_id: str, stated: StatedHistory) -> None:
        """Lay the history of a received row aside."""
        if not self._noted(row, stated):
            return
        self._kept += 1
        command = {
            "case_id": case_id,
            "command": "record-history",
            "idempotency_key": f"history:{case_id}",
            "with": {"facts": stated.facts},
        }
        place = [row.line, row.cells, stated.columns]
        self._aside.write(b"%s\t%s\n" % (_packed(place), _packed(command)))

    def foresee(
        self, row: Row, stated: StatedHistory, rejects: Rejects, *, known: bool
    ) -> None:
        """Say what would become of a history; `known`: its complaint was received before."""
        if not self._noted(row, stated):
            return
        if known:
            self.counts.received_before += 1
        elif self._judge and (fault := self._judge(stated.facts)):
            self._refused((row.line, row.cells, stated.columns), fault, rejects)
        else:
            self.counts.recorded += 1

    def _noted(self, row: Row, stated: StatedHistory) -> bool:
        self.counts.note(stated.unknown)
        if stated.contradictions:
            self.counts.contradictions += 1
        for what in stated.contradictions:
            if len(self.counts.contradictory) < _LISTED:
                self.counts.contradictory.append((row.line, what))
        return bool(stated.facts)

    def record(
        self,
        client: httpx.Client,
        rejects: Rejects,
        *,
        batch_size: int,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send what was laid aside; a case that handling does not have yet is unknown.

        What is refused goes to `rejects`. Raises `UnavailableError` where handling stays
        away: running the import again goes on.
        """
        self._aside.seek(0)
        done = 0
        while kept := list(islice(self._aside, batch_size)):
            parts = [each.partition(b"\t") for each in kept]
            commands = [command for _, _, command in parts]
            results = posted(client, _URL, commands, sleep, unknown=_not_there_yet)
            for (place, _, _), result in zip(parts, results, strict=True):
                self._count(place, result, rejects)
            done += len(kept)
            progress(done, self._kept)

    def _count(self, place: bytes, result: Mapping[str, Any], rejects: Rejects) -> None:
        if result["status"] != HTTPStatus.OK:
            errors = [FieldError(**each) for each in result.get("errors", ())]
            fault = AmendsError(result["code"], result["detail"], errors=errors)
            self._refused(json.loads(place), fault, rejects)
        elif result["repeated"]:
            self.counts.duplicates += 1
        else:
            self.counts.recorded += 1

    def _refused(self, place: _Place, fault: AmendsError, rejects: Rejects) -> None:
        """Count a history that is refused, and give its row back with the reason."""
        line, cells, columns = place
        told = _in_the_file(fault, columns)
        self.counts.refuse(line, f"{fault.code}: {fault.detail}", reason(told, {}))
        rejects.write(line, cells, reason(told, {}, rejects.language))


@contextmanager
def laid_aside(
    mapping: TableMapping, departments: Iterable[str], judge: Judge | None = None
) -> Iterator[Histories]:
    """Give room for histories, in a file for as long as they are used.

    `judge` says of facts why they would be refused, for a dry run. Raises `MalformedError` for a mapping that names a department beside `departments`.
    """
    _require_departments(mapping, tuple(departments))
    with tempfile.TemporaryFile(prefix="amends-histories-") as aside:
        yield Histories(mapping, aside, judge)


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


def _in_the_file(fault: AmendsError, columns: Sequence[str]) -> AmendsError:
    """Name the columns of the file where a refusal names the facts of a command."""
    if fault.code == "handling.key_reused":
        return AmendsError(fault.code, fault.detail, errors=[_OTHER])
    errors = []
    for each in fault.errors:
        place = _FACT.match(each.field)
        known = place is not None and int(place[1]) < len(columns)
        name = columns[int(place[1])] if place and known else each.field
        errors.append(replace(each, field=name))
    return AmendsError(fault.code, fault.detail, errors=errors)


def _few(lines: Sequence[str], count: int) -> Iterator[str]:
    yield from lines[:_TOLD]
    if count > _TOLD:
        yield f"    and {count - _TOLD:,} more (--json lists them)"


def _packed(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _not_there_yet(result: Mapping[str, Any]) -> bool:
    return result.get("code") == "handling.no_case"

"""What handling does: take over received complaints, show a case, list the queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from stdnum import damm

from events import codec
from services.handling.application.past import PastPage, queue_at
from services.handling.domain.evolution import evolve
from services.kernel.clock import from_micros
from services.kernel.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.envelope import Envelope
    from services.handling.domain.case import Case
    from services.handling.ports import (
        CaseList,
        CaseStore,
        Listed,
        QueueFilter,
        Tallied,
    )

AsOf = int | datetime | None
"""A position of the record, an instant of knowledge time, or now."""

HISTORY_LIMIT = 10_000
"""More events than any case has; the history is given whole."""

RECEIPT_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Known:
    """One event of a case, and when the record knew it."""

    position: int
    committed_at: datetime
    event: Envelope[Any]


@dataclass(frozen=True, slots=True)
class History:
    """A case as it stood at `position`, and all that led there.

    `past` tells that it was asked for as of some time; only the present offers commands.
    """

    case: Case
    events: tuple[Known, ...]
    position: int
    past: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the queue; `more` tells that others follow."""

    rows: tuple[Listed, ...]
    total: int
    more: bool


class Handling:
    """The use cases. Everything is synchronous and runs in the caller's thread."""

    def __init__(self, store: CaseStore, cases: CaseList) -> None:
        self._store = store
        self._cases = cases

    def take_over(
        self, tx: Any, arrived: Sequence[tuple[Envelope[Any], bytes]]
    ) -> None:
        """Make received complaints cases, byte for byte, in the caller's transaction.

        `arrived` are events that the inbox found to be the next of their case: the
        first events of new cases, in any order of cases.
        """
        self._store.put_bodies(
            tx,
            (
                (event.case_id, event.version, event.type, body)
                for event, body in arrived
            ),
        )
        self._cases.keep(tx, [evolve(None, event) for event, _ in arrived])

    def history(self, reference: str, as_of: AsOf = None) -> History:
        """Show one case by id or receipt number as it stood at `as_of`.

        Raises `NotFoundError` where there is no such case, or was none yet.
        """
        position = self.position(as_of)
        entries = self._store.log(
            0, HISTORY_LIMIT, upto=position, case_id=self._case_id(reference)
        )
        known = tuple(
            Known(
                entry.position,
                from_micros(entry.committed_at),
                _readable(entry.body),
            )
            for entry in entries
        )
        case: Case | None = None
        for each in known:
            case = evolve(case, each.event)
        if case is None:
            raise no_case()
        return History(case, known, position, past=as_of is not None)

    def queue(self, wanted: QueueFilter, *, limit: int) -> Page:
        """List cases, oldest receipt first."""
        rows = self._cases.page(wanted, limit=limit + 1)
        return Page(tuple(rows[:limit]), self._cases.count(wanted), len(rows) > limit)

    def queue_as_of(
        self, as_of: AsOf, wanted: QueueFilter, *, among: QueueFilter, limit: int
    ) -> PastPage:
        """List cases as they stood, of those that fit `among` now: bounded work."""
        return queue_at(
            self.position(as_of),
            wanted,
            store=self._store,
            cases=self._cases,
            among=among,
            limit=limit,
        )

    def known_at(self, position: int) -> datetime | None:
        """Tell since when the record stood at a position; None before all."""
        return self._store.known_at(position)

    def count(self, wanted: QueueFilter) -> int:
        return self._cases.count(wanted)

    def tally(self, wanted: QueueFilter) -> list[Tallied]:
        """Count the cases of the filter by state and severity."""
        return self._cases.tally(wanted)

    def position(self, as_of: AsOf) -> int:
        """Give the last position that was known then; 0 before all."""
        if isinstance(as_of, datetime):
            return self._store.position_at(as_of)
        last = self._store.last_position()
        return last if as_of is None else min(as_of, last)

    def of_receipt(self, number: str) -> UUID | None:
        """Give the case of the 16 digits of a receipt number."""
        return self._cases.find(number)

    def _case_id(self, reference: str) -> UUID:
        digits = reference.replace(" ", "").replace("-", "")
        if digits.isdecimal() and len(digits) == RECEIPT_DIGITS:
            found = self._cases.find(digits)
            if found is None:
                raise no_case() if damm.is_valid(digits) else _mistyped()
            return found
        try:
            return UUID(reference)
        except ValueError:
            raise no_case() from None


def _mistyped() -> NotFoundError:
    return NotFoundError(
        "handling.receipt_mistyped",
        "A digit is wrong, missing or swapped: read the 16 digits once more.",
    )


def newer() -> UnavailableError:
    """Say that a later release has worked on a case, beside this one or before it."""
    return UnavailableError(
        "handling.newer",
        "A newer amends has worked on this case: try again when all of this one is"
        " upgraded.",
        retry_after=60,
    )


def _readable(body: bytes) -> Envelope[Any]:
    try:
        return codec.decode(body)
    except codec.UnreadableEventError:
        raise newer() from None


def no_case() -> NotFoundError:
    """Say that there is nothing here, or nothing that this caller may know of."""
    return NotFoundError(
        "handling.no_case",
        "There is no such case (or was none at that time): give the 16 digits of the"
        " receipt number or the case id.",
    )

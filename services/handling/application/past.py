"""The queue as it stood: cases folded to a position, as many as one answer may fold.

The work list holds the present. What it lists a case by, its receipt, never changes, so
that the same order holds at any time: candidates come from it, and each is folded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from events import quick
from services.handling.domain.decisions.rules import ENDED
from services.handling.domain.evolution import evolve
from services.handling.ports import Listed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from services.handling.domain.case import Case
    from services.handling.ports import CaseList, CaseStore, Entry, QueueFilter

LOOKED_AT: Final = 500
"""Cases that are folded for one answer, which then says where to go on."""

_AT_ONCE: Final = 100
_OURS: Final = {"case_id", "next_clock", "next_due"}
_EQUAL: Final = ("state", "channel", "product", "supplier", "severity")


@dataclass(frozen=True, slots=True)
class PastPage:
    """Rows as they stood at `position`; behind `place`, if any, others may follow.

    `total` is told where all was looked through, from the beginning to the end.
    """

    rows: tuple[Listed, ...]
    total: int | None
    place: tuple[datetime, UUID] | None
    position: int


def queue_at(
    position: int,
    wanted: QueueFilter,
    *,
    store: CaseStore,
    cases: CaseList,
    among: QueueFilter,
    limit: int,
) -> PastPage:
    """List the cases that fitted the filter then, of those that fit `among` now."""
    candidates = among._replace(
        channel=wanted.channel,
        origins=wanted.origins,
        received_from=wanted.received_from,
        received_before=wanted.received_before,
        known_by=position,
        after=wanted.after,
    )
    rows: list[Listed] = []
    found = looked_at = 0
    ended = False
    while not ended and looked_at < LOOKED_AT:
        some = cases.page(candidates, limit=_AT_ONCE)
        histories = store.histories([row.case_id for row in some], upto=position)
        for row in some:
            case = _folded(histories.get(row.case_id, ()))
            if case is not None and fits(case, wanted):
                found += 1
                rows += [listed(case)] if found <= limit else []
        looked_at += len(some)
        ended = len(some) < _AT_ONCE
        if some:
            candidates = candidates._replace(after=_place(some[-1]))
        if found > limit and wanted.after is not None:
            break  # only the first page counts on
    place = None if ended else candidates.after
    if found > limit:
        place = _place(rows[-1])
    whole = ended and wanted.after is None
    return PastPage(tuple(rows), found if whole else None, place, position)


def fits(case: Case, wanted: QueueFilter) -> bool:
    """Tell whether a case is in the filter: what the work list asks in SQL."""
    return (
        all(
            value is None or getattr(case, name) == value
            for name in _EQUAL
            for value in [getattr(wanted, name)]
        )
        and (not wanted.origins or case.origin in wanted.origins)
        and not (wanted.unended and case.state in ENDED)
        and _of_department(case, wanted)
        and _of_category(case, wanted)
        and _within(case.received_at, wanted.received_from, wanted.received_before)
        and _within(case.closed_at, wanted.closed_from, wanted.closed_before)
    )


def listed(case: Case) -> Listed:
    """Give the row of a case."""
    return Listed(
        case_id=case.id,
        next_clock=None,  # of the present alone
        next_due=None,
        **{name: getattr(case, name) for name in Listed._fields if name not in _OURS},
    )


def _folded(entries: Iterable[Entry]) -> Case | None:
    case: Case | None = None
    for entry in entries:
        case = evolve(case, quick.decode(entry.type, entry.body))
    return case


def _place(row: Listed) -> tuple[datetime, UUID]:
    return row.received_at, row.case_id


def _of_department(case: Case, wanted: QueueFilter) -> bool:
    return (
        wanted.department is None
        or wanted.department in case.departments
        or (wanted.unassigned and case.department is None)
    )


def _of_category(case: Case, wanted: QueueFilter) -> bool:
    if wanted.category is None:
        return True
    category = case.category or ""
    return category == wanted.category or category.startswith(f"{wanted.category}/")


def _within(at: datetime | None, start: datetime | None, stop: datetime | None) -> bool:
    if start is None and stop is None:
        return True
    return (
        at is not None
        and (start is None or at >= start)
        and (stop is None or at < stop)
    )

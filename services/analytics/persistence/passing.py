"""Stays and returns in SQL: from the rows in which a complaint moved, and where it is now.

Nothing is kept of them beside the rows. The median and the 90th percentile are exact, by
rank: the shortest stay that so many are not longer than.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from events.vocabulary import ReturnReason
from services.analytics.domain.figures import MOST_GROUPS, OPEN, TooManyGroupsError
from services.analytics.domain.stays import NOBODY, Kind, Passed, Returned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kernel.store.database import Tx


KINDS: Final[dict[str, Kind]] = {"was_in": "state", "held_by": "holder"}
"""The filters on where a complaint was."""

_OPEN: Final = ", ".join(f"'{state}'" for state in OPEN)
_SECOND: Final = 1_000_000

_PLACES: Final[dict[Kind, tuple[str, str, str, str]]] = {
    "state": ("left_state", "state_took", "state", "state_since"),
    "holder": (
        "left_holder",
        "holder_took",
        f"COALESCE(department, '{NOBODY}')",
        "held_since",
    ),
}
"""Where a stay ended, how long it took, where a complaint is, and since when."""

_KEPT: Final = "case_id, state, department, state_since, held_since"

REASONS: Final = tuple(reason.value for reason in ReturnReason)


class Chosen(NamedTuple):
    """One row of each complaint: the condition, what groups them, and up to where."""

    where: str
    params: Sequence[object]
    columns: Sequence[str]
    position: int

    @property
    def named(self) -> str:
        return "".join(f", {each} AS g{n}" for n, each in enumerate(self.columns))

    @property
    def names(self) -> str:
        return "".join(f", g{n}" for n in range(len(self.columns)))


def was_in(kind: Kind, marks: str, position: int) -> str:
    """Give the condition that a complaint is, or was by then, in one of so many places."""
    left, _, place, _ = _PLACES[kind]
    return (
        f"((state IN ({_OPEN}) AND {place} IN ({marks})) OR EXISTS (SELECT 1"  # noqa: S608 our own names
        " FROM complaint_row AS moved WHERE moved.case_id = complaint_row.case_id"
        f" AND moved.from_position <= {int(position)} AND moved.{left} IN ({marks})))"
    )


def was_returned(marks: str, position: int) -> str:
    """Give the condition that one of so many departments returned a complaint by then."""
    return (
        "(EXISTS (SELECT 1 FROM complaint_row AS moved"  # noqa: S608 our own names
        " WHERE moved.case_id = complaint_row.case_id AND"
        f" moved.from_position <= {int(position)} AND moved.returned_by IN ({marks})))"
    )


def passed(
    tx: Tx, kind: Kind, chosen: Chosen, at: int, *, whole: bool, bucketed: bool
) -> list[Passed]:
    """Measure stays by place and group, or all of them as one where `whole`."""
    left, took, place, since = _PLACES[kind]
    groups = "" if whole else f"place{chosen.names}"
    by = f"PARTITION BY {groups}" if groups else ""
    known = f"{groups}, " if groups else ""
    rows = tx.fetchall(
        f"WITH chosen AS (SELECT {_KEPT}{chosen.named} FROM complaint_row{chosen.where}),"  # noqa: S608 our own names
        f" stays AS (SELECT moved.case_id, moved.{left} AS place, moved.{took} AS took,"
        f" 0 AS still{chosen.names} FROM chosen"
        " JOIN complaint_row AS moved ON moved.case_id = chosen.case_id"
        f" WHERE moved.{left} IS NOT NULL AND moved.from_position <= {chosen.position}"
        f" UNION ALL SELECT case_id, {place}, CASE WHEN {since} IS NULL THEN NULL"
        f" WHEN {since} > {at} THEN 0 ELSE ({at} - {since}) / {_SECOND} END,"
        f" 1{chosen.names} FROM chosen WHERE state IN ({_OPEN})),"
        f" ranked AS (SELECT stays.*, ROW_NUMBER() OVER (PARTITION BY {known}"
        f"CASE WHEN took IS NULL THEN 1 ELSE 0 END ORDER BY took) AS place_no,"
        f" COUNT(took) OVER ({by}) AS measured FROM stays)"
        " SELECT COUNT(DISTINCT case_id), COUNT(*), SUM(still), COUNT(took),"
        " MIN(CASE WHEN took IS NOT NULL AND place_no * 2 >= measured THEN took END),"
        " MIN(CASE WHEN took IS NOT NULL AND place_no * 10 >= measured * 9"
        f" THEN took END), SUM(took), MAX(took){', ' + groups if groups else ''}"
        f" FROM ranked{f' GROUP BY {groups}' if groups else ''}"
        f" LIMIT {MOST_GROUPS + 1}",
        chosen.params,
    )
    _few(rows)
    found = []
    for cases, stays, still, measured, median, p90, total, longest, *group in rows:
        if not stays:
            continue
        key = _Key.of(group, bucketed=bucketed and not whole)
        mean = int(total) / measured if measured else None
        found.append(
            Passed(
                *key,
                cases,
                stays,
                int(still),
                stays - measured,
                median,
                p90,
                mean,
                longest,
            )
        )
    return found


def returned(tx: Tx, chosen: Chosen, *, whole: bool, bucketed: bool) -> list[Returned]:
    """Count what departments had and gave back, or all of it as one where `whole`."""
    reasons = ", ".join(
        f"COALESCE(SUM(CASE WHEN reason = '{reason}' THEN 1 ELSE 0 END), 0)"
        for reason in REASONS
    )
    groups = "" if whole else f"unit{chosen.names}"
    rows = tx.fetchall(
        f"WITH chosen AS (SELECT {_KEPT}{chosen.named} FROM complaint_row{chosen.where}),"  # noqa: S608 our own names
        " had AS (SELECT moved.case_id, moved.left_holder AS unit, 0 AS back,"
        f" NULL AS reason{chosen.names} FROM chosen"
        " JOIN complaint_row AS moved ON moved.case_id = chosen.case_id"
        f" WHERE moved.from_position <= {chosen.position}"
        f" AND moved.left_holder <> '{NOBODY}'"
        f" UNION ALL SELECT case_id, department, 0, NULL{chosen.names} FROM chosen"
        f" WHERE state IN ({_OPEN}) AND department IS NOT NULL"
        " UNION ALL SELECT moved.case_id, moved.returned_by, 1, moved.return_reason"
        f"{chosen.names} FROM chosen"
        " JOIN complaint_row AS moved ON moved.case_id = chosen.case_id"
        f" WHERE moved.from_position <= {chosen.position}"
        " AND moved.returned_by IS NOT NULL)"
        " SELECT COUNT(DISTINCT CASE WHEN back = 0 THEN case_id END),"
        " COUNT(DISTINCT CASE WHEN back = 1 THEN case_id END), COALESCE(SUM(back), 0),"
        f" {reasons}{', ' + groups if groups else ''} FROM had"
        f"{f' GROUP BY {groups}' if groups else ''} LIMIT {MOST_GROUPS + 1}",
        chosen.params,
    )
    _few(rows)
    found = []
    for assigned, cases, back, *others in rows:
        if not (assigned or back):
            continue
        counts = tuple(map(int, others[: len(REASONS)]))
        key = _Key.of(others[len(REASONS) :], bucketed=bucketed and not whole)
        found.append(Returned(*key, assigned, cases, int(back), counts))
    return found


class _Key(NamedTuple):
    """A group as a query gives it: the place, then the period, then the dimensions."""

    place: str | None
    values: tuple[str | None, ...]
    bucket: int | None

    @classmethod
    def of(cls, group: Sequence[object], *, bucketed: bool) -> _Key:
        place, *rest = group or (None,)
        values = tuple(None if each is None else str(each) for each in rest[bucketed:])
        bucket = int(str(rest[0])) if bucketed else None
        return cls(None if place is None else str(place), values, bucket)


def _few(rows: Sequence[object]) -> None:
    if len(rows) > MOST_GROUPS:
        raise TooManyGroupsError

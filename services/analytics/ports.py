"""What the use cases need of a database: rows to write, and one state of them to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from uuid import UUID

    from services.analytics.domain.figures import Filters, Group, Selection
    from services.analytics.domain.stays import Kind, Passed, Returned
    from services.analytics.domain.versions import Changes, Version
    from services.kernel.store.database import Tx


class Known(NamedTuple):
    """A position of handling's log, and when that log knew it (µs since 1970, UTC)."""

    position: int
    committed_at: int


class Standing(NamedTuple):
    """How far the rows reach.

    Nothing at or below `complete_to` is missing, `last` is the farthest that is there.
    `unfit` counts events that found no place behind the rows of their case: the rows
    are damaged until they are rebuilt.
    """

    complete_to: int
    unfit: int
    last: int


class Rhythm(NamedTuple):
    """How complaints came in by one way: the last, and the intervals between them.

    Half of the intervals were shorter than `usual`, 99 of 100 no longer than `longest`.
    """

    last: datetime
    intervals: int
    usual: timedelta | None
    longest: timedelta | None


class RowWriter(Protocol):
    """One set of versioned rows, written inside a caller's transaction."""

    def present(self, tx: Tx, case_ids: Iterable[UUID]) -> Mapping[UUID, Version]:
        """Give the open rows of these cases."""

    def save(self, tx: Tx, changes: Changes) -> None: ...

    def note(self, tx: Tx, known: Sequence[Known]) -> None:
        """Keep when positions were known; those that are kept already stay."""


class Snapshot(Protocol):
    """The live rows at one moment; `position` says which state of the log is asked."""

    @property
    def standing(self) -> Standing: ...

    def held(self, position: int) -> int:
        """Count events up to `position` that cannot be read, or wait behind such."""

    def position_at(self, instant: datetime) -> int:
        """Give the last position known by then; 0 before all."""

    def known_at(self, position: int) -> datetime | None: ...

    def span(
        self, selection: Selection, position: int
    ) -> tuple[datetime, datetime] | None:
        """Give the first and last time of receipt among the selected, if any."""

    def groups(
        self,
        selection: Selection,
        position: int,
        *,
        dimensions: Sequence[str],
        starts: Sequence[datetime] = (),
        also: Sequence[Filters] = (),
        level: int | None = None,
        customers: bool = False,
    ) -> list[Group]:
        """Count by dimensions and by the period in which receipt fell.

        `starts` are the instants at which periods begin, in order, none missing.
        Of each group those are counted too that answer to each of `also`, and, where
        `customers` is asked for, the people. `level` cuts paths to so many codes.
        Raises `TooManyGroupsError`.
        """

    def passed(
        self,
        kind: Kind,
        selection: Selection,
        position: int,
        *,
        at: datetime,
        dimensions: Sequence[str],
        starts: Sequence[datetime] = (),
        whole: bool = False,
    ) -> list[Passed]:
        """Measure stays by place, dimensions and period of receipt, or all as one.

        Those that last run to `at`. Raises `TooManyGroupsError`.
        """

    def returned(
        self,
        selection: Selection,
        position: int,
        *,
        dimensions: Sequence[str],
        starts: Sequence[datetime] = (),
        whole: bool = False,
    ) -> list[Returned]:
        """Count returns by department, dimensions and period of receipt, or all as one.

        Raises `TooManyGroupsError`.
        """

    def rhythms(
        self, selection: Selection, position: int, dimension: str
    ) -> dict[str | None, Rhythm]:
        """Tell for each value of `dimension` how complaints came in."""

    def registration_days(
        self,
        selection: Selection,
        position: int,
        dimension: str,
        *,
        offset: timedelta,
    ) -> dict[str | None, float]:
        """Give the median of the whole days from the source's document to receipt.

        `offset` is that of the tenant's time zone, which tells the day of receipt.
        """

    def cases(
        self, selection: Selection, position: int, *, after: UUID | None, limit: int
    ) -> list[Version]:
        """List what was counted, by case id."""


class FactStore(Protocol):
    """The live rows, and the tables in which a rebuild makes them anew."""

    @property
    def live(self) -> RowWriter: ...

    @property
    def beside(self) -> RowWriter: ...

    def transaction(self) -> AbstractContextManager[Tx]: ...

    def snapshot(self) -> AbstractContextManager[Snapshot]: ...

    def settle(
        self, tx: Tx, *, unfit: int = 0, following: Mapping[int, int] | None = None
    ) -> None:
        """Move `complete_to` over what has arrived, and count what did not fit.

        `following` tells which position the log has behind another, where it is known:
        those between never were. What is held has arrived.
        """

    def begin_rebuild(self) -> None:
        """Make empty tables beside the live ones, dropping any left over."""

    def require_rebuild(self, tx: Tx) -> None:
        """Raise `RefusedError` where another process has begun a rebuild since."""

    def digest(self, position: int, *, beside: bool) -> str:
        """Hash all rows as they stood at `position`; equal rows give equal hashes."""

    def swap(self, position: int) -> bool:
        """Put the rebuilt rows, complete up to `position`, in the place of the live.

        Gives False, changing nothing, where the live rows have arrived farther.
        """

    def drop_replaced(self) -> None:
        """Free the rows that a swap has put aside."""

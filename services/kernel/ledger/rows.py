"""Rows of log and ledger as they lie there, whatever somebody made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.kernel.store.database import Dialect, Tx

    Progress = Callable[[int, int], None]
    """Is told the position reached and the last one, once a page."""

PAGE: Final = 500  # rows in memory at once, for the log and for each level of the tree

# Expressions, not plain columns: a value that is no UUID or no text must not stop us.
_EVENTS: Final[dict[Dialect, str]] = {
    "sqlite": "SELECT position, committed_at, lower(hex(case_id)), version,"
    " lower(hex(type)), CAST(body AS BLOB), CAST(leaf AS BLOB),"
    " typeof(body) = 'blob' FROM stored_events"
    " WHERE position > ? ORDER BY position LIMIT ?",
    "postgres": "SELECT position, committed_at, replace(case_id::text, '-', ''),"
    " version, encode(convert_to(type, 'UTF8'), 'hex'), body, leaf, TRUE"
    " FROM stored_events WHERE position > ? ORDER BY position LIMIT ?",
}
_NODES: Final = (
    "SELECT idx, hash, position FROM ledger_node WHERE level = ?"
    " AND idx > ? ORDER BY idx LIMIT ?"
)
_BEFORE_ALL: Final = -(2**63)


class Event(NamedTuple):
    """A row of the log; anything may stand in a column that somebody edited."""

    position: int
    committed_at: Any
    case: Any  # 32 hexadecimal digits
    version: Any
    type: Any  # hexadecimal
    body: bytes
    leaf: bytes
    is_bytes: Any  # false where somebody turned the body into text


class Leaf(NamedTuple):
    """A row of the ledger: a leaf, or a node, which has no position."""

    idx: Any
    hash: bytes
    position: Any


class Log:
    """The events in order of position, one ahead of the caller (`next`)."""

    def __init__(self, tx: Tx, progress: Progress | None) -> None:
        row = tx.fetchone("SELECT MAX(position) FROM stored_events")
        self.last_position: int = (row[0] if row else None) or 0
        self.taken = 0
        self._events = self._read(tx, progress)
        self.next = next(self._events, None)

    def take(self) -> Event | None:
        """Give the next event and step on."""
        event = self.next
        if event is not None:
            self.taken += 1
            self.next = next(self._events, None)
        return event

    def _read(self, tx: Tx, progress: Progress | None) -> Iterator[Event]:
        for number, row in enumerate(_pages(tx, _EVENTS[tx.dialect]), 1):
            event = Event(*row)
            yield event._replace(body=as_bytes(event.body), leaf=as_bytes(event.leaf))
            if progress is not None and number % PAGE == 0:
                progress(event.position, self.last_position)
        if progress is not None:
            progress(self.last_position, self.last_position)


class Level:
    """One level of the ledger (0: the leaves) in order of idx, one ahead (`next`)."""

    def __init__(self, tx: Tx, level: int) -> None:
        self._rows = _pages(tx, _NODES, level)
        self.next: Leaf | None = None
        self.step()

    def step(self) -> None:
        row = next(self._rows, None)
        self.next = None if row is None else Leaf(row[0], as_bytes(row[1]), row[2])


def as_bytes(value: object) -> bytes:
    """Take what stands in a column of bytes; what is none of them counts as empty."""
    return value if isinstance(value, bytes) else b""


def _pages(tx: Tx, sql: str, *params: object) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a query that continues after the key in its first column."""
    last: object = _BEFORE_ALL
    while rows := tx.fetchall(sql, (*params, last, PAGE)):
        yield from rows
        last = rows[-1][0]

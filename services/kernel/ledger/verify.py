"""Recompute a store's whole ledger from its rows and name what was changed.

Found: a body, leaf or node that was edited; rows that were deleted, inserted or put in
another order; columns that contradict the body; a tail that was cut off; a tree that
contradicts a checkpoint. Knowledge time (`committed_at`) lies outside the leaf: only
its order is checked. Somebody who rewrites events, tree and signature together, key in
hand, is refuted only by a checkpoint that was kept elsewhere (`against`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from services.kernel.ledger.checkpoint import Checkpoint, NoteError
from services.kernel.ledger.merkle import (
    Frontier,
    Node,
    node_hash,
)
from services.kernel.ledger.tree import checkpoint
from services.kernel.store.leaf import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from services.kernel.ledger.checkpoint import Verifier
    from services.kernel.store.database import Database, Dialect, Tx

    Peek = Callable[[bytes], tuple[UUID, int, str]]
    """Reads case, version and type out of a body; ValueError where it cannot."""
    Progress = Callable[[int, int], None]
    """Is told the position reached and the last one, once a page."""

PAGE = 500  # rows in memory at once, for the log and for each level of the tree
FAULTS_KEPT = 1_000

What = Literal[
    "body_altered",  # the stored bytes are not those that were sealed
    "leaf_altered",  # the leaf hash beside the body is not the body's
    "columns_altered",  # case, version or type are not those in the body
    "time_altered",  # known before the row in front of it
    "row_deleted",  # the ledger has a leaf for it, the log has no row
    "row_inserted",  # a row among sealed ones that was never sealed
    "row_unsealed",  # a row behind the ledger of a store that seals as it appends
    "ledger_altered",  # a row of the ledger was edited, deleted or inserted
    "checkpoint_missing",
    "checkpoint_invalid",  # not a checkpoint, of another store, or a wrong signature
    "checkpoint_contradicts",  # at that size the tree has another root or is cut short
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding. `position` is None where it concerns no single event."""

    position: int | None
    what: What
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What verification saw.

    `events` were read, the last at `last_position`. The tree has `size` leaves, the
    last that of `sealed_to`, and `root` (None where the tree is too damaged to have
    one). `unsealed` events lie behind it: PostgreSQL's sealer is up to a second late.
    `faults` come in order of position, at most 1,000 of `fault_count`.
    """

    events: int
    last_position: int
    size: int
    sealed_to: int
    unsealed: int
    root: bytes | None
    faults: tuple[Fault, ...]
    fault_count: int

    @property
    def ok(self) -> bool:
        return self.fault_count == 0


def verify(
    database: Database,
    verifier: Verifier,
    *,
    against: Mapping[str, str] | None = None,
    peek: Peek | None = None,
    progress: Progress | None = None,
) -> Report:
    """Recompute everything, in one reading transaction and constant memory.

    `against` holds signed checkpoints kept elsewhere, by a name for the report; that
    the history of each is the beginning of ours is shown by its root, recomputed. With
    `peek` the columns that find an event are compared with its body. Raises only what
    reading the database raises.
    """
    with database.read() as tx:
        run = _Verification(tx, peek, progress)
        run.expect(checkpoint(tx), verifier)
        for name, note in (against or {}).items():
            run.expect_kept(name, note, verifier)
        return run.report()


class _Event(NamedTuple):
    position: int
    committed_at: Any  # anything may stand in a row that somebody edited
    case: Any  # 32 hexadecimal digits
    version: Any
    type: Any  # hexadecimal
    body: bytes
    leaf: bytes
    is_bytes: Any  # false where somebody turned the body into text


class _Leaf(NamedTuple):
    idx: Any
    hash: bytes
    position: Any


# Expressions, not plain columns: a value that is no UUID or no text must not stop us.
_EVENTS: dict[Dialect, str] = {
    "sqlite": "SELECT position, committed_at, lower(hex(case_id)), version,"
    " lower(hex(type)), CAST(body AS BLOB), CAST(leaf AS BLOB),"
    " typeof(body) = 'blob' FROM stored_events"
    " WHERE position > ? ORDER BY position LIMIT ?",
    "postgres": "SELECT position, committed_at, replace(case_id::text, '-', ''),"
    " version, encode(convert_to(type, 'UTF8'), 'hex'), body, leaf, TRUE"
    " FROM stored_events WHERE position > ? ORDER BY position LIMIT ?",
}
_NODES = (
    "SELECT idx, hash, position FROM ledger_node WHERE level = ?"
    " AND idx > ? ORDER BY idx LIMIT ?"
)
_BEFORE_ALL = -(2**63)


class _Reader:
    """Rows of one level (0: the leaves) in order of idx, one ahead of the caller."""

    def __init__(self, tx: Tx, level: int) -> None:
        self._rows = _pages(tx, _NODES, level)
        self.next: _Leaf | None = None
        self.step()

    def step(self) -> None:
        row = next(self._rows, None)
        self.next = None if row is None else _Leaf(row[0], _bytes(row[1]), row[2])


class _Under(NamedTuple):
    """What is known of the leaves under a node of the frontier."""

    first: int | None  # position of the first
    reported: bool  # something under the node was found wrong and the node fits it not


class _Verification:
    """One pass over log and leaves side by side, growing the tree anew."""

    def __init__(self, tx: Tx, peek: Peek | None, progress: Progress | None) -> None:
        self._tx = tx
        self._peek = peek
        row = tx.fetchone("SELECT MAX(position) FROM stored_events")
        self._last_position: int = (row[0] if row else None) or 0
        self._events = self._read_events(progress)
        self._event = next(self._events, None)
        self._leaves = _Reader(tx, 0)
        self._levels: dict[int, _Reader] = {}
        self._frontier = Frontier()
        self._under: dict[int, _Under] = {}
        self._broken = False  # leaves are missing that nothing can replace
        self._expected: dict[int, list[tuple[str, bytes]]] = {}
        self._signed_size: int | None = None
        self._faults: list[Fault] = []
        self._fault_count = 0
        self._read = 0
        self._unsealed = 0
        self._sealed_to = 0
        self._committed_at = 0

    # What the tree must agree with.

    def expect(self, note: str | None, verifier: Verifier) -> None:
        """Expect the store's own checkpoint: it is signed with each extension."""
        if note is None:
            if self._leaves.next is not None:
                self._fault(None, "checkpoint_missing", "The tree has no checkpoint.")
            return
        head = self.expect_kept("the store's own checkpoint", note, verifier)
        if head is not None:
            self._signed_size = head.size

    def expect_kept(
        self, name: str, note: str, verifier: Verifier
    ) -> Checkpoint | None:
        try:
            head = Checkpoint.open(note, verifier)
        except NoteError as error:
            self._fault(None, "checkpoint_invalid", f"{name}: {error.detail}")
            return None
        self._expected.setdefault(head.size, []).append((name, head.root))
        return head

    # The pass.

    def report(self) -> Report:
        self._compare_roots()  # of the empty tree
        while (leaf := self._leaves.next) is not None:
            self._match(leaf)
        while (event := self._take()) is not None:
            self._unsealed += 1
            self._check_row(event, event.leaf)
            if self._tx.dialect == "sqlite":
                self._fault(
                    event.position,
                    "row_unsealed",
                    "It was never entered in the ledger.",
                )
        self._check_the_end()
        self._faults.sort(key=lambda f: (f.position is None, f.position or 0))
        return Report(
            events=self._read,
            last_position=self._last_position,
            size=self._frontier.size,
            sealed_to=self._sealed_to,
            unsealed=self._unsealed,
            root=None if self._broken else self._frontier.root(),
            faults=tuple(self._faults),
            fault_count=self._fault_count,
        )

    def _match(self, leaf: _Leaf) -> None:
        """Settle the next leaf, the next event, or both if they belong together."""
        event = self._event
        if leaf.idx != self._frontier.size and not self._broken:
            self._mend(leaf)
            return
        position = leaf.position
        if not isinstance(position, int) or position <= self._sealed_to:
            position = None
        if event is not None and event.position != position:
            # A leaf whose position was edited is still known by its hash.
            if leaf_hash(event.body) == leaf.hash:
                self._fault(
                    event.position,
                    "ledger_altered",
                    f"The ledger names it {leaf.position}.",
                )
                position = event.position
            elif position is not None and event.position < position:
                self._take()
                self._check_time(event)
                self._fault(
                    event.position,
                    "row_inserted",
                    "It was never entered in the ledger.",
                )
                return
        self._leaves.step()
        if position is None:
            self._fault(
                None,
                "ledger_altered",
                f"Leaf {leaf.idx} names position {leaf.position}, out of order.",
            )
            self._grow(None, leaf.hash)
        elif event is not None and event.position == position:
            self._take()
            self._grow(position, self._check_row(event, leaf.hash, leaf.idx))
        else:
            self._fault(position, "row_deleted", "The ledger has it, the log has not.")
            self._grow(position, leaf.hash)

    def _mend(self, leaf: _Leaf) -> None:
        """Go on where rows of leaves are missing: with the events, if they are there."""
        size, event = self._frontier.size, self._event
        position = leaf.position if isinstance(leaf.position, int) else None
        if not isinstance(leaf.idx, int) or leaf.idx < size:
            self._leaves.step()
            self._fault(position, "ledger_altered", f"There is a leaf {leaf.idx!r}.")
        elif event is None or (position is not None and event.position >= position):
            self._fault(
                position, "ledger_altered", f"Leaves {size} to {leaf.idx - 1} are gone."
            )
            self._broken = True
        else:
            self._take()
            self._fault(event.position, "ledger_altered", f"Leaf {size} is gone.")
            self._grow(event.position, self._check_row(event, leaf_hash(event.body)))

    def _grow(self, position: int | None, leaf: bytes) -> None:
        """Add a leaf and compare each node that it completes with the stored one."""
        self._sealed_to = position or self._sealed_to
        if self._broken:
            return
        under = _Under(position, reported=False)
        level = 0
        for node in self._frontier.append(leaf):
            level = node.level
            if level == 0:
                continue
            left = self._under.pop(level - 1)
            reported = False
            if self._stored(node) != node.hash:
                reported = True
                if not (left.reported or under.reported):
                    self._fault(
                        left.first,
                        "ledger_altered",
                        f"Node {node.idx} of level {level}, over positions"
                        f" {left.first} to {position}, is not the hash of its children.",
                    )
            under = _Under(left.first, reported)
        self._under[level] = under
        self._compare_roots()

    def _stored(self, node: Node) -> bytes | None:
        reader = self._levels.get(node.level)
        if reader is None:
            reader = self._levels[node.level] = _Reader(self._tx, node.level)
        row = reader.next
        if row is None or row.idx != node.idx:
            return None
        reader.step()
        return row.hash

    def _compare_roots(self) -> None:
        for name, root in self._expected.pop(self._frontier.size, ()):
            if root != self._frontier.root():
                self._fault(
                    None,
                    "checkpoint_contradicts",
                    f"{name}: at {self._frontier.size} leaves (position"
                    f" {self._sealed_to}) it signs another root.",
                )

    def _check_the_end(self) -> None:
        if self._broken:
            return
        size = self._frontier.size
        for level, reader in self._levels.items():
            if reader.next is not None:
                self._fault(
                    None,
                    "ledger_altered",
                    f"Level {level} has nodes out of order or beyond the tree.",
                )
        beyond = self._tx.fetchone(
            "SELECT level FROM ledger_node WHERE level < 0 OR level > ? LIMIT 1",
            (max(size.bit_length() - 1, 0),),
        )
        if beyond:
            self._fault(
                None, "ledger_altered", f"The tree of {size} has a level {beyond[0]}."
            )
        for expected, notes in self._expected.items():
            for name, _ in notes:
                self._fault(
                    None,
                    "checkpoint_contradicts",
                    f"{name}: it signs {expected} leaves, there are {size}: what came"
                    f" after position {self._sealed_to} was cut off.",
                )
        if self._signed_size is not None and self._signed_size < size:
            self._fault(
                None,
                "checkpoint_contradicts",
                f"The store's own checkpoint signs {self._signed_size} leaves of {size}.",
            )

    # One row.

    def _check_row(self, event: _Event, sealed: bytes, idx: int | None = None) -> bytes:
        """Compare a row with its sealed hash; gives the hash that the tree goes on with."""
        computed = leaf_hash(event.body)
        self._check_time(event)
        if not event.is_bytes:
            self._fault(event.position, "body_altered", "The body is not bytes.")
        elif computed == sealed:
            if event.leaf != computed:
                self._fault(
                    event.position, "leaf_altered", "The leaf is not the body's hash."
                )
            self._check_columns(event)
        elif computed == event.leaf and self._fits(idx, computed):
            self._fault(
                event.position, "ledger_altered", f"Leaf {idx} is not the body's hash."
            )
            return computed
        else:
            self._fault(
                event.position,
                "body_altered",
                "The bytes are not those that were sealed.",
            )
        return sealed

    def _fits(self, idx: int | None, leaf: bytes) -> bool:
        """Say whether parent and sibling of leaf `idx` want this hash at its place."""
        if idx is None:
            return False
        found = dict(
            self._tx.fetchall(
                "SELECT level, hash FROM ledger_node"
                " WHERE (level = 0 AND idx = ?) OR (level = 1 AND idx = ?)",
                (idx ^ 1, idx >> 1),
            )
        )
        if set(found) != {0, 1}:
            return False
        pair = (_bytes(found[0]), leaf) if idx & 1 else (leaf, _bytes(found[0]))
        return node_hash(*pair) == _bytes(found[1])

    def _check_columns(self, event: _Event) -> None:
        if self._peek is None:
            return
        try:
            case_id, version, name = self._peek(event.body)
        except ValueError:
            return  # sealed as it is, only not readable to this release
        if (case_id.hex, version, name.encode().hex()) != event[2:5]:
            self._fault(
                event.position,
                "columns_altered",
                "Case, version or type are not those in the body.",
            )

    def _check_time(self, event: _Event) -> None:
        moment = event.committed_at
        if not isinstance(moment, int) or moment < self._committed_at:
            self._fault(
                event.position,
                "time_altered",
                "It is dated before what stands before it.",
            )
        else:
            self._committed_at = moment

    # Reading.

    def _take(self) -> _Event | None:
        event = self._event
        if event is not None:
            self._read += 1
            self._event = next(self._events, None)
        return event

    def _read_events(self, progress: Progress | None) -> Iterator[_Event]:
        rows = _pages(self._tx, _EVENTS[self._tx.dialect])
        for number, row in enumerate(rows, 1):
            event = _Event(*row)
            yield event._replace(body=_bytes(event.body), leaf=_bytes(event.leaf))
            if progress is not None and number % PAGE == 0:
                progress(event.position, self._last_position)
        if progress is not None:
            progress(self._last_position, self._last_position)

    def _fault(self, position: int | None, what: What, detail: str) -> None:
        self._fault_count += 1
        if len(self._faults) < FAULTS_KEPT:
            self._faults.append(Fault(position, what, detail))


def _pages(tx: Tx, sql: str, *params: object) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a query that continues after the key in its first column."""
    last: object = _BEFORE_ALL
    while rows := tx.fetchall(sql, (*params, last, PAGE)):
        yield from rows
        last = rows[-1][0]


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""

"""The tree as it lies in a store's database, and how it grows by a batch of leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.kernel.errors import AmendsError
from services.kernel.ledger.checkpoint import Checkpoint
from services.kernel.ledger.merkle import (
    Frontier,
    consistency_proof,
    frontier_nodes,
    inclusion_proof,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.kernel.ledger.checkpoint import Signer
    from services.kernel.store.database import Database, Dialect, Tx

_CHECKPOINT = """CREATE TABLE IF NOT EXISTS ledger_checkpoint (
    origin TEXT PRIMARY KEY, size BIGINT NOT NULL, note TEXT NOT NULL)"""
_NODE = """CREATE TABLE IF NOT EXISTS ledger_node (
    level BIGINT NOT NULL, idx BIGINT NOT NULL, hash BYTEA NOT NULL,
    position BIGINT, PRIMARY KEY (level, idx))"""
TABLES: dict[Dialect, tuple[str, ...]] = {
    # Rows are narrow and each level is only appended to: one b-tree, not two.
    "sqlite": (f"{_NODE} WITHOUT ROWID", _CHECKPOINT),
    "postgres": (_NODE, _CHECKPOINT),
}
_INSERT: dict[Dialect, str] = {
    "sqlite": "INSERT INTO ledger_node (level, idx, hash, position)"
    " VALUES (?, ?, ?, ?)",
    "postgres": "INSERT INTO ledger_node (level, idx, hash, position) SELECT * FROM"
    " unnest(?::bigint[], ?::bigint[], ?::bytea[], ?::bigint[])",
}


class LedgerError(AmendsError):
    """The tree in the database is not one that can be continued or read."""

    def __init__(self, detail: str) -> None:
        super().__init__("ledger.damaged", detail)

    def __reduce__(self) -> tuple[type[LedgerError], tuple[str]]:
        return type(self), (self.detail,)


class Sealed(NamedTuple):
    """How far the tree reaches: `size` leaves, the last one that of `position`."""

    size: int
    position: int


class Inclusion(NamedTuple):
    """What shows that one event is leaf `idx` of the tree of `size` leaves."""

    idx: int
    size: int
    proof: list[bytes]


class Ledger:
    """The Merkle tree over one store's log.

    Leaf `idx` is the idx-th stored event in order of position; positions may have
    holes. Each complete node is one row and never changes; a row of level 0 also names
    its position. Extending by n leaves reads O(log size) rows and writes about 2n, and
    signs the new head in the same transaction: on disk, tree and checkpoint never
    differ.
    """

    def __init__(self, database: Database, signer: Signer) -> None:
        database.migrate(TABLES[database.dialect])
        self._signer = signer

    @property
    def origin(self) -> str:
        return self._signer.name

    def extend(self, tx: Tx, leaves: Iterable[tuple[int, bytes]]) -> None:
        """Add (position, leaf hash) pairs, in order of position.

        The caller holds what keeps a second extension out: SQLite's writing
        transaction, PostgreSQL's advisory lock (`Sealer`). Raises LedgerError where
        the tree cannot be continued.
        """
        size, last = sealed(tx)
        frontier = _frontier(tx, size)
        rows: list[tuple[int, int, bytes, int | None]] = []
        for position, leaf in leaves:
            if position <= last:
                raise LedgerError(
                    f"Position {position} comes after {last}, which is sealed."
                    " Run `amends audit verify`."
                )
            last = position
            rows.extend(
                (level, idx, value, None if level else position)
                for level, idx, value in frontier.append(leaf)
            )
        if not rows:
            return
        _insert(tx, rows)
        head = Checkpoint(self.origin, frontier.size, frontier.root())
        tx.execute(
            "INSERT INTO ledger_checkpoint (origin, size, note) VALUES (?, ?, ?)"
            " ON CONFLICT (origin) DO UPDATE SET size = excluded.size,"
            " note = excluded.note",
            (head.origin, head.size, head.sign(self._signer)),
        )


def sealed(tx: Tx) -> Sealed:
    """Say how far the tree reaches; (0, 0) when it is empty."""
    row = tx.fetchone(
        "SELECT idx, position FROM ledger_node WHERE level = 0"
        " ORDER BY idx DESC LIMIT 1"
    )
    return Sealed(row[0] + 1, row[1]) if row else Sealed(0, 0)


def checkpoint(tx: Tx) -> str | None:
    """Give the signed note of the last seal, to be kept outside; None when empty."""
    row = tx.fetchone("SELECT note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1")
    return row[0] if row else None


def prove_inclusion(tx: Tx, position: int) -> Inclusion | None:
    """Make the proof of one event against the last checkpoint; None if not sealed."""
    size, _ = sealed(tx)
    low, high = 0, size
    while low < high:  # positions rise with the leaves, so no index is kept for them
        middle = (low + high) // 2
        if _position(tx, middle) < position:
            low = middle + 1
        else:
            high = middle
    if low == size or _position(tx, low) != position:
        return None
    return Inclusion(low, size, inclusion_proof(low, size, lambda *at: _node(tx, *at)))


def prove_consistency(tx: Tx, first: int, second: int | None = None) -> list[bytes]:
    """Make the proof that the tree of `second` leaves (all) continues that of `first`.

    Raises ValueError unless 0 < first <= second.
    """
    second = sealed(tx).size if second is None else second
    return consistency_proof(first, second, lambda *at: _node(tx, *at))


def _frontier(tx: Tx, size: int) -> Frontier:
    wanted = frontier_nodes(size)
    if not wanted:
        return Frontier()
    places = " OR ".join("(level = ? AND idx = ?)" for _ in wanted)
    rows = tx.fetchall(
        f"SELECT level, hash FROM ledger_node WHERE {places}",  # noqa: S608 only placeholders
        [number for place in wanted for number in place],
    )
    if len(rows) != len(wanted):
        raise LedgerError(
            "Nodes of the ledger are missing, so it cannot grow."
            " Run `amends audit verify`."
        )
    return Frontier(size, dict(rows))


def _insert(tx: Tx, rows: Sequence[tuple[int, int, bytes, int | None]]) -> None:
    if tx.dialect == "postgres":  # one statement instead of one for each row
        tx.execute(_INSERT["postgres"], [list(c) for c in zip(*rows, strict=True)])
    else:
        tx.executemany(_INSERT["sqlite"], rows)


def _position(tx: Tx, idx: int) -> int:
    row = tx.fetchone(
        "SELECT position FROM ledger_node WHERE level = 0 AND idx = ?", (idx,)
    )
    if row is None:
        raise LedgerError(f"Leaf {idx} is missing. Run `amends audit verify`.")
    position: int = row[0]
    return position


def _node(tx: Tx, level: int, idx: int) -> bytes:
    row = tx.fetchone(
        "SELECT hash FROM ledger_node WHERE level = ? AND idx = ?", (level, idx)
    )
    if row is None:
        raise LedgerError(
            f"Node ({level}, {idx}) is missing. Run `amends audit verify`."
        )
    node: bytes = row[0]
    return node

"""The tree grown anew from its leaves, and compared: with its nodes, with what was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.kernel.ledger.checkpoint import Checkpoint, NoteError
from services.kernel.ledger.merkle import Frontier, Node, node_hash
from services.kernel.ledger.rows import Level, as_bytes

if TYPE_CHECKING:
    from services.kernel.ledger.checkpoint import Verifier
    from services.kernel.ledger.findings import Findings
    from services.kernel.store.database import Tx


class _Under(NamedTuple):
    """What is known of the leaves under a node of the frontier."""

    first: int | None  # position of the first
    reported: bool  # something under the node was found wrong and the node fits it not


class Regrown:
    """Takes one leaf after the other; what it finds wrong goes to `findings`.

    `broken` says that leaves are missing that nothing can replace: from there on
    nothing is compared any more.
    """

    def __init__(self, tx: Tx, findings: Findings) -> None:
        self._tx = tx
        self._findings = findings
        self._levels: dict[int, Level] = {}
        self._frontier = Frontier()
        self._under: dict[int, _Under] = {}
        self._expected: dict[int, list[tuple[str, bytes]]] = {}
        self.broken = False
        self.sealed_to = 0
        """Position of the last leaf."""

    @property
    def size(self) -> int:
        return self._frontier.size

    @property
    def root(self) -> bytes | None:
        return None if self.broken else self._frontier.root()

    def expect(self, name: str, note: str, verifier: Verifier) -> Checkpoint | None:
        """Expect what a signed note says; None where the note itself is at fault."""
        try:
            head = Checkpoint.open(note, verifier)
        except NoteError as error:
            self._findings.add(None, "checkpoint_invalid", f"{name}: {error.detail}")
            return None
        self._expected.setdefault(head.size, []).append((name, head.root))
        return head

    def compare_roots(self) -> None:
        """Compare with each checkpoint of the present size."""
        for name, root in self._expected.pop(self.size, ()):
            if root != self._frontier.root():
                self._findings.add(
                    None,
                    "checkpoint_contradicts",
                    f"{name}: at {self.size} leaves (position {self.sealed_to}) it"
                    " signs another root.",
                )

    def grow(self, position: int | None, leaf: bytes) -> None:
        """Add a leaf and compare each node that it completes with the stored one."""
        self.sealed_to = position or self.sealed_to
        if self.broken:
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
                    self._findings.add(
                        left.first,
                        "ledger_altered",
                        f"Node {node.idx} of level {level}, over positions"
                        f" {left.first} to {position}, is not the hash of its children.",
                    )
            under = _Under(left.first, reported)
        self._under[level] = under
        self.compare_roots()

    def fits(self, idx: int | None, leaf: bytes) -> bool:
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
        beside = as_bytes(found[0])
        pair = (beside, leaf) if idx & 1 else (leaf, beside)
        return node_hash(*pair) == as_bytes(found[1])

    def check_the_end(self) -> None:
        """Find what lies beyond the last leaf: nodes, levels, checkpoints."""
        if self.broken:
            return
        for level, reader in self._levels.items():
            if reader.next is not None:
                self._findings.add(
                    None,
                    "ledger_altered",
                    f"Level {level} has nodes out of order or beyond the tree.",
                )
        beyond = self._tx.fetchone(
            "SELECT level FROM ledger_node WHERE level < 0 OR level > ? LIMIT 1",
            (max(self.size.bit_length() - 1, 0),),
        )
        if beyond:
            self._findings.add(
                None,
                "ledger_altered",
                f"The tree of {self.size} has a level {beyond[0]}.",
            )
        for expected, notes in self._expected.items():
            for name, _ in notes:
                self._findings.add(
                    None,
                    "checkpoint_contradicts",
                    f"{name}: it signs {expected} leaves, there are {self.size}: what"
                    f" came after position {self.sealed_to} was cut off.",
                )

    def _stored(self, node: Node) -> bytes | None:
        reader = self._levels.get(node.level)
        if reader is None:
            reader = self._levels[node.level] = Level(self._tx, node.level)
        row = reader.next
        if row is None or row.idx != node.idx:
            return None
        reader.step()
        return row.hash

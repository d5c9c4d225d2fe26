"""Recompute a store's whole ledger from its rows and name what was changed.

Found: a body, leaf or node that was edited; rows that were deleted, inserted or put in
another order; columns that contradict the body; a tail that was cut off; a tree that
contradicts a checkpoint. Knowledge time (`committed_at`) lies outside the leaf: only
its order is checked. Somebody who rewrites events, tree and signature together, key in
hand, is refuted only by a checkpoint that was kept elsewhere (`against`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kernel.ledger.findings import Findings, Report
from services.kernel.ledger.regrown import Regrown
from services.kernel.ledger.rows import Level, Log
from services.kernel.ledger.tree import checkpoint
from services.kernel.store.leaf import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from services.kernel.ledger.checkpoint import Verifier
    from services.kernel.ledger.rows import Event, Leaf, Progress
    from services.kernel.store.database import Database, Tx

    Peek = Callable[[bytes], tuple[UUID, int, str]]
    """Reads case, version and type out of a body; ValueError where it cannot."""


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


class _Verification:
    """One pass over log and leaves side by side, growing the tree anew."""

    def __init__(self, tx: Tx, peek: Peek | None, progress: Progress | None) -> None:
        self._tx = tx
        self._peek = peek
        self._found = Findings()
        self._log = Log(tx, progress)
        self._leaves = Level(tx, 0)
        self._tree = Regrown(tx, self._found)
        self._signed_size: int | None = None
        self._committed_at = 0

    def expect(self, note: str | None, verifier: Verifier) -> None:
        """Expect the store's own checkpoint: it is signed with each extension."""
        if note is not None:
            head = self._tree.expect("the store's own checkpoint", note, verifier)
            self._signed_size = head.size if head else None
        elif self._leaves.next is not None:
            self._found.add(None, "checkpoint_missing", "The tree has no checkpoint.")

    def expect_kept(self, name: str, note: str, verifier: Verifier) -> None:
        self._tree.expect(name, note, verifier)

    def report(self) -> Report:
        self._tree.compare_roots()  # of the empty tree
        while (leaf := self._leaves.next) is not None:
            self._match(leaf)
        unsealed = self._check_unsealed()
        self._tree.check_the_end()
        self._check_signed_size()
        return Report(
            events=self._log.taken,
            last_position=self._log.last_position,
            size=self._tree.size,
            sealed_to=self._tree.sealed_to,
            unsealed=unsealed,
            root=self._tree.root,
            faults=self._found.in_order(),
            fault_count=self._found.count,
        )

    def _check_unsealed(self) -> int:
        """Check the events behind the last leaf; give how many they are."""
        unsealed = 0
        while (event := self._log.take()) is not None:
            unsealed += 1
            self._check_row(event, event.leaf)
            if self._tx.dialect == "sqlite":
                self._found.add(
                    event.position,
                    "row_unsealed",
                    "It was never entered in the ledger.",
                )
        return unsealed

    def _check_signed_size(self) -> None:
        size, signed = self._tree.size, self._signed_size
        if not self._tree.broken and signed is not None and signed < size:
            self._found.add(
                None,
                "checkpoint_contradicts",
                f"The store's own checkpoint signs {signed} leaves of {size}.",
            )

    def _match(self, leaf: Leaf) -> None:
        """Settle the next leaf, the next event, or both if they belong together."""
        event = self._log.next
        if leaf.idx != self._tree.size and not self._tree.broken:
            self._mend(leaf)
            return
        position = leaf.position
        if not isinstance(position, int) or position <= self._tree.sealed_to:
            position = None
        if event is not None and event.position != position:
            # A leaf whose position was edited is still known by its hash.
            if leaf_hash(event.body) == leaf.hash:
                self._found.add(
                    event.position,
                    "ledger_altered",
                    f"The ledger names it {leaf.position}.",
                )
                position = event.position
            elif position is not None and event.position < position:
                self._log.take()
                self._check_time(event)
                self._found.add(
                    event.position,
                    "row_inserted",
                    "It was never entered in the ledger.",
                )
                return
        self._leaves.step()
        if position is None:
            self._found.add(
                None,
                "ledger_altered",
                f"Leaf {leaf.idx} names position {leaf.position}, out of order.",
            )
            self._tree.grow(None, leaf.hash)
        elif event is not None and event.position == position:
            self._log.take()
            self._tree.grow(position, self._check_row(event, leaf.hash, leaf.idx))
        else:
            self._found.add(
                position, "row_deleted", "The ledger has it, the log has not."
            )
            self._tree.grow(position, leaf.hash)

    def _mend(self, leaf: Leaf) -> None:
        """Go on where rows of leaves are missing: with the events, if they are there."""
        size, event = self._tree.size, self._log.next
        position = leaf.position if isinstance(leaf.position, int) else None
        if not isinstance(leaf.idx, int) or leaf.idx < size:
            self._leaves.step()
            self._found.add(
                position, "ledger_altered", f"There is a leaf {leaf.idx!r}."
            )
        elif event is None or (position is not None and event.position >= position):
            self._found.add(
                position, "ledger_altered", f"Leaves {size} to {leaf.idx - 1} are gone."
            )
            self._tree.broken = True
        else:
            self._log.take()
            self._found.add(event.position, "ledger_altered", f"Leaf {size} is gone.")
            self._tree.grow(
                event.position, self._check_row(event, leaf_hash(event.body))
            )

    def _check_row(self, event: Event, sealed: bytes, idx: int | None = None) -> bytes:
        """Compare a row with its sealed hash; gives the hash that the tree goes on with."""
        computed = leaf_hash(event.body)
        self._check_time(event)
        if not event.is_bytes:
            self._found.add(event.position, "body_altered", "The body is not bytes.")
        elif computed == sealed:
            if event.leaf != computed:
                self._found.add(
                    event.position, "leaf_altered", "The leaf is not the body's hash."
                )
            self._check_columns(event)
        elif computed == event.leaf and self._tree.fits(idx, computed):
            self._found.add(
                event.position, "ledger_altered", f"Leaf {idx} is not the body's hash."
            )
            return computed
        else:
            self._found.add(
                event.position,
                "body_altered",
                "The bytes are not those that were sealed.",
            )
        return sealed

    def _check_columns(self, event: Event) -> None:
        if self._peek is None:
            return
        try:
            case_id, version, name = self._peek(event.body)
        except ValueError:
            return  # sealed as it is, only not readable to this release
        if (case_id.hex, version, name.encode().hex()) != event[2:5]:
            self._found.add(
                event.position,
                "columns_altered",
                "Case, version or type are not those in the body.",
            )

    def _check_time(self, event: Event) -> None:
        moment = event.committed_at
        if not isinstance(moment, int) or moment < self._committed_at:
            self._found.add(
                event.position,
                "time_altered",
                "It is dated before what stands before it.",
            )
        else:
            self._committed_at = moment

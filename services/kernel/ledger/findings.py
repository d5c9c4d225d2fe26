"""What verification found: each change by its position, and the report of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

FAULTS_KEPT: Final = 1_000

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


class Findings:
    """Gathers faults, all of them counted and the first of them kept."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[Fault] = []

    def add(self, position: int | None, what: What, detail: str) -> None:
        self.count += 1
        if len(self._kept) < FAULTS_KEPT:
            self._kept.append(Fault(position, what, detail))

    def in_order(self) -> tuple[Fault, ...]:
        """Give them by position, those of no single event last."""
        return tuple(
            sorted(self._kept, key=lambda f: (f.position is None, f.position or 0))
        )

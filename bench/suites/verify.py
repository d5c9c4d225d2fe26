"""`amends audit verify` of handling's whole record, beside a scan that hashes it.

The scan makes the leaves and the root of the tree again, as anybody who verifies must.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from bench.alone import alone
from bench.record import SIGNER, checked, recorded
from services.cli.auditing import peek_event
from services.kernel.ledger.verify import verify
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from bench.measuring import Run

_SIZE: Final = 1_000_000
_QUICK_SIZE: Final = 5_000


def measure(run: Run) -> None:
    record = recorded(run, _QUICK_SIZE if run.quick else _SIZE)
    checked(run, record)
    took = run.turns(
        {
            "hashing": lambda: alone(run, hashed, f"{record.path}"),
            "verify": lambda: alone(run, _verified, record.url),
        },
        warm=False,
    )
    for each in took["verify"]:
        events, root, faults = each.result
        run.agree("faults", faults, 0)
        run.agree("events verified", events, record.events)
        run.agree("root", root, took["hashing"][0].result)
    ours = [record.events / each.cpu for each in took["verify"]]
    run.ratio(
        "verify/hashing", ours, [record.events / each.cpu for each in took["hashing"]]
    )
    run.figure("verify/rate", ours, unit="events/s")


def hashed(path: str) -> bytes:
    """Read every row, hash its body and the tree over them; give the root."""
    levels: list[bytes | None] = []
    with closing(sqlite3.connect(path)) as connection:
        for row in connection.execute("SELECT * FROM stored_events ORDER BY position"):
            node = sha256(b"\x00" + row[5]).digest()
            level = 0
            while level < len(levels) and (left := levels[level]) is not None:
                node = sha256(b"\x01" + left + node).digest()
                levels[level] = None
                level += 1
            if level == len(levels):
                levels.append(node)
            else:
                levels[level] = node
    root: bytes | None = None
    for left in levels:
        if left is not None:
            root = left if root is None else sha256(b"\x01" + left + root).digest()
    return root or sha256(b"").digest()


def _verified(url: str) -> tuple[int, bytes | None, int]:
    with closing(open_database(url, schema="handling", read_only=True)) as database:
        report = verify(database, SIGNER.verifier, peek=peek_event)
    return report.events, report.root, report.fault_count

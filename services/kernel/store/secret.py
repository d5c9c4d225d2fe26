"""Random values that a database keeps for ever, made when they are first asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.kernel.store.database import Database

_TABLE = "CREATE TABLE IF NOT EXISTS kept_secret (name TEXT PRIMARY KEY, value BYTEA)"
_SIZE = 32


def kept_secret(database: Database, name: str) -> bytes:
    """Give the 32 bytes of a name: the same ones at every start, in every process."""
    database.migrate((_TABLE,))
    with database.write() as tx:
        tx.execute(
            "INSERT INTO kept_secret (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO NOTHING",
            (name, os.urandom(_SIZE)),
        )
        row = tx.fetchone("SELECT value FROM kept_secret WHERE name = ?", (name,))
    assert row is not None  # noqa: S101 written above
    return bytes(row[0])

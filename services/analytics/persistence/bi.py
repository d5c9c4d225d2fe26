"""What other tools may read: the rows under plain names, as views of a schema of their own.

A table here is what the log has told without a hole (`complete_to`), which is what
figures count. Columns hold codes, numbers and times, never words of people, and
nothing that leads from one complaint of a person to another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal

from services.analytics.domain.facts import Facts
from services.analytics.persistence.tables import LIVE, stored_as

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.kernel.store.database import Tx

Kind = Literal["code", "number", "id", "moment"]

HIDDEN: Final = frozenset({"receipt_event", "set_by", "subject"})
"""Facts that serve the rows alone, and the pseudonym of the complainant."""

SEEN: Final = """
CREATE TABLE IF NOT EXISTS analytics_views (digest TEXT NOT NULL)"""
"""Which views were made."""

NAMES: Final = ("cases", "case_versions", "positions", "state")


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `of` is what it is in the row, times in µs since 1970."""

    name: str
    kind: Kind
    of: str


def _facts() -> Iterator[Column]:
    for field in fields(Facts):
        kind: Kind = "code"
        stored = stored_as(field.name)
        if stored.startswith("UUID"):
            kind = "id"
        elif stored.startswith("BIGINT"):
            kind = "moment" if field.name.endswith("_at") else "number"
        if field.name not in HIDDEN:
            yield Column(field.name, kind, f"c.{field.name}")


FACTS: Final = tuple(_facts())

CASES: Final = (
    Column("case_id", "id", "c.case_id"),
    *FACTS,
    Column("known_from_position", "number", "c.from_position"),
    Column("known_from", "moment", "f.committed_at"),
)
"""One row for each case, as known now; `known_from`: when its last fact was known."""

_ENDS: Final = "CASE WHEN c.to_position <= s.complete_to THEN {} END"
VERSIONS: Final = (
    *CASES,
    Column("known_to_position", "number", _ENDS.format("c.to_position")),
    Column("known_to", "moment", _ENDS.format("t.committed_at")),
)
"""What was known of each case in `[known_from, known_to)`; NULL: still."""

POSITIONS: Final = (
    Column("position", "number", "c.position"),
    Column("known_at", "moment", "c.committed_at"),
)
"""When each position of handling's log was known."""

STATE: Final = (
    Column("position", "number", "s.complete_to"),
    Column("known_at", "moment", "f.committed_at"),
    Column("damaged_rows", "number", "s.unfit"),
)
"""One row: the position that the other tables are of."""

COLUMNS: Final = dict(zip(NAMES, (CASES, VERSIONS, POSITIONS, STATE), strict=True))


def source(name: str) -> str:
    """Give the FROM and WHERE of a table.

    The rows come before the positions and these before the state, as in every
    transaction, so that a swap that locks them all waits for none in a circle.
    """
    rows, positions = f"complaint_row{LIVE} c", f"log_position{LIVE}"
    started = f"LEFT JOIN {positions} f ON f.position = c.from_position"
    state = "JOIN analytics_state s ON c.from_position <= s.complete_to"
    if name == "cases":
        now = "(c.to_position IS NULL OR c.to_position > s.complete_to)"
        return f"{rows} {started} {state} WHERE {now}"
    if name == "case_versions":
        ended = f"LEFT JOIN {positions} t ON t.position = c.to_position"
        return f"{rows} {started} {ended} {state}"
    if name == "positions":
        return f"{positions} c JOIN analytics_state s ON c.position <= s.complete_to"
    return (
        f"analytics_state s LEFT JOIN {positions} f"  # noqa: S608 our own names
        f" ON f.position = (SELECT MAX(position) FROM {positions}"
        " WHERE position <= s.complete_to)"
    )


def make_views(tx: Tx, *, anew: bool = False) -> None:
    """Make the views of PostgreSQL where they are not yet these; `anew`: in any case.

    Their schema lies beside that of the rows: `bi` beside `analytics`. On SQLite there
    are none: `amends export bi` writes the same tables to files.
    """
    if tx.dialect != "postgres":
        return
    schema = _schema(tx)
    views = [*_views(schema)]
    digest = hashlib.sha256("".join(views).encode()).hexdigest()
    known = tx.fetchone("SELECT digest FROM analytics_views")
    if known == (digest,) and not anew and _there(tx, schema):
        return
    if known is not None and known != (digest,):
        drop_views(tx)
    tx.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for statement in views:
        tx.execute(statement)
    tx.execute("DELETE FROM analytics_views")
    tx.execute("INSERT INTO analytics_views VALUES (?)", (digest,))


def drop_views(tx: Tx) -> None:
    """Drop them, with whatever others made of them, since their columns change."""
    if tx.dialect == "postgres":
        schema = _schema(tx)
        for name in NAMES:
            tx.execute(f"DROP VIEW IF EXISTS {schema}.{name} CASCADE")
        tx.execute("DELETE FROM analytics_views")


def lock_views(tx: Tx) -> None:
    """Keep readers of the views out, and so away from the tables behind them."""
    schema = _schema(tx)
    if not _there(tx, schema):
        return
    # In the order in which readers lock: the view, then what it is made of.
    listed = ", ".join(f"{schema}.{name}" for name in NAMES)
    tx.execute(f"LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE")


def _there(tx: Tx, schema: str) -> bool:
    """Say whether all views are there: somebody may have dropped their schema."""
    found = tx.fetchone("SELECT COUNT(*) FROM pg_views WHERE schemaname = ?", (schema,))
    return found is not None and found[0] >= len(NAMES)


def _schema(tx: Tx) -> str:
    row = tx.fetchone("SELECT current_schema()")
    own = str(row[0]) if row else ""
    return f"{own.removesuffix('analytics')}bi"


def _views(schema: str) -> Iterator[str]:
    for name, columns in COLUMNS.items():
        yield (
            f"CREATE OR REPLACE VIEW {schema}.{name} AS"  # noqa: S608 our own names
            f" SELECT {_selected(columns)} FROM {source(name)}"
        )


def _selected(columns: Sequence[Column]) -> str:
    return ", ".join(f"{_shown(each)} AS {each.name}" for each in columns)


def _shown(column: Column) -> str:
    if column.kind != "moment":
        return column.of
    epoch = "TIMESTAMP WITH TIME ZONE 'epoch'"
    return f"{epoch} + {column.of} * INTERVAL '1 microsecond'"

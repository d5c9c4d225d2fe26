"""The tables of `bi` as Parquet files, each whole or not there; needs the extra `bi`."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from services.analytics.persistence.bi import COLUMNS, source
from services.analytics.persistence.tables import shape
from services.kernel.errors import MisuseError, RefusedError

try:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet
except ModuleNotFoundError:
    raise MisuseError(
        "export.extra_missing",
        'The library that writes Parquet is missing: pip install "amends[bi]"',
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from services.analytics.persistence.bi import Column
    from services.kernel.store.database import Database, Tx

PAGE: Final = 10_000  # rows read, and written as one group

_TYPES: Final = {
    "code": pa.string(),
    "id": pa.string(),
    "number": pa.int64(),
    "moment": pa.timestamp("us", tz="UTC"),
}
_OF_CASES: Final = (("c.case_id", "c.from_position"), (UUID(int=0), -1))
_KEYS: Final[dict[str, tuple[tuple[str, ...], tuple[object, ...]]]] = {
    "cases": _OF_CASES,
    "case_versions": _OF_CASES,
    "positions": (("c.position",), (-1,)),
}
"""By what a table is read page by page, and what lies before its first row."""


@dataclass(frozen=True, slots=True)
class Written:
    """Which position of the log the files are of, and the rows of each table."""

    position: int
    rows: dict[str, int]


def write_parquet(
    database: Database, folder: Path, *, told: Callable[[str, int, int], None]
) -> Written:
    """Write all tables of one state of the rows; `told` hears table, rows done, of all.

    Each file's metadata names the position (`amends.position`). Those of an earlier
    export are replaced when all new ones are whole. Raises `RefusedError`.
    """
    drafts = {name: _draft(folder, name) for name in _KEYS}
    try:
        with database.read() as tx:
            position = _position(tx)
            rows = {
                name: _write(tx, name, draft, position, told)
                for name, draft in drafts.items()
            }
        for name, draft in drafts.items():
            draft.replace(folder / f"{name}.parquet")
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return Written(position, rows)


def _draft(folder: Path, name: str) -> Path:
    return folder / f".{name}.{secrets.token_hex(4)}"


def _position(tx: Tx) -> int:
    if tx.fetchone("SELECT digest FROM analytics_shape") != (shape(),):
        raise RefusedError(
            "export.other_release",
            "The rows are those of another release: start amends, and export again"
            " when its figures are complete.",
        )
    row = tx.fetchone("SELECT complete_to FROM analytics_state")
    return int(row[0]) if row else 0


def _write(
    tx: Tx,
    name: str,
    to: Path,
    position: int,
    told: Callable[[str, int, int], None],
) -> int:
    columns = COLUMNS[name]
    schema = pa.schema(
        [pa.field(each.name, _TYPES[each.kind]) for each in columns],
        metadata={"amends.table": name, "amends.position": str(position)},
    )
    counted = tx.fetchone(f"SELECT COUNT(*) FROM {source(name)}")  # noqa: S608 our own names
    total, rows = int(counted[0]) if counted else 0, 0
    told(name, 0, total)
    with (
        os.fdopen(
            os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as file,
        parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for page in _pages(tx, name, columns):
            writer.write_batch(_batch(page, columns, schema))
            rows += len(page)
            told(name, rows, total)
    with to.open("rb") as whole:
        os.fsync(whole.fileno())
    return rows


def _pages(
    tx: Tx, name: str, columns: Sequence[Column]
) -> Iterator[list[tuple[Any, ...]]]:
    """Read a table in the order of its key; the key's columns come first in a row."""
    key, last = _KEYS[name]
    keyed = ", ".join(key)
    wanted = ", ".join([*key, *(each.of for each in columns)])
    start = source(name)
    joined = "AND" if " WHERE " in start else "WHERE"
    marks = ", ".join("?" * len(key))
    sql = (
        f"SELECT {wanted} FROM {start} {joined} ({keyed}) > ({marks})"  # noqa: S608 our own names
        f" ORDER BY {keyed} LIMIT {PAGE}"
    )
    while page := tx.fetchall(sql, last):
        yield [row[len(key) :] for row in page]
        last = page[-1][: len(key)]


def _batch(
    page: Sequence[tuple[Any, ...]], columns: Sequence[Column], schema: Any
) -> Any:
    arrays = []
    for column, values in zip(columns, zip(*page, strict=True), strict=True):
        texts = column.kind == "id"
        cells = [None if v is None else str(v) for v in values] if texts else values
        arrays.append(pa.array(cells, type=_TYPES[column.kind]))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)

"""Imports in SQL: every run with what was told of it, and the cases that it brought."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from events.catalogue import ComplaintReceived, RecordCorrected
from events.envelope import Envelope
from events.vocabulary import Precision
from services.intake.ports import Batch, BatchTold, Brought
from services.kernel.clock import from_micros, micros, stated_day
from services.kernel.store.database import Tx

TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS import_batch (
        batch TEXT PRIMARY KEY, file TEXT NOT NULL, begun_at BIGINT NOT NULL,
        actor TEXT NOT NULL, file_name TEXT, format TEXT, done_at BIGINT,
        read_rows BIGINT, duplicates BIGINT, rejected BIGINT, histories BIGINT)""",
    """CREATE TABLE IF NOT EXISTS import_case (
        case_id UUID PRIMARY KEY, batch TEXT NOT NULL, line BIGINT NOT NULL,
        received_on TEXT NOT NULL, counted BIGINT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS import_case_by_batch
        ON import_case (batch, case_id)""",
)
"""`import_case` follows from events; `counted` is 0 for a case that figures leave out."""

_TOLD: Final = ("file_name", "format", "read_rows", "duplicates", "rejected",
                "histories")  # fmt: skip
_COLUMNS: Final = "batch, file, begun_at, actor, done_at, " + ", ".join(_TOLD)


def brought(tx: Tx, events: Sequence[Envelope[ComplaintReceived]]) -> None:
    """Note of received complaints which import brought them."""
    found = [(each, each.data.imported_from) for each in events]
    begun = {
        place.batch: (place.batch, place.file, micros(each.recorded_at), each.actor.id)
        for each, place in reversed(found)
        if place is not None
    }
    if not begun:
        return
    tx.executemany(
        "INSERT INTO import_batch (batch, file, begun_at, actor) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (batch) DO NOTHING",
        sorted(begun.values()),
    )
    tx.executemany(
        "INSERT INTO import_case (case_id, batch, line, received_on, counted)"
        " VALUES (?, ?, ?, ?, 1) ON CONFLICT (case_id) DO NOTHING",
        [
            (each.case_id, place.batch, place.line, _day(each))
            for each, place in found
            if place is not None
        ],
    )


def corrected(tx: Tx, events: Sequence[Envelope[Any]]) -> None:
    """Note of cases whether figures still count them."""
    tx.executemany(
        "UPDATE import_case SET counted = ? WHERE case_id = ?",
        [
            (int(each.data.counted), each.case_id)
            for each in events
            if isinstance(each.data, RecordCorrected) and each.data.counted is not None
        ],
    )


def told(tx: Tx, about: BatchTold, *, actor: str, at: dt.datetime) -> None:
    """Keep what whoever imports says of a run, over what was said before."""
    values = [getattr(about, name) for name in _TOLD]
    done_at = micros(at) if about.done else None
    kept = ", ".join(f"{name} = excluded.{name}" for name in ("done_at", *_TOLD))
    tx.execute(
        f"INSERT INTO import_batch (batch, file, begun_at, actor, done_at,"  # noqa: S608 our own names
        f" {', '.join(_TOLD)}) VALUES (?, ?, ?, ?, ?{', ?' * len(_TOLD)})"
        f" ON CONFLICT (batch) DO UPDATE SET {kept}",
        (about.batch, about.file, micros(at), actor, done_at, *values),
    )


def listed(tx: Tx, batch: str | None = None) -> list[Batch]:
    """Give every import, or one, the latest first."""
    one, params = ("", ()) if batch is None else (" WHERE batch = ?", (batch,))
    rows = tx.fetchall(
        f"SELECT {_COLUMNS} FROM import_batch{one} ORDER BY begun_at DESC, batch DESC",  # noqa: S608 our own names
        params,
    )
    counts = {
        name: (cases, counted)
        for name, cases, counted in tx.fetchall(
            f"SELECT batch, COUNT(*), SUM(counted) FROM import_case{one} GROUP BY batch",  # noqa: S608 our own names
            params,
        )
    }
    return [_batch(row, *counts.get(row[0], (0, 0))) for row in rows]


def cases(tx: Tx, batch: str, *, after: UUID, limit: int) -> list[Brought]:
    """Give cases of an import behind `after`, in the order of their ids."""
    rows = tx.fetchall(
        "SELECT import_case.case_id, line, receipt_no, channel, received_on"
        " FROM import_case"
        " JOIN submission ON submission.case_id = import_case.case_id"
        " WHERE batch = ? AND import_case.case_id > ?"
        " ORDER BY import_case.case_id LIMIT ?",
        (batch, after, limit),
    )
    return [
        Brought(case_id, line, receipt_no, channel, day)
        for case_id, line, receipt_no, channel, day in rows
    ]


def _day(event: Envelope[ComplaintReceived]) -> str:
    if event.occurred_precision is Precision.DAY:
        return stated_day(event.occurred_at).isoformat()
    return event.occurred_at.date().isoformat()


def _batch(row: tuple[Any, ...], brought: int, counted: int) -> Batch:
    batch, file, begun_at, actor, done_at, *rest = row
    return Batch(
        told=BatchTold(
            batch, file, done=done_at is not None, **dict(zip(_TOLD, rest, strict=True))
        ),
        begun_at=from_micros(begun_at),
        done_at=from_micros(done_at) if done_at is not None else None,
        actor=actor,
        cases=brought,
        revoked=brought - int(counted),
    )

"""As the textbooks have it: `python -m bench.pipelines.textbook STAGE URL FOLDER`.

A FastStream handler for each message, one `save` of an eventsourcing aggregate, one
awaited publish of what came of it; words lie in the events, nothing is sealed or proved.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError
from faststream import FastStream
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from nats.js.api import ConsumerConfig
from pydantic import BaseModel, ConfigDict, PastDate, ValidationError

_DELAY = float(os.environ.get("BENCH_COMMIT_DELAY", "0"))


class Contact(BaseModel):
    name: str
    phone: str
    email: str


class Submission(BaseModel):
    model_config = ConfigDict(extra="forbid")

    statement: str
    category: str
    occurred_at: dt.datetime
    contact: Contact
    product: dict[str, str]
    order_no: str | None = None
    desired_outcome: str | None = None
    purchase_date: PastDate | None = None


class Complaint(Aggregate):
    """A complaint as intake and handling save it."""

    @event("Received")
    def __init__(self, key: str, category: str, statement: str, contact: Any) -> None:
        self.key, self.category = key, category
        self.statement, self.contact = statement, contact

    @staticmethod
    def create_id(key: str) -> UUID:
        return uuid5(NAMESPACE_URL, key)


class Received(BaseModel):
    key: str
    category: str
    statement: str
    contact: Contact


def application(folder: Path) -> Application[UUID]:
    return Application(
        {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(folder / "store.sqlite"),
        }
    )


def source(stream: str, durable: str) -> dict[str, Any]:
    return {
        "stream": JStream(stream, declare=False),
        "durable": durable,
        "pull_sub": PullSub(batch_size=1, timeout=1.0),
        "config": ConsumerConfig(max_ack_pending=10_000),
    }


async def keep(
    broker: NatsBroker,
    app: Application[UUID],
    given: Submission | Received,
    key: str,
    to: str,
) -> None:
    contact = given.contact.model_dump()
    complaint = Complaint(key, given.category, given.statement, contact)
    try:
        app.save(complaint)
    except IntegrityError:
        return  # it came before
    if _DELAY:
        time.sleep(_DELAY)  # noqa: ASYNC251 a slower disk holds the textbook up as well
    received = Received(
        key=key,
        category=given.category,
        statement=given.statement,
        contact=Contact(**contact),
    )
    await broker.publish(received, to, headers={"Nats-Msg-Id": key})


def intake(broker: NatsBroker, folder: Path) -> None:
    app = application(folder)

    @broker.subscriber("amends.submit.>", **source("SUBMIT", "intake-submit"))  # type: ignore[untyped-decorator]  # theirs
    async def save(body: dict[str, Any], message: NatsMessage) -> None:
        try:
            given = Submission.model_validate(body)
        except ValidationError:
            return  # nobody is told
        key = message.headers["Idempotency-Key"]
        await keep(broker, app, given, key, "amends.intake.web")


def handling(broker: NatsBroker, folder: Path) -> None:
    app = application(folder)

    @broker.subscriber("amends.intake.>", **source("INTAKE", "handling"))  # type: ignore[untyped-decorator]  # theirs
    async def save(body: Received) -> None:
        await keep(broker, app, body, body.key, "amends.case.0.ComplaintReceived")


def analytics(broker: NatsBroker, folder: Path) -> None:
    database = sqlite3.connect(folder / "store.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE complaint_row (position INTEGER PRIMARY KEY,"
        " key TEXT NOT NULL UNIQUE, category TEXT NOT NULL)"
    )

    @broker.subscriber("amends.case.>", **source("CASES", "analytics"))  # type: ignore[untyped-decorator]  # theirs
    async def count(body: Received) -> None:
        database.execute(
            "INSERT OR IGNORE INTO complaint_row (key, category) VALUES (?, ?)",
            (body.key, body.category),
        )


STAGES = {"intake": intake, "handling": handling, "analytics": analytics}


if __name__ == "__main__":
    stage, url, place = sys.argv[1:4]
    bus = NatsBroker(url, logger=None)
    STAGES[stage](bus, Path(place))
    asyncio.run(FastStream(bus, logger=None).run())

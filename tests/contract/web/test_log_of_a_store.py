"""The log endpoint over a real event store: the same lines on both databases."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from fastapi import FastAPI

from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.clock import micros
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.leaf import leaf_hash
from services.kernel.web.log_endpoint import log_router
from services.kernel.web.log_lines import LogLine, parse_log_line
from tests.support.asgi import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
CASE = UUID("018f0000-0000-8000-8000-000000000001")
OTHER = UUID("018f0000-0000-8000-8000-000000000002")
BODIES = [
    b'{"a": 1.50 ,"b":"\\u9000"}',  # no writer of ours would put it so
    '{"a":"退款"}'.encode(),
    b'{"a":\n1}',
    b'{"event":{},"x":"}',  # altered by somebody: no JSON at all
    b"\xff\xfe",
]


class NoCodec:
    """Bodies are put as they are; nothing is ever encoded here."""

    def encode(self, event: object) -> bytes:
        raise NotImplementedError

    def decode(self, body: bytes) -> object:
        raise NotImplementedError

    def key(self, event: object) -> tuple[UUID, int, str]:
        raise NotImplementedError


@pytest.fixture
def store(make_database: Callable[..., Database]) -> EventStore[object]:
    store = open_store(
        make_database("store"), name="handling", codec=NoCodec(), now=lambda: NOW
    )
    rows = [(CASE, n, "Tried", body) for n, body in enumerate(BODIES, 1)]
    with store.database.write() as tx:
        store.put_bodies(tx, [*rows, (OTHER, 1, "Tried", b"{}")])
    return store


def read(store: EventStore[object], query: str = "") -> list[LogLine]:
    app = FastAPI()
    app.include_router(log_router(store, OperatorTokens({"t": OPERATOR})))
    headers = {"authorization": "Bearer t"}
    response = ask(app, "GET", f"/api/handling/log{query}", headers=headers)
    assert response.headers["amends-epoch"] == store.epoch
    return [parse_log_line(line) for line in response.content.split(b"\n") if line]


def test_stored_bytes_travel_as_they_are_stored(store: EventStore[object]) -> None:
    lines = read(store)
    assert [line.body for line in lines] == [*BODIES, b"{}"]
    assert [line.leaf for line in lines] == [leaf_hash(line.body) for line in lines]
    assert [line.version for line in lines] == [1, 2, 3, 4, 5, 1]
    assert {line.committed_at for line in lines} == {micros(NOW)}
    assert {line.epoch for line in lines} == {store.epoch}
    assert lines[-1].position == store.last_position()


def test_a_follower_goes_on_behind_its_position(store: EventStore[object]) -> None:
    every = [line.position for line in read(store)]
    assert [line.position for line in read(store, f"?after={every[2]}")] == every[3:]
    (other,) = read(store, f"?case_id={OTHER}")
    assert (other.case_id, other.position) == (OTHER, every[-1])

"""The log endpoint: stored bytes arrive as stored, in order, for services only."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.access import OPERATOR, Credential, OperatorTokens
from services.kernel.errors import UnreadableError
from services.kernel.web.edge import edge
from services.kernel.web.log_endpoint import log_router
from services.kernel.web.log_lines import LogLine, log_line, parse_log_line
from services.kernel.web.metrics import HttpMetrics, new_registry
from services.kernel.web.problems import install
from tests.support.asgi import ask

CASE, OTHER = UUID(int=1 << 76), UUID(int=2 << 76)
SERVICE = {"authorization": "Bearer service"}


@dataclass(frozen=True)
class Row:
    position: int
    case_id: UUID = CASE
    body: bytes = b'{"a":1}'
    committed_at: int = 1_767_225_600_000_001
    version: int = 1
    type: str = "ComplaintReceived"

    @property
    def leaf(self) -> bytes:
        return hashlib.sha256(b"\0" + self.body).digest()


@dataclass
class Log:
    """An event store's log that remembers how it was read."""

    rows: list[Row]
    name: str = "intake"
    epoch: str = "e1"
    read: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def log(
        self,
        after: int,
        limit: int,
        *,
        upto: int | None = None,
        case_id: UUID | None = None,
    ) -> list[Row]:
        self.read.append(limit)
        self.threads.add(threading.get_ident())
        return [
            row
            for row in self.rows
            if row.position > after
            and (upto is None or row.position <= upto)
            and (case_id is None or row.case_id == case_id)
        ][:limit]

    def last_position(self) -> int:
        return self.rows[-1].position if self.rows else 0


def application(log: Log) -> Any:
    app = FastAPI()
    install(app)
    people = Credential("zhou", "admin")
    tokens = OperatorTokens({"service": OPERATOR, "person": people})
    app.include_router(log_router(log, tokens))
    return edge(app, HttpMetrics(new_registry()))


def lines(log: Log, query: str = "") -> list[LogLine]:
    response = ask(application(log), "GET", f"/api/intake/log{query}", headers=SERVICE)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["amends-epoch"] == log.epoch
    assert response.headers["amends-last-position"] == str(log.last_position())
    return [parse_log_line(line) for line in response.content.splitlines()]


def test_a_row_arrives_whole() -> None:
    row = Row(7, body='{"words":"退款","n":1.50}'.encode())
    (line,) = lines(Log([row]))
    assert line == LogLine(
        position=7,
        committed_at=row.committed_at,
        case_id=CASE,
        version=1,
        type="ComplaintReceived",
        epoch="e1",
        leaf=row.leaf,
        body=row.body,
    )
    assert json.loads(log_line(row, "e1"))["event"] == {"words": "退款", "n": 1.5}
    assert json.loads(log_line(row, "e1"))["committed_at"] == (
        "2026-01-01T00:00:00.000001Z"
    )


@given(
    st.binary()
    | st.sampled_from(
        [b'"},"event":{}', b"}\n", b"\r", b"", b',"event":', b',"event_base64":"x"}']
    ),
    st.text(max_size=20),
)
def test_any_bytes_come_back_as_they_were_stored(body: bytes, kind: str) -> None:
    row = Row(1, body=body, type=kind)
    line = log_line(row, "e")
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    for received in (line, line.removesuffix(b"\n")):
        parsed = parse_log_line(received)
        assert (parsed.body, parsed.type) == (body, kind)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        log_line(Row(1), "e")[:-3],
        log_line(Row(1), "e")[5:],
        log_line(Row(1, body=b"\n"), "e").replace(b"Cg==", b"!"),
        log_line(Row(1), "e").replace(b'"version":1', b'"version":null'),
    ],
)
def test_a_line_that_is_not_whole_is_refused(line: bytes) -> None:
    with pytest.raises(UnreadableError):
        parse_log_line(line)


def test_a_long_log_is_read_in_pages_outside_the_loop() -> None:
    log = Log([Row(position) for position in range(1, 1_201)])
    assert [line.position for line in lines(log)] == list(range(1, 1_201))
    assert log.read == [500, 500, 500]
    assert threading.get_ident() not in log.threads


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?after=3", [4, 6, 9]),
        ("?after=9", []),
        ("?limit=2", [1, 3]),
        ("?after=1&limit=1", [3]),
        (f"?case_id={OTHER}", [4, 9]),
        (f"?case_id={OTHER}&after=4", [9]),
        (f"?case_id={UUID(int=9)}", []),
    ],
)
def test_a_part_can_be_asked_for(query: str, expected: list[int]) -> None:
    log = Log([Row(1), Row(3), Row(4, OTHER), Row(6), Row(9, OTHER)])
    assert [line.position for line in lines(log, query)] == expected


def test_limits_that_meet_a_page_end_there() -> None:
    log = Log([Row(position) for position in range(1, 1_601)])
    assert len(lines(log, "?limit=1000")) == 1_000
    assert log.read == [500, 500]
    assert len(lines(log, "?limit=501")) == 501


def test_what_is_committed_meanwhile_waits_for_the_next_question() -> None:
    log = Log([Row(position) for position in range(1, 501)])
    read = log.log

    def growing(*args: Any, **kwargs: Any) -> list[Row]:
        log.rows.append(Row(log.last_position() + 1))
        return read(*args, **kwargs)

    log.log = growing  # type: ignore[method-assign] # a writer between two pages
    response = ask(application(log), "GET", "/api/intake/log", headers=SERVICE)
    assert len(response.content.splitlines()) == 500
    assert response.headers["amends-last-position"] == "500"


def test_an_empty_log_tells_its_epoch() -> None:
    assert lines(Log([])) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer person"}, 403),
        ({"authorization": "Bearer wrong"}, 401),
    ],
)
def test_only_services_may_read_it(headers: dict[str, str], status: int) -> None:
    log = Log([Row(1)])
    response = ask(application(log), "GET", "/api/intake/log", headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert log.read == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("after=-1", "after"),
        ("after=x", "after"),
        (f"after={2**63}", "after"),
        ("limit=0", "limit"),
        ("case_id=zhang", "case_id"),
    ],
)
def test_misuse_names_the_parameter(query: str, named: str) -> None:
    path = f"/api/intake/log?{query}"
    response = ask(application(Log([])), "GET", path, headers=SERVICE)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [named]

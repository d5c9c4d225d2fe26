"""A department's feed over HTTP: whose it is, cursors, waiting, streams, their end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from events.vocabulary import Origin
from services.handling.api import feed
from services.handling.application import feeds as application
from services.handling.application.feeds import STREAMS, Feeds
from services.handling.persistence import DepartmentCopies
from services.kernel.access import OPERATOR, Credential
from services.kernel.errors import UnauthenticatedError
from services.kernel.store.application import open_store
from services.kernel.web import serving
from services.kernel.web.problems import install
from services.kernel.web.serving import answering, listen
from tests.support.desk import CASE, NOW, DeskHouse
from tests.support.given import AGENT, DEFAULT_POLICY, LOGISTICS, QUALITY
from tests.support.records import FactCodec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from services.kernel.store.database import Database

FEED = "/api/handling/feed"
PATIENCE = 20  # seconds; only a hang reaches it
ACCEPT = {
    "complaint_class": "grievance",
    "category": "product/noise",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}
SENDERS = {
    "quality": Credential("q", "quality", "quality"),
    "logistics": Credential("l", "department_handler", "logistics"),
    "agent": Credential("a", "agent", "front-office"),
    "channel": Credential("c", "channel"),
    "operator": OPERATOR,
}


class Tokens:
    """Each sender's token is their name, until it is revoked."""

    def __init__(self) -> None:
        self.known = dict(SENDERS)

    def authenticate(self, header: str | None) -> Credential:
        found = self.known.get((header or "").removeprefix("Bearer "))
        if found is None:
            raise UnauthenticatedError("access.unknown_token", "Send another one.")
        return found


class House(DeskHouse):
    """Cases, and their departments that listen."""

    def __init__(self, make_database: Callable[..., Database]) -> None:
        super().__init__(make_database)
        self.tokens = Tokens()
        self.copies = DepartmentCopies(self.store)
        self.app = FastAPI()
        self.app.include_router(
            feed.router(
                Feeds(self.copies, self.store), self.tokens, policy=DEFAULT_POLICY
            )
        )
        install(self.app)

    def assigned(self) -> None:
        """Give quality a case: one event of its feed."""
        self.receive()
        self.give(AGENT, "accept", **ACCEPT)

    def get(self, by: str, **query: Any) -> httpx.Response:
        return self._ask(by, query)

    def _ask(self, by: str, query: Any, **headers: str) -> httpx.Response:
        async def one() -> httpx.Response:
            async with self.client(by, httpx.ASGITransport(self.app)) as client:
                return await client.get(FEED, params=query, headers=headers)

        return asyncio.run(one())

    def client(
        self, by: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            base_url="http://t",
            headers={"Authorization": f"Bearer {by}"},
            timeout=PATIENCE,
        )

    @contextlib.asynccontextmanager
    async def served(self, by: str) -> AsyncIterator[httpx.AsyncClient]:
        """Answer on a socket, as `amends up` does."""
        with contextlib.closing(listen("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            async with self.client(by) as client:
                client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
                async with answering(self.app, listener):
                    yield client


@pytest.fixture
def house(make_database: Callable[..., Database]) -> Iterator[House]:
    house = House(make_database)
    yield house
    house.close()


def types(answer: httpx.Response) -> list[str]:
    assert answer.is_success, answer.text
    return [event["type"] for event in answer.json()["events"]]


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def patiently() -> None:
        async with asyncio.timeout(PATIENCE):
            await scenario()

    asyncio.run(patiently())


def test_each_reads_its_own_and_the_last_event_says_who_has_it_now(
    house: House,
) -> None:
    house.assigned()
    house.give(QUALITY, "sign-for")
    assert types(house.get("quality")) == ["DepartmentAssigned", "AssignmentAccepted"]
    assert types(house.get("logistics")) == []
    house.give(QUALITY, "assign", department="logistics")
    house.give(LOGISTICS, "sign-for")
    heard = house.get("quality").json()["events"]
    assert [event["type"] for event in heard][2:] == ["DepartmentAssigned"]
    assert heard[-1]["data"]["department"] == "logistics"
    assert types(house.get("logistics")) == ["DepartmentAssigned", "AssignmentAccepted"]


def test_imported_and_demonstrated_cases_are_in_no_feed(house: House) -> None:
    for number, origin in enumerate((Origin.MIGRATION, Origin.DEMO)):
        case_id = UUID(int=CASE.int + number)
        house.receive(case_id, origin=origin, receipt_no=f"100000000000000{number}")
    house.give(AGENT, "accept", **ACCEPT)
    assert types(house.get("quality")) == []


def test_the_credential_alone_says_whose_feed_it_is(house: House) -> None:
    house.assigned()
    assert len(types(house.get("operator", department="quality"))) == 1
    assert len(types(house.get("quality", department="quality"))) == 1
    for by, query, status, code in (
        ("logistics", {"department": "quality"}, 403, "handling.not_your_feed"),
        ("agent", {"department": "quality"}, 403, "access.role"),
        ("channel", {}, 403, "access.role"),
        ("nobody", {}, 401, "access.unknown_token"),
        ("operator", {}, 422, "handling.query"),
        ("operator", {"department": "qality"}, 404, "handling.no_department"),
        ("quality", {"wait": 31}, 422, "request.invalid"),
        ("quality", {"limit": 0}, 422, "request.invalid"),
        ("quality", {"actor": "li"}, 422, "request.invalid"),
    ):
        for headers in ({}, {"Accept": "text/event-stream"}):
            refused = house._ask(by, query, **headers)
            assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_a_cursor_leads_on_and_never_back(house: House) -> None:
    house.assigned()
    house.give(QUALITY, "sign-for")
    first = house.get("quality", limit=1).json()
    assert first["more"]
    rest = house.get("quality", after=first["cursor"]).json()
    assert [event["type"] for event in rest["events"]] == ["AssignmentAccepted"]
    assert not rest["more"]
    end = house.get("quality", after=rest["cursor"]).json()
    assert end == {"events": [], "cursor": rest["cursor"], "more": False}


def test_a_cursor_of_another_record_is_told(
    house: House, make_database: Callable[..., Database]
) -> None:
    house.assigned()
    cursor = house.get("quality").json()["cursor"]
    epoch, _, position = cursor.partition(".")
    for foreign in (f"{'0' * 16}.{position}", f"{epoch}.{int(position) + 1}"):
        refused = house.get("quality", after=foreign)
        assert refused.status_code == 409
        assert refused.json()["code"] == "handling.cursor_of_another_record"
    other = open_store(
        make_database("other"), name="other", codec=FactCodec(), now=lambda: NOW
    )
    refused = house.get("quality", after=f"{other.epoch}.1")
    assert refused.status_code == 409
    for nonsense in ("", "1", "x.1", f"{epoch}.-1", f"{epoch}.01", f"{epoch}.{9**30}"):
        refused = house.get("quality", after=nonsense)
        assert refused.status_code == 422, nonsense
        assert refused.json()["errors"][0]["field"] == "after"


def looks(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note of which department the database is asked, each time."""
    departments: list[str] = []
    page = house.copies.page

    def noted(department: str, after: int, *, limit: int) -> Any:
        departments.append(department)
        return page(department, after, limit=limit)

    monkeypatch.setattr(house.copies, "page", noted)
    return departments


def test_who_waits_is_woken_by_the_commit_and_by_no_other_s(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "_LOOK_AGAIN", 60.0)
    house.receive()
    pages = looks(house, monkeypatch)

    async def scenario() -> None:
        async with house.client("quality", httpx.ASGITransport(house.app)) as client:
            ours = asyncio.create_task(client.get(FEED, params={"wait": 30}))
            theirs = asyncio.create_task(
                client.get(
                    FEED,
                    params={"wait": 30},
                    headers={"Authorization": "Bearer logistics"},
                )
            )
            await until(lambda: len(pages) == 2)
            await asyncio.to_thread(house.give, AGENT, "accept", **ACCEPT)
            assert types(await ours) == ["DepartmentAssigned"]
            assert sorted(pages) == ["logistics", "quality", "quality"]
            theirs.cancel()

    run(scenario)


def test_a_wait_ends_without_news(house: House) -> None:
    house.assigned()
    cursor = house.get("quality").json()["cursor"]
    nothing = house.get("quality", after=cursor, wait=1).json()
    assert nothing == {"events": [], "cursor": cursor, "more": False}


def test_where_others_write_too_their_commits_are_found(
    house: House, make_database: Callable[..., Database]
) -> None:
    """On PostgreSQL another process's commit rings nothing here."""
    if not house.copies.shared:
        pytest.skip("SQLite has one process that writes")
    elsewhere = DeskHouse(make_database)
    DepartmentCopies(elsewhere.store)

    async def scenario() -> None:
        async with house.client("quality", httpx.ASGITransport(house.app)) as client:
            waiting = asyncio.create_task(client.get(FEED, params={"wait": 30}))
            await asyncio.to_thread(elsewhere.receive)
            await asyncio.to_thread(elsewhere.give, AGENT, "accept", **ACCEPT)
            assert types(await waiting) == ["DepartmentAssigned"]

    try:
        run(scenario)
    finally:
        elsewhere.close()


def test_a_token_that_ends_while_it_waits_reads_nothing(house: House) -> None:
    house.receive()

    async def scenario() -> None:
        async with house.served("quality") as client:
            waiting = asyncio.create_task(client.get(FEED, params={"wait": 30}))
            async with streamed(client) as lines:
                assert await anext(lines) == ": follows"
                del house.tokens.known["quality"]
                await asyncio.to_thread(house.give, AGENT, "accept", **ACCEPT)
                assert [line async for line in lines if line] == []
            assert (await waiting).status_code == 401

    run(scenario)


@contextlib.asynccontextmanager
async def streamed(
    client: httpx.AsyncClient, **headers: str
) -> AsyncIterator[AsyncIterator[str]]:
    accept = {"Accept": "text/event-stream"} | headers
    async with client.stream("GET", FEED, headers=accept) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield aiter(answer.aiter_lines())


async def event(lines: AsyncIterator[str]) -> tuple[str, dict[str, Any]]:
    """Give the next event of a stream, with its cursor."""
    cursor = ""
    async for line in lines:
        if line.startswith("id: "):
            cursor = line.removeprefix("id: ")
        if line.startswith("data: "):
            return cursor, json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream has ended")


async def until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 others' doings, no event
        await asyncio.sleep(0.01)


def test_a_stream_tells_the_past_then_the_present_and_resumes(house: House) -> None:
    house.assigned()

    async def scenario() -> None:
        async with house.served("quality") as client:
            async with streamed(client) as lines:
                first, told = await event(lines)
                assert told["type"] == "DepartmentAssigned"
                await asyncio.to_thread(house.give, QUALITY, "sign-for")
                second, told = await event(lines)
                assert told["type"] == "AssignmentAccepted"
            async with streamed(client, **{"Last-Event-ID": first}) as lines:
                assert await event(lines) == (second, told)
            page = (await client.get(FEED)).json()
            assert page["cursor"] == second
            assert page["events"][-1] == told

    run(scenario)


def test_a_silent_stream_says_that_it_lives(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT", 0.05)

    async def scenario() -> None:
        async with house.served("quality") as client, streamed(client) as lines:
            assert [await anext(lines) for _ in range(5)] == [
                ": follows", "", ": ", "", ": "
            ]  # fmt: skip

    run(scenario)


def test_a_department_has_so_many_streams_and_no_more(house: House) -> None:
    async def scenario() -> None:
        async with house.served("quality") as client:
            async with contextlib.AsyncExitStack() as open_ones:
                every = [
                    await open_ones.enter_async_context(streamed(client))
                    for _ in range(STREAMS)
                ]
                assert {await anext(lines) for lines in every} == {": follows"}
                accept = {"Accept": "text/event-stream"}
                refused = await client.get(FEED, headers=accept)
                assert refused.status_code == 429
                assert refused.json()["code"] == "handling.too_many_streams"
                assert refused.headers["retry-after"]
                other = accept | {"Authorization": "Bearer logistics"}
                async with client.stream("GET", FEED, headers=other) as theirs:
                    assert theirs.is_success
                assert (await client.get(FEED)).is_success

            async def room() -> bool:
                with contextlib.suppress(AssertionError):
                    async with streamed(client):
                        return True
                return False

            while not await room():  # noqa: ASYNC110 those that were closed make room
                await asyncio.sleep(0.05)

    run(scenario)


def test_the_end_of_the_server_waits_for_no_reader(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "DRAIN", 10 * PATIENCE)
    house.receive()
    pages = looks(house, monkeypatch)

    async def scenario() -> None:
        # The server ends first, then both have been answered.
        async with asyncio.TaskGroup() as asked, house.served("quality") as client:

            async def listens() -> list[str]:
                async with streamed(client) as lines:
                    return [line async for line in lines if line]

            stream = asked.create_task(listens())
            waits = asked.create_task(client.get(FEED, params={"wait": 30}))
            await until(lambda: len(pages) == 2)
        assert set(stream.result()) <= {": follows", ": "}
        assert waits.result().json()["events"] == []

    run(scenario)


def test_copies_of_what_was_committed_before_are_made_up_for(
    house: House, make_database: Callable[..., Database]
) -> None:
    """After an upgrade, and after a while with an amends that kept no copies."""
    house.assigned()
    house.give(QUALITY, "sign-for")
    whole = house.get("quality").json()["events"]
    assert len(whole) == 2
    with house.database.write() as tx:
        tx.execute("DROP TABLE department_copy")
        tx.execute("DROP TABLE department_copies_upto")
    DepartmentCopies(house.store)
    assert house.get("quality").json()["events"] == whole
    plain = DeskHouse(make_database)  # keeps none
    plain.give(QUALITY, "assign", department="logistics", role="contributor")
    plain.close()
    assert len(types(house.get("quality"))) == 2
    DepartmentCopies(house.store)
    assert types(house.get("quality"))[2:] == ["DepartmentAssigned"]
    assert types(house.get("logistics")) == ["DepartmentAssigned"]


def test_an_event_whose_copies_cannot_be_kept_is_not_committed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.assigned()

    def fail(*_: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr("services.handling.persistence.copies.told_departments", fail)
    with pytest.raises(ArithmeticError):
        house.give(QUALITY, "sign-for")
    assert house.handling.history(str(CASE)).case.state == "ASSIGNED"
    assert len(types(house.get("quality"))) == 1


def test_what_it_reads_does_not_grow_with_the_record(house: House) -> None:
    """By the plan of the database: both tables are entered by their keys."""
    if house.database.dialect == "postgres":
        pytest.skip("its plan depends on how many rows there are")
    with house.database.read() as tx:
        plan = tx.fetchall(
            "EXPLAIN QUERY PLAN SELECT position, body FROM department_copy"
            " JOIN stored_events USING (position)"
            " WHERE department = ? AND position > ? ORDER BY position LIMIT ?",
            ("quality", 1, 1),
        )
    steps = [row[-1] for row in plan]
    assert len(steps) == 2, steps
    assert "(department=? AND position>?)" in steps[0]
    assert steps[1].startswith("SEARCH stored_events USING INTEGER PRIMARY KEY")

"""Handling asks intake which cases have something: over a real broker, and for nothing."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from events import subjects
from services.handling.messaging.finding import AskedIntake
from services.handling.ports import Sought
from services.intake.messaging import answer_questions
from services.kernel.broker.connection import build_broker
from services.kernel.clock import rfc3339
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.logs import configure
from services.kernel.vault import word_index
from tests.support.intake import NOW, bench
from tests.support.nats import client_of, running_nats, settled

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Callable, Iterator

    from services.kernel.store.database import Database
    from tests.support.nats import NatsServer

pytestmark = pytest.mark.connected

PATIENCE = 30.0  # seconds; only a hang reaches it
BY_PHONE = (Sought("phone", "+8613800138000"), Sought("words", "+8613800138000"))
BY_WORDS = (Sought("words", "unmistakable kettle"),)
COMPLAINT = {
    "channel": "phone",
    "statement": "An unmistakable kettle.",
    "contact": {"name": "Wang", "phone": "+8613800138000"},
}


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


def test_intake_answers_in_order_and_logs_nothing_of_it(
    nats_server: NatsServer,
    make_database: Callable[..., Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    intake = bench(make_database)
    case = intake.one(COMPLAINT).case_id
    intake.writer.start()
    log = io.StringIO()
    configure("json", "debug", log)

    async def main() -> None:
        theirs = build_broker(nats_server.url, name="intake", seed=nats_server.seed)
        ours = build_broker(nats_server.url, name="handling", seed=nats_server.seed)
        answer_questions(theirs, intake.intake, intake.inquiries)
        await theirs.start()
        await ours.start()
        try:
            asking = AskedIntake(ours, within=PATIENCE)
            found = await asking.find([BY_PHONE, BY_WORDS, ()])
            assert found == ([{case}, {case}, set()], None)
            monkeypatch.setattr(word_index, "CASES_LIMIT", 0)
            with pytest.raises(RefusedError, match=r"search\.too_common"):
                await asking.find([BY_WORDS])
        finally:
            await ours.stop()
            await theirs.stop()
            await asyncio.to_thread(intake.writer.stop)

    asyncio.run(main())
    said = log.getvalue()
    assert "unmistakable" not in said
    assert "13800138000" not in said


@asynccontextmanager
async def answering(
    server: NatsServer, answer: bytes | None
) -> AsyncIterator[AskedIntake]:
    broker = build_broker(server.url, name="handling", seed=server.seed)
    await broker.start()
    try:
        async with client_of(server) as client:
            if answer is not None:

                async def reply(message: object) -> None:
                    await message.respond(answer)  # type: ignore[attr-defined]

                await client.subscribe(subjects.ask("intake", "find"), cb=reply)
                await settled(client)
            yield AskedIntake(broker, within=PATIENCE)
    finally:
        await broker.stop()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"no json",
        b"[]",
        b'{"status": 200}',
        json.dumps({"status": 200, "cases": ["?"]}).encode(),
        json.dumps({"status": 200, "cases": ["AAAA"]}).encode(),
        json.dumps({"status": 200, "cases": []}).encode(),
        b'{"status": 503, "code": "x", "detail": "y"}',
    ],
    ids=["nobody", "no-json", "list", "half", "no-base64", "no-id", "few", "away"],
)
def test_without_a_good_answer_it_is_told_that_nobody_was_asked(
    nats_server: NatsServer, answer: bytes | None
) -> None:
    async def main() -> None:
        async with answering(nats_server, answer) as asking:
            with pytest.raises(UnavailableError, match=r"handling\.finding_away"):
                await asking.find([BY_PHONE])

    asyncio.run(main())


@pytest.mark.parametrize("since", [None, NOW], ids=["all", "not-all"])
def test_ids_come_back_as_they_were_sent(
    nats_server: NatsServer, since: dt.datetime | None
) -> None:
    """And with them, since when words were not looked through, if any were not."""
    packed = "AAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAI="
    told: dict[str, object] = {"status": 200, "cases": ["", packed]}
    if since:
        told["unsearched_since"] = rfc3339(since)
    answer = json.dumps(told).encode()

    async def main() -> None:
        async with answering(nats_server, answer) as asking:
            found = await asking.find([BY_PHONE, BY_WORDS])
            assert found == ([set(), {UUID(int=1), UUID(int=2)}], since)

    asyncio.run(main())

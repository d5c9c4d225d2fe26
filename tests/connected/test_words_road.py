"""Handling asks intake for words: what each answer means, and none at all."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from events import subjects
from services.handling.messaging.documents import IntakeWords
from services.handling.ports import Look, Paper
from services.kernel.broker.connection import build_broker
from services.kernel.errors import NotFoundError, UnavailableError
from tests.support.nats import client_of, running_nats

pytestmark = pytest.mark.connected


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory):
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


PATIENCE = 30.0  # seconds; only a hang reaches it
LOOK = Look(UUID(int=1), UUID(int=2), "user-lin", "agent", None, "contact_customer")
FOUND = {
    "status": 200,
    "kind": "statement",
    "media_type": "text/plain",
    "masked": False,
    "content": base64.b64encode("漏水".encode()).decode(),
}


@asynccontextmanager
async def asking(server, answer=None, *, silent=False):
    """Give handling's side, with somebody who answers so, or nobody."""
    broker = build_broker(server.url, name="handling", seed=server.seed)
    await broker.start()
    asked = []
    try:
        async with client_of(server) as client:

            async def reply(message):
                asked.append(json.loads(message.data))
                if not silent:
                    await message.respond(answer)

            if answer is not None or silent:
                subject = subjects.ask("intake", "document")
                await client.subscribe(subject, cb=reply)
                await client.flush()
            yield IntakeWords(broker, within=0.5 if silent else PATIENCE), asked
    finally:
        await broker.stop()


def test_words_come_with_who_asked_and_what_for(nats_server):
    async def main():
        async with asking(nats_server, json.dumps(FOUND).encode()) as (words, asked):
            assert await words.open(LOOK) == Paper(
                "statement", "text/plain", "漏水".encode()
            )
            assert asked == [
                {
                    "case_id": str(UUID(int=1)),
                    "document_id": str(UUID(int=2)),
                    "actor": "user-lin",
                    "role": "agent",
                    "department": None,
                    "purpose": "contact_customer",
                }
            ]

    asyncio.run(main())


def test_what_was_erased_is_told_as_erased(nats_server):
    problem = {"status": 404, "code": "vault.erased", "detail": "Erased."}

    async def main():
        async with asking(nats_server, json.dumps(problem).encode()) as (words, _):
            with pytest.raises(NotFoundError, match=r"vault\.erased"):
                await words.open(LOOK)

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"no json",
        b"[]",
        b'{"status": 200}',
        json.dumps(FOUND | {"content": "?"}).encode(),
        b'{"status": 503, "code": "x", "detail": "y"}',
    ],
    ids=["nobody", "no-json", "list", "half", "no-base64", "unavailable"],
)
def test_without_a_good_answer_the_words_are_away(nats_server, answer):
    async def main():
        async with asking(nats_server, answer) as (words, _):
            with pytest.raises(UnavailableError, match=r"handling\.words_away"):
                await words.open(LOOK)

    asyncio.run(main())


def test_silence_is_not_waited_for(nats_server):
    async def main():
        async with (
            asking(nats_server, silent=True) as (words, _),
            asyncio.timeout(PATIENCE),
        ):
            with pytest.raises(UnavailableError, match=r"handling\.words_away"):
                await words.open(LOOK)

    asyncio.run(main())

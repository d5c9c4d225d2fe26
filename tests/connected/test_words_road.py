"""Handling asks intake for words: what each answer means, and none at all."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from events import subjects
from services.handling.messaging.documents import IntakeWords
from services.handling.ports import Look, Paper, Sheet
from services.kernel.broker.connection import build_broker
from services.kernel.errors import NotFoundError, UnavailableError
from tests.support.nats import client_of, running_nats, settled

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
                for what in ("document", "file"):
                    await client.subscribe(subjects.ask("intake", what), cb=reply)
                await settled(client)
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
                    "act": "read",
                }
            ]

    asyncio.run(main())


SHEET = {
    "status": 200,
    "kind": "photo",
    "name": "漏水.gif",
    "media_type": "image/gif",
    "size": 600_000,
    "sha256": "ab" * 32,
}


def test_a_file_is_told_of_and_comes_in_pieces(nats_server):
    piece = {"status": 200, "content": base64.b64encode(b"\0" * 500_000).decode()}

    async def main():
        async with asking(nats_server, json.dumps(SHEET).encode()) as (words, asked):
            sheet = Sheet("photo", "漏水.gif", "image/gif", 600_000, "ab" * 32)
            assert await words.file(LOOK) == sheet
            assert "piece" not in asked[0]
        async with asking(nats_server, json.dumps(piece).encode()) as (words, asked):
            assert await words.piece(LOOK, 1) == b"\0" * 500_000
            assert asked[0]["piece"] == 1

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
            for asking_for in (
                words.open(LOOK),
                words.piece(LOOK, 0),
                words.file(LOOK),
            ):
                with pytest.raises(UnavailableError, match=r"handling\.words_away"):
                    await asking_for

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

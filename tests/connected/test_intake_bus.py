"""Intake on a real broker: questions, submissions, the relay, the customer's timeline."""

import asyncio
import json
from contextlib import asynccontextmanager

import nats.errors
import pytest

from events import codec, subjects
from events.subjects import Stream
from services.bus import CONSUMERS, streams
from services.intake.main import IntakeService
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.broker.connection import build_broker
from services.kernel.broker.provision import provision
from services.kernel.folder import DataFolder
from services.kernel.settings import Settings
from tests.support.intake import GOOD
from tests.support.nats import client_of

pytestmark = pytest.mark.connected
PHONE = GOOD | {"channel": "phone", "contact": {"name": "A", "phone": "+442079460958"}}


@asynccontextmanager
async def running(server, data):
    settings = Settings(data=data, stream_bytes=64 * 1024**2)
    folder = DataFolder(data)
    folder.make()

    async def prepare(client):
        await provision(client.jetstream(), streams(settings), CONSUMERS)

    service = IntakeService(
        settings=settings,
        folder=folder,
        broker=build_broker(server.url, name="intake", seed=server.seed),
        prepare=prepare,
        authenticator=OperatorTokens({"t": OPERATOR}),
    )
    await service.start()
    try:
        async with client_of(server) as client:
            yield service, client
    finally:
        await service.stop()


async def eventually(asked, patience=20.0):
    async with asyncio.timeout(patience):
        while True:
            if found := await asked():
                return found
            await asyncio.sleep(0.02)


async def ask(client, document, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    async def once():
        try:
            return await client.request(
                subjects.ask_submit("phone"), body, timeout=5, headers=headers or None
            )
        except nats.errors.NoRespondersError:
            return None

    return json.loads((await eventually(once)).data)


def test_a_question_is_answered_with_the_receipt(own_nats, tmp_path):
    async def main():
        async with running(own_nats, tmp_path / "data") as (_, client):
            first = await ask(client, PHONE, **{"Idempotency-Key": "k"})
            again = await ask(client, PHONE, **{"Idempotency-Key": "k"})
            assert (first["status"], again["status"]) == (201, 200)
            assert first["receipt_no"] == again["receipt_no"]
            malformed = await ask(client, b'{"a":1,"a":2}')
            assert (malformed["status"], malformed["code"]) == (422, "json.refused")
            others = await ask(client, GOOD)
            assert (others["status"], others["code"]) == (
                403,
                "intake.channel_not_yours",
            )

    asyncio.run(main())


def test_what_is_received_is_published_byte_for_byte(own_nats, tmp_path):
    async def main():
        async with running(own_nats, tmp_path / "data") as (_, client):
            receipt = await ask(client, PHONE)
            js = client.jetstream()

            async def published():
                return (await js.stream_info(Stream.INTAKE)).state.messages

            await eventually(published)
            message = await js.get_msg(Stream.INTAKE, 1)
            assert message.subject == "amends.intake.phone"
            event = codec.decode(message.data)
            assert str(event.case_id) == receipt["case_id"]
            assert message.headers["ce-subject"] == receipt["case_id"]
            assert b"kettle" not in message.data

    asyncio.run(main())

"""The system of a channel on the bus: it hands in and is answered, and that is all.

Each attack is tried by the locked user `phone`; then, as the control, by a user with all
rights in the services' account, for whom it works. That no subject but its own two is
carried for it, `make p12` and `test_isolation.py` look at.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import nats
import nats.errors
import nats.js.errors
import pytest
from nats.js import JetStreamContext

import services.intake.messaging
from bench.isolation.house import opened
from events import subjects
from events.subjects import Stream
from services.kernel.errors import UnavailableError
from tests.support.nats import settled

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.connected

PATIENCE = 0.3  # seconds; what the server does not answer it has dropped by then
PHONE = {
    "channel": "phone",
    "statement": "The kettle leaks.",
    "contact": {"name": "A", "phone": "+442079460958"},
}


@asynccontextmanager
async def at_the_phone(folder: Path):
    """Run amends; give its bus, a client of the services, and the channel's own."""

    async def quiet(_: Exception) -> None:
        """Say nothing of what is refused."""

    async with opened(folder) as house:
        entrance = next(e for e in house.bus.entrances if e.channel == "phone")
        services = await nats.connect(
            house.bus.url, nkeys_seed_str=house.bus.seed, error_cb=quiet
        )
        phone = await nats.connect(
            house.bus.url,
            nkeys_seed_str=entrance.seed,
            inbox_prefix=entrance.user.inbox_prefix,
            error_cb=quiet,
        )
        try:
            await until_it_is_there(services, Stream.SUBMIT)
            await until_it_is_heard(phone, subjects.ask_submit("phone"))
            yield services, phone
        finally:
            await phone.close()
            await services.close()


async def until_it_is_there(services, stream):
    async with asyncio.timeout(30):
        while True:
            try:
                return await services.jetstream().stream_info(stream)
            except nats.js.errors.NotFoundError:
                await asyncio.sleep(0.02)


async def until_it_is_heard(client, subject):
    """Ask what is refused, until the server knows of who answers."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await client.request(subject, b"{}", timeout=30)
            except nats.errors.NoRespondersError:
                await asyncio.sleep(0.02)


async def held(client, stream):
    return (await client.jetstream().stream_info(stream)).state.messages


async def handed_in(client, document, *, reply_to, key):
    """Put it into the stream; the answer is the broker's that it is kept there."""
    headers = {"Amends-Reply-To": reply_to, "Idempotency-Key": key}
    body = json.dumps(document).encode()
    return await client.request(
        subjects.submit("phone"), body, headers=headers, timeout=5
    )


def test_it_hands_in_by_request_and_by_the_stream_and_is_answered(tmp_path):
    async def main():
        async with at_the_phone(tmp_path / "data") as (services, phone):
            body = json.dumps(PHONE).encode()
            answer = await phone.request(
                subjects.ask_submit("phone"), body, headers={"Idempotency-Key": "k"}
            )
            first = json.loads(answer.data)
            inbox = phone.new_inbox()
            answers = await phone.subscribe(inbox)
            stored = json.loads(
                (await handed_in(phone, PHONE, reply_to=inbox, key="k")).data
            )
            again = json.loads((await answers.next_msg(timeout=10)).data)
            assert (first["status"], again["status"]) == (201, 200)
            assert first["receipt_no"] == again["receipt_no"]
            assert stored["stream"] == Stream.SUBMIT
            refused = await phone.request(
                subjects.ask_submit("phone"), json.dumps({"channel": "web"}).encode()
            )
            assert json.loads(refused.data)["status"] >= 400
            assert services.is_connected

    asyncio.run(main())


async def have_intake_publish_into_a_stream(client, services):
    """A request's answer may be wanted at any subject; allow-lists do not look."""
    body = json.dumps(PHONE).encode()
    reply = "amends.case.0.ComplaintClosed"
    await client.publish(subjects.ask_submit("phone"), body, reply=reply)
    return await grown(client, services, Stream.CASES)


async def have_the_stream_answer_into_another(client, services):
    body = json.dumps(PHONE).encode()
    reply = "amends.case.0.ComplaintClosed"
    await client.publish(subjects.submit("phone"), body, reply=reply)
    return await grown(client, services, Stream.CASES)


async def grown(client, services, stream):
    """Tell whether the stream holds what is no event."""
    await settled(client)
    await asyncio.sleep(PATIENCE)
    js = services.jetstream()
    last = (await js.stream_info(stream)).state.last_seq
    for number in range(1, last + 1):
        message = await js.get_msg(stream, number)
        if not (message.headers or {}).get("ce-id"):
            return True
    return False


async def hear_the_answers_of_another_channel(client, services):
    ears = [
        await client.subscribe(subject)
        for subject in ("_INBOX_channel_email.>", "_INBOX.>", ">")
    ]
    await settled(client)
    await services.publish("_INBOX_channel_email.x", b"a receipt and its code")
    await settled(services)
    return any([await came(ear) for ear in ears])


async def hear_complaints_of_others(client, services):
    ears = [await client.subscribe(subject) for subject in ("amends.>", ">")]
    await settled(client)
    await services.publish(subjects.ask_submit("email"), b"{}")
    await settled(services)
    return any([await came(ear) for ear in ears])


async def came(subscription):
    try:
        await subscription.next_msg(timeout=PATIENCE)
    except nats.errors.TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "attack",
    [
        have_intake_publish_into_a_stream,
        have_the_stream_answer_into_another,
        hear_the_answers_of_another_channel,
        hear_complaints_of_others,
    ],
    ids=lambda attack: attack.__name__,
)
def test_a_channel_gets_nowhere_with(attack, tmp_path):
    async def main():
        async with at_the_phone(tmp_path / "data") as (services, phone):
            tried = await attack(phone, services)
            return tried, await attack(services, services)

    assert asyncio.run(main()) == (False, True)


def test_intake_answers_a_channel_at_its_own_inbox_alone(tmp_path):
    """`Amends-Reply-To` is published by intake, who may publish everywhere."""

    async def main():
        async with at_the_phone(tmp_path / "data") as (services, phone):
            ear = await services.subscribe(">")
            await settled(services)
            own = phone.new_inbox()
            for number, to in enumerate(
                ["_INBOX_channel_email.x", "_INBOX.x", "amends.case.0.X", "x", own]
            ):
                await handed_in(phone, PHONE, reply_to=to, key=str(number))
            answered = []
            while own not in answered:
                message = await ear.next_msg(timeout=10)
                if b"access_code" in message.data:
                    answered.append(message.subject)
            assert answered == [own]

    asyncio.run(main())


def marked(number: int) -> dict[str, object]:
    return PHONE | {"statement": f"MARKED-{number:03d}: the kettle leaks."}


def left_on_disk(broker: Path) -> set[bytes]:
    """Search the broker's files, byte by byte."""
    files = [path for path in broker.rglob("*") if path.is_file()]
    assert any(path.suffix == ".blk" for path in files)
    whole = b"\n".join(path.read_bytes() for path in files)
    return {
        word
        for word in (b"NEIGHBOUR", *(b"MARKED-%03d" % n for n in range(50)))
        if word in whole
    }


@pytest.mark.parametrize("wiping", [True, False], ids=["wiped", "control"])
def test_no_acknowledged_words_are_in_the_broker_s_files(
    tmp_path, monkeypatch, wiping: bool
):
    """Nor while the message beside them, in the same file, still waits."""
    real = services.intake.messaging.handed_in

    async def hesitating(intake, body, **more):
        if b"NEIGHBOUR" in body:
            raise UnavailableError("test.away", "Not this one, not now.")
        return await real(intake, body, **more)

    async def kept(*_):
        """Leave the message where it is."""

    monkeypatch.setattr(services.intake.messaging, "handed_in", hesitating)
    if not wiping:
        monkeypatch.setattr(JetStreamContext, "delete_msg", kept)

    async def main():
        async with at_the_phone(tmp_path / "data") as (services, phone):
            neighbour = PHONE | {"statement": "NEIGHBOUR waits."}
            await handed_in(phone, neighbour, reply_to=phone.new_inbox(), key="n")
            inbox = phone.new_inbox()
            answers = await phone.subscribe(inbox)
            for number in range(50):
                key = str(number)
                await handed_in(phone, marked(number), reply_to=inbox, key=key)
            receipts = set()
            while len(receipts) < 50:
                answer = json.loads((await answers.next_msg(timeout=30)).data)
                receipts.add(answer["receipt_no"])
            async with asyncio.timeout(30):  # the last is wiped after its answer
                while True:
                    if not wiping or await held(services, Stream.SUBMIT) == 1:
                        break
                    await asyncio.sleep(0.02)

    asyncio.run(main())
    left = left_on_disk(tmp_path / "data/nats")
    assert b"NEIGHBOUR" in left
    assert len(left) == (1 if wiping else 51)

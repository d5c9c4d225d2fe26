"""Intake on a real broker: questions, submissions, the relay, the customer's timeline."""

import asyncio
import json
from contextlib import asynccontextmanager
from uuid import UUID

import nats.errors
import nats.js.errors
import pytest

from events import codec, subjects
from events.examples import EXAMPLES
from events.subjects import Stream
from services.bus import CONSUMERS, read_event, streams
from services.intake.main import IntakeService
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.broker.connection import build_broker
from services.kernel.broker.provision import provision
from services.kernel.folder import DataFolder
from services.kernel.log_client import open_log
from services.kernel.settings import Settings
from services.kernel.web.pages import Strangers
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
        viewers=Strangers(),
        read=read_event,
        handling_log=open_log("http://127.0.0.1:9", "t", "handling"),
        entrances={},
        addresses={},
        import_token=lambda actor, until: f"{actor} until {until}",
        departments=(),
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


async def hand_in(client, document, *, reply_to=None, key=None, channel="phone"):
    """Publish to the stream SUBMIT, when it is there."""
    headers = {"Amends-Reply-To": reply_to, "Idempotency-Key": key}
    headers = {name: value for name, value in headers.items() if value is not None}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    async def once():
        try:
            return await client.jetstream().publish(
                f"amends.submit.{channel}", body, headers=headers, stream=Stream.SUBMIT
            )
        except nats.js.errors.NoStreamResponseError:
            return None

    return await eventually(once)


async def emptied(client):
    async def empty():
        state = (await client.jetstream().stream_info(Stream.SUBMIT)).state
        return state.last_seq and state.messages == 0

    await eventually(empty)


def test_a_submission_is_answered_and_wiped_from_the_stream(own_nats, tmp_path):
    async def main():
        async with running(own_nats, tmp_path / "data") as (_, client):
            answers = await client.subscribe("answers.phone")
            await hand_in(client, PHONE, reply_to="answers.phone", key="k")
            first = json.loads((await answers.next_msg(timeout=10)).data)
            await hand_in(client, PHONE, reply_to="answers.phone", key="k")
            again = json.loads((await answers.next_msg(timeout=10)).data)
            assert (first["status"], again["status"]) == (201, 200)
            assert first["receipt_no"] == again["receipt_no"]
            await emptied(client)

    asyncio.run(main())
    words = b"The kettle leaks."
    files = [path for path in (tmp_path / "nats").rglob("*") if path.is_file()]
    assert any(path.suffix == ".blk" for path in files)
    assert not any(words in path.read_bytes() for path in files)


def test_what_is_no_complaint_is_kept_with_its_reason_before_it_goes(
    own_nats, tmp_path
):
    async def main():
        async with running(own_nats, tmp_path / "data") as (service, client):
            answers = await client.subscribe("answers.>")
            for channel, body in [
                ("phone", b"\xff{"),
                ("phone", GOOD),
                ("pigeon", PHONE | {"channel": "pigeon"}),
                ("phone", PHONE | {"contact": {"name": "A"}}),
            ]:
                await hand_in(client, body, reply_to="answers.x", channel=channel)
            told = [
                json.loads((await answers.next_msg(timeout=10)).data) for _ in range(4)
            ]
            assert sorted(each["code"] for each in told) == [
                "intake.channel_not_yours",
                "intake.invalid",
                "intake.invalid",
                "json.encoding",
            ]
            await emptied(client)
            told = [(each.subject, each.reason) for each in service._door.quarantined()]
            assert len(told) == 4
            assert ("amends.submit.phone", "intake.invalid") in told
            assert service._record.store.last_position() == 0
            heard = await client.jetstream().stream_info("QUARANTINE")
            assert heard.state.messages == 4

    asyncio.run(main())


def test_intake_publishes_for_nobody_where_they_may_not(own_nats, tmp_path):
    async def main():
        async with running(own_nats, tmp_path / "data") as (_, client):
            overheard = await client.subscribe("amends.case.>")
            await hand_in(client, PHONE, reply_to="amends.case.0.ComplaintClosed")
            await emptied(client)
            with pytest.raises(nats.errors.TimeoutError):
                await overheard.next_msg(timeout=0.2)

    asyncio.run(main())


def test_a_submission_handed_in_while_intake_was_away_is_taken_later(
    own_nats, tmp_path
):
    async def main():
        async with running(own_nats, tmp_path / "data") as (_, client):
            await hand_in(client, PHONE, key="1")
            await emptied(client)
        async with client_of(own_nats) as client:
            for number in range(20):
                await hand_in(client, PHONE, key=str(number))
        async with running(own_nats, tmp_path / "data") as (service, client):
            await emptied(client)
            assert service._record.store.last_position() == 20

    asyncio.run(main())


def test_the_customer_s_timeline_follows_the_case(own_nats, tmp_path):
    """Events of handling, also out of order, move state and unit; ours stay ours."""

    async def main():
        async with running(own_nats, tmp_path / "data") as (service, client):
            receipt = await ask(client, PHONE)
            number, case_id = receipt["receipt_no"], UUID(receipt["case_id"])
            first = codec.decode(service._record.store.log(0, 1)[0].body)
            history = [first]
            for name in (
                "ComplaintAccepted",
                "DepartmentAssigned",
                "AssignmentReturned",
            ):
                history.append(
                    EXAMPLES[name].model_copy(
                        update={"case_id": case_id, "version": len(history) + 1}
                    )
                )
            js = client.jetstream()

            async def prepared():
                return service._consumer is not None

            await eventually(prepared)  # questions are answered before streams exist
            for event in (history[0], history[2], history[1], history[3], history[2]):
                await js.publish(
                    subjects.case_event(case_id, event.type),
                    codec.encode(event),
                    headers=subjects.headers(event) | {"Amends-Position": "1"},
                )

            async def returned():
                progress = service._inquiries.progress(number)
                return progress if progress.standing.state == "ACCEPTED" else None

            async def followed():
                with service._record.database.read() as tx:
                    row = tx.fetchone(
                        "SELECT version FROM inbox_case WHERE case_id = ?", (case_id,)
                    )
                return row is not None and row[0] == 4

            await eventually(followed)
            progress = await returned()
            assert progress.standing.unit == history[2].data.department
            assert [step.type for step in progress.steps] == [
                "ComplaintReceived",
                "ComplaintAccepted",
                "DepartmentAssigned",
            ]

    asyncio.run(main())


def test_an_erasure_that_comes_twice_is_applied_once_and_cleaned_up(own_nats, tmp_path):
    async def main():
        async with running(own_nats, tmp_path / "data") as (service, client):
            receipt = await ask(client, PHONE)
            case_id = UUID(receipt["case_id"])
            received = codec.decode(service._record.store.log(0, 1)[0].body)
            subject = received.data.subject_id
            example = EXAMPLES["SubjectErased"]
            erased = example.model_copy(
                update={
                    "case_id": case_id,
                    "version": 2,
                    "data": example.data.model_copy(update={"subject_id": subject}),
                }
            )

            async def prepared():
                return service._consumer is not None

            await eventually(prepared)
            for event in (received, erased, erased):
                await client.jetstream().publish(
                    subjects.case_event(case_id, event.type),
                    codec.encode(event),
                    headers=subjects.headers(event) | {"Amends-Position": "1"},
                )

            async def cleaned():
                found = service._intake_record.of_person(subject)
                return found if found.erased and found.erased.cleaned_at else None

            found = await eventually(cleaned)
            assert (found.documents, found.marks) == ((), 0)

            async def read():
                state = await client.jetstream().consumer_info(Stream.CASES, "intake")
                return state.num_pending == 0 and state.num_ack_pending == 0

            await eventually(read)
            assert service._intake_record.of_person(subject) == found
            steps = service._inquiries.progress(receipt["receipt_no"]).steps
            assert [step.type for step in steps].count("SubjectErased") == 1

    asyncio.run(main())

"""Intake on the bus: complaints come in two ways, received ones go out."""

import asyncio
import base64
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, cast
from uuid import UUID

import limits
from faststream.nats import NatsBroker, NatsMessage
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import TypeAdapter, ValidationError

from events import codec, subjects
from events.envelope import Envelope
from events.subjects import Stream
from services.intake.application.inquiries import Inquiries, Person, Renewal, Wanted
from services.intake.application.receipt_number import as_receipt_no
from services.intake.application.submitting import Intake
from services.intake.ports import Belongings, Sought
from services.kernel.access import Credential
from services.kernel.broker.headers import MESSAGE_ID
from services.kernel.broker.pull import StandingPull
from services.kernel.broker.wiping import Wiping
from services.kernel.clock import rfc3339
from services.kernel.errors import (
    AmendsError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.inbox import Again, Arrived, Door, Effect, Quarantined, told_of
from services.kernel.logs import accepted_correlation_id, correlated, new_correlation_id
from services.kernel.questions import CORRELATION_HEADER, answered
from services.kernel.relay import Outgoing
from services.kernel.store.database import Tx
from services.kernel.store.recorder import LogEntry
from services.kernel.tasks import end
from services.kernel.web.problems import problem_of
from services.kernel.web.reading import malformed, strict_json

KEY_HEADER: Final = "Idempotency-Key"
REPLY_HEADER: Final = "Amends-Reply-To"
WRONG_CODES_PER_MINUTE: Final = 10
"""For one receipt; more of them look like guessing."""
SUBMIT_DURABLE: Final = "intake-submit"

_WANTED: Final = TypeAdapter(Wanted)
_RENEWAL: Final = TypeAdapter(Renewal)
_CLAUSES: Final = TypeAdapter(list[list[Sought]])
_PERSON: Final = TypeAdapter(Person)
_ANY: Final = "any"
_ASKED: Final = subjects.ask_submit(_ANY).replace(_ANY, "*")
_LONGEST_SUBJECT: Final = 255
_AT_ONCE: Final = 100
"""Questions answered at the same time; they share commits."""


def received_message(entry: LogEntry) -> tuple[Outgoing]:
    """Publish every received complaint on INTAKE, under its channel."""
    about = codec.heading(entry.body)
    return (
        Outgoing(
            subject=subjects.intake_event(about.channel or subjects.UNSTATED),
            body=entry.body,
            headers=subjects.headers(about),
        ),
    )


def following(follow: Callable[[Tx, Sequence[Envelope[Any]]], None]) -> Effect:
    """Have `follow` note what handling did to cases."""

    def effect(tx: Tx, arrived: Sequence[Arrived]) -> None:
        follow(tx, [cast("Envelope[Any]", each.event) for each in arrived])

    return effect


class Guesses:
    """Counts wrong access codes for one receipt over the last minute, in this process."""

    def __init__(self, per_minute: int = WRONG_CODES_PER_MINUTE) -> None:
        self._limit = limits.RateLimitItemPerMinute(per_minute)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def check(self, number: str) -> None:
        """Raise TooManyError, whatever the next code is."""
        if not self._window.test(self._limit, _digits(number)):
            raise TooManyError(
                "intake.too_many_codes",
                "Too many wrong access codes: try the right one again in a minute.",
            )

    def count(self, number: str) -> None:
        self._window.hit(self._limit, _digits(number))


async def handed_in(
    intake: Intake, body: bytes, *, channel: str, key: str | None, correlation_id: str
) -> dict[str, Any]:
    """Submit what a channel sent over the bus. Raises as `Intake.submit`."""
    receipt = await intake.submit(
        strict_json(body),
        key=key,
        caller=of_channel(channel),
        correlation_id=correlation_id,
    )
    return {"status": 200 if receipt.repeated else 201, **receipt.told()}


def answer_questions(broker: NatsBroker, intake: Intake, inquiries: Inquiries) -> None:
    """Answer `amends.ask.submit.<channel>` with the receipt, or with the problem.

    Such a question crosses the broker without being stored. The subject, which the
    broker lets nobody but the channel's own user publish to, names the sender.
    """

    @broker.subscriber(
        _ASKED,
        queue="intake",
        max_workers=_AT_ONCE,
        decoder=lambda message: message.body,  # read strictly below
        title="Complaints handed in by request",
    )
    async def asked(message: NatsMessage) -> bytes:
        async def work(correlation_id: str) -> dict[str, Any]:
            return await handed_in(
                intake,
                message.body,
                channel=message.raw_message.subject.rpartition(".")[2],
                key=message.headers.get(KEY_HEADER),
                correlation_id=correlation_id,
            )

        return await answered(message.headers, work)

    guesses = Guesses()

    @broker.subscriber(
        subjects.ask("intake", "access"),
        queue="intake",
        max_workers=_AT_ONCE,
        decoder=lambda message: message.body,
        title="Whether an access code opens a complaint",
    )
    async def access(message: NatsMessage) -> bytes:
        async def work(_: str) -> dict[str, Any]:
            return await asyncio.to_thread(opened, inquiries, message.body, guesses)

        return await answered(message.headers, work)

    @broker.subscriber(
        subjects.ask("intake", "new-code"),
        queue="intake",
        max_workers=_AT_ONCE,
        decoder=lambda message: message.body,
        title="A new access code, for a colleague who tells it to the customer",
    )
    async def new_code(message: NatsMessage) -> bytes:
        async def work(_: str) -> dict[str, Any]:
            made = await inquiries.new_code(renewal_of(strict_json(message.body)))
            return {"status": 200, **asdict(made)}

        return await answered(message.headers, work)

    @broker.subscriber(
        subjects.ask("intake", "find"),
        queue="intake",
        max_workers=_AT_ONCE,
        decoder=lambda message: message.body,
        title="Which complaints have a number, an address or words",
    )
    async def find(message: NatsMessage) -> bytes:
        async def work(_: str) -> dict[str, Any]:
            clauses = clauses_of(strict_json(message.body))
            found, since = await inquiries.search(clauses)
            cases = [_packed(each) for each in found]
            unsearched = since and rfc3339(since)
            return {"status": 200, "cases": cases, "unsearched_since": unsearched}

        return await answered(message.headers, work)


def answer_readers(broker: NatsBroker, inquiries: Inquiries) -> None:
    """Give colleagues what people wrote and handed in; each look is noted."""

    @broker.subscriber(
        subjects.ask("intake", "document"),
        queue="intake",
        max_workers=_AT_ONCE,
        decoder=lambda message: message.body,
        title="What somebody wrote, for a colleague who handles the case",
    )
    async def document(message: NatsMessage) -> bytes:
        async def work(_: str) -> dict[str, Any]:
            found = await inquiries.document(wanted_of(strict_json(message.body)))
            return {
                "status": 200,
                "kind": found.kind,
                "media_type": found.media_type,
                "masked": found.masked,
                "content": base64.b64encode(found.content).decode(),
            }

        return await answered(message.headers, work)

    @broker.subscriber(
        subjects.ask("intake", "file"),
        queue="intake",
        max_workers=_AT_ONCE,
        decoder=lambda message: message.body,
        title="A file that came with a complaint, in pieces",
    )
    async def file(message: NatsMessage) -> bytes:
        async def work(_: str) -> dict[str, Any]:
            return await told_of_file(inquiries, strict_json(message.body))

        return await answered(message.headers, work)


async def told_of_file(inquiries: Inquiries, asked: object) -> dict[str, Any]:
    """Tell of a file, or with `piece` (a number from 0) give that piece of it.

    What of it somebody sees is noted when it is told of. Raises MalformedError.
    """
    given = dict(asked) if isinstance(asked, dict) else {}
    number = given.pop("piece", None)
    wanted = wanted_of(given)
    if isinstance(number, int):
        content = await asyncio.to_thread(inquiries.piece, wanted, number)
        return {"status": 200, "content": base64.b64encode(content).decode()}
    found = await inquiries.file(wanted)
    return {
        "status": 200,
        "kind": found.kind,
        "name": found.name,
        "media_type": found.media_type,
        "size": found.size,
        "sha256": found.sha256,
    }


def renewal_of(asked: object) -> Renewal:
    """Read `{"case_id", "actor", "role", "department"?, "key"?, "verified"?}`.

    Only our own services can ask. Raises MalformedError.
    """
    try:
        return _RENEWAL.validate_python(asked)
    except ValidationError as refused:
        raise malformed(refused) from None


def clauses_of(asked: object) -> list[list[Sought]]:
    """Read `{"clauses": [[[kind, value], …], …]}`; only our own services can ask.

    Raises MalformedError.
    """
    try:
        given = asked.get("clauses") if isinstance(asked, dict) else None
        return _CLAUSES.validate_python(given)
    except ValidationError as refused:
        raise malformed(refused) from None


def _packed(cases: Collection[UUID]) -> str:
    """Give ids in as few bytes as they need: 20,000 of them fit one message."""
    return base64.b64encode(b"".join(each.bytes for each in cases)).decode()


def wanted_of(asked: object) -> Wanted:
    """Read `{"document_id", "case_id", "actor", "role", "department"?, "purpose"?, "act"?}`.

    Only our own services can ask. Raises MalformedError.
    """
    try:
        return _WANTED.validate_python(asked)
    except ValidationError as refused:
        raise malformed(refused) from None


def answer_about_people(broker: NatsBroker, inquiries: Inquiries) -> None:
    """Answer handling how much there is of a person."""

    @broker.subscriber(
        subjects.ask("intake", "person"),
        queue="intake",
        max_workers=_AT_ONCE,
        decoder=lambda message: message.body,
        title="How much there is of a person, for whoever answers them",
    )
    async def person(message: NatsMessage) -> bytes:
        async def work(_: str) -> dict[str, Any]:
            asked = person_of(strict_json(message.body))
            found = await asyncio.to_thread(inquiries.of_person, asked)
            return {"status": 200, **belongings_json(found)}

        return await answered(message.headers, work)


def person_of(asked: object) -> Person:
    """Read `{"subject_id"}`. Raises MalformedError."""
    try:
        return _PERSON.validate_python(asked)
    except ValidationError as refused:
        raise malformed(refused) from None


def belongings_json(found: Belongings) -> dict[str, Any]:
    """Tell what lies here of a person; `cleaned_at` when the files were clean of it."""
    erased = found.erased
    return {
        "documents": [
            {"kind": each.kind, "documents": each.documents, "bytes": each.size}
            for each in found.documents
        ],
        "marks": found.marks,
        "erased_at": rfc3339(erased.erased_at) if erased else None,
        "cleaned_at": rfc3339(erased.cleaned_at)
        if erased and erased.cleaned_at
        else None,
    }


def opened(inquiries: Inquiries, body: bytes, guesses: Guesses) -> dict[str, Any]:
    """Answer `{"receipt_no", "access_code"}`. Raises as `Inquiries.opened` and `Guesses`."""
    asked = strict_json(body)
    given = asked if isinstance(asked, dict) else {}
    number, code = (str(given.get(name, "")) for name in ("receipt_no", "access_code"))
    guesses.check(number)
    try:
        found = inquiries.opened(number, code)
    except UnauthenticatedError:
        guesses.count(number)
        raise
    return {
        "status": 200,
        "case_id": str(found.case_id),
        "receipt_no": found.receipt_no,
    }


def taking_in(intake: Intake) -> Again:
    """Submit once more what was refused: an upgrade may have made it right."""

    async def again(message: Quarantined, body: bytes) -> bool:
        try:
            await handed_in(
                intake,
                body,
                channel=message.subject.rpartition(".")[2],
                key=str(message.document_id),
                correlation_id=new_correlation_id(),
            )
        except UnavailableError:
            raise  # unknown
        except AmendsError:
            return False
        return True

    return again


class Submissions:
    """Takes complaints from the stream SUBMIT and wipes them from it.

    A message leaves the stream, and its words the disk, once its complaint or its refusal
    is committed and the answer is under way to `Amends-Reply-To`. Until then it comes
    again; it is the same complaint then, under its key or its place in the stream.
    """

    def __init__(
        self, client: Client, intake: Intake, inboxes: Mapping[str, str], door: Door
    ) -> None:
        """`inboxes` are those of channels that have a user of their own on the bus."""
        self._client = client
        self._inboxes = inboxes
        self._js = client.jetstream()
        self._intake = intake
        self._door = door
        self._pull = StandingPull(client, stream=Stream.SUBMIT, durable=SUBMIT_DURABLE)
        self._wiping = Wiping(client, stream=Stream.SUBMIT, durable=SUBMIT_DURABLE)

    @property
    def fault(self) -> str | None:
        return self._pull.fault

    @property
    def in_hand(self) -> int:
        return self._pull.in_hand

    async def lag(self) -> tuple[int, float]:
        """Give how many submissions wait, and the age in seconds of the oldest."""
        return await self._pull.lag()

    async def run(self) -> None:
        wiping = asyncio.create_task(self._wiping.run())
        try:
            await self._pull.run(self._take)
        finally:
            await end(wiping)

    async def stop(self) -> None:
        await self._pull.stop()
        await self._wiping.finish()

    async def _take(self, messages: Sequence[Msg]) -> None:
        """Take what gathered; together, so that it shares commits.

        One that must come again does not keep the others from being settled.
        """
        ended = await asyncio.gather(*map(self._one, messages), return_exceptions=True)
        for each in ended:
            if each is not None:
                raise each

    async def _one(self, message: Msg) -> None:
        headers = message.headers or {}
        correlation_id = accepted_correlation_id(headers.get(CORRELATION_HEADER))
        with correlated(correlation_id):
            answer = await self._settled(message, headers, correlation_id)
            reply_to = headers.get(REPLY_HEADER, "")
            channel = message.subject.rpartition(".")[2]
            if _may_be_answered(reply_to, self._inboxes.get(channel)):
                await self._client.publish(reply_to, json.dumps(answer).encode())
            self._wiping.settled(message.metadata.sequence.stream)

    async def _settled(
        self, message: Msg, headers: Mapping[str, str], correlation_id: str
    ) -> dict[str, Any]:
        """Have the complaint or its refusal committed, and give the answer."""
        channel = message.subject.rpartition(".")[2]
        place = _place_of(message)
        try:
            return await handed_in(
                self._intake,
                message.data,
                channel=channel,
                key=headers.get(KEY_HEADER, place),
                correlation_id=correlation_id,
            )
        except UnavailableError:
            raise  # unknown: it comes again
        except AmendsError as refusal:
            kept = await self._door.refuse(
                message.data, refusal, message_id=place, subject=message.subject
            )
            await self._js.publish(
                subjects.quarantined("intake"),
                json.dumps(told_of(kept)).encode(),
                headers={MESSAGE_ID: str(kept.document_id)},
            )
            return problem_of(refusal)


def _place_of(message: Msg) -> str:
    """Name a message for ever: a stream that was made anew counts from 1 again."""
    metadata = message.metadata
    return f"submit:{metadata.timestamp:%Y%m%dT%H%M%S.%f}:{metadata.sequence.stream}"


def _may_be_answered(reply_to: str, inbox: str | None) -> bool:
    """Refuse subjects that are ours, the server's, or no subject at all.

    A channel must not have intake publish for it where it may not itself; where it has
    an `inbox` of its own, it is answered there alone.
    """
    return (
        (inbox is None or reply_to.startswith(f"{inbox}."))
        and 0 < len(reply_to) <= _LONGEST_SUBJECT
        and not reply_to.startswith(("amends.", "$"))
        and all(reply_to.split("."))
        and not any(
            character in " *>" or not character.isprintable() for character in reply_to
        )
    )


def _digits(number: str) -> str:
    """Give what is counted: one receipt, however it is typed."""
    return as_receipt_no(number) or "none"


def of_channel(channel: str) -> Credential:
    """Give the credential of a channel's user on the bus."""
    return Credential(actor=f"bus.{channel}", role="channel", channel=channel)

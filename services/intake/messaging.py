"""Intake on the bus: complaints come in two ways, received ones go out."""

import json
from typing import Any, Final

import structlog
from faststream.nats import NatsBroker, NatsMessage

from events import codec, subjects
from services.intake.application import Intake
from services.kernel.access import Credential
from services.kernel.errors import AmendsError, UnavailableError
from services.kernel.logs import accepted_correlation_id, correlated
from services.kernel.relay import Outgoing
from services.kernel.store.recorder import LogEntry
from services.kernel.web.problems import problem_of
from services.kernel.web.reading import strict_json

KEY_HEADER: Final = "Idempotency-Key"
CORRELATION_HEADER: Final = "Amends-Correlation-Id"

_ANY: Final = "any"
_ASKED: Final = subjects.ask_submit(_ANY).replace(_ANY, "*")
_AT_ONCE: Final = 100
"""Questions answered at the same time; they share commits."""

_log = structlog.get_logger(__name__)


def received_message(entry: LogEntry) -> tuple[Outgoing]:
    """Publish every received complaint on INTAKE, under its channel."""
    about = codec.heading(entry.body)
    assert about.channel is not None  # noqa: S101 intake stores no event without
    return (
        Outgoing(
            subject=subjects.intake_event(about.channel),
            body=entry.body,
            headers=subjects.headers(about),
        ),
    )


def answer_questions(broker: NatsBroker, intake: Intake) -> None:
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
        headers = message.headers
        correlation_id = accepted_correlation_id(headers.get(CORRELATION_HEADER))
        with correlated(correlation_id):
            answer = await handed_in(
                intake,
                message.body,
                channel=message.raw_message.subject.rpartition(".")[2],
                key=headers.get(KEY_HEADER),
                correlation_id=correlation_id,
            )
        return json.dumps(answer).encode()


async def handed_in(
    intake: Intake, body: bytes, *, channel: str, key: str | None, correlation_id: str
) -> dict[str, Any]:
    """Submit what a channel sent over the bus; a refusal is an answer as well."""
    try:
        receipt = await intake.submit(
            strict_json(body),
            key=key,
            caller=of_channel(channel),
            correlation_id=correlation_id,
        )
    except AmendsError as refusal:
        return problem_of(refusal)
    except Exception:  # noqa: BLE001 whoever asks waits for an answer
        _log.exception("intake.bus_failed")
        return problem_of(
            UnavailableError("intake.failed", "Ask again with the same key.")
        )
    return {"status": 200 if receipt.repeated else 201, **receipt.told()}


def of_channel(channel: str) -> Credential:
    """Give the credential of a channel's user on the bus."""
    return Credential(actor=f"bus.{channel}", role="channel", channel=channel)

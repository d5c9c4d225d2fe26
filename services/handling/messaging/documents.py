"""Ask intake for what somebody wrote; nothing of the answer is kept."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

import nats.errors
from faststream.exceptions import FastStreamException

from events import subjects
from services.handling.ports import Paper, Sheet
from services.kernel.errors import NotFoundError, UnavailableError
from services.kernel.logs import correlation_id
from services.kernel.questions import CORRELATION_HEADER

if TYPE_CHECKING:
    from faststream.nats import NatsBroker

    from services.handling.ports import Look

WITHIN: Final = 2.0
"""Seconds that intake has to answer."""

_FOUND: Final = 200
_NOT_FOUND: Final = 404
_UNREADABLE: Final = (ValueError, LookupError, TypeError)


class IntakeWords:
    """`ports.IntakeDocuments` over the bus; neither question nor answer is stored."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._broker = broker
        self._within = within

    async def open(self, look: Look) -> Paper:
        """Ask; raises as the port says, UnavailableError within two seconds."""
        answer = await self._asked("document", _question(look))
        try:
            return Paper(
                str(answer["kind"]),
                str(answer["media_type"]),
                base64.b64decode(answer["content"], validate=True),
                bool(answer["masked"]),
            )
        except _UNREADABLE:
            raise _away() from None

    async def file(self, look: Look) -> Sheet:
        answer = await self._asked("file", _question(look))
        try:
            return Sheet(
                str(answer["kind"]),
                str(answer["name"]),
                str(answer["media_type"]),
                int(answer["size"]),
                str(answer["sha256"]),
            )
        except _UNREADABLE:
            raise _away() from None

    async def piece(self, look: Look, number: int) -> bytes:
        answer = await self._asked("file", _question(look) | {"piece": number})
        try:
            return base64.b64decode(answer["content"], validate=True)
        except _UNREADABLE:
            raise _away() from None

    async def _asked(self, what: str, question: dict[str, Any]) -> dict[str, Any]:
        known = correlation_id()
        try:
            reply = await self._broker.request(
                json.dumps(question).encode(),
                subjects.ask("intake", what),
                headers={CORRELATION_HEADER: known} if known else None,
                timeout=self._within,
            )
            answer: dict[str, Any] = json.loads(reply.body)
            status = int(answer["status"])
            if status == _FOUND:
                return answer
            refused = str(answer["code"]), str(answer["detail"])
        except (
            OSError,
            TimeoutError,
            nats.errors.Error,
            FastStreamException,
            *_UNREADABLE,
        ):
            raise _away() from None
        if status == _NOT_FOUND:
            raise NotFoundError(*refused)
        raise _away()


def _question(look: Look) -> dict[str, Any]:
    return look._asdict() | {
        "case_id": str(look.case_id),
        "document_id": str(look.document_id),
    }


def _away() -> UnavailableError:
    return UnavailableError(
        "handling.words_away",
        "What was handed in cannot be shown at the moment; all else can be done.",
        retry_after=5,
    )

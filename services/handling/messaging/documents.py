"""Ask intake for what somebody wrote; nothing of the answer is kept."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from services.handling.messaging.asking import WITHIN, Intake
from services.handling.ports import Paper, Sheet
from services.kernel.errors import UnavailableError

if TYPE_CHECKING:
    from faststream.nats import NatsBroker

    from services.handling.ports import Look


class IntakeWords:
    """`ports.IntakeDocuments` over the bus."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._intake = Intake(broker, within)

    async def open(self, look: Look) -> Paper:
        return await self._intake.asked(
            "document", _question(look), _paper, away=words_away()
        )

    async def file(self, look: Look) -> Sheet:
        return await self._intake.asked(
            "file", _question(look), _sheet, away=words_away()
        )

    async def piece(self, look: Look, number: int) -> bytes:
        question = _question(look) | {"piece": number}
        return await self._intake.asked("file", question, _content, away=words_away())


def words_away() -> UnavailableError:
    return UnavailableError(
        "handling.words_away",
        "What was handed in cannot be shown at the moment; all else can be done.",
        retry_after=5,
    )


def _question(look: Look) -> dict[str, Any]:
    return look._asdict() | {
        "case_id": str(look.case_id),
        "document_id": str(look.document_id),
    }


def _content(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["content"], validate=True)


def _paper(answer: dict[str, Any]) -> Paper:
    return Paper(
        str(answer["kind"]),
        str(answer["media_type"]),
        _content(answer),
        bool(answer["masked"]),
    )


def _sheet(answer: dict[str, Any]) -> Sheet:
    return Sheet(
        str(answer["kind"]),
        str(answer["name"]),
        str(answer["media_type"]),
        int(answer["size"]),
        str(answer["sha256"]),
    )

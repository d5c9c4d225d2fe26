"""Answers to questions of the bus: JSON with a status, a refusal as its problem."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog

from services.kernel.errors import AmendsError, UnavailableError
from services.kernel.logs import accepted_correlation_id, correlated
from services.kernel.web.problems import problem_of

CORRELATION_HEADER: Final = "Amends-Correlation-Id"

_log = structlog.get_logger(__name__)


async def answered(
    headers: Mapping[str, str], work: Callable[[str], Awaitable[Mapping[str, Any]]]
) -> bytes:
    """Give the reply: what `work` makes of the question, or why it did not.

    `work` gets the correlation id. Whoever asks waits, so nothing is left unanswered;
    of an unexpected error only the log tells more.
    """
    correlation_id = accepted_correlation_id(headers.get(CORRELATION_HEADER))
    with correlated(correlation_id):
        try:
            answer = await work(correlation_id)
        except AmendsError as refusal:
            answer = problem_of(refusal)
        except Exception:  # noqa: BLE001 see above
            _log.exception("question.failed")
            answer = problem_of(
                UnavailableError(
                    "question.failed",
                    "The outcome is unknown: ask again with the same key.",
                )
            )
    return json.dumps(answer).encode()

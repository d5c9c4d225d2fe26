"""Sends lines to a batch endpoint until every one has an answer that is not 'unknown'."""

import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx

from services.kernel.errors import MalformedError, UnavailableError

TRIES: Final = 6
_LOOK: Final = 0.2  # seconds between two looks
FIRST_PAUSE: Final = 0.5  # seconds; doubled at each try

Results = list[dict[str, Any]]


def posted(
    client: httpx.Client,
    url: str,
    lines: list[bytes],
    sleep: Callable[[float], None],
    *,
    unknown: Callable[[Mapping[str, Any]], bool] = lambda _result: False,
) -> Results:
    """Give the result of each line.

    Lines are sent again together where one has a result of 500 or above, or one that
    `unknown` says is none yet. Raises `UnavailableError` where that does not end.
    """
    pause = FIRST_PAUSE
    for _ in range(TRIES):
        results = _once(client, url, lines)
        if results is not None and not any(map(unknown, results)):
            return results
        sleep(pause)
        pause *= 2
    raise _away()


def taken_over(client: httpx.Client) -> None:
    """Return when handling has a case for everything that was received."""
    received = _progress(client)["intake"]["recorded"]
    while _progress(client)["handling"]["intake"] < received:
        time.sleep(_LOOK)


def _progress(client: httpx.Client) -> dict[str, Any]:
    for pause in (1, 2, 4, 8, 16, 0):
        try:
            answer = client.get("/api/progress")
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
        except httpx.TransportError:
            pass
        time.sleep(pause)
    raise _away()


def _once(client: httpx.Client, url: str, lines: list[bytes]) -> Results | None:
    """Give the results of all lines, or None where sending again may help."""
    try:
        answer = client.post(
            url,
            content=b"".join(lines),
            headers={"Content-Type": "application/x-ndjson"},
        )
    except httpx.TransportError:
        return None
    if answer.is_server_error:
        return None
    if answer.status_code == HTTPStatus.UNAUTHORIZED:  # a token lives as its process
        raise UnavailableError(
            "import.intake_restarted",
            "amends was started anew meanwhile: run the same import again, nothing is"
            " received twice.",
        )
    if not answer.is_success:
        raise MalformedError(
            "import.refused",
            f"The import was refused: {answer.json().get('detail', answer.text)}",
        )
    results = [json.loads(line) for line in answer.content.splitlines()]
    failed = HTTPStatus.INTERNAL_SERVER_ERROR
    if len(results) != len(lines) or any(each["status"] >= failed for each in results):
        return None
    return results


def _away() -> UnavailableError:
    return UnavailableError(
        "import.intake_away",
        "Run the same import again when amends answers: nothing is received twice.",
    )

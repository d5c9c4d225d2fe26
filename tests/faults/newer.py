"""A later version of an event that no release has, for the promise that it is held.

`knowing` makes a process one of the release that writes and reads it; `guessing` one of
the release before that reads it all the same, and wrongly. Call either before anything
else of amends is imported.
"""

from __future__ import annotations

import json
from typing import Any

from events import codec

TYPE = "ComplaintAccepted"
_MARK = f'"type":"{TYPE}"'.encode()
_GUESS = "other/unknown"


def knowing() -> None:
    """Write the later version, in which `category` is called otherwise, and read it."""
    encode, decode = codec.encode, codec.decode

    def later(envelope: Any) -> bytes:
        body = encode(envelope)
        if envelope.type != TYPE:
            return body
        fact = json.loads(body)
        fact["schema_version"] += 1
        fact["data"]["found_category"] = fact["data"].pop("category")
        return _written(fact)

    def known(body: bytes) -> Any:
        if _MARK not in body:
            return decode(body)
        fact = json.loads(body)
        if "found_category" in fact["data"]:
            fact["schema_version"] -= 1
            fact["data"]["category"] = fact["data"].pop("found_category")
        return decode(_written(fact))

    codec.encode, codec.decode = later, known


def guessing() -> None:
    """Read whatever is newer as if it were today's, and fill in what is missing."""
    decode = codec.decode

    def guessed(body: bytes) -> Any:
        try:
            return decode(body)
        except codec.UnreadableEventError:
            fact = json.loads(body)
            fact["schema_version"] -= 1
            fact["data"].setdefault("category", _GUESS)
            return decode(_written(fact))

    codec.decode = guessed


def _written(fact: dict[str, Any]) -> bytes:
    return json.dumps(fact, ensure_ascii=False, separators=(",", ":")).encode()

"""An event read to be folded, held against the one that the codec reads."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic import BaseModel

from events import codec, quick
from events.envelope import Envelope
from events.vocabulary import State

NOT_READ = {"type", "tenant", "causation_id", "correlation_id", "policy", "departments"}


def values(read: Any) -> Any:
    """Give all fields of a struct, of those in it too."""
    if isinstance(read, msgspec.Struct):
        return {name: values(at) for name, at in msgspec.structs.asdict(read).items()}
    if isinstance(read, BaseModel):
        return read.model_dump()
    return tuple(map(values, read)) if isinstance(read, tuple) else read


def same_when_quick(envelope: Envelope[Any]) -> None:
    read = quick.decode(envelope.type, codec.encode(envelope))
    assert read.type == envelope.type
    for state in (None, State.RECEIVED):
        assert read.data.state_after(state) == envelope.data.state_after(state)
    if envelope.type in quick.LEFT_TO_THE_CODEC:
        assert read == envelope
    else:
        assert not isinstance(read, Envelope), "it was not read quickly"
        assert values(read) == envelope.model_dump(exclude=NOT_READ)

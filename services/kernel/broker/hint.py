"""Remember how far a relay came where the stream itself cannot tell."""

import json
import time
from dataclasses import dataclass
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Hint:
    """A position that was acknowledged, and the stream's length at that time."""

    position: int = 0
    sequence: int = 0
    epoch: str | None = None


@dataclass(slots=True)
class Hints:
    """The hint of one relay in a key-value bucket of the broker."""

    js: JetStreamContext
    bucket: str
    key: str
    epoch: str
    _store: KeyValue | None = None
    _revision: int = 0
    _position: int = 0
    _written: float = 0.0

    async def read(self) -> Hint:
        """Give the hint, or an empty one; BucketNotFoundError when nothing is provided."""
        if self._store is None:
            self._store = await self.js.key_value(self.bucket)
        try:
            entry = await self._store.get(self.key)
        except KeyNotFoundError:
            self._revision = self._position = 0
            return Hint()
        kept = json.loads(entry.value or b"{}")
        hint = Hint(int(kept["position"]), int(kept["sequence"]), str(kept["epoch"]))
        self._revision, self._position = entry.revision or 0, hint.position
        return hint

    async def write(self, position: int, sequence: int, *, at_once: bool) -> None:
        """Keep the position if it is news and the last time was long enough ago."""
        if self._store is None or position <= self._position:
            return
        now = time.monotonic()
        if now - self._written < _PAUSE and not at_once:
            return
        self._written = now
        value = {"epoch": self.epoch, "position": position, "sequence": sequence}
        try:
            self._revision = await self._store.update(
                self.key, json.dumps(value).encode(), last=self._revision
            )
            self._position = position
        except KeyWrongLastSequenceError:
            await self.read()  # a rival's; the higher one stays

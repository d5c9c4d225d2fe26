"""Counts the receipts given and refused, and when each channel last brought something."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from events.vocabulary import Channel
from services.kernel import measures
from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from services.kernel.measures import Sample

SEEN_AT_START = 1_000
"""Events at the end of the record in which a start looks for each channel's last one."""


REFUSALS = (
    "service.busy",
    "service.stopping",
    "service.no_room",
    "intake.store_unavailable",
)
"""Why there is a 503 instead of a receipt, mostly."""


class Receipts:
    """What this process gave and refused since it began; in the loop's thread alone."""

    def __init__(self, silence: Mapping[str, timedelta], *, began: datetime) -> None:
        """`silence` says how long a channel may bring nothing.

        Raises RefusedError for a channel that there is not.
        """
        unknown = sorted(set(silence) - {each.value for each in Channel})
        if unknown:
            raise RefusedError(
                "settings.unknown_channel",
                f"AMENDS_CHANNEL_SILENCE names {', '.join(unknown)}: use "
                + ", ".join(each.value for each in Channel)
                + ".",
            )
        self._silence = dict(silence)
        self._last = dict.fromkeys(silence, began)
        self._given: Counter[str] = Counter()
        # Told from the start: a counter that appears with its first refusal has not
        # grown, for whoever watches its growth.
        self._refused: Counter[str] = Counter(dict.fromkeys(REFUSALS, 0))

    def given(self, channel: str, at: datetime) -> None:
        self._given[channel] += 1
        self.heard(channel, at)

    def heard(self, channel: str, at: datetime) -> None:
        """Note when a channel brought something, in whatever order it is told."""
        if channel not in self._last or self._last[channel] < at:
            self._last[channel] = at

    def refused(self, code: str) -> None:
        self._refused[code] += 1

    def figures(self) -> list[Sample]:
        return [
            *(measures.RECEIPTS.of(n, code) for code, n in self._given.items()),
            *(measures.RECEIPTS_REFUSED.of(n, c) for c, n in self._refused.items()),
            *(
                measures.CHANNEL_LAST.of(at.timestamp(), channel)
                for channel, at in self._last.items()
            ),
            *(
                measures.CHANNEL_LIMIT.of(limit.total_seconds(), channel)
                for channel, limit in self._silence.items()
            ),
        ]

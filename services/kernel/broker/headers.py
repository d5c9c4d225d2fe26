"""Names of the headers that relays write and consumers read."""

from typing import Final

MESSAGE_ID: Final = "Nats-Msg-Id"
EXPECTED_ID: Final = "Nats-Expected-Last-Msg-Id"
EXPECTED_SEQUENCE: Final = "Nats-Expected-Last-Sequence"
EPOCH: Final = "Amends-Epoch"
"""Epoch of the store: another one means that the store was restored."""
POSITION: Final = "Amends-Position"
"""Position of the event in its store's log."""
COMMITTED_AT: Final = "Amends-Committed-At"
"""When that store knew the event: microseconds since the Unix epoch."""

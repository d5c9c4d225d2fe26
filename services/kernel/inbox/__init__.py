"""Apply every event of another service once and in its case's order."""

from services.kernel.broker.pull import StandingPull
from services.kernel.inbox.cases import (
    INBOX_TABLES,
    UNKNOWN_CASE,
    Applied,
    Arrived,
    Decode,
    Effect,
    Gap,
    Inbox,
    Waiting,
)
from services.kernel.inbox.consumer import Consumer, ConsumerStatus, Fetch

__all__ = [
    "INBOX_TABLES",
    "UNKNOWN_CASE",
    "Applied",
    "Arrived",
    "Consumer",
    "ConsumerStatus",
    "Decode",
    "Effect",
    "Fetch",
    "Gap",
    "Inbox",
    "StandingPull",
    "Waiting",
]

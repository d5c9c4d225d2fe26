"""Apply every event of another service once and in its case's order."""

from services.kernel.broker.pull import StandingPull
from services.kernel.inbox.cases import Applied, Decode, Inbox
from services.kernel.inbox.consumer import Consumer, ConsumerStatus, Fetch
from services.kernel.inbox.door import Again, Door
from services.kernel.inbox.effects import Arrived, Effect
from services.kernel.inbox.following import Following
from services.kernel.inbox.quarantine import UNKNOWN_CASE, Discard, Quarantined, told_of
from services.kernel.inbox.rows import INBOX_TABLES, Gap, Waiting
from services.kernel.inbox.ward import Ward

__all__ = [
    "INBOX_TABLES",
    "UNKNOWN_CASE",
    "Again",
    "Applied",
    "Arrived",
    "Consumer",
    "ConsumerStatus",
    "Decode",
    "Discard",
    "Door",
    "Effect",
    "Fetch",
    "Following",
    "Gap",
    "Inbox",
    "Quarantined",
    "StandingPull",
    "Waiting",
    "Ward",
    "told_of",
]

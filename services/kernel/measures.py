"""The figures that amends tells of itself: each with its name, its kind and its meaning.

Every figure is declared here, once; the page of the documentation, the rules of alerts
and the dashboard are held against this list. No label ever holds what a person wrote or
could be known by: labels are codes of ours.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure; `labels` tell several of it apart."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str

    def of(self, value: float | Spread, *labels: str) -> Sample:
        """Give its value for these labels, in their order."""
        return Sample(self, labels, value)


class Sample(NamedTuple):
    """What one figure is now."""

    measure: Measure
    labels: tuple[str, ...]
    value: float | Spread


class Spread:
    """How values spread over ranges; one thread adds, any may read."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """`bounds` are the upper ends of the ranges, rising; a last one has none."""
        self.bounds = bounds
        self.total = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Give each upper end with the number of values that are no greater."""
        so_far, found = 0, []
        for bound, count in zip((*self.bounds, "+Inf"), self._counts, strict=True):
            so_far += count
            found.append((str(bound), float(so_far)))
        return found


SECONDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
)
ITEMS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)

HTTP_REQUESTS: Final = Measure(
    "amends_http_requests_total",
    "counter",
    ("method", "route", "status"),
    "Answers by method, route template and status.",
)
HTTP_SECONDS: Final = Measure(
    "amends_http_request_seconds",
    "histogram",
    ("method", "route"),
    "Time from a request's first byte to its answer's last.",
)
RECEIPTS: Final = Measure(
    "amends_receipts_total",
    "counter",
    ("channel",),
    "Receipts given, each after its commit; repeated answers are not counted.",
)
RECEIPTS_REFUSED: Final = Measure(
    "amends_receipts_refused_total",
    "counter",
    ("code",),
    "Complaints that got a 503 instead of a receipt, by the code of why.",
)
CHANNEL_LAST: Final = Measure(
    "amends_channel_last_receipt_timestamp_seconds",
    "gauge",
    ("channel",),
    "When the channel last brought a complaint, or else when this process began.",
)
CHANNEL_LIMIT: Final = Measure(
    "amends_channel_silence_limit_seconds",
    "gauge",
    ("channel",),
    "How long the channel may be silent: AMENDS_CHANNEL_SILENCE. Only for those named.",
)
RECORD: Final = Measure(
    "amends_record_position",
    "gauge",
    ("service",),
    "Position of the last event in the service's record; its rate is events a second.",
)
LAG_EVENTS: Final = Measure(
    "amends_follower_lag_events",
    "gauge",
    ("service", "follower"),
    "Events that a follower has still to handle.",
)
LAG_SECONDS: Final = Measure(
    "amends_follower_lag_seconds",
    "gauge",
    ("service", "follower"),
    "Age of the oldest event that a follower has still to handle; 0 where there is none.",
)
FEED_EVENTS: Final = Measure(
    "amends_feed_lag_events",
    "gauge",
    ("department",),
    "Events in a department's feed that its program has not acknowledged.",
)
FEED_SECONDS: Final = Measure(
    "amends_feed_lag_seconds",
    "gauge",
    ("department",),
    "Age of the oldest of them; 0 where there is none.",
)
FEED_FOLLOWED: Final = Measure(
    "amends_feed_followed",
    "gauge",
    ("department",),
    "1 once a program has taken from the feed: before, nobody waits for it.",
)
FEED_AGAIN: Final = Measure(
    "amends_feed_redelivered_messages",
    "gauge",
    ("department",),
    "Events of the feed that were given out again and not acknowledged since.",
)
BROKER: Final = Measure(
    "amends_broker_connected",
    "gauge",
    ("service",),
    "1 while the service is connected to the broker.",
)
RELAYING: Final = Measure(
    "amends_relay_publishing",
    "gauge",
    ("service", "stream"),
    "1 while the relay may publish; 0 while something hinders it: see /health/ready.",
)
RELAY_SENT: Final = Measure(
    "amends_relay_sent_total",
    "counter",
    ("service", "stream"),
    "Messages sent to a stream, those sent again included.",
)
RELAY_ACCEPTED: Final = Measure(
    "amends_relay_accepted_total",
    "counter",
    ("service", "stream"),
    "Messages that the broker has taken.",
)
RELAY_WINDOW: Final = Measure(
    "amends_relay_unanswered_messages",
    "gauge",
    ("service", "stream"),
    "Messages sent and not answered yet; at most 500.",
)
IN_HAND: Final = Measure(
    "amends_consumer_in_hand_messages",
    "gauge",
    ("service", "follower"),
    "Messages that a consumer holds and has not handled; at most 1,000.",
)
WAITING: Final = Measure(
    "amends_waiting_events",
    "gauge",
    ("service", "reason"),
    "Events that wait: for an earlier one (gap), an upgrade (newer), a person (poison).",
)
OLDEST_GAP: Final = Measure(
    "amends_waiting_gap_seconds",
    "gauge",
    ("service",),
    "Age of the oldest event that waits for an earlier one; 0 where there is none.",
)
PAUSED: Final = Measure(
    "amends_consumer_paused",
    "gauge",
    ("service",),
    "1 while so many events wait that the consumer takes no more.",
)
QUARANTINE: Final = Measure(
    "amends_quarantine_messages",
    "gauge",
    ("service", "reason"),
    "Messages in quarantine, by the code of why. Without any there is no sample.",
)
QUEUE: Final = Measure(
    "amends_writer_queue_items",
    "gauge",
    ("service",),
    "Pieces of work that wait for the service's one writer.",
)
QUEUE_LIMIT: Final = Measure(
    "amends_writer_queue_limit",
    "gauge",
    ("service",),
    "How many may wait; beyond it whoever comes is refused with 503.",
)
BATCH_ITEMS: Final = Measure(
    "amends_writer_batch_items",
    "histogram",
    ("service",),
    "Pieces of work that were committed together.",
)
BATCH_SECONDS: Final = Measure(
    "amends_writer_batch_seconds",
    "histogram",
    ("service",),
    "Time from the moment in which the writer takes a batch until it is committed.",
)
TAKEN: Final = Measure(
    "amends_consumer_batch_events",
    "histogram",
    ("service",),
    "Events of another service that were applied in one transaction.",
)
SEAL: Final = Measure(
    "amends_seal_position",
    "gauge",
    ("service",),
    "Position up to which the ledger is sealed.",
)
DISK_FREE: Final = Measure(
    "amends_disk_free_bytes", "gauge", (), "Room left where the data folder lies."
)
DISK_SIZE: Final = Measure(
    "amends_disk_size_bytes", "gauge", (), "Size of the disk on which it lies."
)
BACKUP: Final = Measure(
    "amends_backup_timestamp_seconds",
    "gauge",
    (),
    "When `amends backup` last ended well. No sample before the first.",
)
CERTIFICATE: Final = Measure(
    "amends_certificate_expires_timestamp_seconds",
    "gauge",
    (),
    "When the certificate in AMENDS_CERTIFICATE ends. No sample where none is named or"
    " it cannot be read.",
)
STANDBY: Final = Measure(
    "amends_standby_lag_seconds",
    "gauge",
    ("service",),
    "How far the slowest standby of the service's PostgreSQL is behind. No sample"
    " without one, and on SQLite.",
)
STARTED: Final = Measure(
    "amends_started_timestamp_seconds",
    "gauge",
    ("version",),
    "When this process began.",
)
MISSING: Final = Measure(
    "amends_figures_missing",
    "gauge",
    ("service",),
    "Questions for these figures that went unanswered: their samples are left out.",
)

MEASURES: Final = tuple(
    value for value in dict(globals()).values() if isinstance(value, Measure)
)
"""All of them, in the order of the page that tells of them."""

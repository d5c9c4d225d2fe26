"""Figures of running services, read back: what is where, how fast it goes, what is red.

`amends top` shows it and a support bundle takes it along. Only `/metrics` is asked.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.kernel import measures
from services.kernel.clock import system_clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.kernel.measures import Measure

UNPUBLISHED: Final = 60
LATE: Final = 120
FEED: Final = 600
BACKUP: Final = 26 * 3600
DISK: Final = 0.15
CERTIFICATE: Final = 14 * 86400
STANDBY: Final = 30
"""Seconds, and a share, from which on something is red: those of the rules of alerts."""

_WITHIN: Final = 10.0


class Red(NamedTuple):
    """What is not as it should be; `page` names what to do, among docs/how-to/on-call."""

    what: str
    do: str
    page: str


@dataclass(frozen=True)
class Sighting:
    """What every process told at one moment; `away` names those that told nothing.

    `seconds` is a clock that is never set, for rates; `instant` is seconds since 1970.
    """

    seconds: float
    instant: float
    processes: tuple[str, ...]
    away: tuple[str, ...]
    values: Mapping[str, Mapping[tuple[str, ...], float]]

    def of(self, measure: Measure, suffix: str = "") -> Mapping[tuple[str, ...], float]:
        """Give a figure's values by its labels, in their order."""
        return self.values.get(measure.name + suffix, {})

    def one(self, measure: Measure, *labels: str, suffix: str = "") -> float | None:
        return self.of(measure, suffix).get(labels)


def sight(where: Mapping[str, str]) -> Sighting:
    """Ask each process, by name, for its figures."""
    pages: dict[str, str | None] = {}
    with httpx.Client(trust_env=False, timeout=_WITHIN) as http:
        for name, url in where.items():
            try:
                pages[name] = http.get(f"{url}/metrics").raise_for_status().text
            except httpx.HTTPError:
                pages[name] = None
    return sighted(time.monotonic(), system_clock().timestamp(), pages)


def sighted(
    seconds: float, instant: float, pages: Mapping[str, str | None]
) -> Sighting:
    """Read what processes told at a moment; None is one that told nothing."""
    values: dict[str, dict[tuple[str, ...], float]] = {}
    for page in pages.values():
        for name, labels, value in _samples(page or ""):
            values.setdefault(name, {})[labels] = value
    away = tuple(name for name, page in pages.items() if page is None)
    return Sighting(seconds, instant, tuple(pages), away, values)


def _samples(text: str) -> Iterator[tuple[str, tuple[str, ...], float]]:
    order = {each.name: each.labels for each in measures.MEASURES}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            base = sample.name.removesuffix("_sum").removesuffix("_count")
            names = order.get(base)
            if names is not None:  # of ours, and no bucket
                labels = tuple(sample.labels[name] for name in names)
                yield sample.name, labels, sample.value


def told(now: Sighting, before: Sighting) -> dict[str, Any]:
    """Give what is seen as JSON; rates are those since the sighting before."""
    past = now.seconds - before.seconds
    services = [
        _service(now, before, name, past) for (name,) in now.of(measures.RECORD)
    ]
    services += [
        _service(now, before, name, past)
        for (name,) in now.of(measures.QUEUE)
        if name not in {each["service"] for each in services}
    ]
    return {
        "processes": [
            {"name": name, "answers": name not in now.away} for name in now.processes
        ],
        "services": services,
        "followers": [
            {
                "service": service,
                "follower": follower,
                "events": int(events),
                "seconds": now.one(measures.LAG_SECONDS, service, follower),
            }
            for (service, follower), events in now.of(measures.LAG_EVENTS).items()
        ],
        "feeds": [
            {
                "department": name,
                "events": int(events),
                "seconds": now.one(measures.FEED_SECONDS, name),
                "followed": bool(now.one(measures.FEED_FOLLOWED, name)),
            }
            for (name,), events in now.of(measures.FEED_EVENTS).items()
        ],
        "quarantine": [
            {"service": service, "reason": reason, "messages": int(count)}
            for (service, reason), count in now.of(measures.QUARANTINE).items()
        ],
        "oldest_unpublished_seconds": _oldest_unpublished(now),
        "disk_free_bytes": now.one(measures.DISK_FREE),
        "backup_timestamp_seconds": now.one(measures.BACKUP),
        "red": [each._asdict() for each in red(now, before)],
    }


def _service(now: Sighting, before: Sighting, name: str, past: float) -> dict[str, Any]:
    recorded, sealed = now.one(measures.RECORD, name), now.one(measures.SEAL, name)
    items = _grown(now, before, measures.BATCH_ITEMS, "_sum", name)
    batches = _grown(now, before, measures.BATCH_SECONDS, "_count", name)
    seconds = _grown(now, before, measures.BATCH_SECONDS, "_sum", name)
    events = _grown(now, before, measures.RECORD, "", name)
    connected = now.one(measures.BROKER, name)
    return {
        "service": name,
        "recorded": None if recorded is None else int(recorded),
        "sealed": None if sealed is None else int(sealed),
        "events_per_second": round(events / past, 1) if past else 0.0,
        "writes_per_second": round(items / past, 1) if past else 0.0,
        "milliseconds_per_commit": round(1e3 * seconds / batches, 1)
        if batches
        else None,
        "queued": None
        if now.one(measures.QUEUE, name) is None
        else int(now.one(measures.QUEUE, name) or 0),
        "broker": None if connected is None else bool(connected),
    }


def _grown(
    now: Sighting, before: Sighting, measure: Measure, suffix: str, *labels: str
) -> float:
    """Say by how much a counter grew; one that began again has grown by all it has."""
    last = now.one(measure, *labels, suffix=suffix) or 0.0
    first = before.one(measure, *labels, suffix=suffix) or 0.0
    return last - first if last >= first else last


def _oldest_unpublished(now: Sighting) -> float | None:
    ages = [
        seconds
        for (_, follower), seconds in now.of(measures.LAG_SECONDS).items()
        if follower.startswith("relay_")
    ]
    return max(ages, default=None)


def red(now: Sighting, before: Sighting) -> Iterator[Red]:
    """Name what is not as it should be, and what to do; the same limits as the alerts."""
    for name in now.away:
        yield Red(f"{name} does not answer", "see its log, start it again", "")
    refused = sum(
        _grown(now, before, measures.RECEIPTS_REFUSED, "", *labels)
        for labels in now.of(measures.RECEIPTS_REFUSED)
    )
    if refused:
        yield Red(
            f"{refused:.0f} receipts refused", "amends doctor", "receipts-refused"
        )
    yield from _red_broker(now)
    yield from _red_followers(now)
    waiting: dict[str, float] = {}
    for (service, _), count in now.of(measures.QUARANTINE).items():
        waiting[service] = waiting.get(service, 0) + count
    for service, count in waiting.items():
        yield Red(
            f"{count:.0f} in quarantine at {service}",
            "amends quarantine list",
            "quarantine",
        )
    yield from _red_machine(now)


def _red_broker(now: Sighting) -> Iterator[Red]:
    for (service,), connected in now.of(measures.BROKER).items():
        if not connected:
            yield Red(f"{service} has no broker", "amends doctor", "unpublished")
    for (service, stream), publishing in now.of(measures.RELAYING).items():
        if not publishing:
            yield Red(
                f"{service} cannot publish to {stream}", "amends doctor", "unpublished"
            )


def _red_followers(now: Sighting) -> Iterator[Red]:
    for (service, follower), seconds in now.of(measures.LAG_SECONDS).items():
        relay = follower.startswith("relay_")
        if seconds > (UNPUBLISHED if relay else LATE):
            yield Red(
                f"{service}/{follower} is {seconds:.0f} s behind",
                "amends doctor",
                "unpublished" if relay else "late",
            )
    for (department,), seconds in now.of(measures.FEED_SECONDS).items():
        if seconds > FEED and now.one(measures.FEED_FOLLOWED, department):
            yield Red(
                f"feed of {department} stuck for {seconds:.0f} s",
                "amends doctor",
                "feed-stuck",
            )
    last, limits = now.of(measures.CHANNEL_LAST), now.of(measures.CHANNEL_LIMIT)
    for channel, limit in limits.items():
        silent = now.instant - last.get(channel, math.inf)
        if silent > limit:
            yield Red(
                f"channel {channel[0]} silent for {silent / 60:.0f} min",
                "amends analytics figure coverage",
                "channel-silent",
            )


def _red_machine(now: Sighting) -> Iterator[Red]:
    instant = now.instant
    free, size = now.one(measures.DISK_FREE), now.one(measures.DISK_SIZE)
    if free is not None and size and free / size < DISK:
        yield Red(f"{free / size:.0%} of the disk free", "make room", "housekeeping")
    backup = now.one(measures.BACKUP)
    if backup is not None and instant - backup > BACKUP:
        hours = (instant - backup) / 3600
        yield Red(f"backup {hours:.0f} h old", "amends backup", "housekeeping")
    ends = now.one(measures.CERTIFICATE)
    if ends is not None and ends - instant < CERTIFICATE:
        days = (ends - instant) / 86400
        yield Red(f"certificate ends in {days:.0f} days", "renew it", "housekeeping")
    for (service,), behind in now.of(measures.STANDBY).items():
        if behind > STANDBY:
            yield Red(
                f"standby of {service} {behind:.0f} s behind",
                "see the standby's log",
                "housekeeping",
            )

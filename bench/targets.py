"""What the figures must reach: the table of targets, as data.

A target on counted work has a bound for quick runs too, and decides in them; times are
for a quiet machine, and `make bench-quick` does not look at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bench.measuring import Better


@dataclass(frozen=True, slots=True)
class Target:
    """`bound` is the least, or where lower is better the most; `aim` is what we want."""

    name: str
    what: str
    bound: float
    aim: float | None = None
    better: Better = "higher"
    quick: float | None = None
    """The bound of a quick run, where counted work decides there as well."""

    def met_by(self, value: float, *, quick: bool = False) -> bool:
        bound = self.quick if quick and self.quick is not None else self.bound
        return value >= bound if self.better == "higher" else value <= bound


def _latency(rate: int) -> Target:
    what = f"p99 of complaints at {rate} a second / at 10 a second"
    return Target(f"latency/{rate}", what, bound=2, aim=1.3, better="lower")


def _fsyncs(service: str) -> Target:
    what = f"syncs of the databases of {service} for each complaint, at saturation"
    # The few complaints of a quick run gather in batches as small.
    return Target(f"fsyncs/{service}", what, bound=0.02, better="lower", quick=0.5)


def _growth(name: str, what: str) -> Target:
    return Target(f"growth/{name}", f"{what}, rate at 1M events / at 10k", bound=0.8)


TARGETS: Final = (
    Target("e2e/bare", "end to end, rate / bare pipeline", bound=0.65, aim=0.85),
    Target("e2e/textbook", "end to end, rate / textbook pipeline", bound=8, aim=16),
    _latency(100),
    _latency(500),
    Target(
        "http/plain",
        "single submissions by 32 connections, rate / a plain handler that commits a row",
        bound=0.8,
    ),
    Target("append/raw", "append of 100 events, rate / raw SQLite", bound=0.40),
    Target(
        "append_pg/library",
        "append of 100 events on PostgreSQL, rate / the library's recorder",
        bound=1.8,
    ),
    Target(
        "append_pg/message_db",
        "append of 100 events on PostgreSQL, rate / message-db",
        bound=2,
    ),
    Target(
        "load/library", "load of a case of 10 events, rate / the library's", bound=4
    ),
    Target(
        "replay/scan",
        "replay of 1M events to the digest of all cases, rate / raw scan",
        bound=0.15,
    ),
    Target(
        "replay/memory",
        "highest memory of that replay / of 10k events",
        bound=1.2,
        better="lower",
    ),
    Target(
        "verify/hashing", "verify of 1M events, rate / raw scan and hashing", bound=0.5
    ),
    Target(
        "projection/scan",
        "projection made anew, rate / raw scan",
        bound=0.2,
        aim=0.5,
    ),
    Target("append/emmett", "append of one event, rate / Emmett on SQLite", bound=8),
    Target(
        "ticket/helpdesk",
        "a complaint end to end, rate / a ticket by the form of django-helpdesk",
        bound=30,
    ),
    _fsyncs("intake"),
    _fsyncs("handling"),
    _fsyncs("analytics"),
    _growth("save", "save"),
    _growth("load", "load of a case"),
    _growth("log", "page of the log"),
    _growth("queue", "page of the queue"),
    _growth("as_of", "as-of query"),
)

BY_NAME: Final = {target.name: target for target in TARGETS}

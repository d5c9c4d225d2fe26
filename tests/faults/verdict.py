"""What every reader has in the end, held against what was answered for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from events.catalogue import EVENTS
from events.vocabulary import Audience
from tests.faults.load import DEPARTMENT
from tests.faults.sets import Lost, Sets, Tried, compared
from tests.faults.system import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.load import Load
    from tests.faults.system import System

DRAIN: Final = 90.0
"""Seconds in which everybody must have caught up once nothing is broken any more."""


@dataclass(slots=True)
class Verdict:
    """The five sets of each reader, and what was there more than once."""

    readers: dict[str, Sets] = field(default_factory=dict)
    offered: int = 0
    acked: int = 0
    duplicates: int = 0
    refused: int = 0
    drained: bool = True

    def __add__(self, other: Verdict) -> Verdict:
        """Join what two runs saw."""
        return Verdict(
            {
                name: self.readers.get(name, Sets()) + other.readers.get(name, Sets())
                for name in self.readers | other.readers
            },
            self.offered + other.offered,
            self.acked + other.acked,
            self.duplicates + other.duplicates,
            self.refused + other.refused,
            self.drained and other.drained,
        )

    @property
    def whole(self) -> Sets:
        """The worst of all readers: what one of them lacks is lost."""
        return Sets(
            ok=self.readers["receipts"].ok,
            lost=max((each.lost for each in self.readers.values()), key=_total),
            recovered=self.readers["receipts"].recovered,
            unknown=self.readers["receipts"].unknown,
            unexpected=max(each.unexpected for each in self.readers.values()),
        )

    @property
    def kept(self) -> bool:
        whole = self.whole
        faults = whole.lost.total + whole.unexpected + self.duplicates + self.refused
        return self.drained and not faults

    def figures(self) -> dict[str, object]:
        whole = self.whole
        return {
            "offered": self.offered,
            "acked": self.acked,
            "lost": whole.lost,
            "recovered": whole.recovered,
            "unknown": whole.unknown,
            "unexpected": whole.unexpected,
            "duplicates": self.duplicates,
        }

    def told(self) -> Iterable[str]:
        """Say what each reader has, a line each."""
        for name, each in self.readers.items():
            yield (
                f"  {name}: ok={each.ok} lost={each.lost} recovered={each.recovered}"
                f" unknown={each.unknown} unexpected={each.unexpected}"
            )


async def judged(system: System, load: Load, *, drain: float = DRAIN) -> Verdict:
    """Wait until all is settled and read, then compare."""
    await load.settled()
    verdict = Verdict(
        offered=len(load.attempts), acked=len(load.acked), refused=len(load.refused)
    )
    verdict.drained = await system.followed(drain)
    receipts, cases = await system.log("intake"), await system.log("handling")
    copies = copies_of(cases)

    async def given() -> bool:
        return copies <= load.feed.keys()

    verdict.drained &= await until(given, drain if verdict.drained else 0)
    counted = await counts(system)
    tried = await load.asked_again()

    commanded = {case: Tried("commands", n, True) for n, case in enumerate(load.commands)}  # fmt: skip
    done = {(each["case_id"], each["version"]) for each in cases}
    verdict.readers = {
        "receipts": compared(tried, _cases(receipts)),
        "cases": compared(tried, _cases(cases)),
        "commands": compared(
            commanded,
            [
                case
                for case, version in load.commands.items()
                if (case, version) in done
            ],
        ),
        "department": compared(
            {event: Tried("feed", n, True) for n, event in enumerate(sorted(copies))},
            load.feed.keys(),
        ),
        "figures": _counted(_received(cases), counted),
    }
    verdict.duplicates = (
        _more_than_once(receipts)
        + _more_than_once(cases)
        + max(0, counted - _received(cases))
    )
    return verdict


async def counts(system: System) -> int:
    """Ask analytics how many complaints there are."""
    found = await system.ask("analytics", "/api/analytics/frequency?group_by=channel")
    return sum(row["count"] for row in found["rows"])


def _received(events: Sequence[dict[str, Any]]) -> int:
    return len(_cases(events))


def _cases(events: Sequence[dict[str, Any]]) -> set[str]:
    return {each["case_id"] for each in events if each["type"] == "ComplaintReceived"}


def copies_of(events: Sequence[dict[str, Any]]) -> set[str]:
    """Name the events that the department must have heard of."""
    return {
        each["event_id"]
        for each in events
        if DEPARTMENT in each["departments"]
        and EVENTS[each["type"]].audience is Audience.DEPARTMENTS
    }


def _more_than_once(events: Sequence[dict[str, Any]]) -> int:
    """Count second events of one id, one version of a case, or one receipt of a case."""
    names = [
        Counter(each["event_id"] for each in events),
        Counter((each["case_id"], each["version"]) for each in events),
        Counter(
            each["case_id"] for each in events if each["type"] == "ComplaintReceived"
        ),
    ]
    return max(sum(counted.values()) - len(counted) for counted in names)


def _counted(there: int, counted: int) -> Sets:
    """Hold a figure, which names nobody, against the number of cases."""
    return Sets(
        ok=min(there, counted),
        lost=Lost(postfix=max(0, there - counted)),
        unexpected=max(0, counted - there),
    )


def _total(lost: Lost) -> int:
    return lost.total

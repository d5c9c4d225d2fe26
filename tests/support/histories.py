"""Made-up histories of many cases in one log, and what is true of them at a position."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from events.catalogue import EVENTS, Product, RootCause
from events.examples import EXAMPLES
from events.vocabulary import (
    Channel,
    Confidence,
    DeclineReason,
    Origin,
    Outcome,
    Precision,
    SatisfactionSubject,
    Source,
)
from services.analytics.domain.facts import Facts, fold
from services.analytics.domain.versions import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from events.envelope import Envelope, Event

START = datetime(2024, 12, 28, 22, 30, tzinfo=UTC)
_LATER = tuple(name for name in EVENTS if name != "ComplaintReceived")
_CATEGORIES = ("quality", "quality/leak", "quality/leak/lid", "billing/late_fee", None)
_CAUSES = ("design/seal", "design/seal/age", "people/training")
_MEASURES = {
    "SettlementProposed": "improvement",
    "ComplaintResolved": "corrective_action",
}


class Logged(NamedTuple):
    """One event at its position, with the time at which the log knew it (µs)."""

    position: int
    committed_at: int
    event: Envelope[Event]

    @property
    def entry(self) -> Entry:
        return Entry(self.position, self.event)


def case_number(number: int) -> UUID:
    return UUID(int=0xCA5E << 112 | 0x8 << 76 | 0x2 << 62 | number)


def event_number(number: int) -> UUID:
    return UUID(int=number << 80 | 0x7 << 76 | 0x2 << 62 | number)


def happened(
    name: str,
    case: int = 1,
    version: int = 1,
    *,
    number: int | None = None,
    at: datetime = START,
    channel: Channel | None = Channel.WEB,
    origin: Origin = Origin.LIVE,
    precision: Precision = Precision.INSTANT,
    **data: Any,
) -> Envelope[Event]:
    """Give the example of that name, placed in a case and with other data."""
    example = EXAMPLES[name]
    return example.model_copy(
        update={
            "event_id": event_number(
                case * 1_000 + version if number is None else number
            ),
            "case_id": case_number(case),
            "version": version,
            "occurred_at": at,
            "occurred_precision": precision,
            "origin": origin,
            "channel": channel,
            "data": example.data.model_copy(update=data),
        }
    )


def made_up_log(
    seed: int, *, cases: int, events: int, gaps: bool = False
) -> list[Logged]:
    """Interleave the histories of many cases; with `gaps` some positions are missing.

    Several events share one `committed_at`, as one transaction's do.
    """
    dice = random.Random(seed)  # noqa: S311 - no secret, and must be repeatable
    versions = dict.fromkeys(range(1, cases + 1), 0)
    position, committed_at = 0, 1_700_000_000_000_000
    log: list[Logged] = []
    for number in range(1, events + 1):
        case = dice.choice(list(versions))
        versions[case] += 1
        position += dice.choice((1, 1, 1, 3)) if gaps else 1
        committed_at += dice.choice((0, 0, 1_500_000))
        at = START + timedelta(hours=dice.randrange(9_000))
        if versions[case] == 1:
            event = _receipt(dice, case, number, at)
        else:
            event = _later(dice, case, versions[case], number, at)
        log.append(Logged(position, committed_at, event))
    return log


def _receipt(
    dice: random.Random, case: int, number: int, at: datetime
) -> Envelope[Event]:
    product = Product(
        model=dice.choice(("KT-200", "KT_200", "HT-9", None)),
        lot=dice.choice(("L1", None)),
        supplier=dice.choice(("S-118", "S-7")),
    )
    return happened(
        "ComplaintReceived",
        case,
        number=number,
        at=at,
        channel=dice.choice((Channel.WEB, Channel.PHONE, None)),
        origin=dice.choice((Origin.LIVE, Origin.MIGRATION, Origin.DEMO)),
        category=dice.choice(_CATEGORIES),
        product=dice.choice((product, product, None)),
        **_person(number),
    )


def _person(number: int) -> dict[str, Any]:
    """Give who complains and through what; of dice of their own."""
    dice = random.Random(number)  # noqa: S311 - repeatable
    source = dice.choice((None, *Source))
    documented = START.date() + timedelta(days=dice.randrange(-9, 9))
    return {
        "subject_id": UUID(int=dice.randrange(1, 60)),
        "source": source,
        "source_document_on": documented if source and dice.random() < 0.7 else None,
    }


def _later(
    dice: random.Random, case: int, version: int, number: int, at: datetime
) -> Envelope[Event]:
    name = dice.choice(_LATER)
    data: dict[str, Any] = {}
    if name == "ComplaintAccepted":
        data["category"] = dice.choice(_CATEGORIES[:4])
    elif name == "ComplaintInvestigated":
        data["root_cause"] = RootCause(
            path=dice.choice(_CAUSES), confidence=Confidence.PROBABLE
        )
    elif name == "DepartmentAssigned":
        data["department"] = dice.choice(("quality", "sales"))
    elif name in {"DecisionIssued", "ComplaintResolved"}:
        data["outcome"] = dice.choice(list(Outcome))
    elif name == "ComplaintDeclined":
        data["reason"] = dice.choice(list(DeclineReason))
    elif name == "SatisfactionRecorded":
        data["score"] = dice.randrange(1, 6)
        data["about"] = dice.choice(list(SatisfactionSubject))
    elif name == "DeadlineStated":
        data["overdue"] = dice.choice((True, False, None))
    if number % 3 and name in _MEASURES:
        data[_MEASURES[name]] = None
    if name == "ComplaintResolved":
        data["first_contact"] = number % 4 == 0
    return happened(name, case, version, number=number, at=at, **data)


def folded(log: Iterable[Logged]) -> Mapping[UUID, Facts]:
    """Fold a log, event by event, without rows."""
    facts: dict[UUID, Facts] = {}
    fold_in(facts, log)
    return facts


def fold_in(facts: dict[UUID, Facts], log: Iterable[Logged]) -> None:
    """Go on with a fold."""
    for _, _, event in log:
        facts[event.case_id] = fold(facts.get(event.case_id), event)


def shuffled(
    log: Sequence[Logged], dice: random.Random, *, again: float = 0.2
) -> list[Logged]:
    """Disorder cases among each other, keep each case's order, repeat some events."""
    queues: dict[UUID, list[Logged]] = {}
    for logged in log:
        queues.setdefault(logged.event.case_id, []).append(logged)
    arrived: list[Logged] = []
    while queues:
        case_id = dice.choice(list(queues))
        arrived.append(queues[case_id].pop(0))
        if dice.random() < again:
            arrived.append(dice.choice(arrived))
        if not queues[case_id]:
            del queues[case_id]
    return arrived

"""Versioned rows: what was known of each complaint between two positions of the log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from services.analytics.domain.facts import Facts, NoReceiptError, fold
from services.analytics.domain.stays import NOTHING, Ended, ended

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from events.envelope import Envelope, Event


class Entry(NamedTuple):
    """One event of handling's log, at its position."""

    position: int
    event: Envelope[Event]


@dataclass(frozen=True, slots=True)
class Version:
    """The facts of a case from a position on, up to but without `to_position`.

    The row whose `to_position` is None is open: it holds what is known now.
    `applied` is the version of the case's last event in it, `ended` what its first one
    ended.
    """

    case_id: UUID
    from_position: int
    to_position: int | None
    applied: int
    facts: Facts
    ended: Ended = NOTHING


@dataclass(slots=True)
class Changes:
    """What a batch does to the rows: `touched` ones exist already, `opened` are new.

    `unfit` counts events that have no place behind what the rows hold of their case.
    """

    touched: list[Version] = field(default_factory=list)
    opened: list[Version] = field(default_factory=list)
    unfit: int = 0


def unfold(present: Mapping[UUID, Version], entries: Iterable[Entry]) -> Changes:
    """Fold a batch onto the open rows of its cases.

    An event is applied if and only if its version is the next of its case: a lower one
    is there already, a higher one does not fit and is counted.
    """
    changes = Changes()
    histories: dict[UUID, list[Version]] = {}
    for position, event in entries:
        case_id = event.case_id
        history = histories.get(case_id)
        if history is None:
            known = present.get(case_id)
            history = histories[case_id] = [known] if known else []
        last = history[-1] if history else None
        applied = last.applied if last else 0
        if event.version <= applied:
            continue
        if event.version > applied + 1:
            changes.unfit += 1
            continue
        try:
            facts = fold(last.facts if last else None, event)
        except NoReceiptError:
            changes.unfit += 1
            continue
        if last is not None and facts == last.facts:
            history[-1] = replace(last, applied=event.version)
            continue
        if last is not None:
            history[-1] = replace(last, to_position=position)
        before = ended(last.facts, facts, event) if last else NOTHING
        history.append(Version(case_id, position, None, event.version, facts, before))
    for case_id, history in histories.items():
        known = present.get(case_id)
        if known is not None and history[0] is not known:
            changes.touched.append(history[0])
        changes.opened.extend(history[1:] if known else history)
    return changes

"""What the customer is asked to confirm: what they told, and how it was understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from events.catalogue import EvidenceAdded, StatementConfirmed
from services.handling.application.reading import documents_of
from services.handling.domain.case import COMPLAINANT
from services.handling.ports import Paper, Sheet
from services.kernel.errors import AmendsError

if TYPE_CHECKING:
    from uuid import UUID

    from services.handling.application.cases import History, Known
    from services.handling.application.reading import Words
    from services.kernel.access import Credential


@dataclass(frozen=True, slots=True)
class Statement:
    """The words as they stand at `version`; `restated` by the staff, if they were.

    `added` is what the customer put to them: words, and the labels of files.
    """

    version: int
    told: str
    restated: str | None
    added: tuple[Paper | Sheet, ...]


def shown_since(history: History) -> int:
    """Give the version at which what the customer is shown last changed."""
    since = 1
    statement: tuple[UUID, ...] = ()
    for known in history.events:
        data = known.event.data
        if isinstance(data, StatementConfirmed) and data.confirmed != statement:
            since, statement = known.event.version, data.confirmed
        elif _adds(known):
            since = known.event.version
    return since


async def read_statement(
    words: Words, history: History, *, reader: Credential
) -> Statement | None:
    """Read it for the customer, which is noted; None while it cannot be shown whole."""
    case = history.case
    papers = [
        each
        for each in documents_of(history.events)
        if each.ref.document_id in case.statement or _adds(each.event)
    ]
    try:
        found = await words.read(papers, reader=reader)
    except AmendsError:  # no look without its note
        return None
    texts = []
    for name in case.statement:
        paper = found.get(name)
        if not isinstance(paper, Paper):
            return None
        texts.append(paper.content.decode(errors="replace"))
    told, *restated = texts
    added = []
    for each in papers:
        if _adds(each.event):
            one = found.get(each.ref.document_id)
            if not isinstance(one, Paper | Sheet):
                return None
            added.append(one)
    return Statement(
        case.version, told, restated[-1] if restated else None, tuple(added)
    )


def _adds(known: Known) -> bool:
    """Whether the customer added something by this, with their own hand."""
    event = known.event
    return isinstance(event.data, EvidenceAdded) and event.actor.role == COMPLAINANT

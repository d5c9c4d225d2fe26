"""What the customer is asked to confirm: what they told, and how it was understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.handling.application.reading import documents_of
from services.handling.ports import Paper
from services.kernel.errors import AmendsError

if TYPE_CHECKING:
    from services.handling.application.cases import History
    from services.handling.application.reading import Words
    from services.kernel.access import Credential


@dataclass(frozen=True, slots=True)
class Statement:
    """The words as they stand at `version`; `restated` by the staff, if they were."""

    version: int
    told: str
    restated: str | None


async def read_statement(
    words: Words, history: History, *, reader: Credential
) -> Statement | None:
    """Read it for the customer, which is noted; None while it cannot be shown whole."""
    case = history.case
    papers = [
        each
        for each in documents_of(history.events)
        if each.ref.document_id in case.statement
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
    return Statement(case.version, told, restated[-1] if restated else None)

"""What colleagues wrote, named event by event, so that it is found by its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import codec
from services.handling.application.cases import Known
from services.handling.application.reading import documents_of
from services.kernel.clock import from_micros
from services.kernel.vault import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.kernel.store.recorder import LogEntry

_NAMED = b'"document_id"'


def texts(entries: Sequence[LogEntry]) -> Iterator[Text]:
    """Name the documents of these events; what was handed in is found at intake."""
    for entry in entries:
        if _NAMED in entry.body:  # few events have any: the others are not decoded
            event = codec.decode(entry.body)
            known = Known(entry.position, from_micros(entry.committed_at), event)
            for each in documents_of([known]):
                if not each.received:
                    yield Text(entry.position, each.case_id, each.ref.document_id)

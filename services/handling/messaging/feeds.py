"""What departments hear of cases: each a copy of its own, in the order of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import codec, subjects
from events.catalogue import EVENTS
from events.vocabulary import Audience, Origin
from services.kernel.relay import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kernel.store.recorder import LogEntry


def department_copies(entry: LogEntry) -> Sequence[Outgoing]:
    """Copy an event to every department concerned, in the order of their codes.

    A department that a case is taken from is concerned once more: that is its last
    copy. Imported and demonstrated cases are no news to anybody (design.md 1.9).
    """
    if EVENTS[entry.type].audience is not Audience.DEPARTMENTS:
        return ()
    about = codec.heading(entry.body)
    if about.origin is not Origin.LIVE:
        return ()
    return [
        Outgoing(
            subject=subjects.dept_event(department, entry.type),
            body=entry.body,
            headers=subjects.headers(about),
            suffix=department,
        )
        for department in about.departments
    ]

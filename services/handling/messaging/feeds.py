"""What departments hear of cases: each a copy of its own, in the order of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import codec, subjects
from services.handling.domain.visibility import told_departments
from services.kernel.relay import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kernel.store.recorder import LogEntry


def department_copies(entry: LogEntry) -> Sequence[Outgoing]:
    """Copy an event to every department that is told of it."""
    about = codec.heading(entry.body)
    return [
        Outgoing(
            subject=subjects.dept_event(department, entry.type),
            body=entry.body,
            headers=subjects.headers(about),
            suffix=department,
        )
        for department in told_departments(about)
    ]

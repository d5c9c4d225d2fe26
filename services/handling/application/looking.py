"""Looking at cases, whatever interface asks: who sees what, since when, which page."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final
from uuid import UUID

from events.vocabulary import Audience
from services.handling.application.cases import no_case
from services.handling.domain.visibility import NEVER, may_see, staff
from services.handling.ports import QueueFilter
from services.kernel.access import require_known
from services.kernel.clock import first_moment, from_micros, micros, point_in_time
from services.kernel.errors import FieldError, ForbiddenError, MalformedError

if TYPE_CHECKING:
    import datetime as dt
    from zoneinfo import ZoneInfo

    from services.handling.application.cases import AsOf, Handling, History, Known
    from services.handling.application.past import PastPage
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy
    from services.handling.ports import Listed
    from services.kernel.access import Credential


AS_OF_FORMS: Final = (
    "give an instant (2026-03-31T00:00:00Z), a day (2026-03-31, to its end), or a"
    " position of the record (4711)"
)
DUE_FORMS: Final = (
    "give an instant (2026-03-31T00:00:00Z) or a day (2026-03-31, its beginning)"
)


def sees(sender: Credential, case: Case, policy: Policy) -> bool:
    """Tell whether the caller may look at the case as it now is."""
    return sender.service or may_see(
        case, role=sender.role, department=sender.department, policy=policy
    )


def look(
    handling: Handling,
    reference: str,
    as_of: AsOf = None,
    *,
    sender: Credential,
    policy: Policy,
) -> History:
    """Show a case as it stood to whoever may see it now.

    Raises NotFoundError, UnauthenticatedError for a stranger.
    """
    require_known(sender)
    history = handling.history(reference, as_of)
    present = history if as_of is None else handling.history(reference)
    if not sees(sender, present.case, policy):
        raise no_case()
    return history


def told(history: History, sender: Credential, policy: Policy) -> list[Known]:
    """Give the events that the caller is told: a unit, those for departments."""
    return [
        known
        for known in history.events
        if sender.role not in policy.unit_roles
        or known.event.data.audience is Audience.DEPARTMENTS
    ]


def own_queue(wanted: QueueFilter, sender: Credential, policy: Policy) -> QueueFilter:
    """Narrow the queue to what the caller may see.

    Raises ForbiddenError, UnauthenticatedError for a stranger.
    """
    if sender.service:
        return wanted
    if sender.role not in staff(policy) - NEVER:
        require_known(sender)
        raise ForbiddenError("handling.who", "Send the token of somebody on the staff.")
    if sender.role in policy.unit_roles:
        own = sender.department or ""
        return wanted._replace(department=own, unassigned=False, for_unit=True)
    return wanted


def own_past(
    handling: Handling,
    as_of: AsOf,
    wanted: QueueFilter,
    sender: Credential,
    policy: Policy,
    *,
    limit: int,
) -> PastPage:
    """List the queue as it stood: what was theirs then, of what they may see now."""
    return handling.queue_as_of(
        as_of,
        own_queue(wanted, sender, policy),
        among=own_queue(QueueFilter(), sender, policy),
        limit=limit,
    )


def read_as_of(text: str | None, zone: ZoneInfo, *, field: str = "as_of") -> AsOf:
    """Read a position, an instant of knowledge time, or a day to its end.

    Days are those of the organisation's `zone`. Raises MalformedError for all else,
    naming the field by its name where it was given.
    """
    if text is None:
        return None
    try:
        return point_in_time(text, zone)
    except (ValueError, OverflowError):
        raise _malformed(field, "is no point in time", AS_OF_FORMS) from None


def read_due(text: str, zone: ZoneInfo, *, field: str) -> dt.datetime:
    """Read an instant, or a day: its first moment in `zone`. Raises MalformedError."""
    try:
        return first_moment(text, zone)
    except (ValueError, OverflowError):
        raise _malformed(field, "is no point in time", DUE_FORMS) from None


def cursor_of(row: Listed, wanted: QueueFilter) -> str:
    """Name the place behind a row of the queue, in the order of the filter."""
    return cursor_behind(wanted.place(row))


def cursor_behind(place: tuple[dt.datetime, UUID]) -> str:
    at, case_id = place
    plain = f"{micros(at)}.{case_id.hex}"
    return base64.urlsafe_b64encode(plain.encode()).decode()


def read_cursor(text: str | None) -> tuple[dt.datetime, UUID] | None:
    """Read what `cursor_of` gave. Raises MalformedError."""
    if text is None:
        return None
    try:
        received_at, case_id = base64.urlsafe_b64decode(text).decode().split(".")
        return from_micros(int(received_at)), UUID(case_id)
    except (binascii.Error, ValueError, OverflowError):
        raise _malformed(
            "cursor",
            "was not given out here",
            "take `cursor` of the page before, or leave it out for the first page",
        ) from None


def _malformed(field: str, message: str, remedy: str) -> MalformedError:
    return MalformedError(
        "handling.query",
        f"`{field}` {message}: {remedy}.",
        errors=[FieldError(field, message, remedy)],
    )

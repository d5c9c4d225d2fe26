"""Commands as they come in from outside: read strictly, answered alike everywhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from events.envelope import Actor
from events.vocabulary import Channel
from services.handling.application.commanding import Asked
from services.handling.domain.commands import COMMANDS
from services.kernel.access import require_known
from services.kernel.errors import FieldError, MalformedError
from services.kernel.logs import correlation_id, new_correlation_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.handling.application.commanding import Commanding, Done
    from services.kernel.access import Credential
    from services.kernel.store.writer import Writer

_FIELDS: Final = ("case_id", "command", "with", "idempotency_key", "version")


def actor_of(sender: Credential) -> Actor:
    """Say who acts, as events name them."""
    return Actor(id=sender.actor, role=sender.role, department=sender.department)


def asked(
    sender: Credential,
    *,
    case_id: UUID,
    name: str,
    payload: Mapping[str, Any],
    key: str | None,
    version: int | None,
) -> Asked:
    """Put a command together with who gives it, which the credential alone says.

    Raises UnauthenticatedError for a stranger.
    """
    require_known(sender)
    return Asked(
        case_id=case_id,
        name=name,
        payload=payload,
        actor=actor_of(sender),
        correlation_id=correlation_id() or new_correlation_id(),
        key=key,
        expected_version=version,
        channel=Channel(sender.channel) if sender.channel else None,
    )


def read_asked(
    sender: Credential, document: object, *, command: str | None = None
) -> Asked:
    """Read `{"case_id", "command", "with"?, "idempotency_key"?, "version"?}`.

    Where the address names the `command`, the document may not. Raises MalformedError
    naming the first field at fault, ForbiddenError.
    """
    given = require_object("", document)
    known = [name for name in _FIELDS if name != "command" or command is None]
    if unknown := sorted(set(given) - set(known)):
        raise fault(unknown[0], "is not known here", f"Use {', '.join(known)}.")
    try:
        case_id = UUID(given.get("case_id", ""))
    except (ValueError, TypeError, AttributeError):
        raise fault("case_id", "is no case id", "Send the UUID of the case.") from None
    name = command or given.get("command")
    key, version = given.get("idempotency_key"), given.get("version")
    if not isinstance(name, str):
        raise fault("command", "is missing", f"Use one of {', '.join(COMMANDS)}.")
    if key is not None and not isinstance(key, str):
        raise fault("idempotency_key", "is no string", "Send a string.")
    if version is not None and (not isinstance(version, int) or version is True):
        raise fault("version", "is no number", "Send the version of the case.")
    payload = require_object("with", given.get("with", {}))
    return asked(
        sender, case_id=case_id, name=name, payload=payload, key=key, version=version
    )


async def carried_out(commanding: Commanding, writer: Writer, wanted: Asked) -> Done:
    """Refuse at the edge what no case could accept, and have the writer do the rest."""
    for upload in commanding.check(wanted):
        await asyncio.to_thread(commanding.look_through, upload, wanted.actor.id)
    return await writer.call(commanding.carry_out, wanted)


async def foreseen(commanding: Commanding, writer: Writer, wanted: Asked) -> Done:
    """Say what a command would do. Raises as `carried_out` would."""
    commanding.check(wanted)
    return await writer.call(commanding.foresee, wanted)


def done_json(done: Done) -> dict[str, Any]:
    """Give what a command did as every interface tells it."""
    return {
        "case_id": str(done.case_id),
        "version": done.version,
        "state": done.state,
        "events": list(done.events),
        "repeated": done.repeated,
    }


def require_object(field: str, value: object) -> dict[str, Any]:
    """Give the value if it is a JSON object; raises MalformedError."""
    if not isinstance(value, dict):
        raise fault(field or "body", "is no object", "Send a JSON object.")
    return value


def fault(field: str, message: str, remedy: str) -> MalformedError:
    """Name a field at fault, and what to do."""
    return MalformedError(
        "request.invalid",
        "Correct the named fields; nothing was done.",
        errors=[FieldError(field, message, remedy)],
    )

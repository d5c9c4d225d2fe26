"""Who is calling and what that allows; and the operator's way into a running amends.

A caller is anonymous, or shows a bearer token. The operator's token is made anew at
each start and kept in the data folder, readable by its owner alone.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

from services.kernel.errors import ForbiddenError, UnauthenticatedError
from services.kernel.private import kept_private

RUNTIME_FILE: Final = "runtime.json"
SERVICE_TOKEN_FILE: Final = "services.token"  # noqa: S105 a name, no token
_PUBLIC_CHANNEL: Final = "web"


@dataclass(frozen=True, slots=True)
class Credential:
    """The caller as the server knows it; nothing of it is ever taken from a body.

    A `channel` binds a connector to its own channel; a `service` is one of ours.
    """

    actor: str
    role: str
    department: str | None = None
    channel: str | None = None
    service: bool = False

    @property
    def anonymous(self) -> bool:
        return self.role == "anonymous"

    def may_submit_on(self, channel: str) -> bool:
        own = _PUBLIC_CHANNEL if self.anonymous else self.channel
        return own is None or own == channel


ANONYMOUS: Final = Credential(actor="anonymous", role="anonymous")
MIGRATION: Final = "migration"
"""The role of a program that brings in what another system recorded."""
OPERATOR: Final = Credential(actor="operator", role="operator", service=True)


class Authenticator(Protocol):
    def authenticate(self, header: str | None) -> Credential:
        """Turn the `Authorization` header into a caller; none at all is anonymous.

        Raises UnauthenticatedError for a header that proves nothing: a caller with a
        stale token must not silently be served as a stranger.
        """


class OperatorTokens:
    """Tokens held in memory, compared in constant time by their digests."""

    def __init__(self, tokens: Mapping[str, Credential]) -> None:
        self._known = [(_digest(token), who) for token, who in tokens.items()]

    def authenticate(self, header: str | None) -> Credential:
        if header is None:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        shown = _digest(token.strip())
        found = [who for known, who in self._known if hmac.compare_digest(known, shown)]
        if scheme.lower() != "bearer" or not found:
            raise UnauthenticatedError(
                "access.unknown_token",
                "Send `Authorization: Bearer TOKEN` with a token that is still valid, "
                "or no such header at all.",
            )
        return found[0]


def require_known(caller: Credential) -> None:
    """Raise UnauthenticatedError for a caller who shows nothing."""
    if caller.anonymous:
        raise UnauthenticatedError(
            "access.token_needed",
            "Send `Authorization: Bearer TOKEN` with a token of yours, or sign in.",
        )


def require_service(caller: Credential) -> None:
    """Raise ForbiddenError unless the caller is one of our own services.

    Raises UnauthenticatedError for a stranger.
    """
    require_known(caller)
    if not caller.service:
        raise ForbiddenError(
            "access.service_only", "Use the token of a service or of the operator."
        )


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where a running amends is reached, and with which token."""

    url: str
    token: str
    nats_url: str
    pid: int

    def __repr__(self) -> str:
        return f"Runtime(url={self.url!r}, token=…, pid={self.pid})"


def new_token() -> str:
    """32 random bytes; the prefix lets scanners of leaked secrets know it."""
    return "amends_" + secrets.token_urlsafe(32)


def kept_service_token(data: Path) -> str:
    """Give what services in processes of their own show each other; made once."""
    return kept_private(data / SERVICE_TOKEN_FILE, new_token)


def read_service_token(data: Path) -> str | None:
    """Give that token, or None where none was made."""
    try:
        return (data / SERVICE_TOKEN_FILE).read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_runtime(data: Path, runtime: Runtime) -> None:
    """Replace the runtime file in one step; at no time is it readable by others."""
    target = data / RUNTIME_FILE
    draft = data / f"{RUNTIME_FILE}.{secrets.token_hex(4)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(runtime), file)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_runtime(data: Path) -> Runtime | None:
    """Give None when there is none, or none that can be understood."""
    try:
        return Runtime(**json.loads((data / RUNTIME_FILE).read_bytes()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def remove_runtime(data: Path) -> None:
    (data / RUNTIME_FILE).unlink(missing_ok=True)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()

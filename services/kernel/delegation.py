"""Work that amends does for a person by itself: a token for it, and for nothing else.

The token names the person and is signed, so that every process of ours knows it without
asking. It lets its holder import, as that person, for as long as they may.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from services.kernel.access import MIGRATION, Credential
from services.kernel.clock import from_micros, micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from services.kernel.clock import Clock

IMPORTERS: Final = frozenset({"admin", MIGRATION})
"""Roles of people who may bring in what another system recorded."""
_PREFIX: Final = "amends-for_"


class Delegation:
    """Makes and reads such tokens; `role_of` gives an actor's present role, or None."""

    def __init__(
        self, secret: str, *, role_of: Callable[[str], str | None], now: Clock
    ) -> None:
        self._secret = hashlib.sha256(b"delegation\0" + secret.encode()).digest()
        self._role_of = role_of
        self._now = now

    def token(self, actor: str, *, until: datetime) -> str:
        """Give a token to import as `actor` until then."""
        claim = base64.urlsafe_b64encode(f"{micros(until)} {actor}".encode()).decode()
        return f"{_PREFIX}{claim}.{self._mark(claim)}"

    def holder(self, header: str | None) -> Credential | None:
        """Give who the `Authorization` header's token was made for.

        None for any other header, for one that has ended, and for people who departed
        or may import no more.
        """
        scheme, _, token = (header or "").partition(" ")
        claim, _, mark = token.strip().removeprefix(_PREFIX).partition(".")
        shown = mark.encode("utf-8", "surrogateescape")
        if (
            scheme.lower() != "bearer"
            or not token.strip().startswith(_PREFIX)
            or not hmac.compare_digest(shown, self._mark(claim).encode())
        ):
            return None
        try:
            ends, _, actor = base64.urlsafe_b64decode(claim).decode().partition(" ")
        except (binascii.Error, ValueError):
            return None
        if self._now() >= from_micros(int(ends)):
            return None
        if self._role_of(actor) not in IMPORTERS:
            return None
        return Credential(actor=actor, role=MIGRATION)

    def _mark(self, claim: str) -> str:
        given = claim.encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, given, hashlib.sha256).hexdigest()

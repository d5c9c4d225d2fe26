"""The door: a login and a password are proven, seldom enough that nobody can guess."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from services.kernel.errors import TooManyError, UnauthenticatedError
from services.kernel.users import normal_login

if TYPE_CHECKING:
    from uuid import UUID

    from services.kernel.passwords import Passwords
    from services.kernel.users import UserRegister

PER_LOGIN: Final = 10
PER_ADDRESS: Final = 100
"""Failures in a quarter of an hour; the people of a whole office share an address."""

_MINUTES: Final = 15


class Login:
    """Proves people by password; a stranger learns nothing from answers or their time."""

    def __init__(
        self,
        users: UserRegister,
        passwords: Passwords,
        *,
        per_login: int = PER_LOGIN,
        per_address: int = PER_ADDRESS,
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._per_login = limits.RateLimitItemPerMinute(per_login, _MINUTES, "login")
        self._per_address = limits.RateLimitItemPerMinute(
            per_address, _MINUTES, "address"
        )

    async def sign_in(
        self, login: str, password: str, *, address: str, replacing: str | None = None
    ) -> str:
        """Open a session, ending the one before, and give its id. As `prove`."""
        user_id = await self.prove(login, password, address=address)
        return await asyncio.to_thread(
            self._users.sign_in, user_id, replacing=replacing
        )

    async def prove(self, login: str, password: str, *, address: str) -> UUID:
        """Give whose password this is.

        Raises UnauthenticatedError, the same for an unknown login as for a wrong
        password; TooManyError after too many failures, of that login or from that
        address; UnavailableError when too many wait.
        """
        # Counted before the comparison: many at once must not slip through.
        key = _key(login)
        if not (
            self._limiter.test(self._per_address, address)
            and self._limiter.hit(self._per_login, key)
        ):
            raise TooManyError(
                "access.too_many_failures",
                "Wait a quarter of an hour, then try again.",
                retry_after=_MINUTES * 60,
            )
        found = await asyncio.to_thread(self._users.credentials, login)
        user_id, hashed = found or (None, None)
        right = await self._passwords.matches(hashed, password)
        if user_id is None or not right:
            self._limiter.hit(self._per_address, address)
            raise UnauthenticatedError(
                "access.login_failed", "Login or password is wrong: try again."
            )
        self._limiter.clear(self._per_login, key)
        return user_id


def _key(login: str) -> str:
    """Name a login among the counters: of one length, whatever was typed."""
    return hashlib.sha256(normal_login(login).encode("utf-8", "replace")).hexdigest()

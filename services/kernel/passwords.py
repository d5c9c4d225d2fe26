"""Passwords: which are good enough, and argon2id over them, off the event loop."""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from services.kernel.errors import FieldError, MalformedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

SHORTEST: Final = 12
LONGEST: Final = 256
"""Characters; above it a password is a way to keep a processor busy."""

_AT_ONCE: Final = 2
_MOST_WAITING: Final = 64
_DECOY: Final = "nobody's password, verified in vain"


def check_password(password: str, *, login: str) -> None:
    """Raise MalformedError for a password that is too short, too long or the login.

    No rule about kinds of characters: length is what counts (NIST SP 800-63B).
    """
    password = _normal(password)
    if len(password) < SHORTEST:
        raise MalformedError(
            "access.password_short",
            f"Take at least {SHORTEST} characters; a few words are easy to keep.",
            errors=[FieldError("password", "is too short", "take a longer one")],
        )
    if len(password) > LONGEST:
        raise MalformedError(
            "access.password_long",
            f"Take at most {LONGEST} characters.",
            errors=[FieldError("password", "is too long", "take a shorter one")],
        )
    if password.casefold() == login.strip().casefold():
        raise MalformedError(
            "access.password_login",
            "Take another password than the login.",
            errors=[FieldError("password", "is the login", "take another one")],
        )


class Passwords:
    """Hashes and compares, a few at a time: each takes 64 MiB and tens of milliseconds."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="password")
        self._waiting = 0
        self._decoy = self._hasher.hash(_DECOY)

    def stop(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def hashed(self, password: str) -> str:
        """Give what may be stored. Raises UnavailableError when too many wait."""
        return await self._run(lambda: self._hasher.hash(_normal(password)))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Compare; where there is no hash it takes just as long and is never right.

        Raises UnavailableError when too many wait.
        """
        return await self._run(lambda: self._matches(hashed, password))

    def _matches(self, hashed: str | None, password: str) -> bool:
        fits = len(password) <= LONGEST
        try:
            self._hasher.verify(
                hashed or self._decoy, _normal(password) if fits else ""
            )
        except VerificationError:
            return False
        return hashed is not None

    async def _run(self, work: Callable[[], R]) -> R:
        if self._waiting >= _MOST_WAITING:
            raise UnavailableError(
                "access.busy", "Many people sign in just now: try again.", retry_after=5
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _normal(password: str) -> str:
    """Make one of the ways in which keyboards write the same characters."""
    return unicodedata.normalize("NFKC", password)

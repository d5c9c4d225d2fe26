"""The access record as the tests use it: cheap hashes, clocks set by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from argon2 import PasswordHasher

from services.kernel.grants import FactCodec
from services.kernel.login import Login
from services.kernel.passwords import Passwords
from services.kernel.places import Places
from services.kernel.sessions import Sessions
from services.kernel.store.application import open_store
from services.kernel.tokens import TokenRegister
from services.kernel.users import User, UserRegister

if TYPE_CHECKING:
    from services.kernel.store.database import Database

START: Final = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
PLACES: Final = Places(
    roles=frozenset({"admin", "agent", "auditor", "quality"}),
    unit_roles=frozenset({"quality"}),
    departments=("front-office", "quality"),
    channels=("phone", "web"),
)
PASSWORD: Final = "correct horse battery"  # noqa: S105 it opens nothing
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Parameters that only tests may use."""
HASHED: Final = CHEAP.hash(PASSWORD)


class Hand:
    """Both clocks, set by the test."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def pass_(self, **time: float) -> None:
        self.now += dt.timedelta(**time)


@dataclass
class AccessRecord:
    """Users, tokens, sessions and the door, over one database."""

    clock: Hand
    tokens: TokenRegister
    sessions: Sessions
    users: UserRegister

    @classmethod
    def over(cls, database: Database, clock: Hand | None = None) -> AccessRecord:
        clock = clock or Hand()
        store = open_store(database, name="access", codec=FactCodec(), now=clock)
        tokens = TokenRegister(
            store, places=PLACES, now=clock, monotonic=clock.monotonic
        )
        sessions = Sessions(database, now=clock)
        users = UserRegister(tokens, sessions, places=PLACES, now=clock)
        return cls(clock, tokens, sessions, users)

    def add(self, login: str = "lin", **given: Any) -> User:
        return self.users.add(
            **{
                "by": "operator",
                "login": login,
                "name": "Lin Yan",
                "role": "agent",
                "hashed": HASHED,
                **given,
            }
        )

    def login(self, **limits: int) -> Login:
        return Login(self.users, Passwords(CHEAP), **limits)

"""Tokens let in whom they were given to, until they expire or are revoked."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.kernel.errors import (
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
)
from services.kernel.grants import FactCodec, TokenIssued, TokenRevoked
from services.kernel.places import Places
from services.kernel.store.application import open_store
from services.kernel.tokens import REMEMBERED, TokenRegister

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database

START = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
PLACES = Places(
    roles=frozenset({"agent", "handler"}),
    unit_roles=frozenset({"handler"}),
    departments=("front-office", "quality"),
    channels=("phone", "web"),
)


class Hand:
    """Both clocks, set by the test."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def register(make_database: Callable[..., Database], clock: Hand) -> TokenRegister:
    return opened(make_database("access"), clock)


def opened(database: Database, clock: Hand) -> TokenRegister:
    store = open_store(database, name="access", codec=FactCodec(), now=clock)
    return TokenRegister(store, places=PLACES, now=clock, monotonic=clock.monotonic)


def test_a_token_lets_in_whom_it_was_given_to(register: TokenRegister) -> None:
    token, known = register.issue(
        by="operator", role="handler", actor="li", department="quality"
    )
    caller = register.authenticate(f"Bearer {token}")
    assert (caller.actor, caller.role, caller.department) == (
        "li",
        "handler",
        "quality",
    )
    assert not caller.service
    assert known.actor == "li"


def test_nobody_is_anonymous_and_a_wrong_token_is_refused(
    register: TokenRegister,
) -> None:
    assert register.authenticate(None).anonymous
    for wrong in ("Bearer nothing", "Basic abc", "", "Bearer"):
        with pytest.raises(UnauthenticatedError):
            register.authenticate(wrong)


def test_an_expired_token_is_refused(register: TokenRegister, clock: Hand) -> None:
    token, _ = register.issue(
        by="operator", role="agent", expires_at=START + dt.timedelta(hours=1)
    )
    register.authenticate(f"Bearer {token}")
    clock.now = START + dt.timedelta(hours=1)
    with pytest.raises(UnauthenticatedError):
        register.authenticate(f"Bearer {token}")
    with pytest.raises(RefusedError, match="later end"):
        register.issue(by="operator", role="agent", expires_at=START)


def test_a_revoked_token_is_refused_and_stays_in_the_list(
    register: TokenRegister,
) -> None:
    token, known = register.issue(by="operator", role="agent")
    register.authenticate(f"Bearer {token}")
    register.revoke(known.token_id, by="operator")
    register.revoke(known.token_id, by="operator")
    with pytest.raises(UnauthenticatedError):
        register.authenticate(f"Bearer {token}")
    assert [each.revoked_at for each in register.all()] == [START]
    with pytest.raises(NotFoundError):
        register.revoke(UUID(int=1), by="operator")


def test_another_process_learns_of_it_within_the_remembered_time(
    register: TokenRegister, clock: Hand, make_database: Callable[..., Database]
) -> None:
    other = opened(make_database("access"), clock)
    token, known = register.issue(by="operator", role="agent")
    other.authenticate(f"Bearer {token}")
    register.revoke(known.token_id, by="operator")
    clock.now += dt.timedelta(seconds=REMEMBERED)
    with pytest.raises(UnauthenticatedError):
        other.authenticate(f"Bearer {token}")


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        ({"role": "king"}, "agent, handler"),
        ({"role": "handler"}, "name it"),
        ({"role": "handler", "department": "moon"}, "front-office, quality"),
        ({"role": "agent", "channel": "pigeon"}, "phone, web"),
    ],
)
def test_only_roles_departments_and_channels_that_exist_are_given(
    register: TokenRegister, wanted: dict[str, str], allowed: str
) -> None:
    with pytest.raises(RefusedError, match=allowed):
        register.issue(by="operator", **wanted)
    assert register.all() == []


def test_its_history_is_facts_and_never_holds_the_token(
    register: TokenRegister,
) -> None:
    token, known = register.issue(by="operator", role="agent")
    register.revoke(known.token_id, by="auditor")
    facts = register.store.load(known.token_id)
    assert [type(fact) for fact in facts] == [TokenIssued, TokenRevoked]
    assert [fact.by for fact in facts] == ["operator", "auditor"]
    bodies = [entry.body.decode() for entry in register.store.log(0, 10)]
    assert not any(token in body for body in bodies)

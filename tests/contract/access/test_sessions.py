"""Sessions end when they must, are never planted, and the door tells nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from services.kernel.errors import (
    MalformedError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.passwords import LONGEST, SHORTEST, Passwords, check_password
from services.kernel.sessions import IDLE, csrf_of
from services.kernel.sessions import LONGEST as LONGEST_SESSION
from tests.support.access import CHEAP, HASHED, PASSWORD, AccessRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.login import Login
    from services.kernel.store.database import Database


@pytest.fixture
def record(make_database: Callable[..., Database]) -> AccessRecord:
    return AccessRecord.over(make_database("access"))


def sign_in(
    login: Login, name: str, password: str, address: str = "10.0.0.1", **given: str
) -> str:
    return asyncio.run(login.sign_in(name, password, address=address, **given))


def test_a_right_password_opens_a_session(record: AccessRecord) -> None:
    user = record.add()
    session = sign_in(record.login(), "LIN", PASSWORD)
    assert record.users.by_session(session) == user
    assert record.users.by_session(session[:-1]) is None
    assert record.users.by_session("") is None


def test_only_a_digest_of_a_session_is_stored(record: AccessRecord) -> None:
    user = record.add()
    session = record.users.sign_in(user.user_id)
    with record.users.store.database.read() as tx:
        rows = tx.fetchall("SELECT * FROM sessions")
    assert session not in repr(rows)
    assert csrf_of(session) not in repr(rows)
    assert len(rows) == 1


def test_each_login_has_a_new_id_and_ends_the_session_before(
    record: AccessRecord,
) -> None:
    user, login = record.add(), record.login()
    planted = "an id that somebody else chose"
    first = sign_in(login, "lin", PASSWORD, replacing=planted)
    assert first != planted
    assert record.users.by_session(planted) is None
    second = sign_in(login, "lin", PASSWORD, replacing=first)
    assert record.users.by_session(first) is None
    assert record.users.by_session(second) == user


def test_a_session_ends_when_nobody_uses_it(record: AccessRecord) -> None:
    session = record.users.sign_in(record.add().user_id)
    for _ in range(3):
        record.clock.pass_(seconds=IDLE.total_seconds() - 1)
        assert record.users.by_session(session) is not None
    record.clock.pass_(seconds=IDLE.total_seconds())
    assert record.users.by_session(session) is None


def test_a_session_ends_after_a_week_however_it_is_used(record: AccessRecord) -> None:
    session = record.users.sign_in(record.add().user_id)
    end = record.clock.now + LONGEST_SESSION
    while record.clock.now < end:
        assert record.users.by_session(session) is not None
        record.clock.pass_(hours=6)
    assert record.users.by_session(session) is None


def test_ended_sessions_are_cleared_away(record: AccessRecord) -> None:
    user = record.add()
    for _ in range(3):
        record.users.sign_in(user.user_id)
    record.clock.pass_(seconds=IDLE.total_seconds())
    kept = record.users.sign_in(user.user_id)
    with record.users.store.database.read() as tx:
        assert tx.fetchall("SELECT COUNT(*) FROM sessions") == [(1,)]
    record.sessions.end(kept)
    assert record.users.by_session(kept) is None


def test_a_change_of_role_is_felt_in_the_open_session(record: AccessRecord) -> None:
    user = record.add()
    session = record.users.sign_in(user.user_id)
    record.users.change(user.user_id, by="x", role="auditor", department=None)
    found = record.users.by_session(session)
    assert found is not None
    assert found.role == "auditor"


def refusal(login: Login, name: str, password: str) -> tuple[object, ...]:
    with pytest.raises(UnauthenticatedError) as refused:
        sign_in(login, name, password)
    return type(refused.value), refused.value.code, refused.value.detail


def test_nobody_learns_which_logins_exist(record: AccessRecord) -> None:
    record.add()
    record.users.depart(record.add("gone").user_id, by="x")
    login = record.login()
    told = {
        refusal(login, name, password)
        for name, password in (
            ("lin", "wrong password"),
            ("lin", ""),
            ("lin", PASSWORD + "x" * LONGEST),
            ("nobody", PASSWORD),
            ("", PASSWORD),
            ("gone", PASSWORD),
        )
    }
    assert len(told) == 1


class Counting(PasswordHasher):
    """Remembers what it verified against, for verifying is what takes the time."""

    def __init__(self) -> None:
        super().__init__(CHEAP.time_cost, CHEAP.memory_cost, CHEAP.parallelism)
        self.work: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        self.work.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


def test_an_unknown_login_takes_the_work_of_a_wrong_password() -> None:
    hasher = Counting()
    passwords = Passwords(hasher)
    hashed = asyncio.run(passwords.hashed(PASSWORD))
    for known in (hashed, None):
        assert not asyncio.run(passwords.matches(known, "a wrong password"))
    passwords.stop()
    known_login, unknown_login = hasher.work
    assert unknown_login == known_login


def test_the_password_of_nobody_opens_nothing() -> None:
    passwords = Passwords(CHEAP)
    decoy = "nobody's password, verified in vain"
    assert not asyncio.run(passwords.matches(None, decoy))
    assert asyncio.run(passwords.matches(HASHED, PASSWORD))
    passwords.stop()


def test_guessing_one_login_is_stopped_from_any_address(record: AccessRecord) -> None:
    record.add()
    login = record.login(per_login=3)
    for name in ("lin", "nobody"):  # whether it exists or not
        for guess in range(3):
            with pytest.raises(UnauthenticatedError):
                sign_in(login, name, "wrong", f"10.0.0.{guess}")
        with pytest.raises(TooManyError) as refused:
            sign_in(login, name.upper(), PASSWORD, "10.0.0.9")
        assert refused.value.retry_after == 900


def test_guessing_from_one_address_is_stopped_for_any_login(
    record: AccessRecord,
) -> None:
    record.add()
    login = record.login(per_address=3)
    for guess in range(3):
        with pytest.raises(UnauthenticatedError):
            sign_in(login, f"guess{guess}", "wrong")
    with pytest.raises(TooManyError):
        sign_in(login, "lin", PASSWORD)
    assert sign_in(login, "lin", PASSWORD, "10.0.0.2")


def test_a_right_password_clears_the_slips_before_it(record: AccessRecord) -> None:
    record.add()
    login = record.login(per_login=3)
    for _ in range(3):
        for _ in range(2):
            with pytest.raises(UnauthenticatedError):
                sign_in(login, "lin", "wrong")
        sign_in(login, "lin", PASSWORD)


def test_many_guesses_at_once_are_counted_like_guesses_in_turn(
    record: AccessRecord,
) -> None:
    record.add()
    login = record.login(per_login=3)

    async def all_at_once() -> list[object]:
        tries = [login.prove("lin", "wrong", address="a") for _ in range(20)]
        return await asyncio.gather(*tries, return_exceptions=True)

    ends = [type(end) for end in asyncio.run(all_at_once())]
    assert ends.count(UnauthenticatedError) == 3
    assert ends.count(TooManyError) == 17


def test_a_crowd_before_the_door_is_turned_away_not_piled_up() -> None:
    passwords = Passwords(CHEAP)

    async def crowd() -> list[object]:
        tries = [passwords.matches(HASHED, PASSWORD) for _ in range(200)]
        return await asyncio.gather(*tries, return_exceptions=True)

    ends = asyncio.run(crowd())
    assert ends.count(True) == 64
    assert sum(isinstance(end, UnavailableError) for end in ends) == 136
    passwords.stop()


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("x" * (SHORTEST - 1), "access.password_short"),
        ("", "access.password_short"),
        ("x" * (LONGEST + 1), "access.password_long"),
        ("Lin.Yan@example.org", "access.password_login"),
    ],
)
def test_a_poor_password_is_refused_saying_why(password: str, code: str) -> None:
    with pytest.raises(MalformedError) as refused:
        check_password(password, login="lin.yan@example.org")
    (fault,) = refused.value.errors
    assert (refused.value.code, fault.field) == (code, "password")
    assert password not in str(fault) or not password


@pytest.mark.parametrize(
    "password", ["x" * SHORTEST, "一二三四五六七八九十百千", "x" * LONGEST]
)
def test_length_alone_makes_a_password(password: str) -> None:
    check_password(password, login="lin")


def test_one_password_however_a_keyboard_writes_it() -> None:
    passwords = Passwords(CHEAP)
    hashed = asyncio.run(passwords.hashed("cafe\u0301 au lait, s'il"))
    assert hashed.startswith("$argon2id$")
    assert asyncio.run(passwords.matches(hashed, "caf\u00e9 au lait, s'il"))
    passwords.stop()

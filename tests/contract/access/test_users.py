"""People are let in, changed and let go, and every grant is a fact, on both databases."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.kernel.errors import (
    AmendsError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
)
from services.kernel.grants import (
    FactCodec,
    PasswordSet,
    UserAdded,
    UserDeparted,
    UserDepartmentChanged,
    UserRoleChanged,
    peek,
)
from services.kernel.users import LINK_LIFE
from tests.support.access import HASHED, AccessRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database


@pytest.fixture
def record(make_database: Callable[..., Database]) -> AccessRecord:
    return AccessRecord.over(make_database("access"))


def facts(record: AccessRecord, user_id: UUID) -> list[object]:
    return [type(fact) for fact in record.users.store.load(user_id)]


def test_somebody_added_is_a_fact_in_codes_with_the_name_beside(
    record: AccessRecord,
) -> None:
    user = record.add("Lin.Yan", name="  Lin \n Yan ")
    assert (user.login, user.name, user.role) == ("lin.yan", "Lin Yan", "agent")
    assert user.actor == f"user-{user.user_id.hex[-8:]}"
    assert facts(record, user.user_id) == [UserAdded, PasswordSet]
    bodies = b"".join(entry.body for entry in record.users.store.log(0, 10))
    for secret in (b"lin", b"Lin", b"Yan", HASHED.encode(), b"argon2"):
        assert secret not in bodies
    assert user.actor.encode() in bodies


def test_a_login_is_one_persons_however_it_is_written(record: AccessRecord) -> None:
    record.add("lin")
    for same in ("LIN", " lin ", "\uff4c\uff49\uff4e"):
        with pytest.raises(RefusedError, match="login_taken"):
            record.add(same)
    assert len(record.users.all()) == 1


@pytest.mark.parametrize("login", ["", "a b", "a/b", "x" * 65, "a\0b", "<lin>"])
def test_what_is_no_login_is_refused(record: AccessRecord, login: str) -> None:
    with pytest.raises(MalformedError) as refused:
        record.add(login, name=" ")
    assert [fault.field for fault in refused.value.errors] == ["login", "name"]
    assert record.users.all() == []


def test_a_role_that_acts_for_a_department_needs_one(record: AccessRecord) -> None:
    for wrong, code in (
        ({"role": "king"}, "unknown_role"),
        ({"role": "quality"}, "department_needed"),
        ({"role": "quality", "department": "moon"}, "unknown_department"),
    ):
        with pytest.raises(RefusedError, match=code):
            record.add(**wrong)
        known = record.users.all()
        if known:
            with pytest.raises(RefusedError, match=code):
                record.users.change(
                    known[0].user_id, by="a", **{"department": None, **wrong}
                )
        else:
            record.add()


def test_a_change_is_one_fact_for_each_thing_changed(record: AccessRecord) -> None:
    user = record.add()
    change = record.users.change
    change(user.user_id, by="ann", role="agent", department=None)
    assert facts(record, user.user_id) == [UserAdded, PasswordSet]
    changed = change(user.user_id, by="ann", role="quality", department="quality")
    assert (changed.role, changed.department) == ("quality", "quality")
    change(user.user_id, by="ann", role="quality", department="front-office")
    last = change(user.user_id, by="ann", role="agent", department=None)
    assert (last.role, last.department) == ("agent", None)
    assert facts(record, user.user_id)[2:] == [
        UserRoleChanged,
        UserDepartmentChanged,
        UserDepartmentChanged,
        UserRoleChanged,
        UserDepartmentChanged,
    ]
    with pytest.raises(NotFoundError):
        change(UUID(int=1), by="ann", role="agent", department=None)


def test_departure_ends_sessions_tokens_and_the_password(record: AccessRecord) -> None:
    user, other = record.add(), record.add("other")
    sessions = [record.users.sign_in(user.user_id) for _ in range(2)]
    kept = record.users.sign_in(other.user_id)
    token, _ = record.tokens.issue(by="ann", role="agent", actor=user.actor)
    others, _ = record.tokens.issue(by="ann", role="agent", actor=other.actor)
    record.tokens.authenticate(f"Bearer {token}")
    record.clock.pass_(minutes=1)
    gone = record.users.depart(user.user_id, by="ann")
    assert gone.departed_at == record.clock.now
    assert [record.users.by_session(session) for session in sessions] == [None, None]
    with pytest.raises(UnauthenticatedError):
        record.tokens.authenticate(f"Bearer {token}")
    assert record.users.credentials("lin") is None
    assert record.users.by_session(kept) == record.users.get(other.user_id)
    assert record.tokens.authenticate(f"Bearer {others}").actor == other.actor
    record.users.depart(user.user_id, by="ann")
    assert facts(record, user.user_id) == [UserAdded, PasswordSet, UserDeparted]


def test_nothing_is_given_to_who_departed(record: AccessRecord) -> None:
    user = record.add()
    record.users.depart(user.user_id, by="ann")
    with pytest.raises(RefusedError, match="departed"):
        record.users.change(user.user_id, by="ann", role="auditor", department=None)
    with pytest.raises(RefusedError, match="departed"):
        record.users.set_password(user.user_id, by="ann", hashed=HASHED)


def test_a_name_is_forgotten_and_the_facts_stay(record: AccessRecord) -> None:
    user = record.add()
    with pytest.raises(RefusedError, match="still_here"):
        record.users.forget(user.user_id)
    record.users.depart(user.user_id, by="ann")
    record.users.forget(user.user_id)
    (left,) = record.users.all()
    assert (left.login, left.name, left.actor) == (None, None, user.actor)
    assert len(facts(record, user.user_id)) == 3
    assert record.add("lin").actor != user.actor


def test_another_password_ends_every_session(record: AccessRecord) -> None:
    user = record.add()
    session = record.users.sign_in(user.user_id)
    record.users.set_password(user.user_id, by="ann", hashed="another")
    assert record.users.by_session(session) is None
    assert record.users.credentials("LIN") == (user.user_id, "another")
    assert facts(record, user.user_id) == [UserAdded, PasswordSet, PasswordSet]


def test_the_last_administrator_stays(record: AccessRecord) -> None:
    first = record.add("first", role="admin")
    with pytest.raises(RefusedError, match="last_admin"):
        record.users.depart(first.user_id, by="first")
    with pytest.raises(RefusedError, match="last_admin"):
        record.users.change(first.user_id, by="x", role="agent", department=None)
    second = record.add("second", role="admin")
    record.users.change(first.user_id, by="x", role="agent", department=None)
    with pytest.raises(RefusedError, match="last_admin"):
        record.users.depart(second.user_id, by="x")


def at_once(*pieces: Callable[[], object]) -> list[str]:
    """Run pieces in threads of their own; give how each of them ended."""
    ends: list[str] = []
    gate = threading.Barrier(len(pieces))

    def run(piece: Callable[[], object]) -> None:
        gate.wait()
        try:
            piece()
        except AmendsError as error:
            ends.append(error.code)
        else:
            ends.append("done")

    threads = [threading.Thread(target=run, args=(piece,)) for piece in pieces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ends)


def test_of_two_administrators_who_dismiss_each_other_one_stays(
    record: AccessRecord,
) -> None:
    one = record.add("one", role="admin")
    for turn in range(10):  # the moment between look and act is short
        two = record.add(f"two{turn}", role="admin")
        ends = at_once(
            lambda: record.users.depart(one.user_id, by="two"),  # noqa: B023 joined
            lambda: record.users.depart(two.user_id, by="one"),  # noqa: B023 joined
        )
        assert ends == ["access.last_admin", "done"]
        one = next(user for user in record.users.all() if user.active)


def test_a_token_revoked_while_its_holder_departs_ends_once(
    record: AccessRecord,
) -> None:
    record.add("ann", role="admin")
    for turn in range(5):
        user = record.add(f"lin{turn}")
        tokens = [
            record.tokens.issue(by="ann", role="agent", actor=user.actor)[1].token_id
            for _ in range(2)
        ]
        ends = at_once(
            lambda: record.users.depart(user.user_id, by="ann"),  # noqa: B023 joined
            lambda: record.tokens.revoke(tokens[1], by="ann"),  # noqa: B023 joined
            lambda: record.tokens.revoke(tokens[1], by="ann"),  # noqa: B023 joined
        )
        assert ends == ["done"] * 3
        assert [len(record.users.store.load(each)) for each in tokens] == [2, 2]


def test_the_first_link_is_used_once_and_then_leads_nowhere(
    record: AccessRecord,
) -> None:
    assert not record.users.has_admin()
    link = record.users.make_admin_link()
    assert link.secret not in repr(link)
    record.users.check_admin_link(link.secret)
    for wrong in ("", "no", link.secret + "x"):
        with pytest.raises(NotFoundError):
            record.users.check_admin_link(wrong)
    with pytest.raises(MalformedError):  # a slip of the pen does not use it up
        record.users.use_admin_link(link.secret, login="", name="", hashed=HASHED)

    def use(login: str) -> Callable[[], object]:
        return lambda: record.users.use_admin_link(
            link.secret, login=login, name="Ann", hashed=HASHED
        )

    assert at_once(use("ann"), use("eve")) == ["access.link_used", "done"]
    (admin,) = record.users.all()
    assert admin.role == "admin"
    with pytest.raises(NotFoundError):
        record.users.check_admin_link(link.secret)
    with pytest.raises(RefusedError, match="admin_exists"):
        record.users.make_admin_link()


def test_a_link_ends_by_time_by_a_newer_one_and_by_an_administrator(
    record: AccessRecord,
) -> None:
    old = record.users.make_admin_link()
    new = record.users.make_admin_link()
    with pytest.raises(NotFoundError):
        record.users.check_admin_link(old.secret)
    record.clock.pass_(seconds=LINK_LIFE.total_seconds())
    with pytest.raises(NotFoundError):
        record.users.check_admin_link(new.secret)
    with pytest.raises(NotFoundError):
        record.users.use_admin_link(new.secret, login="a", name="A", hashed=HASHED)
    last = record.users.make_admin_link()
    record.add("ann", role="admin")
    with pytest.raises(NotFoundError):
        record.users.check_admin_link(last.secret)
    with pytest.raises(NotFoundError):
        record.users.use_admin_link(last.secret, login="a", name="A", hashed=HASHED)


def test_every_fact_comes_back_and_names_whose_it_is(record: AccessRecord) -> None:
    user = record.add()
    record.users.change(user.user_id, by="x", role="quality", department="quality")
    record.users.change(user.user_id, by="x", role="agent", department=None)
    record.users.depart(user.user_id, by="x")
    codec = FactCodec()
    entries = record.users.store.log(0, 100)
    assert [entry.version for entry in entries] == list(range(1, 8))
    for entry in entries:
        assert peek(entry.body) == (user.user_id, entry.version, entry.type)
        assert codec.encode(codec.decode(entry.body)) == entry.body

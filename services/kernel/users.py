"""People who may come in: added, changed, departed, each a fact of the record.

A fact says `user-1f3a22c9`; login, name and the hash of the password lie in tables
beside, so that a person can be forgotten and the record stays whole.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from services.kernel.clock import from_micros, micros, new_uuid7
from services.kernel.errors import (
    FieldError,
    MalformedError,
    NotFoundError,
    RefusedError,
)
from services.kernel.grants import (
    PasswordSet,
    UserAdded,
    UserDeparted,
    UserDepartmentChanged,
    UserRoleChanged,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from services.kernel.clock import Clock
    from services.kernel.grants import UserFact
    from services.kernel.places import Places
    from services.kernel.sessions import Sessions
    from services.kernel.store.database import Tx
    from services.kernel.tokens import TokenRegister

ADMIN: Final = "admin"
LINK_LIFE: Final = timedelta(minutes=15)

_LOGIN: Final = re.compile(r"[\w.@+-]{1,64}")
_LONGEST_NAME: Final = 80
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS users (
        user_id UUID PRIMARY KEY, version BIGINT NOT NULL, actor TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL, department TEXT, added_at BIGINT NOT NULL,
        departed_at BIGINT)""",
    """CREATE TABLE IF NOT EXISTS user_names (
        user_id UUID PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS user_passwords (
        user_id UUID PRIMARY KEY, hashed TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS admin_links (
        digest TEXT PRIMARY KEY, ends_at BIGINT NOT NULL)""",
)
_SELECT: Final = (
    "SELECT users.user_id, users.actor, users.role, users.department, users.added_at,"
    " users.departed_at, user_names.login, user_names.name, users.version FROM users"
    " LEFT JOIN user_names ON user_names.user_id = users.user_id"
)


@dataclass(frozen=True, slots=True)
class User:
    """One person; `login` and `name` are None once they were forgotten."""

    user_id: UUID
    actor: str
    role: str
    department: str | None
    added_at: datetime
    departed_at: datetime | None
    login: str | None
    name: str | None

    @property
    def active(self) -> bool:
        return self.departed_at is None


@dataclass(frozen=True, slots=True)
class AdminLink:
    """The one-time way to the first administrator; `secret` is shown once."""

    secret: str
    ends_at: datetime

    def __repr__(self) -> str:
        return f"AdminLink(secret=…, ends_at={self.ends_at!r})"


class UserRegister:
    """Adds people, changes what they are, lets them depart. Passwords come hashed."""

    def __init__(
        self, tokens: TokenRegister, sessions: Sessions, *, places: Places, now: Clock
    ) -> None:
        self.places = places
        self.store = tokens.store
        self.sessions = sessions
        self._tokens = tokens
        self._database = database = tokens.store.database
        self._now = now
        if not database.read_only:
            database.migrate(_TABLES)

    def add(
        self,
        *,
        by: str,
        login: str,
        name: str,
        role: str,
        hashed: str,
        department: str | None = None,
    ) -> User:
        """Add somebody. Raises MalformedError, or RefusedError for a login in use."""
        with self._writing() as tx:
            return self._add(
                tx,
                by=by,
                login=login,
                name=name,
                role=role,
                department=department,
                hashed=hashed,
            )

    def change(
        self, user_id: UUID, *, by: str, role: str, department: str | None
    ) -> User:
        """Change what somebody is, from now on, also in the sessions that are open.

        Raises NotFoundError, RefusedError.
        """
        self.places.check(role, department)
        with self._writing() as tx:
            before, version = self._active(tx, user_id)
            if before.role == ADMIN != role:
                self._keep_one_admin(tx, user_id)
            facts: list[UserFact] = []
            if role != before.role:
                facts.append(
                    UserRoleChanged(
                        user_id=user_id,
                        version=version + 1,
                        at=self._now(),
                        by=by,
                        role=role,
                    )
                )
            if department != before.department:
                facts.append(
                    UserDepartmentChanged(
                        user_id=user_id,
                        version=version + len(facts) + 1,
                        at=self._now(),
                        by=by,
                        department=department,
                    )
                )
            self.store.put(tx, facts)
            tx.execute(
                "UPDATE users SET version = ?, role = ?, department = ?"
                " WHERE user_id = ?",
                (version + len(facts), role, department, user_id),
            )
            return self._required(tx, user_id)

    def set_password(self, user_id: UUID, *, by: str, hashed: str) -> None:
        """Give somebody another password and end the sessions that they have."""
        with self._writing() as tx:
            _, version = self._active(tx, user_id)
            self._set_password(tx, user_id, version + 1, by, hashed)
            self.sessions.end_all_of(tx, user_id)

    def depart(self, user_id: UUID, *, by: str) -> User:
        """End somebody's sessions, tokens and password; twice changes nothing.

        Raises NotFoundError; RefusedError for the last administrator.
        """
        with self._writing() as tx:
            if not self._required(tx, user_id).active:
                return self._required(tx, user_id)
            before, version = self._active(tx, user_id)
            if before.role == ADMIN:
                self._keep_one_admin(tx, user_id)
            self._tokens.revoke_all_of(tx, before.actor, by=by)
            now = self._now()
            fact = UserDeparted(user_id=user_id, version=version + 1, at=now, by=by)
            self.store.put(tx, [fact])
            tx.execute(
                "UPDATE users SET version = ?, departed_at = ? WHERE user_id = ?",
                (version + 1, micros(now), user_id),
            )
            tx.execute("DELETE FROM user_passwords WHERE user_id = ?", (user_id,))
            self.sessions.end_all_of(tx, user_id)
            return self._required(tx, user_id)

    def forget(self, user_id: UUID) -> User:
        """Erase login and name of somebody who departed; their facts stay.

        Raises NotFoundError; RefusedError for somebody who is still here.
        """
        with self._writing() as tx:
            if self._required(tx, user_id).active:
                raise RefusedError(
                    "access.still_here", "Let them depart first, then erase the name."
                )
            tx.execute("DELETE FROM user_names WHERE user_id = ?", (user_id,))
            return self._required(tx, user_id)

    def all(self) -> list[User]:
        """Give everybody who ever was let in, oldest first."""
        with self._database.read() as tx:
            rows = tx.fetchall(f"{_SELECT} ORDER BY users.added_at, users.user_id")
        return [_user(row) for row in rows]

    def get(self, user_id: UUID) -> User:
        """Give one person. Raises NotFoundError."""
        with self._database.read() as tx:
            return self._required(tx, user_id)

    def role_of(self, actor: str) -> str | None:
        """Give the present role of somebody who may sign in; None for anybody else."""
        with self._database.read() as tx:
            row = tx.fetchone(
                "SELECT role FROM users WHERE actor = ? AND departed_at IS NULL",
                (actor,),
            )
        return None if row is None else str(row[0])

    def by_session(self, session: str) -> User | None:
        """Give who holds this session, as they are now; None for no valid one."""
        user_id = self.sessions.find(session)
        user = None if user_id is None else self.get(user_id)
        return user if user is not None and user.active else None

    def credentials(self, login: str) -> tuple[UUID, str] | None:
        """Give the id and the hash behind a login; None where nobody may sign in."""
        with self._database.read() as tx:
            row = tx.fetchone(
                "SELECT user_passwords.user_id, user_passwords.hashed"
                " FROM user_passwords"
                " JOIN user_names ON user_names.user_id = user_passwords.user_id"
                " WHERE user_names.login = ?",
                (normal_login(login),),
            )
        return (row[0], row[1]) if row else None

    def sign_in(self, user_id: UUID, *, replacing: str | None = None) -> str:
        """Open a session for somebody proven, end the one before; give its id."""
        with self._database.write() as tx:
            if replacing is not None:
                self.sessions.end_in(tx, replacing)
            return self.sessions.open(tx, user_id)

    # -- the first administrator ---------------------------------------------

    def has_admin(self) -> bool:
        with self._database.read() as tx:
            return bool(_admins(tx))

    def make_admin_link(self) -> AdminLink:
        """Make the one link, in place of an older one.

        Raises RefusedError as soon as there is an administrator.
        """
        link = AdminLink(secrets.token_urlsafe(32), self._now() + LINK_LIFE)
        with self._writing() as tx:
            if _admins(tx):
                raise RefusedError(
                    "access.admin_exists",
                    "There is an administrator already: ask them, or use"
                    " `amends access user create`.",
                )
            tx.execute("DELETE FROM admin_links")
            tx.execute(
                "INSERT INTO admin_links (digest, ends_at) VALUES (?, ?)",
                (_digest(link.secret), micros(link.ends_at)),
            )
        return link

    def check_admin_link(self, secret: str) -> None:
        """Raise NotFoundError for a link that leads nowhere (any more)."""
        with self._database.read() as tx:
            row = tx.fetchone(
                "SELECT ends_at FROM admin_links WHERE digest = ?", (_digest(secret),)
            )
            if _admins(tx):
                raise _link_used()
            if row is None or row[0] <= micros(self._now()):
                raise _no_link()

    def use_admin_link(
        self, secret: str, *, login: str, name: str, hashed: str
    ) -> User:
        """Add the first administrator; of two who try at once, one. As `add`."""
        with self._writing() as tx:
            used = tx.fetchall(
                "DELETE FROM admin_links WHERE digest = ? AND ends_at > ?"
                " RETURNING digest",
                (_digest(secret), micros(self._now())),
            )
            if _admins(tx):
                raise _link_used()
            if not used:
                raise _no_link()
            return self._add(
                tx,
                by="operator",
                login=login,
                name=name,
                role=ADMIN,
                department=None,
                hashed=hashed,
            )

    # -- rows ----------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[Tx]:
        """Write, one at a time: what is judged here concerns all users together."""
        with self._database.write() as tx:
            if tx.dialect == "postgres":
                tx.execute("LOCK TABLE users IN EXCLUSIVE MODE")
            yield tx

    def _add(
        self,
        tx: Tx,
        *,
        by: str,
        login: str,
        name: str,
        role: str,
        department: str | None,
        hashed: str,
    ) -> User:
        login, name = normal_login(login), " ".join(name.split())
        check_person(login=login, name=name)
        self.places.check(role, department)
        now = self._now()
        user_id = new_uuid7(now)
        named = tx.fetchall(
            "INSERT INTO user_names (user_id, login, name) VALUES (?, ?, ?)"
            " ON CONFLICT (login) DO NOTHING RETURNING login",
            (user_id, login, name),
        )
        if not named:
            raise RefusedError(
                "access.login_taken", "Somebody has this login: choose another."
            )
        fact = UserAdded(
            user_id=user_id,
            version=1,
            at=now,
            by=by,
            actor=f"user-{user_id.hex[-8:]}",
            role=role,
            department=department,
        )
        self.store.put(tx, [fact])
        tx.execute(
            "INSERT INTO users (user_id, version, actor, role, department, added_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (user_id, 1, fact.actor, role, department, micros(now)),
        )
        self._set_password(tx, user_id, 2, by, hashed)
        return self._required(tx, user_id)

    def _set_password(
        self, tx: Tx, user_id: UUID, version: int, by: str, hashed: str
    ) -> None:
        fact = PasswordSet(user_id=user_id, version=version, at=self._now(), by=by)
        self.store.put(tx, [fact])
        tx.execute(
            "INSERT INTO user_passwords (user_id, hashed) VALUES (?, ?)"
            " ON CONFLICT (user_id) DO UPDATE SET hashed = excluded.hashed",
            (user_id, hashed),
        )
        tx.execute("UPDATE users SET version = ? WHERE user_id = ?", (version, user_id))

    def _active(self, tx: Tx, user_id: UUID) -> tuple[User, int]:
        """Give somebody who is still here, and their version. As `_required`."""
        user = self._required(tx, user_id)
        if not user.active:
            raise RefusedError(
                "access.departed", "They have departed: add them anew to let them in."
            )
        row = tx.fetchone("SELECT version FROM users WHERE user_id = ?", (user_id,))
        return user, row[0] if row else 0

    @staticmethod
    def _required(tx: Tx, user_id: UUID) -> User:
        row = tx.fetchone(f"{_SELECT} WHERE users.user_id = ?", (user_id,))
        if row is None:
            raise NotFoundError(
                "access.no_user",
                "There is no such user: `amends access user list` shows all.",
            )
        return _user(row)

    @staticmethod
    def _keep_one_admin(tx: Tx, user_id: UUID) -> None:
        if _admins(tx) == [user_id]:
            raise RefusedError(
                "access.last_admin",
                "This is the last administrator: name another one first.",
            )


def check_person(*, login: str, name: str) -> None:
    """Raise MalformedError for a login or a name that is none; both faults at once."""
    faults = []
    if not _LOGIN.fullmatch(login):
        faults.append(
            FieldError(
                "login",
                "is empty, too long or has other characters",
                "use 1 to 64 letters, digits or . @ + - _",
            )
        )
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        faults.append(
            FieldError(
                "name", "is empty or too long", f"use 1 to {_LONGEST_NAME} characters"
            )
        )
    if faults:
        raise MalformedError(
            "access.person", "Correct the named fields.", errors=faults
        )


def normal_login(login: str) -> str:
    """Make one login of the ways to write it: `Lin`, `lin` and ` lin ` are one."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def _admins(tx: Tx) -> list[UUID]:
    rows = tx.fetchall(
        "SELECT user_id FROM users WHERE role = ? AND departed_at IS NULL", (ADMIN,)
    )
    return [row[0] for row in rows]


def _user(row: tuple[Any, ...]) -> User:
    return User(
        user_id=row[0],
        actor=row[1],
        role=row[2],
        department=row[3],
        added_at=from_micros(row[4]),
        departed_at=None if row[5] is None else from_micros(row[5]),
        login=row[6],
        name=row[7],
    )


def _no_link() -> NotFoundError:
    return NotFoundError(
        "access.no_link",
        "This link has ended, or a newer one took its place: make a new one with"
        " `amends access admin-link`.",
    )


def _link_used() -> NotFoundError:
    return NotFoundError(
        "access.link_used",
        "There is an administrator already: sign in, or ask them to let you in.",
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()

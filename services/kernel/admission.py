"""Everything about who may come in, put together over the access record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from services.kernel.access import OPERATOR, Credential, OperatorTokens
from services.kernel.clock import system_clock
from services.kernel.delegation import Delegation
from services.kernel.errors import UnauthenticatedError
from services.kernel.grants import FactCodec
from services.kernel.login import Login
from services.kernel.passwords import Passwords
from services.kernel.record import open_record, open_record_for_reading
from services.kernel.sessions import Sessions
from services.kernel.telling import asked_in_thread, of_record, told
from services.kernel.tokens import TokenRegister
from services.kernel.users import UserRegister
from services.kernel.web.cookies import CookieHolders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import APIRouter
    from starlette.requests import Request

    from services.kernel.clock import Clock
    from services.kernel.folder import DataFolder
    from services.kernel.measures import Sample
    from services.kernel.places import Places
    from services.kernel.settings import Settings
    from services.kernel.web.health import Check
    from services.kernel.web.pages import Viewer

NAME = "access"


class Admission:
    """The operator of this run, everybody with a token, everybody who signed in.

    `roles` are those that a token may have, `places` what people can be, `sections` the
    addresses of the staff's pages with the roles that may open them. The record has one
    process that writes; with `reading`, this one only recognises who comes.
    """

    name = NAME
    routers: Sequence[APIRouter] = ()
    checks: Sequence[Check] = ()

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        *,
        roles: frozenset[str],
        places: Places,
        sections: Mapping[str, frozenset[str]],
        operator: str,
        reading: bool = False,
        now: Clock = system_clock,
    ) -> None:
        if reading:
            self._record = open_record_for_reading(
                settings, folder, name=self.name, codec=FactCodec(), now=now
            )
        else:
            self._record = open_record(
                settings,
                folder,
                name=self.name,
                codec=FactCodec(),
                now=now,
                secure_delete=True,  # names and hashes are erased, not only unlinked
            )
        self._operator = OperatorTokens({operator: OPERATOR})
        self.tokens = TokenRegister(
            self._record.store, places=replace(places, roles=roles), now=now
        )
        self.users = UserRegister(
            self.tokens,
            Sessions(self._record.database, now=now),
            places=places,
            now=now,
        )
        self.delegation = Delegation(operator, role_of=self.users.role_of, now=now)
        self.passwords = Passwords()
        self.login = Login(self.users, self.passwords)
        self._holders = CookieHolders(self.users, sections)

    def authenticate(self, header: str | None) -> Credential:
        if (holder := self.delegation.holder(header)) is not None:
            return holder
        try:
            return self._operator.authenticate(header)
        except UnauthenticatedError:
            return self.tokens.authenticate(header)

    async def by_cookie(self, request: Request) -> Credential:
        return await self._holders.by_cookie(request)

    async def viewer(self, request: Request) -> Viewer:
        return await self._holders.viewer(request)

    def names(self) -> dict[str, str]:
        """Give people's names by their ids in events; who was forgotten has none."""
        return {user.actor: user.name for user in self.users.all() if user.name}

    def progress(self) -> dict[str, int]:
        """Give the last position of its record; it reads no other."""
        return {"recorded": self._record.store.last_position()}

    async def figures(self) -> list[Sample]:
        """Tell how far its record reaches. Never raises."""
        asked = asked_in_thread(partial(of_record, self._record))
        return await told(self.name, [asked])

    async def start(self) -> None:
        self._record.start()

    async def stop(self) -> None:
        await asyncio.to_thread(self.passwords.stop)
        await asyncio.to_thread(self._record.stop)

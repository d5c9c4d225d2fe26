"""The tokens of people and systems: listed, issued and shown once, revoked."""

import asyncio
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError

from services.handling.pages.access_faults import by_field, faults_of, require_admin
from services.kernel.clock import system_clock
from services.kernel.errors import AmendsError, MalformedError, RefusedError
from services.kernel.grants import Code
from services.kernel.i18n import msgid
from services.kernel.places import Places
from services.kernel.tokens import TokenRegister
from services.kernel.web.pages import Form, Pages
from services.kernel.web.problems import status_of

TOKENS: Final = "/access/tokens"

_FIELDS: Final = ("actor", "role", "department", "channel", "until")
_CODE: Final[TypeAdapter[str]] = TypeAdapter(Code)
_DONE: Final = {"revoked": msgid("The token has ended.")}


def router(
    tokens: TokenRegister, places: Places, pages: Pages, *, zone: ZoneInfo
) -> APIRouter:
    """Build the routes, for administrators; the last day of a token is of `zone`."""
    routes = pages.router()

    @routes.get(TOKENS)
    def listed(request: Request) -> Response:
        require_admin(pages, request)
        now = system_clock()
        everyone = tokens.all()[::-1]
        live = [
            token
            for token in everyone
            if token.revoked_at is None
            and (token.expires_at is None or token.expires_at > now)
        ]
        return pages.render(
            request,
            "access/tokens.html",
            live=live,
            ended=[token for token in everyone if token not in live],
            done=_DONE.get(request.query_params.get("done", "")),
        )

    @routes.get(f"{TOKENS}/new")
    def ask(request: Request) -> Response:
        require_admin(pages, request)
        return show(request, None)

    @routes.post(f"{TOKENS}/new")
    async def issue(request: Request) -> Response:
        caller = require_admin(pages, request)
        form = await pages.form(request)
        try:
            token, known = await asyncio.to_thread(
                tokens.issue,
                by=caller.actor,
                role=form.one("role"),
                actor=_actor(form.one("actor")),
                department=form.one("department") or None,
                channel=form.one("channel") or None,
                expires_at=_end_of(form.one("until"), zone),
            )
        except (MalformedError, RefusedError) as error:
            return show(request, form, error)
        # Rendered, not redirected to: an address would keep what is shown once.
        return pages.render(
            request,
            "access/token_issued.html",
            status=HTTPStatus.CREATED,
            token=token,
            known=known,
        )

    @routes.post(f"{TOKENS}/{{token_id}}/revoke")
    async def revoke(request: Request, token_id: UUID) -> Response:
        caller = require_admin(pages, request)
        await pages.form(request)
        await asyncio.to_thread(tokens.revoke, token_id, by=caller.actor)
        return pages.redirect(TOKENS, done="revoked")

    def show(
        request: Request, form: Form | None, error: AmendsError | None = None
    ) -> Response:
        found = [] if error is None else faults_of(pages, request, error)
        return pages.render(
            request,
            "access/token_new.html",
            status=HTTPStatus.OK if error is None else status_of(error),
            given={name: form.one(name) if form else "" for name in _FIELDS},
            roles=sorted(tokens.places.roles),
            places=places,
            channels=places.channels,
            found=found,
            errors=by_field(found),
        )

    return routes


def _actor(text: str) -> str | None:
    """Read the id of a token's holder; none at all makes one."""
    try:
        return _CODE.validate_python(text) if text else None
    except ValidationError as error:
        raise MalformedError(
            "access.not_a_code", "Use letters, digits and . _ - without spaces."
        ) from error


def _end_of(text: str, zone: ZoneInfo) -> datetime | None:
    """Give the end of the last day of a token; none for a token without end."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise RefusedError(
            "access.expired",
            "The token would have expired already: choose a later end.",
        ) from error
    return datetime.combine(day, time(), zone)

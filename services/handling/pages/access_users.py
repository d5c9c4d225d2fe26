"""The people who may come in: listed, added, changed, let go."""

import asyncio
from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.handling.domain.visibility import OFFICER
from services.handling.pages.access_faults import by_field, faults_of, require_admin
from services.handling.pages.access_login import HOME, OWN_PASSWORD
from services.handling.pages.access_privacy import PRIVACY
from services.kernel.admission import Admission
from services.kernel.errors import (
    AmendsError,
    MalformedError,
    RefusedError,
    UnavailableError,
)
from services.kernel.i18n import msgid
from services.kernel.passwords import check_password
from services.kernel.users import ADMIN, User
from services.kernel.web.pages import Form, Pages
from services.kernel.web.pages.rendering import SERVICES
from services.kernel.web.problems import status_of

_DONE: Final = {
    "first": msgid("You are the administrator. Now add the people who work here."),
    "added": msgid("They may sign in now. Tell them their login and password."),
    "placed": msgid("This holds from now on, also where they are signed in."),
    "password": msgid("The password is set, and they were signed out everywhere."),
    "departed": msgid("Their sessions and tokens have ended."),
    "forgotten": msgid("Login and name are erased."),
}


def router(admission: Admission, pages: Pages) -> APIRouter:
    routes = pages.router()
    _listing(routes, admission, pages)
    _adding(routes, admission, pages)
    _changing(routes, admission, pages)
    return routes


def _listing(routes: APIRouter, admission: Admission, pages: Pages) -> None:
    @routes.get(HOME)
    def people(request: Request) -> Response:
        role = pages.require_known(request).role
        if role != ADMIN:
            return pages.redirect(PRIVACY if role == OFFICER else OWN_PASSWORD)
        everybody = admission.users.all()
        return pages.render(
            request,
            "access/people.html",
            services=tuple(SERVICES),
            here=[user for user in everybody if user.active],
            gone=[user for user in everybody if not user.active],
            done=_DONE.get(request.query_params.get("done", "")),
        )

    # Opened from the history, say, the address of a form leads to its page.
    @routes.get("/access/people/{user_id}/{form}")
    def back(user_id: UUID, form: str) -> Response:  # noqa: ARG001 it is in the path
        return pages.redirect(f"/access/people/{user_id}")


def _adding(routes: APIRouter, admission: Admission, pages: Pages) -> None:
    @routes.get("/access/people/new")
    def ask(request: Request) -> Response:
        require_admin(pages, request)
        return show(request, None)

    @routes.post("/access/people/new")
    async def add(request: Request) -> Response:
        caller = require_admin(pages, request)
        form = await pages.form(request)
        try:
            check_password(form.raw("password"), login=form.one("login"))
            user = await asyncio.to_thread(
                admission.users.add,
                by=caller.actor,
                login=form.one("login"),
                name=form.one("name"),
                role=form.one("role"),
                department=form.one("department") or None,
                hashed=await admission.passwords.hashed(form.raw("password")),
            )
        except (MalformedError, RefusedError, UnavailableError) as error:
            return show(request, form, error)
        return pages.redirect(f"/access/people/{user.user_id}", done="added")

    def show(
        request: Request, form: Form | None, error: AmendsError | None = None
    ) -> Response:
        found = [] if error is None else faults_of(pages, request, error)
        names = ("login", "name", "role", "department")
        return pages.render(
            request,
            "access/person_new.html",
            status=HTTPStatus.OK if error is None else status_of(error),
            given={name: form.one(name) if form else "" for name in names},
            places=admission.users.places,
            found=found,
            errors=by_field(found),
        )


def _changing(routes: APIRouter, admission: Admission, pages: Pages) -> None:
    users = admission.users

    @routes.get("/access/people/{user_id}")
    def look(request: Request, user_id: UUID) -> Response:
        require_admin(pages, request)
        return show(request, users.get(user_id))

    @routes.post("/access/people/{user_id}/place")
    async def place(request: Request, user_id: UUID) -> Response:
        caller = require_admin(pages, request)
        form = await pages.form(request)
        try:
            await asyncio.to_thread(
                users.change,
                user_id,
                by=caller.actor,
                role=form.one("role"),
                department=form.one("department") or None,
            )
        except RefusedError as error:
            return show(request, await asyncio.to_thread(users.get, user_id), error)
        return pages.redirect(f"/access/people/{user_id}", done="placed")

    @routes.post("/access/people/{user_id}/password")
    async def password(request: Request, user_id: UUID) -> Response:
        caller = require_admin(pages, request)
        form = await pages.form(request)
        user = await asyncio.to_thread(users.get, user_id)
        try:
            check_password(form.raw("password"), login=user.login or "")
            hashed = await admission.passwords.hashed(form.raw("password"))
            await asyncio.to_thread(
                users.set_password, user_id, by=caller.actor, hashed=hashed
            )
        except (MalformedError, RefusedError, UnavailableError) as error:
            return show(request, user, error)
        return pages.redirect(f"/access/people/{user_id}", done="password")

    @routes.post("/access/people/{user_id}/depart")
    async def depart(request: Request, user_id: UUID) -> Response:
        caller = require_admin(pages, request)
        await pages.form(request)
        try:
            await asyncio.to_thread(users.depart, user_id, by=caller.actor)
        except RefusedError as error:
            return show(request, await asyncio.to_thread(users.get, user_id), error)
        return pages.redirect(f"/access/people/{user_id}", done="departed")

    @routes.post("/access/people/{user_id}/forget")
    async def forget(request: Request, user_id: UUID) -> Response:
        require_admin(pages, request)
        await pages.form(request)
        await asyncio.to_thread(users.forget, user_id)
        return pages.redirect(f"/access/people/{user_id}", done="forgotten")

    def show(
        request: Request, user: User, error: AmendsError | None = None
    ) -> Response:
        found = [] if error is None else faults_of(pages, request, error)
        done = _DONE.get(request.query_params.get("done", ""))
        return pages.render(
            request,
            "access/person.html",
            status=HTTPStatus.OK if error is None else status_of(error),
            user=user,
            places=users.places,
            done=done if error is None else None,
            found=found,
            errors=by_field(found),
        )

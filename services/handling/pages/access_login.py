"""Signing in and out, the first administrator, one's own password."""

import asyncio
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.handling.domain.visibility import OFFICER
from services.handling.pages.access_faults import by_field, faults_of
from services.kernel.admission import Admission
from services.kernel.errors import (
    AmendsError,
    MalformedError,
    RefusedError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.i18n import msgid
from services.kernel.passwords import check_password
from services.kernel.users import ADMIN, User, normal_login
from services.kernel.web.cookies import clear_session, session_of, set_session
from services.kernel.web.pages import Form, Pages
from services.kernel.web.problems import status_of

HOME: Final = "/access"
OWN_PASSWORD: Final = "/access/password"  # noqa: S105 an address

_DONE: Final = {"changed": msgid("Your password is changed.")}


def router(admission: Admission, pages: Pages) -> APIRouter:
    routes = pages.router()
    _login(routes, admission, pages)
    _first(routes, admission, pages)
    _own_password(routes, admission, pages)
    return routes


def _login(routes: APIRouter, admission: Admission, pages: Pages) -> None:
    @routes.get("/access/login")
    def ask(request: Request) -> Response:
        back = own_address(request.query_params.get("next", ""))
        if pages.viewer(request).known:
            return pages.redirect(back or _home(pages.viewer(request).credential.role))
        return show(request, back=back, login="")

    @routes.post("/access/login")
    async def sign_in(request: Request) -> Response:
        form = await pages.form(request)
        back = own_address(form.one("next"))
        try:
            session = await admission.login.sign_in(
                form.one("login"),
                form.raw("password"),
                address=address_of(request),
                replacing=session_of(request),
            )
        except (UnauthenticatedError, TooManyError, UnavailableError) as error:
            return show(request, error, back=back, login=form.one("login"))
        return await _welcome(request, session, back)

    @routes.post("/access/logout")
    async def sign_out(request: Request) -> Response:
        session = session_of(request)
        if session is not None and pages.viewer(request).known:
            await pages.form(request)
            await asyncio.to_thread(admission.users.sessions.end, session)
        response = pages.redirect("/access/login")
        clear_session(response)
        return response

    async def _welcome(request: Request, session: str, back: str) -> Response:
        user = await asyncio.to_thread(admission.users.by_session, session)
        response = pages.redirect(back or _home(user.role if user else ""))
        set_session(request, response, session)
        return response

    def show(
        request: Request, error: AmendsError | None = None, *, back: str, login: str
    ) -> Response:
        answer = pages.render(
            request,
            "access/login.html",
            status=HTTPStatus.OK if error is None else status_of(error),
            found=[] if error is None else faults_of(pages, request, error),
            back=back,
            login=login,
            nobody=error is None and not admission.users.has_admin(),
        )
        if isinstance(error, TooManyError | UnavailableError):
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer


def _first(routes: APIRouter, admission: Admission, pages: Pages) -> None:
    """Serve the first administrator: looking uses nothing up, sending does."""
    users = admission.users

    @routes.get("/access/first/{secret}")
    def ask(request: Request, secret: str) -> Response:
        users.check_admin_link(secret)
        return show(request, secret, None)

    @routes.post("/access/first/{secret}")
    async def make(request: Request, secret: str) -> Response:
        await asyncio.to_thread(users.check_admin_link, secret)
        form = await pages.form(request)
        login = normal_login(form.one("login"))
        try:
            hashed = await _hashed(admission, form, login)
            user = await asyncio.to_thread(
                users.use_admin_link,
                secret,
                login=login,
                name=form.one("name"),
                hashed=hashed,
            )
        except (MalformedError, RefusedError, UnavailableError) as error:
            return show(request, secret, form, error)
        session = await asyncio.to_thread(
            users.sign_in, user.user_id, replacing=session_of(request)
        )
        response = pages.redirect(HOME, done="first")
        set_session(request, response, session)
        return response

    def show(
        request: Request,
        secret: str,
        form: Form | None,
        error: AmendsError | None = None,
    ) -> Response:
        found = [] if error is None else faults_of(pages, request, error)
        return pages.render(
            request,
            "access/first.html",
            status=HTTPStatus.OK if error is None else status_of(error),
            secret=secret,
            login="" if form is None else form.one("login"),
            name="" if form is None else form.one("name"),
            found=found,
            errors=by_field(found),
        )


def _own_password(routes: APIRouter, admission: Admission, pages: Pages) -> None:
    users = admission.users

    @routes.get(OWN_PASSWORD)
    def ask(request: Request) -> Response:
        return show(request, me(request))

    @routes.post(OWN_PASSWORD)
    async def change(request: Request) -> Response:
        user = await asyncio.to_thread(me, request)
        form = await pages.form(request)
        try:
            await _prove(admission, user, form.raw("present"), request)
            hashed = await _hashed(admission, form, user.login or "")
            await asyncio.to_thread(
                users.set_password, user.user_id, by=user.actor, hashed=hashed
            )
        except (MalformedError, RefusedError, TooManyError, UnavailableError) as error:
            return show(request, user, error)
        # Every session has ended with the old password; this one begins anew.
        session = await asyncio.to_thread(users.sign_in, user.user_id)
        response = pages.redirect(OWN_PASSWORD, done="changed")
        set_session(request, response, session)
        return response

    def me(request: Request) -> User:
        pages.require_known(request)
        user = users.by_session(session_of(request) or "")
        if user is None:  # ended between the two looks
            raise UnauthenticatedError("access.session_needed", "Sign in.")
        return user

    def show(
        request: Request, user: User, error: AmendsError | None = None
    ) -> Response:
        found = [] if error is None else faults_of(pages, request, error)
        done = _DONE.get(request.query_params.get("done", ""))
        return pages.render(
            request,
            "access/password.html",
            status=HTTPStatus.OK if error is None else status_of(error),
            user=user,
            done=done if error is None else None,
            found=found,
            errors=by_field(found),
        )


async def _prove(
    admission: Admission, user: User, present: str, request: Request
) -> None:
    """Raise MalformedError unless this is the user's present password."""
    try:
        await admission.login.prove(
            user.login or "", present, address=address_of(request)
        )
    except UnauthenticatedError as error:
        raise MalformedError(
            "access.password_wrong", "This is not your password: try again."
        ) from error


async def _hashed(admission: Admission, form: Form, login: str) -> str:
    """Read a new password that was typed twice. Raises MalformedError."""
    password = form.raw("password")
    check_password(password, login=login)
    if password != form.raw("again"):
        raise MalformedError(
            "access.not_repeated", "The two passwords differ: type both again."
        )
    return await admission.passwords.hashed(password)


def own_address(text: str) -> str:
    """Give an address of ours to go on to, or "": nobody is led to another site."""
    parts = urlsplit(text)
    ours = (
        text.startswith("/")
        and not text.startswith(("//", "/\\"))
        and text.isprintable()
        and not (parts.scheme or parts.netloc)
    )
    return text if ours else ""


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def _home(role: str) -> str:
    if role == OFFICER:
        return "/access/privacy"
    return HOME if role == ADMIN else "/desk"

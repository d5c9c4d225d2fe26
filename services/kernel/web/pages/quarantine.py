"""`/access/quarantine/<service>`: what a service could not handle, before people.

Each service answers for its own; that they stand side by side is the browser's doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID  # noqa: TC003 FastAPI reads it from the signature

from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 FastAPI reads it from the signature
from starlette.responses import Response  # noqa: TC002 as above

from services.kernel.i18n import msgid
from services.kernel.inbox import Discard
from services.kernel.tokens import require_role
from services.kernel.web.pages import purposes
from services.kernel.web.pages.rendering import SERVICES
from services.kernel.web.pages.unseen import shown
from services.kernel.web.quarantine_endpoint import LOOKING, SETTLING, Cause

if TYPE_CHECKING:
    from fastapi import APIRouter

    from services.kernel.access import Credential
    from services.kernel.inbox import Ward
    from services.kernel.web.pages.rendering import Pages

QUARANTINE: Final = "/access/quarantine"
LISTED: Final = 200
"""As many messages stand on the page; more than these need the command line."""
LONGEST: Final = 64 * 1024
"""As many bytes of a message are shown."""

CAUSES: Final = {
    Cause.CORRUPT: msgid("It is damaged and can never be right."),
    Cause.NOT_OURS: msgid("It is not ours: somebody else put it on the bus."),
    Cause.REPAIRED_ELSEWHERE: msgid("What it told was put right in another way."),
    Cause.TEST: msgid("It was a test."),
}
_DONE: Final = {
    "tried": msgid("Tried again."),
    "discarded": msgid("Passed over for ever; what waited behind it goes on."),
}
_COUNT: Final = TypeAdapter(int)


def quarantine_pages(name: str, ward: Ward, pages: Pages) -> APIRouter:
    """Build one service's part: administrators settle, auditors look."""
    routes = pages.router()
    part = _Part(name, ward, pages)
    _looking(routes, part)
    _trying(routes, part)
    _discarding(routes, part)

    # Opened from the history, say, the address of a form leads to its page.
    @routes.get(f"{part.home}/{{document_id}}/{{form}}")
    def back(document_id: UUID, form: str) -> Response:  # noqa: ARG001 it is in the path
        return pages.redirect(f"{part.home}/{document_id}")

    return routes


def _looking(routes: APIRouter, part: _Part) -> None:
    ward = part.ward

    @routes.get(part.home)
    async def listed(request: Request) -> Response:
        part.require(request, LOOKING)
        messages = await run_in_threadpool(ward.quarantined)
        gone, replays = await run_in_threadpool(ward.settled, limit=LISTED)
        asked = request.query_params
        return part.render(
            request,
            "access/quarantine.html",
            messages=messages[:LISTED],
            total=len(messages),
            gone=gone,
            replays=replays,
            causes=CAUSES,
            done=_DONE.get(asked.get("done", "")),
            applied=_count(asked.get("applied")),
        )

    # Fetched by the page of people, so that no service asks another.
    @routes.get(f"{part.home}/hint")
    async def hint(request: Request) -> Response:
        part.require(request, LOOKING)
        messages = await run_in_threadpool(ward.quarantined)
        return part.render(request, "access/quarantine_hint.html", total=len(messages))

    @routes.get(f"{part.home}/{{document_id}}")
    async def one(request: Request, document_id: UUID) -> Response:
        part.require(request, LOOKING)
        return await part.show(request, document_id)

    @routes.post(f"{part.home}/{{document_id}}/open")
    async def opened(request: Request, document_id: UUID) -> Response:
        by = part.require(request, SETTLING)
        purpose = (await part.pages.form(request)).one("purpose")
        if purpose not in purposes.SETTLING:
            fault = msgid("Choose what you want to look for.")
            return await part.show(request, document_id, fault=fault)
        _, body = await ward.opened(
            document_id, actor=by.actor, role=by.role, purpose=purpose
        )
        return await part.show(request, document_id, body=body)


def _trying(routes: APIRouter, part: _Part) -> None:
    async def tried(request: Request, only: UUID | None) -> Response:
        by = part.require(request, SETTLING)
        await part.pages.form(request)
        applied = await part.ward.replay(only=only, by=by.actor)
        return part.pages.redirect(part.home, done="tried", applied=str(applied))

    @routes.post(f"{part.home}/replay")
    async def replay_all(request: Request) -> Response:
        return await tried(request, None)

    @routes.post(f"{part.home}/{{document_id}}/replay")
    async def replay(request: Request, document_id: UUID) -> Response:
        return await tried(request, document_id)


def _discarding(routes: APIRouter, part: _Part) -> None:
    @routes.get(f"{part.home}/{{document_id}}/discard")
    async def sure(request: Request, document_id: UUID) -> Response:
        part.require(request, SETTLING)
        return await part.confirm(request, document_id)

    @routes.post(f"{part.home}/{{document_id}}/discard")
    async def discard(request: Request, document_id: UUID) -> Response:
        by = part.require(request, SETTLING)
        cause = (await part.pages.form(request)).one("cause")
        if cause not in CAUSES:
            fault = msgid("Choose why it may go.")
            return await part.confirm(request, document_id, fault=fault)
        how = Discard(actor=by.actor, cause=cause)
        await part.ward.discard(document_id, how)
        return part.pages.redirect(part.home, done="discarded")


@dataclass(frozen=True, slots=True)
class _Part:
    """What the pages of one service's quarantine are made of."""

    name: str
    ward: Ward
    pages: Pages

    @property
    def home(self) -> str:
        return f"{QUARANTINE}/{self.name}"

    def require(self, request: Request, roles: tuple[str, ...]) -> Credential:
        by = self.pages.require_known(request)
        require_role(by, *roles)
        return by

    def render(
        self, request: Request, template: str, status: int = 200, **context: object
    ) -> Response:
        return self.pages.render(
            request,
            template,
            status=status,
            **context,
            service=self.name,
            services=SERVICES,
            home=self.home,
            settling=self.pages.viewer(request).credential.role in SETTLING,
        )

    async def show(
        self,
        request: Request,
        document_id: UUID,
        *,
        body: bytes | None = None,
        fault: str | None = None,
    ) -> Response:
        message = await run_in_threadpool(self.ward.message, document_id)
        return self.render(
            request,
            "access/quarantine_one.html",
            status=422 if fault else 200,
            message=message,
            purposes=purposes.SETTLING,
            body=None if body is None else shown(body[:LONGEST]),
            longest=LONGEST,
            fault=fault and self.pages.text(request, fault),
        )

    async def confirm(
        self, request: Request, document_id: UUID, *, fault: str | None = None
    ) -> Response:
        """Say what would go and what would go on; nothing is changed yet."""
        message = await run_in_threadpool(self.ward.discardable, document_id)
        return self.render(
            request,
            "access/quarantine_discard.html",
            status=422 if fault else 200,
            message=message,
            causes=CAUSES,
            fault=fault and self.pages.text(request, fault),
        )


def _count(text: str | None) -> int | None:
    try:
        return _COUNT.validate_python(text)
    except ValidationError:
        return None

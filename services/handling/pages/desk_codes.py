"""`/desk/cases/…/access-code`: a new access code, shown once to who tells it on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 FastAPI reads it from the signature

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 as above
from starlette.responses import Response  # noqa: TC002 as above

from services.handling.application.codes import renewable
from services.handling.pages.desk import QUEUE
from services.handling.pages.desk_case import grouped
from services.handling.pages.desk_words import WORDS
from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from fastapi import APIRouter

    from services.handling.application.cases import Handling
    from services.handling.domain.policy import Policy
    from services.handling.ports import AccessCodes
    from services.kernel.web.pages import Pages


def router(
    handling: Handling, codes: AccessCodes, pages: Pages, *, policy: Policy
) -> APIRouter:
    routes = pages.router()

    @routes.post(f"{QUEUE}/{{case_id}}/access-code")
    async def renew(request: Request, case_id: UUID) -> Response:
        viewer = pages.require_known(request)
        case = await run_in_threadpool(
            renewable, handling, str(case_id), sender=viewer, policy=policy
        )
        form = await pages.form(request)
        verified = form.one("verified")
        if verified not in WORDS["verified"]:
            raise RefusedError(
                "handling.customer_not_verified",
                "Say how you made sure that it is the customer.",
            )
        # A page loaded anew sends its form again: with the key it makes no other code.
        made = await codes.renew(
            case.id, viewer, key=form.one("key") or None, verified=verified
        )
        # Rendered, not redirected to: an address would keep what is shown once.
        return pages.render(
            request,
            "desk/access_code.html",
            case=case,
            number=grouped(made.receipt_no),
            code=made.access_code,
            contact=made.contact,
        )

    # Opened from the history, say, the address of the form leads to its page.
    @routes.get(f"{QUEUE}/{{case_id}}/access-code")
    def back(case_id: UUID) -> Response:
        return pages.redirect(f"{QUEUE}/{case_id}")

    return routes

"""`/insight/….csv` and `.xlsx`: the figures of the pages as files, for whoever signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request  # noqa: TC002 FastAPI reads it from the signature
from starlette.responses import Response  # noqa: TC002 as above

from services.analytics.application.exporting import CASES as LIST
from services.analytics.application.exporting import Exports
from services.analytics.application.questions import Parameters
from services.analytics.domain.figures import counted_origins
from services.analytics.pages.asking import CASES, INSIGHT, given
from services.analytics.pages.insight import told_of
from services.kernel.errors import ForbiddenError, MalformedError
from services.kernel.web.spreadsheets import ENDINGS, table_file

if TYPE_CHECKING:
    from fastapi import APIRouter

    from services.analytics.application.figures import Figures
    from services.analytics.pages.insight import Readers
    from services.kernel.clock import Clock
    from services.kernel.web.pages import Pages
    from services.kernel.web.spreadsheets import Ending


def exports_router(
    figures: Figures, pages: Pages, *, readers: Readers, now: Clock
) -> APIRouter:
    """Serve every figure at `/insight/<figure>.<ending>`, with the API's parameters."""
    routes = pages.router()
    exports = Exports(figures, pages.zone)
    counted = counted_origins(demonstration=pages.demonstration)

    def add(ending: Ending) -> None:
        async def sent(
            request: Request, figure: str, roles: frozenset[str]
        ) -> Response:
            if pages.require_known(request).role not in roles:
                raise ForbiddenError(
                    "analytics.who", "Ask for a role that sees figures."
                )
            pairs = given(request.query_params.multi_items())
            asked = Parameters(pairs, zone=pages.zone, now=now(), counted=counted)
            language = pages.locale(request)
            try:
                return await table_file(
                    lambda: exports.table(figure, asked, language), ending
                )
            except MalformedError as error:
                return told_of(request, pages, error)

        @routes.get(f"{CASES}.{ending}")
        async def cases(request: Request) -> Response:
            return await sent(request, LIST, readers.cases)

        @routes.get(f"{INSIGHT}/{{figure}}.{ending}")
        async def figure(request: Request, figure: str) -> Response:
            return await sent(request, figure, readers.figures)

    for ending in ENDINGS:
        add(ending)
    return routes

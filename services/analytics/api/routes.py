"""The analytics service over HTTP: figures, the cases behind them, the rebuild."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from services.analytics.api.documented import documented
from services.analytics.application.exporting import Exports
from services.analytics.application.figures import FIGURES
from services.analytics.application.questions import Parameters, address
from services.analytics.domain.figures import COUNTED_ORIGINS, DIMENSIONS
from services.kernel.clock import rfc3339
from services.kernel.i18n import language_of
from services.kernel.web.caller import caller
from services.kernel.web.spreadsheets import (
    ENDINGS,
    MEDIA_TYPES,
    Ending,
    table_file,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from services.analytics.application.figures import (
        Answer,
        Figure,
        Figures,
        Known,
        Number,
        Question,
    )
    from services.analytics.application.rebuilding import Rebuilder
    from services.analytics.domain.figures import Selection
    from services.analytics.domain.versions import Version
    from services.kernel.access import Authenticator
    from services.kernel.clock import Clock

CASES: Final = "/api/analytics/cases"
NOT_DETERMINED: Final = {"reported": "not_stated", "found": "not_determined"}
"""How a Pareto calls the complaints that have no cause, by its basis."""


def analytics_router(
    figures: Figures,
    rebuilder: Rebuilder,
    authenticator: Authenticator,
    *,
    zone: ZoneInfo,
    clock: Clock,
    counted: tuple[str, ...] = COUNTED_ORIGINS,
) -> APIRouter:
    """Serve services and the operator; staff follow with their roles."""
    router = APIRouter(
        prefix="/api/analytics",
        tags=["analytics"],
        dependencies=[Depends(caller(authenticator, service=True))],
    )

    def parameters(request: Request) -> Parameters:
        pairs = request.query_params.multi_items()
        return Parameters(pairs, zone=zone, now=clock(), counted=counted)

    @router.get("/frequency", openapi_extra=documented("group_by", "period", "level"))
    async def frequency(request: Request) -> dict[str, Any]:
        """How often people complain: counts by dimensions and period (S135)."""
        asked = parameters(request).frequency()
        answer = await run_in_threadpool(
            figures.frequency,
            asked.selection,
            dimensions=asked.dimensions,
            period=asked.period,
            level=asked.level,
            as_of=asked.as_of,
        )
        rows = [
            {
                **row.values,
                "count": row.count,
                "cases": address(CASES, row.cases, answer.known.position),
            }
            for row in answer.rows
        ]
        return {
            "rows": rows,
            "total": sum(row.count for row in answer.rows),
            "definition": {
                "figure": "frequency",
                "group_by": [*(["period"] if asked.period else []), *asked.dimensions],
                "period": asked.period,
                "level": asked.level,
                **_counted(asked.selection, zone),
            },
            **_state(answer.known),
        }

    @router.get("/root-causes", openapi_extra=documented("basis", "level"))
    async def root_causes(request: Request) -> dict[str, Any]:
        """Why people complain: causes by falling count, with shares (S137)."""
        asked = parameters(request).causes()
        answer = await run_in_threadpool(
            figures.root_causes,
            asked.selection,
            basis=asked.basis,
            level=asked.level,
            as_of=asked.as_of,
        )
        unknown = NOT_DETERMINED[asked.basis]
        rows = [
            {
                "cause": row.cause or unknown,
                "count": row.count,
                "share": round(row.share, 6),
                "cumulative_share": round(row.cumulative_share, 6),
                "cases": address(CASES, row.cases, answer.known.position),
            }
            for row in answer.rows
        ]
        return {
            "rows": rows,
            "total": sum(row.count for row in answer.rows),
            unknown: sum(row.count for row in answer.rows if row.cause is None),
            "definition": {
                "figure": "root_causes",
                "basis": asked.basis,
                "level": asked.level,
                "denominator": "all complaints counted",
                **_counted(asked.selection, zone),
            },
            **_state(answer.known),
        }

    for figure in FIGURES.values():
        router.get(
            f"/{figure.name}",
            name=figure.name,
            summary=figure.name.replace("-", " ").capitalize(),
            description=f"A line counts {figure.counts}.",
            openapi_extra=documented(*figure.parameters),
        )(_answering(figure, figures, parameters, zone))

    @router.get("/cases", openapi_extra=documented("after", "limit"))
    async def cases(request: Request) -> dict[str, Any]:
        """List the complaints that a figure counts; `next` leads to those after."""
        asked = parameters(request).cases()
        answer = await run_in_threadpool(
            figures.cases,
            asked.selection,
            as_of=asked.as_of,
            after=asked.after,
            limit=asked.limit,
        )
        following = None
        if answer.more:
            here = address(CASES, asked.selection, answer.known.position)
            on = {"after": answer.rows[-1].case_id, "limit": asked.limit}
            following = f"{here}&{urlencode(on)}"
        return {
            "rows": [_listed(version) for version in answer.rows],
            "next": following,
            **_state(answer.known),
        }

    @router.post("/rebuild", status_code=202)
    async def begin_rebuild() -> dict[str, Any]:
        """Make all rows anew from handling's log; a second call joins the first."""
        return asdict(rebuilder.begin())

    @router.get("/rebuild")
    async def rebuild() -> dict[str, Any]:
        """Tell how far the rebuild is, and whether the rows were equal."""
        return asdict(rebuilder.progress)

    exports = Exports(figures, zone)
    for ending in ENDINGS:
        _export(router, exports, parameters, ending)

    return router


def _export(
    router: APIRouter,
    exports: Exports,
    parameters: Callable[[Request], Parameters],
    ending: Ending,
) -> None:
    """Give every figure as a file too, at its own address with an ending."""

    @router.get(
        f"/{{figure}}.{ending}",
        name=f"figure.{ending}",
        summary=f"Any figure, or the complaints behind a number, as {ending.upper()}",
        response_class=Response,
        responses={HTTPStatus.OK: {"content": {MEDIA_TYPES[ending]: {}}}},
        openapi_extra=documented("group_by", "period", "level", "basis"),
    )
    async def export(figure: str, request: Request) -> Response:
        language = language_of(accept=request.headers.get("accept-language"))
        return await table_file(
            lambda: exports.table(figure, parameters(request), language), ending
        )


def _answering(
    figure: Figure,
    figures: Figures,
    parameters: Callable[[Request], Parameters],
    zone: ZoneInfo,
) -> Callable[[Request], Awaitable[dict[str, Any]]]:
    """Answer one figure of the register."""

    async def answer(request: Request) -> dict[str, Any]:
        question = parameters(request).question(figure)
        found = await run_in_threadpool(figures.answer, figure, question)
        return told(figure, question, found, zone)

    return answer


def told(
    figure: Figure, question: Question, answer: Answer, zone: ZoneInfo
) -> dict[str, Any]:
    """Give an answer as JSON: each line with its numbers and the cases they count."""
    position = answer.known.position
    return {
        "rows": [
            {
                **line.values,
                **_values(line.numbers),
                "cases": _links(line.numbers, position),
            }
            for line in answer.lines
        ],
        "total": {
            **_values(answer.total),
            "cases": _links(answer.total, position),
        },
        "definition": {
            "figure": figure.name,
            "counts": figure.counts,
            "out_of": figure.out_of,
            "time": figure.by,
            "columns": dict(figure.columns),
            "source": figure.source,
            "group_by": [
                *(["period"] if question.period else []),
                *question.dimensions,
            ],
            "period": question.period,
            "level": question.level,
            **_chosen(question.selection, zone),
        },
        **_state(answer.known),
    }


def _values(numbers: Mapping[str, Number]) -> dict[str, float | None]:
    return {
        name: round(number.value, 6)
        if isinstance(number.value, float)
        else number.value
        for name, number in numbers.items()
    }


def _links(numbers: Mapping[str, Number], position: int) -> dict[str, str]:
    """Give where the complaints of each number are listed, if it counts any."""
    return {
        name: address(CASES, number.cases, position)
        for name, number in numbers.items()
        if number.value and number.cases is not None
    }


def _chosen(selection: Selection, zone: ZoneInfo) -> dict[str, Any]:
    """Say which complaints the question is about."""
    return {
        "time_zone": zone.key,
        "from": _instant(selection.received_from),
        "before": _instant(selection.received_to),
        "filters": [{name: list(values)} for name, values in selection.filters],
    }


def _counted(selection: Selection, zone: ZoneInfo) -> dict[str, Any]:
    """Say what is counted, by which time, and out of what."""
    return {
        "counts": "every complaint received, open or closed, once",
        "time": "occurred_at of ComplaintReceived, as claimed",
        **_chosen(selection, zone),
    }


def _state(known: Known) -> dict[str, Any]:
    return {
        "position": known.position,
        "as_of": _instant(known.as_of),
        "held": known.held,
        "damaged": known.unfit > 0,
    }


def _listed(version: Version) -> dict[str, Any]:
    facts = version.facts
    return {
        "case_id": str(version.case_id),
        "receipt_no": facts.receipt_no,
        "received_at": rfc3339(facts.received_at),
        "received_precision": facts.received_precision,
        **{name: getattr(facts, name) for name in DIMENSIONS},
        "case": f"/api/handling/cases/{version.case_id}",
    }


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)

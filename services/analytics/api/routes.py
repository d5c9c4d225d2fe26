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
from services.analytics.application.figures import FIGURES, FREQUENCY, ROOT_CAUSES
from services.analytics.application.questions import Parameters, address
from services.analytics.domain.figures import COUNTED_ORIGINS, DIMENSIONS
from services.kernel.clock import from_micros, rfc3339
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
        Kind,
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
        openapi_extra=documented(
            "group_by", "period", "level", "basis", "days", "same", "compare"
        ),
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
        answered = told(figure, question, found, zone)
        if figure is FREQUENCY:
            return frequencies(answered)
        return causes(answered) if figure is ROOT_CAUSES else answered

    return answer


def flat(answered: dict[str, Any]) -> dict[str, Any]:
    """Give the older shape: a row has one address, and the whole lies beside the rows."""
    whole = answered["total"]
    del whole["cases"]
    return {
        **answered,
        "rows": [
            {**row, "cases": row["cases"].get("count")} for row in answered["rows"]
        ],
        **{name: number for name, number in whole.items() if name != "count"},
        "total": whole["count"],
    }


def frequencies(answered: dict[str, Any]) -> dict[str, Any]:
    """Give the older shape of the frequency; say of each row if something is done."""
    answered = flat(answered)
    for row in answered["rows"]:
        row["has_countermeasure"] = row["countermeasures"] > 0
    return answered


def causes(answered: dict[str, Any]) -> dict[str, Any]:
    """Give the older shape of causes: what has none is named and counted apart."""
    answered = flat(answered)
    definition = answered["definition"]
    unknown = NOT_DETERMINED[definition["basis"]]
    rows = [{**row, "cause": row["cause"] or unknown} for row in answered["rows"]]
    for name in ("share", "cumulative_share"):
        del answered[name]
    return {
        **answered,
        "rows": rows,
        unknown: sum(row["count"] for row in rows if row["cause"] == unknown),
        "definition": {
            **definition,
            "figure": "root_causes",
            "denominator": definition["out_of"],
        },
    }


def told(
    figure: Figure, question: Question, answer: Answer, zone: ZoneInfo
) -> dict[str, Any]:
    """Give an answer as JSON: each line with its numbers and the cases they count."""
    position = answer.known.position
    return {
        "rows": [
            {
                **line.values,
                **_values(figure, line.numbers),
                **_compared(figure, line.numbers, position),
                "cases": _links(line.numbers, position),
            }
            for line in answer.lines
        ],
        "total": {
            **_values(figure, answer.total),
            **_compared(figure, answer.total, position),
            "cases": _links(answer.total, position),
        },
        "definition": {
            "figure": figure.name,
            "counts": figure.counts,
            "out_of": figure.out_of,
            "time": figure.by,
            "columns": dict(figure.columns),
            "shares": {name: asdict(parts) for name, parts in figure.shares.items()},
            "source": figure.source,
            "group_by": [
                *(["period"] if question.period else []),
                *question.dimensions,
            ],
            "period": question.period,
            "level": question.level,
            **{
                name: getattr(question, name)
                for name in ("basis", "days", "same", "compare")
                if name in figure.parameters
            },
            **_chosen(question.selection, zone),
        },
        **_state(answer.known),
    }


def _values(
    figure: Figure, numbers: Mapping[str, Number]
) -> dict[str, float | bool | str | None]:
    return {
        name: _value(number.value, figure.columns[name])
        for name, number in numbers.items()
    }


def _compared(
    figure: Figure, numbers: Mapping[str, Number], position: int
) -> dict[str, Any]:
    """Give what each number was before, how much more it is, and the cases of then."""
    before = {name: each.before for name, each in numbers.items() if each.before}
    if not before:
        return {}
    return {
        "previous": {
            **_values(figure, before),
            "cases": _links(before, position),
        },
        "change": {
            name: None if each.change is None else round(each.change, 6)
            for name, each in numbers.items()
        },
    }


def _value(value: float | None, kind: Kind) -> float | bool | str | None:
    if value is None:
        return None
    if kind == "instant":
        return rfc3339(from_micros(round(value * 1_000_000)))
    if kind == "flag":
        return bool(value)
    return round(value, 6)


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


def _state(known: Known) -> dict[str, Any]:
    return {
        "position": known.position,
        "as_of": _instant(known.as_of),
        "held": known.held,
        "beyond": known.beyond,
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

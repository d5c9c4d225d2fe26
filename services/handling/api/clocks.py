"""A case's clocks over HTTP: what is due when, by whom, and why."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.handling.application.cases import Handling
from services.handling.application.clocks import Timed, looked_at, timed
from services.handling.application.looking import look, read_as_of
from services.handling.domain.case import Happened
from services.handling.domain.clocks import Clock, Clockwork, duration
from services.kernel.access import Authenticator, Credential
from services.kernel.clock import Clock as Now
from services.kernel.clock import rfc3339
from services.kernel.web.caller import caller


def router(
    handling: Handling, authenticator: Authenticator, clockwork: Clockwork, *, now: Now
) -> APIRouter:
    routes = APIRouter(prefix="/api/handling", tags=["cases"])
    who = Depends(caller(authenticator))
    policy = clockwork.policy

    @routes.get("/cases/{case}/clocks", summary="What is due when, by whom, and why")
    def clocks(
        case: str,
        sender: Annotated[Credential, who],
        as_of: str | None = None,
        explain: str | None = None,
    ) -> JSONResponse:
        when = read_as_of(as_of, clockwork.zone)
        history = look(handling, case, when, sender=sender, policy=policy)
        found = timed(
            history,
            clockwork,
            looked_at(history, when, now()),
            unit=sender.role in policy.unit_roles,
        )
        return JSONResponse(
            {
                **clocks_json(found, clockwork, explain=explain is not None),
                "position": history.position,
            }
        )

    return routes


def clocks_json(found: Timed, by: Clockwork, *, explain: bool) -> dict[str, Any]:
    """Give the clocks as plain values."""

    def told(clock: Clock) -> dict[str, Any]:
        why = {"why": why_json(clock, by)} if explain else {}
        return {**clock_json(clock), **why}

    return {
        "clocks": [told(clock) for clock in found.clocks],
        "stated": [
            {
                "event_id": str(each.event_id),
                "due_at": each.due_at and rfc3339(each.due_at),
                "overdue": each.overdue,
            }
            for each in found.stated
        ],
        "what_if": [told(clock) for clock in found.what_if],
        "at": rfc3339(found.at),
        "policy": {by.policy.name: by.policy.version},
        "time_zone": str(by.zone),
    }


def clock_json(clock: Clock) -> dict[str, Any]:
    return {
        "clock": clock.code,
        "holder": clock.holder,
        "state": clock.state,
        "started_at": rfc3339(clock.started_at),
        "due_at": rfc3339(clock.due_at),
        "stopped_at": clock.stopped_at and rfc3339(clock.stopped_at),
        "elapsed": clock.elapsed,
    }


def why_json(clock: Clock, by: Clockwork) -> dict[str, Any]:
    """Give what a due date follows from: events, rule, and the days that do not count."""
    rule = clock.rule
    return {
        "started_by": _event(clock.started_by),
        "stopped_by": _event(clock.stopped_by) if clock.stopped_by else None,
        "rule": {
            **rule.model_dump(
                mode="json",
                include={
                    "basis",
                    "starts",
                    "stops",
                    "category",
                    "complaint_class",
                    "scope_kind",
                    "severity",
                    "calendar",
                    "retroactive",
                },
            ),
            "within": duration(rule),
        },
        "skipped": [
            {"day": str(day), "why": why, "name": name}
            for day, why, name in by.skipped(clock)
        ],
    }


def _event(event: Happened) -> dict[str, Any]:
    return {
        "event_id": str(event.event_id),
        "type": event.type,
        "occurred_at": rfc3339(event.occurred_at),
        "occurred_precision": event.precision,
        "recorded_at": rfc3339(event.at),
    }

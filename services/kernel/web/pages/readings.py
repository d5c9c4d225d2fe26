"""`/access/readings/<service>`: who read, searched, exported what; for auditors."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 FastAPI reads it from the signature
from starlette.responses import Response  # noqa: TC002 as above

from services.kernel.i18n import msgid
from services.kernel.inbox.quarantine import KIND
from services.kernel.tokens import require_role
from services.kernel.vault import ACTS, NOTHING, Wanted
from services.kernel.web.pages.forms import FormFault
from services.kernel.web.pages.purposes import PURPOSES
from services.kernel.web.pages.rendering import SERVICES
from services.kernel.web.pages.roles import ROLES
from services.kernel.web.readings_endpoint import ITSELF, LOOKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from zoneinfo import ZoneInfo

    from fastapi import APIRouter

    from services.kernel.web.pages.rendering import Pages
    from services.kernel.web.readings_endpoint import AccessLog

READINGS: Final = "/access/readings"
FILTERS: Final = ("case_id", "actor", "act", "from", "until")
_NUMBER: Final = re.compile(r"[0-9]{16}")

_KINDS: Final = {
    KIND: msgid("A message in quarantine"),
    ITSELF: msgid("This access log"),
    "access_code": msgid("A new access code was made"),
    "receipt_no": msgid("Receipt number"),
    "phone": msgid("Telephone number"),
    "email": msgid("E-mail address"),
    "customer_no": msgid("Customer number"),
    "order_no": msgid("Order number"),
    "serial": msgid("Serial number"),
    "lot": msgid("Lot"),
    "upstream_no": msgid("Number elsewhere"),
    "words": msgid("Words"),
    "subject": msgid("One person's data"),
}
"""What a note may be of beside documents, in words."""
_ACTS: Final = {
    "read": msgid("Read"),
    "list": msgid("Saw that it is there"),
    "preview": msgid("Saw a small picture"),
    "download": msgid("Took a copy"),
    "renew": msgid("Made anew"),
    "search": msgid("Searched"),
    "export": msgid("Exported"),
}
_FAULTS: Final = {
    "case_id": msgid(
        "No case is known by this here. Give its receipt number, or the id with which"
        " the address of its page ends."
    ),
    "from": msgid("Give a day."),
    "until": msgid("Give a day."),
}


def readings_pages(
    name: str,
    log: AccessLog,
    pages: Pages,
    *,
    names: Callable[[], Mapping[str, str]],
    case_of: Callable[[str], UUID | None] = lambda _: None,
) -> APIRouter:
    """Build one service's part, for auditors and administrators.

    `names` gives people's names by the ids that the log has; `case_of` the case of a
    receipt number, where the service knows them.
    """
    routes = pages.router()

    @routes.get(f"{READINGS}/{name}")
    async def listed(request: Request) -> Response:
        by = pages.require_known(request)
        require_role(by, *LOOKING)
        asked = request.query_params
        given = {each: asked.get(each, "").strip() for each in FILTERS}
        number = given["case_id"].replace(" ", "").replace("-", "")
        if _NUMBER.fullmatch(number):
            found_case = await run_in_threadpool(case_of, number)
            given["case_id"] = str(found_case or number)
        wanted, faults = _wanted(given, pages.zone)
        found = None
        if not faults:
            found = await log.look(wanted, by=by, cursor=asked.get("cursor"))
        chosen = {each: value for each, value in given.items() if value}
        told = [FormFault(each, pages.text(request, _FAULTS[each])) for each in faults]
        return pages.render(
            request,
            "access/readings.html",
            status=422 if faults else 200,
            service=name,
            services=SERVICES,
            given=given,
            query=urlencode(chosen),
            found=found,
            faults_found=told,
            errors={fault.field: fault.message for fault in told},
            kinds=_KINDS,
            acts=_ACTS,
            roles=ROLES,
            names=await run_in_threadpool(names),
            purposes=PURPOSES,
            nothing=NOTHING,
        )

    return routes


def _wanted(given: Mapping[str, str], zone: ZoneInfo) -> tuple[Wanted, list[str]]:
    """Read the filters; days are whole, and meant in `zone`. Gives the faulty too."""
    faults: list[str] = []
    act = next((each for each in ACTS if each == given["act"]), None)
    case_id, after, before = None, None, None
    try:
        case_id = UUID(given["case_id"]) if given["case_id"] else None
    except ValueError:
        faults.append("case_id")
    try:
        after = _beginning(given["from"], zone)
    except (ValueError, OverflowError):
        faults.append("from")
    try:
        before = _beginning(given["until"], zone, later=1)
    except (ValueError, OverflowError):
        faults.append("until")
    return Wanted(case_id, given["actor"] or None, act, after, before), faults


def _beginning(text: str, zone: ZoneInfo, *, later: int = 0) -> dt.datetime | None:
    if not text:
        return None
    day = dt.date.fromisoformat(text) + dt.timedelta(days=later)
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)

"""A whole amends in this process, with somebody in every role, and one case for all."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import ssl
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import httpx

from services.building import SERVICES, Site, started
from services.bus import running_bus
from services.handling.domain.visibility import PROGRAMS
from services.handling.main import default_policy, roles
from services.kernel.access import new_token
from services.kernel.clock import rfc3339, system_clock
from services.kernel.folder import DataFolder
from services.kernel.sessions import csrf_of
from services.kernel.settings import Settings
from services.kernel.web.cookies import COOKIE
from services.kernel.web.pages.forms import CSRF_FIELD
from services.kernel.web.serving import answering, listen
from services.up import SWITCH_INTERVAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

    from services.bus import Bus
    from services.handling.domain.policy import Policy

PASSWORD: Final = "correct horse battery"  # noqa: S105 it opens nothing else
CHANNEL: Final = "web"
PHONE: Final = "+861055500100"
WORD: Final = "hums"
PATIENCE: Final = 30.0
"""Seconds until what was committed is known everywhere; only a hang reaches them."""

_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For addresses on loopback; reading the machine's certificates for each takes longer."""
_CSRF: Final = re.compile(rf'name="{CSRF_FIELD}" value="([^"]+)"')


@dataclass(frozen=True)
class Caller:
    """Somebody, and how they show who they are: `header` to programs, `http` to pages."""

    name: str
    department: str | None
    header: str | None
    http: httpx.AsyncClient
    csrf: str = field(repr=False)
    page: bool = True
    """Whether they come to pages at all: systems do not."""
    program: bool = True


@dataclass(frozen=True)
class Case:
    """The case that everybody tries, and the receipt of another one."""

    case_id: str
    receipt_no: str
    access_code: str
    statement: str
    """The document of what the customer wrote."""
    departments: Mapping[str, str]
    """The department of each relation."""
    taken_at: int
    """The version at which the former department lost it."""
    past: int
    """A position of the record at which the former department still had it."""

    @property
    def receipt(self) -> str:
        """How the customer shows what they hold."""
        return f"Receipt {self.receipt_no} {self.access_code}"


class House:
    """A running amends, as those see it who come to its door."""

    def __init__(
        self, url: str, token: str, app: Any, bus: Bus, policy: Policy
    ) -> None:
        self.url, self.app, self.bus, self.policy = url, app, bus, policy
        self._operator = f"Bearer {token}"
        self._keys = itertools.count(1)
        self._clients: list[httpx.AsyncClient] = []
        self._tokens: dict[tuple[str, str | None], str] = {}
        self.http = self.client()

    def client(self) -> httpx.AsyncClient:
        made = httpx.AsyncClient(
            base_url=self.url, timeout=PATIENCE, trust_env=False, verify=_NO_TLS
        )
        self._clients.append(made)
        return made

    async def close(self) -> None:
        for each in self._clients:
            await each.aclose()

    def routes(self) -> list[tuple[str, str]]:
        """Name every route that is served: method and path, pages as well."""
        app = self.app
        while not hasattr(app, "routes"):
            app = app._app  # noqa: SLF001 through what stands round the application
        return sorted({each for route in _flat(app.routes) for each in _named(route)})

    def roles(self) -> frozenset[str]:
        """Name the roles that the running rules have."""
        return roles(self.policy)

    async def ask(
        self, method: str, path: str, body: object = None, *, by: str | None = None
    ) -> httpx.Response:
        """Ask as the operator, or as who shows `by`."""
        return await self.http.request(
            method,
            path,
            json=body,
            headers={"Authorization": by or self._operator},
        )

    async def made(self, path: str, body: object, *, by: str | None = None) -> Any:
        answer = await self.ask("POST", path, body, by=by)
        if not answer.is_success:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
        return answer.json()

    def key(self) -> str:
        return str(UUID(int=next(self._keys) | 1 << 80))

    async def token(self, role: str, department: str | None = None) -> str:
        """Give the header of somebody in this role, there."""
        known = self._tokens.get((role, department))
        if known is None:
            wanted: dict[str, Any] = {"role": role, "department": department}
            if role == "channel":
                wanted["channel"] = CHANNEL
            made = await self.made("/api/handling/tokens", wanted)
            known = self._tokens[role, department] = f"Bearer {made['token']}"
        return known

    async def signed_in(
        self, role: str, department: str | None, *, login: str | None = None
    ) -> tuple[httpx.AsyncClient, str, str]:
        """Add somebody, sign them in; gives their browser, its forms' proof, their id."""
        login = login or f"u{next(self._keys)}"
        person = {"login": login, "name": login, "role": role}
        made = await self.made(
            "/api/handling/users",
            {**person, "department": department, "password": PASSWORD},
        )
        browser = await self.browser(login)
        return browser, csrf_of(browser.cookies[COOKIE]), made["user_id"]

    async def browser(self, login: str) -> httpx.AsyncClient:
        """Sign in once more, in a browser of its own."""
        browser, csrf = await self.stranger("/access/login")
        form = {"login": login, "password": PASSWORD, CSRF_FIELD: csrf}
        await browser.post("/access/login", data=form)
        return browser

    async def stranger(self, page: str = "/answer") -> tuple[httpx.AsyncClient, str]:
        """Open a browser that nobody has signed in with; gives its forms' proof."""
        browser = self.client()
        return browser, await self.proof(browser, page)

    async def proof(self, browser: httpx.AsyncClient, page: str) -> str:
        """Give what the form of a page carries; each service has its own."""
        found = _CSRF.search((await browser.get(page)).text)
        if found is None:
            raise RuntimeError(f"{page} has no form")
        return found[1]

    async def caller(self, role: str, department: str | None = None) -> Caller:
        """Give somebody of a role, with a token and, if people can be it, a session."""
        header = await self.token(role, department)
        if role in PROGRAMS:
            return Caller(role, None, header, self.http, "", page=False)
        browser, csrf, _ = await self.signed_in(role, department)
        return Caller(role, department, header, browser, csrf)

    async def outsiders(self, case: Case) -> list[Caller]:
        """Give those who are no role: services, strangers, whose time is over."""
        browser, csrf = await self.stranger()
        ended = system_clock() + timedelta(milliseconds=700)
        made = await self.made(
            "/api/handling/tokens", {"role": "auditor", "expires_at": rfc3339(ended)}
        )
        expired = f"Bearer {made['token']}"
        made = await self.made("/api/handling/tokens", {"role": "auditor"})
        await self.made(f"/api/handling/tokens/{made['token_id']}/revoke", {})
        revoked = f"Bearer {made['token']}"
        gone, proof, user_id = await self.signed_in("auditor", None)
        await self.made(f"/api/handling/users/{user_id}/depart", {})
        left = ended - system_clock()
        await asyncio.sleep(max(0.0, left.total_seconds()) + 0.01)
        return [
            Caller("operator", None, self._operator, self.http, "", page=False),
            Caller("anonymous", None, None, browser, csrf),
            Caller("receipt", None, case.receipt, self.http, "", page=False),
            Caller("expired", None, expired, self.http, "", page=False),
            Caller("revoked", None, revoked, self.http, "", page=False),
            Caller("departed", None, None, gone, proof, program=False),
        ]

    async def received(self, channel: str = CHANNEL) -> dict[str, str]:
        """Hand a complaint in, and wait until handling has it."""
        answer = await self.http.post(
            "/api/intake/complaints",
            json=complaint(channel),
            headers={"Idempotency-Key": self.key()},
        )
        receipt: dict[str, str] = answer.json()
        await self.until(f"/api/handling/cases/{receipt['case_id']}")
        return receipt

    async def until(self, path: str) -> httpx.Response:
        """Ask as the operator until it is there."""
        end = time.monotonic() + PATIENCE
        while not (answer := await self.ask("GET", path)).is_success:
            if time.monotonic() > end:
                raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
            await asyncio.sleep(0.02)
        return answer

    async def command(self, case_id: str, name: str, body: object, *, by: str) -> Any:
        return await self.made(
            f"/api/handling/cases/{case_id}/commands/{name}", body, by=by
        )

    async def case(self, departments: Mapping[str, str]) -> Case:
        """Bring a case to the departments of the relations; one of them loses it."""
        receipt = await self.received()
        case_id = receipt["case_id"]
        agent = await self.token("agent", self.policy.front_office)
        soon = rfc3339(system_clock() + timedelta(days=1))
        await self.command(
            case_id, "acknowledge", {"expected_at": soon, "medium": "phone"}, by=agent
        )
        await self.command(case_id, "accept", ACCEPT, by=agent)
        former, lead = departments["former"], departments["lead"]
        await self.command(case_id, "assign", {"department": former}, by=agent)
        then = (await self.ask("GET", f"/api/handling/cases/{case_id}")).json()
        loser = await self.token("department_handler", former)
        taken = await self.command(case_id, "return", {"reason": "not_ours"}, by=loser)
        await self.command(case_id, "assign", {"department": lead}, by=agent)
        await self.command(
            case_id,
            "assign",
            {"department": departments["contributor"], "role": "contributor"},
            by=agent,
        )
        events = (await self.ask("GET", f"/api/handling/cases/{case_id}/events")).json()
        first = events["events"][0]["event"]["data"]
        return Case(
            case_id,
            receipt["receipt_no"],
            receipt["access_code"],
            first["statement"]["document_id"],
            departments,
            taken["version"],
            then["position"],
        )


def complaint(channel: str) -> dict[str, Any]:
    return {
        "channel": channel,
        "statement": f"It {WORD} at night.",
        "contact": {"name": "Wang", "phone": PHONE},
        "category": "other",
    }


ACCEPT: Final = {
    "complaint_class": "grievance",
    "category": "other",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}


@asynccontextmanager
async def opened(folder: Path, *, unguarded: bool = False) -> AsyncIterator[House]:
    """Run amends in `folder`; `unguarded`, under rules in which nobody is of a unit.

    Call it in the main thread: the broker ends with the thread that made it.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = Settings(data=folder)
    data = DataFolder(settings.data)
    data.make()
    policy = default_policy()
    if unguarded:  # whoever is of no department sees them all
        policy = policy.model_copy(update={"unit_roles": ()})
    async with AsyncExitStack() as stack:
        stack.callback(sys.setswitchinterval, before)
        stack.enter_context(data.held())
        listener = stack.enter_context(contextlib.closing(listen("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        bus = await stack.enter_async_context(
            running_bus(settings, data, policy.departments)
        )
        token = new_token()
        site = Site(
            settings=settings,
            folder=data,
            bus=bus,
            policy=policy,
            addresses=dict.fromkeys(SERVICES, url),
            token=token,
        )
        app = await stack.enter_async_context(started(site))
        await stack.enter_async_context(answering(app, listener))
        house = House(url, token, app, bus, policy)
        stack.push_async_callback(house.close)
        await house.until("/health/ready")
        yield house


def lines(*documents: object) -> bytes:
    """Write NDJSON."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in documents)


def _flat(routes: Sequence[Any]) -> Iterator[Any]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _flat(included.routes)


def _named(route: Any) -> Iterator[tuple[str, str]]:
    methods = set(route.methods or ())
    for method in methods:
        if method != "HEAD" or "GET" not in methods:
            yield method, route.path

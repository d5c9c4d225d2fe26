"""Users, tokens and their history over HTTP; cookies act only where their page asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from services.handling.api.access import router
from services.kernel.access import OPERATOR, Credential, OperatorTokens
from services.kernel.passwords import Passwords
from services.kernel.sessions import csrf_of
from services.kernel.web.cookies import COOKIE, CookieHolders
from services.kernel.web.problems import install
from tests.support.access import CHEAP, PASSWORD, AccessRecord
from tests.support.asgi import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx
    from starlette.requests import Request

    from services.kernel.store.database import Database

USERS = "/api/handling/users"
HISTORY = "/api/handling/access/history"
NEW = {"login": "Bo", "name": "Bo Chen", "role": "agent", "password": PASSWORD}


class Door(OperatorTokens):
    """Operator and auditor by token, everybody else by cookie."""

    def __init__(self, record: AccessRecord) -> None:
        super().__init__({"op": OPERATOR, "au": Credential("mei", "auditor")})
        self._holders = CookieHolders(record.users, {})

    async def by_cookie(self, request: Request) -> Credential:
        return await self._holders.by_cookie(request)


class Http:
    """Asks the routes with a token, or with a cookie and whatever else."""

    def __init__(self, record: AccessRecord, passwords: Passwords) -> None:
        self.record = record
        self.app = FastAPI()
        self.app.include_router(
            router(
                record.tokens,
                record.users,
                passwords,
                Door(record),
                zone=ZoneInfo("UTC"),
            )
        )
        install(self.app)

    def __call__(
        self, method: str, path: str, body: Any = None, *, who: str = "op"
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {who}"}
        return ask(self.app, method, path, json=body, headers=headers)

    def by_cookie(
        self, session: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(
            self.app,
            method,
            path,
            json=body,
            headers={"cookie": f"{COOKIE}={session}", **named},
        )


@pytest.fixture
def http(make_database: Callable[..., Database]) -> Iterator[Http]:
    passwords = Passwords(CHEAP)
    yield Http(AccessRecord.over(make_database("access")), passwords)
    passwords.stop()


def test_somebody_is_added_listed_changed_let_go_and_forgotten(http: Http) -> None:
    added = http("POST", USERS, NEW)
    assert added.status_code == 201
    user = added.json()
    assert (user["login"], user["name"], user["role"]) == ("bo", "Bo Chen", "agent")
    assert "password" not in added.text
    assert "argon2" not in added.text
    assert http("GET", USERS).json() == {"rows": [user]}
    one = f"{USERS}/{user['user_id']}"
    place = {"role": "quality", "department": "quality"}
    assert http("POST", f"{one}/change", place).json()["department"] == "quality"
    assert http("POST", f"{one}/depart").json()["departed_at"] is not None
    assert http("POST", f"{one}/forget").json()["name"] is None


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"password": "short"}, 422, "access.password_short"),
        ({"login": ""}, 422, "access.person"),
        ({"role": "king"}, 409, "access.unknown_role"),
        ({"role": "quality"}, 409, "access.department_needed"),
        ({"nickname": "b"}, 422, "request.invalid"),
        ({"password": None}, 422, "request.invalid"),
    ],
)
def test_what_cannot_be_is_refused_without_repeating_the_password(
    http: Http, change: dict[str, Any], status: int, code: str
) -> None:
    refused = http("POST", USERS, {**NEW, **change})
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert PASSWORD not in refused.text
    assert http.record.users.all() == []


@pytest.mark.parametrize(
    ("wanted", "code", "allowed"),
    [
        ({"role": "quality", "department": "moon"}, "department", "front-office"),
        ({"role": "agent", "channel": "pigeon"}, "channel", "phone, web"),
    ],
)
def test_a_token_for_what_does_not_exist_is_refused_with_what_does(
    http: Http, wanted: dict[str, Any], code: str, allowed: str
) -> None:
    refused = http("POST", "/api/handling/tokens", wanted)
    assert refused.status_code == 409
    assert refused.json()["code"] == f"access.unknown_{code}"
    assert allowed in refused.json()["detail"]
    assert http.record.tokens.all() == []


def test_only_who_may_gets_anything(http: Http) -> None:
    agent = http.record.users.sign_in(http.record.add().user_id)
    for method, path in (
        ("GET", USERS),
        ("GET", "/api/handling/tokens"),
        ("GET", HISTORY),
        ("POST", "/api/handling/access/admin-link"),
    ):
        answer = ask(http.app, method, path)
        told = answer.status_code, answer.json()["code"]
        assert told == (401, "access.token_needed")
        answer = http.by_cookie(agent, method, path, Sec_Fetch_Site="same-origin")
        assert (answer.status_code, answer.json()["code"]) == (403, "access.role")
    assert http("GET", USERS, who="au").status_code == 403
    assert http("GET", USERS, who="no").status_code == 401


def test_a_cookie_reads_but_changes_only_for_its_own_page(http: Http) -> None:
    session = http.record.users.sign_in(http.record.add(role="admin").user_id)
    assert http.by_cookie(session, "GET", USERS).status_code == 200
    for headers in (
        {},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"X_CSRF_Token": "x"},
        {"X_CSRF_Token": csrf_of("another session")},
        {"X_CSRF_Token": "x", "Sec_Fetch_Site": "same-origin"},
    ):
        answer = http.by_cookie(session, "POST", USERS, NEW, **headers)
        assert answer.status_code == 403
        assert answer.json()["code"] == "access.origin_unproven"
    for count, headers in enumerate(
        (
            {"Sec_Fetch_Site": "same-origin"},
            {"Origin": "http://t"},
            {"X_CSRF_Token": csrf_of(session)},
        ),
        2,
    ):
        body = {**NEW, "login": f"bo{count}"}
        answer = http.by_cookie(session, "POST", USERS, body, **headers)
        assert answer.status_code == 201
        assert len(http.record.users.all()) == count


def test_a_stale_cookie_makes_a_stranger_and_a_token_outweighs_a_cookie(
    http: Http,
) -> None:
    user = http.record.add(role="admin")
    session = http.record.users.sign_in(user.user_id)
    auditor = {"authorization": "Bearer au"}
    answer = http.by_cookie(session, "GET", USERS, **auditor)
    assert answer.status_code == 403
    wrong = {"authorization": "Bearer no"}
    assert http.by_cookie(session, "GET", USERS, **wrong).status_code == 401
    http.record.sessions.end(session)
    assert http.by_cookie(session, "GET", USERS).status_code == 401


def test_the_link_is_the_operators_and_ends_with_the_first_administrator(
    http: Http,
) -> None:
    link = http("POST", "/api/handling/access/admin-link")
    assert link.status_code == 201
    secret = link.json()["path"].removeprefix("/access/first/")
    http.record.users.check_admin_link(secret)
    http("POST", USERS, {**NEW, "role": "admin"})
    again = http("POST", "/api/handling/access/admin-link")
    assert (again.status_code, again.json()["code"]) == (409, "access.admin_exists")


def test_an_auditor_reads_what_was_given_by_a_day(http: Http) -> None:
    clock = http.record.clock
    user = http("POST", USERS, NEW).json()
    http("POST", "/api/handling/tokens", {"role": "agent", "actor": user["actor"]})
    clock.pass_(days=1)
    between = clock.now.isoformat().replace("+00:00", "Z")
    clock.pass_(days=1)
    http("POST", f"{USERS}/{user['user_id']}/depart")

    def types(query: str = "") -> list[str]:
        rows = http("GET", HISTORY + query, who="au").json()["rows"]
        return [row["type"] for row in rows]

    whole = ["UserAdded", "PasswordSet", "TokenIssued", "TokenRevoked", "UserDeparted"]
    assert types() == whole
    assert types(f"?as_of={between}") == whole[:3]
    assert types("?as_of=1") == whole[:1]
    assert types("?after=1&limit=2") == whole[1:3]
    answer = http("GET", HISTORY, who="au")
    assert answer.json()["position"] == 5
    assert {row["by"] for row in answer.json()["rows"]} == {"operator"}
    for secret in ("digest", "Bo Chen", '"bo"', "argon2"):
        assert secret not in answer.text
    assert http("GET", f"{HISTORY}?as_of=soon", who="au").status_code == 422

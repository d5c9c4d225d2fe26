"""`/access` in a browser without scripts: who gets in, what is kept out, on both databases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from services.handling.pages import handling_pages
from services.handling.pages.access import routers
from services.handling.pages.access_login import own_address
from services.kernel.login import Login
from services.kernel.passwords import Passwords
from services.kernel.web.cookies import COOKIE, CookieHolders
from tests.support.access import CHEAP, PASSWORD, AccessRecord
from tests.support.browsing import Browser, hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from services.kernel.store.database import Database
    from services.kernel.users import User

OTHER_PASSWORD = "another horse battery"  # noqa: S105 it opens nothing


SECTIONS = {
    "/desk": frozenset({"agent", "auditor", "quality"}),
    "/access": frozenset({"admin", "agent", "auditor", "quality"}),
}


@dataclass
class House:
    """The pages over a record, and browsers before them."""

    record: AccessRecord
    passwords: Passwords
    login: Login

    def __post_init__(self) -> None:
        self.users, self.tokens = self.record.users, self.record.tokens
        pages = handling_pages(
            viewers=CookieHolders(self.users, SECTIONS),
            secret=b"s" * 32,
            time_zone="UTC",
        )
        self.app = FastAPI()
        for router in routers(cast("Any", self), pages, zone=ZoneInfo("UTC")):
            self.app.include_router(router)

    def browser(self, login: str | None = None) -> Browser:
        browser = Browser(self.app)
        if login is not None:
            sign_in(browser, login)
        return browser


@pytest.fixture
def house(make_database: Callable[..., Database]) -> Iterator[House]:
    record = AccessRecord.over(make_database("access"))
    passwords = Passwords(CHEAP)
    yield House(record, passwords, Login(record.users, passwords, per_login=3))
    passwords.stop()


@pytest.fixture
def admin(house: House) -> User:
    return house.record.add("ann", name="Ann Li", role="admin")


def send(browser: Browser, page: str, to: str | None = None, **fields: str) -> Any:
    """Open a page, fill in its form, send it; `to` where it has several."""
    proof = {"csrf": hidden(browser.get(page).text, "csrf")}
    return browser.post(to or page, {**proof, **fields})


def sign_in(
    browser: Browser, login: str, password: str = PASSWORD, **fields: str
) -> httpx.Response:
    answer = send(
        browser, "/access/login", login=login, password=password, next="", **fields
    )
    assert isinstance(answer.status_code, int)
    return cast("httpx.Response", answer)


def test_signing_in_sets_a_cookie_that_scripts_cannot_read(
    house: House, admin: User
) -> None:
    answer = sign_in(house.browser(), "ANN")
    assert (answer.status_code, answer.headers["location"]) == (303, "/access")
    (cookie,) = [
        value
        for value in answer.headers.get_list("set-cookie")
        if value.startswith(COOKIE)
    ]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"httponly", "samesite=lax", "path=/"}
    assert admin.name


def test_over_tls_the_cookie_never_crosses_in_the_clear(
    house: House, admin: User
) -> None:
    browser = house.browser()
    page = browser.get("https://test/access/login").text
    fields = {"csrf": hidden(page, "csrf"), "login": admin.login, "password": PASSWORD}
    answer = browser.post("https://test/access/login", fields)
    cookies = answer.headers.get_list("set-cookie")
    assert cookies
    assert all("secure" in cookie.lower() for cookie in cookies)


def test_every_login_is_a_new_session_and_the_old_one_ends(
    house: House, admin: User
) -> None:
    browser = house.browser()
    browser.cookies.set(COOKIE, "planted", domain="test.local", path="/")
    sign_in(browser, "ann")
    first = browser.cookies[COOKIE]
    assert first != "planted"
    assert house.users.by_session("planted") is None
    again = send(
        browser, "/access", "/access/login", login="ann", password=PASSWORD, next=""
    )
    assert again.status_code == 303
    second = browser.cookies[COOKIE]
    assert house.users.by_session(first) is None
    assert house.users.by_session(second) == admin


def test_signing_out_ends_the_session_itself(house: House, admin: User) -> None:
    browser = house.browser(admin.login)
    session = browser.cookies[COOKIE]
    answer = send(browser, "/access", "/access/logout")
    assert answer.headers["location"] == "/access/login"
    assert COOKIE not in browser.cookies
    assert house.users.by_session(session) is None


def test_signing_out_of_an_ended_session_leads_to_the_door(
    house: House, admin: User
) -> None:
    browser = house.browser(admin.login)
    token = hidden(browser.get("/access").text, "csrf")
    house.record.sessions.end(browser.cookies[COOKIE])
    answer = browser.post("/access/logout", {"csrf": token})
    assert answer.headers["location"] == "/access/login"


def test_a_wrong_password_and_an_unknown_login_read_the_same(
    house: House, admin: User
) -> None:
    pages = [
        sign_in(house.browser(), login, "wrong").text.replace(login, "LOGIN")
        for login in (admin.login or "", "who")
    ]
    without_tokens = {re.sub(r'name="csrf" value="\w+"', "", page) for page in pages}
    assert len(without_tokens) == 1
    assert "Login or password is wrong" in pages[0]
    assert 'wrong"' not in pages[0]


def test_guessing_is_told_to_wait(house: House, admin: User) -> None:
    browser = house.browser()
    for _ in range(3):
        assert sign_in(browser, "ann", "wrong").status_code == 401
    answer = sign_in(browser, "ann")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "900"
    assert COOKIE not in browser.cookies
    assert admin.active


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/desk?state=RECEIVED", "/desk?state=RECEIVED"),
        ("//evil.example/x", "/access"),
        ("/\\evil.example", "/access"),
        ("https://evil.example/", "/access"),
        ("/\t/evil.example", "/access"),
        ("javascript:alert(1)", "/access"),
        ("", "/access"),
    ],
)
def test_signing_in_leads_back_and_never_elsewhere(
    house: House, admin: User, wanted: str, given: str
) -> None:
    browser = house.browser()
    page = browser.get("/access/login").text
    fields = {
        "csrf": hidden(page, "csrf"),
        "login": admin.login,
        "password": PASSWORD,
        "next": wanted,
    }
    answer = browser.post("/access/login", fields)
    assert answer.headers["location"] == given
    assert own_address(wanted) in (wanted, "")


PLACES = ["/access", "/access/people/new", "/access/tokens", "/access/password"]


@pytest.mark.parametrize("place", [*PLACES, "/access/tokens/new"])
def test_strangers_are_led_to_the_door(house: House, place: str) -> None:
    answer = house.browser().get(place)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/access/login?next=/access")


def test_only_administrators_see_people_and_tokens(house: House, admin: User) -> None:
    house.record.add("bo")
    browser = house.browser("bo")
    assert browser.get("/access").headers["location"] == "/access/password"
    for place in (
        "/access/people/new",
        f"/access/people/{admin.user_id}",
        "/access/tokens",
        "/access/tokens/new",
    ):
        assert browser.get(place).status_code == 403
    for place in (
        "/access/people/new",
        f"/access/people/{admin.user_id}/depart",
        "/access/tokens/new",
    ):
        answer = send(browser, "/access/password", place, role="admin")
        assert answer.status_code == 403
    assert house.users.get(admin.user_id).active
    assert len(house.users.all()) == 2
    assert house.tokens.all() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_from_another_site_changes_nothing(
    house: House, admin: User, headers: dict[str, str]
) -> None:
    house.record.add("bo", role="admin")
    browser = house.browser(admin.login)
    token = hidden(browser.get("/access").text, "csrf")
    for place in (
        f"/access/people/{admin.user_id}/depart",
        "/access/logout",
        "/access/people/new",
    ):
        fields = {"csrf": token, "login": "eve", "name": "E", "role": "admin"}
        answer = browser.post(place, {**fields, "password": PASSWORD}, **headers)
        assert answer.status_code == 403
    assert browser.get("/access").status_code == 200
    assert [user.active for user in house.users.all()] == [True, True]


def test_a_form_without_this_sessions_token_changes_nothing(
    house: House, admin: User
) -> None:
    house.record.add("bo", role="admin")
    browser = house.browser(admin.login)
    elsewhere = house.browser("bo")
    others = hidden(elsewhere.get("/access").text, "csrf")
    for token in ("", "x", others):
        answer = browser.post(f"/access/people/{admin.user_id}/depart", {"csrf": token})
        assert answer.status_code == 403
    assert house.users.get(admin.user_id).active


def first(house: House) -> str:
    return f"/access/first/{house.users.make_admin_link().secret}"


FIRST = {
    "name": "Ann Li",
    "login": "Ann",
    "password": PASSWORD,
    "again": PASSWORD,
}


def test_a_link_that_leads_nowhere_says_what_to_do(house: House) -> None:
    browser, link = house.browser(), first(house)
    ended = browser.get("/access/first/other")
    assert ended.status_code == 404
    assert "amends access admin-link" in ended.text
    house.record.add("ann", role="admin")
    used = browser.get(link)
    assert used.status_code == 404
    assert "admin-link" not in used.text  # it would be refused
    assert "Sign in, or ask them" in used.text


def test_the_first_administrator_comes_in_by_the_link(house: House) -> None:
    browser, link = house.browser(), first(house)
    for _ in range(3):  # a preview of the link uses nothing up
        assert house.browser().get(link).status_code == 200
    answer = send(browser, link, **FIRST)
    assert answer.headers["location"] == "/access?done=first"
    assert "Ann Li" in browser.get("/access?done=first").text
    (user,) = house.users.all()
    assert (user.login, user.role) == ("ann", "admin")
    for method in ("GET", "POST"):
        assert house.browser().ask(method, link).status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"password": "short", "again": "short"}, "at least 12 characters"),
        ({"again": "something else"}, "The two passwords differ"),
        ({"login": "a b"}, "letters, digits"),
        ({"name": " "}, "Give the name"),
        (
            {"login": "ann@example.org", "password": "Ann@Example.org"},
            "Take another password than the login",
        ),
    ],
)
def test_a_slip_is_told_at_its_field_and_the_link_stays_good(
    house: House, fields: dict[str, str], said: str
) -> None:
    browser, link = house.browser(), first(house)
    answer = send(browser, link, **{**FIRST, **fields})
    assert answer.status_code == 422
    assert said in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert PASSWORD not in answer.text
    assert house.users.all() == []
    assert send(browser, link, **FIRST).status_code == 303


def test_somebody_is_added_changed_and_let_go(house: House, admin: User) -> None:
    browser = house.browser(admin.login)
    new = {
        "name": "Bo <b>",
        "login": "bo",
        "role": "quality",
        "department": "",
        "password": PASSWORD,
    }
    refused = send(browser, "/access/people/new", **new)
    assert refused.status_code == 409
    assert "This role acts for a department" in refused.text
    assert 'value="Bo &lt;b&gt;"' in refused.text
    added = send(browser, "/access/people/new", **{**new, "department": "quality"})
    person = added.headers["location"].partition("?")[0]
    bo = house.browser("bo")
    assert "Quality control" in bo.get("/access/password").text
    placed = send(
        browser, person, f"{person}/place", role="auditor", department="front-office"
    )
    assert placed.status_code == 303
    assert "Auditor" in bo.get("/access/password").text
    send(browser, person, f"{person}/password", password=OTHER_PASSWORD)
    assert bo.get("/access/password").status_code == 303
    assert sign_in(bo, "bo").status_code == 401
    assert sign_in(bo, "bo", OTHER_PASSWORD).status_code == 303
    send(browser, person, f"{person}/depart")
    assert bo.get("/access/password").status_code == 303
    assert sign_in(bo, "bo", OTHER_PASSWORD).status_code == 401
    assert "One person departed" in browser.get("/access").text
    send(browser, person, f"{person}/forget")
    assert "Bo &lt;" not in browser.get("/access").text
    assert "(name erased)" in browser.get(person).text


def test_the_last_administrator_is_told_why_they_stay(
    house: House, admin: User
) -> None:
    browser = house.browser(admin.login)
    person = f"/access/people/{admin.user_id}"
    for action, fields in (("depart", {}), ("place", {"role": "agent"})):
        answer = send(browser, person, f"{person}/{action}", **fields)
        assert answer.status_code == 409
        assert "last administrator" in answer.text


def test_a_token_is_shown_once_lets_in_and_is_revoked(
    house: House, admin: User
) -> None:
    browser = house.browser(admin.login)
    assert "No token is in use" in browser.get("/access/tokens").text
    wanted = {"role": "agent", "actor": "hotline-1", "channel": "phone"}
    issued = send(browser, "/access/tokens/new", until="2026-03-02", **wanted)
    assert issued.status_code == 201
    assert issued.headers.get("location") is None
    (token,) = re.findall(r"amends_[\w-]{43}", issued.text)
    caller = house.tokens.authenticate(f"Bearer {token}")
    assert (caller.actor, caller.channel) == ("hotline-1", "phone")
    (known,) = house.tokens.all()
    assert known.expires_at is not None
    assert known.expires_at.isoformat() == "2026-03-03T00:00:00+00:00"
    send(browser, "/access/tokens/new", f"/access/tokens/{known.token_id}/revoke")
    listed = browser.get("/access/tokens?done=revoked").text
    assert "One token has ended" in listed
    assert token not in listed


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"actor": "two words"}, "without spaces"),
        ({"until": "2020-01-01"}, "This day has passed"),
        ({"until": "9999-12-31"}, "This day has passed"),
        ({"until": "soon"}, "This day has passed"),
        ({"role": "king"}, "Choose a role"),
    ],
)
def test_a_token_that_cannot_be_is_refused_at_its_field(
    house: House, admin: User, fields: dict[str, str], said: str
) -> None:
    browser = house.browser(admin.login)
    answer = send(browser, "/access/tokens/new", **{"role": "agent", **fields})
    assert answer.status_code in {409, 422}
    assert said in answer.text
    assert house.tokens.all() == []


def test_ones_own_password_is_changed_by_who_knows_it(
    house: House, admin: User
) -> None:
    browser, elsewhere = house.browser(admin.login), house.browser(admin.login)
    new = {"password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
    wrong = send(browser, "/access/password", present="wrong", **new)
    assert wrong.status_code == 422
    assert "This is not your password" in wrong.text
    changed = send(browser, "/access/password", present=PASSWORD, **new)
    assert changed.headers["location"] == "/access/password?done=changed"
    assert "Your password is changed" in browser.get(changed.headers["location"]).text
    assert elsewhere.get("/access/password").status_code == 303
    assert sign_in(elsewhere, "ann", OTHER_PASSWORD).status_code == 303


def test_the_pages_speak_chinese(house: House, admin: User) -> None:
    browser = house.browser()
    page = browser.get("/access/login?lang=zh-CN").text
    assert '<html lang="zh-CN">' in page
    assert "登录名" in page
    sign_in(browser, admin.login or "")
    assert "人员" in browser.get("/access").text


def test_without_an_administrator_the_door_says_where_the_link_is(
    house: House,
) -> None:
    said = "amends access admin-link"
    assert said in house.browser().get("/access/login").text
    house.record.add("ann", role="admin")
    assert said not in house.browser().get("/access/login").text

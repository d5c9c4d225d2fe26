"""The pages of quarantine: who may look and settle, what is shown, on both databases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from fastapi import FastAPI

from services.intake.pages.customers import intake_pages
from services.kernel.access import Credential
from services.kernel.inbox import Ward
from services.kernel.store.writer import Writer
from services.kernel.web.pages import STRANGER, Viewer
from services.kernel.web.pages.quarantine import LONGEST, quarantine_pages
from services.kernel.web.pages.unseen import shown
from tests.support.browsing import Browser
from tests.support.inbox import Follower, Reader, body_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from services.kernel.inbox import Quarantined
    from services.kernel.store.database import Database

HOME = "/access/quarantine/intake"
CSRF = "c" * 43


class BySomebody:
    """Believes the role that the browser names."""

    async def viewer(self, request: Request) -> Viewer:
        role = request.headers.get("role")
        if role is None:
            return STRANGER
        return Viewer(Credential(f"{role}-1", role), csrf=CSRF)


@dataclass
class Place:
    follower: Follower
    browser: Browser

    def held(self) -> list[Quarantined]:
        with self.follower.database.read() as tx:
            return self.follower.inbox.quarantine.all(tx)

    def page(self, path: str = "", *, role: str = "admin", status: int = 200) -> str:
        answer = self.browser.get(HOME + path, role=role)
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, path: str, *, role: str = "admin", **fields: str) -> tuple[int, str]:
        sent = {"csrf": CSRF, **fields}
        answer = self.browser.post(HOME + path, sent, role=role)
        return answer.status_code, answer.headers.get("location", answer.text)


@pytest.fixture
def ward(make_database: Callable[..., Database]) -> Iterator[Place]:
    """Give a service that holds one message of a case, with two events behind it."""
    follower = Follower(make_database("inbox"), Reader(poison={(1, 2)}))
    pages = intake_pages(viewers=BySomebody(), secret=b"s" * 32, time_zone="UTC")
    writer = Writer("ward")
    writer.start()
    app = FastAPI()
    app.include_router(
        quarantine_pages("intake", Ward(follower.following(writer)), pages)
    )
    follower.take([(1, 1), (1, 2), (1, 3), (1, 4), (2, 1)])
    yield Place(follower, Browser(app))
    writer.stop()


def test_it_is_listed_with_what_waits_behind_and_never_with_its_bytes(
    ward: Place,
) -> None:
    (message,) = ward.held()
    listed = ward.page()
    assert f'href="{HOME}/{message.document_id}"' in listed
    for told in ("test.poison", message.digest, 'data-label="Waiting behind">2<'):
        assert told in listed
    one = ward.page(f"/{message.document_id}")
    assert str(UUID(int=1)) in one
    held = body_of(1, 2, 2).decode()
    assert held not in listed + one
    assert "could not handle one message" in ward.page("/hint")
    assert 'aria-current="page">Intake<' in listed


def test_where_nothing_waits_it_says_so_and_hints_at_nothing(ward: Place) -> None:
    ward.follower.reader.poison.clear()
    ward.follower.replay()
    assert "Nothing is in quarantine here" in ward.page()
    assert ward.page("/hint").strip() == ""


@pytest.mark.parametrize(
    ("role", "looks", "settles"),
    [
        ("admin", 200, 303),
        ("auditor", 200, 403),
        ("agent", 403, 403),
        ("lead", 403, 403),
        ("quality", 403, 403),
        ("channel", 403, 403),
    ],
)
def test_administrators_settle_and_auditors_look(
    ward: Place, role: str, looks: int, settles: int
) -> None:
    document = f"/{ward.held()[0].document_id}"
    for path in ("", "/hint", document):
        ward.page(path, role=role, status=looks)
    may = 200 if settles == 303 else 403
    ward.page(f"{document}/discard", role=role, status=may)
    assert ward.send(f"{document}/open", role=role, purpose="repair")[0] == may
    for path in ("/replay", f"{document}/replay", f"{document}/discard"):
        assert ward.send(path, role=role, cause="corrupt")[0] == settles, path
    assert (ward.held() == []) == (settles == 303)


def test_a_stranger_is_sent_to_the_login_and_a_foreign_form_is_refused(
    ward: Place,
) -> None:
    answer = ward.browser.get(HOME)
    assert answer.headers["location"].startswith("/access/login?next=")
    document = f"/{ward.held()[0].document_id}"
    for path in ("/replay", f"{document}/replay", f"{document}/discard"):
        forged = {"csrf": "guessed", "cause": "corrupt"}
        assert ward.browser.post(HOME + path, forged, role="admin").status_code == 403
    assert len(ward.held()) == 1


def test_its_bytes_are_opened_for_a_purpose_and_the_look_is_noted(ward: Place) -> None:
    (message,) = ward.held()
    path = f"/{message.document_id}/open"
    assert ward.send(path)[0] == 422
    assert ward.send(path, purpose="curiosity")[0] == 422
    status, page = ward.send(path, purpose="repair")
    assert (status, body_of(1, 2, 2).decode() in page) == (200, True)
    with ward.follower.database.read() as tx:
        noted = tx.fetchall("SELECT document_id, actor, purpose FROM document_reading")
    assert noted == [(message.document_id, "admin-1", "repair")]


def test_tried_again_it_leaves_and_who_asked_is_kept(ward: Place) -> None:
    (message,) = ward.held()
    _, target = ward.send(f"/{message.document_id}/replay")
    assert target == f"{HOME}?done=tried&applied=0"
    ward.follower.reader.poison.clear()
    _, target = ward.send("/replay")
    assert target == f"{HOME}?done=tried&applied=3"
    page = ward.page("?done=tried&applied=3")
    assert "3 events were handled" in page
    assert "Tried again 2 times" in page
    assert "admin-1" in page
    assert str(message.document_id) in page
    ward.page(f"/{message.document_id}", status=404)
    assert "Tried again." in ward.page("?done=tried&applied=many")


def test_discarding_asks_first_and_tells_afterwards(ward: Place) -> None:
    (message,) = ward.held()
    path = f"/{message.document_id}/discard"
    asked = ward.page(path)
    assert "2 events wait behind it and go on" in asked
    assert ward.held() == [message], "asking changes nothing"
    assert ward.send(path)[0] == 422
    assert ward.send(path, cause="boredom")[0] == 422
    assert ward.held() == [message]
    _, target = ward.send(path, cause="not_ours")
    assert target == f"{HOME}?done=discarded"
    page = ward.page()
    row = re.search(r"Let go, the latest first.*?</table>", page, re.DOTALL)
    assert row is not None
    for told in ("test.poison", message.digest, "It is not ours", "admin-1"):
        assert told in row[0]
    assert ward.follower.by_case() == {1: [1, 3, 4], 2: [1]}


def test_one_behind_a_missing_event_is_not_even_offered_for_discarding(
    ward: Place,
) -> None:
    ward.follower.reader.poison.add((3, 2))
    ward.follower.take([(3, 2)])
    second = max(ward.held(), key=lambda each: each.place)
    assert "Settle that one first" in ward.page(
        f"/{second.document_id}/discard", status=409
    )


@pytest.mark.parametrize(
    ("body", "html"),
    [
        (b"<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
        ("a\u202eb".encode(), 'a<span class="unseen">U+202E</span>b'),
        ("a\u200b\ufeff".encode(), "U+200B</span><span"),
        (b"a\x00\x1b[31m\r", "U+0000</span>"),
        (b"\xff\xfe", '<span class="unseen">FF</span><span class="unseen">FE</span>'),
        ("\u3164\ufe0f\U000e0041".encode(), "U+E0041</span>"),
        (
            "\u65b0\u5f00\u6c34\u58f6 caf\u00e9\n\u3000x".encode(),
            "\u6c34\u58f6 caf\u00e9\n\u3000x",
        ),
    ],
)
def test_what_cannot_be_seen_is_named(body: bytes, html: str) -> None:
    assert html in shown(body)


def test_a_message_of_nothing_but_such_makes_no_endless_page() -> None:
    assert len(shown(b"\0" * LONGEST)) < 3_000_000

"""`/answer`: a receipt and its code open what a customer may say now, nothing else."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

from events import codec
from events.catalogue import ComplaintWithdrawn, EvidenceAdded, StatementConfirmed
from events.envelope import Actor
from events.examples import EXAMPLES
from services.handling.application.cases import Handling
from services.handling.application.commanding import Asked, Commanding, Done
from services.handling.application.reading import Words
from services.handling.pages import customer, handling_pages
from services.handling.persistence import HandlingRecord, WorkList
from services.handling.ports import Opened
from services.kernel.clock import new_uuid7
from services.kernel.errors import (
    AmendsError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.writer import Writer
from services.kernel.vault import Readings, Vault
from services.kernel.web.limiter import Limiter
from services.kernel.web.pages import Strangers
from services.kernel.web.problems import install
from tests.support.browsing import Browser, hidden
from tests.support.desk import STATEMENT, FakeIntake
from tests.support.files import in_memory, upload
from tests.support.given import DEFAULT_POLICY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from services.kernel.store.database import Database

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
RECEIVED = EXAMPLES["ComplaintReceived"]
NUMBER = RECEIVED.data.receipt_no
CODE = "ABCD-EFGH-JKMN"


class Receipts:
    """Knows one receipt; or fails as told."""

    failure: AmendsError | None = None

    async def opened(self, receipt_no: str, access_code: str) -> Opened:
        if self.failure is not None:
            raise self.failure
        if (receipt_no.replace(" ", ""), access_code) != (NUMBER, CODE):
            raise UnauthenticatedError("intake.access_refused", "No.")
        return Opened(RECEIVED.case_id, NUMBER)


class Visit(Browser):
    """The customer of one received complaint."""

    def __init__(
        self, make_database: Callable[..., Database], per_minute: int = 300
    ) -> None:
        database = make_database("handling")
        self.store: EventStore[Any] = open_store(
            database, name="handling", codec=codec, now=lambda: NOW
        )
        keys = make_database("keys", secure_delete=True)
        self.vault = vault = Vault(keys, database)
        self.files, self.uploads = in_memory(keys, database, vault)
        work_list = WorkList(database)
        handling = Handling(self.store, work_list)
        with database.write() as tx:
            handling.take_over(tx, [(RECEIVED, codec.encode(RECEIVED))])
        self.writer = Writer("test")
        self.receipts, self.intake = Receipts(), FakeIntake()
        self.readings = Readings(database)
        self.commanding = Commanding(
            HandlingRecord(self.store, work_list, vault, self.files),
            vault,
            self.files,
            self.uploads,
            policy=DEFAULT_POLICY,
            secret=b"s" * 32,
            tenant="default",
            now=lambda: NOW,
            new_id=new_uuid7,
        )
        app = FastAPI()
        app.include_router(
            customer.router(
                handling_pages(
                    viewers=Strangers(), secret=b"f" * 32, time_zone="Asia/Shanghai"
                ),
                handling,
                self.commanding,
                self.writer,
                self.receipts,
                words=Words(
                    vault,
                    self.files,
                    self.readings,
                    self.intake,
                    writer=self.writer,
                    now=lambda: NOW,
                ),
                uploads=self.uploads,
                policy=DEFAULT_POLICY,
                now=lambda: NOW,
                limiter=Limiter(per_minute, code="handling.too_many_acts"),
            )
        )
        install(app)
        super().__init__(app)

    def enter(self, *, number: str = NUMBER, code: str = CODE) -> httpx.Response:
        door = self.get(f"/answer?number={number}").text
        fields = {"csrf": hidden(door, "csrf"), "number": number, "code": code}
        return self.post("/answer", fields)

    def give(self, command: str, page: str, **fields: Any) -> httpx.Response:
        """Send one of the forms of a page."""
        carried = {name: hidden(page, name) for name in ("csrf", "number", "code")}
        carried["key"] = key_of(page, command)
        if f'action="/answer/{command}"' in page and command == "confirm-statement":
            fields["version"] = hidden(page, "confirm-statement.version")
        named = {f"{command}.{name}": value for name, value in fields.items()}
        return self.post(f"/answer/{command}", {**carried, **named})

    def send(self, page: str, words: str, *files: tuple[str, bytes]) -> httpx.Response:
        """Add something as a browser without scripts does."""
        carried = {name: hidden(page, name) for name in ("csrf", "number", "code")}
        carried["key"] = key_of(page, "add-evidence")
        return self.ask(
            "POST",
            "/answer/add-evidence",
            data={**carried, "add-evidence.words": words},
            files=[("add-evidence.files.file", each) for each in files]
            or {"add-evidence.files.file": ("", b"")},
        )

    def added(self) -> list[tuple[str, str, bytes]]:
        """Give kind, label and content of all that was put to the case."""
        events = [each.data for each in self.store.load(RECEIVED.case_id)]
        refs = [each.document for each in events if isinstance(each, EvidenceAdded)]
        files = [(ref.kind, self.files.open(ref.document_id)) for ref in refs]
        return [(kind, file.name, b"".join(file.content())) for kind, file in files]

    def restate(self, text: str) -> None:
        """Have an agent record that the customer said yes to these words."""
        self.record("confirm-statement", restated=text, medium="phone")

    def record(self, name: str, **payload: Any) -> None:
        """Have an agent do this."""
        asked = Asked(
            case_id=RECEIVED.case_id,
            name=name,
            payload=payload,
            actor=Actor(id="user-ann", role="agent", department="front-office"),
            correlation_id="test",
        )
        (done,) = self.commanding.carry_out([asked])
        assert isinstance(done, Done)

    def happened(self) -> list[str]:
        return [event.type for event in self.store.load(RECEIVED.case_id)]


@pytest.fixture
def visit(make_database: Callable[..., Database]) -> Iterator[Visit]:
    visit = Visit(make_database)
    visit.writer.start()
    yield visit
    visit.writer.stop()


def key_of(page: str, command: str) -> str:
    """Give the key of one act's form, or, where there is none, of the first."""
    form = page.partition(f'action="/answer/{command}"')[2]
    return hidden(form or page, "key")


def offered(page: str) -> list[str]:
    return re.findall(r'<section class="sheet" id="([\w-]+)"', page)


def test_the_code_opens_what_may_be_said_now(visit: Visit) -> None:
    answer = visit.enter(code="ABCD-EFGH - JKMN")
    assert answer.status_code == 200
    assert offered(answer.text) == ["confirm-statement", "add-evidence", "withdraw"]


@pytest.mark.parametrize(
    ("failure", "status", "told"),
    [
        (None, 403, "do not belong together"),
        (TooManyError("intake.too_many_codes", "x"), 429, "Too many attempts"),
        (UnavailableError("handling.intake_away", "x"), 503, "cannot be checked"),
    ],
)
def test_without_the_code_nothing_is_shown(
    visit: Visit, failure: AmendsError | None, status: int, told: str
) -> None:
    visit.receipts.failure = failure
    answer = visit.enter(code="wrong")
    assert answer.status_code == status
    assert told in answer.text
    assert offered(answer.text) == []
    assert "Registered" not in answer.text


def test_an_act_is_recorded_as_the_customers_own(visit: Visit) -> None:
    answer = visit.give(
        "withdraw", visit.enter().text, reason="misunderstanding", note="Sorry."
    )
    assert answer.status_code == 200
    assert "Your complaint is withdrawn." in answer.text
    event = visit.store.load(RECEIVED.case_id)[-1]
    assert isinstance(event.data, ComplaintWithdrawn)
    assert (event.actor.id, event.actor.role) == (f"receipt-{NUMBER}", "complainant")
    assert event.data.note is not None
    assert visit.vault.open(event.data.note.document_id).plaintext == b"Sorry."


def test_an_act_sent_twice_is_done_once(visit: Visit) -> None:
    page = visit.enter().text
    for _ in range(2):
        answer = visit.give("withdraw", page, reason="misunderstanding")
        assert answer.status_code == 200
    assert visit.happened() == ["ComplaintReceived", "ComplaintWithdrawn"]


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"note": "Because."}, "withdraw-reason", "Please choose a reason."),
        ({"reason": "other", "note": "Because."}, "withdraw-reason", "choose a reason"),
        (
            {"reason": "misunderstanding", "note": "Because." + "!" * 20_000},
            "withdraw-note",
            "This is too long.",
        ),
    ],
)
def test_faults_are_told_at_their_fields_and_no_word_is_lost(
    visit: Visit, fields: dict[str, str], field: str, told: str
) -> None:
    answer = visit.give("withdraw", visit.enter().text, **fields)
    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}-fault"' in answer.text
    assert told in answer.text
    assert "Because." in answer.text
    assert visit.happened() == ["ComplaintReceived"]


@pytest.mark.parametrize("command", ["agree", "refuse", "rate", "appeal"])
def test_what_may_not_be_said_now_is_refused_without_our_codes(
    visit: Visit, command: str
) -> None:
    fields = {
        "refuse": {"reason": "too_late"},
        "rate": {"score": "3"},
        "appeal": {"grounds": ["facts"]},
    }
    page = visit.enter().text
    answer = visit.give(command, page, **fields.get(command, {}))
    assert answer.status_code == 409
    assert "your complaint has moved on" in answer.text
    assert "case." not in answer.text
    assert visit.happened() == ["ComplaintReceived"]


def test_commands_of_the_staff_are_not_to_be_had(visit: Visit) -> None:
    page = visit.enter().text
    assert visit.give("accept", page).status_code == 404
    assert visit.happened() == ["ComplaintReceived"]


def test_each_form_proves_its_code_and_its_origin_anew(visit: Visit) -> None:
    page = visit.enter().text
    stolen = page.replace(CODE, "2222-2222-2222")
    assert visit.give("withdraw", stolen, reason="misunderstanding").status_code == 403
    foreign = page.replace(hidden(page, "csrf"), "0" * 64)
    assert visit.give("withdraw", foreign, reason="misunderstanding").status_code == 403
    assert visit.happened() == ["ComplaintReceived"]


def test_the_customer_reads_and_confirms_what_they_told(visit: Visit) -> None:
    """That they read it is noted like every look; then there is nothing to confirm."""
    page = visit.enter().text
    assert STATEMENT in page
    (look,) = visit.intake.looks
    assert (look.actor, look.role) == (f"receipt-{NUMBER}", "complainant")
    answer = visit.give("confirm-statement", page)
    assert "We have noted that this is right." in answer.text
    assert offered(answer.text) == ["add-evidence", "withdraw"]
    event = visit.store.load(RECEIVED.case_id)[-1]
    assert event.data == StatementConfirmed(
        confirmed=(RECEIVED.data.statement.document_id,), medium="web"
    )
    assert (event.actor.id, event.actor.role) == (f"receipt-{NUMBER}", "complainant")


def test_what_an_agent_repeated_back_is_read_and_confirmed_with_it(
    visit: Visit,
) -> None:
    visit.restate("The <b>seal</b> leaks since May.")
    page = visit.enter().text
    assert STATEMENT in page
    assert "The &lt;b&gt;seal&lt;/b&gt; leaks since May." in page
    (own,) = visit.readings.of_case(RECEIVED.case_id)
    assert (own.kind, own.role, own.purpose) == (
        "statement",
        "complainant",
        "own_words",
    )
    assert visit.give("confirm-statement", page).status_code == 200
    _, by_agent, by_customer = visit.store.load(RECEIVED.case_id)
    assert by_customer.data.confirmed == by_agent.data.confirmed
    assert len(by_customer.data.confirmed) == 2


def test_what_the_customer_did_not_see_is_not_confirmed(visit: Visit) -> None:
    page = visit.enter().text
    visit.restate("It was restated meanwhile.")
    answer = visit.give("confirm-statement", page)
    assert answer.status_code == 412
    assert "Please read it once more." in answer.text
    assert "It was restated meanwhile." in answer.text
    assert len(visit.happened()) == 2
    assert visit.give("confirm-statement", answer.text).status_code == 200


def test_what_the_customer_added_is_shown_and_confirmed_with_it(visit: Visit) -> None:
    page = visit.enter().text
    visit.send(visit.enter().text, "It <b>hums</b> too.", ("hum.txt", b"mmm"))
    answer = visit.give("confirm-statement", page)
    assert answer.status_code == 412
    assert "Please read it once more." in answer.text
    assert "It &lt;b&gt;hums&lt;/b&gt; too." in answer.text
    assert "<bdi>hum.txt</bdi>" in answer.text
    assert visit.give("confirm-statement", answer.text).status_code == 200


def test_what_is_not_shown_to_the_customer_does_not_hinder_them(visit: Visit) -> None:
    page = visit.enter().text
    visit.record("add-evidence", document="Seen in the shop.", source="other")
    assert "Seen in the shop." not in visit.enter().text
    for _ in range(2):  # a form sent twice
        assert visit.give("confirm-statement", page).status_code == 200
    assert visit.happened().count("StatementConfirmed") == 1


def test_words_that_cannot_be_shown_cannot_be_confirmed(visit: Visit) -> None:
    visit.intake.away = True
    page = visit.enter().text
    assert "What you told us cannot be shown at the moment." in page
    assert 'action="/answer/confirm-statement"' not in page
    assert offered(page) == ["confirm-statement", "add-evidence", "withdraw"]


def test_words_and_files_are_added_to_the_complaint(visit: Visit) -> None:
    """Each is a piece of evidence of the customer's; sent again, nothing is added."""
    page = visit.enter().text
    photo = ("漏水.gif", b"GIF89a\0photo")
    answer = visit.send(page, "It leaks again.", photo, ("b.txt", b"letter"))
    assert answer.status_code == 200
    assert "We have what you added." in answer.text
    assert visit.added() == [
        ("record", "", b"It leaks again."),
        ("file", "漏水.gif", b"GIF89a\0photo"),
        ("file", "b.txt", b"letter"),
    ]
    event = visit.store.load(RECEIVED.case_id)[-1]
    assert (event.actor.role, event.data.source) == ("complainant", "customer")
    assert visit.send(page, "It leaks again.").status_code == 200
    assert len(visit.added()) == 3


def test_an_upload_of_the_receipts_own_is_added_once(visit: Visit) -> None:
    page = visit.enter().text
    mine, theirs = (
        upload(visit.uploads, b"x", name="a", owner=owner).upload_id
        for owner in (f"receipt-{NUMBER}", "receipt-9999999999999994")
    )
    for upload_id, status in ((theirs, 422), (mine, 200), (mine, 200)):
        answer = visit.give("add-evidence", page, files=[str(upload_id)])
        assert answer.status_code == status
    answer = visit.give("add-evidence", visit.enter().text, files=[str(mine)])
    assert answer.status_code == 422  # another form: it is used
    assert "A file is not here any more." in answer.text
    assert len(visit.added()) == 1


@pytest.mark.parametrize(
    ("words", "files", "field", "told"),
    [
        ("  ", [], "words", "Please write something, or choose a file."),
        ("x" * 20_001, [], "words", "This is too long."),
        ("x", [("a", b"x" * 10_000_001)], "files", "A file is too large."),
        ("x", [("a", b"x")] * 11, "files", "These are too many files."),
    ],
)
def test_what_cannot_be_added_is_told_at_its_field(
    visit: Visit, words: str, files: list[tuple[str, bytes]], field: str, told: str
) -> None:
    answer = visit.send(visit.enter().text, words, *files)
    assert answer.status_code == 422
    assert f'id="add-evidence-{field}-fault">{told}' in answer.text
    assert visit.added() == []


def test_one_address_may_not_try_for_ever(
    make_database: Callable[..., Database],
) -> None:
    visit = Visit(make_database, per_minute=3)
    statuses = [
        visit.enter(number=number, code="WRONG").status_code
        for number in (NUMBER, "4837291500627722", NUMBER)
    ]
    assert 429 not in statuses
    answer = visit.enter()  # with the right code, too
    assert answer.status_code == 429
    assert "Too many attempts" in answer.text

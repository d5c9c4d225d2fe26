"""Who gives a command over HTTP: the holder of a token, or of the case's receipt."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from fastapi import FastAPI

from services.handling.api.commands import router
from services.handling.application.commanding import Asked, Done
from services.handling.ports import Opened
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.errors import (
    AmendsError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.store.writer import Writer
from services.kernel.web.limiter import Limiter
from services.kernel.web.problems import install
from tests.support.asgi import ask
from tests.support.given import CASE_ID

NUMBER = "4837291500627714"
OTHER_CASE = UUID(int=9)


class Receipts:
    """Knows one receipt; or fails as told."""

    def __init__(self, failure: AmendsError | None = None) -> None:
        self._failure = failure

    async def opened(self, receipt_no: str, access_code: str) -> Opened:
        if self._failure is not None:
            raise self._failure
        if (receipt_no.replace(" ", ""), access_code) != (NUMBER, "CODE"):
            raise UnauthenticatedError("intake.access_refused", "No.")
        return Opened(CASE_ID, NUMBER)


class Commanding:
    """Carries out everything and notes it."""

    def __init__(self) -> None:
        self.seen: list[Asked] = []

    def check(self, asked: Asked) -> tuple[UUID, ...]:
        assert asked.name
        return ()

    def carry_out(self, batch: Sequence[Asked]) -> list[Done]:
        self.seen += batch
        return [Done(each.case_id, 2, "ACCEPTED", ()) for each in batch]


def command(
    header: str | None, *, case_id: UUID = CASE_ID, receipts=None, per_minute=300
):
    commanding, writer, app = Commanding(), Writer("test"), FastAPI()
    tokens = OperatorTokens({"token": OPERATOR})
    limiter = Limiter(per_minute, code="handling.too_many_acts")
    receipts = receipts or Receipts()
    app.include_router(router(commanding, writer, tokens, receipts, limiter=limiter))
    install(app)
    writer.start()
    try:
        answer = ask(
            app,
            "POST",
            f"/api/handling/cases/{case_id}/commands/agree",
            headers={} if header is None else {"Authorization": header},
        )
    finally:
        writer.stop()
    return answer, commanding.seen


@pytest.mark.parametrize(
    "header",
    [
        f"Receipt {NUMBER} CODE",
        "receipt 4837 2915 0062 7714 CODE",
        f"Receipt   {NUMBER}   CODE ",
    ],
)
def test_a_receipt_with_its_code_acts_as_the_complainant(header: str):
    answer, (asked,) = command(header)
    assert answer.status_code == 200
    assert (asked.actor.id, asked.actor.role, asked.actor.department) == (
        f"receipt-{NUMBER}",
        "complainant",
        None,
    )


def test_it_opens_no_other_case_and_tells_nothing_of_it():
    answer, seen = command(f"Receipt {NUMBER} CODE", case_id=OTHER_CASE)
    assert (answer.status_code, answer.json()["code"]) == (404, "handling.no_case")
    assert not seen


@pytest.mark.parametrize(
    "header", [f"Receipt {NUMBER} WRONG", "Receipt", "Receipt CODE", "Receipt  "]
)
def test_a_wrong_code_or_number_is_nobody(header: str):
    answer, seen = command(header)
    assert (answer.status_code, answer.json()["code"]) == (
        401,
        "intake.access_refused",
    )
    assert not seen


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (UnavailableError("handling.intake_away", "Wait.", retry_after=5), 503),
        (TooManyError("intake.too_many_codes", "Wait."), 429),
    ],
)
def test_where_codes_cannot_be_checked_nothing_is_done(
    failure: AmendsError, status: int
):
    answer, seen = command(f"Receipt {NUMBER} CODE", receipts=Receipts(failure))
    assert (answer.status_code, answer.json()["code"]) == (status, failure.code)
    assert "retry-after" in answer.headers
    assert not seen


def test_tokens_go_on_as_before():
    answer, (asked,) = command("Bearer token")
    assert (answer.status_code, asked.actor.id) == (200, "operator")
    answer, seen = command("Bearer other")
    assert (answer.status_code, seen) == (401, [])
    answer, seen = command(None)
    assert (answer.status_code, answer.json()["code"]) == (401, "access.token_needed")
    assert not seen


def test_receipts_are_limited_by_address_and_tokens_are_not():
    answer, seen = command(f"Receipt {NUMBER} CODE", per_minute=0)
    assert (answer.status_code, seen) == (429, [])
    assert answer.json()["code"] == "handling.too_many_acts"
    answer, _ = command("Bearer token", per_minute=0)
    assert answer.status_code == 200

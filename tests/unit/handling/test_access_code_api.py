"""A new access code over HTTP and on the terminal: the same request makes no other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.cli import codes as verb
from services.handling.api.codes import router
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.errors import AmendsError
from services.kernel.store.database import Database, open_database
from services.kernel.web.problems import install
from tests.support.asgi import ask
from tests.support.desk import CASE, DeskHouse
from tests.support.given import DEFAULT_POLICY

ADDRESS = f"/api/handling/cases/{CASE}/access-code"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[DeskHouse]:
    opened: list[Database] = []

    def make(name: str) -> Database:
        database = open_database(f"sqlite:///{tmp_path / name}.sqlite", schema=name)
        opened.append(database)
        return database

    house = DeskHouse(make)
    house.receive()
    yield house
    house.close()
    for database in opened:
        database.close()


def test_the_key_of_a_request_goes_to_who_makes_the_code(house: DeskHouse) -> None:
    app = FastAPI()
    tokens = OperatorTokens({"token": OPERATOR})
    app.include_router(
        router(house.handling, house.codes, tokens, policy=DEFAULT_POLICY)
    )
    install(app)

    def asked(**headers: str) -> httpx.Response:
        known = {"Authorization": "Bearer token", **headers}
        return ask(app, "POST", ADDRESS, headers=known)

    assert asked(**{"Idempotency-Key": "once"}).status_code == 200
    assert asked().status_code == 200
    assert [key for _, _, key, _ in house.codes.made] == ["once", None]
    refused = asked(**{"Idempotency-Key": "k" * 201})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "idempotency-key"


@pytest.mark.parametrize("given", ["mine", None])
def test_a_terminal_that_got_no_answer_is_told_its_key(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    keys: list[str] = []

    def nobody(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        problem = {"code": "handling.no_new_code", "detail": "Try again."}
        return httpx.Response(503, json=problem)

    def with_services(work: Any) -> Any:
        transport = httpx.MockTransport(nobody)
        with httpx.Client(transport=transport, base_url="http://t") as client:
            return work(client, None)

    monkeypatch.setattr(verb, "with_services", with_services)
    with pytest.raises(AmendsError, match="Try again") as told:
        verb.renew(["4837291500627714"], key=given, as_json=False)
    (key,) = keys
    assert given in (key, None)
    assert f"--key {key}" in told.value.detail

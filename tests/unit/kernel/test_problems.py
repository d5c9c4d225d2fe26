"""Every refusal over HTTP is a problem with a code, and repeats nothing of the request."""

import inspect
from typing import Annotated, Any

import httpx
import pydantic
import pytest
from fastapi import Body, FastAPI, Query
from starlette.exceptions import HTTPException

from services.kernel import errors, logs
from services.kernel.errors import AmendsError, FieldError
from services.kernel.web.problems import (
    STATUSES,
    install,
    problem_of,
    status_of,
    unexpected,
)
from tests.support.asgi import ask

WORDS = "what-somebody-wrote"


class Form(pydantic.BaseModel, extra="forbid"):
    age: int


class ErasedError(errors.NotFoundError):
    pass


def application() -> FastAPI:
    app = FastAPI()
    install(app)

    @app.get("/refused/{family}")
    async def refused(family: str) -> None:
        fault = FieldError("contact.phone", "is no number", "write it as +86…")
        raise getattr(errors, family)("some.code", "Do this.", errors=[fault])

    @app.get("/erased")
    def erased() -> None:
        raise ErasedError("vault.erased", "Nothing is left of it.")

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError(WORDS)

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "Brew something else.")

    @app.get("/query")
    async def query(limit: Annotated[int, Query(ge=1)]) -> int:
        return limit

    @app.post("/form")
    async def form(form: Annotated[Form, Body()]) -> int:
        return form.age

    return app


APP = application()


def told(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    assert WORDS not in response.text
    assert "Traceback" not in response.text
    body: dict[str, Any] = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:amends:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    return body


@pytest.mark.parametrize(
    ("family", "status"),
    [
        ("UnreadableError", 400),
        ("UnauthenticatedError", 401),
        ("ForbiddenError", 403),
        ("NotFoundError", 404),
        ("RefusedError", 409),
        ("StaleError", 412),
        ("TooLargeError", 413),
        ("MalformedError", 422),
        ("TooManyError", 429),
        ("PoisonError", 500),
        ("NewerVersionError", 500),
        ("UnavailableError", 503),
    ],
)
def test_a_family_has_its_status(family: str, status: int) -> None:
    response = ask(APP, "GET", f"/refused/{family}")
    assert response.status_code == status
    body = told(response)
    assert (body["code"], body["detail"]) == ("some.code", "Do this.")
    assert body["errors"] == [
        {
            "field": "contact.phone",
            "message": "is no number",
            "remedy": "write it as +86…",
        }
    ]
    assert ("retry-after" in response.headers) == (status in {429, 503})
    assert ("www-authenticate" in response.headers) == (status == 401)


def test_no_family_was_forgotten() -> None:
    families = {
        cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, AmendsError)
    }
    without = {cls.__name__ for cls in families - set(STATUSES)}
    nowhere_near_http = {"MisuseError", "PoisonError", "NewerVersionError"}
    assert without == {"AmendsError", *nowhere_near_http}


def test_a_rooms_own_error_has_its_familys_status() -> None:
    assert ask(APP, "GET", "/erased").status_code == 404
    assert status_of(ErasedError("a", "b")) == 404


def test_what_breaks_is_a_problem_without_its_reason() -> None:
    response = ask(APP, "GET", "/broken")
    assert response.status_code == 500
    assert told(response)["code"] == "internal.unexpected"
    assert unexpected().body  # outside any request too


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/{WORDS}", 404, "http.not_found"),
        ("DELETE", "/form", 405, "http.method_not_allowed"),
        ("GET", "/teapot", 418, "http.418"),
    ],
)
def test_the_frameworks_refusals_are_problems_too(
    method: str, path: str, status: int, code: str
) -> None:
    response = ask(APP, method, path)
    assert response.status_code == status
    assert told(response)["code"] == code
    assert ("allow" in response.headers) == (status == 405)


def test_fields_are_named_wherever_they_stand() -> None:
    response = ask(APP, "GET", f"/query?limit={WORDS}")
    assert response.status_code == 422
    (error,) = told(response)["errors"]
    assert error["field"] == "limit"
    response = ask(APP, "POST", "/form", json={"age": WORDS, "more": WORDS})
    assert [e["field"] for e in told(response)["errors"]] == ["age", "more"]
    as_json = {"content-type": "application/json"}
    response = ask(APP, "POST", "/form", content=b'{"age":', headers=as_json)
    assert response.status_code == 400
    assert told(response)["code"] == "json.syntax"
    response = ask(APP, "POST", "/form")
    assert [e["field"] for e in told(response)["errors"]] == ["body"]


def test_a_redirect_is_no_problem() -> None:
    app = FastAPI()
    install(app)

    @app.get("/away")
    async def away() -> None:
        raise HTTPException(307, headers={"location": "/there"})

    response = ask(app, "GET", "/away")
    assert response.status_code == 307
    assert response.headers["location"] == "/there"
    assert response.content == b""


def test_a_problem_carries_the_correlation_id() -> None:
    with logs.correlated("c-7"):
        assert problem_of(ErasedError("a", "b"))["correlation_id"] == "c-7"

"""The log: one line an event, one correlation id, no noise, no words of people."""

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
import structlog

from services.kernel import logs
from services.kernel.errors import RefusedError

WORDS = "Zhang San 13800000000"
OURS = structlog.get_logger("services.example")  # made before it is configured


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers, root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(level: str = "info", log_format: str = "json") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(log_format, level, stream)  # type: ignore[arg-type] # literals
    return stream


def test_ours_and_the_librarys_lines_take_one_way() -> None:
    stream = configured()
    with logs.correlated("c-1"):
        OURS.info("case.opened", count=2)
        logging.getLogger("services.other").info("plain %s", "line")
        logging.getLogger("uvicorn.error").warning("port %d is taken", 80)
    first, second, third = logged(stream)
    timestamp = first.pop("timestamp")
    assert timestamp.endswith("Z")
    assert first == {
        "event": "case.opened",
        "count": 2,
        "level": "info",
        "logger": "services.example",
        "correlation_id": "c-1",
    }
    assert (second["event"], second["correlation_id"]) == ("plain line", "c-1")
    assert (third["event"], third["logger"]) == ("port 80 is taken", "uvicorn.error")


def test_libraries_are_silent_below_warning_whatever_we_ask() -> None:
    chatty = logging.getLogger("faststream.access.nats")
    chatty.addHandler(logging.StreamHandler(io.StringIO()))
    chatty.setLevel(logging.DEBUG)
    stream = configured("debug")
    for name in ("uvicorn.access", "faststream.access.nats", "nats.aio.client"):
        logging.getLogger(name).info("Received %s", WORDS)
    assert logged(stream) == []
    assert chatty.handlers == []
    OURS.debug("seen")
    assert [line["event"] for line in logged(stream)] == ["seen"]


def test_levels_and_formats_can_be_changed() -> None:
    quiet = configured("warning")
    OURS.info("unheard")
    assert quiet.getvalue() == ""
    console = configured("info", "console")
    OURS.info("case.opened", note="two\nlines \x1b[31mred")
    logging.getLogger("services.other").info("two\nlines \x1b[31mred")
    assert console.getvalue().count("\n") == 2
    assert "\x1b" not in console.getvalue()  # no terminal, no colour, no forgery


def test_auto_is_json_where_no_terminal_is() -> None:
    stream = configured("info", "auto")
    OURS.info("x")
    assert logged(stream)[0]["event"] == "x"


class Form(pydantic.BaseModel):
    phone: int


def _bad_number() -> None:
    int(WORDS)


def _missing_key() -> None:
    {}[WORDS]  # type: ignore[misc] # it raises, that is all


def _bad_model() -> None:
    Form(phone=WORDS)  # type: ignore[arg-type] # as above


def _refused_by_postgres() -> None:
    message = f"null value\nDETAIL:  Failing row contains (1, {WORDS})."
    raise RuntimeError(message)


def _refused_on_one_line() -> None:
    message = f"duplicate key: Key (phone)=({WORDS}) already exists."
    raise RuntimeError(message)


def _inner_words() -> None:
    try:
        _bad_number()
    except ValueError as error:
        message = f'cannot read "{WORDS}"'
        raise LookupError(message) from error


def _in_a_group() -> None:
    message = f"of '{WORDS}'"
    raise ExceptionGroup(message, [KeyError(WORDS), ValueError(f"'{WORDS}'")])


@pytest.mark.parametrize(
    "fail",
    [
        _bad_number,
        _missing_key,
        _bad_model,
        _refused_by_postgres,
        _refused_on_one_line,
        _inner_words,
        _in_a_group,
    ],
)
def test_a_traceback_tells_where_and_what_but_no_value(fail: Any) -> None:
    stream = configured()
    try:
        fail()
    except Exception:
        OURS.exception("failed")
        logging.getLogger("nats").exception("failed there")
    assert "Zhang" not in stream.getvalue()
    assert "13800000000" not in stream.getvalue()
    for line in logged(stream):
        assert fail.__name__ in line["exception"]


def test_our_codes_and_the_systems_errors_are_told_whole() -> None:
    stream = configured()
    for error in (
        RefusedError("case.closed", "Reopen it first."),
        FileNotFoundError(2, "No such file or directory", "/data/key"),
    ):
        try:
            raise error
        except (RefusedError, OSError):
            OURS.exception("failed")
    refused, missing = logged(stream)
    assert "case.closed: Reopen it first." in refused["exception"]
    assert "'/data/key'" in missing["exception"]


def test_an_exception_that_cannot_be_printed_is_logged_all_the_same() -> None:
    class StrangeError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    stream = configured()
    OURS.error("failed", exc_info=StrangeError())
    assert "cannot be shown" in logged(stream)[0]["exception"]


def test_warnings_are_lines_too() -> None:
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert logged(stream)[0]["logger"] == "py.warnings"


def test_each_task_has_its_own_correlation() -> None:
    async def one(name: str) -> str | None:
        with logs.correlated(name):
            await asyncio.sleep(0)
            return logs.correlation_id()

    async def both() -> list[str | None]:
        return await asyncio.gather(one("a"), one("b"))

    assert asyncio.run(both()) == ["a", "b"]
    assert logs.correlation_id() is None
    logs.bind_correlation("c")
    assert logs.correlation_id() == "c"


@pytest.mark.parametrize("claimed", ["a", "0199-ab.C:d_e", "x" * 64])
def test_a_plain_claimed_id_is_kept(claimed: str) -> None:
    assert logs.accepted_correlation_id(claimed) == claimed


@pytest.mark.parametrize(
    "claimed", [None, "", "x" * 65, "-a", "a b", "a\n", "é", "a;b", '"']
)
def test_any_other_is_replaced(claimed: str | None) -> None:
    made = logs.accepted_correlation_id(claimed)
    assert made != claimed
    assert logs.accepted_correlation_id(made) == made

"""The log: one pipeline for structlog and the standard library, no personal words.

One line an event, in codes. What people wrote never reaches it: tracebacks show files,
lines and functions, and of a message only what no value was put into. A correlation
id, bound at an edge, is on every line until the edge is left.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TextIO

import pydantic
import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from services.kernel.clock import new_uuid7, system_clock
from services.kernel.errors import AmendsError

_OURS: Final = ("services", "events")
_QUOTED: Final = re.compile(r"""'[^']*'|"[^"]*"|\([^()]*\)=\([^()]*\)""")
_CORRELATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_LONGEST_MESSAGE: Final = 300
_DEEPEST_CHAIN: Final = 10


def configure(
    log_format: Literal["auto", "console", "json"] = "auto",
    level: Literal["debug", "info", "warning", "error"] = "info",
    stream: TextIO | None = None,
) -> None:
    """Send everything to `stream` (standard error), replacing what was set before.

    `level` is for our own lines. Libraries (uvicorn, faststream, nats, psycopg) are
    heard from warning on, never below: their lower lines are noise and may quote data.
    """
    stream = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_safe_traceback),
        _unforgeable,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=stream.isatty())
                if console
                else structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name in list(logging.root.manager.loggerDict):
        if not name.startswith(_OURS):  # libraries that brought handlers of their own
            library = logging.getLogger(name)
            library.handlers, library.propagate = [], True
            library.setLevel(logging.NOTSET)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # loggers of modules outlive a configuration
    )


def new_correlation_id() -> str:
    return str(new_uuid7(system_clock()))


def accepted_correlation_id(claimed: str | None) -> str:
    """Give the caller's own id if it is plain and short, else a new one."""
    if claimed is not None and _CORRELATION.fullmatch(claimed):
        return claimed
    return new_correlation_id()


def bind_correlation(correlation_id: str) -> None:
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Bind for the length of a block: one request, one message, one command."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        yield


def correlation_id() -> str | None:
    """Give the bound correlation id, or None outside of any edge."""
    bound = structlog.contextvars.get_contextvars().get("correlation_id")
    return bound if isinstance(bound, str) else None


def _unforgeable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape line ends and control characters: one event cannot look like two."""
    for key, value in event.items():
        if key != "exception" and isinstance(value, str) and not value.isprintable():
            event[key] = _escaped(value)
    return event


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _safe_traceback(exc_info: ExcInfo) -> str:
    return "\n".join(_told(exc_info[1]))


def _told(error: BaseException, depth: int = 0) -> Iterator[str]:
    before = error.__cause__ or (
        None if error.__suppress_context__ else error.__context__
    )
    if before is not None and depth < _DEEPEST_CHAIN:
        yield from _told(before, depth + 1)
        yield "which led to"
    for line in traceback.format_tb(error.__traceback__):
        yield line.rstrip("\n")
    yield f"{type(error).__module__}.{type(error).__qualname__}: {_message(error)}"
    if isinstance(error, BaseExceptionGroup) and depth < _DEEPEST_CHAIN:
        for number, inner in enumerate(error.exceptions, 1):
            yield f"of which no. {number}"
            yield from _told(inner, depth + 1)


def _message(error: BaseException) -> str:
    """Tell what happened without the value that it happened to.

    Values stand in quotes in what Python, SQLite and PostgreSQL say, on later lines in
    what PostgreSQL and pydantic add; only our own codes and the system's errors are
    whole.
    """
    if isinstance(error, AmendsError):
        return str(error)
    if isinstance(error, pydantic.ValidationError):
        faults = error.errors(
            include_url=False, include_context=False, include_input=False
        )
        return f"{error.title}: " + ", ".join(
            f"{'.'.join(map(str, fault['loc']))} {fault['type']}" for fault in faults
        )
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a log line must not fail on a strange __str__
        return "(its message cannot be shown)"
    if not isinstance(error, OSError):
        text = _QUOTED.sub("…", text.partition("\n")[0])
    text = text[:_LONGEST_MESSAGE]
    return text if text.isprintable() else _escaped(text)

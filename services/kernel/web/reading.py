"""JSON from strangers: read strictly, or refuse saying where and what to do.

Stricter than RFC 8259 where a lenient reader would guess or a database would choke:
duplicate keys, NUL, lone surrogates, numbers beyond 64 bits, depth beyond 32.
Used for HTTP bodies, batches (NDJSON), messages and files alike.
"""

import itertools
import json
import math
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import pydantic

from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    TooLargeError,
    UnreadableError,
)

BODY_LIMIT: Final = 1024**2
"""Bytes of one JSON body and of one line of a batch."""
DEPTH_LIMIT: Final = 32

_MOST_FAULTS: Final = 20
_LONGEST_NAME: Final = 64
_LONGEST_INTEGER: Final = 19  # digits of the greatest 64-bit integer
_BIGGEST: Final = 2**63
_SUSPECT: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Pairs(list[tuple[str, object]]):
    """A JSON object with each of its members, also those of equal names."""


class _DuplicateError(ValueError):
    pass


class _NumberError(ValueError):
    pass


def strict_json(body: bytes, *, limit: int = BODY_LIMIT, first_line: int = 1) -> object:
    """Parse UTF-8 JSON, at most `limit` bytes of it, from a `first_line` on.

    Raises TooLargeError, UnreadableError (not JSON; line, column or byte named) or
    MalformedError (JSON, but with members that nobody can store; each named).
    """
    if len(body) > limit:
        raise TooLargeError(
            "json.too_large",
            f"Send at most {limit} bytes; these are {len(body)}.",
        )
    text = _utf8(body)
    suspect = (
        text.count("[") + text.count("{") > DEPTH_LIMIT
        or _SUSPECT.search(text) is not None
    )
    try:
        try:
            value = _plain.decode(text)
        except _DuplicateError:
            value, suspect = None, True
        if suspect:
            _refuse_faults(_detailed.decode(text))
    except RecursionError:
        raise _too_deep("") from None
    except json.JSONDecodeError as error:
        raise UnreadableError(
            "json.syntax",
            f"Correct the JSON at line {first_line + error.lineno - 1}, column {error.colno}: "
            f"{error.msg}.",
        ) from None
    except _NumberError as error:
        raise UnreadableError("json.number", str(error)) from None
    return value


def _utf8(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise UnreadableError(
            "json.byte_order_mark",
            "Send the JSON without the byte order mark at its beginning.",
        )
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            "json.encoding",
            f"Send UTF-8; byte {error.start} (counted from 0) is not.",
        ) from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DuplicateError
    return value


def _integer(digits: str) -> int:
    if len(digits) <= _LONGEST_INTEGER + 1:
        number = int(digits)
        if -_BIGGEST <= number < _BIGGEST:
            return number
    raise _NumberError("Write integers that fit 64 bits; longer ones as strings.")


def _real(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _NumberError("Write numbers below 1.8e308; greater ones as strings.")
    return number


def _constant(name: str) -> NoReturn:
    raise _NumberError(f"Write a number or null; {name} is not JSON.")


def _decoder(hook: Callable[[list[tuple[str, object]]], object]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=hook,
        parse_int=_integer,
        parse_float=_real,
        parse_constant=_constant,
    )


_plain: Final = _decoder(_object)
_detailed: Final = _decoder(_Pairs)


def _refuse_faults(value: object) -> None:
    """Walk a parsed value and raise MalformedError naming every fault's path."""
    faults: list[FieldError] = []
    _collect(value, (), 1, faults)
    if faults:
        raise MalformedError(
            "json.refused",
            "Correct the named members; nothing was stored.",
            errors=sorted(faults, key=lambda fault: fault.field),
        )


def _collect(
    value: object, path: tuple[Any, ...], depth: int, faults: list[FieldError]
) -> None:
    """Add faults in `value`; `path` is (parent's path, name), put in words if needed.

    It looks at every value of a body that may hold 300,000, on the event loop: so
    scalars are passed over without a call and paths are not built in advance.
    """
    if isinstance(value, str):
        faults += _faults_of_text(path, value)
    elif isinstance(value, list):
        if depth > DEPTH_LIMIT:
            raise _too_deep(_path(_unlinked(path)))
        if isinstance(value, _Pairs):
            faults += itertools.islice(_faults_of_names(path, value), _MOST_FAULTS)
            members: Iterable[tuple[str | int, object]] = value
        else:
            members = enumerate(value)
        for name, member in members:
            if len(faults) >= _MOST_FAULTS:
                return
            if member and (isinstance(member, list) or _suspect(member)):
                _collect(member, (path, name), depth + 1, faults)


def _suspect(value: object) -> bool:
    return isinstance(value, str) and (not value.isascii() or "\0" in value)


def _faults_of_names(path: tuple[Any, ...], pairs: _Pairs) -> Iterable[FieldError]:
    seen: set[str] = set()
    for name, _ in pairs:
        yield from _faults_of_text((path, name), name)
        if name in seen:
            inner = _path(_unlinked((path, name)))
            yield FieldError(inner, "given more than once", "give it once")
        seen.add(name)


def _faults_of_text(path: tuple[Any, ...], text: str) -> Iterable[FieldError]:
    if "\0" in text:
        yield FieldError(
            _path(_unlinked(path)), "holds a NUL character", "remove \\u0000"
        )
    if _SURROGATE.search(text):
        yield FieldError(
            _path(_unlinked(path)),
            "holds half of a surrogate pair",
            "send whole characters",
        )


def _unlinked(path: tuple[Any, ...]) -> list[str | int]:
    names: list[str | int] = []
    while path:
        path, name = path
        names.append(name)
    return names[::-1]


def _too_deep(path: str) -> MalformedError:
    return MalformedError(
        "json.too_deep",
        f"Nest objects and arrays at most {DEPTH_LIMIT} deep.",
        errors=[FieldError(path, "is nested too deeply", "flatten it")] if path else (),
    )


def _shown(name: str) -> str:
    """Make a member's name fit for a problem: short, on one line, encodable."""
    return "".join(
        c if c.isprintable() else f"\\u{ord(c):04x}" for c in name[:_LONGEST_NAME]
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a batch, its `number` counted from 1: a `value`, or a `fault`."""

    number: int
    value: object = None
    fault: AmendsError | None = None


async def ndjson(
    chunks: AsyncIterable[bytes], *, limit: int = BODY_LIMIT
) -> AsyncIterator[Line]:
    """Read lines while they arrive (`request.stream()`), holding one at a time.

    A bad line is given as its fault and the next one is read all the same; blank lines
    are skipped but counted.
    """
    number, size, parts = 1, 0, list[bytes]()
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            if line := _line(number, [*parts, piece], size + len(piece), limit):
                yield line
            number, size, parts = number + 1, 0, []
        size += len(rest)
        if size <= limit:
            parts.append(rest)
        else:
            parts.clear()  # too long: its end is awaited, its bytes are not kept
    if line := _line(number, parts, size, limit):
        yield line


def _line(number: int, parts: list[bytes], size: int, limit: int) -> Line | None:
    if size > limit:
        return Line(
            number,
            fault=TooLargeError(
                "json.too_large",
                f"Send at most {limit} bytes a line; line {number} has {size}.",
            ),
        )
    body = b"".join(parts)
    if not body.strip():
        return None
    try:
        return Line(number, strict_json(body, limit=limit, first_line=number))
    except AmendsError as fault:
        return Line(number, fault=fault)


def malformed(
    refused: pydantic.ValidationError, *, code: str = "request.invalid"
) -> MalformedError:
    """Turn pydantic's refusal into ours: every field named, no value repeated."""
    return MalformedError(
        code,
        "Correct the named fields; nothing was stored.",
        errors=field_errors(
            refused.errors(include_url=False, include_input=False)  # type: ignore[arg-type] # TypedDicts
        ),
    )


def field_errors(faults: Iterable[dict[str, Any]]) -> list[FieldError]:
    """Name fields as in strict_json from pydantic's or FastAPI's error dicts."""
    return [
        FieldError(_path(fault["loc"]), fault["msg"], _remedy(fault["type"]))
        for fault in faults
    ]


def _path(parts: Iterable[str | int]) -> str:
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{_shown(part)}" if path else _shown(part)
    return path


def _remedy(kind: str) -> str:
    return _REMEDIES.get(kind, "correct the value")


_REMEDIES: Final = {
    "missing": "add the field",
    "extra_forbidden": "remove the field, or check its spelling",
    "string_too_long": "shorten the text",
    "string_too_short": "write more",
    "string_pattern_mismatch": "use the stated form",
    "enum": "use one of the listed values",
    "literal_error": "use one of the listed values",
    "json_invalid": "send JSON",
    "too_long": "give fewer items",
    "too_short": "give more items",
}

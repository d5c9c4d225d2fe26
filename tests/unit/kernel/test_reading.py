"""Bodies and batches: each fault is named with its place, and costs little."""

import asyncio
import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pydantic
import pytest

from services.kernel.errors import (
    AmendsError,
    MalformedError,
    TooLargeError,
    UnreadableError,
)
from services.kernel.web.reading import Line, malformed, ndjson, strict_json
from tests.support.asgi import chunked

# correct JSON that no store could keep, or that two readers would read differently
OURS = {
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
    "y_object_escaped_null_in_key.json",
    "y_string_null_escape.json",
}


@pytest.mark.real_data
def test_json_test_suite(real_data: Path) -> None:
    verdicts = {}
    for path in sorted((real_data / "badinput/jsontestsuite/test_parsing").iterdir()):
        try:
            strict_json(path.read_bytes())
            verdicts[path.name] = True
        except AmendsError:
            verdicts[path.name] = False
    assert len(verdicts) > 300
    accepted = {name for name, ok in verdicts.items() if ok}
    refused = verdicts.keys() - accepted
    assert not {name for name in accepted if name.startswith("n_")}
    assert {name for name in refused if name.startswith("y_")} == OURS


@pytest.mark.real_data
def test_naughty_strings_come_back_unchanged(real_data: Path) -> None:
    naughty = json.loads((real_data / "badinput/blns/blns.json").read_bytes())
    for escaped in (True, False):
        body = json.dumps(naughty, ensure_ascii=escaped).encode()
        assert strict_json(body) == naughty


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b'{"a":1,\n "b":}', "json.syntax", "line 2, column 6"),
        (b"", "json.syntax", "line 1, column 1"),
        (b'{"a":"\xff"}', "json.encoding", "byte 6"),
        ("\ufeff{}".encode(), "json.byte_order_mark", "byte order mark"),
        ("{}".encode("utf-16"), "json.encoding", "byte 0"),
        (b"[NaN]", "json.number", "NaN"),
        (b"[-Infinity]", "json.number", "-Infinity"),
        (b"1e999", "json.number", "1.8e308"),
        (b"9223372036854775808", "json.number", "64 bits"),
        (b"9" * 5000, "json.number", "64 bits"),
        (b'{"a":1,"a":2,', "json.syntax", "line 1"),  # what follows a fault counts too
        (b'{"a":1,"a":NaN}', "json.number", "NaN"),
        (b'{"a":1,"a":' + b"[" * 100_000, "json.too_deep", "32"),
    ],
)
def test_bytes_that_are_no_json(body: bytes, code: str, told: str) -> None:
    with pytest.raises(AmendsError) as refused:
        strict_json(body)
    assert refused.value.code == code
    assert told in refused.value.detail


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"a":{"b":1,"b":2}}', ["a.b"]),
        (b'[{"a":"\\u0000"},{"b":["x","\\ud800"]}]', ["[0].a", "[1].b[1]"]),
        (b'{"\\udc00":1}', ["\\udc00"]),
        (b'{"\\u0000":{"c":"\\ude00"}}', ["\\u0000", "\\u0000.c"]),
        (b'{"a\\u202eb\\n":1,"a\\u202eb\\n":1}', ["a\\u202eb\\u000a"]),
        (b'{"' + b"k" * 100 + b'":1,"' + b"k" * 100 + b'":1}', ["k" * 64]),
    ],
)
def test_json_that_cannot_be_kept_names_its_members(
    body: bytes, fields: list[str]
) -> None:
    with pytest.raises(MalformedError) as refused:
        strict_json(body)
    assert [error.field for error in refused.value.errors] == fields
    json.dumps(fields, ensure_ascii=False).encode()  # they can be told


@pytest.mark.parametrize(
    "body", [b'["\\\\u0000"]', b'["\\ud83d\\ude00"]', b'["\\\\ud800"]']
)
def test_what_only_looks_suspect_is_accepted(body: bytes) -> None:
    assert strict_json(body) == json.loads(body)


def test_a_body_full_of_faults_names_the_first_twenty() -> None:
    body = b"[" + b",".join([b'{"a":1,"a":2}'] * 1_000) + b"]"
    with pytest.raises(MalformedError) as refused:
        strict_json(body)
    assert len(refused.value.errors) == 20


def test_a_body_above_the_limit_is_not_parsed() -> None:
    with pytest.raises(TooLargeError, match="at most 10 bytes; these are 11"):
        strict_json(b"[" * 11, limit=10)


def lines(chunks: Iterable[bytes], limit: int = 40) -> list[Line]:
    async def read() -> list[Line]:
        return [line async for line in ndjson(chunked(chunks), limit=limit)]

    return asyncio.run(read())


def test_a_fault_names_the_line_of_the_batch() -> None:
    found = lines([b'{"a":1}\n\n{"a":}\n[1,]\n'])
    assert [
        (line.number, line.fault.detail.split(",")[0]) for line in found if line.fault
    ] == [(3, "Correct the JSON at line 3"), (4, "Correct the JSON at line 4")]


def test_a_batch_is_the_same_however_it_is_cut() -> None:
    body = b'{"a":1}\r\n\n  \n{"a":\xe9}\n[2]\n' + b"[" * 41 + b'\n{"a":1,"a":1}\n3'
    whole = lines([body])
    assert [(line.number, line.value) for line in whole if line.fault is None] == [
        (1, {"a": 1}),
        (5, [2]),
        (8, 3),
    ]
    faults = {line.number: type(line.fault) for line in whole if line.fault}
    assert faults == {4: UnreadableError, 6: TooLargeError, 7: MalformedError}
    for size in range(1, len(body)):
        cut = lines(body[i : i + size] for i in range(0, len(body), size))
        assert [(line.number, line.value, str(line.fault)) for line in cut] == [
            (line.number, line.value, str(line.fault)) for line in whole
        ]


def test_a_line_that_never_ends_is_not_held() -> None:
    tracemalloc.start()
    (line,) = lines(bytes(1_000) for _ in range(1_000))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200_000
    assert isinstance(line.fault, TooLargeError)
    assert "line 1 has 1000000" in line.fault.detail


def test_an_empty_batch_has_no_lines() -> None:
    assert lines([]) == lines([b""]) == lines([b"\n\n"]) == []


class Contact(pydantic.BaseModel, extra="forbid"):
    phone: str = pydantic.Field(max_length=5)


class Form(pydantic.BaseModel):
    contact: Contact
    demand: list[int]


def test_a_models_refusal_names_fields_and_repeats_nothing() -> None:
    body = {"contact": {"phone": "13800000000", "e\nx": 1}, "demand": [1, "secret"]}
    with pytest.raises(pydantic.ValidationError) as refused:
        Form.model_validate(body)
    told = malformed(refused.value, code="intake.fields")
    assert {error.field: error.remedy for error in told.errors} == {
        "contact.phone": "shorten the text",
        "contact.e\\u000ax": "remove the field, or check its spelling",
        "demand[1]": "correct the value",
    }
    assert "138" not in repr(told.errors)
    assert "secret" not in repr(told.errors)

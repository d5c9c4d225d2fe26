"""`amends submit`: one complaint by hand, and its receipt for people."""

import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import httpx

from services.intake.domain.receipt import spoken
from services.intake.domain.submission import Submission
from services.kernel.clock import new_uuid7, system_clock
from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    NotFoundError,
)
from services.kernel.web.reading import strict_json

_PARTS: Final = r"(?:contact|product)\."
"""The parts of a submission whose fields have options of their own."""


def read(file: str) -> dict[str, Any]:
    """Read a submission from a file, `-` for standard input."""
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError:
        raise NotFoundError(
            "submit.no_file", "Give a file that you may read, or - for standard input."
        ) from None
    document = strict_json(body)
    if not isinstance(document, dict):
        raise MalformedError("submit.no_object", "Write the submission as {…}.")
    return document


def check(document: dict[str, Any], options: Collection[str] = ()) -> None:
    """Raise `MalformedError` as intake would, before anything is started or made.

    A fault of what one of the `options` gives names it: `--phone`.
    """
    try:
        Submission.parse(document, now=system_clock())
    except MalformedError as error:
        raise MalformedError(
            error.code,
            error.detail,
            errors=[_typed(each, options) for each in error.errors],
        ) from None


def _typed(fault: FieldError, options: Collection[str]) -> FieldError:
    def option(found: re.Match[str]) -> str:
        name = found["name"]
        return f"--{name.replace('_', '-')}" if name in options else found[0]

    return FieldError(
        re.sub(rf"^({_PARTS})?(?P<name>\w+)(\[\d+\])?$", option, fault.field),
        fault.message,
        re.sub(rf"\b({_PARTS})(?P<name>\w+)", option, fault.remedy),
    )


def run_submit(
    client: httpx.Client, document: dict[str, Any], key: str | None = None
) -> dict[str, Any]:
    """Hand in a submission and give its receipt; raises `AmendsError` as intake refused.

    Without a key one is made and told when the outcome is unknown.
    """
    key = key or str(new_uuid7(system_clock()))
    answer = client.post(
        "/api/intake/complaints", json=document, headers={"Idempotency-Key": key}
    )
    told: dict[str, Any] = answer.json()
    if answer.is_success:
        return told
    again = f" Use --key {key}." if answer.status_code >= 500 else ""  # noqa: PLR2004 unknown outcomes
    raise AmendsError(
        told["code"],
        told["detail"] + again,
        errors=[FieldError(**fault) for fault in told.get("errors", ())],
    )


def printed(receipt: dict[str, Any]) -> str:
    return (
        f"Received at {receipt['received_at'][:19]}Z.\n"
        f"  Receipt number  {spoken(receipt['receipt_no'])}\n"
        f"  Access code     {receipt['access_code']}\n"
        "Give both to the customer: the number asks for the status, the code opens more."
    )

"""`amends import --list`: which imports there were, and what each brought."""

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from services.intake.importing.told import URL
from services.kernel.errors import AmendsError, FieldError
from services.kernel.terminal import print_rows

_COLUMNS: Final = {
    "batch": "batch",
    "begun": "begun",
    "format": "format",
    "cases": "cases",
    "state": "state",
    "file": "file",
}


def show_imports(client: httpx.Client, *, as_json: bool) -> None:
    """Print every import, the latest first."""
    found = asked(client, "GET", URL)["imports"]
    if as_json:
        print(json.dumps({"imports": found}, ensure_ascii=False))  # noqa: T201 the verb's output
    elif not found:
        print("Nothing was imported yet.")  # noqa: T201 as above
    else:
        print_rows(
            _COLUMNS, [_row(each) for each in found], numbers={"cases"}, narrow=_narrow
        )


def asked(client: httpx.Client, method: str, path: str, **how: Any) -> Any:
    """Give the JSON of an answer; raises AmendsError as intake refused."""
    answer = client.request(method, path, **how)
    told = answer.json()
    if answer.is_success:
        return told
    errors = [FieldError(**fault) for fault in told.get("errors", ())]
    raise AmendsError(told["code"], told["detail"], errors=errors)


def _row(batch: dict[str, Any]) -> dict[str, str]:
    return {
        "batch": batch["batch"],
        "begun": f"{batch['begun_at'][:19]}Z",
        "format": batch.get("format", ""),
        "cases": f"{batch['cases']:,}",
        "state": _state(batch),
        "file": batch.get("file_name", batch["file"][:12]),
    }


def _state(batch: dict[str, Any]) -> str:
    if batch["revoked"]:
        whole = batch["revoked"] == batch["cases"]
        return "revoked" if whole else f"{batch['revoked']:,} revoked"
    if not batch["done_at"]:
        return "not finished"
    return "done" if batch["cases"] else "nothing new"


def _narrow(row: Mapping[str, str]) -> str:
    return (
        f"{row['batch']}\n  {row['file']} ({row['format']})\n"
        f"  begun {row['begun']}, {row['cases']} cases, {row['state']}"
    )

"""What a service cannot handle is parked, told, opened on the record and let go."""

from __future__ import annotations

import base64
import json
import re
import uuid
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from typer.testing import CliRunner

from events import codec
from events.examples import EXAMPLES
from services.cli import app
from services.kernel.clock import system_clock
from services.kernel.errors import RefusedError
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
MARKER = "Wang Fang 13812345678"
COMPLAINT = {
    "channel": "web",
    "statement": "It hums.",
    "contact": {"email": "wang@example.org"},
}


def commands_on_call() -> list[str]:
    """Give every command that the pages for on call show."""
    pages = (ROOT / "docs/how-to/on-call").glob("*.md")
    shown = [re.findall(r"^\$ (.+)$", page.read_text(), re.MULTILINE) for page in pages]
    return sorted({command for commands in shown for command in commands})


def hold_on_call(amends: RunningAmends, document_id: str) -> None:
    """What is red leads to its page, and what the pages tell to type can be typed."""
    environment = {**amends.environment, "AMENDS_LOG_LEVEL": "error"}
    for command in commands_on_call():
        program, *words = command.replace("ID", document_id).split()
        if program != "amends":
            continue  # of the system's
        done = CliRunner().invoke(app, words, env=environment)
        assert done.exit_code in (0, 1), (command, done.output)
        assert done.exception is None or isinstance(
            done.exception, (SystemExit, RefusedError)
        ), command
        if words == ["top", "--once"]:
            assert "1 in quarantine at handling  amends quarantine list" in done.output
            assert "on-call/quarantine.md" in done.output
            assert done.exit_code == 1


def hold_bundle(amends: RunningAmends) -> None:
    """A support bundle of what runs has its figures, and nobody in it."""
    target = amends.data.parent / "bundle.zip"
    words = ["support-bundle", str(target), "--log", str(amends.log)]
    done = CliRunner().invoke(app, words, env=amends.environment)
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(target) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {"health-amends-up.json", "metrics-amends-up.txt", "top.json"} <= set(parts)
    assert "amends_quarantine_messages{" in parts["metrics-amends-up.txt"]
    assert json.loads(parts["tables.json"])["intake/store"]["tables"]["stored_events"]
    assert '"event": "amends.ready"' in parts["log.ndjson"]
    token = json.loads((amends.data / "runtime.json").read_text())["token"]
    contact = COMPLAINT["contact"]
    for text in parts.values():
        for canary in (MARKER, contact["email"], token):
            assert canary not in text
        assert str(COMPLAINT["statement"]) not in text


def damaged() -> Iterator[tuple[uuid.UUID, int, str, bytes]]:
    """Give a received complaint that no release can read, and one of a later release."""
    whole = codec.encode(EXAMPLES["ComplaintReceived"])
    for change in ({"data": {"words": MARKER}}, {"schema_version": 99}):
        case_id = uuid.uuid4()  # noqa: TID251 a case of nobody's
        body = {**json.loads(whole), "case_id": str(case_id), **change}
        yield case_id, 1, "ComplaintReceived", json.dumps(body).encode()


def put_into_intake(amends: RunningAmends) -> list[str]:
    """Have intake's record hold what handling cannot handle; gives the cases."""
    path = amends.data / "intake" / "store.sqlite"
    database = open_database(f"sqlite:///{path}", schema="intake")
    store = open_store(database, name="intake", codec=codec, now=system_clock)
    events = list(damaged())
    with database.write() as tx:
        store.put_bodies(tx, events)
    database.close()
    return [str(case_id) for case_id, *_ in events]


def submit(amends: RunningAmends) -> str:
    answer = httpx.post(
        f"{amends.url}/api/intake/complaints",
        json=COMPLAINT,
        headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 a customer's own
    )
    case_id: str = answer.json()["case_id"]
    return case_id


def test_one_bad_message_waits_alone_until_it_is_let_go(amends: RunningAmends) -> None:
    amends.start()
    submit(amends)
    amends.stop()
    poison, newer = put_into_intake(amends)
    amends.start()
    behind = submit(amends)
    with amends.client() as client:
        case = f"/api/handling/cases/{behind}"
        amends.until(lambda: client.get(case).is_success, "the complaint behind them")

        def told() -> bool:
            checks = client.get("/health/ready").json()["checks"]
            return "newer=1 poison=1 run" in checks["handling.consumer"]["detail"]

        amends.until(told, "health names both")
        (message,) = amends.json("quarantine", "list")["rows"]
        assert (message["case_id"], message["consumer"]) == (poison, "handling")
        assert newer not in json.dumps(message), "held, not quarantined"
        shown = amends.run("quarantine", "show", message["document_id"])
        assert MARKER not in shown.stdout + shown.stderr
        opened = amends.json(
            "quarantine", "show", message["document_id"], "--open", "repair"
        )
        assert MARKER.encode() in base64.b64decode(opened["content"])
        hold_on_call(amends, message["document_id"])
        hold_bundle(amends)
        for who in ("agent", "auditor"):
            wanted = {"role": who, "department": "front-office"}
            if who == "auditor":
                del wanted["department"]
            token = client.post("/api/handling/tokens", json=wanted).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            path = "/api/handling/quarantine"
            looked = client.get(path, headers=headers).status_code
            tried = client.post(f"{path}/replay", headers=headers).status_code
            assert (looked, tried) == (200 if who == "auditor" else 403, 403)
    assert amends.json("quarantine", "replay") == {"applied": 0, "left": 1}
    document = message["document_id"]
    tried_again = amends.run("quarantine", "replay", document)
    assert tried_again.stdout == "Still refused: it stays in quarantine.\n"
    unsure = amends.run(
        "quarantine", "discard", document, "--cause", "corrupt", check=False
    )
    assert (unsure.returncode, "--yes" in unsure.stderr) == (2, True)
    done = amends.run("quarantine", "discard", document, "--cause", "corrupt", "--yes")
    assert done.stdout == "Discarded. Left in quarantine: 0.\n"
    amends.stop()
    assert MARKER not in amends.log.read_text()
    kept = (amends.data / "handling" / "store.sqlite").read_bytes()
    assert MARKER.encode() not in kept
    amends.start()
    assert amends.json("quarantine", "list")["rows"] == []
    amends.stop()

"""The command line as a person meets it: on a terminal, in a pipe, in the wrong folder."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from services.intake.importing.running import load_mapping
from tests.support.children import dying_with_us
from tests.support.running import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e

COUNT = 600
NUMBER = "4837291500627714"
LETTER = (
    "submit", "--channel", "letter", "--statement", "水壶漏水。", "--name", "林燕",
)  # fmt: skip


@pytest.mark.parametrize(
    "verb",
    [
        "access token list",
        "access token revoke 01a20125-1c3e-7a51-9d1e-4b8f0c6a2d11",
        "access user list",
        "access user depart lin",
        "access admin-link",
        "analytics frequency",
        "analytics root-causes",
        "analytics rebuild",
        "audit checkpoint",
        "audit verify",
        f"case show {NUMBER}",
        "follow quality",
    ],
)
def test_a_mistyped_folder_is_no_new_installation(
    amends: RunningAmends, verb: str
) -> None:
    refused = amends.run(*verb.split(), check=False)
    assert refused.returncode == 1
    assert f"no installation at {amends.data}" in refused.stderr
    assert "AMENDS_DATA" in refused.stderr
    assert not amends.data.exists()


def test_a_complaint_makes_an_installation_and_says_so(amends: RunningAmends) -> None:
    told = f"Made a new installation in {amends.data}.\n"
    first = amends.run(*LETTER, "--json")
    assert told in first.stderr  # a busy machine may have hindered somebody
    assert json.loads(first.stdout)["receipt_no"]
    assert told not in amends.run(*LETTER).stderr


def test_what_is_printed_is_whole_on_any_terminal(
    amends: RunningAmends,
) -> None:
    amends.start()
    token = amends.json(
        "access", "token", "create", "--role", "department_handler",
        "--department", "after-sales", "--actor", "a-handler-with-a-long-name",
        "--expires", "2999-01-31T00:00:00",
    )  # fmt: skip
    receipt = amends.json(*LETTER)
    case = receipt["case_id"]
    amends.until(
        lambda: amends.run("case", "show", case, check=False).returncode == 0, "a case"
    )
    for columns in (60, 80, 120):
        tokens = amends.shown("access", "token", "list", columns=columns)
        for whole in ("token_id", "actor", "role", "department", "expires_at"):
            assert token[whole] in tokens
        assert "…" not in tokens
        shown = amends.shown("case", "show", case, columns=columns)
        assert case in shown
        assert receipt["received_at"] in shown
        assert "ComplaintReceived" in shown
        assert "operator" in shown
    piped = amends.run("access", "token", "list").stdout.splitlines()
    assert len(piped) == 2
    assert token["token_id"] in piped[1]


def test_an_interrupted_import_ends_and_goes_on_later(
    amends: RunningAmends, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    columns = load_mapping("cfpb").columns()
    row = dict.fromkeys(columns, "") | {
        "Date received": "2026-01-02",
        "Submitted via": "Web",
    }
    with rows.open("w", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(row | {"Complaint ID": str(n)} for n in range(COUNT))
    words = ("import", str(rows), "--format", "cfpb", "--batch-size", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", *words],
        env=amends.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
    )
    store = amends.data / "intake" / "store.sqlite"
    amends.until(lambda: received(store) > 2, "some rows are received")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130, said
    assert "The same import again goes on" in said
    assert "Traceback" not in said
    before = received(store)
    assert before < COUNT
    again = amends.json(*words[:4])
    assert again.pop("source")["kind"] == "csv"
    assert again.pop("batch")
    assert again.pop("imported_before")["cases"] == again["duplicates"]
    assert again == {
        "read": COUNT,
        "accepted": COUNT - before,
        "duplicates": before,
        "rejected": 0,
    }


def received(store: Path) -> int:
    if not store.exists():
        return 0
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        try:
            found = connection.execute("SELECT count(*) FROM stored_events").fetchone()
        except sqlite3.OperationalError:  # not made yet
            return 0
        return int(found[0])


def test_a_spoken_number_and_a_stale_token(
    amends: RunningAmends, tmp_path: Path
) -> None:
    amends.start()
    receipt = amends.json(*LETTER)
    number = receipt["receipt_no"]
    groups = [number[at : at + 4] for at in range(0, 16, 4)]
    amends.until(
        lambda: amends.run("case", "show", *groups, check=False).returncode == 0,
        "a case",
    )
    wrong = tmp_path / "token"
    wrong.write_text("amends_nothing\n")
    refused = amends.run(
        "case", "do", *groups, "sign-for", "--token-file", str(wrong), check=False
    )
    assert refused.returncode == 1
    assert "[access.unknown_token]" in refused.stderr
    assert "--token-file" in refused.stderr
    assert "Bearer" not in refused.stderr

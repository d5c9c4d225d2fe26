"""Starting, stopping, starting again: one folder, one amends, nothing left behind."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e

COMPLAINT = {
    "channel": "web",
    "statement": "The washing machine leaks. 洗衣机漏水。",
    "contact": {"name": "Wang Fang", "email": "wang@example.org"},
    "demand": ["repair"],
    "category": "product/leak",
}


def submit(amends: RunningAmends, **changes: Any) -> dict[str, Any]:
    answer = httpx.post(
        f"{amends.url}/api/intake/complaints",
        json={**COMPLAINT, **changes},
        headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 a customer's own
    )
    assert answer.status_code == 201, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def followed(amends: RunningAmends) -> bool:
    """Whether everybody has read what was received."""
    with amends.client() as client:
        progress = client.get("/api/progress").json()
    received = progress["intake"]["recorded"]
    recorded = progress["handling"]["recorded"]
    return bool(
        progress["handling"]["intake"] >= received
        and progress["intake"]["handling"] >= recorded
        and progress["analytics"]["handling"] >= recorded
    )


def children_of(pid: int) -> list[int]:
    return [
        int(child)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]


def test_a_complaint_becomes_a_case_a_status_and_a_figure(
    amends: RunningAmends,
) -> None:
    amends.start()
    receipt = submit(amends)
    amends.until(lambda: followed(amends), "all have followed")
    case = amends.json("case", "show", receipt["receipt_no"])
    assert case["case_id"] == receipt["case_id"]
    assert (case["state"], case["version"]) == ("RECEIVED", 1)
    assert [each["event"]["type"] for each in case["events"]] == ["ComplaintReceived"]
    assert "leaks" not in json.dumps(case)
    status = httpx.get(f"{amends.url}{receipt['status_url']}").json()
    assert status["state"] == "RECEIVED"
    figure = amends.json("analytics", "frequency", "group_by=category")
    assert [(row["category"], row["count"]) for row in figure["rows"]] == [
        ("product/leak", 1)
    ]


def test_ctrl_c_ends_in_order_and_a_restart_goes_on(amends: RunningAmends) -> None:
    amends.forked = False  # started as everybody's is
    amends.start()
    first = submit(amends)
    assert amends.process is not None
    processes = [amends.process.pid, *children_of(amends.process.pid)]
    assert len(processes) == 2  # with the broker
    assert amends.stop() == 0
    assert not any(map(alive, processes))
    assert not (amends.data / "runtime.json").exists()
    amends.start()
    second = submit(amends)
    amends.until(lambda: followed(amends), "all have followed")
    for receipt in (first, second):
        assert amends.json("case", "show", receipt["receipt_no"])["version"] == 1


def test_the_log_of_a_normal_run_has_no_warning(amends: RunningAmends) -> None:
    amends.forked = False  # started as everybody's is
    amends.start()
    submit(amends)
    amends.until(lambda: followed(amends), "all have followed")
    amends.stop()
    lines = [json.loads(line) for line in amends.log.read_text().splitlines()]
    assert [line for line in lines if line["level"] not in {"info", "debug"}] == []
    assert len(lines) < 10


def test_a_second_one_on_the_same_folder_is_refused(amends: RunningAmends) -> None:
    amends.start()
    refused = amends.run("up", check=False)
    assert refused.returncode == 1
    assert "in use by process" in refused.stderr
    assert submit(amends)


def test_a_taken_port_is_told(amends: RunningAmends, tmp_path: Path) -> None:
    amends.start()
    other = {**amends.environment, "AMENDS_DATA": str(tmp_path / "other")}
    amends.environment, before = other, amends.environment
    refused = amends.run("up", check=False)
    amends.environment = before
    assert refused.returncode == 1
    assert "AMENDS_PORT" in refused.stderr


def test_verbs_work_where_nothing_runs(amends: RunningAmends) -> None:
    nothing = amends.run("case", "show", "4837291500627714", check=False)
    assert nothing.returncode == 1
    assert "amends up" in nothing.stderr
    receipt = amends.json(
        "submit", "--channel", "phone", "--statement", "It leaks.", "--name", "Li",
        "--phone", "+86 138 0013 8000",
    )  # fmt: skip
    figure = amends.json("analytics", "frequency", "group_by=channel")
    assert figure["total"] in {0, 1}  # the figures may not have followed yet
    assert receipt["receipt_no"]
    assert amends.json("audit", "verify")["ok"]


def test_an_edited_byte_is_named_by_its_position(amends: RunningAmends) -> None:
    amends.start()
    for _ in range(3):
        submit(amends)
    amends.stop()
    store = sqlite3.connect(amends.data / "intake" / "store.sqlite")
    store.execute(
        "UPDATE stored_events SET body ="
        " CAST(replace(CAST(body AS TEXT), 'repair', 'refund') AS BLOB)"
        " WHERE position = 2"
    )
    store.commit()
    store.close()
    found = amends.run("audit", "verify", "--json", check=False)
    assert found.returncode == 1
    (intake,) = [
        store
        for store in json.loads(found.stdout)["stores"]
        if store["store"] == "intake"
    ]
    assert [fault["position"] for fault in intake["faults"]] == [2]
    assert intake["sealed_to"] == 3


def test_a_checkpoint_kept_elsewhere_convicts_a_rewritten_history(
    amends: RunningAmends, tmp_path: Path
) -> None:
    amends.start()
    submit(amends)
    kept = tmp_path / "kept.txt"
    kept.write_text(amends.run("audit", "checkpoint").stdout)  # one note a ledger
    submit(amends)
    amends.stop()
    assert amends.json("audit", "verify", "--against", str(kept))["ok"]
    stranger = tmp_path / "stranger.txt"
    stranger.write_text(kept.read_text().replace("amends/default", "amends/else"))
    foreign = amends.run("audit", "verify", "--against", str(stranger), check=False)
    assert foreign.returncode == 1
    assert "amends/else" in foreign.stderr
    store = amends.data / "intake" / "store.sqlite"
    store.unlink()
    amends.start()  # a new history, properly sealed with the same key
    submit(amends)
    amends.stop()
    convicted = amends.run(
        "audit", "verify", "--against", str(kept), "--json", check=False
    )
    assert convicted.returncode == 1
    assert "checkpoint_contradicts" in convicted.stdout

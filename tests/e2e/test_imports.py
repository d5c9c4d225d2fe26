"""An import that was wrong is taken back: from figures, not from the record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from services.kernel.clock import new_uuid7, system_clock
from tests.support.importing import write_complaints

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e


def test_a_revoked_import_is_in_no_figure_and_can_come_back(
    amends: RunningAmends, tmp_path: Path
) -> None:
    """The case that somebody has worked on since stays, and is named."""
    amends.start()
    file = tmp_path / "old.csv"
    write_complaints(file, 40)
    batch = amends.json("import", str(file), "--format", "cfpb", "--history", "--json")[
        "batch"
    ]
    with amends.client() as client:
        worked = client.get("/api/handling/cases", params={"limit": 1}).json()["rows"][
            0
        ]
        token = amends.json("access", "token", "create", "--role", "agent", "--json")
        promise = {"expected_at": "2099-01-01T00:00:00Z", "medium": "phone"}
        done = client.post(
            f"/api/handling/cases/{worked['case_id']}/commands/acknowledge",
            json=promise,
            headers={
                "Authorization": f"Bearer {token['token']}",
                "Idempotency-Key": str(new_uuid7(system_clock())),
            },
        )
        assert done.is_success, done.text

    def counted() -> int:
        rows = amends.json("analytics", "frequency", "group_by=origin", "--json")[
            "rows"
        ]
        return sum(row["count"] for row in rows)

    revoke = ("import", "--revoke", batch)
    asked = amends.run(*revoke, check=False)
    assert (asked.returncode, counted()) == (2, 40)
    dry = amends.run(*revoke, "--dry-run", "--json", check=False)
    assert (dry.returncode, counted()) == (1, 40)
    foreseen = json.loads(dry.stdout)
    assert (foreseen["revoked"], foreseen["worked_on"]) == (39, 1)
    assert foreseen["worked_on_receipts"] == [worked["receipt_no"]]
    figures = foreseen["figures"]
    assert (figures["counted"], figures["then"]) == (40, 1)
    assert sum(figures["channels"].values()) == 39
    assert figures["received"] == ["2024-01-01", "2024-01-28"]

    done_ = amends.run(*revoke, "--yes", "--json", check=False)
    assert json.loads(done_.stdout) == foreseen | {"done": True}
    assert counted() == 1
    (listed,) = amends.json("import", "--list", "--json")["imports"]
    assert (listed["cases"], listed["revoked"]) == (40, 39)
    again = json.loads(amends.run(*revoke, "--yes", "--json", check=False).stdout)
    assert (again["revoked"], again["revoked_before"], again["worked_on"]) == (0, 39, 1)
    assert amends.json(*revoke, "--worked-on", "--yes", "--json")["revoked"] == 1
    assert (
        "revoked: no figure" in amends.run("case", "show", worked["receipt_no"]).stdout
    )
    over = amends.run(*revoke, "--yes", check=False)
    assert (over.returncode, "import.revoked_before" in over.stderr) == (1, True)

    repeated = amends.json("import", str(file), "--format", "cfpb", "--json")
    assert (repeated["accepted"], repeated["duplicates"], counted()) == (0, 40, 0)
    back = amends.json("import", "--reinstate", batch, "--yes", "--json")
    assert (back["reinstated"], counted()) == (40, 40)
    assert amends.json("analytics", "rebuild", "--json")["equal"]

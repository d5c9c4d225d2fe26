"""Somebody is erased from the command line: looked at, held, refused, done, told of."""

from __future__ import annotations

import zipfile
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.house import House

if TYPE_CHECKING:
    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e


def privacy(amends: RunningAmends, *words: str) -> Any:
    return amends.json("privacy", *words)


def refusal(amends: RunningAmends, *words: str) -> str:
    done = amends.run("privacy", *words, check=False)
    assert done.returncode == 1, done
    return done.stderr


def test_a_person_is_erased_and_everybody_is_told_so(amends: RunningAmends) -> None:
    amends.start()
    house = House(amends)
    with closing(house.http):
        erased_and_told(amends, house)


def erased_and_told(amends: RunningAmends, house: House) -> None:
    receipt = house.received()
    number = receipt["receipt_no"]
    officer = house.by("privacy_officer", "front-office")
    agent = house.by("agent", "front-office")

    plan = privacy(amends, "erase", number, "--dry-run")
    subject = plan["subject_id"]
    assert {each["kind"] for each in plan["intake"]["documents"]} == {
        "particulars",
        "statement",
    }
    assert plan["intake"]["marks"] == 3  # telephone, its digits, and order
    assert plan["erasure"] is None
    confirmed = ("erase", number, "--confirm", subject)
    assert "privacy.open_cases" in refusal(amends, *confirmed)
    done = house.command(
        receipt,
        "decline",
        {"reason": "not_a_complaint", "explanation": "Wang only asked."},
        by=agent,
    )
    assert done.is_success, done.text

    held = privacy(
        amends, "hold", "place", number, "--reason", "legal_claim",
        "--until", "2999-12-31", "--text", "Wang sues us.",
    )  # fmt: skip
    assert "privacy.held" in refusal(amends, *confirmed)
    privacy(amends, "hold", "end", held["hold_id"])
    assert "  2999-12-31  " in amends.run("privacy", "hold", "list").stdout
    (on_record,) = privacy(amends, "hold", "list")["rows"]
    assert (on_record["placed_by"], on_record["ended_by"]) == ("operator",) * 2
    # Without a terminal nobody types the word, and nothing happens by itself.
    asked = amends.run("privacy", "erase", number, check=False)
    assert (asked.returncode, subject in asked.stderr) == (2, True)
    mistyped = ("erase", number, "--confirm", held["hold_id"])
    assert "privacy.other_person" in refusal(amends, *mistyped)

    exported(amends, number, ["It hums at night.", "Wang only asked."])
    gone = privacy(amends, *confirmed)
    assert gone["erasure"]["basis"] == "request"
    for service in ("intake", "handling"):
        assert gone[service]["documents"] == []
        assert gone[service]["cleaned_at"]
    again = privacy(amends, *confirmed)
    assert again["erasure"] == gone["erasure"]
    (entry,) = privacy(amends, "register")["rows"]
    assert entry["subject_id"] == subject
    assert privacy(amends, "reapply") == {"applied": 1}

    timeline = [
        step["type"]
        for step in httpx.get(f"{amends.url}/api/intake/complaints/{number}").json()[
            "timeline"
        ]
    ]
    assert timeline == ["ComplaintReceived", "ComplaintDeclined", "SubjectErased"]
    page = httpx.get(f"{amends.url}/status/{number}", headers={"Accept-Language": "en"})
    assert "Your personal data was erased" in page.text
    case = house.http.get(
        f"/api/handling/cases/{number}", headers={"Authorization": agent}
    ).json()
    assert case["state"] == "DECLINED"
    assert amends.run("audit", "verify").returncode == 0
    # The officer may do this, and look at no case for anything else.
    look = house.http.get(
        f"/api/handling/privacy/people/{number}", headers={"Authorization": officer}
    )
    assert look.json()["erasure"] == gone["erasure"]
    assert (
        house.http.get(
            f"/api/handling/cases/{number}", headers={"Authorization": officer}
        ).status_code
        == 404
    )
    assert (
        house.http.get(
            f"/api/handling/privacy/people/{number}", headers={"Authorization": agent}
        ).status_code
        == 403
    )
    late = amends.data.parent / "late.zip"
    assert "privacy.erased" in refusal(amends, "export", number, "--to", str(late))
    assert not late.exists()


def exported(amends: RunningAmends, number: str, words: list[str]) -> None:
    """Have everything written into a file, for its owner's eyes, that replaces none."""
    to = amends.data.parent / "wang.zip"
    told = privacy(amends, "export", number, "--to", str(to))
    assert (told["documents"], told["missing"]) == (3, [])
    assert to.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(to) as archive:
        assert archive.testzip() is None
        texts = [archive.read(name).decode() for name in archive.namelist()]
    for each in [*words, "+861055500100", "ComplaintDeclined", "个人信息"]:
        assert any(each in text for text in texts), each
    before = to.read_bytes()
    again = refusal(amends, "export", number, "--to", str(to))
    assert "file.exists" in again
    assert to.read_bytes() == before
    assert [path for path in to.parent.iterdir() if path.name.startswith(".")] == []
    (note, *_) = amends.json("audit", "readings", "--act", "export")["rows"]
    assert (note["act"], note["actor"]) == ("export", "operator")
    table = amends.run("audit", "readings", "--act", "export").stdout
    assert note["subject_id"] in table

"""One complaint by hand, from the receipt over an appeal to the closed case."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e


class Person:
    """Somebody with a token, or a customer with receipt and code."""

    def __init__(self, url: str, case_id: str, authorization: str) -> None:
        self._commands = f"{url}/api/handling/cases/{case_id}/commands"
        self._headers = {"Authorization": authorization}

    def give(self, command: str, **fields: Any) -> httpx.Response:
        headers = {**self._headers, "Idempotency-Key": str(uuid.uuid4())}  # noqa: TID251 as a client does
        return httpx.post(
            f"{self._commands}/{command}", json=fields, headers=headers, timeout=30
        )

    def does(self, command: str, **fields: Any) -> str:
        answer = self.give(command, **fields)
        assert answer.status_code == 200, answer.text
        state: str = answer.json()["state"]
        return state

    def refused(self, command: str, **fields: Any) -> str:
        answer = self.give(command, **fields)
        assert answer.status_code in {403, 409}, answer.text
        code: str = answer.json()["code"]
        return code


class Cast:
    """Everybody who has to do with one complaint."""

    def __init__(self, amends: RunningAmends) -> None:
        self.amends = amends
        receipt = httpx.post(
            f"{amends.url}/api/intake/complaints",
            json={
                "channel": "web",
                "statement": "It leaks since the second wash.",
                "contact": {"name": "Wang Fang", "phone": "+86 138 0013 8000"},
                "demand": ["repair"],
                "desired_outcome": "Please repair it.",
                "category": "product/leak",
            },
            headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 as a client does
        ).json()
        self.receipt = receipt
        self.customer = self._person(
            f"Receipt {receipt['receipt_no']} {receipt['access_code']}"
        )
        self.agent = self._with_token("agent")
        self.quality = self._with_token("quality", "quality")
        self.head = self._with_token("department_head", "quality")
        self.manager = self._with_token("manager")
        self.reviewer = self._with_token("appeal_reviewer")

    def _with_token(self, role: str, department: str | None = None) -> Person:
        flags = ["--department", department] if department else []
        made = self.amends.json("access", "token", "create", "--role", role, *flags)
        return self._person(f"Bearer {made['token']}")

    def _person(self, authorization: str) -> Person:
        return Person(self.amends.url, self.receipt["case_id"], authorization)

    def received(self) -> bool:
        number = self.receipt["receipt_no"]
        return self.amends.run("case", "show", number, check=False).returncode == 0


ACCEPT = {
    "complaint_class": "grievance",
    "category": "product/leak",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}
FOUND = {
    "findings": [{"statement": "The seal of lot 2509B is 2 mm too short."}],
    "facts_match": "yes",
    "root_cause": {"path": "product/design", "confidence": "confirmed"},
    "responsible_unit": "production",
    "systemic": True,
}
SETTLE = {
    "remedies": [{"kind": "repair"}],
    "proposal": "Repair at home within three days.",
    "improvement": "A longer seal from lot 2510A on.",
}
LETTER = {
    "letter": "We are sorry. We repair it at your home within three days.",
    "outcome": "upheld",
    "medium": "email",
}


def test_from_the_form_over_an_appeal_to_the_closed_case(
    amends_on_either: RunningAmends,
) -> None:
    amends = amends_on_either
    amends.start()
    cast = Cast(amends)
    amends.until(cast.received, "handling has the case")
    agent, quality, customer = cast.agent, cast.quality, cast.customer

    assert agent.refused("resolve", outcome="upheld") == "case.not_agreed"
    assert quality.refused("accept", **ACCEPT) == "case.not_your_role"
    agent.does("acknowledge", expected_at="2027-01-31T12:00:00Z", medium="email")
    assert agent.does("accept", **ACCEPT) == "ASSIGNED"
    assert quality.does("sign-for") == "INVESTIGATING"
    assert quality.does("investigate", **FOUND) == "INVESTIGATED"
    assert quality.does("propose", **SETTLE) == "PROPOSED"
    assert cast.head.does("approve") == "APPROVED"
    assert customer.refused("agree") == "case.not_replied"
    assert agent.does("issue", **LETTER) == "REPLIED"
    assert customer.does("agree") == "IMPLEMENTING"
    assert agent.does("resolve", outcome="upheld") == "RESOLVED"
    assert agent.refused("close") == "case.answer_awaited"
    assert customer.does("rate", score=2) == "RESOLVED"

    appeal = {"grounds": ["remedy"], "statement": "It leaks again after the repair."}
    assert customer.does("appeal", **appeal) == "APPEALED"
    assert cast.reviewer.does("accept-appeal") == "INVESTIGATING"
    assert cast.reviewer.does("investigate", **FOUND) == "INVESTIGATED"
    exchange = {**SETTLE, "remedies": [{"kind": "exchange"}]}
    assert cast.reviewer.does("propose", **exchange) == "PROPOSED"
    assert cast.manager.does("approve") == "APPROVED"
    assert agent.does("issue", **LETTER) == "REPLIED"
    assert customer.does("agree") == "IMPLEMENTING"
    assert agent.does("resolve", outcome="upheld") == "RESOLVED"
    assert customer.does("rate", score=5) == "RESOLVED"
    assert agent.does("close") == "CLOSED"

    case = amends.json("case", "show", cast.receipt["receipt_no"])
    assert (case["state"], case["level"]) == ("CLOSED", 1)
    told = json.dumps(case, ensure_ascii=False)
    for words in ("leaks", "seal of lot", "sorry", "Wang"):
        assert words not in told
    versions = [each["event"]["version"] for each in case["events"]]
    assert versions == list(range(1, len(versions) + 1))

    def told_the_customer() -> bool:
        status = httpx.get(f"{amends.url}{cast.receipt['status_url']}").json()
        return bool(status["state"] == "CLOSED")

    amends.until(told_the_customer, "the customer's status is closed")

    def counted() -> bool:
        causes = amends.json("analytics", "root-causes", "basis=found")
        return [row["cause"] for row in causes["rows"]] == ["product/design"]

    amends.until(counted, "the cause is counted")
    assert amends.json("analytics", "rebuild")["equal"]
    assert amends.json("audit", "verify")["ok"]


def test_receipt_and_code_open_their_own_case_only(amends: RunningAmends) -> None:
    amends.start()
    cast, other = Cast(amends), Cast(amends)
    amends.until(cast.received, "handling has the case")
    amends.until(other.received, "handling has the other case")
    code = f"Receipt {other.receipt['receipt_no']} {other.receipt['access_code']}"
    stranger = Person(amends.url, cast.receipt["case_id"], code)
    assert stranger.give("withdraw", reason="no_longer_wanted").status_code == 404
    wrong = f"Receipt {cast.receipt['receipt_no']} AAAA-AAAA-AAAA"
    guesser = Person(amends.url, cast.receipt["case_id"], wrong)
    assert guesser.give("withdraw", reason="no_longer_wanted").status_code in {401, 404}
    assert cast.customer.does("withdraw", reason="no_longer_wanted") == "WITHDRAWN"


def test_a_command_is_given_from_the_terminal(amends: RunningAmends) -> None:
    amends.start()
    cast = Cast(amends)
    amends.until(cast.received, "handling has the case")
    made = amends.json("access", "token", "create", "--role", "agent")
    token = amends.data / "agent.token"
    token.write_text(made["token"])
    fields = [f"{name}={value}" for name, value in ACCEPT.items()]
    number = cast.receipt["receipt_no"]
    given = ("case", "do", number, "accept", *fields, "--token-file", str(token))
    assert amends.json(*given)["state"] == "ASSIGNED"
    again = amends.run(*given, check=False)
    assert again.returncode == 1
    assert "case.already_assessed" in again.stderr

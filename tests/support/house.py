"""A running amends and what its people do with it, over HTTP."""

import json
from itertools import count
from typing import Any
from uuid import UUID

import httpx

from tests.support.running import RunningAmends

_KEYS = count(1)
ACCEPT = {
    "complaint_class": "grievance",
    "category": "product/noise",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}
COMPLAINT = {
    "channel": "web",
    "statement": "It hums at night.",
    "contact": {"name": "Wang", "phone": "+861055500100"},
    "order_no": "A-20931",
    "category": "product/noise",
}


class House:
    """The operator's client, and what others do with tokens of their own."""

    def __init__(self, amends: RunningAmends) -> None:
        self.amends = amends
        self.http = amends.client()
        self._tokens: dict[tuple[str, str], str] = {}

    def post(
        self, path: str, document: object = None, **headers: str
    ) -> httpx.Response:
        return self.http.post(path, json=document or {}, headers=headers)

    def by(self, role: str, department: str) -> str:
        if (role, department) not in self._tokens:
            wanted = {"role": role, "department": department}
            made = self.post("/api/handling/tokens", wanted).json()
            self._tokens[role, department] = f"Bearer {made['token']}"
        return self._tokens[role, department]

    def received(self) -> dict[str, str]:
        """Hand a complaint in, and wait until handling has it."""
        receipt: dict[str, str] = httpx.post(
            f"{self.amends.url}/api/intake/complaints",
            json=COMPLAINT,
            headers={"Idempotency-Key": str(UUID(int=next(_KEYS)))},
        ).json()
        address = f"/api/handling/cases/{receipt['case_id']}"
        self.amends.until(lambda: self.http.get(address).is_success, "the case")
        return receipt

    def command(
        self,
        receipt: dict[str, str],
        name: str,
        document: object = None,
        *,
        by: str,
    ) -> httpx.Response:
        path = f"/api/handling/cases/{receipt['case_id']}/commands/{name}"
        return self.post(path, document, Authorization=by)

    def assigned(self) -> dict[str, str]:
        receipt = self.received()
        agent = self.by("agent", "front-office")
        answer = self.command(receipt, "accept", ACCEPT, by=agent)
        assert answer.json()["state"] == "ASSIGNED", answer.text
        return receipt

    def stored(self, receipt: dict[str, str]) -> list[dict[str, Any]]:
        address = f"/api/handling/log?case_id={receipt['case_id']}"
        lines = self.http.get(address).text.splitlines()
        return [json.loads(line)["event"] for line in lines if line]

    def access(self, department: str) -> dict[str, str]:
        path = f"/api/handling/departments/{department}/credentials"
        access: dict[str, str] = self.post(path).json()
        return access

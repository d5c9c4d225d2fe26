"""Whatever the OpenAPI document allows to be sent, by whomever, no answer is a failure."""

from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.errors import SerializationNotPossible

from services.handling.main import default_policy, roles
from tests.support.house import House
from tests.support.running import RunningAmends

EXAMPLES = 40
"""For each route, a few by each caller; the routes' own suites look deeper."""

NO_PROBLEM = {503}
"""Said on purpose, with `Retry-After`: ask again."""


@pytest.fixture(scope="module")
def amends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAmends]:
    running = RunningAmends(tmp_path_factory.mktemp("any") / "data", forked=True)
    running.start()
    try:
        yield running
    finally:
        running.end()


def headers_of(amends: RunningAmends) -> list[dict[str, str]]:
    """Give how each caller shows who they are: a service, every role, who is none."""
    house = House(amends)
    receipt = house.received()
    number, code = receipt["receipt_no"], receipt["access_code"]
    shown = [
        str(house.http.headers["Authorization"]),
        *(house.by(role, "quality") for role in sorted(roles(default_policy()))),
        f"Receipt {number} {code}",
        "Bearer of-nobody",
    ]
    house.http.close()
    return [{}, *({"Authorization": each} for each in shown)]


@pytest.mark.connected
@pytest.mark.e2e
def test_no_request_is_answered_by_a_failure(amends: RunningAmends):
    schema = schemathesis.openapi.from_url(f"{amends.url}/api/openapi.json")
    tried = 0
    callers = headers_of(amends)
    with amends.client() as client, requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()

            @given(case=operation.as_strategy(), headers=st.sampled_from(callers))
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            def answered(case: schemathesis.Case, headers: dict[str, str]) -> None:
                if case.query.get("wait") in range(1, 31):
                    case.query["wait"] = 0  # it would be waited for
                answer = case.call(headers=headers, session=session)
                failed = answer.status_code >= 500
                assert not failed or answer.status_code in NO_PROBLEM, answer.text

            try:
                answered()
            except SerializationNotPossible:
                continue  # NDJSON; tests/contract sends hostile lines
            tried += 1
        assert tried > 10
        assert client.get("/health/live").is_success

"""Whatever the OpenAPI document allows to be sent, nothing answers that it failed."""

from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.errors import SerializationNotPossible

from tests.support.running import RunningAmends

EXAMPLES = 20
"""For each route; the routes' own suites look deeper."""

NO_PROBLEM = {503}
"""Said on purpose, with `Retry-After`: ask again."""


@pytest.fixture(scope="module")
def amends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAmends]:
    running = RunningAmends(tmp_path_factory.mktemp("any") / "data")
    running.start()
    try:
        yield running
    finally:
        running.end()


@pytest.mark.connected
@pytest.mark.e2e
def test_no_request_is_answered_by_a_failure(amends: RunningAmends):
    schema = schemathesis.openapi.from_url(f"{amends.url}/api/openapi.json")
    tried = 0
    with amends.client() as client, requests.Session() as session:
        token = client.headers["Authorization"]
        for found in schema.get_all_operations():
            operation = found.ok()

            @given(case=operation.as_strategy())
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            def answered(case: schemathesis.Case) -> None:
                answer = case.call(headers={"Authorization": token}, session=session)
                failed = answer.status_code >= 500
                assert not failed or answer.status_code in NO_PROBLEM, answer.text

            try:
                answered()
            except SerializationNotPossible:
                continue  # NDJSON; tests/contract sends hostile lines
            tried += 1
        assert tried > 10
        assert client.get("/health/live").is_success

"""A server of one's own for tests that kill or reconfigure it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel.broker.server import NatsServer
from tests.support.nats import running_nats


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[NatsServer]:
    with running_nats(tmp_path / "nats") as server:
        yield server

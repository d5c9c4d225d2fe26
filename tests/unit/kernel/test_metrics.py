"""`/metrics` tells of every figure, joins what several parts say, and waits for none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from services.kernel import telling
from services.kernel.measures import (
    BATCH_SECONDS,
    MEASURES,
    MISSING,
    QUEUE,
    RECEIPTS,
    Spread,
)
from services.kernel.web.metrics import metrics_router, new_registry
from tests.support.asgi import ask

if TYPE_CHECKING:
    import pytest

    from services.kernel.measures import Sample
    from services.kernel.web.metrics import Told


def page(*told: Told) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    app = FastAPI()
    app.include_router(metrics_router(new_registry(), told))
    text = ask(app, "GET", "/metrics").text
    return {
        family.name: [(each.name, each.labels, each.value) for each in family.samples]
        for family in text_string_to_metric_families(text)
    }


def saying(*samples: Sample) -> Told:
    async def told() -> list[Sample]:
        return list(samples)

    return told


def test_two_services_tell_one_figure() -> None:
    """A figure that stood twice on the page would be refused as a whole."""
    families = page(saying(QUEUE.of(3, "intake")), saying(QUEUE.of(4, "handling")))
    assert families[QUEUE.name] == [
        (QUEUE.name, {"service": "intake"}, 3.0),
        (QUEUE.name, {"service": "handling"}, 4.0),
    ]


def test_a_figure_without_a_value_is_told_of() -> None:
    families = page(saying())
    kept_by_the_edge = {"amends_http_requests", "amends_http_request_seconds"}
    names = {each.name.removesuffix("_total") for each in MEASURES} - kept_by_the_edge
    assert names <= families.keys()
    assert families[RECEIPTS.name.removesuffix("_total")] == []


def test_a_spread_counts_what_is_no_greater() -> None:
    spread = Spread((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 7.0):
        spread.add(value)
    families = page(saying(BATCH_SECONDS.of(spread, "intake")))
    found = {
        labels.get("le", name): value
        for name, labels, value in families[BATCH_SECONDS.name]
    }
    assert found["1.0"] == 2
    assert found["2.0"] == 3
    assert found["+Inf"] == found[f"{BATCH_SECONDS.name}_count"] == 4
    assert found[f"{BATCH_SECONDS.name}_sum"] == 10.0


def test_what_fails_or_hangs_is_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "PATIENCE", 0.05)

    async def fails() -> list[Sample]:
        raise OSError

    async def hangs() -> list[Sample]:
        await asyncio.Event().wait()
        return []

    asked = [fails, saying(QUEUE.of(3, "intake")), hangs]
    found = asyncio.run(telling.told("intake", asked))
    assert found == [QUEUE.of(3, "intake"), MISSING.of(2, "intake")]


def test_names_follow_the_conventions_of_prometheus() -> None:
    for each in MEASURES:
        assert each.name.startswith("amends_"), each
        assert each.name.endswith("_total") == (each.kind == "counter"), each
        assert each.meaning.endswith("."), each
    assert len({each.name for each in MEASURES}) == len(MEASURES)

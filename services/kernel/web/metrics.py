"""`/metrics` for Prometheus: requests counted and timed, and what the services tell.

It holds figures only, but it is for the machine's own network: the proxy in front
forwards neither it nor `/health`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from fastapi import APIRouter
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from services.kernel.measures import (
    HTTP_REQUESTS,
    HTTP_SECONDS,
    MEASURES,
    SECONDS,
    Measure,
    Sample,
    Spread,
)

Told = Callable[[], Awaitable[Iterable[Sample]]]
"""Gives figures as they are now; it answers in bounded time and never raises."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_KEPT: Final = frozenset({HTTP_REQUESTS, HTTP_SECONDS})
"""What the registry itself keeps; the others are asked for."""


def new_registry() -> CollectorRegistry:
    """Make a registry with the figures of the process; one for each process."""
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class HttpMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            HTTP_REQUESTS.name.removesuffix("_total"),
            HTTP_REQUESTS.meaning,
            HTTP_REQUESTS.labels,
            registry=registry,
        )
        self._seconds = Histogram(
            HTTP_SECONDS.name,
            HTTP_SECONDS.meaning,
            HTTP_SECONDS.labels,
            buckets=SECONDS,
            registry=registry,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is a template, so that labels stay few."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


def metrics_router(registry: CollectorRegistry, told: Sequence[Told]) -> APIRouter:
    """Serve `/metrics`: what the registry counted, and what each of `told` says now."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        found = await asyncio.gather(*(each() for each in told))
        samples = [sample for each in found for sample in each]

        def written() -> bytes:
            return generate_latest(registry) + metrics_page(samples)

        return Response(
            await asyncio.to_thread(written), media_type=CONTENT_TYPE_LATEST
        )

    return router


def metrics_page(samples: Iterable[Sample]) -> bytes:
    """Write samples in the text form; a figure without one is told of all the same."""
    asked = CollectorRegistry()
    asked.register(_Asked(samples))
    return generate_latest(asked)


class _Asked(Collector):
    """Samples by measure; one without a sample is told of all the same."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._of: dict[Measure, list[Sample]] = {
            each: [] for each in MEASURES if each not in _KEPT
        }
        for sample in samples:
            self._of[sample.measure].append(sample)

    def collect(self) -> Iterable[Metric]:
        return [_family(measure, samples) for measure, samples in self._of.items()]


def _family(measure: Measure, samples: Iterable[Sample]) -> Metric:
    given = measure.name, measure.meaning
    if measure.kind == "histogram":
        spread = HistogramMetricFamily(*given, labels=measure.labels)
        for _, labels, value in samples:
            assert isinstance(value, Spread)  # noqa: S101 - as declared, for mypy
            spread.add_metric(labels, value.buckets(), value.total)
        return spread
    family: CounterMetricFamily | GaugeMetricFamily = (
        CounterMetricFamily(*given, labels=measure.labels)
        if measure.kind == "counter"
        else GaugeMetricFamily(*given, labels=measure.labels)
    )
    for _, labels, value in samples:
        assert not isinstance(value, Spread)  # noqa: S101 - as declared, for mypy
        family.add_metric(labels, value)
    return family

"""What is provisioned is what was asked for, also when it was otherwise before."""

import asyncio
from dataclasses import replace

import pytest

from services.kernel.broker.provision import (
    ConsumerSpec,
    StreamSpec,
    provision,
    read_sync_interval,
)
from services.kernel.broker.server import NatsServer
from services.kernel.errors import RefusedError
from tests.support.nats import client_of

pytestmark = pytest.mark.connected

CASES = StreamSpec("CASES", ("amends.case.>",), max_age_days=30, max_bytes=10 << 20)
HANDLING = ConsumerSpec("CASES", "handling")


@pytest.fixture
def provisioned(nats_server: NatsServer):
    """Run `use(js)` on the server and clear away what it made."""

    def run(use):
        async def scenario():
            async with client_of(nats_server) as client:
                js = client.jetstream()
                try:
                    return await use(js)
                finally:
                    for stream in await js.streams_info():
                        await js.delete_stream(stream.config.name)

        return asyncio.run(scenario())

    return run


def done(report) -> dict[str, str]:
    return {change.name: change.done for change in report.changes}


def test_a_dry_run_tells_what_it_would_do_and_does_nothing(provisioned):
    async def use(js):
        first = await provision(js, [CASES], [HANDLING], dry_run=True)
        left = await js.streams_info()
        await provision(js, [CASES], [HANDLING])
        older = replace(CASES, max_age_days=3)
        second = await provision(
            js, [older], [replace(HANDLING, ack_wait=7.0)], dry_run=True
        )
        stream = (await js.stream_info("CASES")).config
        consumer = (await js.consumer_info("CASES", "handling")).config
        return first, left, second, stream, consumer

    first, left, second, stream, consumer = provisioned(use)
    assert set(done(first).values()) == {"created"}
    assert left == []
    assert done(second) == {
        "CASES": "updated",
        "amends-relays": "unchanged",
        "handling": "updated",
    }
    assert (stream.max_age, consumer.ack_wait) == (30 * 86_400, HANDLING.ack_wait)


def test_what_is_missing_is_created_once(provisioned, nats_server):
    async def use(js):
        first = await provision(js, [CASES], [HANDLING])
        again = await provision(
            js, [CASES], [HANDLING], monitor_url=nats_server.monitor_url
        )
        stream = (await js.stream_info("CASES")).config
        consumer = (await js.consumer_info("CASES", "handling")).config
        return first, again, stream, consumer

    first, again, stream, consumer = provisioned(use)
    assert set(done(first).values()) == {"created"}
    assert set(done(again).values()) == {"unchanged"}
    assert (first.sync_interval, first.durable) == ("not checked", None)
    assert (again.sync_interval, again.durable) == ("always", True)
    assert (stream.max_age, stream.max_bytes) == (30 * 86_400, 10 << 20)
    assert (stream.storage, stream.discard, stream.retention) == (
        "file",
        "old",
        "limits",
    )
    assert not stream.deny_delete
    assert not stream.deny_purge
    assert (consumer.ack_wait, consumer.max_ack_pending) == (10, 10_000)
    assert (consumer.ack_policy, consumer.max_deliver) == ("explicit", -1)


def test_what_differs_is_corrected_and_named(provisioned):
    async def use(js):
        await provision(js, [CASES], [HANDLING])
        await js.update_stream(
            (await js.stream_info("CASES")).config.evolve(description="ours")
        )
        await js.publish("amends.case.x", b"kept")
        wider = replace(CASES, max_bytes=20 << 20, subjects=("amends.case.>", "more"))
        narrow = replace(HANDLING, filter_subjects=("amends.case.0.>",), ack_wait=5)
        report = await provision(js, [wider], [narrow])
        stream = await js.stream_info("CASES")
        consumer = (await js.consumer_info("CASES", "handling")).config
        several = replace(HANDLING, filter_subjects=("amends.case.1.>", "more"))
        await provision(js, [wider], [several])
        many = (await js.consumer_info("CASES", "handling")).config
        return report, stream, consumer, many

    report, stream, consumer, many = provisioned(use)
    fields = {change.name: change.fields for change in report.changes}
    assert fields["CASES"] == ("subjects", "max_bytes")
    assert set(fields["handling"]) == {"ack_wait", "filter_subject"}
    assert stream.config.description == "ours"  # what we do not specify stays
    assert stream.state.messages == 1
    assert (consumer.filter_subject, consumer.ack_wait) == ("amends.case.0.>", 5)
    assert sorted(many.filter_subjects) == ["amends.case.1.>", "more"]


def test_what_cannot_be_changed_is_refused_by_name(provisioned):
    async def use(js):
        await provision(js, [CASES])
        memory = (await js.stream_info("CASES")).config
        await js.delete_stream("CASES")
        await js.add_stream(memory.evolve(storage="memory"))
        with pytest.raises(RefusedError, match="storage"):
            await provision(js, [CASES])

    provisioned(use)


def test_an_unreachable_monitor_is_not_checked():
    assert asyncio.run(read_sync_interval("http://127.0.0.1:9")) == "not checked"

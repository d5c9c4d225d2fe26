"""Every user of the broker at every subject: what is carried that must not be."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import nats
import nats.errors

from bench.isolation.attacks import ATTACKS, tried
from events import subjects
from events.subjects import Stream
from events.vocabulary import Channel
from services.kernel.broker.server import API_PREFIX
from tests.support.feeds import department_server
from tests.support.nats import settled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from services.bus import Bus
    from services.kernel.broker.server import NatsUser

MARK: Final = b"p12"
_SETTLED: Final = 0.3
"""Seconds; what the server carries has come by then."""


@dataclass(slots=True)
class Leaks:
    """How many subjects were tried, and what came through."""

    subjects: int = 0
    leaks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Insider:
    """A user who is no service, and its secret."""

    user: NatsUser
    seed: str


async def every_subject(bus: Bus, insiders: Sequence[Insider], leaks: Leaks) -> None:
    """Have each user publish to, and listen at, all that is not its own."""
    if bus.seed is None:
        raise RuntimeError("a broker without users holds nobody off")
    async with AsyncExitStack() as stack:
        services = await nats.connect(bus.url, nkeys_seed_str=bus.seed)
        stack.push_async_callback(services.close)
        heard: list[tuple[str, bytes]] = []

        async def hear(message: Msg) -> None:
            if message.data.startswith(MARK):
                heard.append((message.subject, message.data))

        await services.subscribe(">", cb=hear)
        await settled(services)
        clients = {
            each.user.name: await _connected(bus, each, stack) for each in insiders
        }
        theirs = list(_subjects(bus))
        for each in insiders:
            client = clients[each.user.name]
            for subject in theirs:
                if not _own(subject, each.user.uses):
                    await client.publish(subject, MARK + b" " + each.user.name.encode())
                    leaks.subjects += 1
            await settled(client)
        await asyncio.sleep(_SETTLED)
        leaks.leaks += [f"{body.decode()} published to {to}" for to, body in heard]
        await _listened(services, insiders, clients, theirs, leaks)


async def _listened(
    services: Client,
    insiders: Sequence[Insider],
    clients: dict[str, Client],
    theirs: Sequence[str],
    leaks: Leaks,
) -> None:
    """Publish as a service to everything, while every user listens everywhere."""
    ears = [">", "amends.>", "*.>", "_INBOX.>", *theirs]
    came: list[str] = []
    for each in insiders:

        async def hear(message: Msg, who: NatsUser = each.user) -> None:
            answered = who.answered_later and message.subject.startswith(
                f"{who.inbox_prefix}."
            )
            if message.data.startswith(MARK) and not answered:
                came.append(f"{who.name} heard {message.subject}")

        for subject in ears:
            await clients[each.user.name].subscribe(subject, cb=hear)
            leaks.subjects += 1
        await settled(clients[each.user.name])
    streamed = (
        "amends.case.",
        "amends.intake.",
        "amends.dept.",
        "amends.submit.",
        "$JS",
    )
    for subject in theirs:
        if not subject.startswith(streamed):  # these would stay in a stream of ours
            await services.publish(subject, MARK)
    await settled(services)
    await asyncio.sleep(_SETTLED)
    leaks.leaks += came


async def _connected(bus: Bus, each: Insider, stack: AsyncExitStack) -> Client:
    async def quiet(_: Exception) -> None:
        """Say nothing of refusals: they are what is hoped for."""

    client = await nats.connect(
        bus.url,
        nkeys_seed_str=each.seed,
        inbox_prefix=each.user.inbox_prefix,
        error_cb=quiet,
    )
    stack.push_async_callback(client.close)
    return client


def _subjects(bus: Bus) -> Iterator[str]:
    """Name a subject of every kind there is, and of each department and channel."""
    yield "amends.case.0.ComplaintClosed"
    yield subjects.ask("intake", "document")
    yield subjects.ask("intake", "access")
    yield subjects.quarantined("handling")
    yield "$SYS.REQ.SERVER.PING"
    for channel in Channel:
        yield subjects.intake_event(channel)
        yield subjects.submit(channel)
        yield subjects.ask_submit(channel)
    for feed in bus.feeds:
        yield subjects.dept_event(feed.department, "ComplaintClosed")
        yield subjects.do(feed.department, "sign-for")
        yield f"{feed.user.inbox_prefix}.p12"
    for entrance in bus.entrances:
        yield f"{entrance.user.inbox_prefix}.p12"
    for api in ("$JS.API", API_PREFIX):
        yield f"{api}.STREAM.LIST"
        yield f"{api}.CONSUMER.CREATE.{Stream.CASES}"
        for stream in Stream:
            yield f"{api}.STREAM.INFO.{stream}"
            yield f"{api}.STREAM.MSG.GET.{stream}"
            yield f"{api}.STREAM.PURGE.{stream}"


def _own(subject: str, may: Sequence[str]) -> bool:
    return any(
        subject == each or (each.endswith(">") and subject.startswith(each[:-1]))
        for each in may
    )


async def every_attack(folder: Path, leaks: Leaks, *, unguarded: bool) -> None:
    """Try the known ways round the permissions; `unguarded`, with one lock left open."""
    more = ("$JS.API.>",) if unguarded else ()
    with department_server(folder, more=more) as (server, feeds):
        for attack in ATTACKS:
            done = await tried(attack, server, feeds)
            leaks.subjects += len(done) - 1
            works = done.pop("control")
            leaks.leaks += [
                f"{attack.__name__} by {api}" for api, got in done.items() if got
            ]
            if not works:  # then it proves nothing
                leaks.leaks.append(f"{attack.__name__}: its control does not work")

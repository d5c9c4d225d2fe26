"""What the broker holds: streams, durables of the services, feeds of departments."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from events import codec, subjects
from events.subjects import SUBJECTS, Stream
from events.vocabulary import Channel
from services.kernel.broker.connection import build_broker
from services.kernel.broker.headers import POSITION
from services.kernel.broker.provision import ConsumerSpec, StreamSpec, provision
from services.kernel.broker.server import (
    NatsServer,
    NatsUser,
    accounts,
    kept_seed,
    public_key,
)
from services.kernel.errors import PoisonError
from services.kernel.inbox import Arrived
from services.kernel.private import write_whole
from services.kernel.tasks import end

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from faststream.nats import NatsBroker
    from nats.aio.client import Client

    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings

_log = structlog.get_logger(__name__)

DEPARTMENTS = "departments"
CHANNELS = "channels"
ACCOUNTS_FILE = "accounts.conf"

SUBMIT_DAYS = 7
"""A submission that intake could not take for a week is let go: words do not stay here."""

RELAYED_WINDOW = 120.0
SUBMIT_WINDOW = 0.1
"""Seconds in which the broker drops a message id that it knows: the shortest that there is.

All channels share the ids of SUBMIT: by one that it guessed, a channel could have
another's complaint dropped. What is the same complaint, intake tells by its key.
"""

CONSUMERS = (
    ConsumerSpec(Stream.SUBMIT, "intake-submit"),
    ConsumerSpec(Stream.INTAKE, "handling"),
    ConsumerSpec(Stream.CASES, "intake"),
    ConsumerSpec(Stream.CASES, "analytics"),
)


def streams(settings: Settings) -> list[StreamSpec]:
    """Give the streams as windows: of the set age and size, the oldest let go first."""
    return [
        StreamSpec(
            name=stream,
            subjects=(SUBJECTS[stream],),
            max_age_days=(
                SUBMIT_DAYS if stream is Stream.SUBMIT else settings.stream_days
            ),
            max_bytes=settings.stream_bytes,
            duplicate_window=(
                SUBMIT_WINDOW if stream is Stream.SUBMIT else RELAYED_WINDOW
            ),
            replicas=settings.stream_replicas,
        )
        for stream in Stream
    ]


@dataclass(frozen=True, slots=True)
class Feed:
    """What one department hears, and its program's user on the bus."""

    department: str
    seed: str = field(repr=False)

    @property
    def consumer(self) -> ConsumerSpec:
        return ConsumerSpec(
            Stream.DEPARTMENTS,
            f"dept_{self.department}",
            (subjects.dept_events(self.department),),
        )

    @property
    def user(self) -> NatsUser:
        """Give the locked user: it may read its feed and command, and nothing else.

        Only by name may it ask for a durable's messages, and only of that durable's
        may it say that they are handled, in today's form of the subject and the next.
        """
        feed = f"{Stream.DEPARTMENTS}.{self.consumer.durable}"
        return NatsUser(
            self.consumer.durable,
            public_key(self.seed),
            uses=(
                f"$JS.API.CONSUMER.INFO.{feed}",
                f"$JS.API.CONSUMER.MSG.NEXT.{feed}",
                f"$JS.ACK.{feed}.>",
                f"$JS.ACK.*.*.{feed}.>",
                subjects.commands_of(self.department),
            ),
        )


def kept_feeds(folder: Path, departments: Iterable[str]) -> list[Feed]:
    """Give every department's feed; the secrets are kept in `folder` (mode 0700)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [Feed(code, kept_seed(folder / f"{code}.nk")) for code in departments]


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where the system of one channel hands complaints in, and its user on the bus."""

    channel: str
    seed: str = field(repr=False)

    @property
    def user(self) -> NatsUser:
        """Give the locked user: it may hand in, by stream or by request, and be answered.

        What it puts into the stream is answered when it is committed, later than any
        reply; so intake's answers to its inbox come through by themselves.
        """
        return NatsUser(
            f"channel_{self.channel}",
            public_key(self.seed),
            uses=(subjects.submit(self.channel), subjects.ask_submit(self.channel)),
            answered_later=True,
        )


def kept_entrances(folder: Path) -> list[Entrance]:
    """Give every channel's entrance; the secrets are kept in `folder` (mode 0700)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [
        Entrance(channel.value, kept_seed(folder / f"{channel.value}.nk"))
        for channel in Channel
    ]


def read_event(body: bytes, headers: Mapping[str, str]) -> Arrived:
    """Read a message of INTAKE or CASES, as every inbox asks for it.

    One that cannot be read is told by its headers, so that it holds its own case and no
    other; raises PoisonError where even they do not tell.
    """
    told = headers.get(POSITION, "")
    position = int(told) if told.isdecimal() else 0
    try:
        event = codec.decode(body)
    except codec.UnreadableEventError as error:
        about = error.about
        return Arrived(
            about.case_id, about.version, position, body, None, "newer", str(error)
        )
    except codec.MalformedEventError as error:
        try:
            case_id = UUID(headers[subjects.CASE_ID])
            version = int(headers[subjects.CASE_VERSION])
        except (KeyError, ValueError):
            raise PoisonError(
                "bus.unreadable", "Neither the message nor its headers can be read."
            ) from error
        return Arrived(case_id, version, position, body, None, "poison", str(error))
    return Arrived(event.case_id, event.version, position, body, event)


def seed_of(settings: Settings) -> str | None:
    """Give the secret to sign in with to the broker that the settings name."""
    credentials = settings.nats_credentials
    return credentials.read_text().strip() if credentials else None


def users_of(feeds: Sequence[Feed], entrances: Sequence[Entrance]) -> list[NatsUser]:
    """Give all who are no service, each to have an account of its own."""
    return [feed.user for feed in feeds] + [each.user for each in entrances]


def write_accounts(
    folder: DataFolder, seed: str, feeds: Sequence[Feed], entrances: Sequence[Entrance]
) -> Path:
    """Write the accounts for whoever runs the broker to include; public keys alone."""
    target = folder.path / DEPARTMENTS / ACCOUNTS_FILE
    users = users_of(feeds, entrances)
    # The broker may start from it at any time, after a power cut too.
    write_whole(target, f"{accounts(public_key(seed), users)}\n")
    return target


@dataclass(frozen=True, slots=True)
class Bus:
    """The broker's address and secret, and what makes its streams."""

    url: str
    seed: str | None
    monitor_url: str | None
    feeds: Sequence[Feed]
    entrances: Sequence[Entrance]
    prepare: Callable[[Client], Awaitable[None]]

    def connection(self, name: str) -> NatsBroker:
        return build_broker(self.url.split(","), name=f"amends-{name}", seed=self.seed)


@contextlib.asynccontextmanager
async def running_bus(
    settings: Settings, folder: DataFolder, departments: Sequence[str]
) -> AsyncIterator[Bus]:
    """Use the broker that the settings name, or run one as our child."""
    feeds = kept_feeds(folder.path / DEPARTMENTS, departments)
    entrances = kept_entrances(folder.path / CHANNELS)
    if settings.nats_url is not None:
        seed = seed_of(settings)
        if seed is not None:
            write_accounts(folder, seed, feeds, entrances)
        monitor_url = settings.nats_monitor_url
        prepare = _preparing(settings, monitor_url, feeds)
        yield Bus(settings.nats_url, seed, monitor_url, feeds, entrances, prepare)
        return
    child = NatsServer(folder.path / "nats", users=users_of(feeds, entrances))
    child.start()
    watching = asyncio.create_task(child.supervise())
    try:
        prepare = _preparing(settings, child.monitor_url, feeds)
        yield Bus(child.url, child.seed, child.monitor_url, feeds, entrances, prepare)
    finally:
        await end(watching)
        child.stop()


def _preparing(
    settings: Settings, monitor_url: str | None, feeds: Sequence[Feed]
) -> Callable[[Client], Awaitable[None]]:
    once = asyncio.Lock()
    done = False

    async def prepare(client: Client) -> None:
        """Make streams and durables once, whichever service comes first."""
        nonlocal done
        async with once:
            if done:
                return
            report = await provision(
                client.jetstream(),
                streams(settings),
                (*CONSUMERS, *(feed.consumer for feed in feeds)),
                monitor_url=monitor_url,
            )
            if report.durable is False:
                _log.error(
                    "broker.not_durable",
                    sync_interval=report.sync_interval,
                    remedy="set `sync_interval: always` in the server's configuration",
                )
            done = True

    return prepare

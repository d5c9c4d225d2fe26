"""Create or correct the streams, durables and buckets that must exist in the broker.

Services only bind to what this made: a client library that declares a stream would
rewrite it with its own defaults, and a durable that exists ignores a new configuration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import httpx
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError, ServerError

from services.kernel.errors import RefusedError

ACK_WAIT: Final = 10.0
MAX_ACK_PENDING: Final = 10_000
HINT_BUCKET: Final = "amends-relays"

_DAY: Final = 86_400
_HINT_HISTORY: Final = 1


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A window over events: the oldest go when it is full, never the newest."""

    name: str
    subjects: tuple[str, ...]
    max_age_days: float
    max_bytes: int
    duplicate_window: float = 120.0
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """A durable that all workers of one consumer share, pulled, acknowledged singly."""

    stream: str
    durable: str
    filter_subjects: tuple[str, ...] = ()
    ack_wait: float = ACK_WAIT
    max_ack_pending: int = MAX_ACK_PENDING
    max_deliver: int = -1


@dataclass(frozen=True, slots=True)
class Change:
    kind: Literal["stream", "consumer", "bucket"]
    name: str
    done: Literal["created", "updated", "unchanged"]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What was done; `sync_interval` is `always`, another setting or `not checked`."""

    changes: tuple[Change, ...]
    sync_interval: str

    @property
    def durable(self) -> bool | None:
        """Whether an acknowledged message survives a power failure; None: unknown."""
        return {"always": True, "not checked": None}.get(self.sync_interval, False)


async def provision(
    js: JetStreamContext,
    streams: Sequence[StreamSpec],
    consumers: Sequence[ConsumerSpec] = (),
    *,
    hint_bucket: str | None = HINT_BUCKET,
    monitor_url: str | None = None,
    dry_run: bool = False,
) -> Report:
    """Make the broker as specified and compare it afterwards; repeating is harmless.

    `dry_run` changes nothing and reports what would be done. Raises RefusedError `broker.not_as_specified` when the server keeps another value,
    such as a consumer's fixed settings.
    """
    changes = [
        await _provide_stream(js, _stream_config(spec), dry_run=dry_run)
        for spec in streams
    ]
    if hint_bucket is not None:
        replicas = max((spec.replicas for spec in streams), default=1)
        changes.append(
            await _provide_bucket(js, hint_bucket, replicas, dry_run=dry_run)
        )
    changes += [
        await _provide_consumer(js, spec, dry_run=dry_run) for spec in consumers
    ]
    return Report(tuple(changes), await read_sync_interval(monitor_url))


async def make_anew(
    js: JetStreamContext, spec: StreamSpec, *, first_sequence: int
) -> None:
    """Make a stream that is not there, its numbers beginning with `first_sequence`."""
    await js.add_stream(_stream_config(spec).evolve(first_seq=first_sequence))


async def read_sync_interval(monitor_url: str | None) -> str:
    """Ask the server's monitoring address how often it syncs to disk."""
    if monitor_url is None:
        return "not checked"
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            answer = await http.get(f"{monitor_url.rstrip('/')}/varz")
            config = answer.raise_for_status().json()["jetstream"]["config"]
            nanoseconds = int(config["sync_interval"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return "not checked"
    return "always" if config.get("sync_always") else f"{nanoseconds / 1e9:g}s"


def _stream_config(spec: StreamSpec) -> StreamConfig:
    return StreamConfig(
        name=spec.name,
        subjects=sorted(spec.subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=spec.max_age_days * _DAY,
        max_bytes=spec.max_bytes,
        duplicate_window=min(spec.duplicate_window, spec.max_age_days * _DAY),
        num_replicas=spec.replicas,
    )


def _consumer_config(spec: ConsumerSpec) -> ConsumerConfig:
    config = ConsumerConfig(
        durable_name=spec.durable,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=spec.ack_wait,
        max_ack_pending=spec.max_ack_pending,
        max_deliver=spec.max_deliver,
    )
    match spec.filter_subjects:
        case ():
            return config
        case (only,):
            return config.evolve(filter_subject=only)
        case several:
            return config.evolve(filter_subjects=sorted(several))


_STREAM_FIELDS: Final = (
    "subjects",
    "retention",
    "storage",
    "discard",
    "max_age",
    "max_bytes",
    "duplicate_window",
    "num_replicas",
)
_BUCKET_FIELDS: Final = ("subjects", "storage", "max_msgs_per_subject", "num_replicas")
_CONSUMER_FIELDS: Final = (
    "deliver_policy",
    "ack_policy",
    "ack_wait",
    "max_ack_pending",
    "max_deliver",
    "filter_subject",
    "filter_subjects",
)


async def _provide_stream(
    js: JetStreamContext,
    wanted: StreamConfig,
    *,
    kind: Literal["stream", "bucket"] = "stream",
    fields: Sequence[str] = _STREAM_FIELDS,
    dry_run: bool,
) -> Change:
    name = str(wanted.name)
    try:
        found = (await js.stream_info(name)).config
    except NotFoundError:
        if dry_run:
            return Change(kind, name, "created")
        made = await js.add_stream(wanted)
        _must_agree(name, _differences(wanted, made.config, fields))
        return Change(kind, name, "created")
    differing = _differences(wanted, found, fields)
    if not differing:
        return Change(kind, name, "unchanged")
    if dry_run:
        return Change(kind, name, "updated", tuple(differing))
    # What is not specified here stays as the operator has set it.
    changes = {field: getattr(wanted, field) for field in differing}
    try:
        made = await js.update_stream(found.evolve(**changes))
    except (BadRequestError, ServerError) as error:
        raise _refusal(name, differing, str(error.description)) from error
    _must_agree(name, _differences(wanted, made.config, fields))
    return Change(kind, name, "updated", tuple(differing))


async def _provide_bucket(
    js: JetStreamContext, bucket: str, replicas: int, *, dry_run: bool
) -> Change:
    try:
        found = (await js.stream_info(f"KV_{bucket}")).config
    except NotFoundError:
        if dry_run:
            return Change("bucket", bucket, "created")
        await js.create_key_value(
            bucket=bucket,
            history=_HINT_HISTORY,
            storage=StorageType.FILE,
            replicas=replicas,
            direct=False,  # a hint is read from the leader, never from a replica behind
        )
        return Change("bucket", bucket, "created")
    wanted = found.evolve(num_replicas=replicas, max_msgs_per_subject=_HINT_HISTORY)
    change = await _provide_stream(
        js, wanted, kind="bucket", fields=_BUCKET_FIELDS, dry_run=dry_run
    )
    return Change("bucket", bucket, change.done, change.fields)


async def _provide_consumer(
    js: JetStreamContext, spec: ConsumerSpec, *, dry_run: bool
) -> Change:
    wanted = _consumer_config(spec)
    try:
        found = (await js.consumer_info(spec.stream, spec.durable)).config
    except NotFoundError:
        differing: list[str] = []
        done: Literal["created", "updated"] = "created"
    else:
        differing = _differences(wanted, found, _CONSUMER_FIELDS)
        done = "updated"
        if not differing:
            return Change("consumer", spec.durable, "unchanged")
    if dry_run:
        return Change("consumer", spec.durable, done, tuple(differing))
    try:
        made = await js.add_consumer(spec.stream, wanted)
    except (BadRequestError, ServerError) as error:
        raise _refusal(spec.durable, differing, str(error.description)) from error
    _must_agree(spec.durable, _differences(wanted, made.config, _CONSUMER_FIELDS))
    return Change("consumer", spec.durable, done, tuple(differing))


def _differences(wanted: object, found: object, fields: Sequence[str]) -> list[str]:
    return [
        field
        for field in fields
        if _plain(getattr(wanted, field)) != _plain(getattr(found, field))
    ]


def _plain(value: Any) -> object:
    """Make an absent and an empty setting, and the same list in any order, equal."""
    if isinstance(value, list):
        return tuple(sorted(value)) or None
    if isinstance(value, Mapping):
        return dict(value) or None
    return value or None


def _must_agree(name: str, differing: Sequence[str]) -> None:
    if differing:
        raise _refusal(name, differing, "the server kept another value")


def _refusal(name: str, fields: Sequence[str], why: str) -> RefusedError:
    return RefusedError(
        "broker.not_as_specified",
        f"{name} cannot be made as specified ({', '.join(fields) or 'new'}): {why}.",
    )

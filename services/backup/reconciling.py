"""Compare each record with its stream, and bring the stream into line with it.

The records are the truth. What a stream lacks, or has of another history, is mended by
emptying it: its relay fills it again, and whoever read an event before passes over it.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal

from events import codec
from events.subjects import Stream
from services.backup.broker import provided
from services.backup.recovery import SOURCES, Recovered, recover
from services.backup.streams import (
    RELAYS,
    extent,
    make_stream_anew,
    noted,
    pages,
    tell_restarted,
)
from services.kernel.clock import system_clock
from services.kernel.record import open_record, open_record_for_reading
from services.kernel.store.application import replace_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nats.aio.client import Client
    from nats.js import JetStreamContext

    from services.backup.streams import Published
    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings
    from services.kernel.store.application import EventStore

Action = Literal["none", "remove_strangers", "fill_again", "recover_first"]

_PAGE: Final = 1_000
_FULL: Final = 0.9
"""Of its bytes: from here on a stream lets its oldest messages go."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one stream has and lacks, compared with its record.

    `missing` messages were published and are not there; `strangers` come from no relay;
    `others` are of another epoch, or differ from the record; the record does not have
    `fuller` of them. `behind` were not published yet, which the relay will do.
    `after` is the position behind which the stream is filled again.
    """

    record: str
    stream: Stream
    action: Action
    there: bool = True
    messages: int = 0
    missing: int = 0
    behind: int = 0
    others: int = 0
    fuller: int = 0
    strangers: tuple[int, ...] = ()
    after: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was found and, unless it was only looked, done."""

    findings: tuple[Finding, ...]
    recovered: tuple[Recovered, ...] = ()

    @property
    def sound(self) -> bool:
        return all(each.action == "none" for each in self.findings)

    @property
    def needs_recovery(self) -> bool:
        return any(each.action == "recover_first" for each in self.findings)


async def look(client: Client, settings: Settings, folder: DataFolder) -> Reconciled:
    """Compare every stream with its record; change nothing."""
    js = client.jetstream(timeout=10)
    found = []
    for relay in RELAYS:
        opened = open_record_for_reading(
            settings, folder, name=relay.record, codec=codec, now=system_clock
        )
        with closing(opened.database):
            found.append(await _compared(js, settings, relay, opened.store))
    return Reconciled(tuple(found))


async def mend(
    client: Client,
    settings: Settings,
    folder: DataFolder,
    departments: Sequence[str],
    found: Reconciled,
) -> Reconciled:
    """Take strangers out of streams, and have relays fill again what is not whole.

    Relays may run meanwhile. Not for findings that need a recovery: see `put_right`.
    """
    js = client.jetstream(timeout=10)
    for finding in found.findings:
        for sequence in finding.strangers:
            if finding.action == "remove_strangers":
                await js.delete_msg(finding.stream, sequence)
    again = {
        each.stream: each for each in found.findings if each.action == "fill_again"
    }
    if again:
        epochs = {
            record: (epoch, epoch)
            for record, epoch in _epochs(settings, folder).items()
        }
        await _filled_again(client, settings, departments, again, epochs)
    return found


async def put_right(
    client: Client,
    settings: Settings,
    folder: DataFolder,
    departments: Sequence[str],
    *,
    before_streams: Callable[[Sequence[Recovered]], None],
    recovering: bool = True,
) -> tuple[Recovered, ...]:
    """Recover what records lack, give them new epochs, have all streams filled again.

    Nobody else writes them meanwhile. `before_streams` is called when the records are
    whole: from then on `amends reconcile` ends what is cut short. Without `recovering`
    what the streams have beyond the records is let go: a copy's trials.
    """
    js = client.jetstream(timeout=10)
    recovered = await recover(js, settings, folder) if recovering else []
    epochs = {}
    for record in ("intake", "handling", "access"):
        opened = _for_writing(settings, folder, record)
        with closing(opened.database), opened.database.write() as tx:
            epochs[record] = replace_epoch(tx)
    before_streams(recovered)
    findings = {
        each.stream: each for each in (await look(client, settings, folder)).findings
    }
    await _filled_again(client, settings, departments, findings, epochs)
    return tuple(recovered)


def _for_writing(settings: Settings, folder: DataFolder, record: str) -> Any:
    from services.kernel.grants import FactCodec  # noqa: PLC0415

    return open_record(
        settings,
        folder,
        name=record,
        codec=FactCodec() if record == "access" else codec,
        now=system_clock,
    )


def _epochs(settings: Settings, folder: DataFolder) -> dict[str, str]:
    found = {}
    for record in SOURCES:
        opened = open_record_for_reading(
            settings, folder, name=record, codec=codec, now=system_clock
        )
        with closing(opened.database):
            found[record] = opened.store.epoch
    return found


async def _filled_again(
    client: Client,
    settings: Settings,
    departments: Sequence[str],
    findings: Mapping[Stream, Finding],
    epochs: Mapping[str, tuple[str, str]],
) -> None:
    """Empty streams, make their durables again, tell departments that it begins anew."""
    js = client.jetstream(timeout=10)
    await provided(client, settings, departments)  # the notes' bucket may be gone
    for relay in RELAYS:
        finding = findings.get(relay.stream)
        if finding is not None:
            _, epoch = epochs[relay.record]
            await make_stream_anew(
                js,
                settings,
                relay,
                epoch=epoch,
                after=finding.after,
                noted_sequence=finding.sequence,
            )
    await provided(client, settings, departments)
    if Stream.DEPARTMENTS in findings:
        before, epoch = epochs["handling"]
        await tell_restarted(
            js, departments, epoch=epoch, before=before, now=system_clock()
        )


# ------------------------------------------------------------------------ comparing


@dataclass(slots=True)
class _Seen:
    """The messages of a stream by what they are."""

    digests: dict[tuple[int, str], bytes]
    strangers: list[int]
    others: int = 0
    fuller: int = 0
    told_restart: bool = False


async def _compared(
    js: JetStreamContext,
    settings: Settings,
    relay: Published,
    store: EventStore[Any],
) -> Finding:
    whole = await extent(js, relay.stream)
    note = await noted(js, relay, store.epoch)
    seen = await _seen(js, relay, store)
    window = _window(store, settings.stream_days)
    first = min((position for position, _ in seen.digests), default=None)
    full = whole.bytes >= _FULL * settings.stream_bytes
    begins = window if first is None or not full else max(window, first)
    reached = max(
        [note.position, *(position for position, _ in seen.digests)], default=0
    )
    counts = _counted(relay, store, seen, begins=begins, reached=reached)
    finding = Finding(
        record=relay.record,
        stream=relay.stream,
        action="none",
        there=whole.there,
        messages=whole.messages,
        missing=counts["missing"],
        behind=counts["behind"],
        others=seen.others + counts["others"],
        fuller=seen.fuller + counts["others"],
        strangers=tuple(seen.strangers),
        after=window - 1,
        sequence=note.sequence,
    )
    return replace(finding, action=_action(finding))


def _action(finding: Finding) -> Action:
    if finding.fuller:  # DEPARTMENTS has nothing that CASES has not
        departments = finding.stream is Stream.DEPARTMENTS
        return "fill_again" if departments else "recover_first"
    if finding.missing or finding.others or not finding.there:
        return "fill_again"
    return "remove_strangers" if finding.strangers else "none"


async def _seen(
    js: JetStreamContext, relay: Published, store: EventStore[Any]
) -> _Seen:
    seen = _Seen({}, [])
    last = store.last_position()
    async for page in pages(js, relay.stream):
        for message in page:
            place = message.place
            if place is None or place.record != relay.record:
                seen.strangers.append(message.sequence)
            elif place.position > last:
                seen.others += 1
                seen.fuller += 1
            elif place.epoch != store.epoch:
                seen.others += 1
            elif place.position:
                seen.digests[place.position, place.suffix] = _digest(message.body)
    return seen


def _counted(
    relay: Published,
    store: EventStore[Any],
    seen: _Seen,
    *,
    begins: int,
    reached: int,
) -> Counter[str]:
    """Walk the record from `begins` on beside what the stream has of it."""
    counts: Counter[str] = Counter()
    after = begins - 1
    while entries := store.log(after, _PAGE):
        after = entries[-1].position
        for entry in entries:
            for out in relay.outgoing(entry):
                digest = seen.digests.get((entry.position, out.suffix))
                if digest is None:
                    lost = entry.position <= reached
                    counts["missing" if lost else "behind"] += 1
                elif digest != _digest(out.body):
                    counts["others"] += 1
    return counts


def _window(store: EventStore[Any], days: int) -> int:
    """Give the first position that a stream of so many days would hold."""
    return store.position_at(system_clock() - timedelta(days=days)) + 1


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()

"""Append to records what their streams have and they lack.

Stored bytes are published bytes: message by message the record becomes what it was when
they were published. What lay beside the events in the lost rows is not in any stream:
words, keys of submissions and commands, and what had not been published.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from events import codec
from events.catalogue import SubjectErased
from events.subjects import Stream
from services.backup.streams import pages
from services.handling.persistence.recovering import beside_cases
from services.intake.persistence.recovering import beside_complaints
from services.kernel.clock import rfc3339, system_clock
from services.kernel.record import open_record
from services.kernel.store.leaf import leaf_hash
from services.kernel.store.recorder import LogEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from nats.js import JetStreamContext

    from services.backup.streams import Message
    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings
    from services.kernel.store.application import EventStore
    from services.kernel.store.database import Tx

SOURCES: Final = {"intake": Stream.INTAKE, "handling": Stream.CASES}
"""The stream that holds every event of a record."""

_AT_ONCE: Final = 500


@dataclass(slots=True)
class Recovered:
    """What became of the messages that a record lacked.

    `events` were appended; `left` could not be, because what comes before them is
    missing, or because the record went on otherwise since: these are their bytes.
    `erased` are erasures among them, as the register has them.
    """

    record: str
    events: int = 0
    left: list[bytes] = field(default_factory=list)
    erased: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Lineage:
    """The messages of one epoch: do they agree with the record, what is behind it."""

    agrees: bool = True
    beyond: list[LogEntry] = field(default_factory=list)


async def recover(
    js: JetStreamContext, settings: Settings, folder: DataFolder
) -> list[Recovered]:
    """Append to intake's and handling's records what was published and is not there.

    Nobody else writes them meanwhile.
    """
    found = []
    for record, stream in SOURCES.items():
        with _opened(settings, folder, record) as store:
            entries, left = await _beyond(js, stream, store)
            found.append(_appended(store, entries, left))
    with _opened(settings, folder, "intake") as store:
        found[0].events += _handed_back(settings, folder, store)
    return found


def keep_left(folder: DataFolder, recovered: Sequence[Recovered]) -> None:
    """Keep what fitted nowhere: it is about to leave the streams."""
    left = [body for each in recovered for body in each.left]
    if left:
        with (folder.path / "not-recovered.ndjson").open("ab") as file:
            file.writelines(body + b"\n" for body in left)


@contextmanager
def _opened(
    settings: Settings, folder: DataFolder, record: str
) -> Iterator[EventStore[Any]]:
    opened = open_record(settings, folder, name=record, codec=codec, now=system_clock)
    with closing(opened.database):
        yield opened.store


async def _beyond(
    js: JetStreamContext, stream: Stream, store: EventStore[Any]
) -> tuple[list[LogEntry], list[bytes]]:
    """Give what the stream has behind the record's end, and what fits nowhere.

    A stream that was filled anew holds another epoch of the same history; which it is
    shows where both have an event: the bytes are the same.
    """
    last = store.last_position()
    found: dict[str, _Lineage] = {}
    async for page in pages(js, stream):
        known = _bodies(store, page, last)
        for message in page:
            if message.place is None or message.place.record != store.name:
                continue
            lineage = found.setdefault(message.place.epoch, _Lineage())
            position = message.place.position
            if position > last:
                if entry := _entry(message):
                    lineage.beyond.append(entry)
            elif position and known.get(position) != message.body:
                lineage.agrees = False
                if entry := _entry(message):
                    lineage.beyond.append(entry)
    entries: dict[int, LogEntry] = {}
    left: list[bytes] = []
    for lineage in found.values():
        if lineage.agrees:
            entries |= {each.position: each for each in lineage.beyond}
        else:
            left += (each.body for each in lineage.beyond)
    return [entries[position] for position in sorted(entries)], left


def _bodies(
    store: EventStore[Any], page: Sequence[Message], last: int
) -> dict[int, bytes]:
    """Give what the record has at the positions of these messages."""
    wanted = [
        each.place.position
        for each in page
        if each.place is not None
        and each.place.record == store.name
        and 0 < each.place.position <= last
    ]
    if not wanted:
        return {}
    low, high = min(wanted), max(wanted)
    found: dict[int, bytes] = {}
    after = low - 1
    while after < high and (some := store.log(after, _AT_ONCE, upto=high)):
        found |= {each.position: each.body for each in some}
        after = some[-1].position
    return found


def _entry(message: Message) -> LogEntry | None:
    """Read a message as the row that it was; None where it is no event."""
    assert message.place is not None  # noqa: S101 asked before
    try:
        about = codec.peek(message.body)
    except codec.MalformedEventError:
        return None
    return LogEntry(
        message.place.position,
        message.committed_at,
        about.case_id,
        about.version,
        about.type,
        message.body,
        leaf_hash(message.body),
    )


def _appended(
    store: EventStore[Any], entries: Sequence[LogEntry], left: list[bytes]
) -> Recovered:
    done = Recovered(store.name, left=left)
    for start in range(0, len(entries), _AT_ONCE):
        with store.database.write() as tx:
            _append(tx, store, entries[start : start + _AT_ONCE], done)
    return done


def _append(
    tx: Tx, store: EventStore[Any], entries: Sequence[LogEntry], done: Recovered
) -> None:
    """Append those that are the next of their case, at their own positions."""
    fitting = []
    versions: dict[UUID, int] = {}
    for entry in entries:
        version = versions.get(entry.case_id)
        if version is None:
            row = tx.fetchone(
                "SELECT MAX(version) FROM stored_events WHERE case_id = ?",
                (entry.case_id,),
            )
            version = (row[0] if row else None) or 0
        if entry.version == version + 1:
            fitting.append(entry)
            version += 1
        else:
            done.left.append(entry.body)
        versions[entry.case_id] = version
    store.put_back(tx, fitting)
    done.events += len(fitting)
    _beside(tx, store.name, fitting)
    done.erased += _erasures(fitting)


def _beside(tx: Tx, record: str, entries: Sequence[LogEntry]) -> None:
    first = [each for each in entries if each.version == 1]
    if record == "handling":
        if entries:
            beside_cases(tx, [each.case_id for each in first])
        return
    beside_complaints(tx, [each for each in map(_readable, first) if each is not None])


def _readable(entry: LogEntry) -> Any:
    try:
        return codec.decode(entry.body)
    except (codec.MalformedEventError, codec.UnreadableEventError):
        return None


def _erasures(entries: Sequence[LogEntry]) -> list[dict[str, str]]:
    read = (_readable(each) for each in entries if each.type == SubjectErased.__name__)
    return [
        {
            "subject_id": str(event.data.subject_id),
            "basis": event.data.basis,
            "actor": event.actor.id,
            "role": event.actor.role,
            "erased_at": rfc3339(event.occurred_at),
        }
        for event in read
        if event is not None
    ]


def _handed_back(
    settings: Settings, folder: DataFolder, intake: EventStore[Any]
) -> int:
    """Give intake the complaints that handling has and it lacks: the same bytes."""
    appended = 0
    with _opened(settings, folder, "handling") as handling:
        after = 0
        while rows := _first_events(handling, after):
            after = rows[-1][0]
            with intake.database.write() as tx:
                missing = [row for row in rows if not _has(tx, row[1])]
                intake.put_bodies(
                    tx,
                    [(case_id, 1, type_, body) for _, case_id, type_, body in missing],
                )
                events = [codec.decode(body) for *_, body in missing]
                beside_complaints(tx, events)
            appended += len(missing)
    return appended


def _first_events(
    handling: EventStore[Any], after: int
) -> list[tuple[int, UUID, str, bytes]]:
    with handling.database.read() as tx:
        return tx.fetchall(
            "SELECT position, case_id, type, body FROM stored_events"
            " WHERE version = 1 AND position > ? ORDER BY position LIMIT ?",
            (after, _AT_ONCE),
        )


def _has(tx: Tx, case_id: UUID) -> bool:
    return (
        tx.fetchone(
            "SELECT 1 FROM stored_events WHERE case_id = ? AND version = 1", (case_id,)
        )
        is not None
    )

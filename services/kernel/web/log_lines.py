"""One line of a service's log (NDJSON): stored bytes travel exactly as they are stored.

The event is the last member, so that a reader cuts it out instead of parsing and
writing it again. Bytes with a line end in them (never ours; perhaps somebody's who
altered a row) go as base64, so that an auditor sees even those.
"""

import base64
import json
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from services.kernel.clock import from_micros, micros, parse_rfc3339, rfc3339
from services.kernel.errors import UnreadableError

_EVENT: Final = b',"event":'
_BASE64: Final = b',"event_base64":'


class Stored(Protocol):
    """One row of an event store, as `services.kernel.store` gives it."""

    @property
    def position(self) -> int: ...
    @property
    def committed_at(self) -> int: ...
    @property
    def case_id(self) -> UUID: ...
    @property
    def version(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def leaf(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class LogLine:
    """A row as it came over the wire; `committed_at` in microseconds as in the row."""

    position: int
    committed_at: int
    case_id: UUID
    version: int
    type: str
    epoch: str
    leaf: bytes
    body: bytes


def log_line(row: Stored, epoch: str) -> bytes:
    head = json.dumps(
        {
            "position": row.position,
            "committed_at": rfc3339(from_micros(row.committed_at)),
            "case_id": str(row.case_id),
            "version": row.version,
            "type": row.type,
            "epoch": epoch,
            "leaf": row.leaf.hex(),
        },
        separators=(",", ":"),
    ).encode()[:-1]
    if b"\n" in row.body or b"\r" in row.body:
        return head + _BASE64 + b'"' + base64.b64encode(row.body) + b'"}\n'
    return head + _EVENT + row.body + b"}\n"


def parse_log_line(line: bytes) -> LogLine:
    """Read one line, with or without its line end; UnreadableError if it is none."""
    # Quotes inside the head's strings are escaped, so the first mark is the mark.
    head, mark, rest = line.removesuffix(b"\n").partition(_EVENT)
    try:
        if mark and rest.endswith(b"}"):
            body = rest[:-1]
            fields = json.loads(head + b"}")
        else:
            fields = json.loads(head)
            body = base64.b64decode(fields["event_base64"], validate=True)
        return LogLine(
            position=int(fields["position"]),
            committed_at=micros(parse_rfc3339(fields["committed_at"])),
            case_id=UUID(fields["case_id"]),
            version=int(fields["version"]),
            type=str(fields["type"]),
            epoch=str(fields["epoch"]),
            leaf=bytes.fromhex(fields["leaf"]),
            body=body,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableError(
            "log.line", "Ask for the log again; this line of it is not whole."
        ) from None

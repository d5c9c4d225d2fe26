"""Names on the bus: streams, subjects and headers; no other module spells them."""

import re
from enum import StrEnum
from typing import Final
from uuid import UUID

from events.envelope import Heading
from events.vocabulary import Channel


class Stream(StrEnum):
    """What the broker keeps."""

    INTAKE = "INTAKE"
    CASES = "CASES"
    DEPARTMENTS = "DEPARTMENTS"
    SUBMIT = "SUBMIT"
    QUARANTINE = "QUARANTINE"


SUBJECTS: Final = {
    Stream.INTAKE: "amends.intake.>",
    Stream.CASES: "amends.case.>",
    Stream.DEPARTMENTS: "amends.dept.>",
    Stream.SUBMIT: "amends.submit.>",
    Stream.QUARANTINE: "amends.quarantine.>",
}
"""What each stream captures; none captures `ASKS`, whose messages are never stored."""

FEED_RESTARTED: Final = "FeedRestarted"
"""A department's copies begin anew: in place of an event's type, and of no case."""

ASKS: Final = "amends.ask.>"

PARTITIONS: Final = "0123456789abcdef"

EVENT_ID: Final = "ce-id"
EVENT_TYPE: Final = "ce-type"
CASE_ID: Final = "ce-subject"
CASE_VERSION: Final = "ce-caseversion"
SCHEMA_VERSION: Final = "ce-schemaversion"
CORRELATION_ID: Final = "ce-correlationid"

UNSTATED: Final = "unstated"
"""In place of a channel where an imported complaint's source does not state it."""

_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def intake_event(channel: Channel | str) -> str:
    """Where intake's events of a channel are published."""
    return f"amends.intake.{_token(channel)}"


def case_event(case_id: UUID, type_: str) -> str:
    """Where a case's events are published; the partition is the id's first hex digit."""
    return f"amends.case.{case_id.hex[0]}.{_token(type_)}"


def case_partition(partition: str) -> str:
    """All events of one of the `PARTITIONS`."""
    return f"amends.case.{_token(partition)}.>"


def dept_event(department: str, type_: str) -> str:
    """Where a department's copy of an event is published."""
    return f"amends.dept.{_token(department)}.{_token(type_)}"


def dept_events(department: str) -> str:
    """All copies that one department receives."""
    return f"amends.dept.{_token(department)}.>"


def submit(channel: Channel | str) -> str:
    """Where a channel hands in complaints that intake fetches from a stream."""
    return f"amends.submit.{_token(channel)}"


def ask_submit(channel: Channel | str) -> str:
    """Where a channel hands in a complaint and is answered with its receipt."""
    return f"amends.ask.submit.{_token(channel)}"


def ask(service: str, question: str) -> str:
    """Where a service answers a question."""
    return f"amends.ask.{_token(service)}.{_token(question)}"


def do(department: str, command: str) -> str:
    """Where handling takes the commands of a department."""
    return f"amends.ask.do.{_token(department)}.{_token(command)}"


def commands_of(department: str) -> str:
    """All commands of one department."""
    return f"amends.ask.do.{_token(department)}.>"


def quarantined(consumer: str) -> str:
    """Where a consumer says what it could not handle."""
    return f"amends.quarantine.{_token(consumer)}"


def headers(about: Heading) -> dict[str, str]:
    """Give the CloudEvents headers of an event.

    Of a message whose bytes are of an older version pass `codec.heading(body)`,
    which tells the version of the bytes; `decode` tells the version it lifted to.
    """
    return {
        "ce-specversion": "1.0",
        EVENT_ID: str(about.event_id),
        EVENT_TYPE: about.type,
        "ce-source": f"/amends/{about.tenant}",
        CASE_ID: str(about.case_id),
        "ce-time": about.occurred_at.isoformat(timespec="microseconds").replace(
            "+00:00", "Z"
        ),
        CASE_VERSION: str(about.version),
        SCHEMA_VERSION: str(about.schema_version),
        CORRELATION_ID: about.correlation_id,
        "content-type": "application/json",
    }


def _token(word: str) -> str:
    """Refuse what would be more or less than one token: `.`, `*`, `>`, blanks, nothing."""
    if _TOKEN.fullmatch(word) is None:
        raise ValueError("not one token of a subject")
    return str(word)

"""Turns a row of somebody else's table into a submission, by a mapping file.

Texts become codes by one rule: words joined by hyphens, and where that loses something
(punctuation, length) the first eight digits of the text's SHA-256 behind them. So two
texts never share a code, unless the mapping file says that they mean the same; should
it happen all the same, `Coder` names both.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.kernel.errors import FieldError, MalformedError

CODE_LENGTH: Final = 64
_MARK: Final = 8

Kind = Literal["model", "supplier", "category"]
"""What a text is made a code of."""


def code_of(text: str, *, room: int = CODE_LENGTH) -> str:
    """Give a text's code, at most `room` long.

    Spaces become hyphens; everything else that a code cannot hold makes the code end
    in a mark of the whole text, so that `Inc.` and `Inc` stay two.
    """
    words = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
    if words and words.replace("-", " ") == text and len(words) <= room:
        return words
    mark = hashlib.sha256(text.encode()).hexdigest()[:_MARK]
    return f"{words[: room - _MARK - 1].strip('-')}-{mark}".lstrip("-")


def room_of(parts: int) -> int:
    """Give the places that each of `parts` codes has when dots join them into one."""
    return (CODE_LENGTH + 1) // parts - 1


class Coder:
    """Gives codes for the texts of one run and notices two texts with one code."""

    def __init__(self, tables: Mapping[Kind, Mapping[str, str]]) -> None:
        self._tables = tables
        self._named = {kind: set(table.values()) for kind, table in tables.items()}
        self._texts: dict[tuple[str, str], str] = {}

    def code(self, kind: Kind, text: str, *, room: int = CODE_LENGTH) -> str:
        """Raise `MalformedError` (`mapping.code_collision`) where the code is taken."""
        named = self._tables.get(kind, {}).get(text)
        if named is not None:
            return named
        code = code_of(text, room=room)
        other = self._texts.setdefault((kind, code), text)
        if other != text or code in self._named.get(kind, ()):
            raise MalformedError(
                "mapping.code_collision",
                f"Two texts become the {kind} code {code}: name a code for one of them"
                f" under [codes.{kind}] of the mapping file.",
            )
        return code


PlainCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""A code without dots: dots join the codes of several columns."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        message = f"{name!r} is no time zone like America/New_York"
        raise ValueError(message) from None
    return name


class TableMapping(BaseModel):
    """Which column of a table is which field; texts to channels and codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str
    zone: Annotated[str, AfterValidator(_known_zone)]
    key: Annotated[str, Field(pattern=r"\{[^{}]+\}")]
    occurred_on: str
    statement: str
    channel: str
    model: Annotated[tuple[str, ...], Field(min_length=1)]
    supplier: str
    category: Annotated[tuple[str, ...], Field(max_length=4)]
    channels: Mapping[str, str]
    codes: Mapping[Kind, Mapping[str, PlainCode]]

    @model_validator(mode="after")
    def _models_leave_room(self) -> Self:
        room = room_of(len(self.model))
        for code in self.codes.get("model", {}).values():
            if len(code) > room:
                message = f"the model code {code} is longer than {room} places"
                raise ValueError(message)
        return self

    def columns(self) -> tuple[str, ...]:
        """Name every column that a table must have."""
        keys = re.findall(r"\{([^{}]+)\}", self.key)
        named = (self.occurred_on, self.statement, self.channel, self.supplier)
        return tuple(dict.fromkeys((*keys, *named, *self.model, *self.category)))


def submission_of(
    mapping: TableMapping, row: Mapping[str, str], coder: Coder
) -> dict[str, Any]:
    """Give the batch line for one row: a submission with its key, channel and day.

    A row without words becomes a submission without a statement: nothing is invented.
    The day is local midnight in the mapping's zone. Raises `MalformedError` naming the
    columns at fault.
    """
    faults: list[FieldError] = []
    channel = mapping.channels.get(row[mapping.channel])
    if channel is None:
        faults.append(
            FieldError(
                mapping.channel,
                "is no channel that the mapping file knows",
                f"Use one of {', '.join(mapping.channels)}, or name it under"
                " [channels] of the mapping file.",
            )
        )
    occurred_at = _local_midnight(row[mapping.occurred_on], mapping.zone)
    if occurred_at is None:
        faults.append(
            FieldError(
                mapping.occurred_on,
                "is no day written as YYYY-MM-DD",
                "Write the day as 2015-03-19.",
            )
        )
    keys = re.findall(r"\{([^{}]+)\}", mapping.key)
    faults.extend(
        FieldError(column, "is empty", "Give the row its identifier.")
        for column in keys
        if not row[column].strip()
    )
    if faults or occurred_at is None:
        raise MalformedError(
            "import.row", "Correct the named columns of this row.", errors=faults
        )
    line: dict[str, Any] = {
        "idempotency_key": re.sub(
            r"\{([^{}]+)\}", lambda found: row[found[1]], mapping.key
        ),
        "channel": channel,
        "origin": "migration",
        "occurred_at": occurred_at.isoformat(),
        "occurred_precision": "day",
    }
    if (words := row[mapping.statement]).strip():
        line["statement"] = words
    product = {
        "model": _joined(mapping.model, row, coder),
        "supplier": _coded("supplier", row[mapping.supplier], coder),
    }
    if product := {name: code for name, code in product.items() if code}:
        line["product"] = product
    if levels := [text for column in mapping.category if (text := row[column])]:
        line["category"] = "/".join(coder.code("category", text) for text in levels)
    return line


def _coded(kind: Kind, text: str, coder: Coder) -> str | None:
    return coder.code(kind, text) if text else None


def _joined(columns: Sequence[str], row: Mapping[str, str], coder: Coder) -> str | None:
    """Join the codes of several columns by dots into one code."""
    texts = [text for column in columns if (text := row[column])]
    room = room_of(len(columns))
    return ".".join(coder.code("model", text, room=room) for text in texts) or None


def _local_midnight(text: str, zone: str) -> dt.datetime | None:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    if day.isoformat() != text:  # fromisoformat also takes week dates and 20150319
        return None
    return dt.datetime.combine(day, dt.time(), ZoneInfo(zone)).astimezone(dt.UTC)

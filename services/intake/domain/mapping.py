"""Turns a row of somebody else's table into a submission, by a mapping file.

Texts become codes by one rule: words joined by hyphens, and where that loses something
(punctuation, length) the first eight digits of the text's SHA-256 behind them. So two
texts never share a code, unless the mapping file says that they mean the same; should
it happen all the same, `Coder` names both.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from events.vocabulary import Channel
from services.intake.domain.dates import (
    ISO_FORMS,
    DateForm,
    Stated,
    UnreadDateError,
    read_date,
    written,
)
from services.intake.domain.history import HistoryMapping
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


NotOurs = Literal[""]
"""A word of the source that names none of our channels: none is recorded."""

AsIs = Literal[
    "contact.name",
    "contact.email",
    "contact.phone",
    "contact.customer_no",
    "order_no",
    "upstream_no",
    "product.serial",
    "product.lot",
    "desired_outcome",
]
"""Fields of a submission that take a cell as it stands."""

Dated = Literal["purchase_date", "event_at"]
"""Fields of a submission that take a date."""


class TableMapping(BaseModel):
    """Which column of a table is which field; texts to channels and codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str
    zone: Annotated[str, AfterValidator(_known_zone)]
    dates: Annotated[tuple[DateForm, ...], Field(min_length=1)] = ISO_FORMS[:1]
    """How the table writes its dates: the first form that fits a cell counts."""
    key: Annotated[str, Field(pattern=r"\{[^{}]+\}")]
    several_rows: bool = False
    """A complaint may fill several rows, one below the other: the first is taken."""
    occurred_on: str
    statement: str | None = None
    channel: str | None = None
    model: tuple[str, ...] = ()
    supplier: str | None = None
    category: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    fields: Mapping[AsIs | Dated, str] = Field(default_factory=dict)
    """Further fields of a submission, and their columns."""
    channels: Mapping[str, Channel | NotOurs] = Field(default_factory=dict)
    codes: Mapping[Kind, Mapping[str, PlainCode]] = Field(default_factory=dict)
    history: HistoryMapping | None = None
    """What a row states of the past beside the receipt."""

    @model_validator(mode="after")
    def _models_leave_room(self) -> Self:
        room = room_of(max(1, len(self.model)))
        for code in self.codes.get("model", {}).values():
            if len(code) > room:
                message = f"the model code {code} is longer than {room} places"
                raise ValueError(message)
        return self

    def columns(self, *, history: bool = False) -> tuple[str, ...]:
        """Name every column that a table must have; on demand for histories too."""
        one = (self.occurred_on, self.statement, self.channel, self.supplier)
        named = (name for name in one if name is not None)
        others = (*self.model, *self.category, *self.fields.values())
        past = self.history.columns() if history and self.history else ()
        return tuple(dict.fromkeys((*_keys(self.key), *named, *others, *past)))

    def identifier(self) -> tuple[str, ...]:
        """Name the columns that the key is made of."""
        return tuple(_keys(self.key))

    def column_of(self, path: str) -> str:
        """Name the column that a field of a submission was made of, or else the field."""
        one: dict[str, str | None] = {
            "occurred_at": self.occurred_on,
            "occurred_precision": self.occurred_on,
            "statement": self.statement,
            "channel": self.channel,
            "product.supplier": self.supplier,
            "product.model": ", ".join(self.model),
            "category": ", ".join(self.category),
            "idempotency_key": ", ".join(self.identifier()),
            **{str(name): column for name, column in self.fields.items()},
        }
        return one.get(path) or path

    def key_of(self, row: Mapping[str, str]) -> str:
        """Give what tells the row's complaint from all others, whatever file it is in."""
        return re.sub(r"\{([^{}]+)\}", lambda found: row[found[1]], self.key)

    def date_of(self, text: str) -> Stated:
        """Read a cell that states a date. Raises `UnreadDateError`."""
        return read_date(text, self.dates, self.zone)


def submission_of(
    mapping: TableMapping, row: Mapping[str, str], coder: Coder
) -> dict[str, Any]:
    """Give the batch line for one row: a submission with its key, channel and time.

    A row without words becomes a submission without a statement: nothing is invented.
    A day begins at midnight in the mapping's zone. Raises `MalformedError` naming the
    columns at fault.
    """
    faults: list[FieldError] = []
    line: dict[str, Any] = {"idempotency_key": mapping.key_of(row)}
    if mapping.channel is not None:
        _put_channel(line, mapping, row[mapping.channel], faults)
    line["origin"] = "migration"
    if occurred := _date(mapping, mapping.occurred_on, row, faults):
        line["occurred_at"] = occurred.at.isoformat()
        line["occurred_precision"] = occurred.precision.value
    for field in ("purchase_date", "event_at"):
        column = mapping.fields.get(field)
        if column is None or not row[column].strip():
            continue
        if stated := _date(mapping, column, row, faults):
            local = stated.at.astimezone(ZoneInfo(mapping.zone))
            day = field == "purchase_date"
            line[field] = (local.date() if day else stated.at).isoformat()
    faults.extend(
        FieldError(column, "is empty", "Give the row its identifier.")
        for column in _keys(mapping.key)
        if not row[column].strip()
    )
    if faults:
        raise MalformedError(
            "import.row", "Correct the named columns of this row.", errors=faults
        )
    if mapping.statement is not None and (words := row[mapping.statement]).strip():
        line["statement"] = words
    for path, value in _goods(mapping, row, coder):
        _put(line, path, value)
    if levels := [text for column in mapping.category if (text := row[column]).strip()]:
        line["category"] = "/".join(coder.code("category", text) for text in levels)
    return line


def _keys(template: str) -> list[str]:
    return re.findall(r"\{([^{}]+)\}", template)


def _put_channel(
    line: dict[str, Any], mapping: TableMapping, text: str, faults: list[FieldError]
) -> None:
    channel = mapping.channels.get(text)
    if channel is None:
        faults.append(
            FieldError(
                mapping.channel or "",
                "is no channel that the mapping file knows",
                f"Use one of {', '.join(mapping.channels)}, or name it under"
                " [channels] of the mapping file.",
            )
        )
    elif channel:
        line["channel"] = str(channel)


def _date(
    mapping: TableMapping,
    column: str,
    row: Mapping[str, str],
    faults: list[FieldError],
) -> Stated | None:
    try:
        return read_date(row[column], mapping.dates, mapping.zone, also=ISO_FORMS)
    except UnreadDateError as error:
        kind = "date" if any("h" in form for form in mapping.dates) else "day"
        remedy = f"Write the {kind} as {written(mapping.dates[0])}."
        faults.append(FieldError(column, str(error), remedy))
        return None


def _goods(
    mapping: TableMapping, row: Mapping[str, str], coder: Coder
) -> Iterator[tuple[str, str]]:
    """Give what the row states of goods and people, by its path in a submission."""
    if model := _joined(mapping.model, row, coder):
        yield "product.model", model
    if mapping.supplier is not None and (maker := row[mapping.supplier]):
        yield "product.supplier", coder.code("supplier", maker)
    for path, column in mapping.fields.items():
        if path not in {"purchase_date", "event_at"} and (text := row[column].strip()):
            yield path, text


def _put(line: dict[str, Any], path: str, value: str) -> None:
    outer, _, inner = path.partition(".")
    if inner:
        line.setdefault(outer, {})[inner] = value
    else:
        line[outer] = value


def _joined(columns: Sequence[str], row: Mapping[str, str], coder: Coder) -> str | None:
    """Join the codes of several columns by dots into one code."""
    texts = [text for column in columns if (text := row[column])]
    room = room_of(max(1, len(columns)))
    return ".".join(coder.code("model", text, room=room) for text in texts) or None

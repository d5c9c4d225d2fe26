"""Forms made from commands: a field for each thing that a command's model asks for."""

from __future__ import annotations

import datetime as dt
import re
import types
from dataclasses import dataclass, replace
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from pydantic import AwareDatetime, BaseModel
from pydantic_core import PydanticUndefined

from events.catalogue import Remedy
from events.envelope import CategoryPath, DepartmentCode
from events.vocabulary import State
from services.handling.application.commanding import WORDS_LIMIT
from services.handling.application.looking import read_as_of
from services.handling.domain.commands import COMMANDS, FindingStated, Words
from services.kernel.errors import MalformedError
from services.kernel.i18n import msgid
from services.kernel.web.pages import FormFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from services.handling.application.cases import AsOf
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy
    from services.kernel.web.pages import Form

ROWS: Final = 3
"""Remedies or findings that one form takes."""

Control = Literal[
    "check",
    "choice",
    "choices",
    "entry",
    "findings",
    "instant",
    "remedies",
    "text",
    "words",
]

NEEDED: Final = msgid("Please fill this in.")
TOO_LONG: Final = msgid("This is too long. Please shorten it.")
NO_TIME: Final = msgid("Write day and time as 2026-03-04 12:30.")
NO_AMOUNT: Final = msgid("Write the amount in digits, as 120.50.")
NOT_FITTING: Final = msgid("This has not the right form.")

_GROUPED: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_AMOUNT: Final = re.compile(r"[0-9]{1,14}(\.[0-9]{1,4})?")
_LOCAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_TREES: Final = {"category": "category", "root_cause.path": "cause"}
_LEFT_OUT: Final = frozenset({"handler"})  # it is whoever sends the form


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; `name` is its path in the command."""

    name: str
    control: Control
    required: bool
    kind: str = ""
    """The table of words that `options` are in; those of a policy's list bear its name."""
    options: tuple[str, ...] = ()
    value: str = ""
    """What stands there before anybody chose."""

    @property
    def label(self) -> str:
        """The key of its words."""
        return self.name.rpartition(".")[2]


def fields_of(name: str, case: Case, policy: Policy) -> tuple[Field, ...]:
    """Give the fields of a command as this case needs them."""
    return tuple(_fitting(name, case, policy))


def _fitting(name: str, case: Case, policy: Policy) -> Iterator[Field]:
    """Leave out what the case says already; ask for what it does not say."""
    at_once = case.state is State.ACCEPTED
    lists = {
        "category": policy.categories,
        "cause": policy.causes,
        "department": policy.departments,
    }
    for bare in _fields(COMMANDS[name]):
        field = replace(bare, options=bare.options or lists.get(bare.kind, ()))
        if field.name == "category" and case.category in policy.categories:
            yield replace(field, value=case.category)
        elif name == "issue" and field.name == "medium":
            yield replace(field, options=tuple(map(str, policy.written_media)))
        elif name == "add-evidence" and field.name == "document":
            yield replace(field, required=False)  # files will do as well
        elif name != "resolve":
            yield field
        elif at_once:
            needed = field.name in {"outcome", "agreement"}
            yield replace(field, required=needed)
        elif field.name == "corrective_action":
            yield field


def _fields(model: type[BaseModel], above: str = "") -> Iterator[Field]:
    hints = get_type_hints(model, include_extras=True)
    for name, info in model.model_fields.items():
        if name in _LEFT_OUT:
            continue
        default = "" if info.default in (None, PydanticUndefined) else info.default
        yield from _field(
            f"{above}{name}",
            hints[name],
            required=info.is_required(),
            value=_text(default),
        )


def _field(path: str, hint: Any, *, required: bool, value: str) -> Iterator[Field]:
    hint = _present(hint)
    bare, marks = _bare(hint)
    words = next((mark for mark in marks if isinstance(mark, Words)), None)
    if words is not None:
        kinds = words.kinds if len(words.kinds) > 1 else ()
        yield Field(path, "words", required, "document_kind", tuple(map(str, kinds)))
    elif hint == DepartmentCode:
        yield Field(path, "choice", required, "department")
    elif hint == CategoryPath:
        yield Field(path, "choice", required, _TREES[path])
    elif get_origin(bare) is tuple:
        yield from _several(path, get_args(bare)[0], required=required)
    elif get_origin(bare) is Literal:
        yield Field(path, "choice", required, "", tuple(map(str, get_args(bare))))
    elif issubclass(bare, Enum):
        yield Field(path, "choice", required, _table(bare), _codes(bare), value)
    elif issubclass(bare, BaseModel):
        yield from _fields(bare, f"{path}.")
    else:
        controls: dict[Any, Control] = {
            bool: "check",
            AwareDatetime: "instant",
            UUID: "entry",
        }
        yield Field(path, controls.get(bare, "text"), required)


def _several(path: str, hint: Any, *, required: bool) -> Iterator[Field]:
    bare, _ = _bare(hint)
    if bare is Remedy:
        kinds = Remedy.model_fields["kind"].annotation
        yield Field(path, "remedies", required=False, options=_codes(kinds))
    elif bare is FindingStated:
        yield Field(path, "findings", required=True)
    elif isinstance(bare, type) and issubclass(bare, Enum):
        yield Field(path, "choices", required, _table(bare), _codes(bare))


def _present(hint: Any) -> Any:
    """Take `| None` away."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    return hint


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(hint) is Annotated:
        bare, *marks = get_args(hint)
        return bare, tuple(marks)
    return hint, ()


def _codes(enum: Any) -> tuple[str, ...]:
    return tuple(str(each.value) for each in enum)


def _table(enum: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", enum.__name__).lower()


def _text(value: Any) -> str:
    return str(value.value) if isinstance(value, Enum) else ""


# -- what was sent -----------------------------------------------------------


class Sent:
    """A form read back into what the command takes, with what is wrong with it."""

    def __init__(self, fields: tuple[Field, ...], form: Form, zone: ZoneInfo) -> None:
        self.payload: dict[str, Any] = {}
        self.faults: list[FormFault] = []
        self._form = form
        self._zone = zone
        readers: dict[Control, Callable[[Field], Any]] = {
            "check": self._check,
            "choices": self._choices,
            "findings": self._findings,
            "instant": self._instant,
            "remedies": self._remedies,
            "words": self._words,
        }
        for field in fields:
            value = readers.get(field.control, self._one)(field)
            if value not in (None, "", []):
                self._put(field.name, value)
            elif field.required:
                self._fault(field.name, NEEDED)
            elif field.control == "remedies":
                self._put(field.name, [])

    def _put(self, path: str, value: Any) -> None:
        *above, name = path.split(".")
        at = self.payload
        for each in above:
            at = at.setdefault(each, {})
        at[name] = value

    def _fault(self, field: str, message: str) -> None:
        if all(each.field != field for each in self.faults):
            self.faults.append(FormFault(field, message))

    def _one(self, field: Field) -> Any:
        value = self._form.one(field.name)
        whole = field.options and all(each.isdigit() for each in field.options)
        return int(value) if whole and value.isdecimal() else value

    def _check(self, field: Field) -> Any:
        return True if field.name in self._form else None

    def _choices(self, field: Field) -> Any:
        return list(dict.fromkeys(filter(None, self._form.many(field.name))))

    def _instant(self, field: Field) -> Any:
        typed = self._form.one(field.name)
        if not typed:
            return None
        instant = local_instant(typed, self._zone)
        if instant is None:
            self._fault(field.name, NO_TIME)
            return None
        return instant.isoformat()

    def _words(self, field: Field) -> Any:
        text = self._text(field.name)
        if text is None or not field.options:
            return text
        kind = self._form.one(f"{field.name}.kind") or field.options[0]
        return {"text": text, "kind": kind}

    def _text(self, name: str) -> str | None:
        text = self._form.raw(name)
        if len(text) > WORDS_LIMIT:
            self._fault(name, TOO_LONG)
        return text if text.strip() else None

    def _findings(self, field: Field) -> Any:
        found = []
        for row in range(ROWS):
            text = self._text(f"{field.name}.{row}")
            if text is not None:
                rests = self._form.many(f"{field.name}.{row}.evidence")
                found.append({"statement": text, "evidence": list(rests)})
        return found

    def _remedies(self, field: Field) -> Any:
        found = []
        for row in range(ROWS):
            at = f"{field.name}.{row}"
            kind = self._form.one(f"{at}.kind")
            typed = self._form.one(f"{at}.amount")
            if not kind:
                if typed:
                    self._fault(field.name, NEEDED)
                continue
            remedy: dict[str, Any] = {"kind": kind}
            if typed:
                amount = plain_amount(typed)
                if _AMOUNT.fullmatch(amount) is None:
                    self._fault(field.name, NO_AMOUNT)
                currency = self._form.one(f"{at}.currency")
                remedy["amount"] = {"amount": amount, "currency": currency}
            found.append(remedy)
        return found


def faults_of(fields: tuple[Field, ...], error: MalformedError) -> list[FormFault]:
    """Lead faults of a command to the fields of its form; one for each field."""
    found: dict[str, FormFault] = {}
    for fault in error.errors:
        path = re.sub(r"\[([0-9]+)\]", r".\1", fault.field)
        name = next(
            (each.name for each in fields if f"{path}.".startswith(f"{each.name}.")), ""
        )
        found.setdefault(name, FormFault(name, NOT_FITTING))
    return list(found.values())


def local_instant(typed: str, zone: ZoneInfo) -> dt.datetime | None:
    """Read day and time as a browser sends them, meant in `zone`; None for others."""
    try:
        return dt.datetime.fromisoformat(typed).replace(tzinfo=zone).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def read_moment(typed: str | None, zone: ZoneInfo) -> AsOf:
    """Read `as_of`; a browser's day and time without a zone are the organisation's.

    Raises MalformedError.
    """
    if typed and _LOCAL.fullmatch(typed) and (local := local_instant(typed, zone)):
        return local
    try:
        return read_as_of(typed or None, zone)
    except MalformedError:
        raise MalformedError(
            "handling.moment",
            "Write a moment as 2026-03-04T09:30, a day as 2026-03-04, or a position"
            " as 4711.",
        ) from None


def moment_field(typed: str) -> str:
    """Give the type of the field that can show what was typed for `read_moment`."""
    return "datetime-local" if not typed or _LOCAL.fullmatch(typed) else "text"


def plain_amount(typed: str) -> str:
    """Take an amount as people write it: `1,299.00`, with spaces or without."""
    close = re.sub(r"\s", "", typed)
    return close.replace(",", "") if _GROUPED.fullmatch(close) else close


def by_field(faults: list[FormFault]) -> Mapping[str, str]:
    return {fault.field: fault.message for fault in faults}

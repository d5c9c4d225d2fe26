"""What a complaint must hold when it arrives, by channel; every fault is told at once.

Words come out exactly as they came in: nothing is trimmed, folded or normalised.
"""

import base64
import binascii
import datetime as dt
import difflib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from events.catalogue import ImportedFrom
from events.envelope import CategoryPath, Code, Instant, Money, Part
from events.vocabulary import (
    Channel,
    Demand,
    DocumentKind,
    Origin,
    Precision,
    ReportedVia,
    Source,
)
from services.kernel.errors import FieldError, MalformedError

WORDS: Final = 20_000
"""Most characters of a statement, and of a wish."""
ATTACHMENTS: Final = 10

_AHEAD: Final = dt.timedelta(minutes=5)
"""How far a caller's clock may be ahead of ours before its claim is refused."""
_TODAY_SOMEWHERE: Final = dt.timedelta(hours=14)
"""A day is not in the future while it is today in any time zone."""


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError("base64", "is not base64") from None


Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(max_length=WORDS)]
Content = Annotated[bytes, BeforeValidator(_decoded)]
MediaType = Annotated[
    str,
    StringConstraints(max_length=100, pattern=r"^[a-z]+/[a-z0-9][a-z0-9!#$&^_.+-]*$"),
]
AttachmentKind = Literal[
    DocumentKind.PROOF_OF_PURCHASE,
    DocumentKind.CONTRACT,
    DocumentKind.MANUAL,
    DocumentKind.PHOTO,
    DocumentKind.EMAIL,
    DocumentKind.FILE,
]


class _Given(Part):
    """As `Part`, and no type is guessed: a day is not a number, a number no string."""

    model_config = ConfigDict(strict=True)


class Contact(_Given):
    """Who complains and how to answer (S7); sealed, never in an event (S25)."""

    name: Line | None = None
    email: (
        Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
        | None
    ) = None
    phone: Annotated[str, StringConstraints(max_length=40, pattern=r"[0-9]")] | None = (
        None
    )
    customer_no: Line | None = None


class Goods(_Given):
    """What the complaint is about (S8).

    `model` and `lot` are taken as people write them; where that is a code it is in the
    event, otherwise it is sealed and the front office finds the code (verification).
    """

    model: Line | None = None
    serial: Line | None = None
    lot: Line | None = None
    supplier: Code | None = None
    price: Money | None = None


class Attachment(_Given):
    """A file that comes with the complaint (S9); `content` is base64 in JSON."""

    name: Line
    media_type: MediaType
    kind: AttachmentKind = DocumentKind.FILE
    content: Content


class UploadedFile(_Given):
    """A file that was uploaded before; it can be used once, by who uploaded it."""

    upload: UUID
    kind: AttachmentKind = DocumentKind.FILE


def _form_of(given: object) -> str:
    uploaded = isinstance(given, UploadedFile) or (
        isinstance(given, dict) and "upload" in given
    )
    return "(upload)" if uploaded else "(inline)"


AnyAttachment = Annotated[
    Annotated[Attachment, Tag("(inline)")] | Annotated[UploadedFile, Tag("(upload)")],
    Discriminator(_form_of),
]


class Submission(_Given):
    """One complaint as a channel hands it in (S7-S10, S14, S15)."""

    channel: Channel | None = None
    """May be left out of the JSON where the caller's credential names it, and of what
    is imported from a source that does not state it."""
    statement: Words | None = None
    contact: Contact | None = None
    product: Goods | None = None
    order_no: Line | None = None
    upstream_no: Line | None = None
    """The number of the dealer or the other system that passes the complaint on."""
    purchase_date: dt.date | None = None
    event_at: Instant | None = None
    demand: Annotated[tuple[Demand, ...], Field(max_length=len(Demand))] = ()
    desired_outcome: Words | None = None
    category: CategoryPath | None = None
    attachments: Annotated[
        tuple[AnyAttachment, ...], Field(max_length=ATTACHMENTS)
    ] = ()
    reported_via: ReportedVia = ReportedVia.DIRECT
    dealer: Code | None = None
    source: Source | None = None
    source_document_on: dt.date | None = None
    origin: Literal[Origin.LIVE, Origin.MIGRATION] = Origin.LIVE
    occurred_at: Instant | None = None
    """A claim: when the complaint was made, where that was before it was handed in."""
    occurred_precision: Precision = Precision.INSTANT
    imported_from: ImportedFrom | None = None
    """Only with origin migration; no part of what a repeated submission must share."""

    @classmethod
    def parse(
        cls, document: object, *, own: str | None = None, now: dt.datetime
    ) -> Self:
        """Read one submission from a JSON value that the edge has read strictly.

        `own` is the channel that the credential names. Raises `MalformedError` with
        every fault.
        """
        if not isinstance(document, dict):
            raise _malformed([_fault_of("$", "is not an object", "Send {…}.")])
        if own is not None and "channel" not in document:
            document = {"channel": own, **document}
        faults = list(_missing(document))
        submission = None
        try:
            # Back to JSON: only from there are days and codes read without guessing.
            submission = cls.model_validate_json(canonical(document))
        except ValidationError as refused:
            faults += (_translated(each) for each in refused.errors(include_url=False))
        else:
            faults += _in_the_future(submission, now)
        if faults or submission is None:
            raise _malformed(faults)
        return submission

    def content(self) -> bytes:
        """Give what two submissions under one key must share, byte for byte.

        The channel is not part of it: it is part of the key. Neither is the file that
        it was imported from: the same complaint may come in another one. Fields left out count as
        given with their default, so a client may add them later.
        """
        given = self.model_dump(
            mode="json",
            exclude={"channel", "attachments", "imported_from"},
            exclude_defaults=True,
        )
        given["attachments"] = [
            each.model_dump(mode="json")
            if isinstance(each, UploadedFile)
            else {
                **each.model_dump(mode="json", exclude={"content"}),
                "content": base64.b64encode(each.content).decode(),
            }
            for each in self.attachments
        ]
        return canonical(given)

    def particulars(self) -> dict[str, Any]:
        """Give what is neither a code nor the complaint's own words, to be sealed."""
        goods = self.product or Goods()
        given = {
            "contact": self.contact
            and self.contact.model_dump(exclude_none=True, mode="json"),
            "order_no": self.order_no,
            "upstream_no": self.upstream_no,
            "product": {
                name: value
                for name in ("model", "serial", "lot")
                if (value := getattr(goods, name)) is not None
                and (name == "serial" or as_code(value) is None)
            },
            "attachments": [
                each.name for each in self.attachments if isinstance(each, Attachment)
            ],
        }
        return {name: value for name, value in given.items() if value}

    def verifiable(self) -> bool:
        """Say whether an order number is given and the goods are named in codes (S8)."""
        goods = self.product or Goods()
        named = (goods.model, goods.lot)
        return self.order_no is not None and all(
            stated is None or as_code(stated) is not None for stated in named
        )


def canonical(value: object) -> bytes:
    """One form for equal JSON values: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    ).encode()


def as_code(stated: str) -> str | None:
    """Give the text where it is a code as it stands, else None."""
    plain = stated.isascii() and len(stated) <= 64  # noqa: PLR2004 - as events.Code
    rest = stated.translate({ord(mark): "" for mark in "_.-"})
    return stated if plain and stated[:1].isalnum() and rest.isalnum() else None


_REACH: Final = ("contact.email", "contact.phone", "contact.customer_no")
_REQUIRED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    Channel.PHONE: (("contact.name",), ("contact.phone",)),
    Channel.EMAIL: (("contact.email",),),
    Channel.WEB: (_REACH,),
    Channel.CHAT: (_REACH,),
    Channel.SOCIAL: (("contact.name", *_REACH),),
    Channel.FAX: (("contact.name",),),
    Channel.LETTER: (("contact.name",),),
    Channel.COUNTER: (("contact.name",),),
    Channel.SUGGESTION_BOX: (),  # may be dropped in by nobody in particular
    Channel.VISIT: (("contact.name",),),
    Channel.REFERRAL: (("contact.name", *_REACH),),
}
"""What a live complaint must hold beside its words; one of each group (S7)."""


def _missing(document: Mapping[str, Any]) -> Iterator[FieldError]:
    """Name what the channel, the dealer or the source makes mandatory.

    Works on the raw document, so that these faults are told beside those of form.
    """
    if document.get("origin") != Origin.MIGRATION:  # the past may be poorer (A7)
        if document.get("channel") is None:
            yield _fault_of("channel", "is missing", "Give it.")
        if _blank(document.get("statement")):
            yield _fault_of("statement", "is missing", "Say what happened, in words.")
        channel = document.get("channel")
        groups = _REQUIRED.get(channel, ()) if isinstance(channel, str) else ()
        for group in groups:
            if all(_blank(_at(document, path)) for path in group):
                yield _fault_of(
                    group[0],
                    "is missing",
                    f"On this channel, give {' or '.join(group)}.",
                )
    if document.get("reported_via") == ReportedVia.DEALER and not document.get(
        "dealer"
    ):
        yield _fault_of("dealer", "is missing", "Give the dealer's code (S14).")
    if document.get("dealer") and document.get("reported_via") != ReportedVia.DEALER:
        yield _fault_of(
            "reported_via",
            "does not fit a dealer",
            'Send "reported_via": "dealer", or no dealer.',
        )
    if document.get("source") and not document.get("source_document_on"):
        yield _fault_of(
            "source_document_on",
            "is missing",
            "Give the day of the source document (S15, S16).",
        )
    yield from _missing_of_the_past(document)


def _missing_of_the_past(document: Mapping[str, Any]) -> Iterator[FieldError]:
    """Name what an imported complaint lacks, and what no other may have."""
    migrated = document.get("origin") == Origin.MIGRATION
    if migrated and not document.get("occurred_at"):
        yield _fault_of(
            "occurred_at", "is missing", "Say when the complaint was made then."
        )
    if document.get("imported_from") and not migrated:
        yield _fault_of(
            "imported_from", "is for imports alone", 'Send "origin": "migration".'
        )


def _in_the_future(given: Submission, now: dt.datetime) -> Iterator[FieldError]:
    latest = now + _AHEAD
    today = (now + _TODAY_SOMEWHERE).date()
    for name in ("occurred_at", "event_at"):
        instant = getattr(given, name)
        if instant is not None and instant > latest:
            yield _fault_of(name, "lies in the future", "Give an instant that is past.")
    for name in ("purchase_date", "source_document_on"):
        day = getattr(given, name)
        if day is not None and day > today:
            yield _fault_of(name, "lies in the future", "Give a day that is past.")


def _at(document: Mapping[str, Any], path: str) -> object:
    outer, _, inner = path.partition(".")
    value = document.get(outer)
    return value.get(inner) if isinstance(value, dict) else None


def field_names() -> frozenset[str]:
    """Name every field that a submission has, at any depth."""
    schema = Submission.model_json_schema()
    models = (schema, *schema["$defs"].values())
    return frozenset(name for each in models for name in each.get("properties", ()))


def _blank(value: object) -> bool:
    """Say whether there is nothing to read: only spaces, controls, invisible marks."""
    if value is None:
        return True
    return isinstance(value, str) and all(
        unicodedata.category(character)[0] in "CZ" for character in value
    )


def _malformed(faults: list[FieldError]) -> MalformedError:
    return MalformedError(
        "intake.invalid",
        "Correct the named fields and send the complaint again.",
        errors=faults,
    )


def _fault_of(field: str, message: str, remedy: str) -> FieldError:
    return FieldError(field=field, message=message, remedy=remedy)


def _translated(error: Any) -> FieldError:
    """Turn one of pydantic's errors into ours, without a word of what was sent."""
    *way, last = error["loc"] or ("",)
    place = [part for part in way if not _is_branch(part)]
    # What was sent under a name that we do not know may look like a branch.
    if error["type"] == "extra_forbidden" or not _is_branch(last):
        place.append(last)
    field = "".join(
        f"[{part}]" if isinstance(part, int) else f".{as_code(part) or '…'}"
        for part in place
    ).lstrip(".")
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return _fault_of(field, "is not a field", _nearest(place))
        case "enum" | "literal_error":
            return _fault_of(
                field, "is not a known code", f"Use one of {_codes(error)}."
            )
        case "string_too_long" | "too_long":
            limit = context["max_length"]
            return _fault_of(field, "is too long", f"Send at most {limit}.")
        case "string_pattern_mismatch":
            return _fault_of(field, "has not the right form", _form(field))
        case "missing":
            return _fault_of(field, "is missing", "Give it.")
        case _:
            return _fault_of(
                field or "$",
                "cannot be read",
                f"{error['msg']}, see /api/openapi.json.",
            )


def _codes(error: Any) -> str:
    """List the codes that would do, as they are sent."""
    return re.sub(r"<[^:>]+: ('[^']*')>", r"\1", error["ctx"]["expected"])


def _is_branch(part: object) -> bool:
    """Say whether a part of pydantic's path names a type, not a place."""
    return isinstance(part, str) and ("[" in part or "(" in part)


def _form(field: str) -> str:
    if field.endswith("email"):
        return "Write it as name@example.org."
    if field.endswith("phone"):
        return "Write digits, best as +86 10 1234 5678."
    if field.endswith("media_type"):
        return "Write it as image/jpeg."
    if field.endswith("currency"):
        return "Write the ISO 4217 code, as EUR."
    if field == "category":
        return "Join up to four codes by '/'."
    return "Use up to 64 of letters, digits, '_', '.', '-'; first a letter or digit."


def _nearest(place: list[Any]) -> str:
    models: dict[str, type[Part]] = {
        "contact": Contact,
        "product": Goods,
        "attachments": Attachment,
    }
    top: type[Part] = Submission
    model = models.get(str(place[0]), top) if len(place) > 1 else top
    near = difflib.get_close_matches(str(place[-1]), model.model_fields, n=1)
    return (
        f"Did you mean {near[0]}?" if near else "Leave it out, see /api/openapi.json."
    )

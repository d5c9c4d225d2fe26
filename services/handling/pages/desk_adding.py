"""Evidence from the desk: words and files, put to the case one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from services.handling.application.commanding import UPLOAD
from services.handling.domain.commands import FILES as FILE_KINDS
from services.handling.pages.desk_fields import NEEDED, Sent
from services.handling.pages.kept_files import FAULTS, FILE_GONE, keep_files
from services.kernel.errors import MalformedError
from services.kernel.web.pages import FormFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from services.handling.pages.desk_fields import Field
    from services.kernel.vault import Uploads
    from services.kernel.web.pages import Form
    from services.kernel.web.pages.multipart import SentFile

ADDING: Final = "add-evidence"
FILES: Final = f"{ADDING}.files"
"""The field that names uploads."""

_FIELD: Final = "files"


@dataclass(frozen=True, slots=True)
class Given:
    """A form of the desk as it was read: one command, of evidence one a piece.

    Each has what tells its key from the others'.
    """

    form: Form
    pieces: list[tuple[str, dict[str, Any]]]
    faults: list[FormFault]


async def read_given(
    command: str,
    fields: tuple[Field, ...],
    form: Form,
    files: Sequence[SentFile],
    *,
    uploads: Uploads,
    owner: str,
    zone: ZoneInfo,
) -> Given:
    """Read what a form asks for, and keep its files. Raises UnavailableError."""
    sent = Sent(fields, form, zone)
    if command != ADDING:
        return Given(form, [("", sent.payload)], sent.faults)
    faults = sent.faults
    try:
        form = await keep_files(form, files, uploads, owner=owner, field=FILES)
    except MalformedError as error:
        faults = faults + faults_of_files(error)
    pieces = _added(sent.payload, form)
    if not pieces and not faults:
        faults = [FormFault("document", NEEDED)]
    return Given(form, pieces, faults)


def _added(payload: Mapping[str, Any], form: Form) -> list[tuple[str, dict[str, Any]]]:
    """Give words first; a kind that no file has makes files of no kind of their own."""
    pieces = [("", dict(payload))] if "document" in payload else []
    chosen = form.one("document.kind")
    kind = chosen if chosen in FILE_KINDS else FILE_KINDS[0]
    pieces += [
        (f".{upload}", {**payload, "document": {UPLOAD: upload, "kind": kind}})
        for upload in dict.fromkeys(form.many(FILES))
    ]
    return pieces


def faults_of_files(error: MalformedError) -> list[FormFault]:
    """Say what is wrong with the files, at their field; nothing where it is not them."""
    for each in error.errors:
        if each.field == UPLOAD:
            return [FormFault(_FIELD, FILE_GONE)]
        if each.message in FAULTS:
            return [FormFault(_FIELD, each.message)]
    return []

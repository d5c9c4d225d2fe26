"""Files that a form brings: kept as uploads, which the form then names."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from services.kernel.errors import (
    FieldError,
    MalformedError,
    NotFoundError,
    TooLargeError,
)
from services.kernel.i18n import msgid
from services.kernel.web.pages.multipart import FILES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kernel.vault import Upload, Uploads
    from services.kernel.web.pages import Form
    from services.kernel.web.pages.multipart import SentFile

MOST_FILES: Final = 10
"""Files that may be added at once."""
NOTHING: Final = msgid("Please write something, or choose a file.")
FILE_GONE: Final = msgid("A file is not here any more. Please choose it again.")
FILE_REFUSED: Final = msgid(
    "A file is not taken: a check of files refuses it. The others are kept."
)
FILE_LARGE: Final = msgid("A file is too large.")
FILE_EMPTY: Final = msgid("A file is empty. Please choose it again.")
FILES_MANY: Final = msgid("These are too many files.")
FAULTS: Final = frozenset(
    {NOTHING, FILE_GONE, FILE_REFUSED, FILE_LARGE, FILE_EMPTY, FILES_MANY}
)


async def keep_files(
    form: Form, files: Sequence[SentFile], uploads: Uploads, *, owner: str, field: str
) -> Form:
    """Give the form with the new uploads in `field`, beside those that it names.

    Raises MalformedError for what cannot be kept, UnavailableError.
    """
    if sum(len(each.content) for each in files) > FILES_LIMIT:
        raise wrong_files(FILE_LARGE)
    if len(files) + len(form.many(field)) > MOST_FILES:
        raise wrong_files(FILES_MANY)
    if not all(each.content for each in files):
        raise wrong_files(FILE_EMPTY)
    for each in files:
        keep = partial(uploads.keep, owner=owner, name=each.name, content=each.content)
        try:
            upload = await run_in_threadpool(keep)
        except MalformedError:
            raise wrong_files(FILE_REFUSED) from None
        except TooLargeError:
            raise wrong_files(FILE_LARGE) from None
        form = form.adding(field, str(upload.upload_id))
    return form


def known_files(
    form: Form, uploads: Uploads, *, owner: str, field: str
) -> list[Upload]:
    """Find the uploads that the form names; what is used or gone is not shown."""
    found = []
    for upload_id in dict.fromkeys(form.many(field)):
        with suppress(ValueError, NotFoundError):
            found.append(uploads.find(UUID(upload_id), owner=owner))
    return found


def wrong_files(message: str, field: str = "files") -> MalformedError:
    """Name what is wrong with the files of a form."""
    return MalformedError(
        "request.invalid",
        "Correct the named fields; nothing was done.",
        errors=[FieldError(field, message, "See the form.")],
    )

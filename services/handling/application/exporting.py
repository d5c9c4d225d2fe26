"""All that is held about one person, as a zip that grows while it is read.

Nothing of it is kept here: each document is opened, noted and given on, one after the
other. What could not be opened is named in `person.json`, which comes last.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import zipfile
from typing import TYPE_CHECKING, Any, Final

from events import codec
from services.handling.application.reading import documents_of
from services.handling.ports import Paper
from services.kernel.clock import rfc3339
from services.kernel.errors import AmendsError, RefusedError
from services.kernel.vault import exported

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.handling.application.cases import Handling, History
    from services.handling.application.reading import Words, Written
    from services.handling.domain.privacy import Person
    from services.handling.ports import PeopleAtIntake
    from services.kernel.access import Credential
    from services.kernel.clock import Clock
    from services.kernel.store.writer import Writer
    from services.kernel.vault import Readings

KIND: Final = "subject"
"""What went out, as the access log names it."""
PURPOSE: Final = "data_request"
"""Why: the person asked what is held about them."""

README: Final = """\
What we hold about you
======================

person.json            your complaints, and a list of every document
cases/NUMBER/events.json   what happened to a complaint, in codes
cases/NUMBER/documents/    what you wrote and handed in, and what we wrote about it

JSON files open in any editor of text. NUMBER is the number of your receipt.
If "missing" in person.json names anything, it could not be opened: ask for it again.


我们保存的您的个人信息
======================

person.json            您的投诉，以及全部文件的清单
cases/编号/events.json     投诉的处理经过（代码形式）
cases/编号/documents/      您写的和提交的内容，以及我们与之有关的记录

JSON 文件可以用任何文本编辑器打开。“编号”是您的回执编号。
如果 person.json 中的 "missing" 不为空，说明有内容未能打开，请再次索取。
"""  # noqa: RUF001 Chinese has signs of its own


class _Pipe:
    """What a zip is written to: gives on what has gathered; cannot go back."""

    def __init__(self) -> None:
        self._gathered: list[bytes] = []

    def write(self, content: bytes) -> int:
        self._gathered.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Keep nothing back."""

    def taken(self) -> bytes:
        taken, self._gathered = b"".join(self._gathered), []
        return taken


class Exporting:
    """Gives people their own data."""

    def __init__(
        self,
        handling: Handling,
        words: Words,
        intake: PeopleAtIntake,
        readings: Readings,
        *,
        writer: Writer,
        now: Clock,
    ) -> None:
        self._handling = handling
        self._words = words
        self._intake = intake
        self._readings = readings
        self._writer = writer
        self._now = now

    async def begin(self, person: Person, *, by: Credential) -> AsyncIterator[bytes]:
        """Note the export, and give the bytes of the zip.

        Raises RefusedError where the person was erased, UnavailableError where intake,
        which has most of it, does not answer.
        """
        if person.erasure is not None:
            raise RefusedError(
                "privacy.erased",
                "This person's data was erased: nothing is left of it.",
            )
        await self._intake.inventory(person.subject_id)
        note = exported(
            by,
            at=self._now(),
            kind=KIND,
            purpose=PURPOSE,
            subject_id=person.subject_id,
        )
        await self._writer.run(lambda: self._readings.note([note]))
        return self._zip(person, by)

    async def _zip(self, person: Person, by: Credential) -> AsyncIterator[bytes]:
        pipe = _Pipe()
        cases: list[dict[str, Any]] = []
        missing: list[dict[str, str]] = []
        with zipfile.ZipFile(pipe, "w") as archive:  # type: ignore[call-overload] # it needs no more of a file than this
            archive.writestr("README.txt", README)
            for case in person.cases:
                history = await asyncio.to_thread(self._handling.history, str(case.id))
                folder = f"cases/{case.receipt_no}"
                archive.writestr(f"{folder}/events.json", _events(history))
                documents: list[dict[str, str]] = []
                for number, written in enumerate(documents_of(history.events), 1):
                    place = f"{folder}/documents/{number:02}-{written.ref.kind}"
                    told = {
                        "document_id": str(written.ref.document_id),
                        "kind": str(written.ref.kind),
                        "since": rfc3339(written.event.event.recorded_at),
                    }
                    try:
                        about, content = await self._opened(written, by)
                        name = place + _ending(about["media_type"])
                        with archive.open(name, "w") as file:
                            async for piece in content:
                                file.write(piece)
                                yield pipe.taken()
                        documents.append({"file": name, **about, **told})
                    except AmendsError as error:
                        missing.append({**told, "code": error.code})
                cases.append({**_case(history), "documents": documents})
            whole = {
                "subject_id": str(person.subject_id),
                "exported_at": rfc3339(self._now()),
                "cases": cases,
                "missing": missing,
            }
            archive.writestr("person.json", _json(whole))
        yield pipe.taken()

    async def _opened(
        self, written: Written, by: Credential
    ) -> tuple[dict[str, str], AsyncIterator[bytes]]:
        """Give what a document is, and its bytes, pieces of a file one by one."""
        found = (await self._words.read([written], reader=by, purpose=PURPOSE))[
            written.ref.document_id
        ]
        if isinstance(found, AmendsError):
            raise found
        if isinstance(found, Paper):
            return {"media_type": found.media_type}, _whole(found.content)
        sheet, content = await self._words.file(written, reader=by, purpose=PURPOSE)
        about = {
            "media_type": sheet.media_type,
            "name": sheet.name,
            "sha256": sheet.sha256,
        }
        return about, content


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _events(history: History) -> str:
    return _json([json.loads(codec.encode(known.event)) for known in history.events])


def _case(history: History) -> dict[str, str]:
    case = history.case
    return {
        "case_id": str(case.id),
        "receipt_no": case.receipt_no,
        "state": case.state,
        "received_at": rfc3339(case.received_at),
    }


def _ending(media_type: str) -> str:
    """Give what the name of a file ends with: by its type, never by its given name."""
    return mimetypes.guess_extension(media_type.partition(";")[0]) or ".bin"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"

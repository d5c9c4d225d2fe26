"""Forms with files in them, as browsers send them where no script runs.

They are read in memory, never onto a disk, and are therefore small: the edge refuses
more than `FORM_LIMIT`. Larger files come by resumable upload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.kernel.errors import AmendsError, UnreadableError
from services.kernel.web.pages.forms import Form, read_form

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks
    from starlette.requests import Request

MEDIA_TYPE: Final = "multipart/form-data"
FILES_LIMIT: Final = 10 * 1000**2
"""Bytes of all files that a form may bring by itself; pages state it."""
FORM_LIMIT: Final = FILES_LIMIT + 1024**2

_MOST_PARTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a form; `name` is what the browser says, and is not to be believed."""

    field: str
    name: str
    content: bytes


async def read_form_and_files(request: Request) -> tuple[Form, list[SentFile]]:
    """Read a form of either kind. Raises UnreadableError."""
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type.decode("latin-1") != MEDIA_TYPE:
        return await read_form(request), []
    reader = _Reader()
    try:
        parser = MultipartParser(options.get(b"boundary", b""), reader.callbacks())
        parser.write(await request.body())
        parser.finalize()
    except (MultipartParseError, ValueError):
        raise _unreadable() from None
    return reader.form(), reader.files


class Keeping(Protocol):
    """Takes a file of a form while it comes."""

    def open(self, name: str) -> None: ...

    def write(self, data: bytes) -> None: ...


async def read_form_keeping(request: Request, file: Keeping) -> Form:
    """Read a form whose one file is handed on while it comes, and is never in memory.

    What `file` refuses ends the reading, and the rest of the body is let pass, so that
    a browser reads the answer. Raises UnreadableError.
    """
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type.decode("latin-1") != MEDIA_TYPE:
        return await read_form(request)
    reader = _Reader(keeping=file)
    refused: AmendsError | None = None
    parser = MultipartParser(options.get(b"boundary", b""), reader.callbacks())
    async for chunk in request.stream():
        if refused is not None:
            continue
        try:
            parser.write(chunk)
        except AmendsError as error:
            refused = error
        except (MultipartParseError, ValueError):
            refused = _unreadable()
    if refused is not None:
        raise refused
    try:
        parser.finalize()
    except (MultipartParseError, ValueError):
        raise _unreadable() from None
    return reader.form()


@dataclass(slots=True)
class _Reader:
    files: list[SentFile] = field(default_factory=list)
    _values: dict[str, list[str]] = field(default_factory=dict)
    _name: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _about: bytes = b""
    _content: bytearray = field(default_factory=bytearray)
    _parts: int = 0
    keeping: Keeping | None = None
    _kept: bool = False
    _held: int = 0

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, at, end: self._name.extend(data[at:end]),
            "on_header_value": lambda data, at, end: self._value.extend(data[at:end]),
            "on_header_end": self._header,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def form(self) -> Form:
        return Form(self._values)

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise _unreadable()
        self._about, self._content, self._kept = b"", bytearray(), False

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.keeping is None:
            self._content.extend(data[start:end])
            return
        if not self._content and not self._kept:
            claimed = parse_options_header(self._about)[1].get(b"filename")
            if claimed:
                self._kept = True
                self.keeping.open(claimed.decode("utf-8", "replace"))
        if self._kept:
            self.keeping.write(data[start:end])
            return
        self._held += end - start
        if self._held > FORM_LIMIT:
            raise _unreadable()
        self._content.extend(data[start:end])

    def _header(self) -> None:
        if bytes(self._name).lower() == b"content-disposition":
            self._about = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _end(self) -> None:
        _, given = parse_options_header(self._about)
        name = given.get(b"name", b"").decode("utf-8", "replace")
        claimed = given.get(b"filename")
        if self._kept:
            return
        if claimed is None:
            try:
                text = self._content.decode("utf-8")
            except UnicodeDecodeError:
                raise _unreadable() from None
            if "\0" in name or "\0" in text:
                raise _unreadable()
            self._values.setdefault(name, []).append(text.replace("\r\n", "\n"))
        elif claimed or self._content:  # an empty field of files is sent as well
            label = claimed.decode("utf-8", "replace")
            self.files.append(SentFile(name, label, bytes(self._content)))


def _unreadable() -> UnreadableError:
    return UnreadableError("form.unreadable", "Send the form as a browser does.")

"""Reads lines of JSON, an object each; objects inside are columns joined by dots."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

from services.intake.importing.reading.encodings import NAMES, Reopened, encoding_of
from services.intake.importing.reading.table import (
    Row,
    Source,
    check_header,
    fault_at,
    row_of,
)
from services.kernel.errors import MalformedError

LINE_LIMIT: Final = 1024**2
"""Most bytes of one line of the file."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class JsonLines:
    """A file of JSON objects, read to its end once; a bad line spoils only itself."""

    def __init__(
        self,
        opened: Reopened,
        *,
        needed: Sequence[str],
        sha256: str,
        encoding: str | None = None,
    ) -> None:
        self._opened = opened
        self._needed = needed
        self._codec = encoding_of(opened, encoding)
        names: dict[str, None] = {}
        self.total = 0
        for _, flat in self._objects():
            self.total += 1
            names |= dict.fromkeys(flat if isinstance(flat, dict) else ())
        self.header = list(names)
        check_header(self.header, needed)
        self.source = Source(
            "jsonl", sha256, encoding=NAMES.get(self._codec, self._codec)
        )

    def rows(self) -> Iterator[Row]:
        """Read the rows; what an object does not have is an empty cell."""
        for line, flat in self._objects():
            if isinstance(flat, MalformedError):
                yield Row(line, (), {}, flat)
                continue
            cells = [flat.get(name, "") for name in self.header]
            yield row_of(line, cells, self.header, self._needed)

    def _objects(self) -> Iterator[tuple[int, dict[str, str] | MalformedError]]:
        with self._opened() as file:
            number = 0
            while line := file.readline(LINE_LIMIT + 1):
                number += 1
                if len(line) > LINE_LIMIT:
                    raise fault_at(
                        "import.long_line",
                        number,
                        f"has more than {LINE_LIMIT} bytes",
                        "Write one object a line.",
                    )
                if line.strip(b"\xef\xbb\xbf \t\r\n"):
                    yield number, self._object(number, line)

    def _object(self, number: int, line: bytes) -> dict[str, str] | MalformedError:
        try:
            return _flat(line.decode(self._codec))
        except (ValueError, RecursionError) as error:
            what = (
                "is nested too deeply"
                if isinstance(error, RecursionError)
                else f"is no JSON object: {error}"
            )
            return fault_at(
                "import.broken_json",
                number,
                what,
                "Write one object a line, of texts, numbers and objects of these.",
            )


def _flat(text: str) -> dict[str, str]:
    """Give all values as texts, numbers as they are written; raises ValueError."""
    flat: dict[str, str] = {}
    _spread("", _DECODER.decode(text.lstrip("\ufeff")), flat)
    return flat


def _spread(path: str, value: Any, into: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, each in value.items():
            _spread(f"{path}.{name}" if path else name, each, into)
        return
    if not path:
        raise ValueError("it is another value")
    if isinstance(value, list):
        raise ValueError(f"{path} is a list")  # noqa: TRY004 as the others here
    text = "" if value is None else value
    text = str(text).lower() if isinstance(text, bool) else text
    if path in into:
        raise ValueError(f"{path} is there twice")
    if _SURROGATE.search(text):
        raise ValueError(f"{path} holds half a character")
    into[path] = text


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    if any(_SURROGATE.search(name) for name in found):
        raise ValueError("a name holds half a character")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=str,
    parse_float=str,
    parse_constant=_no_number,
)
"""Keeps numbers as they are written: no digit is lost."""

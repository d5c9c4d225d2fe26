"""Rows that an import rejected: why, and the file in which they come back."""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TextIO

from services.intake.cli.reading.table import REJECTS, Row, unarmed
from services.kernel.errors import AmendsError, FieldError, MisuseError

_HEADER: Final = REJECTS["en"]
_LONGEST: Final = 60
"""Most characters of a value that a reason repeats."""
_LINE: Final = re.compile(r"^line \d+(, )?")


def reason(fault: AmendsError, given: Mapping[str, Any]) -> str:
    """Say what is wrong with what was given, and what would be right."""
    told = "; ".join(_told(each, given) for each in _faults(fault))
    return f"{fault.code}: {told}"


def kinds(fault: AmendsError) -> Iterator[str]:
    """Say each thing that is wrong in words that other rows share."""
    for each in _faults(fault):
        place = _LINE.sub("", each.field)
        yield f"{fault.code}: {f'{place} {each.message}'.strip()}"


class Rejects:
    """The file of rejected rows, made when the first one comes."""

    def __init__(
        self,
        stack: ExitStack,
        target: Path | None,
        source: Path,
        header: Sequence[str],
    ) -> None:
        if target is not None:
            _writable(target, source)
        self._stack = stack
        self._target = target
        self._header = header
        self._file: TextIO | None = None
        self._skip = 0

    def write(self, row: Row, reason: str) -> None:
        if self._target is None:
            return
        if self._file is None:
            self._file = self._stack.enter_context(
                self._target.open("w", encoding="utf-8", newline="")
            )
            header = self._header
            # A file of rejects that was rejected again does not grow columns.
            self._skip = len(_HEADER) if list(header[:2]) in REJECTS.values() else 0
            self._cells([*_HEADER, *header[self._skip :]])
        self._cells([str(row.line), reason, *row.cells[self._skip :]])

    def _cells(self, cells: Sequence[str]) -> None:
        assert self._file is not None  # noqa: S101 opened by `write`
        csv.writer(self._file).writerow([unarmed(cell) for cell in cells])


def _writable(target: Path, source: Path) -> None:
    """Refuse, before anything is sent, a file that could not or must not be written."""
    if target.exists() and target.samefile(source):
        raise MisuseError(
            "import.rejects_is_source",
            "The rejects would overwrite the file that is read: name another one.",
        )
    if target.is_dir() or not os.access(
        target if target.exists() else target.absolute().parent, os.W_OK
    ):
        raise MisuseError(
            "import.rejects_unwritable",
            f"{target} cannot be written: name a file in a folder of yours.",
        )


def _faults(fault: AmendsError) -> list[FieldError]:
    """Give what is wrong with a row; the whole of it where no field is named."""
    return list(fault.errors) or [FieldError("", fault.detail, "")]


def _told(fault: FieldError, given: Mapping[str, Any]) -> str:
    """Say what is wrong with what was given, and what would be right."""
    value = _given(given, fault.field)
    shown = f" {str(value)[:_LONGEST]!r}" if value else ""
    remedy = f" ({fault.remedy.rstrip('.')})" if fault.remedy else ""
    return f"{fault.field}{shown} {fault.message.rstrip('.')}{remedy}".strip()


def _given(given: Mapping[str, Any], path: str) -> object:
    """Look a field up by its column, or by its path in a submission."""
    found: object = given
    for name in [path] if path in given else path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found

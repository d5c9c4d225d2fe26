"""Opens a table by what it holds, whatever its name: CSV, XLSX, JSON lines, or gzip."""

import gzip
import hashlib
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from services.intake.importing.reading.delimited import Delimited
from services.intake.importing.reading.json_lines import JsonLines
from services.intake.importing.reading.table import Score, Table, naming
from services.intake.importing.reading.workbook import Workbook, too_big
from services.kernel.errors import MalformedError, NotFoundError

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_FOREIGN: Final = {
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF file",
    b"<?xm": "an XML file",
    b"<htm": "a web page",
    b"<!DO": "a web page",
    b"PAR1": "a Parquet file",
}
_PACKED: Final = 256 * 1024**2
"""Most bytes of a workbook that comes in gzip."""
_CHUNK: Final = 1024**2


@contextmanager
def opened_table(
    path: Path,
    *,
    needed: Sequence[str] = (),
    score: Score | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Iterator[Table]:
    """Open a file as the table that it is; its first bytes decide, not its name.

    `score` finds the header among the first rows; else it is where the `needed`
    columns are named. Raises `MalformedError` for what spoils the whole file (its
    encoding, an unclosed quote, missing or doubled columns) and `NotFoundError`; what
    spoils one row comes with that row.
    """
    score = score or naming(needed)
    with unpacked(path) as file:
        head = file.read(_CHUNK)
    for mark, what in _FOREIGN.items():
        if head.startswith(mark):
            raise MalformedError(
                "import.no_table", f"This is {what}: save the table as XLSX or CSV."
            )
    sha256 = _sha256(path)
    with ExitStack() as stack:
        if head.startswith(_ZIP):
            yield Workbook(
                stack.enter_context(_seekable(path)),
                needed=needed,
                score=score,
                sha256=sha256,
                sheet=sheet,
            )
        elif head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            yield JsonLines(
                lambda: unpacked(path), needed=needed, sha256=sha256, encoding=encoding
            )
        else:
            yield Delimited(
                lambda: unpacked(path),
                needed=needed,
                score=score,
                sha256=sha256,
                encoding=encoding,
            )


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open the file, unpacked where it is gzip, whatever its name."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else raw as file:
                yield file  # type: ignore[misc] # GzipFile reads as any file
    except FileNotFoundError:
        raise NotFoundError(
            "import.no_file", f"There is no file {path}: check its name."
        ) from None
    except (IsADirectoryError, PermissionError):
        raise NotFoundError(
            "import.unreadable_file",
            f"{path} cannot be read: give a file that you may read.",
        ) from None
    except (gzip.BadGzipFile, zlib.error, EOFError, OSError) as error:
        raise MalformedError(
            "import.damaged_file", f"Get the file once more; it is damaged: {error}."
        ) from None


@contextmanager
def _seekable(path: Path) -> Iterator[Path]:
    """Give a workbook as a file that can be read from any place."""
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    if not packed:
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="amends-import-") as kept:
        with unpacked(path) as file:
            size = 0
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > _PACKED:
                    raise too_big()
                kept.write(chunk)
        kept.flush()
        yield Path(kept.name)


def _sha256(path: Path) -> str:
    """Give the digest of the file as it lies there, packed or not."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

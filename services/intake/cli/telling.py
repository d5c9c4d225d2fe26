"""What a terminal shows of an import: the bar while it runs, what became of the rows."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from services.intake.importing.reading.table import Source
from services.intake.importing.running import Summary

_SHOWN: Final = 10
"""Most reasons that are told a person."""
_WIDTH: Final = 60
"""Most characters of a value in a preview."""
_MARKS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


class Watching(Protocol):
    """Told how many of something are done, of how many."""

    def __call__(self, done: int, total: int, /, what: str = ...) -> None: ...


@contextmanager
def readable(file: Path) -> Iterator[Path]:
    """Give the file; for `-` standard input, kept for as long as it is read."""
    if str(file) != "-":
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="amends-import-") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        yield Path(kept.name)


@contextmanager
def watched(*, shown: bool) -> Iterator[Watching]:
    """Show a bar on a terminal's standard error; elsewhere nothing."""
    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield lambda _done, _total, what="": None  # noqa: ARG005 as it is called
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("complaints")

        def tell(done: int, total: int, /, what: str = "complaints") -> None:
            bar.update(task, completed=done, total=total, description=what)

        yield tell


def as_json(summary: Summary) -> str:
    counts: dict[str, object] = {} if summary.foreseen else {"batch": summary.batch}
    if summary.foreseen and not summary.duplicates_known:
        counts["duplicates_known"] = False
    counts |= {
        "read": summary.read,
        "accepted": summary.accepted,
        "duplicates": summary.duplicates,
        "rejected": summary.rejected,
    }
    if summary.continued:
        counts["continued"] = summary.continued
    if summary.rejected:
        counts["reasons"] = summary.reasons
    if summary.left_out:
        counts["left_out"] = {"channel": summary.left_out}
    if summary.before is not None:
        counts["imported_before"] = summary.before
    if summary.histories is not None:
        counts["histories"] = summary.histories.told()
    if summary.source:
        told = asdict(summary.source)
        counts["source"] = {name: each for name, each in told.items() if each}
    if summary.columns is not None:
        counts["columns"] = summary.columns
    if summary.preview:
        counts["preview"] = [{"line": line} | each for line, each in summary.preview]
    return json.dumps(counts, ensure_ascii=False)


def printed(summary: Summary, *, rejects: Path | None) -> str:
    lines = [f"Read as {_told(summary.source)}."] if summary.source else []
    if summary.columns is not None:
        lines.append("Columns by their names:")
        lines += [
            f"  {name:<20} {_plain(each)}" for name, each in summary.columns.items()
        ]
    for line, each in summary.preview:
        lines.append(f"Line {line} would be:")
        lines += [f"  {name:<20} {value}" for name, value in _flat("", each)]
    lines += [
        "Nothing was sent; this is what would be:"
        if summary.foreseen
        else f"Imported as batch {summary.batch}:",
        f"  read        {summary.read:>9,}",
        f"  accepted    {summary.accepted:>9,}",
        f"  duplicates  {summary.duplicates:>9,}"
        + ("" if summary.duplicates_known else "  (amends is not running to be asked)"),
        f"  rejected    {summary.rejected:>9,}",
    ]
    if summary.continued:
        lines.append(
            f"  continued   {summary.continued:>9,}  (more rows of a complaint above)"
        )
    lines += [
        f"  {count:>9,} × channel {_plain(word)} is none of ours: left out"  # noqa: RUF001
        for word, count in summary.left_out.most_common(_SHOWN)
    ]
    if summary.before is not None:
        lines += _before(summary.before)
    if summary.rejected:
        lines += [
            f"  {count:>9,} × {reason}"  # noqa: RUF001 the sign, for people
            for reason, count in summary.reasons.most_common(_SHOWN)
        ]
        if (others := len(summary.reasons) - _SHOWN) > 0:
            lines.append(f"            and {others} other reasons")
        lines.append(
            f"Correct the rows in {rejects} and import that file."
            if rejects
            else "Run it again with --rejects FILE to get these rows and the reasons."
        )
    if summary.histories is not None:
        lines += summary.histories.lines()
    return "\n".join(lines)


def _before(batch: Mapping[str, Any]) -> Iterator[str]:
    """Say that the file came before, and whether figures count what it brought."""
    yield (
        f"This very file was imported as batch {batch['batch']} on"
        f" {batch['begun_at'][:10]} ({batch['format']}, {batch['cases']:,} complaints)."
    )
    if batch["revoked"]:
        yield (
            f"That import was revoked: {batch['revoked']:,} of its complaints count in"
            " no figure, and importing them again changes nothing. To count them again:"
            f" amends import --reinstate {batch['batch']}"
        )


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Give every field of a submission by its path, fit for a terminal."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(f"{path}.{name}".lstrip("."), each)
    else:
        yield path, _plain(str(value))


def _plain(text: str) -> str:
    """Give a text on one line, without what a terminal would obey."""
    shown = text[:_WIDTH] + ("…" if len(text) > _WIDTH else "")
    return "".join(each if each.isprintable() else "·" for each in shown)


def _told(source: Source) -> str:
    """Say what a file was read as, so that a wrong guess is seen."""
    parts = [source.kind.upper()]
    if source.encoding:
        parts.append(source.encoding)
    if source.delimiter:
        parts.append(f"columns by {_MARKS.get(source.delimiter, source.delimiter)}")
    if source.sheet:
        parts.append(f"sheet {source.sheet}")
    if source.kind != "jsonl":
        parts.append(f"header in line {source.header_line}")
    return ", ".join(parts)

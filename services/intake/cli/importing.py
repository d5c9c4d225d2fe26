"""`amends import`: rows of a file to intake's batch endpoint; repeating is harmless.

Every row has a key of its own, so what was received before is a duplicate the next
time and an import that was cut short is finished by running it again.
"""

import json
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from services.intake.cli.histories import Counts, Histories
from services.intake.cli.reading.opening import opened_table
from services.intake.cli.reading.table import Row, Source
from services.intake.cli.rejects import Rejects, kinds, reason
from services.intake.cli.sending import posted
from services.intake.domain.history import StatedHistory
from services.intake.domain.mapping import Coder, TableMapping, submission_of
from services.intake.domain.submission import Submission
from services.kernel.clock import Clock, system_clock
from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    MisuseError,
)
from services.kernel.i18n import DEFAULT

BATCH_SIZE: Final = 500
_BATCH_BYTES: Final = 4 * 1024**2
_SHOWN: Final = 10
"""Most reasons that are told a person."""
_TAKEN: Final = (HTTPStatus.CREATED, HTTPStatus.OK)
_PREVIEWED: Final = 2
_WIDTH: Final = 60
"""Most characters of a value in a preview."""
_MARKS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_BATCH_URL: Final = "/api/intake/complaints:batch"
_REUSED: Final = "intake.key_reused"
_CHANGED: Final = FieldError(
    "identifier",
    "was received before with other contents",
    "What was received stays; give another complaint an identifier of its own.",
)


@dataclass(slots=True)
class Summary:
    """What became of the rows; every one is counted once."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    continued: int = 0
    """Rows that go on with the complaint of the row above (`several_rows`)."""
    source: Source | None = field(default=None, compare=False)
    """What the rows were read from."""
    batch: str = field(default="", compare=False)
    """Names the run; every complaint that it brings keeps it."""
    columns: Mapping[str, str] | None = field(default=None, compare=False)
    """Which column was taken for which field, where that was guessed."""
    preview: list[tuple[int, dict[str, Any]]] = field(
        default_factory=list, compare=False
    )
    """Line and submission of the first rows, where nothing was sent."""
    reasons: Counter[str] = field(default_factory=Counter, compare=False)
    """How many rows each reason rejected; a row may have several."""
    histories: Counts | None = None
    """What became of the histories, where they were asked for."""

    def place(self, row: Row) -> dict[str, dict[str, str | int]]:
        """Say where the row's complaint comes from."""
        file = self.source.sha256 if self.source else ""
        return {"imported_from": {"batch": self.batch, "file": file, "line": row.line}}

    def show(self, row: Row, submission: dict[str, Any], *, wanted: bool) -> None:
        """Keep a row for the preview, if it is one of the first and one is wanted."""
        if wanted and len(self.preview) < _PREVIEWED:
            self.preview.append((row.line, submission))

    @property
    def all_taken(self) -> bool:
        """Tell whether nothing was rejected or refused."""
        return not self.rejected and not (self.histories and self.histories.refused)


class Progress(Protocol):
    """Told how many rows are done, of how many."""

    def __call__(self, done: int, total: int, /) -> None: ...


@dataclass(slots=True)
class _Batch:
    rows: list[Row] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    pasts: list[StatedHistory | None] = field(default_factory=list)
    size: int = 0

    def add(self, row: Row, line: bytes, past: StatedHistory | None) -> None:
        self.rows.append(row)
        self.pasts.append(past)
        self.lines.append(line)
        self.size += len(line)


def load_mapping(name: str) -> TableMapping:
    """Read one of amends's own mapping files, or one by its path (`….toml`).

    Raises `MisuseError`, or `MalformedError` naming what is wrong in it.
    """
    source = Path(name)
    if not name.endswith(".toml"):
        ours = _own_formats()
        if name not in ours:
            raise MisuseError(
                "import.unknown_format",
                f"There is no format {name}: choose one of {', '.join(ours)}, or give"
                " the path of a mapping file that ends in .toml.",
            )
        source = ours[name]
    try:
        text = source.read_text("utf-8")
    except OSError as error:
        raise MisuseError(
            "import.no_mapping",
            f"The mapping file {name} cannot be read ({error.strerror}): check its path,"
            f" or choose one of the formats {', '.join(_own_formats())}.",
        ) from None
    except UnicodeDecodeError:
        raise MalformedError(
            "import.mapping", "Save the mapping file as UTF-8."
        ) from None
    try:
        return TableMapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MalformedError(
            "import.mapping", f"Correct the mapping file: {error}."
        ) from None
    except ValidationError as refused:
        raise MalformedError(
            "import.mapping",
            "Correct the mapping file.",
            errors=[
                FieldError(
                    ".".join(map(str, each["loc"])),
                    each["msg"],
                    "See mappings/cfpb.toml.",
                )
                for each in refused.errors()
            ],
        ) from None


def _own_formats() -> dict[str, Path]:
    """Give amends's own mapping files by the name of their format."""
    with resources.as_file(resources.files("services.intake") / "mappings") as folder:
        return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def run_import(
    client: httpx.Client | None,
    path: Path,
    mapping: TableMapping,
    *,
    rejects: Path | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    language: str = DEFAULT,
    batch_size: int = BATCH_SIZE,
    histories: Histories | None = None,
    progress: Progress = lambda _done, _total: None,
    now: Clock = system_clock,
    sleep: Callable[[float], None] = time.sleep,
) -> Summary:
    """Hand in every row of `path`; without a client only say what would become of it.

    The file is read to its end first: a broken one is refused as a whole, before
    anything is sent. Rows at fault go to `rejects` with line and reason in front of the
    cells. `encoding` and `sheet` say what would be found out otherwise. `histories`
    keeps what the rows that were taken state of the past, for the second half of the
    import. Raises `MalformedError` for the file, `UnavailableError` where intake stays
    away; then running it again goes on.
    """
    needed = mapping.columns(history=histories is not None)
    summary = Summary()
    with ExitStack() as stack:
        table = stack.enter_context(
            opened_table(path, needed=needed, encoding=encoding, sheet=sheet)
        )
        summary.source = table.source
        summary.batch = f"{now():%Y%m%dT%H%M%SZ}-{table.source.sha256[:8]}"
        rejected = Rejects(stack, rejects, path, table.header, language)
        coder = Coder(mapping.codes)

        def send(batch: _Batch) -> None:
            results = (
                posted(client, _BATCH_URL, batch.lines, sleep)
                if client
                else list(_checked(batch, now))
            )
            for row, line, result in zip(batch.rows, batch.lines, results, strict=True):
                _count(summary, rejected, row, line, result)
            _keep(histories, batch, results)
            progress(summary.read, max(table.total, summary.read))

        batch = _Batch()
        above = None
        for row in table.rows():
            summary.read += 1
            try:
                if row.fault is not None:
                    raise row.fault
                if mapping.several_rows:
                    if (key := mapping.key_of(row.values)) == above:
                        summary.continued += 1
                        continue
                    above = key
                submission = submission_of(mapping, row.values, coder)
                past = _past(histories, row, submission)
                line = _line(submission | summary.place(row))
            except MalformedError as fault:
                _reject(summary, rejected, row, fault, row.values)
                continue
            if len(batch.rows) == batch_size or batch.size + len(line) > _BATCH_BYTES:
                send(batch)
                batch = _Batch()
            batch.add(row, line, past)
            summary.show(row, submission, wanted=client is None)
        if batch.rows:
            send(batch)
        progress(summary.read, summary.read)
    return summary


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
def watched(*, shown: bool, what: str = "complaints") -> Iterator[Progress]:
    """Show a bar on a terminal's standard error; elsewhere nothing."""
    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield lambda _done, _total: None
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(what),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("import")

        def tell(done: int, total: int, /) -> None:
            bar.update(task, completed=done, total=total)

        yield tell


def as_json(summary: Summary) -> str:
    counts: dict[str, object] = {
        "read": summary.read,
        "accepted": summary.accepted,
        "duplicates": summary.duplicates,
        "rejected": summary.rejected,
    }
    if summary.continued:
        counts["continued"] = summary.continued
    if summary.rejected:
        counts["reasons"] = summary.reasons
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


def printed(summary: Summary, *, dry_run: bool, rejects: Path | None) -> str:
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
        "Nothing was sent; this is what would be:" if dry_run else "Imported:",
        f"  read        {summary.read:>9,}",
        f"  accepted    {summary.accepted:>9,}",
        f"  duplicates  {summary.duplicates:>9,}"
        + ("  (not known before they are sent)" if dry_run else ""),
        f"  rejected    {summary.rejected:>9,}",
    ]
    if summary.continued:
        lines.append(
            f"  continued   {summary.continued:>9,}  (more rows of a complaint above)"
        )
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


def _past(
    histories: Histories | None, row: Row, submission: Mapping[str, Any]
) -> StatedHistory | None:
    """Read what the row states of the past, where that is wanted."""
    return histories.read(row.values, submission) if histories else None


def _keep(
    histories: Histories | None, batch: _Batch, results: list[dict[str, Any]]
) -> None:
    """Lay the histories of the rows aside that intake has."""
    if histories is None:
        return
    for row, past, result in zip(batch.rows, batch.pasts, results, strict=True):
        if past is not None and result["status"] in _TAKEN:
            histories.keep(row.line, result.get("case_id"), past)


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


def _line(submission: dict[str, Any]) -> bytes:
    return json.dumps(submission, ensure_ascii=False).encode() + b"\n"


def _count(
    summary: Summary, rejected: Rejects, row: Row, line: bytes, result: dict[str, Any]
) -> None:
    """Count a row as intake answered; `line` is what it was sent."""
    match result["status"]:
        case HTTPStatus.CREATED:
            summary.accepted += 1
        case HTTPStatus.OK:
            summary.duplicates += 1
        case _:
            errors = [FieldError(**each) for each in result.get("errors", ())]
            given = json.loads(line)
            if result["code"] == _REUSED:
                errors = [_CHANGED]
                given["identifier"] = given["idempotency_key"]
            fault = AmendsError(result["code"], result["detail"], errors=errors)
            _reject(summary, rejected, row, fault, given)


def _reject(
    summary: Summary,
    rejected: Rejects,
    row: Row,
    fault: AmendsError,
    given: Mapping[str, Any],
) -> None:
    summary.rejected += 1
    summary.reasons.update(kinds(fault))
    rejected.write(row, reason(fault, given, rejected.language))


def _checked(batch: _Batch, now: Clock) -> Iterator[dict[str, Any]]:
    """Say what intake would say of the form of each line, without asking it."""
    for line in batch.lines:
        document = json.loads(line)
        del document["idempotency_key"]
        try:
            Submission.parse(document, now=now())
        except MalformedError as fault:
            yield {
                "status": HTTPStatus.UNPROCESSABLE_ENTITY,
                "code": fault.code,
                "detail": fault.detail,
                "errors": [asdict(each) for each in fault.errors],
            }
        else:
            yield {"status": 201}

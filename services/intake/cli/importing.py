"""`amends import`: rows of a file to intake's batch endpoint; repeating is harmless.

Every row has a key of its own, so what was received before is a duplicate the next
time and an import that was cut short is finished by running it again.
"""

import csv
import json
import os
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

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

from services.intake.cli.table import Row, count_rows, header_of, rows_of, unarmed
from services.intake.domain.mapping import Coder, TableMapping, submission_of
from services.intake.domain.submission import Submission
from services.kernel.clock import Clock, system_clock
from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    NotFoundError,
    UnavailableError,
)

BATCH_SIZE: Final = 500
_BATCH_BYTES: Final = 4 * 1024**2
_TRIES: Final = 6
_FIRST_PAUSE: Final = 0.5  # seconds; doubled at each try
_REASONS: Final = ["line", "reason"]
_BATCH_URL: Final = "/api/intake/complaints:batch"


@dataclass(slots=True)
class Summary:
    """What became of the rows; every one is counted once."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0


class Progress(Protocol):
    """Told how many rows are done, of how many."""

    def __call__(self, done: int, total: int, /) -> None: ...


@dataclass(slots=True)
class _Batch:
    rows: list[Row] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, row: Row, line: bytes) -> None:
        self.rows.append(row)
        self.lines.append(line)
        self.size += len(line)


def load_mapping(name: str) -> TableMapping:
    """Read one of amends's own mapping files, or one by its path (`….toml`).

    Raises `NotFoundError`, or `MalformedError` naming what is wrong in it.
    """
    if name.endswith(".toml"):
        source = Path(name)
        known = source.is_file()
    else:
        source = resources.files("services.intake") / "mappings" / f"{name}.toml"  # type: ignore[assignment] # read alike
        known = name.isidentifier() and source.is_file()
    if not known:
        raise NotFoundError(
            "import.unknown_format", "Give --format cfpb, or the path of a .toml file."
        )
    try:
        return TableMapping.model_validate(tomllib.loads(source.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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


def run_import(
    client: httpx.Client | None,
    path: Path,
    mapping: TableMapping,
    *,
    rejects: Path | None = None,
    batch_size: int = BATCH_SIZE,
    progress: Progress = lambda _done, _total: None,
    now: Clock = system_clock,
    sleep: Callable[[float], None] = time.sleep,
) -> Summary:
    """Hand in every row of `path`; without a client only say what would become of it.

    The file is read to its end first: a broken one is refused as a whole, before
    anything is sent. Rows at fault go to `rejects`, a CSV with line and reason in front
    of the cells. Raises `MalformedError` for the file, `UnavailableError` where intake
    stays away; then running it again goes on.
    """
    total = count_rows(path, mapping.columns())
    summary = Summary()
    with ExitStack() as stack:
        rejected = _Rejects(stack, rejects, path)
        coder = Coder(mapping.codes)

        def send(batch: _Batch) -> None:
            results = _posted(client, batch, sleep) if client else _checked(batch, now)
            for row, result in zip(batch.rows, results, strict=True):
                _count(summary, row, result, rejected)
            progress(summary.read, total)

        batch = _Batch()
        for row in rows_of(path, mapping.columns()):
            summary.read += 1
            try:
                if row.fault is not None:
                    raise row.fault
                line = _line(submission_of(mapping, row.values, coder))
            except MalformedError as fault:
                summary.rejected += 1
                rejected.write(row, _reason(fault))
                continue
            if len(batch.rows) == batch_size or batch.size + len(line) > _BATCH_BYTES:
                send(batch)
                batch = _Batch()
            batch.add(row, line)
        if batch.rows:
            send(batch)
        progress(summary.read, total)
    return summary


@contextmanager
def watched(*, shown: bool) -> Iterator[Progress]:
    """Show a bar on a terminal's standard error; elsewhere nothing."""
    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield lambda _done, _total: None
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("complaints"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("import")

        def tell(done: int, total: int, /) -> None:
            bar.update(task, completed=done, total=total)

        yield tell


def as_json(summary: Summary) -> str:
    return json.dumps(asdict(summary))


def printed(summary: Summary, *, dry_run: bool, rejects: Path | None) -> str:
    lines = [
        "Nothing was sent; this is what would be:" if dry_run else "Imported:",
        f"  read        {summary.read:>9,}",
        f"  accepted    {summary.accepted:>9,}",
        f"  duplicates  {summary.duplicates:>9,}"
        + ("  (not known before they are sent)" if dry_run else ""),
        f"  rejected    {summary.rejected:>9,}",
    ]
    if summary.rejected:
        lines.append(
            f"Correct the rows in {rejects} and import that file."
            if rejects
            else "Run it again with --rejects FILE to get these rows and the reasons."
        )
    return "\n".join(lines)


class _Rejects:
    """The file of rejected rows, made when the first one comes."""

    def __init__(self, stack: ExitStack, target: Path | None, source: Path) -> None:
        if target is not None:
            _writable(target, source)
        self._stack = stack
        self._target = target
        self._source = source
        self._file: TextIO | None = None
        self._skip = 0

    def write(self, row: Row, reason: str) -> None:
        if self._target is None:
            return
        if self._file is None:
            self._file = self._stack.enter_context(
                self._target.open("w", encoding="utf-8", newline="")
            )
            header = header_of(self._source)
            # A file of rejects that was rejected again does not grow columns.
            self._skip = len(_REASONS) if header[: len(_REASONS)] == _REASONS else 0
            self._cells([*_REASONS, *header[self._skip :]])
        self._cells([str(row.line), reason, *row.cells[self._skip :]])

    def _cells(self, cells: Sequence[str]) -> None:
        assert self._file is not None  # noqa: S101 opened by `write`
        csv.writer(self._file).writerow([unarmed(cell) for cell in cells])


def _writable(target: Path, source: Path) -> None:
    """Refuse, before anything is sent, a file that could not or must not be written."""
    if target.exists() and target.samefile(source):
        raise MalformedError(
            "import.rejects_is_source",
            "The rejects would overwrite the file that is read: name another one.",
        )
    if target.is_dir() or not os.access(
        target if target.exists() else target.absolute().parent, os.W_OK
    ):
        raise MalformedError(
            "import.rejects_unwritable",
            f"{target} cannot be written: name a file in a folder of yours.",
        )


def _line(submission: dict[str, Any]) -> bytes:
    return json.dumps(submission, ensure_ascii=False).encode() + b"\n"


def _count(
    summary: Summary, row: Row, result: dict[str, Any], rejected: _Rejects
) -> None:
    match result["status"]:
        case 201:
            summary.accepted += 1
        case 200:
            summary.duplicates += 1
        case _:
            summary.rejected += 1
            rejected.write(row, _told(result))


def _posted(
    client: httpx.Client, batch: _Batch, sleep: Callable[[float], None]
) -> list[dict[str, Any]]:
    """Send a batch until every line has an answer that is not 'unknown'."""
    body = b"".join(batch.lines)
    pause = _FIRST_PAUSE
    for _ in range(_TRIES):
        results = _once(client, body, len(batch.lines))
        if results is not None:
            return results
        sleep(pause)
        pause *= 2
    raise UnavailableError(
        "import.intake_away",
        "Run the same import again when amends answers: nothing is received twice.",
    )


def _once(
    client: httpx.Client, body: bytes, expected: int
) -> list[dict[str, Any]] | None:
    """Give the results of all lines, or None where sending again may help."""
    try:
        answer = client.post(
            _BATCH_URL, content=body, headers={"Content-Type": "application/x-ndjson"}
        )
    except httpx.TransportError:
        return None
    if answer.status_code >= 500:  # noqa: PLR2004 the class of statuses that may pass
        return None
    if answer.status_code == 401:  # noqa: PLR2004 a token lives as long as its process
        raise UnavailableError(
            "import.intake_restarted",
            "amends was started anew meanwhile: run the same import again, nothing is"
            " received twice.",
        )
    if not answer.is_success:
        raise MalformedError(
            "import.refused", f"Intake refused the import: {_told(answer.json())}"
        )
    results = [json.loads(line) for line in answer.content.splitlines()]
    if len(results) != expected or any(each["status"] >= 500 for each in results):  # noqa: PLR2004 as above
        return None
    return results


def _checked(batch: _Batch, now: Clock) -> Iterator[dict[str, Any]]:
    """Say what intake would say of the form of each line, without asking it."""
    for line in batch.lines:
        document = json.loads(line)
        del document["idempotency_key"]
        try:
            Submission.parse(document, now=now())
        except MalformedError as fault:
            yield {"status": 422, "detail": _reason(fault)}
        else:
            yield {"status": 201}


def _reason(fault: AmendsError) -> str:
    named = "; ".join(f"{each.field} {each.message}" for each in fault.errors)
    return f"{fault.code}: {named or fault.detail}"


def _told(problem: dict[str, Any]) -> str:
    named = "; ".join(
        f"{each['field']} {each['message']}" for each in problem.get("errors", ())
    )
    if "code" not in problem:
        return str(problem.get("detail", problem["status"]))
    return f"{problem['code']}: {named or problem['detail']}"

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

from services.intake.cli.rejects import Rejects, kinds, reason
from services.intake.cli.table import Row, count_rows, rows_of
from services.intake.domain.mapping import Coder, TableMapping, submission_of
from services.intake.domain.submission import Submission
from services.kernel.clock import Clock, system_clock
from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    MisuseError,
    UnavailableError,
)

BATCH_SIZE: Final = 500
_BATCH_BYTES: Final = 4 * 1024**2
_TRIES: Final = 6
_FIRST_PAUSE: Final = 0.5  # seconds; doubled at each try
_SHOWN: Final = 10
"""Most reasons that are told a person."""
_BATCH_URL: Final = "/api/intake/complaints:batch"


@dataclass(slots=True)
class Summary:
    """What became of the rows; every one is counted once."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    continued: int = 0
    """Rows that go on with the complaint of the row above (`several_rows`)."""
    reasons: Counter[str] = field(default_factory=Counter, compare=False)
    """How many rows each reason rejected; a row may have several."""


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
        rejected = Rejects(stack, rejects, path)
        coder = Coder(mapping.codes)

        def send(batch: _Batch) -> None:
            results = _posted(client, batch, sleep) if client else _checked(batch, now)
            for row, line, result in zip(batch.rows, batch.lines, results, strict=True):
                _count(summary, rejected, row, line, result)
            progress(summary.read, total)

        batch = _Batch()
        above = None
        for row in rows_of(path, mapping.columns()):
            summary.read += 1
            try:
                if row.fault is not None:
                    raise row.fault
                if mapping.several_rows:
                    if (key := mapping.key_of(row.values)) == above:
                        summary.continued += 1
                        continue
                    above = key
                line = _line(submission_of(mapping, row.values, coder))
            except MalformedError as fault:
                _reject(summary, rejected, row, fault, row.values)
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
    return json.dumps(counts, ensure_ascii=False)


def printed(summary: Summary, *, dry_run: bool, rejects: Path | None) -> str:
    lines = [
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
    return "\n".join(lines)


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
            fault = AmendsError(result["code"], result["detail"], errors=errors)
            _reject(summary, rejected, row, fault, json.loads(line))


def _reject(
    summary: Summary,
    rejected: Rejects,
    row: Row,
    fault: AmendsError,
    given: Mapping[str, Any],
) -> None:
    summary.rejected += 1
    summary.reasons.update(kinds(fault))
    rejected.write(row, reason(fault, given))


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
    if answer.is_server_error:
        return None
    if answer.status_code == HTTPStatus.UNAUTHORIZED:  # a token lives as its process
        raise UnavailableError(
            "import.intake_restarted",
            "amends was started anew meanwhile: run the same import again, nothing is"
            " received twice.",
        )
    if not answer.is_success:
        raise MalformedError(
            "import.refused",
            f"Intake refused the import: {answer.json().get('detail', answer.text)}",
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
            yield {
                "status": HTTPStatus.UNPROCESSABLE_ENTITY,
                "code": fault.code,
                "detail": fault.detail,
                "errors": [asdict(each) for each in fault.errors],
            }
        else:
            yield {"status": 201}

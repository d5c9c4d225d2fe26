"""Imports a file: its rows to intake's batch endpoint; repeating is harmless.

Every row has a key of its own, so what was received before is a duplicate the next
time and an import that was cut short is finished by running it again.
"""

import json
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from pydantic import ValidationError

from services.intake.domain.history import StatedHistory
from services.intake.domain.mapping import Coder, TableMapping, submission_of
from services.intake.domain.submission import Submission
from services.intake.importing.histories import Counts, Histories
from services.intake.importing.reading.opening import opened_table
from services.intake.importing.reading.table import Row, Source
from services.intake.importing.rejects import Rejects, kinds, reason
from services.intake.importing.sending import posted
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
_TAKEN: Final = (HTTPStatus.CREATED, HTTPStatus.OK)
_PREVIEWED: Final = 2
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

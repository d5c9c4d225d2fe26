"""Imports a file: its rows to intake's batch endpoint; repeating is harmless.

Every row has a key of its own, so what was received before is a duplicate the next
time and an import that was cut short is finished by running it again.
"""

import json
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import httpx
from pydantic import ValidationError

from services.intake.domain.history import StatedHistory
from services.intake.domain.mapping import Coder, TableMapping, submission_of
from services.intake.domain.submission import Submission
from services.intake.importing.histories import Counts, Histories
from services.intake.importing.mapping_faults import mapping_faults
from services.intake.importing.reading.opening import opened_table
from services.intake.importing.reading.table import Row, Source
from services.intake.importing.rejects import Rejects, kinds, reason
from services.intake.importing.sending import posted
from services.intake.importing.told import Told, brought_before
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
PREVIEWED: Final = 2
_BATCH_URL: Final = "/api/intake/complaints:batch"
_CHECK_URL: Final = "/api/intake/complaints:check"
_REUSED: Final = "intake.key_reused"
_CHANGED: Final = FieldError(
    "idempotency_key",
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
    foreseen: bool = field(default=False, compare=False)
    """Whether nothing was sent: the numbers say what would become of the rows."""
    duplicates_known: bool = field(default=True, compare=False)
    """Whether intake was there to say what it had received before."""
    columns: Mapping[str, str] | None = field(default=None, compare=False)
    """Which column was taken for which field, where that was guessed."""
    preview: list[tuple[int, dict[str, Any]]] = field(
        default_factory=list, compare=False
    )
    """Line and submission of the first rows, where nothing was sent."""
    reasons: Counter[str] = field(default_factory=Counter, compare=False)
    """How many rows each reason rejected; a row may have several."""
    previewed: int = field(default=PREVIEWED, compare=False)
    """How many rows are kept for the preview."""
    reasons_in: str = field(default=DEFAULT, compare=False)
    """The language of `reasons`."""
    left_out: Counter[str] = field(default_factory=Counter, compare=False)
    """How many rows have each word that the mapping says is none of our channels."""
    before: Mapping[str, Any] | None = field(default=None, compare=False)
    """The run that brought complaints from this very file before."""
    histories: Counts | None = None
    """What became of the histories, where they were asked for."""

    def place(self, row: Row) -> dict[str, dict[str, str | int]]:
        """Say where the row's complaint comes from."""
        file = self.source.sha256 if self.source else ""
        return {"imported_from": {"batch": self.batch, "file": file, "line": row.line}}

    def show(self, row: Row, submission: dict[str, Any], *, wanted: bool) -> None:
        """Keep a row for the preview, if it is one of the first and one is wanted."""
        if wanted and len(self.preview) < self.previewed:
            self.preview.append((row.line, submission))

    def counts(self) -> dict[str, int | None]:
        """Give what the list of imports keeps."""
        return {
            "read_rows": self.read,
            "duplicates": self.duplicates,
            "rejected": self.rejected,
            "histories": self.histories.recorded if self.histories else None,
        }

    @property
    def all_taken(self) -> bool:
        """Tell whether nothing was rejected or refused."""
        return not self.rejected and not (self.histories and self.histories.refused)


@dataclass(frozen=True, slots=True)
class Shown:
    """How many rows the summary previews, and in which language it gives reasons."""

    previewed: int = PREVIEWED
    reasons_in: str = DEFAULT


class Progress(Protocol):
    """Told how many rows are done, of how many."""

    def __call__(self, done: int, total: int, /) -> None: ...


class _Ready(NamedTuple):
    """A row as it is sent, and what it states of the past."""

    row: Row
    line: bytes
    past: StatedHistory | None


def load_mapping(name: str) -> TableMapping:
    """Read one of amends's own mapping files, or one by its path (`….toml`).

    Raises `MisuseError`, or `MalformedError` naming what is wrong in it.
    """
    source = Path(name)
    if not name.endswith(".toml"):
        ours = own_formats()
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
            f" or choose one of the formats {', '.join(own_formats())}.",
        ) from None
    except UnicodeDecodeError:
        raise MalformedError(
            "import.mapping", "Save the mapping file as UTF-8."
        ) from None
    return mapping_of(text)


def mapping_of(text: str) -> TableMapping:
    """Read a mapping file. Raises `MalformedError` naming what is wrong in it."""
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
            errors=mapping_faults(refused),
        ) from None


def own_formats() -> dict[str, Path]:
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
    then: Callable[[Rejects], None] = lambda _rejects: None,
    dry_run: bool = False,
    file_name: str | None = None,
    shown: Shown = Shown(),
    batch_id: str | None = None,
    progress: Progress = lambda _done, _total: None,
    now: Clock = system_clock,
    sleep: Callable[[float], None] = time.sleep,
) -> Summary:
    """Hand in every row of `path`; for a `dry_run` only say what would become of it.

    Without a client it is a dry run that cannot tell what was received before.
    The file is read to its end first: a broken one is refused as a whole, before
    anything is sent. Rows at fault go to `rejects` with line and reason in front of the
    cells. `encoding` and `sheet` say what would be found out otherwise. `histories`
    keeps what the rows that were taken state of the past; `then` records it, while
    `rejects` can still be written to. `file_name` is what the list of imports calls the
    file; `shown` is what the summary shows; one that goes on keeps its `batch_id`.
    Raises `MalformedError` for the file, `UnavailableError` where intake stays
    away; then running it again goes on.
    """
    needed = mapping.columns(history=histories is not None)
    with ExitStack() as stack:
        table = stack.enter_context(
            opened_table(path, needed=needed, encoding=encoding, sheet=sheet)
        )
        rejected = Rejects(stack, rejects, path, table.header, language)
        run = _Run(client, mapping, rejected, histories, dry_run=dry_run, now=now)
        run.begin(table.source, batch_id, shown)
        told = Told(
            None if run.summary.foreseen else client,
            run.summary.batch,
            file=table.source.sha256,
            file_name=file_name or path.name,
            format_=mapping.format,
        )
        run.summary.before = brought_before(
            client, table.source.sha256, batch=run.summary.batch
        )
        told.begun()
        for batch in _batches(run.rows(table.rows()), batch_size):
            run.send(batch, sleep)
            progress(run.summary.read, max(table.total, run.summary.read))
        progress(run.summary.read, run.summary.read)
        if not run.summary.foreseen:
            then(rejected)
        told.ended(**run.summary.counts())
    return run.summary


class _Run:
    """One run over the rows of a file: what is sent of them, and what became of them."""

    def __init__(
        self,
        client: httpx.Client | None,
        mapping: TableMapping,
        rejected: Rejects,
        histories: Histories | None,
        *,
        dry_run: bool,
        now: Clock,
    ) -> None:
        self.summary = Summary(
            foreseen=dry_run or client is None,
            duplicates_known=client is not None,
            histories=histories.counts if histories else None,
        )
        self._client = client
        self._mapping = mapping
        self._rejected = rejected
        self._histories = histories
        self._now = now
        self._coder = Coder(mapping.codes)
        self._above: str | None = None

    def begin(self, source: Source, batch_id: str | None, shown: Shown) -> None:
        """Name the run; one that goes on keeps its name."""
        self.summary.source = source
        self.summary.batch = batch_id or batch_of(self._now(), source.sha256)
        self.summary.previewed = shown.previewed
        self.summary.reasons_in = shown.reasons_in

    def rows(self, rows: Iterable[Row]) -> Iterator[_Ready]:
        """Give the rows that can be sent; the others are rejected or passed over."""
        for row in rows:
            self.summary.read += 1
            try:
                ready = self._ready(row)
            except MalformedError as fault:
                self._reject(row, fault, row.values)
            else:
                if ready is not None:
                    yield ready

    def _ready(self, row: Row) -> _Ready | None:
        """Make a submission of a row, and a history where one is wanted."""
        if row.fault is not None:
            raise row.fault
        if self._mapping.several_rows:
            above, self._above = self._above, self._mapping.key_of(row.values)
            if above == self._above:
                self.summary.continued += 1
                return None
        submission = submission_of(self._mapping, row.values, self._coder)
        channel = self._mapping.channel
        if channel and "channel" not in submission and row.values[channel].strip():
            self.summary.left_out[row.values[channel]] += 1
        past = self._histories.read(row.values, submission) if self._histories else None
        line = _line(submission | self.summary.place(row))
        self.summary.show(row, submission, wanted=self.summary.foreseen)
        return _Ready(row, line, past)

    def send(self, batch: Sequence[_Ready], sleep: Callable[[float], None]) -> None:
        """Hand rows in, or ask what would become of them."""
        lines = [each.line for each in batch]
        if self._client is None:
            results = list(_checked(lines, self._now))
        else:
            url = _CHECK_URL if self.summary.foreseen else _BATCH_URL
            results = posted(self._client, url, lines, sleep)
        for each, result in zip(batch, results, strict=True):
            self._count(each, result)
            if each.past is not None and result["status"] in _TAKEN:
                self._keep(each.row, each.past, result)

    def _keep(self, row: Row, past: StatedHistory, result: Mapping[str, Any]) -> None:
        """Lay the history of a row aside, or say what would become of it."""
        if self._histories is None:
            return
        if not self.summary.foreseen:
            self._histories.keep(row, result["case_id"], past)
        else:
            known = result["status"] == HTTPStatus.OK
            self._histories.foresee(row, past, self._rejected, known=known)

    def _count(self, sent: _Ready, result: Mapping[str, Any]) -> None:
        """Count a row as intake answered."""
        match result["status"]:
            case HTTPStatus.CREATED:
                self.summary.accepted += 1
            case HTTPStatus.OK:
                self.summary.duplicates += 1
            case _:
                told = [FieldError(**each) for each in result.get("errors", ())]
                if result["code"] == _REUSED and not told:
                    told = [_CHANGED]
                errors = [
                    replace(each, field=self._mapping.column_of(each.field))
                    for each in told
                ]
                fault = AmendsError(result["code"], result["detail"], errors=errors)
                self._reject(sent.row, fault, sent.row.values)

    def _reject(self, row: Row, fault: AmendsError, given: Mapping[str, Any]) -> None:
        self.summary.rejected += 1
        self.summary.reasons.update(kinds(fault, self.summary.reasons_in))
        told = reason(fault, given, self._rejected.language)
        self._rejected.write(row.line, row.cells, told)


def batch_of(now: datetime, sha256: str) -> str:
    """Name a run of an import by its beginning and its file."""
    return f"{now:%Y%m%dT%H%M%SZ}-{sha256[:8]}"


def _batches(ready: Iterable[_Ready], most: int) -> Iterator[list[_Ready]]:
    """Gather rows that are sent together: not too many, and not too long."""
    batch: list[_Ready] = []
    size = 0
    for each in ready:
        if batch and (len(batch) == most or size + len(each.line) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each.line)
    if batch:
        yield batch


def _line(submission: dict[str, Any]) -> bytes:
    return json.dumps(submission, ensure_ascii=False).encode() + b"\n"


def _checked(lines: Iterable[bytes], now: Clock) -> Iterator[dict[str, Any]]:
    """Say what intake would say of the form of each line, without asking it."""
    for line in lines:
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

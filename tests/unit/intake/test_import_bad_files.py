"""Bad files: what is at fault is named by row and column, and nothing else is touched."""

import csv
import datetime as dt
import io
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import httpx
import openpyxl
import pytest

from services.intake.domain.mapping import TableMapping
from services.intake.domain.submission import Submission
from services.intake.importing.reading.opening import opened_table
from services.intake.importing.running import run_import
from services.kernel.errors import MalformedError

NOW: Final = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
KEY: Final = "idempotency_key"
MAPPING: Final = TableMapping.model_validate(
    {
        "format": "t",
        "zone": "Asia/Shanghai",
        "key": "t:{No}",
        "occurred_on": "Date",
        "statement": "Text",
        "dates": [
            "DD.MM.YYYY", "M/D/YYYY", "YYYY/MM/DD", "YYYY年M月D日", "YYYY-MM-DD hh:mm",
        ],
    }
)  # fmt: skip


class Intake:
    """Takes what is well formed, each key once, and refuses as intake does."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.client = httpx.Client(
            transport=httpx.MockTransport(self._answer), base_url="http://t"
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":  # what is said of the run
            return httpx.Response(200)
        lines = map(json.loads, request.content.splitlines())
        return httpx.Response(200, content="\n".join(map(self._taken, lines)))

    def _taken(self, line: dict[str, Any]) -> str:
        line.pop("imported_from")
        try:
            rest = {name: each for name, each in line.items() if name != KEY}
            Submission.parse(rest, now=NOW)
        except MalformedError as fault:
            errors = [asdict(each) for each in fault.errors]
            problem = {"status": 422, "code": fault.code, "detail": fault.detail}
            return json.dumps(problem | {"errors": errors})
        kept = self.kept.setdefault(line[KEY], line)
        if kept is line:
            return '{"status": 201}'
        if kept == line:
            return '{"status": 200}'
        return '{"status": 409, "code": "intake.key_reused", "detail": "Used."}'


def imported(tmp_path: Path, body: bytes) -> tuple[Intake, list[tuple[str, str]]]:
    """Import a table; give what was kept, and line and reason of every rejected row."""
    source, rejects = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(body)
    intake = Intake()
    run_import(intake.client, source, MAPPING, rejects=rejects)
    if not rejects.exists():
        return intake, []
    with rejects.open(encoding="utf-8-sig", newline="") as file:
        return intake, [(row["line"], row["reason"]) for row in csv.DictReader(file)]


def table(*rows: tuple[str, str, str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("No", "Date", "Text"), *rows])
    return text.getvalue().encode()


@pytest.mark.real_data
def test_every_table_of_csv_spectrum_reads_as_it_should(real_data: Path) -> None:
    folder = real_data / "badinput/csv-spectrum"
    files = sorted((folder / "csvs").glob("*.csv"))
    assert len(files) == 12
    for path in files:
        wanted = json.loads((folder / "json" / f"{path.stem}.json").read_text("utf-8"))
        wanted = wanted if isinstance(wanted, list) else [wanted]
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
        with opened_table(path, needed=header) as found:
            rows = list(found.rows())
        assert [row.fault for row in rows] == [None] * len(rows), path.name
        if path.stem == "location_coordinates":  # its JSON has another number
            wanted[0]["Contact Phone Number"] = "2095257564"
        assert [dict(row.values) for row in rows] == wanted, path.name


@pytest.mark.real_data
def test_a_formula_is_a_text_wherever_it_stands(
    tmp_path: Path, real_data: Path
) -> None:
    """In CSV it is kept as words; the rejects, which spreadsheets open, disarm it."""
    cells = [
        each["cell"]
        for each in json.loads(
            (real_data / "badinput/own/csv_formula.json").read_bytes()
        )
        if each["cell"].strip() and "\0" not in each["cell"]
    ]
    rows = [(str(number), "01.02.2026", cell) for number, cell in enumerate(cells)]
    intake, rejected = imported(tmp_path, table(*rows))
    assert rejected == []
    assert [each["statement"] for each in intake.kept.values()] == cells
    bad = [(str(number), "32.01.2026", cell) for number, cell in enumerate(cells)]
    _, rejected = imported(tmp_path, table(*bad))
    assert [line for line, _ in rejected] != []
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        shown = [row["Text"] for row in csv.DictReader(file)]
    assert not [cell for cell in shown if cell.startswith(tuple("=+-@\t\r"))]


def test_a_formula_in_a_workbook_is_named_by_row_and_column(tmp_path: Path) -> None:
    path, rejects = tmp_path / "in.xlsx", tmp_path / "out.csv"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ("No", "Date", "Text"),
        ("1", "01.02.2026", "=1+1"),
        ("2", "01.02.2026", "x"),
    ):
        sheet.append(row)
    book.save(path)
    intake = Intake()
    run_import(intake.client, path, MAPPING, rejects=rejects)
    assert list(intake.kept) == ["t:2"]
    assert "line 2, Text is a formula" in rejects.read_text("utf-8-sig")


def test_dates_in_five_forms_and_impossible_ones(tmp_path: Path) -> None:
    good = ("31.01.2026", "1/31/2026", "2026/01/31", "2026年1月31日", "2026-01-31")
    bad = ("31.02.2026", "29.2.2025", "1/32/2026", "2025/02/29", "2026年13月1日",
           "00.01.2026", "tomorrow", "31-Jan-2026", "", "31.01.26", "2026-01-31 25:00",
           "99.99.9999", "31.01.9999")  # fmt: skip
    rows = [(str(number), day, "x") for number, day in enumerate((*good, *bad))]
    intake, rejected = imported(tmp_path, table(*rows))
    assert {each["occurred_at"] for each in intake.kept.values()} == {
        "2026-01-30T16:00:00+00:00"
    }
    assert len(intake.kept) == len(good)
    lines = [int(line) for line, _ in rejected]
    assert lines == list(range(len(good) + 2, len(good) + len(bad) + 2))
    for (_, reason), day in zip(rejected, bad, strict=True):
        assert re.match(r"(import\.row|intake\.invalid): Date ", reason), reason
        assert repr(day) in reason or not day


def test_one_identifier_with_two_contents_is_named_by_its_column(
    tmp_path: Path,
) -> None:
    body = table(
        ("7", "01.02.2026", "It leaks."),
        ("7", "01.02.2026", "It hums."),
        ("7", "01.02.2026", "It leaks."),
    )
    intake, ((line, reason),) = imported(tmp_path, body)
    assert intake.kept["t:7"]["statement"] == "It leaks."
    assert (line, "No '7' was received before" in reason) == ("3", True)


@pytest.mark.parametrize(
    "body",
    [
        "No,Date,Text\r\n1,01.02.2026,水壶\r\n".encode("gb18030") + "水壶漏水".encode(),
        table(("1", "01.02.2026", "ok")) + b"2,01.02.2026,caf\xe9\r\n",
    ],
)
def test_a_file_of_two_encodings_is_refused_before_anything_is_sent(
    tmp_path: Path, body: bytes
) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(body)
    intake = Intake()
    with pytest.raises(MalformedError) as refused:
        run_import(intake.client, source, MAPPING)
    assert refused.value.code.startswith("import.")
    assert intake.kept == {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"occurred_on": "Day"}, "import.header"),
        (
            {"statement": "Words", "key": "t:{Nr}", "occurred_on": "Tag"},
            "import.other_file",
        ),
    ],
)
def test_a_mapping_of_another_file_is_refused_before_anything_is_sent(
    tmp_path: Path, changes: dict[str, str], code: str
) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(table(("1", "01.02.2026", "x")))
    intake = Intake()
    with pytest.raises(MalformedError) as refused:
        run_import(intake.client, source, MAPPING.model_copy(update=changes))
    assert refused.value.code == code
    assert intake.kept == {}

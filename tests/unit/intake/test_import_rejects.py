"""Rejected rows come back whole, with reasons that their reader understands."""

import ast
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import openpyxl
import pytest

from services.intake.importing.reasons import translated
from services.intake.importing.running import load_mapping, run_import
from services.kernel.errors import MisuseError

INTAKE = Path(__file__).parents[3] / "services/intake"
CFPB = load_mapping("cfpb")
ROW = dict.fromkeys(CFPB.columns(), "") | {
    "Date received": "2015-03-19",
    "Submitted via": "Pigeon",
}
ARMED = [
    "=1+1",
    "'=1+1",
    "''@x",
    "-12.50",
    "+861012345678",
    "it's",
    "\u3000\uff1d1",
    "a\nb",
]


class Taking:
    """An intake that takes every line, and keeps it."""

    def __init__(self) -> None:
        self.lines: list[dict[str, str]] = []
        self.client = httpx.Client(
            transport=httpx.MockTransport(self._take), base_url="http://t"
        )

    def _take(self, request: httpx.Request) -> httpx.Response:
        lines = request.content.splitlines()
        if request.method == "PUT":  # what is said of the run
            return httpx.Response(200)
        self.lines += [json.loads(line) for line in lines]
        return httpx.Response(200, content=b'{"status": 201}\n' * len(lines))


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.xlsx"])
@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_rejects_can_be_corrected_and_sent_again_as_they_are(
    tmp_path: Path, name: str, language: str
) -> None:
    """The key and every word are those of the source, formulas or not."""
    source, rejects = tmp_path / "in.csv", tmp_path / name
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ROW)
        writer.writeheader()
        for number, words in enumerate(ARMED):
            changes = {"Complaint ID": str(number), "Company": words}
            writer.writerow(ROW | changes | {"Consumer complaint narrative": words})
    taking = Taking()
    done = run_import(taking.client, source, CFPB, rejects=rejects, language=language)
    assert (done.rejected, taking.lines) == (len(ARMED), [])

    if rejects.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(rejects).active
        assert sheet is not None
        assert {cell.data_type for row in sheet for cell in row} <= {"s", "inlineStr"}
        for row in sheet:
            for cell in row:
                cell.value = "Fax" if cell.value == "Pigeon" else cell.value
                cell.data_type = "n" if cell.value is None else "s"
        sheet.parent.save(rejects)
    else:
        text = rejects.read_text("utf-8-sig")
        assert not re.search(r"(^|,)[=+@-]", text, re.MULTILINE)
        rejects.write_text(text.replace(",Pigeon,", ",Fax,"), "utf-8-sig")

    again = run_import(taking.client, rejects, CFPB)
    assert (again.accepted, again.rejected) == (len(ARMED), 0)
    assert [each["idempotency_key"] for each in taking.lines] == [
        f"cfpb:{number}" for number in range(len(ARMED))
    ]
    assert [each["statement"] for each in taking.lines] == ARMED


def test_reasons_are_told_in_chinese(tmp_path: Path) -> None:
    source, rejects = tmp_path / "in.csv", tmp_path / "rejects.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ROW)
        writer.writeheader()
        writer.writerow(
            ROW | {"Date received": "31.1.2015", "Complaint ID": "6.22E+17"}
        )
        writer.writerow(ROW | {"Date received": "31.1.2015", "Complaint ID": "6"})
    run_import(None, source, CFPB, rejects=rejects, language="zh_CN")
    with rejects.open(encoding="utf-8-sig", newline="") as file:
        rounded, bad = csv.DictReader(file)
    assert rounded["行"] == "2"
    assert rounded["原因"] == (
        "import.rounded_number: line 2, Complaint ID 内容为 6.22E+17，已被电子表格舍入，"  # noqa: RUF001
        "末尾数字丢失（请在来源处把该列设为文本格式后重新导出）"  # noqa: RUF001
    )
    assert "Submitted via 'Pigeon' 不是映射文件中列出的渠道" in bad["原因"]
    assert "Date received '31.1.2015' 不是按 YYYY-MM-DD 书写的日期" in bad["原因"]


def _sentences() -> Iterator[str]:
    """Find what is said of a row, with `1` where a value stands."""
    said = {"fault_at": (2, 3), "FieldError": (1, 2), "UnreadDateError": (0,)}
    files = [*(INTAKE / "importing/reading").glob("*.py"), INTAKE / "domain/mapping.py",
             INTAKE / "domain/dates.py"]  # fmt: skip
    for file in files:
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
                continue
            for place in said.get(call.func.id, ()):
                if place < len(call.args) and (text := _text(call.args[place])):
                    yield text.rstrip(".")


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "1"
            for part in node.values
        )
    return str(node.value) if isinstance(node, ast.Constant) else ""


WHOLE = {  # said on the terminal alone
    "Save the file as UTF-8 (in a spreadsheet: CSV UTF-8), or say what it is with --encoding.1",
}


def test_whatever_is_said_of_a_row_has_its_chinese() -> None:
    found = {each.replace("is no 1 written", "is no day written").replace(
        "Write the 1 as", "Write the day as") for each in _sentences()}  # fmt: skip
    assert len(found) > 30
    assert {each for each in found if translated(each, "zh_CN") == each} == WHOLE


@pytest.mark.parametrize("how", ["same", "link", "folder", "nowhere"])
def test_a_target_that_must_not_be_written_is_refused_first(
    tmp_path: Path, how: str
) -> None:
    mapping = load_mapping("cfpb")
    source = tmp_path / "in.csv"
    row = dict.fromkeys(mapping.columns(), "")
    text = ",".join(row) + "\n" + "," * (len(row) - 1) + "\n"
    source.write_text(text)
    (tmp_path / "link.csv").symlink_to(source)
    target = {
        "same": source,
        "link": tmp_path / "link.csv",
        "folder": tmp_path,
        "nowhere": tmp_path / "no" / "rejects.csv",
    }[how]
    with pytest.raises(MisuseError) as refused:
        run_import(None, source, mapping, rejects=target)
    assert refused.value.code.startswith("import.rejects_")
    assert source.read_text() == text

"""What a table is kept as: encodings, delimiters, titles, workbooks, lines of JSON."""

import gzip
import tracemalloc
import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from services.intake.importing.reading.opening import opened_table
from services.intake.importing.reading.workbook import IN_MEMORY
from services.kernel.errors import MalformedError, MisuseError

TABLE = "编号,内容\n1,壶漏水了，要求退款\n"  # noqa: RUF001 as people write it
NEEDED = ["编号", "内容"]


@pytest.fixture
def file(tmp_path):
    def write(body, name="table"):
        path = tmp_path / name
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
        return path

    return write


@pytest.fixture
def workbook(tmp_path):
    def write(*rows, change=lambda _sheet: None):
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "投诉"
        for row in rows:
            sheet.append(row)
        change(sheet)
        path = tmp_path / "table.xlsx"
        book.save(path)
        return path

    return write


def read(path, needed=(), **how):
    with opened_table(path, needed=needed, **how) as table:
        return table.source, list(table.rows())


def fault(path, needed):
    rows = read(path, needed)[1]
    return [(row.fault.code, row.fault.errors[0].field) for row in rows if row.fault]


@pytest.mark.parametrize(
    ("codec", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16"),
        ("gb18030", "GB18030"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_encoding_is_found_and_said(file, codec, said, pack):
    source, rows = read(file(pack(TABLE.encode(codec))), NEEDED)
    assert source.encoding == said
    assert rows[0].values == {"编号": "1", "内容": "壶漏水了，要求退款"}  # noqa: RUF001


def test_utf_16_is_known_without_its_mark(file):
    source, rows = read(file("a,b\n1,two\n".encode("utf-16-le")), ["a"])
    assert source.encoding == "UTF-16"
    assert rows[0].values == {"a": "1", "b": "two"}


def test_no_other_encoding_is_guessed_but_one_may_be_said(file):
    path = file("a,b\n1,Müller schätzt déjà vu\n".encode("cp1252"))
    with pytest.raises(MalformedError) as refused:
        read(path, ["a"])
    assert refused.value.code == "import.encoding"
    assert refused.value.errors[0].field == "line 2"
    assert "--encoding" in refused.value.detail
    assert read(path, ["a"], encoding="cp1252")[1][0].values["b"].startswith("Müller")
    for wrong in ("nonsense", "base64"):
        with pytest.raises(MisuseError):
            read(path, ["a"], encoding=wrong)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_and_titles_are_passed_over(file, mark):
    body = f"Complaints, of 2026\n\nno{mark}what\n1{mark}It leaks; badly\n"
    body = body.replace("It leaks; badly", '"It leaks; badly"')
    source, rows = read(file(body), ["no", "what"])
    assert (source.delimiter, source.header_line) == (mark, 3)
    assert [row.values for row in rows] == [{"no": "1", "what": "It leaks; badly"}]
    assert rows[0].line == 4


def test_excel_s_own_first_line_names_the_delimiter(file):
    source, rows = read(file("sep=;\na;b\n1;2\n"), ["a"])
    assert source.delimiter == ";"
    assert rows[0].values == {"a": "1", "b": "2"}


def test_a_number_that_excel_rounded_is_named_and_not_taken(file):
    assert fault(file("no,b\n6.22E+17,1\n7,6.22E+17\n"), ["no"]) == [
        ("import.rounded_number", "line 2, no")
    ]


def test_a_workbook_gives_texts_whole_numbers_and_plain_dates(workbook):
    path = workbook(
        ["Complaints 2026"],
        [],
        ["no", "on", "at", "sum", None],
        [1001, date(2026, 1, 31), datetime(2026, 1, 31, 9, 5), 12.5, None],  # noqa: DTZ001
        ["007", "2026-02-01", None, True],
    )
    source, rows = read(path, ["no"])
    assert (source.kind, source.sheet, source.header_line) == ("xlsx", "投诉", 3)
    assert [(row.line, row.values) for row in rows] == [
        (4, {"no": "1001", "on": "2026-01-31", "at": "2026-01-31 09:05:00",
             "sum": "12.5"}),
        (5, {"no": "007", "on": "2026-02-01", "at": "", "sum": "TRUE"}),
    ]  # fmt: skip


def test_what_a_workbook_would_have_us_invent_is_named_by_line_and_column(workbook):
    def change(sheet):
        sheet.merge_cells("B5:B6")

    path = workbook(
        ["no", "what"],
        [622202123456789012, "x"],
        ["2", "=1+1"],
        ["3", "#N/A"],
        ["4", "shared"],
        ["5", None],
        ["6", "good"],
        change=change,
    )
    assert fault(path, ["no", "what"]) == [
        ("import.rounded_number", "line 2, no"),
        ("import.formula", "line 3, what"),
        ("import.error_cell", "line 4, what"),
        ("import.merged_cells", "line 5, what"),
        ("import.merged_cells", "line 6, what"),
    ]
    assert fault(path, ["no"]) == [("import.rounded_number", "line 2, no")]


def test_a_sheet_is_chosen_by_its_name(workbook):
    path = workbook(["a"], [1])
    assert read(path, ["a"], sheet="投诉")[1][0].values == {"a": "1"}
    with pytest.raises(MisuseError, match="投诉"):
        read(path, ["a"], sheet="none")


def test_a_workbook_in_gzip_is_a_workbook(workbook, file):
    packed = file(gzip.compress(workbook(["a"], [1]).read_bytes()))
    assert read(packed, ["a"])[0].kind == "xlsx"


@pytest.mark.parametrize("cut", [200, 2000, -30])
def test_a_damaged_workbook_is_refused(workbook, file, cut):
    with pytest.raises(MalformedError, match=r"import\.damaged_file"):
        read(file(workbook(["a"], [1]).read_bytes()[:cut]), ["a"])


def test_a_bomb_is_refused_before_it_is_unpacked(workbook):
    path = workbook(["a"], [1])
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/extra.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(IN_MEMORY // 2**20 + 1):
            part.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(MalformedError, match=r"import\.too_big"):
        read(path, ["a"])


def test_a_sheet_with_entities_is_refused(tmp_path, workbook):
    path = workbook(["a"], [1])
    other = tmp_path / "other.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for part in old.infolist():
            body = old.read(part)
            if part.filename.startswith("xl/worksheets/"):
                body = b'<!DOCTYPE x [<!ENTITY a "b">]>' + body.split(b"?>")[-1]
            new.writestr(part.filename, body)
    with pytest.raises(MalformedError, match=r"import\.damaged_file"):
        read(other, ["a"])


@pytest.mark.real_data
def test_no_archive_of_the_bad_input_is_a_table(real_data):
    folder = real_data / "badinput/own/archives"
    for path in sorted(folder.iterdir()):
        with pytest.raises(MalformedError) as refused:
            read(path, ["no", "what"])
        assert refused.value.code.startswith("import."), path.name


@pytest.mark.parametrize("head", [b"%PDF-1.7", b"\xd0\xcf\x11\xe0\xa1\xb1", b"PAR1"])
def test_another_kind_of_file_is_called_by_its_name(file, head):
    with pytest.raises(MalformedError, match="save the table as XLSX or CSV"):
        read(file(head + bytes(100)), ["a"])


def test_lines_of_json_keep_every_digit_and_a_bad_one_spoils_no_other(file):
    body = (
        '{"no": 622202123456789012, "who": {"name": "林燕"}, "ok": true}\n'
        '\n{"no": 1, "no": 2}\n[1]\n{"no": NaN}\n{"no": "\\ud800"}\n{"no": [1]}\n'
        '{"no": 6.22E+17}\n{"no": null, "more": "x"}\n'
    )
    source, rows = read(file(body), ["no"])
    assert source.kind == "jsonl"
    assert rows[0].values == {
        "no": "622202123456789012", "who.name": "林燕", "ok": "true", "more": ""
    }  # fmt: skip
    assert rows[-1].values["no"] == ""
    assert [(row.line, row.fault.code) for row in rows if row.fault] == [
        *((line, "import.broken_json") for line in range(3, 8)),
        (8, "import.rounded_number"),
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx"])
def test_memory_does_not_grow_with_the_rows(tmp_path, kind):
    """Ten times the rows, and hardly more memory at its highest."""
    highest = []
    for rows in (300, 3_000):
        path = tmp_path / f"table.{kind}"
        if kind == "xlsx":
            book = openpyxl.Workbook(write_only=True)
            sheet = book.create_sheet()
            sheet.append(["no", "what"])
            for number in range(rows):
                sheet.append([number, 12.5])
            book.save(path)
        else:
            with path.open("w") as out:
                out.write("no,what\n" if kind == "csv" else "")
                for number in range(rows):
                    line = f"{number},{'x' * 200}\n"
                    if kind == "jsonl":
                        line = f'{{"no": {number}, "what": "{"x" * 200}"}}\n'
                    out.write(line)
        tracemalloc.start()
        with opened_table(path, needed=["no", "what"]) as table:
            assert sum(1 for _ in table.rows()) == rows
        highest.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert highest[1] < highest[0] * 2 + 500_000

"""Names of files are labels that hide nothing; types are told by the bytes."""

from __future__ import annotations

import io
import json
import unicodedata
import zipfile
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from services.kernel.vault.labels import LONGEST, clean_name, sniff

if TYPE_CHECKING:
    from pathlib import Path

_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("claimed", "label"),
    [
        ("photo 1.JPG", "photo 1.JPG"),
        ("投诉 照片.png", "投诉 照片.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\win.ini", "win.ini"),
        ("C:\\Users\\王\\a.txt", "a.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u200b.htaccess", ".htaccess"),
        ("a.php\0.jpg", "a.php.jpg"),
        ("x\r\nSet-Cookie: a", "xSet-Cookie: a"),
        ("name. . ", "name"),
        ("", "file"),
        ("..", "file"),
        ("\u200b\u3164", "file"),
        ("dir/", "dir"),
    ],
)
def test_a_name_is_one_visible_line(claimed: str, label: str) -> None:
    assert clean_name(claimed) == label


@pytest.mark.parametrize("letter", ["a", "é", "投", "\U0001f4a7"])
def test_a_long_name_is_cut_and_keeps_its_ending(letter: str) -> None:
    name = clean_name(letter * 400 + ".jpeg")
    assert name.endswith(letter + ".jpeg")
    assert LONGEST - 4 <= len(name.encode()) <= LONGEST
    assert len(clean_name("." + letter * 400).encode()) <= LONGEST


@pytest.mark.real_data
def test_hostile_names_become_harmless_labels(real_data: Path) -> None:
    rows = json.loads((real_data / "badinput/own/filenames.json").read_text())
    assert len(rows) > 20
    for row in rows:
        label = clean_name(row["name"])
        assert 0 < len(label.encode()) <= LONGEST
        assert not {"/", "\\"} & set(label)
        assert label.strip(".")
        assert not {unicodedata.category(each) for each in label} & _HIDDEN
        assert clean_name(label) == label


def _image(form: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, form)
    return content.getvalue()


def _zip(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (_image("PNG"), "image/png"),
        (_image("JPEG"), "image/jpeg"),
        (_image("WEBP"), "image/webp"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        (_zip("a.txt"), "application/zip"),
        (
            _zip("[Content_Types].xml", "xl/workbook.xml"),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        ("王女士的投诉".encode(), "text/plain"),
        ("王".encode() * 100 + "王".encode()[:2], "text/plain"),  # cut in a character
        (b"<html><script>alert(1)</script>", "text/plain"),
        (b"<svg onload=alert(1)>\xff\0", "application/octet-stream"),
        (b"\0\1\2\3", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_a_type_is_told_by_the_bytes(content: bytes, media_type: str) -> None:
    assert sniff(content) == media_type


@pytest.mark.real_data
def test_no_hostile_file_is_told_as_something_that_a_browser_runs(
    real_data: Path,
) -> None:
    folder = real_data / "badinput/own/archives"
    told = {path.name: sniff(path.read_bytes()) for path in folder.iterdir()}
    told |= {
        path.name: sniff(path.read_bytes())
        for path in (real_data / "badinput/patt").rglob("*.svg")
    }
    assert told["html-named-png.png"] == "text/plain"
    assert not {"text/html", "image/svg+xml", "text/xml", "application/xml"} & set(
        told.values()
    )

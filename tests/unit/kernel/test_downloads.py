"""What is downloaded is called harmlessly, on every system, and is never run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from services.kernel.web.downloads import download_headers, download_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("leak 1.jpg", "leak 1.jpg"),
        ("投诉.png", "投诉.png"),
        (".htaccess", "_.htaccess"),
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("console.log", "console.log"),
        ("file.txt:evil.exe", "file.txt_evil.exe"),
        ('"; filename="evil.html', "_; filename=_evil.html"),
        ("%2e%2e%2fetc", "_2e_2e_2fetc"),
        ("<img src=x onerror=alert(1)>.png", "_img src=x onerror=alert(1)_.png"),
    ],
)
def test_a_name_does_no_harm(label: str, name: str) -> None:
    assert download_name(label) == name


def test_both_forms_of_the_name_are_given() -> None:
    told = download_headers("漏 水.jpg")["Content-Disposition"]
    assert told.startswith('attachment; filename="_ _.jpg"; filename*=UTF-8')
    assert unquote(told.rpartition("'")[2]) == "漏 水.jpg"


def test_nothing_in_it_acts() -> None:
    headers = download_headers("a.html")
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.real_data
def test_no_hostile_name_breaks_the_header(real_data: Path) -> None:
    rows = json.loads((real_data / "badinput/own/filenames.json").read_text())
    form = re.compile(
        r"attachment; filename=\"[A-Za-z0-9 ._()-]+\"; filename\*=UTF-8''[!-~]+"
    )
    for row in rows:
        told = download_headers(row["name"])["Content-Disposition"]
        assert form.fullmatch(told), told
        assert len(told) < 900

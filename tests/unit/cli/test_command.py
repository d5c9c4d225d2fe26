"""`amends` as typed: help, version, misuse, refusals, and what it costs to ask."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from services.cli import _tell, app
from services.cli.arguments import read_reference
from services.kernel.errors import FieldError, MalformedError
from services.kernel.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = ("eventsourcing", "fastapi", "faststream", "httpx", "pydantic", "rich")


def amends(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def verbs(command: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield words, command
        return
    for name, each in below.items():
        yield from verbs(each, *words, name)


VERBS = dict(verbs(typer.main.get_command(app)))
SILENT = {("run",), ("up",)}
"""Verbs whose result is not something to read."""


def test_asking_what_there_is_loads_no_service() -> None:
    script = (
        "import sys, services.cli\n"
        "sys.argv = ['amends', '--help']\n"
        "try: services.cli.main()\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_its_version() -> None:
    done = amends("--version")
    assert (done.returncode, done.stdout) == (0, "amends 0.1.0\n")


def test_a_shell_completes_its_verbs() -> None:
    typed = {"COMP_WORDS": "amends analytics r", "COMP_CWORD": "2"}
    done = amends(_AMENDS_COMPLETE="complete_bash", **typed)
    assert done.stdout.split() == ["root-causes", "rebuild"]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_verb_tells_an_example_that_it_would_take(words: tuple[str, ...]) -> None:
    example = VERBS[words].epilog
    assert example.startswith("Example: ")
    assert f"amends {' '.join(words)}" in example
    told = VERBS[words].help
    assert told
    assert len(told) < 300


@pytest.mark.parametrize("words", sorted(VERBS.keys() - SILENT), ids=" ".join)
def test_every_verb_with_an_answer_gives_it_to_programs(words: tuple[str, ...]) -> None:
    flags = {flag for option in VERBS[words].params for flag in option.opts}
    assert "--json" in flags


@pytest.mark.parametrize(
    "words",
    [
        ("frequence",),
        ("case", "show"),
        ("case", "show", "4837291500627714", "now"),
        ("case", "do", "4837", "2915", "0062", "7714"),
        ("case", "do", "4837291500627714", "accept", "reason"),
        ("analytics", "frequency", "period"),
        ("import", "rows.csv", "--format", "nope.toml"),
        ("import", "rows.csv", "--format", "nope"),
    ],
    ids=" ".join,
)
def test_misuse_is_told_as_such(words: tuple[str, ...]) -> None:
    done = amends(*words)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "argument"),
    [
        (("privacy", "erase", ""), "PERSON"),
        (("privacy", "erase", "4837", " "), "PERSON"),
        (("privacy", "hold", "end", "../x"), "HOLD_ID"),
        (("follow", ""), "DEPARTMENT"),
        (("follow", "../../x"), "DEPARTMENT"),
        (("follow", ".."), "DEPARTMENT"),
        (("access", "channel", "credentials", ""), "CHANNEL"),
        (("access", "token", "revoke", "a/b"), "TOKEN_ID"),
        (("case", "show", ""), "CASE"),
        (("case", "do", "", "accept"), "CASE"),
        (("case", "new-access-code", ""), "CASE"),
        (("audit", "readings", "--case", ""), "--case"),
    ],
)
def test_what_would_make_another_address_is_refused_by_its_name(
    words: tuple[str, ...], argument: str
) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert f"Invalid value for '{argument}" in done.stderr


def test_a_receipt_number_may_come_in_the_groups_in_which_it_is_read() -> None:
    groups = ["4837", "2915", "0062", "7714"]
    assert read_reference(groups) == ("4837291500627714", [])
    assert read_reference([*groups, "accept", "n=1"]) == (
        "4837291500627714",
        ["accept", "n=1"],
    )
    assert read_reference(["4837 2915 0062 7714", "rate"])[1] == ["rate"]
    assert read_reference(["e6f46528-c542", "rate"]) == ("e6f46528-c542", ["rate"])


def test_a_refusal_tells_code_field_and_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault = FieldError("contact.phone", "has no digits", "write it as +86 10 1234")
    _tell(MalformedError("intake.invalid", "Correct contact.phone.", errors=[fault]))
    assert capsys.readouterr().err == (
        "amends: Correct contact.phone. [intake.invalid]\n"
        "  contact.phone: has no digits. Write it as +86 10 1234.\n"
    )


def test_faults_of_settings_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    _tell(SettingsError((FieldError("AMENDS_FOO", "given", "unset it"),)))
    assert capsys.readouterr().err == (
        "amends: correct these settings and start again: [settings.invalid]\n"
        "  AMENDS_FOO: given; unset it\n"
    )

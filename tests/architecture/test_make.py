"""`make` on a machine that lacks something says what to install and leaves nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def make(tree: Path, *words: str, path: Path | None = None) -> tuple[int, str]:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "requirements", tree / "requirements")
    done = subprocess.run(
        [shutil.which("make"), *words],
        cwd=tree,
        env={"PATH": str(path)} if path else None,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A path without any Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "sed", "awk", "touch"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


def test_make_lists_its_verbs(tmp_path: Path):
    code, said = make(tmp_path)
    assert code == 0
    for verb in ("setup", "run", "test", "check", "lock", "clean"):
        assert f"make {verb} " in said


def test_without_python_it_says_which_is_needed(tmp_path: Path, programs: Path):
    code, said = make(tmp_path, "run", path=programs)
    assert code
    assert "Python 3.11 or newer" in said
    assert not (tmp_path / ".venv").exists()


def test_an_old_python_is_passed_over(tmp_path: Path, programs: Path):
    script(programs / "python3", "exit 1")
    code, said = make(tmp_path, "run", path=programs)
    assert code
    assert "Python 3.11 or newer" in said


def test_where_venv_is_missing_it_names_the_package(tmp_path: Path, programs: Path):
    script(
        programs / "python3.11",
        f'case "$2" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac',
    )
    code, said = make(tmp_path, "run", path=programs)
    version = ".".join(map(str, sys.version_info[:2]))
    assert code
    assert f"apt-get install python{version}-venv" in said
    assert not (tmp_path / ".venv").exists()


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)

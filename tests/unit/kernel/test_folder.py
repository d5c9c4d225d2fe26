"""A data folder that cannot be used is told, with the remedy; one holder or several."""

import os
from pathlib import Path

import pytest

from services.kernel.errors import NotFoundError, RefusedError
from services.kernel.folder import DataFolder


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RefusedError, match="AMENDS_DATA"):
        DataFolder(tmp_path / "file" / "data").make()


def test_a_newer_folder_is_refused_and_an_absent_one_is_not_made(
    tmp_path: Path,
) -> None:
    folder = DataFolder(tmp_path / "data")
    with pytest.raises(NotFoundError):
        folder.require()
    assert not folder.path.exists()
    folder.make()
    (folder.path / "format").write_text("99\n")
    with pytest.raises(RefusedError, match="upgrade"):
        folder.make()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").touch()
    with pytest.raises(RefusedError, match=r"letters\.txt"):
        DataFolder(tmp_path).make()
    assert [each.name for each in tmp_path.iterdir()] == ["letters.txt"]


def test_an_empty_folder_becomes_ours_alone(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    tmp_path.chmod(0o755)
    folder = DataFolder(tmp_path)
    folder.make()
    folder.make()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_processes_of_several_services_share_a_folder_and_keep_others_out(
    tmp_path: Path,
) -> None:
    folder = DataFolder(tmp_path)
    with (
        folder.held_for("intake", alone=True),
        folder.held_for("handling", alone=False),
        folder.held_for("handling", alone=False),
    ):
        with pytest.raises(RefusedError, match=str(os.getpid())):
            folder.held_for("intake", alone=True).__enter__()
        with pytest.raises(RefusedError, match="in use by process"):
            folder.held_for("handling", alone=True).__enter__()
        with pytest.raises(RefusedError, match=str(os.getpid())):
            folder.held().__enter__()
    with folder.held(), pytest.raises(RefusedError, match="AMENDS_DATA"):
        folder.held_for("intake", alone=False).__enter__()

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

"""Every store of objects keeps, replaces, lists and removes alike."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.kernel.errors import NotFoundError
from services.kernel.vault import FolderObjects
from tests.support.files import MemoryObjects

if TYPE_CHECKING:
    from pathlib import Path

    from services.kernel.vault import Objects

ONE, TWO = UUID(int=1 << 120), UUID(int=2)


@pytest.fixture(params=["folder", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return FolderObjects(tmp_path / "objects")
    return MemoryObjects()


def test_a_piece_comes_back_and_is_replaced_by_a_later_one(objects: Objects) -> None:
    objects.put(ONE, 0, b"short")
    objects.put(ONE, 1, b"other")
    objects.put(ONE, 0, b"longer than before")
    assert objects.get(ONE, 0) == b"longer than before"
    assert objects.get(ONE, 1) == b"other"


def test_a_piece_that_is_not_there_is_told(objects: Objects) -> None:
    objects.put(ONE, 0, b"x")
    for file_id, piece in ((ONE, 1), (TWO, 0)):
        with pytest.raises(NotFoundError) as told:
            objects.get(file_id, piece)
        assert told.value.code == "vault.no_piece"


def test_a_file_is_removed_whole_and_no_other(objects: Objects) -> None:
    objects.put(ONE, 0, b"x")
    objects.put(ONE, 1, b"y")
    objects.put(TWO, 0, b"z")
    objects.remove(ONE)
    objects.remove(ONE)  # again changes nothing
    assert [file_id for file_id, _ in objects.files()] == [TWO]
    assert objects.get(TWO, 0) == b"z"
    assert objects.room() > 0


def test_the_folder_is_its_owners_alone_and_leaves_no_drafts(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "objects")
    objects.put(ONE, 0, b"x")
    objects.put(ONE, 0, b"y")
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"0"}
    for path in (tmp_path / "objects").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600)


def test_what_else_lies_in_the_folder_is_passed_over(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "objects")
    objects.put(ONE, 0, b"x")
    (tmp_path / "objects" / "notes.txt").write_text("mine")
    (tmp_path / "objects" / "01" / "lost+found").mkdir(parents=True)
    assert [file_id for file_id, _ in objects.files()] == [ONE]

"""Every store of objects keeps, replaces, lists and removes alike."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.kernel.errors import NotFoundError, UnavailableError
from services.kernel.vault import FolderObjects, open_objects
from tests.support.bucket import BUCKET, rclone, running_bucket
from tests.support.files import MemoryObjects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.kernel.vault import Objects

ONE, TWO = UUID(int=1 << 120), UUID(int=2)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bucket on a real server; the environment says how to get in."""
    pytest.importorskip("obstore", reason="the extra s3 is not installed")
    if rclone() is None:
        pytest.skip("rclone is not installed: nothing here speaks S3")
    folder = tmp_path_factory.mktemp("buckets")
    with running_bucket(folder) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield f"s3://{BUCKET}"


@pytest.fixture(params=["folder", "bucket", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "memory":
        return MemoryObjects()
    url = request.getfixturevalue("bucket") if request.param == "bucket" else None
    return open_objects(
        f"{url}/{tmp_path.name}" if url else None, tmp_path / "objects", "intake"
    )


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


def test_files_are_listed_once_each_however_many_pieces_they_have(
    objects: Objects,
) -> None:
    for piece in range(12):  # more than one digit: 10 comes before 2
        objects.put(ONE, piece, b"x")
        objects.put(TWO, piece, b"")
    assert sorted(file_id for file_id, _ in objects.files()) == [TWO, ONE]
    assert objects.get(TWO, 11) == b""


def test_services_share_a_bucket_and_see_their_own(bucket: str, tmp_path: Path) -> None:
    intake, handling = (
        open_objects(f"{bucket}/{tmp_path.name}/", tmp_path, service)
        for service in ("intake", "handling")
    )
    intake.put(ONE, 0, b"x")
    assert list(handling.files()) == []
    handling.remove(ONE)
    assert intake.get(ONE, 0) == b"x"


def test_a_bucket_that_is_away_or_refuses_is_no_lost_piece(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that a file is missing while its bucket cannot say."""
    there = open_objects(bucket, tmp_path, "intake")
    there.put(ONE, 0, b"x")
    away = [open_objects(f"{bucket}-other", tmp_path, "intake")]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    away.append(open_objects(bucket, tmp_path, "intake"))
    for objects in away:
        for act in (
            lambda objects=objects: objects.put(ONE, 0, b"y"),
            lambda objects=objects: list(objects.files()),
            lambda objects=objects: objects.remove(ONE),
        ):
            with pytest.raises(UnavailableError) as told:
                act()
            assert told.value.code == "vault.objects_away"
    with pytest.raises(UnavailableError):
        away[1].get(ONE, 0)
    assert there.get(ONE, 0) == b"x"


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

"""`amends export bi` where something is missing: it says what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from services.cli import bi
from services.kernel.errors import MisuseError, NotFoundError
from services.kernel.folder import DataFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_without_the_extra_it_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(
        sys.modules, "services.analytics.persistence.parquet", raising=False
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MisuseError, match=r"amends\[bi\]"):
        bi.export(tmp_path / "bi", as_json=True)
    assert not (tmp_path / "bi").exists()


def test_before_the_first_start_there_is_nothing_to_export(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMENDS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("AMENDS_DATABASE_URL", raising=False)
    DataFolder(tmp_path / "data").make()
    with pytest.raises(NotFoundError, match="start amends once"):
        bi.export(tmp_path / "bi", as_json=True)
    assert not (tmp_path / "bi").exists()

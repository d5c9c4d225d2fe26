"""The file of rejects never costs the file that is read."""

from pathlib import Path

import pytest

from services.intake.cli.importing import load_mapping, run_import
from services.kernel.errors import MisuseError


@pytest.mark.parametrize("how", ["same", "link", "folder", "nowhere"])
def test_a_target_that_must_not_be_written_is_refused_first(
    tmp_path: Path, how: str
) -> None:
    mapping = load_mapping("cfpb")
    source = tmp_path / "in.csv"
    row = dict.fromkeys(mapping.columns(), "")
    text = ",".join(row) + "\n" + "," * (len(row) - 1) + "\n"
    source.write_text(text)
    (tmp_path / "link.csv").symlink_to(source)
    target = {
        "same": source,
        "link": tmp_path / "link.csv",
        "folder": tmp_path,
        "nowhere": tmp_path / "no" / "rejects.csv",
    }[how]
    with pytest.raises(MisuseError) as refused:
        run_import(None, source, mapping, rejects=target)
    assert refused.value.code.startswith("import.rejects_")
    assert source.read_text() == text

"""Nothing of erased people is found in any file; without the cleaning, much is.

`make p10` tries it with more people.
"""

from pathlib import Path

import pytest

from bench.line import Options
from bench.p10 import run

pytestmark = pytest.mark.e2e

SUBJECTS = 12


@pytest.mark.parametrize("control", [False, True])
def test_half_is_erased_and_half_is_whole(tmp_path: Path, *, control: bool) -> None:
    given = Options(size="ci", control=control, seed=10)
    figures = run(tmp_path, given, subjects=SUBJECTS)
    assert (figures["erased"], figures["intact"]) == (6, "6/6")
    assert figures["verify"] == "ok"
    assert (figures["residues"] > 0) is control

"""What the analytics verbs print: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from services.analytics.cli import figure, frequency, rebuild, root_causes
from services.kernel.errors import UnavailableError

FIGURE = {
    "rows": [
        {"category": "quality/leak", "count": 3, "cases": "/api/…"},
        {"category": None, "count": 1, "cases": "/api/…"},
    ],
    "total": 4,
    "position": 9,
    "as_of": "2026-01-01T00:00:00.000000Z",
    "damaged": False,
    "beyond": False,
}
CAUSES = {
    **FIGURE,
    "rows": [{"cause": "design/seal", "count": 3, "share": 0.75, "cases": "/api/…"}],
    "damaged": True,
}
DONE = {
    "state": "done",
    "position": 9,
    "last_position": 9,
    "held": 2,
    "compared_to": 9,
    "digest": "ab" * 32,
    "live_digest": "ab" * 32,
    "equal": True,
    "fault": None,
}


class Answers:
    """Answers in turn, and remembers what was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Sequence[tuple[str, str]]]] = []

    def __call__(
        self, method: str, path: str, query: Sequence[tuple[str, str]] = ()
    ) -> Any:
        self.asked.append((method, path, query))
        return self.answers.pop(0)


def test_a_figure_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    ask = Answers(FIGURE)
    frequency(ask, [("group_by", "category")], as_json=False)
    assert ask.asked == [
        ("GET", "/api/analytics/frequency", [("group_by", "category")])
    ]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [["category", "count"], ["quality/leak", "3"], ["-", "1"]]
    assert "Complaints: 4, as known at position 9" in " ".join(lines[3])


def test_shares_are_percentages_and_damage_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root_causes(Answers(CAUSES), [("basis", "found")], as_json=False)
    out = capsys.readouterr().out
    assert "75.0%" in out
    assert "amends analytics rebuild" in out


def test_an_empty_figure_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    empty = {**FIGURE, "rows": [], "total": 0, "position": 0, "as_of": None}
    frequency(Answers(empty), [], as_json=False)
    assert "No complaint yet." in capsys.readouterr().out


def test_json_is_the_answer_as_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    frequency(Answers(FIGURE), [], as_json=True)
    assert json.loads(capsys.readouterr().out) == FIGURE
    assert rebuild(Answers(DONE), as_json=True)
    assert json.loads(capsys.readouterr().out) == DONE


def test_a_rebuild_is_watched_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    running = {**DONE, "state": "running", "position": 4, "equal": None}
    ask = Answers(running, running, {**DONE, "equal": False})
    naps: list[float] = []
    assert rebuild(ask, as_json=False, sleep=naps.append) is False
    assert [method for method, _, _ in ask.asked] == ["POST", "GET", "GET"]
    assert len(naps) == 2
    out = capsys.readouterr().out
    assert "DIFFERED" in out
    assert "2 events held back" in out


def test_a_failed_rebuild_is_a_refusal() -> None:
    failed = {**DONE, "state": "failed", "fault": "handling is away"}
    with pytest.raises(UnavailableError, match="handling is away"):
        rebuild(Answers(failed), as_json=True)


BACKLOG = {
    "rows": [
        {
            "department": "quality",
            "open": 3,
            "rate": 0.75,
            "dwell": 90_000.0,
            "cases": {},
        },
        {"department": None, "open": 1, "rate": None, "dwell": 5_400.0, "cases": {}},
    ],
    "total": {"open": 4, "rate": 0.5, "dwell": None, "cases": {}},
    "definition": {
        "columns": {"open": "count", "rate": "share", "dwell": "seconds"},
        "counts": "every complaint that was open, once",
        "out_of": None,
    },
    "position": 9,
    "as_of": "2026-01-01T00:00:00.000000Z",
    "damaged": False,
    "beyond": False,
}


def test_any_figure_is_a_table_with_the_whole_below(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figure(Answers(BACKLOG), "backlog", [], as_json=False)
    heading, *rows, _ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["department", "open", "rate", "dwell"]
    assert [row.split() for row in rows] == [
        ["quality", "3", "75.0%", "1.0", "d"],
        ["-", "1", "-", "1.5", "h"],
        ["all", "4", "50.0%", "-"],
    ]


def test_a_comparison_has_columns_for_what_was_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {"count": 7, "share": 0.25, "cases": {}}
    row = {"product": "K210", "count": 9, "share": 0.5, "cases": "/there"}
    change = {"count": 2, "share": 0.25}
    compared = {
        **FIGURE,
        "rows": [{**row, "previous": before, "change": change}],
        "previous": before,
        "change": change,
    }
    frequency(Answers(compared), [], as_json=False)
    heading, line, _ = capsys.readouterr().out.splitlines()
    assert heading.split() == (
        ["product", "count", "share", "count", "before", "share", "before"]
    )
    assert line.split() == ["K210", "9", "50.0%", "7", "25.0%"]
    rates = {
        **BACKLOG,
        "definition": {**BACKLOG["definition"], "compare": "previous"},
        "rows": [
            {
                **BACKLOG["rows"][0],
                "previous": {"open": 5, "rate": None, "dwell": 3_600.0, "cases": {}},
            }
        ],
    }
    figure(Answers(rates), "rates", [], as_json=False)
    _, line, whole, _ = capsys.readouterr().out.splitlines()
    assert line.split()[-4:] == ["5", "-", "1.0", "h"]
    assert whole.split()[-3:] == ["-", "-", "-"]

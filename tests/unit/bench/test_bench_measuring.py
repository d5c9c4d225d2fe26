"""The bench prints no figure of work whose outcome was not checked, or was wrong."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from bench import __main__ as command
from bench import report, suites, targets
from bench.measuring import Disagreement, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(suite="some", quick=False, seed=1, folder=tmp_path, cache=tmp_path)


def test_turns_alternate_after_each_arm_has_warmed_up(run: Run):
    called = []
    arms = {name: lambda name=name: called.append(name) or len(called) for name in "AB"}
    measured = run.turns(arms, turns=3)
    assert "".join(called) == "AB" + "AB" + "BA" + "AB"
    assert measured == {"A": [3, 6, 7], "B": [4, 5, 8]}


def test_a_ratio_is_the_median_of_the_turns(run: Run):
    run.agree("rows", 1, 1)
    assert run.ratio("append/raw", [10, 40, 90], [10, 10, 30]) == 3
    (figure,) = run.figures
    assert (figure.low, figure.high, figure.turns, figure.checked) == (1, 4, 3, True)


def test_before_anything_agreed_there_is_no_figure(run: Run):
    with pytest.raises(Disagreement, match="nothing was checked"):
        run.figure("append/raw", [1.0], unit="ratio")


def test_what_differs_is_shown_where_it_differs(run: Run):
    with pytest.raises(Disagreement, match=r"cases: 'b': \[1\] found 3, expected 4"):
        run.agree("cases", {"a": [1], "b": [2, 3]}, {"a": [1], "b": [2, 4]})


def suite(monkeypatch, *, value: float = 1.0, found: int = 1, name: str = "e2e/bare"):
    def measure(run: Run) -> None:
        run.agree("rows", found, 1)
        run.figure(name, [value], unit="ratio")
        run.skip("append/emmett", "no node here")

    monkeypatch.setattr(suites, "NAMES", ("some",))
    monkeypatch.setattr(suites, "named", lambda _: SimpleNamespace(measure=measure))


def bench(tmp_path: Path, monkeypatch, *words: str):
    monkeypatch.setattr(command, "BUILD", tmp_path)
    app = command.typer.Typer()
    app.command()(command.main)
    to = tmp_path / "bench.json"
    done = CliRunner().invoke(app, ["--to", str(to), *words])
    return done, json.loads(to.read_text()) if to.exists() else None


def test_a_run_writes_its_figures_with_targets_machine_and_seed(tmp_path, monkeypatch):
    suite(monkeypatch, value=0.5)
    done, written = bench(tmp_path, monkeypatch, "--seed", "7")
    assert done.exit_code == 0  # a time that is missed decides nothing
    (figure,) = written["figures"]
    assert figure["name"] == "e2e/bare"
    assert (figure["value"], figure["target"], figure["better"]) == (
        0.5,
        0.65,
        "higher",
    )
    assert figure["checked"] is True
    assert written["seed"] == 7
    assert written["machine"]["cores"] >= 1
    assert written["skipped"] == {"append/emmett": "no node here"}
    assert "missed" in done.stdout
    assert "no node here" in done.stdout


def test_a_quick_run_does_not_judge_times(tmp_path, monkeypatch):
    suite(monkeypatch, value=0.5)
    done, _ = bench(tmp_path, monkeypatch, "--quick")
    assert "missed" not in done.stdout


def test_a_count_that_misses_its_target_fails_every_run(tmp_path, monkeypatch):
    suite(monkeypatch, value=0.6, name="fsyncs/intake")
    done, _ = bench(tmp_path, monkeypatch, "--quick")
    assert done.exit_code == 1


def test_where_the_outcome_is_wrong_no_figure_is_printed_or_kept(tmp_path, monkeypatch):
    suite(monkeypatch)
    assert bench(tmp_path, monkeypatch)[1] is not None
    suite(monkeypatch, found=2)
    done, written = bench(tmp_path, monkeypatch)
    assert done.exit_code == 1
    assert written is None
    assert "e2e/bare" not in done.stdout


def test_a_suite_that_is_not_there_is_misuse(tmp_path, monkeypatch):
    suite(monkeypatch)
    done, _ = bench(tmp_path, monkeypatch, "--suite", "none")
    assert done.exit_code == 2


def test_every_suite_says_what_it_measures():
    for name in suites.NAMES:
        assert suites.named(name).__doc__


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda target: target.name)
def test_every_target_can_be_met_and_missed(target: targets.Target):
    better = 2 if target.better == "higher" else 0.5
    figure = {"name": target.name, "value": target.bound * better}
    assert report.standing(figure) == "met"
    assert report.standing(figure | {"value": target.bound / better}) == "missed"
    assert report.standing(figure, quick=True) == ("met" if target.quick else "")

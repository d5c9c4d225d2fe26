"""Alerts, dashboard and the pages for on call speak of figures that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.kernel import sighting
from services.kernel.measures import MEASURES

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PAGES = ROOT / "docs/how-to/on-call"
FIGURE = re.compile(r"\bamends_[a-z_]+")
OF_A_HISTOGRAM = ("_bucket", "_sum", "_count")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def served() -> set[str]:
    """Name the series that `/metrics` has."""
    names = {each.name for each in MEASURES}
    histograms = {each.name for each in MEASURES if each.kind == "histogram"}
    return names - histograms | {n + end for n in histograms for end in OF_A_HISTOGRAM}


def test_every_figure_of_an_alert_is_there() -> None:
    for name in ("alerts.yml", "alerts_test.yml"):
        text = (DEPLOY / "prometheus" / name).read_text()
        assert set(FIGURE.findall(text)) - served() == set(), name


def test_every_figure_of_the_dashboard_is_there() -> None:
    board = json.loads((DEPLOY / "grafana/amends.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) > 10
    assert set(FIGURE.findall(" ".join(asked))) - served() == set()


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    told = {(each["annotations"]["runbook"], each["alert"]) for each in rules()}
    pages = {
        (
            str(page.relative_to(ROOT)),
            re.search(r"^Alert `(\w+)`", page.read_text(), re.MULTILINE)[1],
        )
        for page in PAGES.glob("*.md")
        if page.name != "index.md"
    }
    assert told == pages
    assert len(pages) == 8
    listed = (PAGES / "index.md").read_text()
    assert all(Path(page).name in listed for page, _ in pages)


def test_what_is_red_in_a_terminal_is_what_raises_an_alert() -> None:
    """The same limits, wherever they stand; and each leads to a page that there is."""
    text = " ".join(each["expr"] for each in rules())
    for limit in (
        f"> {sighting.UNPUBLISHED}",
        f"> {sighting.LATE}",
        f"> {sighting.FEED}",
        f"> {sighting.STANDBY}",
        f"> {sighting.BACKUP // 3600} * 3600",
        f"< {sighting.DISK}",
        f"< {sighting.CERTIFICATE // 86400} * 86400",
    ):
        assert limit in text


def test_the_rules_fire_when_they_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: it comes with the package prometheus")
    for arguments in (
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):
        done = subprocess.run(
            [promtool, *arguments],
            cwd=DEPLOY / "prometheus",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

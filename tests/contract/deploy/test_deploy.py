"""The files under deploy/ are ones that their programs accept."""

import configparser
import re
import subprocess
from pathlib import Path

from services.kernel.broker.server import find_binary
from services.kernel.settings import Settings

DEPLOY = Path(__file__).parents[3] / "deploy"


def test_nats_server_accepts_its_configuration(tmp_path: Path) -> None:
    text = (DEPLOY / "nats-server.conf").read_text()
    config = tmp_path / "nats.conf"
    config.write_text(text.replace("/var/lib/nats", str(tmp_path / "js")))
    said = subprocess.run(
        [find_binary(), "-t", "-c", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "sync_interval: always" in text


def test_the_unit_names_settings_that_exist() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    unit.read(DEPLOY / "amends.service")
    assert unit["Service"]["ExecStart"].endswith("/amends up")
    text = "\n".join(file.read_text() for file in DEPLOY.iterdir())
    known = {f"AMENDS_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"AMENDS_[A-Z_]+", text)) <= known


def test_the_proxy_keeps_health_and_metrics_inside() -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    for path in ("/health", "/metrics"):
        assert re.search(rf"location {path}\s+{{ return 404; }}", text)

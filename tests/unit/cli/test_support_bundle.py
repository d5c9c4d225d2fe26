"""No person is in a support bundle, wherever words of theirs might come from."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from services.bundle import clean, shown_log, shown_settings, write_bundle
from services.doctor import Finding
from services.kernel.settings import Settings

CANARIES = (
    "Wang Fang",
    "王芳",
    "wang@example.org",
    "+86 138 1234 5678",
    "13812345678",
    "/Users/wangfang/amends",
    "s3cret-token",
)


def without_canaries(text: str) -> None:
    """Look for every part of every canary that could tell somebody."""
    for canary in (*CANARIES, "wangfang", "example.org"):
        assert canary not in text


@pytest.mark.parametrize("canary", CANARIES[1:6])
def test_of_a_sentence_only_what_is_ours_is_left(canary: str) -> None:
    told = clean(f"cannot open {canary}: see the log")
    assert told == "cannot open …: see the log"
    assert clean(f"it said '{CANARIES[0]}' here") == "it said … here"


def test_a_setting_that_somebody_words_is_only_set(
    tmp_path: Path,
) -> None:
    certificate = tmp_path / "wangfang.pem"
    certificate.write_text("")
    settings = Settings(
        data=Path(CANARIES[5]),
        database_url="postgresql://wangfang:s3cret-token@example.org/db",
        nats_url="nats://wangfang@example.org:4222",
        service_token="s3cret-token" * 4,
        tenant="wangfang",
        certificate=certificate,
        channel_silence={"web": timedelta(minutes=5)},
        port=8090,
    )
    shown = shown_settings(settings)
    without_canaries(json.dumps(shown, ensure_ascii=False))
    assert shown["port"] == 8090
    assert shown["channel_silence"] == {"web": 300.0}
    assert {shown[name] for name in ("data", "tenant", "database_url")} == {"set"}
    assert shown["host"] == "default"


def test_of_a_log_only_lines_and_fields_of_ours_are_left() -> None:
    trace = (
        f'  File "{CANARIES[5]}/services/intake/api.py", line 7, in submit\n'
        f"    keep({CANARIES[0]!r})\n"
        f"builtins.ValueError: {CANARIES[1]}\n"
    )
    lines = [
        f"127.0.0.1 - {CANARIES[0]} GET /",
        json.dumps({"msg": CANARIES[0], "level": "info"}),
        "[]",
        json.dumps(
            {
                "event": "http.failed",
                "level": "error",
                "timestamp": "2026-11-22T18:00:00.000000Z",
                "status": 500,
                "reason": f"refused {CANARIES[2]} at {CANARIES[5]}",
                "correlation_id": CANARIES[4],
                "customer": CANARIES[0],
                "exception": trace,
            }
        ),
    ]
    (shown,) = shown_log(lines)
    assert shown == {
        "event": "http.failed",
        "level": "error",
        "timestamp": "2026-11-22T18:00:00.000000Z",
        "status": 500,
        "reason": "refused … at …",
        "exception": ["api.py:7 submit", "builtins.ValueError"],
    }


def test_a_bundle_is_written_where_nothing_runs(tmp_path: Path) -> None:
    target = tmp_path / "bundle.zip"
    finding = Finding("folder", "fault", f"{CANARIES[5]}: none", f"chmod {CANARIES[5]}")
    settings = Settings(data=tmp_path / "wangfang")
    write_bundle(target, settings, {"amends up": "http://127.0.0.1:9"}, [finding])
    with zipfile.ZipFile(target) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert parts.keys() == {
        "about.json",
        "settings.json",
        "doctor.json",
        "tables.json",
        "log.ndjson",
        "top.json",
    }
    for text in parts.values():
        without_canaries(text)
    assert json.loads(parts["doctor.json"]) == [
        {"check": "folder", "status": "fault", "detail": "…: none", "remedy": "chmod …"}
    ]
    seen = json.loads(parts["top.json"])
    assert [each["what"] for each in seen["red"]] == ["amends up does not answer"]
    assert target.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        write_bundle(target, settings, {}, [])

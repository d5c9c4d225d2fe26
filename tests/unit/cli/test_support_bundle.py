"""No person is in a support bundle, wherever words of theirs might come from."""

from __future__ import annotations

import itertools
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from services.bundle import clean, shown_settings, write_bundle
from services.cli.bundling import support_bundle
from services.doctor import Finding
from services.kernel.errors import RefusedError
from services.kernel.folder import DataFolder
from services.kernel.settings import Settings
from services.logged import shown_log

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
        f'  File "{CANARIES[5]}/services/intake/api/complaints.py", line 7, in submit\n'
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
        "exception": ["complaints.py:7 submit", "ValueError"],
    }


# Looks like what stands there: a name in lower case, a code, a kind of error, a module.
NAMES = (
    "Lin Yan",
    "lin.yan",
    "LinYan",
    "services.lin.yan",
    "/v1/lin/yan",
    "LinYanError",
)
FIELDS = (
    *("event", "logger", "level", "timestamp", "reason", "code", "check", "method"),
    *("route", "service", "stream", "consumer", "durable", "status", "position"),
    *("exception", "customer", "lin.yan"),
)


@pytest.mark.parametrize("name", NAMES)
def test_no_field_of_a_log_takes_a_name_through(name: str) -> None:
    values = (name, f"{name} rang", f"ValueError: {name}", f"{name}: ValueError")
    for field, value in itertools.product(FIELDS, values):
        told = {"event": "http.failed", "level": "error", field: value}
        nested = {**told, field: [value, {name: value}]}
        (shown,) = shown_log([json.dumps(told)])
        (deeper,) = shown_log([json.dumps(nested)])
        for text in (json.dumps(shown).lower(), json.dumps(deeper).lower()):
            assert "lin" not in text
            assert "yan" not in text


def test_of_a_trace_a_name_is_no_file_function_or_error_of_ours() -> None:
    trace = (
        '  File "/srv/lin_yan.py", line 7, in submit\n'
        '  File "/srv/services/intake/api/complaints.py", line 9, in lin_yan\n'
        "lin.YanError: Lin Yan\n"
        "  Lin Yan\n"
        "services.kernel.errors.RefusedError: Lin Yan\n"
    )
    line = {"event": "http.failed", "level": "error", "exception": trace}
    (shown,) = shown_log([json.dumps(line)])
    assert shown["exception"] == ["complaints.py:9", "RefusedError"]


def test_a_figure_that_may_be_a_telephone_is_left_out() -> None:
    line = {"event": "http.failed", "level": "error", "status": 500, "position": 7}
    (shown,) = shown_log([json.dumps({**line, "found": int(CANARIES[4])})])
    assert shown == line


def test_what_is_ours_stays_in_a_line() -> None:
    line = {
        "event": "relay.hindered",
        "level": "warning",
        "logger": "services.kernel.relay",
        "timestamp": "2026-11-22T18:00:00.000000Z",
        "stream": "INTAKE",
        "reason": "TimeoutError: see the log",
        "route": "/health/ready",
        "method": "GET",
        "service": "intake",
        "code": "bundle.taken",
        "consumer": "intake-submit",
    }
    (shown,) = shown_log([json.dumps(line)])
    assert shown == {**line, "reason": "TimeoutError"}
    (library,) = shown_log(
        [json.dumps({**line, "event": "Lin Yan", "logger": "uvicorn.error"})]
    )
    assert library["logger"] == "uvicorn"
    assert "event" not in library


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


def test_a_folder_that_is_missing_is_made_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DataFolder(tmp_path / "data").make()
    monkeypatch.setenv("AMENDS_DATA", str(tmp_path / "data"))
    inner = tmp_path / "new" / "folder"
    support_bundle(inner / "b.zip", None, as_json=True)
    assert zipfile.is_zipfile(inner / "b.zip")
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file" / "b.zip", Path("/proc/b.zip")):
        with pytest.raises(RefusedError) as refused:
            support_bundle(target, None, as_json=True)
        assert refused.value.code == "file.not_writable"
        assert str(target) in refused.value.detail

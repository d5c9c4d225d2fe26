"""Settings: every fault at once, by name, with its remedy and without any secret."""

import os
import pickle
from pathlib import Path

import pytest

from services.kernel.settings import (
    NOT_OURS,
    PREFIX,
    Settings,
    SettingsError,
    is_loopback,
    load_settings,
    settings_reference,
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX) and name not in NOT_OURS:
            monkeypatch.delenv(name)


def load_settings_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as refused:
        load_settings_with(monkeypatch, **variables)
    for error in refused.value.errors:
        assert f"{error.field}: {error.message}; {error.remedy}" in str(refused.value)
    return {e.field: f"{e.message}; {e.remedy}" for e in refused.value.errors}


def test_without_any_variable_everything_is_local() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.database_url is settings.nats_url is None
    assert settings.stream_bytes == 10 * 1024**3


def test_variables_are_read_and_keywords_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENDS_PORT", "9000")
    monkeypatch.setenv("AMENDS_STREAM_BYTES", "2GiB")
    monkeypatch.setenv("AMENDS_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("AMENDS_DATABASE_URL", "")  # as compose files write "unset"
    settings = load_settings(data=Path("elsewhere"))
    assert settings.port == 9000
    assert settings.stream_bytes == 2 * 1024**3
    assert settings.log_level == "debug"
    assert settings.database_url is None
    assert settings.data == Path("elsewhere")
    assert load_settings(port=1234).port == 1234


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusal(
        monkeypatch,
        AMENDS_PORT="80a",
        AMENDS_PROT="9000",
        AMENDS_TENANT="a b",
        AMENDS_TIME_ZONE="../etc/passwd",
        AMENDS_NATS_CREDENTIALS="no/such/file",
        AMENDS_STREAM_DAYS="0",
        AMENDS_HOST="0.0.0.0",  # noqa: S104 - to see it refused
        HANDLING_POSTGRES_ENABLE_DB_FUNCTIONS="n",
    )
    assert told == {
        "AMENDS_PORT": "given '80a'; allowed is 1 to 65535",
        "AMENDS_PROT": "given, but there is no such setting; "
        "did you mean AMENDS_PORT? rename or unset it",
        "AMENDS_TENANT": "given 'a b'; allowed is a letter or digit, then up to 63 of "
        "letters, digits, _ . -",
        "AMENDS_TIME_ZONE": "given '../etc/passwd'; allowed is a name of the IANA "
        "database such as Asia/Shanghai",
        "AMENDS_NATS_CREDENTIALS": "given 'no/such/file'; allowed is a file that this "
        "process may read",
        "AMENDS_STREAM_DAYS": "given '0'; allowed is 1 to 3650",
        "AMENDS_HOST": "given '0.0.0.0', which other machines can reach; put a proxy "
        "with TLS in front and set AMENDS_LISTEN_REMOTELY=yes, or use 127.0.0.1",
        "HANDLING_POSTGRES_ENABLE_DB_FUNCTIONS": "given; its server function loses "
        "events for followers; unset it, whatever its value",
    }


@pytest.mark.parametrize("address", ["http://a:b", "http://a:0", "http://a/x", "a:1"])
def test_an_address_of_a_service_is_scheme_host_and_port(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    assert set(refusal(monkeypatch, AMENDS_INTAKE_URL=address)) == {"AMENDS_INTAKE_URL"}
    right = load_settings_with(monkeypatch, AMENDS_INTAKE_URL="http://a:81/")
    assert right.intake_url == "http://a:81"


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusal(
        monkeypatch,
        AMENDS_DATABASE_URL="mysql://me:hunter2@db/x",
        AMENDS_NATS_URL="http://me:hunter2@nats",
    )
    assert set(told) == {"AMENDS_DATABASE_URL", "AMENDS_NATS_URL"}
    assert "hunter2" not in str(told)
    settings = load_settings_with(
        monkeypatch,
        AMENDS_DATABASE_URL="postgresql://me:hunter2@db/x",
        AMENDS_NATS_URL="tls://me:hunter2@a:4222,tls://b:4222",
    )
    assert "hunter2" not in repr(settings)


def test_settings_of_an_outside_broker_need_its_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seed = tmp_path / "seed.nk"
    seed.write_text("")
    variables = {
        "AMENDS_NATS_CREDENTIALS": str(seed),
        "AMENDS_NATS_MONITOR_URL": "http://nats:8222",
    }
    assert set(refusal(monkeypatch, **variables)) == set(variables)
    load_settings_with(monkeypatch, AMENDS_NATS_URL="nats://nats:4222")
    # a faulty address is one fault, not three
    assert set(refusal(monkeypatch, AMENDS_NATS_URL="nats://")) == {"AMENDS_NATS_URL"}


def test_listening_to_other_machines_must_be_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert set(refusal(monkeypatch, AMENDS_HOST="amends.example")) == {"AMENDS_HOST"}
    load_settings_with(monkeypatch, AMENDS_LISTEN_REMOTELY="yes")
    assert [h for h in ("localhost", "127.8.8.8", "::1") if is_loopback(h)] == [
        "localhost",
        "127.8.8.8",
        "::1",
    ]
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1")))  # noqa: S104 - names


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("AMENDS_FOO", None),
        ("AMENDS_TOKEN", None),
        ("AMENDS_DATABASE", "AMENDS_DATABASE_URL"),
        ("amends_loglevel", "AMENDS_LOG_LEVEL"),
        ("AMENDS_POTR", "AMENDS_PORT"),
        ("AMENDS_DAT", "AMENDS_DATA"),
    ],
)
def test_only_a_likely_name_is_proposed(
    monkeypatch: pytest.MonkeyPatch, typed: str, meant: str | None
) -> None:
    monkeypatch.setenv(typed, "x")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    (fault,) = refused.value.errors
    assert fault.remedy == (
        f"did you mean {meant}? rename or unset it" if meant else "unset it"
    )


def test_an_unknown_keyword_is_a_fault_too() -> None:
    with pytest.raises(SettingsError, match="prot: there is no such setting"):
        load_settings(prot=9000)


def test_a_variable_of_the_tests_is_no_typo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENDS_REAL_DATA", "somewhere")
    load_settings()


def test_the_reference_has_a_row_for_each_setting() -> None:
    rows = settings_reference()
    assert len(rows) == len(Settings.model_fields)
    assert all(row.allowed and row.description for row in rows)
    shown = {row.variable: row.default for row in rows}
    assert shown["AMENDS_STREAM_BYTES"] == "10GiB"
    assert shown["AMENDS_LISTEN_REMOTELY"] == "no"


def test_the_refusal_survives_a_child_process() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(port=0)
    twin = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - our own bytes
    assert twin.errors == refused.value.errors

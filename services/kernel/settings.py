"""What an operator may set: AMENDS_ variables, read once, every fault told at once.

`load_settings` is called by composition roots alone; everything below takes values.
"""

import difflib
import ipaddress
import os
import shlex
import shutil
import zoneinfo
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import phonenumbers
import pydantic
import pydantic_settings
from pydantic import AfterValidator, ByteSize, Field
from pydantic.fields import FieldInfo

from services.kernel.errors import AmendsError, FieldError

PREFIX: Final = "AMENDS_"
NOT_OURS: Final = frozenset({"AMENDS_REAL_DATA"})
"""Variables with our prefix that are read elsewhere (by the tests)."""

_LIKENESS: Final = 0.75
"""Of two names: one letter of four is wrong, or two are swapped."""

Tenant = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class SettingsError(AmendsError):
    """Some settings cannot be used; `errors` holds every one of them."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        lines = (f"  {e.field}: {e.message}; {e.remedy}" for e in errors)
        detail = "correct these settings and start again:\n" + "\n".join(lines)
        super().__init__("settings.invalid", detail, errors=errors)

    def __reduce__(self) -> tuple[type[AmendsError], tuple[object]]:
        return SettingsError, (self.errors,)


def _starting(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        for url in value.split(","):
            if not url.strip().startswith(schemes) or url.strip() in schemes:
                raise ValueError
        return value

    return AfterValidator(check)


def _origin(value: str) -> str:
    """Take `scheme://host[:port]` alone; a wrong port is told by `urlsplit`."""
    url = urlsplit(value)
    if not url.hostname or url.port == 0 or url.path.strip("/") or url.query:
        raise ValueError
    return value.rstrip("/")


def _known_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, OSError):
        raise ValueError from None
    return value


def _known_region(value: str) -> str:
    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError
    return value.upper()


def _readable(value: Path) -> Path:
    if not (value.is_file() and os.access(value, os.R_OK)):
        raise ValueError
    return value


def _command(value: str) -> str:
    """Take a command line whose program is there."""
    words = shlex.split(value)
    if not words or shutil.which(words[0]) is None:
        raise ValueError
    return value


def _minutes(value: object) -> object:
    """Read `code=minutes`, several of them separated by commas."""
    if not isinstance(value, str):
        return value
    pairs = [each.partition("=") for each in value.split(",")]
    if not all(code.strip() and int(minutes) > 0 for code, _, minutes in pairs):
        raise ValueError
    return {code.strip(): timedelta(minutes=int(m)) for code, _, m in pairs}


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _setting(
    default: object, description: str, *, allowed: str, secret: bool = False
) -> Any:
    return Field(
        default=default,
        description=description,
        repr=not secret,
        json_schema_extra={"allowed": allowed, "secret": secret},
    )


class Settings(pydantic_settings.BaseSettings):
    """The settings of one process; each may also be given by keyword (tests, flags)."""

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    host: Annotated[str, Field(min_length=1)] = _setting(
        "127.0.0.1",
        "Address to listen on.",
        allowed="an address or host name of this machine",
    )
    port: Annotated[int, Field(ge=1, le=65535)] = _setting(
        8080, "Port that `amends up` listens on.", allowed="1 to 65535"
    )
    listen_remotely: bool = _setting(
        False,
        "Needed for a host that is not loopback. Statements and tokens then cross the "
        "network in the clear: a proxy that speaks TLS must stand in front.",
        allowed="yes or no",
    )
    data: Path = _setting(
        Path("amends-data"),
        "Data folder: databases, keys, the embedded broker's streams, logs.",
        allowed="a path; made at first start with mode 0700",
    )
    database_url: Annotated[str, _starting("postgresql://", "postgres://")] | None = (
        _setting(
            None,
            "PostgreSQL to keep the stores in; without it SQLite in the data folder.",
            allowed="postgresql://user:password@host:port/database",
            secret=True,
        )
    )
    nats_url: Annotated[str, _starting("nats://", "tls://")] | None = _setting(
        None,
        "NATS servers to use, separated by commas; without it an embedded one.",
        allowed="nats://host:port or tls://host:port",
        secret=True,
    )
    nats_monitor_url: Annotated[str, _starting("http://", "https://")] | None = (
        _setting(
            None,
            "Monitoring address of those servers, to check that they sync each write.",
            allowed="http://host:port or https://host:port",
        )
    )
    nats_credentials: Annotated[Path, AfterValidator(_readable)] | None = _setting(
        None,
        "File with the nkey seed to sign in to those servers with.",
        allowed="a file that this process may read",
    )
    intake_url: Annotated[
        str, _starting("http://", "https://"), AfterValidator(_origin)
    ] = _setting(
        "http://127.0.0.1:8081",
        "Where the process of `amends run intake` is reached by the others and by verbs; "
        "it listens on this port.",
        allowed="http://host:port or https://host:port",
    )
    handling_url: Annotated[
        str, _starting("http://", "https://"), AfterValidator(_origin)
    ] = _setting(
        "http://127.0.0.1:8082",
        "As AMENDS_INTAKE_URL, of `amends run handling`.",
        allowed="http://host:port or https://host:port",
    )
    analytics_url: Annotated[
        str, _starting("http://", "https://"), AfterValidator(_origin)
    ] = _setting(
        "http://127.0.0.1:8083",
        "As AMENDS_INTAKE_URL, of `amends run analytics`.",
        allowed="http://host:port or https://host:port",
    )
    service_token: Annotated[str, Field(min_length=32)] | None = _setting(
        None,
        "What services in processes of their own show each other; without it the file "
        "services.token of the data folder, which `amends provision` makes.",
        allowed="32 characters or more, the same in every process",
        secret=True,
    )
    notice_seconds: Annotated[float, Field(ge=0, le=300)] = _setting(
        0,
        "Seconds for which a process of `amends run` that was told to end still answers "
        "while `/health/ready` says 503, for balancers that look there.",
        allowed="0 to 300",
    )
    stream_days: Annotated[int, Field(ge=1, le=3650)] = _setting(
        30, "Days that an event stays in its stream.", allowed="1 to 3650"
    )
    stream_bytes: Annotated[ByteSize, Field(ge=1024**2)] = _setting(
        ByteSize(10 * 1024**3),
        "Size that a stream may reach before its oldest events leave it.",
        allowed="bytes or a size such as 10GiB, at least 1MiB",
    )
    stream_replicas: Annotated[int, Field(ge=1, le=5)] = _setting(
        1,
        "On how many servers of a NATS cluster each stream lies; with 3 one may fail.",
        allowed="1 to 5, more than 1 with AMENDS_NATS_URL alone",
    )
    file_bytes: Annotated[ByteSize, Field(ge=1024**2)] = _setting(
        ByteSize(200 * 1000**2),
        "Most bytes of one file that is handed in.",
        allowed="bytes or a size such as 200MB, at least 1MiB",
    )
    upload_hours: Annotated[int, Field(ge=1, le=720)] = _setting(
        24,
        "Hours that a file which was uploaded waits to be finished and used; then it "
        "and its key are removed, within an hour.",
        allowed="1 to 720",
    )
    import_bytes: Annotated[ByteSize, Field(ge=1024**2)] = _setting(
        ByteSize(250 * 1000**2),
        "Most bytes of a file that is handed in on the page for imports; larger ones by "
        "`amends import`.",
        allowed="bytes or a size such as 1GB, at least 1MiB",
    )
    import_hours: Annotated[int, Field(ge=1, le=720)] = _setting(
        24,
        "Hours after which an import that nobody touched is removed, with its file and "
        "its rejects. A file that was imported to its end is removed at once.",
        allowed="1 to 720",
    )
    file_scan: Annotated[str, AfterValidator(_command)] | None = _setting(
        None,
        "Command that checks each file before it can be used. It gets the file on "
        "standard input and ends with 0 for clean, 1 for refused.",
        allowed="a command and its arguments, such as clamdscan --no-summary -",
    )
    objects_url: Annotated[str, _starting("s3://")] | None = _setting(
        None,
        "Bucket to keep the bytes of files in; without it the data folder. Its keys, "
        "region and address are read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
        "AWS_REGION and AWS_ENDPOINT_URL.",
        allowed="s3://bucket or s3://bucket/prefix; needs the extra s3",
    )
    channel_silence: Annotated[
        dict[str, timedelta],
        pydantic_settings.NoDecode,
        pydantic.BeforeValidator(_minutes),
    ] = _setting(
        {},
        "Minutes for which a channel may bring no complaint until an alert is raised.",
        allowed="channel=minutes, separated by commas, such as phone=60,web=720",
    )
    certificate: Path | None = _setting(
        None,
        "Certificate (PEM) of the proxy in front, so that its end is told in time; while"
        " it cannot be read `amends doctor` warns, and nothing else ceases.",
        allowed="a file that this process may read",
    )
    log_format: Annotated[
        Literal["auto", "console", "json"], pydantic.BeforeValidator(_lower)
    ] = _setting(
        "auto",
        "Form of the log; auto is console on a terminal and json elsewhere.",
        allowed="auto, console or json",
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], pydantic.BeforeValidator(_lower)
    ] = _setting(
        "info",
        "Least level that is logged.",
        allowed="debug, info, warning or error",
    )
    tenant: Tenant = _setting(
        "default",
        "Code of the organisation; fixed at the first start.",
        allowed="a letter or digit, then up to 63 of letters, digits, _ . -",
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = _setting(
        "UTC",
        "The organisation's time zone, for pages and working calendars.",
        allowed="a name of the IANA database such as Asia/Shanghai",
    )
    phone_region: Annotated[str, AfterValidator(_known_region)] | None = _setting(
        None,
        "Where a phone number without a country code is at home; without it such "
        "numbers find cases by their digits, and tell no person.",
        allowed="an ISO 3166 region such as CN",
    )


def addresses(settings: Settings) -> dict[str, str]:
    """Say where each service answers when it has a process of its own."""
    return {
        "intake": settings.intake_url,
        "handling": settings.handling_url,
        "analytics": settings.analytics_url,
    }


class Reference(NamedTuple):
    """One row of the settings page."""

    variable: str
    default: str
    allowed: str
    description: str


def settings_reference() -> list[Reference]:
    return [
        Reference(
            variable=_variable(name),
            default="" if field.default is None else _shown(field.default),
            allowed=_extra(field)["allowed"],
            description=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def load_settings(**given: object) -> Settings:
    """Read the environment; `given` wins over it. Raises SettingsError with all faults.

    A variable that nobody reads is a fault as well: a misspelt limit must not pass
    silently as its default.
    """
    faults = [*_unread(os.environ)]
    faulty: dict[str, object] = {}
    try:
        settings = Settings(**given)  # type: ignore[arg-type] # pydantic checks them
    except pydantic.ValidationError as refused:
        errors = refused.errors(include_url=False, include_context=False)
        faults += map(_fault, errors)
        fields = Settings.model_fields
        faulty = {n: fields[n].default for e in errors if (n := e["loc"][0]) in fields}
        told = {name: value for name, value in given.items() if name in fields}
        settings = Settings(**{**told, **faulty})  # type: ignore[arg-type] # as above
    faults += _contradictions(settings, faulty)
    if faults:
        raise SettingsError(tuple(faults))
    return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; an unknown name counts as reachable."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _contradictions(settings: Settings, faulty: Container[str]) -> Iterator[FieldError]:
    """Faults between settings; those in `faulty` hold a default and prove nothing."""
    guarded = settings.listen_remotely or is_loopback(settings.host)
    if not guarded and "listen_remotely" not in faulty:
        yield FieldError(
            _variable("host"),
            f"given {settings.host!r}, which other machines can reach",
            "put a proxy with TLS in front and set AMENDS_LISTEN_REMOTELY=yes, "
            "or use 127.0.0.1",
        )
    if settings.nats_url is None and "nats_url" not in faulty:
        for name in ("nats_monitor_url", "nats_credentials"):
            if getattr(settings, name) is not None:
                yield FieldError(
                    _variable(name),
                    "given without AMENDS_NATS_URL; the embedded server needs none",
                    "set AMENDS_NATS_URL as well, or unset this",
                )
        if settings.stream_replicas > 1 and "stream_replicas" not in faulty:
            yield FieldError(
                _variable("stream_replicas"),
                f"given {settings.stream_replicas}; the embedded server is one",
                "set AMENDS_NATS_URL to the servers of a cluster, or unset this",
            )


def _unread(environ: Mapping[str, str]) -> Iterator[FieldError]:
    known = {_variable(name) for name in Settings.model_fields}
    for name in sorted(environ):
        if name.upper().endswith("POSTGRES_ENABLE_DB_FUNCTIONS"):
            yield FieldError(
                name,
                "given; its server function loses events for followers",
                "unset it, whatever its value",
            )
        elif name.upper().startswith(PREFIX) and name.upper() not in known | NOT_OURS:
            near = _meant(name.upper(), known)
            yield FieldError(
                name,
                "given, but there is no such setting",
                f"did you mean {near}? rename or unset it" if near else "unset it",
            )


def _meant(name: str, known: Iterable[str]) -> str | None:
    """Give the setting that `name` was likely meant for: all begin alike."""
    ours = [each.removeprefix(PREFIX) for each in known]
    near = difflib.get_close_matches(
        name.removeprefix(PREFIX), ours, n=1, cutoff=_LIKENESS
    )
    return PREFIX + near[0] if near else None


def _fault(error: Any) -> FieldError:
    """Turn one of pydantic's error dicts into words, without showing a secret."""
    name = str(error["loc"][0]) if error["loc"] else ""
    field = Settings.model_fields.get(name)
    if field is None:
        return FieldError(name, "there is no such setting", "leave it out")
    extra = _extra(field)
    value = "a value (not shown)" if extra["secret"] else _quoted(error["input"])
    return FieldError(
        _variable(name), f"given {value}", f"allowed is {extra['allowed']}"
    )


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _quoted(value: object) -> str:
    return repr(value if len(str(value)) <= 80 else f"{str(value)[:80]}…")  # noqa: PLR2004 - one line


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, ByteSize):
        return value.human_readable(decimal=value % 1000**2 == 0).replace(".0", "")
    return str(value)

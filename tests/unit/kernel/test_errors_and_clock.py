"""Instants are written one way and read strictly; refusals survive a child process."""

import datetime as dt
import json
import pickle
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock import (
    from_micros,
    last_day,
    micros,
    new_uuid7,
    parse_rfc3339,
    rfc3339,
    stated_day,
    system_clock,
    within_stated_day,
)
from services.kernel.errors import FieldError, MalformedError, UnavailableError

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=dt.UTC)
instants = st.datetimes(timezones=st.just(dt.UTC))


def test_a_refusal_crosses_to_another_process_whole() -> None:
    fault = FieldError("contact.phone", "is no number", "write it as +86…")
    for error in (
        MalformedError("intake.fields", "Correct them.", errors=[fault]),
        UnavailableError("store.busy", "Ask again.", retry_after=7, errors=[fault]),
    ):
        twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)


def test_the_system_clock_knows_its_zone() -> None:
    assert system_clock().tzinfo is dt.UTC


@given(instants)
def test_an_instant_survives_its_text_and_its_number(instant: dt.datetime) -> None:
    assert parse_rfc3339(rfc3339(instant)) == instant
    assert from_micros(micros(instant)) == instant


@given(st.lists(instants, min_size=2))
def test_texts_of_instants_sort_as_the_instants_do(many: list[dt.datetime]) -> None:
    assert [rfc3339(i) for i in sorted(many)] == sorted(rfc3339(i) for i in many)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-03-01T20:00:00.000005+08:00", NOW),
        ("2026-03-01t12:00:00.000005999z", NOW),
        ("2026-03-01T12:00:00.000005-00:00", NOW),
    ],
)
def test_what_rfc_3339_allows_is_read(text: str, same: dt.datetime) -> None:
    assert parse_rfc3339(text) == same


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00",  # whose noon?
        "2026-03-01 12:00:00Z",
        "2026-03-01",
        "2026-W09-7T12:00:00Z",
        "20260301T120000Z",
        "2026-03-01T24:00:00Z",
        "2026-12-31T23:59:60Z",
        "2026-02-30T12:00:00Z",
        "2026-03-01T12:00:00+24:00",
        "2026-03-01T12:00:00+0800",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-08:00",
        "2026-03-01T12:00:00Z\n",
        "\N{FULLWIDTH DIGIT TWO}026-03-01T12:00:00Z",
        "",
    ],
)
def test_what_rfc_3339_does_not_allow_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)


@pytest.mark.real_data
def test_hostile_instants_are_read_or_refused(real_data: Path) -> None:
    values = json.loads((real_data / "badinput/own/timestamps.json").read_bytes())
    for entry in values:
        try:
            parse_rfc3339(entry["value"])
        except ValueError:
            continue


def test_a_naive_datetime_has_no_number_and_no_id() -> None:
    for ask in (micros, rfc3339, new_uuid7):
        with pytest.raises(ValueError, match="no time zone"):
            ask(dt.datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    "source",
    [
        "Pacific/Honolulu",
        "America/New_York",
        "UTC",
        "Asia/Shanghai",
        "Pacific/Auckland",
    ],
)
@pytest.mark.parametrize("day", [dt.date(2026, 1, 1), dt.date(2026, 7, 1)])
def test_a_stated_day_is_that_day_in_every_zone(source: str, day: dt.date) -> None:
    midnight = dt.datetime.combine(day, dt.time(), ZoneInfo(source))
    assert stated_day(midnight.astimezone(dt.UTC)) == day
    within = within_stated_day(midnight)
    assert stated_day(within) == day
    for reader in ("Pacific/Honolulu", "UTC", "Asia/Shanghai", "Pacific/Auckland"):
        assert within.astimezone(ZoneInfo(reader)).date() == day


def test_the_ends_of_the_calendar_have_a_stated_day() -> None:
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    assert stated_day(last) == dt.date.max


def test_the_last_day_before_a_midnight_is_the_day_that_ends_then() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    midnight = dt.datetime(2027, 6, 30, 16, tzinfo=dt.UTC)
    assert last_day(midnight, shanghai) == dt.date(2027, 6, 30)
    assert last_day(midnight, dt.UTC) == dt.date(2027, 6, 30)
    assert last_day(midnight + dt.timedelta(hours=1), shanghai) == dt.date(2027, 7, 1)

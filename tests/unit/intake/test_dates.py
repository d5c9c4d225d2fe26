"""Dates of foreign tables: read as the form says, or refused with what is wrong."""

import datetime as dt
import json

import pytest

from events.vocabulary import Precision
from services.intake.domain.dates import (
    ISO_FORMS,
    UnreadDateError,
    known_form,
    read_date,
    written,
)

DAY, INSTANT, NOT_BEFORE = Precision.DAY, Precision.INSTANT, Precision.NOT_BEFORE


@pytest.mark.parametrize(
    ("form", "text", "at", "precision"),
    [
        ("YYYY-MM-DD", "2015-03-19", "2015-03-18T16:00:00Z", DAY),
        ("YYYY/M/D", "2015/3/19", "2015-03-18T16:00:00Z", DAY),
        ("DD.MM.YYYY", "19.03.2015", "2015-03-18T16:00:00Z", DAY),
        ("YYYY年M月D日", "2015年3月19日", "2015-03-18T16:00:00Z", DAY),
        ("M/D/YYYY h:mm AM", "3/19/2015 12:05 am", "2015-03-18T16:05:00Z", INSTANT),
        ("D/M/YYYY h:mm", "19/3/2015 9:05", "2015-03-19T01:05:00Z", INSTANT),
        ("YYYY-MM-DDThh:mm:ssZ", "2015-03-19T09:05:30.25+08:00",
         "2015-03-19T01:05:30.250000Z", INSTANT),
    ],
)  # fmt: skip
def test_a_date_is_read_by_its_form_in_its_zone(form, text, at, precision):
    stated = read_date(text, [form], "Asia/Shanghai")
    assert stated.at == dt.datetime.fromisoformat(at)
    assert stated.precision is precision


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("2026-10-25 01:30:00", "Europe/London", "2026-10-25T00:30:00Z"),
        ("2026-11-01 01:30:00", "America/New_York", "2026-11-01T05:30:00Z"),
    ],
)
def test_a_time_that_happens_twice_is_the_earlier_and_says_no_more(text, zone, at):
    stated = read_date(text, ISO_FORMS, zone)
    assert stated.at == dt.datetime.fromisoformat(at)
    assert stated.precision is NOT_BEFORE


@pytest.mark.parametrize(
    ("form", "text", "zone", "said"),
    [
        ("YYYY-MM-DD", "2026-02-30", "UTC", "is no day of the calendar"),
        ("MM/DD/YYYY", "15/06/2026", "UTC", "is no day of the calendar"),
        ("YYYY-MM-DD", "soon", "UTC", "is no day written as YYYY-MM-DD"),
        ("YYYY-MM-DD", "２０２６-01-01", "UTC", "is no day written"),  # noqa: RUF001
        ("YYYY-MM-DD hh:mm", "2026-06-15 24:00", "UTC", "is no time of a day"),
        ("YYYY-MM-DD h:mm AM", "2026-06-15 13:00 PM", "UTC", "is no time of a day"),
        ("YYYY-MM-DD hh:mm", "2026-03-29 01:30", "Europe/London", "clocks skipped"),
        ("YYYY-MM-DD", "2011-12-30", "Pacific/Apia", "left out"),
        ("YYYY-MM-DDThh:mmZ", "2026-06-15T12:00+25:00", "UTC", "no clock has"),
        ("YYYY-MM-DD", "0001-01-01", "Asia/Shanghai", "outside the years"),
    ],
)
def test_what_is_no_date_is_refused_by_what_is_wrong(form, text, zone, said):
    with pytest.raises(UnreadDateError, match=said):
        read_date(text, [form], zone)


@pytest.mark.real_data
def test_every_awkward_time_is_read_exactly_or_refused(real_data):
    """Nothing of badinput/own/timestamps.json is guessed, and nothing breaks."""
    said = {}
    cases = json.loads((real_data / "badinput/own/timestamps.json").read_text("utf-8"))
    forms = (*ISO_FORMS, "YYYY-MM-DDThh:mm:ss", "YYYY-MM-DD hh:mm")
    for each in cases:
        try:
            stated = read_date(each["value"], forms, each["zone"] or "Asia/Shanghai")
        except UnreadDateError as error:
            said[each["why"]] = str(error)
        else:
            local = stated.at.astimezone(dt.UTC)
            said[each["why"]] = local.isoformat()
    assert said["happens twice"] == "2026-11-01T05:30:00+00:00"
    assert "skipped" in said["does not happen"]
    assert "skipped" in said["China had summer time 1986-1991"]
    assert said["half-hour shift"] == "2026-04-04T14:45:00+00:00"
    assert "skipped" in said["a day that was skipped"]
    assert said["leap second"] == "is no time of a day"
    assert said["end of day"] == "is no time of a day"
    assert said["no such day"] == "is no day of the calendar"
    assert said["offset out of range"] == "has an offset that no clock has"
    assert said["largest offset"] == "2026-06-14T22:00:00+00:00"
    assert said["no zone"] == "2026-06-15T04:00:00+00:00"
    for unknown in (
        "order unknown", "week date", "basic form", "seconds", "milliseconds",
        "era date", "nanoseconds",
    ):  # fmt: skip
        assert said[unknown].startswith("is no date written as YYYY-MM-DD"), unknown


@pytest.mark.parametrize(
    "form", ["", "YYYY", "YYYY-MM", "YYYY-MM-DD hh", "YYYY-MM-DD MM", "Y-M-D", "DD MMM YYYY"]
)  # fmt: skip
def test_a_form_that_names_no_whole_date_is_refused(form):
    with pytest.raises(ValueError, match="is no form of a date"):
        known_form(form)


def test_a_form_is_shown_by_an_example():
    assert written("M/D/YYYY h:mm:ss AM") == "3/19/2015 9:05:30 AM"

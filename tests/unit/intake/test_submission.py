"""What a channel must hand in, and that every fault is told at once, without echo."""

import datetime as dt
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.vocabulary import Channel
from services.intake.domain.submission import Submission, as_code
from services.kernel.errors import MalformedError

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
GOOD = {
    "channel": "web",
    "statement": "The kettle leaks.",
    "contact": {"email": "ada@example.org"},
}


def parse(document, own=None):
    return Submission.parse(document, own=own, now=NOW)


def faults(document, own=None):
    with pytest.raises(MalformedError) as refused:
        parse(document, own)
    assert refused.value.code == "intake.invalid"
    return {each.field: each for each in refused.value.errors}


def test_the_least_web_complaint():
    assert parse(GOOD).statement == "The kettle leaks."


def test_everything_that_may_be_given():
    full = GOOD | {
        "contact": {
            "name": "Ada",
            "email": "a@b",
            "phone": "+44 20 7946 0958",
            "customer_no": "C 1",
        },
        "product": {
            "model": "Kettle 2000",
            "serial": "S/1",
            "lot": "L1",
            "supplier": "acme",
            "price": {"amount": "129.90", "currency": "EUR"},
        },
        "order_no": "2026/17",
        "purchase_date": "2026-01-31",
        "event_at": "2026-03-01T09:00:00+08:00",
        "demand": ["repair", "improvement"],
        "desired_outcome": "A new lid.",
        "category": "quality/leak",
        "attachments": [
            {
                "name": "lid.jpg",
                "media_type": "image/jpeg",
                "kind": "photo",
                "content": "/9j/4AA=",
            }
        ],
        "reported_via": "dealer",
        "dealer": "D-7",
        "source": "B",
        "source_document_on": "2026-03-02",
        "occurred_at": "2026-03-04T11:00:00Z",
    }
    read = parse(full)
    assert read.attachments[0].content == b"\xff\xd8\xff\xe0\x00"
    assert read.particulars() == {
        "contact": full["contact"],
        "order_no": "2026/17",
        "product": {"model": "Kettle 2000", "serial": "S/1"},
        "attachments": ["lid.jpg"],
    }


def test_the_channel_may_come_from_the_credential():
    document = {k: v for k, v in GOOD.items() if k != "channel"}
    assert parse(document, own="web").channel == "web"
    assert "channel" in faults(document)


def test_every_fault_is_told_at_once():
    found = faults(
        {
            "channel": "web",
            "statment": "x",
            "contact": {"phone": "none", "e-mail": "x"},
            "demand": ["return", "revenge"],
            "product": {"price": {"amount": "1", "currency": "euro"}},
            "purchase_date": 1700000000,
            "reported_via": "dealer",
            "source": "C",
        }
    )
    assert set(found) == {
        "statement",
        "statment",
        "contact.phone",
        "contact.e-mail",
        "demand[1]",
        "product.price.currency",
        "purchase_date",
        "dealer",
        "source_document_on",
    }
    assert found["statment"].remedy == "Did you mean statement?"
    assert found["contact.e-mail"].remedy == "Did you mean email?"


def test_no_fault_repeats_what_was_sent():
    said = "My name is Bob"
    found = faults(
        {
            "channel": said,
            "statement": [said],
            "contact": {"email": said, "name": {said: 1}},
            "category": "a//" + said,
            "event_at": said,
            "demand": said,
            said: 1,
            "attachments": [{"name": "x", "media_type": said, "content": said}],
        }
    )
    assert len(found) >= 7
    assert said not in repr(found)


@pytest.mark.parametrize(
    ("channel", "contact", "lacking"),
    [
        ("phone", {}, {"contact.name", "contact.phone"}),
        ("phone", {"name": "A"}, {"contact.phone"}),
        ("phone", {"name": "A", "phone": "+4912"}, set()),
        ("email", {"name": "A"}, {"contact.email"}),
        ("web", {"name": "A"}, {"contact.email"}),
        ("web", {"customer_no": "7"}, set()),
        ("letter", {"email": "a@b"}, {"contact.name"}),
        ("social", {"name": "@ada"}, set()),
        ("suggestion_box", {}, set()),
    ],
)
def test_what_a_channel_makes_mandatory(channel, contact, lacking):
    document = {"channel": channel, "statement": "x", "contact": contact}
    if lacking:
        assert set(faults(document)) == lacking
    else:
        parse(document)


def test_every_channel_says_what_it_needs():
    """S1, S7: a channel added to the vocabulary must be thought of here."""
    from services.intake.domain.submission import _REQUIRED  # noqa: PLC0415

    assert set(_REQUIRED) == set(Channel)


@pytest.mark.parametrize("words", ["", " \n\t", "\u200b\u200c\u200d\ufeff", "\u202e"])
def test_a_statement_that_shows_nothing_is_missing(words):
    assert set(faults(GOOD | {"statement": words})) == {"statement"}


def test_words_up_to_the_limit():
    parse(GOOD | {"statement": "字" * 20_000})
    found = faults(GOOD | {"statement": "字" * 20_001})
    assert found["statement"].remedy == "Send at most 20000."


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_words_come_out_as_they_came_in(words):
    document = GOOD | {"statement": "." + words, "desired_outcome": words}
    read = parse(document)
    assert (read.statement, read.desired_outcome) == ("." + words, words)


@pytest.mark.parametrize(
    ("field", "past", "future"),
    [
        ("event_at", "2026-03-04T12:04:00Z", "2026-03-04T12:06:00Z"),
        ("occurred_at", "2026-03-04T13:00:00+01:00", "2026-03-05T00:00:00Z"),
        ("purchase_date", "2026-03-05", "2026-03-06"),
    ],
)
def test_a_claim_lies_in_the_past(field, past, future):
    parse(GOOD | {field: past})
    assert set(faults(GOOD | {field: future})) == {field}


@pytest.mark.parametrize("instant", ["2026-03-04T12:00:00", "2026-03-04", 1772625600])
def test_an_instant_names_its_zone(instant):
    assert set(faults(GOOD | {"event_at": instant})) == {"event_at"}


def test_the_past_may_hold_less_but_has_a_date():
    document = {"channel": "web", "origin": "migration"}
    assert set(faults(document)) == {"occurred_at"}
    parse(document | {"occurred_at": "2011-12-30T05:00:00Z"})


def test_a_dealer_and_reported_via_go_together():
    assert set(faults(GOOD | {"dealer": "D1"})) == {"reported_via"}


@pytest.mark.parametrize("document", [None, 1, "x", [], [GOOD], True])
def test_only_an_object_is_a_submission(document):
    assert set(faults(document)) == {"$"}


@pytest.mark.parametrize("value", [None, 1, [], {}, True, 1.5, [1], {"a": 1}])
@pytest.mark.parametrize("field", sorted(Submission.model_fields))
def test_any_value_in_any_field_is_read_or_refused(field, value):
    document = GOOD | {field: value}
    try:
        parse(document)
    except MalformedError as refused:
        assert refused.errors  # noqa: PT017 - either way is right, another error is not


def test_equal_content_under_another_spelling_is_equal():
    spelt = GOOD | {"demand": [], "reported_via": "direct"}
    assert parse(GOOD).content() == parse(spelt).content()
    assert parse(GOOD).content() != parse(GOOD | {"order_no": "1"}).content()


@pytest.mark.parametrize(
    ("more", "verifiable"),
    [
        ({}, False),
        ({"order_no": "1"}, True),
        ({"order_no": "1", "product": {"model": "K-2000"}}, True),
        ({"order_no": "1", "product": {"model": "Kettle 2000"}}, False),
        ({"order_no": "1", "product": {"lot": "2026/5"}}, False),
    ],
)
def test_a_missing_order_number_or_code_is_left_to_the_front_office(more, verifiable):
    assert parse(GOOD | more).verifiable() is verifiable


@given(st.text(max_size=70))
def test_a_code_is_what_the_events_call_a_code(text):
    import re  # noqa: PLC0415

    told = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", text)
    assert (as_code(text) is not None) == (told is not None)


@pytest.mark.parametrize("text", ["a", "A_b.c-1", "-a", "_", "a b", "é", "a" * 65, ""])
def test_codes_by_example(text):
    test_a_code_is_what_the_events_call_a_code.hypothesis.inner_test(text)


@given(st.text(max_size=8).filter(lambda name: name not in Submission.model_fields))
def test_whatever_an_unknown_field_is_called_it_is_a_fault(name):
    told = faults({**GOOD, name: None})
    assert any("is not a field" in each.message for each in told.values())


def test_a_field_that_is_called_like_a_type_is_a_fault():
    for name in ("(", "[", "date-from[x]"):
        assert faults({**GOOD, name: None})


@pytest.mark.parametrize("form", [{"name": "a.txt"}, {"upload": str(UUID(int=1))}])
def test_the_kinds_of_an_attachment_are_told_as_they_are_sent(form):
    told = faults({"channel": "web", "attachments": [form | {"kind": ""}]})
    remedy = told["attachments[0].kind"].remedy
    assert "'proof_of_purchase', " in remedy
    assert "DocumentKind" not in remedy


def test_only_an_import_says_which_file_it_comes_from():
    place = {"batch": "b", "file": "0" * 64, "line": 2}
    past = {"origin": "migration", "occurred_at": "2020-01-01T00:00:00Z"}
    one, other = (
        parse(past | {"imported_from": place | {"line": line}}) for line in (2, 3)
    )
    assert one.imported_from.line == 2
    assert one.content() == other.content()
    assert list(faults(GOOD | {"imported_from": place})) == ["imported_from"]

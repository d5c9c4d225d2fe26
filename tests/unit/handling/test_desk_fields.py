"""Every command has a form, every form reads back, every refusal has a sentence."""

from zoneinfo import ZoneInfo

import pytest

from events.examples import EXAMPLES
from services.handling.application.cases import Known
from services.handling.domain.commands import COMMANDS
from services.handling.domain.refusals import FIELDS, REFUSALS
from services.handling.pages.desk_fields import (
    NEEDED,
    NO_AMOUNT,
    NO_TIME,
    Field,
    Sent,
    faults_of,
    fields_of,
    local_instant,
)
from services.handling.pages.desk_history import entries
from services.handling.pages.desk_refusals import REMEDIES
from services.handling.pages.desk_words import WORDS
from services.handling.pages.matters import WORDS as MATTERS
from services.kernel.errors import FieldError, MalformedError
from services.kernel.web.pages import Form
from tests.support.given import DEFAULT_POLICY, folded

CASE = folded([EXAMPLES["ComplaintReceived"]])
SHANGHAI = ZoneInfo("Asia/Shanghai")
AT_THE_DESK = sorted(
    name
    for name, roles in DEFAULT_POLICY.roles.items()
    if set(roles) - {"complainant", "channel", "clock"}
)


def fields(name: str) -> tuple[Field, ...]:
    return fields_of(name, CASE, DEFAULT_POLICY)


def sent(name: str, **given: str | list[str]) -> Sent:
    values = {
        key.replace("__", "."): [value] if isinstance(value, str) else value
        for key, value in given.items()
    }
    return Sent(fields(name), Form(values), SHANGHAI)


def test_every_refusal_of_a_case_has_a_sentence_for_people() -> None:
    assert set(REMEDIES) >= set(REFUSALS)


def test_a_refusal_of_a_field_finds_it_in_a_form() -> None:
    """Remedies and outcome are asked for only where the case does not say them."""
    there = {each.name for name in COMMANDS for each in fields(name)}
    assert set(FIELDS.values()) - there <= {"remedies", "outcome"}


def test_codes_are_chosen_from_the_lists_of_the_policy() -> None:
    by_name = {each.name: each for each in (*fields("accept"), *fields("investigate"))}
    lists = {
        "category": ("category", DEFAULT_POLICY.categories),
        "root_cause.path": ("cause", DEFAULT_POLICY.causes),
        "responsible_unit": ("department", DEFAULT_POLICY.departments),
    }
    for name, (kind, options) in lists.items():
        field = by_name[name]
        assert (field.control, field.kind, field.options) == ("choice", kind, options)
    coded = {each.kind for each in by_name.values() if each.control == "choice"}
    assert coded >= {"severity", "complaint_class", "scope_kind", "confidence"}


def test_what_the_complaint_said_stands_there_where_the_policy_knows_it() -> None:
    def category(said: str) -> str:
        case = CASE._replace(category=said)
        return next(
            each.value
            for each in fields_of("accept", case, DEFAULT_POLICY)
            if each.name == "category"
        )

    assert category("product/leak") == "product/leak"
    assert category("Credit-card/Fees") == ""


def test_every_code_of_the_default_lists_has_its_words() -> None:
    assert set(MATTERS["category"]) == set(DEFAULT_POLICY.categories)
    assert set(MATTERS["cause"]) == set(DEFAULT_POLICY.causes)


def test_every_command_and_field_has_its_words() -> None:
    assert set(WORDS["command"]) == set(COMMANDS)
    labels = {each.label for name in AT_THE_DESK for each in fields(name)}
    assert labels <= set(WORDS["field"])


@pytest.mark.parametrize("name", AT_THE_DESK)
def test_an_empty_form_is_told_what_it_needs(name: str) -> None:
    empty = Sent(fields(name), Form(), SHANGHAI)
    wanted = {each.name for each in fields(name) if each.required}
    assert {each.field for each in empty.faults} == wanted
    assert {each.message for each in empty.faults} <= {NEEDED}


def test_a_form_becomes_what_the_command_takes() -> None:
    accepted = sent(
        "accept",
        complaint_class="claim",
        category="product/leak",
        scope_kind="1",
        order_check="found",
        shipment_check="not_found",
        severity="",
        contract="Two years.\n",
        first_contact="yes",
    )
    assert not accepted.faults
    assert accepted.payload == {
        "complaint_class": "claim",
        "category": "product/leak",
        "scope_kind": 1,
        "order_check": "found",
        "shipment_check": "not_found",
        "contract": "Two years.\n",
        "first_contact": True,
    }


def test_rows_become_lists_and_paths_become_objects() -> None:
    found = sent(
        "investigate",
        findings__0="The seal is too short.",
        findings__0__evidence=["0198f000-0000-7000-8000-000000000001"],
        findings__2="So is its spare part.",
        facts_match="yes",
        root_cause__path="material/part",
        root_cause__confidence="confirmed",
        responsible_unit="production",
    )
    assert found.payload["root_cause"] == {
        "path": "material/part",
        "confidence": "confirmed",
    }
    assert [each["statement"] for each in found.payload["findings"]] == [
        "The seal is too short.",
        "So is its spare part.",
    ]
    proposed = sent(
        "propose",
        remedies__0__kind="compensation",
        remedies__0__amount="1,299.00",
        remedies__0__currency="CNY",
        remedies__1__kind="apology",
        proposal="Because.",
    )
    assert proposed.payload["remedies"] == [
        {"kind": "compensation", "amount": {"amount": "1299.00", "currency": "CNY"}},
        {"kind": "apology"},
    ]
    assert sent("propose", proposal="Nothing.").payload["remedies"] == []


def test_what_cannot_be_read_is_told_at_its_field() -> None:
    late = sent("acknowledge", expected_at="tomorrow", medium="email")
    assert [(each.field, each.message) for each in late.faults] == [
        ("expected_at", NO_TIME)
    ]
    dear = sent(
        "propose", proposal="x", remedies__0__kind="refund", remedies__0__amount="much"
    )
    assert [(each.field, each.message) for each in dear.faults] == [
        ("remedies", NO_AMOUNT)
    ]
    nameless = sent("propose", proposal="x", remedies__1__amount="5")
    assert [each.field for each in nameless.faults] == ["remedies"]


def test_words_of_several_kinds_say_theirs() -> None:
    added = sent("add-evidence", document="Photo 3.", source="customer")
    assert added.payload["document"] == {"text": "Photo 3.", "kind": "record"}


def test_days_and_times_are_meant_in_the_organisation_s_zone() -> None:
    instant = local_instant("2026-03-04T12:30", SHANGHAI)
    assert instant is not None
    assert instant.isoformat() == "2026-03-04T04:30:00+00:00"


def test_a_decision_is_offered_in_written_media_alone() -> None:
    (medium,) = (each for each in fields("issue") if each.name == "medium")
    assert medium.options == tuple(map(str, DEFAULT_POLICY.written_media))


def test_faults_of_the_command_lead_to_the_fields_of_the_form() -> None:
    error = MalformedError(
        "request.invalid",
        "",
        errors=[
            FieldError("findings[0].statement", "", ""),
            FieldError("root_cause.path", "", ""),
            FieldError("elsewhere", "", ""),
        ],
    )
    told = [each.field for each in faults_of(fields("investigate"), error)]
    assert told == ["findings", "root_cause.path", ""]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_fact_of_every_event_has_its_words(name: str) -> None:
    event = EXAMPLES[name]
    known = Known(1, event.recorded_at, event)
    (entry,) = entries([known], {event.actor.id: "Ann Li"})
    assert entry.actor == "Ann Li"
    assert {fact.label for fact in entry.facts} <= set(WORDS["field"])


@pytest.mark.parametrize("overdue", [True, False, None])
def test_a_no_is_told_and_what_nobody_said_is_not(*, overdue: bool | None) -> None:
    event = EXAMPLES["DeadlineStated"]
    stated = event.data.model_copy(update={"overdue": overdue})
    known = Known(1, event.recorded_at, event.model_copy(update={"data": stated}))
    (entry,) = entries([known], {})
    told = [fact.values for fact in entry.facts if fact.label == "overdue"]
    assert told == ([] if overdue is None else [(overdue,)])

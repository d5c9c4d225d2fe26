"""The statement, repeated back and confirmed: by whom, which words, until when (S44)."""

import pytest

from events.catalogue import SettlementProposed, StatementConfirmed, SubjectErased
from events.envelope import Actor
from events.vocabulary import DocumentKind
from services.handling.domain.commands import ConfirmStatement, ProposeSettlement
from tests.support.given import (
    AGENT,
    CUSTOMER,
    QUALITY,
    REVIEWER,
    STAGES,
    Past,
    an,
    doc,
    given,
    investigated,
    past,
    received,
)

RECEIVED = received()[0].data.statement.document_id  # type: ignore[attr-defined]
RESTATED = doc(DocumentKind.STATEMENT, 7)
BY_PHONE = ConfirmStatement(restated=RESTATED, medium="phone")
READ_OUT = ConfirmStatement(medium="phone")
ONLINE = ConfirmStatement(medium="web")
PROPOSE = ProposeSettlement(
    remedies=(),
    proposal=doc(DocumentKind.PROPOSAL),
    improvement=doc(DocumentKind.IMPROVEMENT),
)


def confirmed(by: Actor, command: ConfirmStatement = BY_PHONE) -> Past:
    (event,) = given(received()).when(command, by=by).decided
    return past(event, by)


def test_an_agent_records_the_words_that_the_customer_said_yes_to():
    given(received()).when(BY_PHONE, by=AGENT).then(
        StatementConfirmed(
            confirmed=(RECEIVED, RESTATED.document_id),
            restated=RESTATED,
            medium="phone",
        )
    )


@pytest.mark.parametrize(("command", "by"), [(ONLINE, CUSTOMER), (READ_OUT, AGENT)])
def test_the_statement_itself_can_be_confirmed(command: ConfirmStatement, by: Actor):
    given(received()).when(command, by=by).then(
        StatementConfirmed(confirmed=(RECEIVED,), medium=command.medium)
    )


def test_the_customer_confirms_what_was_restated_too():
    given(received(), confirmed(AGENT)).when(ONLINE, by=CUSTOMER).then(
        StatementConfirmed(
            confirmed=(RECEIVED, RESTATED.document_id),
            medium="web",
        )
    )


def test_the_same_is_confirmed_once():
    by_customer = given(received(), confirmed(CUSTOMER, ONLINE))
    by_customer.when(ONLINE, by=CUSTOMER).then_nothing()
    by_customer.when(READ_OUT, by=AGENT).then_nothing()
    given(received(), confirmed(AGENT)).when(READ_OUT, by=AGENT).then_nothing()


def test_what_is_restated_later_is_the_customers_to_confirm_again():
    again = given(received(), confirmed(CUSTOMER, ONLINE), confirmed(AGENT))
    again.when(ONLINE, by=CUSTOMER).then_types(StatementConfirmed)


def test_it_is_restated_as_often_as_needed_and_the_last_words_count():
    better = doc(DocumentKind.STATEMENT, 8)
    command = ConfirmStatement(restated=better, medium="visit")
    given(received(), confirmed(AGENT)).when(command, by=AGENT).then(
        StatementConfirmed(
            confirmed=(RECEIVED, better.document_id),
            restated=better,
            medium="visit",
        )
    )


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ("received", None),
        ("accepted", None),
        ("signed", None),
        ("investigated", None),
        ("proposed", "case.past_confirming"),
        ("replied", "case.past_confirming"),
        ("closed", "case.ended"),
        ("withdrawn", "case.ended"),
    ],
)
def test_it_is_confirmed_before_a_proposal(stage: str, code: str | None):
    outcome = given(STAGES[stage]).when(READ_OUT, by=AGENT)
    if code is None:
        outcome.then_types(StatementConfirmed)
    else:
        outcome.then_refused(code)


@pytest.mark.parametrize("by", [QUALITY, REVIEWER])
def test_only_the_front_office_speaks_for_the_customer(by: Actor):  # S51
    given(received()).when(READ_OUT, by=by).then_forbidden("case.not_your_role")


def test_nothing_is_confirmed_of_somebody_who_was_erased():
    erased = past(an(SubjectErased), AGENT)
    given(received(), erased).when(READ_OUT, by=AGENT).then_refused("case.erased")


@pytest.mark.parametrize("required", [False, True])
def test_a_policy_may_have_a_proposal_wait_for_it(required: bool):
    waiting = given(investigated()).under(require_confirmed_statement=required)
    outcome = waiting.when(PROPOSE, by=QUALITY)
    if required:
        outcome.then_refused("case.statement_unconfirmed")
    else:
        outcome.then_types(SettlementProposed)
    done = given(investigated(), confirmed(AGENT))
    done.under(require_confirmed_statement=required).when(
        PROPOSE, by=QUALITY
    ).then_types(SettlementProposed)

"""The examples are whole, legal, and tell two cases in their order."""

from itertools import groupby, pairwise
from operator import attrgetter

from stdnum import damm

from events.catalogue import EVENTS, ComplaintReceived
from events.examples import EXAMPLES


def test_there_is_one_example_of_every_event():
    assert EXAMPLES.keys() == EVENTS.keys()
    assert all(type(EXAMPLES[name].data) is event for name, event in EVENTS.items())


def test_identifiers_are_not_used_twice():
    assert len({example.event_id for example in EXAMPLES.values()}) == len(EXAMPLES)


def test_versions_and_times_grow_within_a_case():
    for _, case in groupby(EXAMPLES.values(), attrgetter("case_id")):
        for before, after in pairwise(case):
            assert before.version < after.version
            assert before.occurred_at <= after.occurred_at
            assert before.event_id < after.event_id


def test_the_receipt_number_checks():
    received = EXAMPLES["ComplaintReceived"].data
    assert isinstance(received, ComplaintReceived)
    assert damm.is_valid(received.receipt_no)

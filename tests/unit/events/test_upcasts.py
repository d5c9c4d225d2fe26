"""Old data reads as today's, step by step, without changing what was given."""

import pytest

from events.catalogue import EVENTS
from events.upcasts import UPCASTS, upcast


@pytest.mark.parametrize(("before", "after"), [(True, "yes"), (False, "no")])
def test_a_match_of_version_1_is_a_yes_or_a_no(before: bool, after: str):
    old = {
        "type": "ComplaintInvestigated",
        "schema_version": 1,
        "data": {"facts_match": before, "level": 0},
    }
    assert upcast(old, to=2) == {
        "type": "ComplaintInvestigated",
        "schema_version": 2,
        "data": {"facts_match": after, "level": 0},
    }
    assert old["data"] == {"facts_match": before, "level": 0}
    assert old["schema_version"] == 1


def test_there_is_a_step_from_every_old_version_and_no_other():
    assert UPCASTS.keys() == {
        (name, version)
        for name, event in EVENTS.items()
        for version in range(1, event.schema_version)
    }

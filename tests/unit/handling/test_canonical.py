"""The bytes of a case's state: every field counts, the order of a set does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events import codec, quick
from services.handling.application.canonical import canonical
from services.handling.domain.case import Case
from services.handling.domain.evolution import evolve
from tests.support.given import STAGES, enveloped, folded

CASE = folded(enveloped(STAGES["taken up"]))


@pytest.mark.parametrize("name", Case._fields)
def test_every_field_counts(name: str) -> None:
    other: dict[str, Any] = {name: "something else"}
    assert canonical(CASE._replace(**other)) != canonical(CASE)


def test_members_of_a_set_count_and_their_order_does_not() -> None:
    one, other = (
        canonical(CASE._replace(asked=frozenset(names)))
        for names in (("a", "b", "c"), ("c", "b", "a"))
    )
    assert one == other
    assert canonical(CASE._replace(asked=frozenset("abd"))) != one
    assert json.loads(one)[Case._fields.index("asked")] == ["a", "b", "c"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_state_is_the_same_however_its_events_were_read(stage: str) -> None:
    events = enveloped(STAGES[stage])
    case: Case | None = None
    for event in events:
        case = evolve(case, quick.decode(event.type, codec.encode(event)))
    assert case is not None
    assert case == folded(events)
    assert canonical(case) == canonical(folded(events))


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no canonical form"):
        canonical(CASE._replace(score=object()))  # type: ignore[arg-type]

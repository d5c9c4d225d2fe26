"""The bytes of a case's state: every field counts, the order of a set does not."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from services.handling.domain.canonical import canonical
from services.handling.domain.case import Case
from tests.support.given import STAGES, enveloped, folded

CASE = folded(enveloped(STAGES["taken up"]))


@pytest.mark.parametrize("name", [each.name for each in fields(Case)])
def test_every_field_counts(name: str) -> None:
    other: dict[str, Any] = {name: "something else"}
    assert canonical(replace(CASE, **other)) != canonical(CASE)


def test_members_of_a_set_count_and_their_order_does_not() -> None:
    one, other = (
        canonical(replace(CASE, asked=frozenset(names)))
        for names in (("a", "b", "c"), ("c", "b", "a"))
    )
    assert one == other
    assert canonical(replace(CASE, asked=frozenset("abd"))) != one
    assert json.loads(one)["asked"] == ["a", "b", "c"]


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="Decimal has no canonical form"):
        canonical(replace(CASE, score=Decimal(1)))  # type: ignore[arg-type]

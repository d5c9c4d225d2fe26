"""A token for work that amends does for a person: theirs, for imports, while they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.kernel.access import MIGRATION, Credential
from services.kernel.delegation import Delegation
from tests.support.access import START, Hand

if TYPE_CHECKING:
    from datetime import datetime

LATER = START.replace(hour=20)


class People:
    """Who has which role, as it is now."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.roles: dict[str, str | None] = {"ada": "admin", "ann": "agent"}
        self.delegation = self.signing("secret of all services")

    def signing(self, secret: str) -> Delegation:
        return Delegation(secret, role_of=self.roles.get, now=self.clock)

    def header(self, actor: str = "ada", until: datetime = LATER) -> str:
        return f"Bearer {self.delegation.token(actor, until=until)}"


@pytest.fixture
def people() -> People:
    return People()


def test_who_may_import_is_known_by_the_token_as_an_importer_alone(
    people: People,
) -> None:
    expected = Credential(actor="ada", role=MIGRATION)
    assert people.delegation.holder(people.header()) == expected
    # Every process that has the secret knows it.
    beside = people.signing("secret of all services")
    assert beside.holder(people.header()) == expected


def test_it_ends_with_its_time_and_with_what_the_person_may(people: People) -> None:
    header = people.header()
    people.roles["ada"] = "auditor"
    assert people.delegation.holder(header) is None
    people.roles["ada"] = None  # departed
    assert people.delegation.holder(header) is None
    people.roles["ada"] = "admin"
    people.clock.now = LATER
    assert people.delegation.holder(header) is None
    assert people.delegation.holder(people.header("ann")) is None


def test_nobody_else_makes_one(people: People) -> None:
    header = people.header()
    claim, _, mark = header.partition(".")
    others = people.signing("another secret").token("ada", until=LATER)
    for forged in (
        None,
        "",
        "Bearer",
        f"Bearer {others}",
        f"{claim}x.{mark}",
        f"{claim}.{mark[:-1]}",
        f"{claim}.\udce4",
        header.replace("Bearer", "Basic"),
        f"{people.header('ann').partition('.')[0]}.{mark}",
    ):
        assert people.delegation.holder(forged) is None

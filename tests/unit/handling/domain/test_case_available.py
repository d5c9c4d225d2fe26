"""What a page may offer: the commands that a role may give at each point."""

from datetime import timedelta

import pytest

from events.envelope import Actor
from services.handling.domain.commands import COMMANDS
from services.handling.domain.decisions import RULES, available
from tests.support.given import (
    AGENT,
    AUDITOR,
    CUSTOMER,
    GM_OFFICE,
    HEAD,
    HOUR,
    LOGISTICS,
    MANAGER,
    QUALITY,
    REVIEWER,
    STAGES,
    given,
)


@pytest.mark.parametrize(
    ("stage", "by", "commands"),
    [
        (
            "received",
            AGENT,
            "acknowledge accept decline add-evidence confirm-statement correct",
        ),
        ("received", CUSTOMER, "add-evidence confirm-statement withdraw"),
        ("received", QUALITY, ""),
        (
            "accepted",
            AGENT,
            "acknowledge assign add-evidence confirm-statement resolve correct",
        ),
        ("assigned", QUALITY, "assign sign-for return add-evidence correct"),
        ("assigned", LOGISTICS, ""),
        ("signed", QUALITY, "assign add-evidence investigate correct"),
        ("signed", CUSTOMER, "add-evidence confirm-statement withdraw"),
        ("signed", GM_OFFICE, "assign add-evidence correct"),
        ("investigated", QUALITY, "add-evidence propose correct"),
        ("proposed", QUALITY, "add-evidence correct"),
        ("proposed", HEAD, "add-evidence approve send-back correct"),
        ("proposed", MANAGER, "approve send-back"),
        ("approved", AGENT, "acknowledge add-evidence issue correct"),
        ("replied", CUSTOMER, "add-evidence agree refuse rate appeal withdraw"),
        ("replied", AGENT, "acknowledge add-evidence follow-up rate correct"),
        ("agreed", AGENT, "acknowledge add-evidence resolve correct"),
        (
            "resolved",
            AGENT,
            "acknowledge add-evidence follow-up rate reopen correct",
        ),
        ("resolved", CUSTOMER, "add-evidence rate appeal withdraw"),
        ("closed", CUSTOMER, "rate appeal"),
        ("declined", CUSTOMER, "appeal"),
        ("appealed", REVIEWER, "accept-appeal dismiss-appeal"),
        (
            "taken up",
            REVIEWER,
            "assign add-evidence investigate",
        ),
        ("withdrawn", CUSTOMER, ""),
    ],
)
def test_a_role_is_offered_what_it_may_do_now(stage: str, by: Actor, commands: str):
    history = given(STAGES[stage])
    offered = available(history.case, by, history.policy, history.last + HOUR)
    assert offered == tuple(commands.split())


@pytest.mark.parametrize("stage", STAGES)
def test_an_auditor_is_offered_nothing(stage: str):  # domain.md 6.5
    history = given(STAGES[stage])
    assert available(history.case, AUDITOR, history.policy, history.last) == ()


def test_what_time_ended_is_offered_no_longer():  # S105, S115
    history = given(STAGES["closed"])
    for days, offered in ((179, ("rate", "appeal")), (181, ("rate",))):
        now = history.last + timedelta(days=days)
        assert available(history.case, CUSTOMER, history.policy, now) == offered


def test_every_command_has_one_rule():
    assert RULES.keys() == set(COMMANDS.values())

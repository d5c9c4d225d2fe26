"""The policy: what a document must hold, and the answers it gives."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from events.vocabulary import ComplaintClass, ScopeKind, Severity
from services.handling.domain.commands import COMMANDS
from services.handling.domain.policy import Policy, parse_policy
from services.kernel.errors import MalformedError
from tests.support.given import DEFAULT_POLICY, money

DEFAULT = Path(__file__).parents[4] / "services/handling/policy/default.toml"


def document(**changes: object) -> dict[str, Any]:
    return {**tomllib.loads(DEFAULT.read_text(encoding="utf-8")), **changes}


def route(category: str | None, scope_kind: int = 1) -> str | None:
    found = DEFAULT_POLICY.route(
        category, ComplaintClass.GRIEVANCE, ScopeKind(scope_kind)
    )
    return found.department if found else None


def test_the_default_is_a_policy_with_a_version():
    assert (DEFAULT_POLICY.name, DEFAULT_POLICY.version) == ("handling", "2026.1")


def test_every_number_of_the_default_names_its_row():
    for line in DEFAULT.read_text(encoding="utf-8").splitlines():
        if re.match(r"[a-z_]+ = \d+( |$)", line):
            assert re.search(r"# .*(S\d|domain\.md|FCA)", line), line


@pytest.mark.parametrize(
    ("category", "department"),
    [
        ("product", "quality"),
        ("product/defect/cracked", "quality"),
        ("production", None),
        ("contract/price", "administration"),
        ("delivery", "logistics"),
        ("service", "after-sales"),
        (None, None),
    ],
)
def test_a_route_is_for_a_category_and_all_below_it(
    category: str | None, department: str | None
):  # S47-S49
    assert route(category) == department


def test_a_suggestion_goes_its_own_way_whatever_it_is_about():  # S17
    assert route("product/defect", scope_kind=6) == "technical"


def test_of_two_routes_the_narrower_wins():
    routes = [
        {"category": "product", "department": "quality"},
        {"category": "product/safety", "department": "technical"},
        {"category": "product/safety", "department": "hr"},
        {"complaint_class": "claim", "department": "finance"},
    ]
    policy = parse_policy(document(routes=routes))
    matter = ("product/safety/fire", ComplaintClass.GRIEVANCE, ScopeKind(1))
    found = policy.route(*matter)
    assert found is not None
    assert found.department == "technical"
    found = policy.route("product/safety", ComplaintClass.CLAIM, ScopeKind(1))
    assert found is not None
    assert found.department == "finance"


@pytest.mark.parametrize(
    ("category", "price", "severity"),
    [
        ("service", None, Severity.MINOR),
        ("service", money("999.99"), Severity.MINOR),
        ("service", money("1000.00"), Severity.MAJOR),
        ("service", money("1000.00", "EUR"), Severity.MINOR),
        ("product/safety/fire", money("1000.00"), Severity.CRITICAL),
    ],
)
def test_the_gravest_rule_counts(category: str, price: Any, severity: Severity):
    # S36, S39, S128
    assert (
        DEFAULT_POLICY.severity(category, ComplaintClass.GRIEVANCE, ScopeKind(1), price)
        is severity
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"max_returns": 0}, "max_returns"),
        ({"satisfied_from": 6}, "satisfied_from"),
        ({"appeal_window_days": "soon"}, "appeal_window_days"),
        ({"moon": "full"}, "moon"),
        ({"default_severity": "awful"}, "default_severity"),
        ({"routes": [{"department": "a b"}]}, "routes.0.department"),
        ({"authority": [{"code": "x"}]}, "authority.0.role"),
    ],
)
def test_a_fault_is_named_with_its_field(changes: dict[str, Any], field: str):
    with pytest.raises(MalformedError) as refusal:
        parse_policy(document(**changes))
    assert refusal.value.code == "policy.malformed"
    assert field in [error.field for error in refusal.value.errors]


def test_all_faults_are_named_at_once():
    with pytest.raises(MalformedError) as refusal:
        parse_policy({})
    named = {error.field for error in refusal.value.errors}
    assert named == {
        name for name, field in Policy.model_fields.items() if field.is_required()
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"front_office": "moon"}, "add moon"),
        ({"gm_office": "moon"}, "add moon"),
        ({"routes": [{"department": "moon"}]}, "add moon"),
        ({"categories": ["other"]}, "categories: add contract, delivery, product"),
        ({"causes": ["use"]}, "causes: add unknown"),
        ({"roles": {**document()["roles"], "praise": ["agent"]}}, "praise"),
        ({"roles": {}}, "withdraw"),
        ({"authority": document()["authority"][:1] * 2}, "used twice"),
    ],
)
def test_a_policy_agrees_with_itself(changes: dict[str, Any], message: str):
    with pytest.raises(MalformedError) as refusal:
        parse_policy(document(**changes))
    (error,) = refusal.value.errors
    assert error.field == "policy"
    assert message in error.message


def test_the_default_allows_each_command_to_somebody():
    assert all(DEFAULT_POLICY.roles[name] for name in COMMANDS)


def test_the_customer_s_own_acts_are_the_customer_s():  # domain.md 6.5
    alone = {
        name
        for name, roles in DEFAULT_POLICY.roles.items()
        if roles == ("complainant",)
    }
    assert alone == {"agree", "refuse", "appeal", "withdraw"}
    assert "complainant" in DEFAULT_POLICY.roles["rate"]


@pytest.mark.parametrize("role", ["auditor", "hr", "finance", "admin", "anonymous"])
def test_who_only_reads_decides_nothing(role: str):  # domain.md 6.5
    assert not any(role in roles for roles in DEFAULT_POLICY.roles.values())

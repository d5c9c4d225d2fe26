"""Who works there and by which rules: colleagues by role and department."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from events.vocabulary import ComplaintClass, ScopeKind
from services.demo.pace import WorkingTime
from services.demo.story import Pace

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from events.envelope import Actor
    from services.demo.arrivals import Arrival
    from services.demo.story import Story
    from services.handling.domain.policy import Policy

_USUAL: Final = Pace(sign=4.0, investigate=14.0)


class House:
    """The story's organisation; `actors` gives each colleague's login who they are."""

    def __init__(
        self, story: Story, policy: Policy, actors: Mapping[str, Actor]
    ) -> None:
        self.story = story
        self.hours = WorkingTime(zoneinfo.ZoneInfo(story.time_zone))
        self._policy = policy
        self._by: dict[tuple[str, str | None], list[Actor]] = defaultdict(list)
        for each in story.people:
            actor = actors[each.login]
            self._by[actor.role, actor.department].append(actor)

    @property
    def front_office(self) -> str:
        return self._policy.front_office

    @property
    def gm_office(self) -> str:
        return self._policy.gm_office

    @property
    def max_returns(self) -> int:
        return self._policy.max_returns

    @property
    def satisfied_from(self) -> int:
        return self._policy.satisfied_from

    def one_of(self, role: str, rng: random.Random) -> Actor:
        everybody = [
            actor
            for (of, _), found in self._by.items()
            if of == role
            for actor in found
        ]
        return rng.choice(everybody)

    def handler(self, unit: str, rng: random.Random) -> Actor:
        """Give who investigates for a department."""
        for role in ("department_handler", "quality", "gm_office", "department_head"):
            if found := self._by.get((role, unit)):
                return rng.choice(found)
        raise LookupError(unit)

    def head(self, unit: str) -> Actor:
        return self._by["department_head", unit][0]

    def reviewer(self, level: int) -> Actor:
        """Give who decides an appeal; at each level somebody else."""
        reviewers = [
            actor
            for (role, _), found in self._by.items()
            if role == self._policy.reviewer_role
            for actor in found
        ]
        return reviewers[level % len(reviewers)]

    def approver(
        self,
        unit: str,
        remedies: Sequence[Mapping[str, Any]],
        *,
        not_by: Actor | None,
        in_review: bool,
    ) -> Actor:
        """Give the first who may approve these remedies; nobody their own proposal."""
        amounts = [float(r["amount"]["amount"]) for r in remedies if "amount" in r]
        limits = self._limits(self.story.currency)

        def within(role: str) -> bool:
            return not amounts or sum(amounts) <= limits[role]

        heads = self._by.get(("department_head", unit), [])
        if heads and heads[0] != not_by and not in_review and within("department_head"):
            return heads[0]
        role = "manager" if within("manager") else "general_manager"
        return self._by[role, None][0]

    def _limits(self, currency: str) -> dict[str, float]:
        """Give what the roles may approve in a currency; nothing in others'."""
        return {
            row.role: float(row.limit.amount)
            if row.limit is not None and row.limit.currency == currency
            else -1.0
            for row in self._policy.authority
        }

    def pace(self, unit: str) -> Pace:
        return self.story.departments.get(unit, _USUAL)

    def another(self, unit: str, rng: random.Random) -> str:
        """Name another department, to be suggested."""
        others = [each for each in self.story.departments if each != unit]
        return rng.choice(others)

    def route(self, accepted: Mapping[str, Any]) -> str | None:
        """Name the department to which an accepted case goes by itself."""
        route = self._policy.route(
            accepted["category"],
            ComplaintClass(accepted["complaint_class"]),
            ScopeKind(accepted["scope_kind"]),
        )
        return None if route is None or route.approved_by else route.department

    def routed(self, category: str) -> str | None:
        route = self._policy.route(category, None, None)
        return route.department if route else None

    def needs_approval(self, category: str) -> bool:
        route = self._policy.route(category, None, None)
        return bool(route and route.approved_by)

    def allows_first_contact(self, arrival: Arrival) -> bool:
        """Say whether the front office may settle it at once."""
        return not arrival.matter.category.startswith("product/safety")

"""Which complaints a rule of the policy is for."""

from events.envelope import CategoryPath, Part
from events.vocabulary import ComplaintClass, ScopeKind


class Matter(Part):
    """Which complaints a rule is for; what is left out matches all."""

    category: CategoryPath | None = None
    """The path itself and all below it."""
    complaint_class: ComplaintClass | None = None
    scope_kind: ScopeKind | None = None

    def matches(
        self,
        category: str | None,
        complaint_class: ComplaintClass | None,
        scope_kind: ScopeKind | None,
    ) -> bool:
        return (
            (self.category is None or within(category, self.category))
            and self.complaint_class in (None, complaint_class)
            and self.scope_kind in (None, scope_kind)
        )

    @property
    def specificity(self) -> int:
        """How narrow the rule is: scope before class before depth of the category."""
        depth = self.category.count("/") + 1 if self.category else 0
        return (
            depth
            + 10 * (self.complaint_class is not None)
            + 20 * (self.scope_kind is not None)
        )


def within(category: str | None, root: str) -> bool:
    """Tell whether a category is the root or below it."""
    return category is not None and f"{category}/".startswith(f"{root}/")

"""Who complains: people who do not exist, some of them again and again."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.demo.story import Names, Story


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody as the house knows them."""

    name: str
    phone: str | None
    email: str | None
    number: str
    place: str

    def contact(self, channel: str) -> dict[str, Any]:
        """Give what they tell of themselves; on each channel what it needs."""
        told = {"name": self.name, "customer_no": self.number}
        if self.phone and channel != "email":
            told["phone"] = self.phone
        if self.email and channel in {"email", "web", "chat", "social"}:
            told["email"] = self.email
        return told


class Customers:
    """All of them, the most frequent first."""

    def __init__(self, story: Story, rng: random.Random, cases: int) -> None:
        count = max(20, round(cases * story.customers))
        self._all = [_customer(story.names, rng, number) for number in range(count)]
        # Nobody complains every week: the first ranks are flattened.
        weights = [1 / (rank + 20) ** story.zipf for rank in range(count)]
        self._cumulative = list(itertools.accumulate(weights))
        self._rng = rng

    def draw(self, channel: str) -> Customer:
        """Give one whom this channel can reach."""
        while True:
            [found] = self._rng.choices(self._all, cum_weights=self._cumulative)
            if channel == "email" and not found.email:
                continue
            if channel == "phone" and not found.phone:
                continue
            return found


def _customer(names: Names, rng: random.Random, number: int) -> Customer:
    parts = [rng.choice(names.given), rng.choice(names.family)]
    if names.family_first:
        parts.reverse()
    by_phone, by_mail = rng.random() < 0.93, rng.random() < 0.6  # noqa: PLR2004
    return Customer(
        name=names.joined_by.join(parts),
        phone=_phone(names.phones, names.phones_in_range, number) if by_phone else None,
        email=f"kunde{number:05d}@example.com".replace("kunde", "c")
        if by_mail or not by_phone
        else None,
        number=f"K{100_000 + number}",
        place=f"{rng.choice(names.places)}{names.joined_by}{rng.choice(names.streets)}",
    )


def _phone(ranges: Sequence[str], room: int, number: int) -> str:
    which, n = divmod(number, room)
    return ranges[which % len(ranges)].format(n=n)

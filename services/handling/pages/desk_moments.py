"""The slider of a case's page: when more of it became known, and what was not known yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from events.vocabulary import Precision

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from services.handling.application.cases import Known


@dataclass(frozen=True, slots=True)
class Moments:
    """Every event that the viewer is told, in the order in which they became known.

    `at` is the number of those that the page shows. `unknown` had happened by then, as
    is known today, and became known only later.
    """

    stops: tuple[Known, ...]
    at: int
    unknown: tuple[Known, ...]

    @property
    def earlier(self) -> Known | None:
        return self.stops[self.at - 2] if self.at > 1 else None

    @property
    def later(self) -> Known | None:
        """The next one; None from the last but one on, where the present is next."""
        return self.stops[self.at] if self.at < len(self.stops) - 1 else None


def moments(stops: Sequence[Known], position: int, moment: dt.datetime) -> Moments:
    """Tell where a case as of `position`, looked at as of `moment`, stands in its life."""
    later = [known for known in stops if known.position > position]
    unknown = [
        known
        for known in later
        if known.event.occurred_at <= moment < known.committed_at
        and known.event.occurred_precision is not Precision.NOT_BEFORE
    ]
    return Moments(tuple(stops), len(stops) - len(later), tuple(unknown))


def position_of(stops: Sequence[Known], step: str) -> int | None:
    """Give the position that a step of the slider means; None for the present."""
    number = int(step) if step.isascii() and step.isdigit() and len(step) < 6 else 0  # noqa: PLR2004 more than a case has
    return stops[number - 1].position if 0 < number < len(stops) else None

"""Public holidays of countries, from the library `holidays`, a year at a time."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import holidays
from holidays.version import __version__

from services.handling.domain.calendars import ORDINARY, PublicDays

if TYPE_CHECKING:
    import datetime as dt

    from services.handling.domain.calendars import Calendar

EDITION: Final = __version__
"""Of the lists: another edition may know other holidays."""

_YEARS_KEPT: Final = 64


def public_days(calendar: Calendar) -> PublicDays:
    """Give the public days of a calendar's country; raises NotImplementedError for none.

    `worked` are weekends that a government declared working days, as China does. Names
    are in the country's own language, whatever this machine's is.
    """
    country, subdivision = calendar.country, calendar.subdivision
    if country is None:
        return ORDINARY

    own = holidays.country_holidays(country, subdiv=subdivision).default_language

    @lru_cache(_YEARS_KEPT)
    def year_of(year: int) -> tuple[dict[dt.date, str], frozenset[dt.date]]:
        found = holidays.country_holidays(
            country, subdiv=subdivision, years=year, language=own
        )
        worked = getattr(found, "weekend_workdays", ())
        return dict(found.items()), frozenset(worked)

    return PublicDays(
        lambda day: year_of(day.year)[0].get(day),
        lambda day: day in year_of(day.year)[1],
    )

"""The parameters of the figures as OpenAPI describes them."""

from __future__ import annotations

from typing import Any, Final, get_args

from services.analytics.application.questions import MOST_CASES
from services.analytics.domain.figures import DIMENSIONS, PASSED, PATHS, REPEATS, Same
from services.analytics.domain.periods import PERIODS

_DOCUMENTED: Final = {
    "group_by": f"Any of {', '.join(DIMENSIONS)}, period; commas between. category.",
    "period": f"One of {', '.join(PERIODS)}, of receipt, in the tenant's time zone.",
    "level": "How many codes of a path to keep, 1 to 4; without it whole paths.",
    "basis": "reported: the category as stated; found: the root cause investigated.",
    "days": "How many days before one must have complained; 30.",
    "same": f"One of {', '.join(get_args(Same))}: what both must be of; any.",
    "compare": "previous: with the time or period before; last_year: a year before.",
    "after": "The case id to go on behind.",
    "limit": f"How many cases to list, 1 to {MOST_CASES}; 100.",
    "from": "First day or instant of receipt.",
    "to": "Last day of receipt, whole, or the instant before which.",
    "as_of": "What was known at a position of the log or at an instant; now.",
}
_FILTER: Final = "Values, commas between; - for none; given twice, both must hold."
_PASSED_FILTER: Final = "What it went through at any time; commas between."
_PATH_FILTER: Final = f"{_FILTER} a: a and all below; a/-: a alone."


def documented(*names: str) -> dict[str, Any]:
    """Describe these parameters, and those that every figure takes, for OpenAPI."""
    described = {name: _DOCUMENTED[name] for name in (*names, "from", "to", "as_of")}
    described |= {
        name: _PATH_FILTER if name in PATHS else _FILTER for name in DIMENSIONS
    }
    described |= dict.fromkeys(PASSED, _PASSED_FILTER)
    described[REPEATS] = "30/category: of somebody who had complained so before."
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": description,
                "schema": {"type": "string"},
            }
            for name, description in described.items()
        ]
    }

"""The clocks of a policy in a time zone, with the holidays that a test names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from services.handling.domain.calendars import PublicDays
from services.handling.domain.clocks import Clockwork, clockwork
from services.handling.domain.policy import parse_policy
from services.handling.persistence.public_holidays import EDITION, public_days
from tests.support.given import DEFAULT_POLICY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from services.handling.domain.policy import Policy

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")

CLOCKWORK = clockwork(DEFAULT_POLICY, SHANGHAI, public_days, edition=EDITION)
"""The default policy's, with China's holidays."""


def policy_with(*rules: Mapping[str, Any], **changes: Any) -> Policy:
    """Give the default policy with these clocks instead of its own."""
    return parse_policy({**DEFAULT_POLICY.model_dump(), "clocks": rules, **changes})


def reply(**changes: Any) -> dict[str, Any]:
    """Give the rule of a clock from the receipt to the reply."""
    rule = {
        "code": "written_reply",
        "starts": ["ComplaintReceived"],
        "stops": ["DecisionIssued"],
        "within": {"days": 7},
    }
    return rule | changes


def clocks_by(
    *rules: Mapping[str, Any],
    zone: ZoneInfo = SHANGHAI,
    holidays: Mapping[dt.date, str] | None = None,
    worked: frozenset[dt.date] = frozenset(),
) -> Clockwork:
    public = PublicDays((holidays or {}).get, worked.__contains__)
    return clockwork(policy_with(*rules), zone, lambda _: public)

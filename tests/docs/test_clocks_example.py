"""The clocks that the explanation shows are due when it says."""

import re
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

from events.catalogue import DepartmentAssigned
from services.handling.domain.clocks import clocks, clockwork
from services.handling.persistence.public_holidays import public_days
from tests.support.given import AGENT, accepted, enveloped, folded, past
from tests.support.timing import SHANGHAI, policy_with

PAGE = Path(__file__).parents[2] / "docs/explanation/clocks.md"
ROW = re.compile(r"^\| `(\w+)` \| ([\d :-]+) \| ([\d :-]+) \|", re.MULTILINE)
RECEIVED_AT = datetime(2026, 9, 30, 16, 0, tzinfo=SHANGHAI)


def local(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def test_the_example_is_due_when_it_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    document = tomllib.loads(block)
    policy = policy_with(*document["clocks"], calendars=document["calendars"])
    given = DepartmentAssigned.model_validate({"department": "quality"})
    history = enveloped((*accepted(), past(given, AGENT)))
    times = [RECEIVED_AT, RECEIVED_AT, RECEIVED_AT + timedelta(hours=1)]
    case = folded(
        event.model_copy(update={"occurred_at": at, "recorded_at": at})
        for event, at in zip(history, times, strict=True)
    )
    found = clocks(case, clockwork(policy, SHANGHAI, public_days), RECEIVED_AT)
    shown = ROW.findall(page)
    assert len(shown) == len(found) == 2
    assert shown == [
        (clock.code, local(clock.started_at), local(clock.due_at)) for clock in found
    ]

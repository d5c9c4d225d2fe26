"""A case on the terminal: as exact as it is known, and what another system stated."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from events.vocabulary import Origin, Precision
from services.cli.cases import print_case
from services.handling.application.cases import History, Known
from services.handling.application.clocks import timed
from services.handling.domain.evolution import evolve
from tests.support.given import assigned, enveloped, folded
from tests.support.histories import happened
from tests.support.timing import CLOCKWORK

if TYPE_CHECKING:
    import pytest

    from services.handling.domain.case import Case

MIDNIGHT = datetime(2011, 12, 31, 16, tzinfo=UTC)
"""Of New Year in Shanghai."""
NOON = datetime(2012, 3, 1, 12, tzinfo=UTC)


def test_a_case_is_told_as_exactly_as_it_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    day, not_before = Precision.DAY, Precision.NOT_BEFORE
    past = [
        happened("ComplaintReceived", at=MIDNIGHT, precision=day),
        happened("DeadlineStated", 1, 2, at=MIDNIGHT, due_at=NOON, overdue=True),
        happened(
            "ComplaintResolved", 1, 3, at=NOON, precision=not_before, stated_as="Closed"
        ),
    ]
    case: Case | None = None
    for event in past:
        case = evolve(case, event.model_copy(update={"origin": Origin.MIGRATION}))
    assert case is not None
    known = [Known(at, NOON, event) for at, event in enumerate(past, 1)]
    history = History(case, tuple(known), 3, past=False)
    print_case(history, timed(history, CLOCKWORK, NOON, unit=False))
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "Received 2012-01-01" in told
    received, due, resolved = (line.split(" ", 2)[2] for line in told[-3:])
    assert received.startswith("2012-01-01 ComplaintReceived")
    assert due.startswith("2011-12-31T16:00:00Z DeadlineStated")
    assert due.endswith("due 2012-03-01T12:00:00Z, overdue")
    assert resolved.startswith("\u2265 2012-03-01 ComplaintResolved")
    assert resolved.endswith("stated as Closed")
    (reply,) = (line for line in told if line.startswith("what if: written_reply"))
    assert reply.endswith(
        "front-office breached 2012-01-08T15:59:59Z 2012-03-01T12:00:00Z"
    )


def test_the_clocks_of_a_case_are_told_with_who_owes_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = enveloped(assigned())
    at = events[-1].recorded_at
    known = tuple(Known(place, at, event) for place, event in enumerate(events, 1))
    history = History(folded(events), known, len(known), past=False)
    print_case(history, timed(history, CLOCKWORK, at, unit=False))
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    (sign,) = (words for words in told if words[:1] == ["sign_for"])
    assert sign == ["sign_for", "quality", "running", "2025-09-02T06:00:00Z"]
    assert not [words for words in told if words[:1] == ["dispatch"]]  # it was met

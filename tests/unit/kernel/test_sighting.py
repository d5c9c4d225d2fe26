"""What is red is named with what to do about it, and what is not red is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.kernel import measures as m
from services.kernel.measures import Spread
from services.kernel.sighting import red, sighted, told
from services.kernel.web.metrics import metrics_page

if TYPE_CHECKING:
    from services.kernel.measures import Sample
    from services.kernel.sighting import Sighting

NOW = 1_800_000_000.0
ON_CALL = Path(__file__).parents[3] / "docs/how-to/on-call"


def seen(*samples: Sample, at: float = 0.0) -> Sighting:
    text = metrics_page(samples).decode()
    return sighted(at, NOW, {"amends up": text})


def named(*samples: Sample) -> list[str]:
    found = [*red(seen(*samples), seen())]
    for each in found:
        assert each.do
        assert (ON_CALL / f"{each.page}.md").is_file()
    return [each.what for each in found]


def test_where_all_is_well_nothing_is_red() -> None:
    well = (
        m.LAG_SECONDS.of(59, "intake", "relay_INTAKE"),
        m.LAG_SECONDS.of(119, "intake", "words"),
        m.BROKER.of(1, "intake"),
        m.RELAYING.of(1, "intake", "INTAKE"),
        m.RECEIPTS_REFUSED.of(0, "service.busy"),
        m.FEED_SECONDS.of(9_999, "hr"),
        m.FEED_FOLLOWED.of(0, "hr"),
        m.CHANNEL_LAST.of(NOW - 60, "web"),
        m.CHANNEL_LIMIT.of(600, "web"),
        m.DISK_FREE.of(16),
        m.DISK_SIZE.of(100),
        m.BACKUP.of(NOW - 3_600),
        m.CERTIFICATE.of(NOW + 15 * 86_400),
        m.STANDBY.of(1, "intake"),
    )
    assert named(*well) == []


@pytest.mark.parametrize(
    ("samples", "what"),
    [
        ([m.RECEIPTS_REFUSED.of(3, "service.busy")], "3 receipts refused"),
        ([m.BROKER.of(0, "intake")], "intake has no broker"),
        ([m.RELAYING.of(0, "intake", "INTAKE")], "intake cannot publish to INTAKE"),
        (
            [m.LAG_SECONDS.of(61, "intake", "relay_INTAKE")],
            "intake/relay_INTAKE is 61 s behind",
        ),
        (
            [m.LAG_SECONDS.of(121, "analytics", "consumer")],
            "analytics/consumer is 121 s behind",
        ),
        (
            [m.FEED_SECONDS.of(601, "quality"), m.FEED_FOLLOWED.of(1, "quality")],
            "feed of quality stuck for 601 s",
        ),
        (
            [
                m.QUARANTINE.of(2, "handling", "a.b"),
                m.QUARANTINE.of(1, "handling", "c.d"),
            ],
            "3 in quarantine at handling",
        ),
        (
            [m.CHANNEL_LAST.of(NOW - 660, "web"), m.CHANNEL_LIMIT.of(600, "web")],
            "channel web silent for 11 min",
        ),
        ([m.DISK_FREE.of(14), m.DISK_SIZE.of(100)], "14% of the disk free"),
        ([m.BACKUP.of(NOW - 27.2 * 3_600)], "backup 27 h old"),
        ([m.CERTIFICATE.of(NOW + 13.2 * 86_400)], "certificate ends in 13 days"),
        ([m.STANDBY.of(31, "intake")], "standby of intake 31 s behind"),
    ],
)
def test_each_thing_that_is_wrong_is_named(samples: list[Sample], what: str) -> None:
    assert named(*samples) == [what]


def test_a_process_that_does_not_answer_is_named() -> None:
    now = sighted(0.0, NOW, {"intake": None, "handling": ""})
    assert [each.what for each in red(now, now)] == ["intake does not answer"]
    assert told(now, now)["processes"] == [
        {"name": "intake", "answers": False},
        {"name": "handling", "answers": True},
    ]


def test_rates_are_of_the_time_between_also_after_a_restart() -> None:
    def at(seconds: float, recorded: int, *commits: float) -> Sighting:
        took, items = Spread(m.SECONDS), Spread(m.ITEMS)
        for each in commits:
            took.add(each)
            items.add(10)
        return seen(
            m.RECORD.of(recorded, "intake"),
            m.BATCH_SECONDS.of(took, "intake"),
            m.BATCH_ITEMS.of(items, "intake"),
            at=seconds,
        )

    before, now = at(10.0, 100, 0.5), at(14.0, 180, 0.5, 0.02, 0.04)
    (service,) = told(now, before)["services"]
    assert service["events_per_second"] == 20.0
    assert service["writes_per_second"] == 5.0
    assert service["milliseconds_per_commit"] == 30.0
    (restarted,) = told(at(18.0, 180, 0.01), now)["services"]
    assert restarted["writes_per_second"] == 2.5

"""Versioned rows: an event that changes a fact closes the open row and opens the next."""

import random

from services.analytics.domain.versions import Entry, Version, unfold
from tests.support.histories import case_number, folded, happened, made_up_log

RECEIVED = Entry(5, happened("ComplaintReceived"))
UNREAD = Entry(7, happened("EvidenceAdded", version=2))
DECLINED = Entry(9, happened("ComplaintDeclined", version=3))


def present(*entries: Entry) -> dict[object, Version]:
    [row] = [row for row in unfold({}, entries).opened if row.to_position is None]
    return {row.case_id: row}


def test_a_first_event_opens_a_row() -> None:
    [row] = unfold({}, [RECEIVED]).opened
    assert (row.from_position, row.to_position, row.applied) == (5, None, 1)


def test_a_change_closes_the_row_where_the_next_begins() -> None:
    changes = unfold(present(RECEIVED, UNREAD), [DECLINED])
    assert [(row.from_position, row.to_position) for row in changes.touched] == [(5, 9)]
    assert [(row.from_position, row.to_position) for row in changes.opened] == [
        (9, None)
    ]


def test_an_event_that_no_figure_reads_only_moves_the_version_on() -> None:
    changes = unfold(present(RECEIVED), [UNREAD])
    assert [(row.to_position, row.applied) for row in changes.touched] == [(None, 2)]
    assert changes.opened == []


def test_a_history_in_one_batch_gives_all_its_rows() -> None:
    changes = unfold({}, [RECEIVED, UNREAD, DECLINED])
    assert changes.touched == []
    assert [(row.from_position, row.to_position) for row in changes.opened] == [
        (5, 9),
        (9, None),
    ]


def test_what_was_applied_already_changes_nothing() -> None:
    changes = unfold(present(RECEIVED, UNREAD, DECLINED), [RECEIVED, UNREAD, DECLINED])
    assert (changes.touched, changes.opened, changes.unfit) == ([], [], 0)


def test_what_has_no_place_is_counted_and_changes_nothing() -> None:
    stray = Entry(3, happened("EvidenceAdded", case=2))
    changes = unfold(present(RECEIVED), [DECLINED, stray])
    assert (changes.touched, changes.opened, changes.unfit) == ([], [], 2)


def test_any_cut_into_batches_gives_the_same_rows() -> None:
    log = made_up_log(1, cases=20, events=400)
    dice = random.Random(2)  # noqa: S311 - repeatable
    rows: dict[tuple[object, int], Version] = {}
    at = 0
    while at < len(log):
        size = dice.randrange(1, 30)
        opened = {row.case_id: row for row in rows.values() if row.to_position is None}
        changes = unfold(opened, [logged.entry for logged in log[at : at + size]])
        for row in (*changes.touched, *changes.opened):
            rows[row.case_id, row.from_position] = row
        at += size
    whole = unfold({}, [logged.entry for logged in log]).opened
    assert sorted(rows.values(), key=lambda row: row.from_position) == sorted(
        whole, key=lambda row: row.from_position
    )
    last = {row.case_id: row.facts for row in whole if row.to_position is None}
    assert last == folded(log)
    assert case_number(1) in last

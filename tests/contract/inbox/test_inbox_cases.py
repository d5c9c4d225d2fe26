"""An event takes effect if and only if it is the next of its case, on both databases."""

import random
import threading
from contextlib import suppress
from uuid import UUID

import pytest

from services.kernel.inbox import UNKNOWN_CASE, Discard, Gap, Inbox
from services.kernel.inbox.effects import NOT_IN_RECORD
from services.kernel.inbox.rows import Rows
from tests.support.inbox import Follower, Reader, body_of


class UnlockedRows(Rows):
    """The control: it reads versions without locking the cases first."""

    def lock(self, tx, case_ids):
        return self.versions(tx, case_ids)


class UnlockedInbox(Inbox):
    def __init__(self, consumer, *, decode, vault, now):
        super().__init__(consumer, decode=decode, vault=vault, now=now)
        self.rows = UnlockedRows(consumer, self.quarantine, now=now)


@pytest.fixture
def database(make_database):
    return make_database("inbox")


def test_events_in_order_take_effect_once(database):
    follower = Follower(database)
    first = follower.take([(1, 1), (2, 1), (1, 2)])
    again = follower.take([(1, 1), (2, 1), (1, 2), (1, 2)])
    assert (first.applied, again.applied, again.duplicates) == (3, 0, 4)
    assert follower.effects == [(1, 1), (1, 2), (2, 1)]


def test_an_early_event_waits_for_the_one_before_it(database):
    follower = Follower(database)
    assert follower.take([(1, 3), (1, 2), (2, 1)]).parked == 2
    assert follower.waiting() == {"gap": 2}
    outcome = follower.take([(1, 1)])
    assert (outcome.applied, outcome.released) == (3, 2)
    assert follower.by_case() == {1: [1, 2, 3], 2: [1]}
    assert follower.waiting() == {}


def test_a_waiting_event_that_comes_again_waits_once(database):
    follower = Follower(database)
    follower.take([(1, 2)])
    assert follower.take([(1, 2), (1, 2)]).duplicates == 2
    assert follower.waiting() == {"gap": 1}


def test_a_failing_effect_leaves_nothing_behind(database):
    follower = Follower(database)
    follower.take([(1, 1), (2, 2)])

    def fail(*_):
        raise OSError("disk")

    failing = Follower(database, name=follower.name)
    failing.effect = fail
    with pytest.raises(OSError, match="disk"):
        failing.take([(1, 2), (2, 1), (3, 2)])
    assert follower.waiting() == {"gap": 1}
    follower.take([(1, 2), (2, 1)])
    assert follower.by_case() == {1: [1, 2], 2: [1, 2]}


@pytest.mark.parametrize("fault", ["raising", "hanging"])
def test_an_event_that_cannot_be_handled_holds_its_own_case_and_no_other(
    database, fault
):
    """Found in the midst of a batch; what waited for it goes on waiting behind it."""
    follower = Follower(database)
    follower.take([(3, 3)])
    setattr(follower, fault, {(3, 2), (7, 1)})
    keys = [(case, version) for version in (1, 2) for case in range(1, 10)]
    outcome = follower.take(keys)
    healthy = {case: [1, 2] for case in range(1, 10) if case not in {3, 7}}
    assert follower.by_case() == healthy | {3: [1]}
    assert follower.waiting() == {"poison": 2, "gap": 2}
    assert (outcome.applied, outcome.parked) == (15, 3)
    assert follower.take([(3, 2), (3, 3), (7, 1)]).duplicates == 3
    assert follower.waiting() == {"poison": 2, "gap": 2}
    follower.replay()
    assert follower.waiting() == {"poison": 2, "gap": 2}, "it still does"
    setattr(follower, fault, set())
    assert follower.replay().released == 4
    assert follower.by_case() == healthy | {3: [1, 2, 3], 7: [1, 2]}
    assert follower.waiting() == {}


def test_many_cases_fit_one_batch(database):
    """More cases than one IN list may hold."""
    follower = Follower(database)
    keys = [(case, version) for version in (2, 1) for case in range(1, 1_201)]
    assert follower.take(keys).applied == 2_400


@pytest.mark.parametrize("fault", ["poison", "newer"])
def test_an_unreadable_event_holds_its_own_case_and_no_other(database, fault):
    reader = Reader(**{fault: {(case, 3) for case in (1, 2, 3)}})
    follower = Follower(database, reader)
    keys = [(case, version) for version in range(1, 9) for case in range(1, 21)]
    for start in range(0, len(keys), 30):
        follower.take(keys[start : start + 30])
    cases = follower.by_case()
    assert [cases[case] for case in (1, 2, 3)] == [[1, 2]] * 3
    assert all(cases[case] == list(range(1, 9)) for case in range(4, 21))
    assert follower.waiting() == {fault: 3, "gap": 15}
    with database.read() as tx:
        assert (
            follower.inbox.rows.gaps(tx, before=2**62, limit=10) == []
        )  # nothing missing
        assert [case.int for case in follower.inbox.rows.faulty(tx)] == [1, 2, 3]

    getattr(reader, fault).discard((2, 3))
    outcome = follower.replay()
    assert (outcome.applied, outcome.released) == (6, 6)
    assert follower.by_case()[2] == list(range(1, 9))
    assert follower.waiting() == {fault: 2, "gap": 10}
    getattr(reader, fault).clear()
    follower.replay()
    assert all(v == list(range(1, 9)) for v in follower.by_case().values())
    assert follower.waiting() == {}


def test_what_turns_out_worse_says_so(database):
    reader = Reader(newer={(1, 1)})
    follower = Follower(database, reader)
    follower.take([(1, 1)])
    reader.newer, reader.poison = set(), {(1, 1)}
    follower.replay()
    assert follower.waiting() == {"poison": 1}


def test_a_readable_copy_replaces_the_unreadable_one(database):
    reader = Reader(poison={(1, 2)})
    follower = Follower(database, reader)
    follower.take([(1, 2), (1, 3)])
    assert follower.waiting() == {"poison": 1, "gap": 1}
    reader.poison.clear()
    follower.take([(1, 2)])
    assert follower.waiting() == {"gap": 2}
    follower.take([(1, 1)])
    assert follower.by_case() == {1: [1, 2, 3]}


def test_a_message_that_tells_no_case_is_kept(database):
    reader = Reader(mute={(1, 1)})
    follower = Follower(database, reader)
    follower.take([(1, 1), (1, 2)])
    assert follower.waiting() == {"poison": 1, "gap": 1}
    with database.read() as tx:
        assert follower.inbox.rows.faulty(tx) == [UNKNOWN_CASE]
        gaps = follower.inbox.rows.gaps(tx, before=2**62, limit=10)
    assert gaps == [Gap(UUID(int=1), 0)]
    follower.take([(1, 1)])  # delivered twice, another place in the stream
    reader.mute.clear()
    follower.replay()
    assert follower.by_case() == {1: [1, 2]}
    assert follower.waiting() == {}


def test_a_message_from_no_log_hides_no_position(database):
    follower = Follower(database, Reader(mute={(1, 1), (2, 1)}))
    arrived = [
        follower.inbox.read(body_of(1, 1), {}, stream_sequence=1),
        follower.inbox.read(body_of(3, 2), {"Amends-Position": "8"}, stream_sequence=2),
    ]
    with database.write() as tx:
        follower.inbox.apply(tx, arrived[:1], follower.effect)
        assert follower.inbox.rows.waiting(tx).position is None
        follower.inbox.apply(tx, arrived[1:], follower.effect)
        told = follower.inbox.read(
            body_of(2, 1), {"Amends-Position": "5"}, stream_sequence=3
        )
        follower.inbox.apply(tx, [told], follower.effect)
        assert follower.inbox.rows.waiting(tx).position == 5


def test_gaps_name_what_is_missing(database):
    follower = Follower(database)
    follower.take([(1, 1), (1, 3), (1, 4), (2, 2), (3, 1)])
    with database.read() as tx:
        gaps = follower.inbox.rows.gaps(tx, before=2**62, limit=10)
        none_yet = follower.inbox.rows.gaps(tx, before=0, limit=10)
        other = Follower(database).inbox.rows.gaps(tx, before=2**62, limit=10)
    assert gaps == [Gap(UUID(int=1), 1), Gap(UUID(int=2), 0)]
    assert none_yet == other == []


def test_what_nobody_has_the_predecessor_of_goes_to_quarantine(database):
    """It is applied all the same, in order, once the predecessor is there."""
    follower = Follower(database)
    follower.take([(1, 3), (1, 4)])
    follower.take([(2, 2)])
    with database.write() as tx:
        assert follower.inbox.give_up(tx, Gap(UUID(int=1), 0))
        (message,) = follower.inbox.quarantine.all(tx)
        assert not follower.inbox.give_up(tx, Gap(UUID(int=1), 0)), (
            "it is there already"
        )
    assert (message.place, message.reason) == ((UUID(int=1), 3), NOT_IN_RECORD)
    assert follower.waiting() == {"gap": 2, "poison": 1}
    follower.replay()
    assert follower.waiting() == {"gap": 2, "poison": 1}
    assert follower.take([(1, 1), (1, 2)]).released == 2
    assert follower.by_case() == {1: [1, 2, 3, 4]}
    assert follower.waiting() == {"gap": 1}
    with database.read() as tx:
        assert not follower.inbox.quarantine.all(tx)


def test_what_nobody_has_the_predecessor_of_can_be_discarded_alone(database):
    follower = Follower(database)
    follower.take([(1, 3), (1, 4)])
    with database.write() as tx:
        follower.inbox.give_up(tx, Gap(UUID(int=1), 0))
        (message,) = follower.inbox.quarantine.all(tx)
        follower.inbox.discardable(tx, message.document_id)
        how = Discard(actor="ann", cause="foreign")
        follower.inbox.discard(tx, follower.effect, message.document_id, how)
    assert follower.waiting() == {"gap": 1}
    assert follower.take([(1, 1), (1, 2), (1, 3)]).applied == 4


def test_a_gap_that_closed_meanwhile_puts_nothing_in_quarantine(database):
    follower = Follower(database)
    follower.take([(1, 2)])
    follower.take([(1, 1)])
    with database.write() as tx:
        assert not follower.inbox.give_up(tx, Gap(UUID(int=1), 0))
    assert follower.waiting() == {}


def test_consumers_do_not_see_each_other(database):
    one, two = Follower(database), Follower(database)
    one.take([(1, 1), (1, 3)])
    assert two.take([(1, 1), (1, 2)]).applied == 2
    assert one.by_case() == {1: [1]}
    assert two.waiting() == {}


def test_the_position_only_rises(database):
    follower = Follower(database)
    seen = []
    for position in (5, 3, 9):
        with database.write() as tx:
            follower.inbox.rows.note_position(tx, position)
            seen.append(follower.inbox.rows.position(tx))
    assert seen == [5, 5, 9]


def _side_by_side(make_database, inbox: type[Inbox]) -> Follower:
    """Two workers: one has the first events of the cases, the other the second ones.

    Each waits before its commit until the other has applied, unless a lock forbids it.
    """
    both_applied = threading.Barrier(2)
    failures: list[BaseException] = []

    def work(version: int) -> None:
        follower = Follower(make_database("inbox"), inbox=inbox, name="shared")
        try:
            with follower.database.write() as tx:
                events = [follower.read((case, version)) for case in range(1, 30)]
                follower.inbox.apply(tx, events, follower.effect)
                with suppress(threading.BrokenBarrierError):
                    both_applied.wait(0.4)
        except BaseException as error:  # noqa: BLE001  (told below)
            failures.append(error)

    follower = Follower(make_database("inbox"), inbox=inbox, name="shared")
    threads = [threading.Thread(target=work, args=(version,)) for version in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    return follower


def test_two_workers_leave_nothing_stuck(make_database):
    follower = _side_by_side(make_database, Inbox)
    assert all(versions == [1, 2] for versions in follower.by_case().values())
    assert follower.waiting() == {}


def test_without_the_lock_events_are_stuck_for_ever(make_database):
    """The control: it fails on PostgreSQL; SQLite's transaction is a lock of itself."""
    follower = _side_by_side(make_database, UnlockedInbox)
    stuck = {"gap": 29} if follower.database.dialect == "postgres" else {}
    assert follower.waiting() == stuck


def test_two_workers_share_a_disordered_feed(make_database):
    keys = [(case, version) for case in range(1, 81) for version in range(1, 13)]
    random.Random(5).shuffle(keys)  # noqa: S311  (a fixed disorder, no secret)
    feed = [keys[start : start + 40] for start in range(0, len(keys), 40)]
    failures: list[BaseException] = []

    def work() -> None:
        follower = Follower(make_database("inbox"), name="shared")
        try:
            while feed:
                follower.take(feed.pop())
        except IndexError:
            return  # the other was faster
        except BaseException as error:  # noqa: BLE001  (told below)
            failures.append(error)

    follower = Follower(make_database("inbox"), name="shared")
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(follower.effects) == len(keys)
    assert all(v == list(range(1, 13)) for v in follower.by_case().values())

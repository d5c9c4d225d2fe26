"""A replay comes to the same whatever the database, and to what the pages show."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from events import codec
from services.handling.application.canonical import canonical
from services.handling.application.cases import Handling
from services.handling.application.replaying import (
    PARTITIONS,
    Replayed,
    joined,
    replay_part,
)
from services.handling.persistence import case_order
from services.handling.persistence.case_order import in_case_order
from services.kernel.errors import NotFoundError, RefusedError
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database
from tests.support.stages import START, recorded, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from uuid import UUID

    from events.envelope import Envelope
    from services.kernel.store.database import Database


def replayed(database: Database, position: int) -> Replayed:
    parts = {
        number: replay_part(in_case_order(database, number, upto=position))
        for number in range(PARTITIONS)
    }
    return joined(parts, position)


def put(database: Database, events: Sequence[Envelope[Any]]) -> None:
    store = open_store(database, name="handling", codec=codec, now=lambda: START)
    with database.write() as tx:
        store.put(tx, events)


def shown(handling: Handling, cases: set[UUID], position: int) -> tuple[int, str]:
    """Take the states that `amends case show --as-of` shows, and digest them by hand."""
    parts = [sha256() for _ in range(16)]
    count = 0
    for case_id in sorted(cases):
        try:
            history = handling.history(str(case_id), position)
        except NotFoundError:
            continue
        state = canonical(history.case)
        parts[int(case_id.hex[0], 16)].update(sha256(state).digest())
        count += 1
    return count, sha256(b"".join(part.digest() for part in parts)).hexdigest()


def test_a_replay_to_any_position_comes_to_what_the_cases_showed_then(
    make_database: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_order, "_AT_ONCE", 3)  # pages end inside cases
    events = staged(30, seed=4)
    database = make_database("handling")
    store, work_list = recorded(database, events)
    handling = Handling(store, work_list)
    ids = {event.case_id for event in events}
    chance = random.Random(7)  # noqa: S311 it must repeat
    for position in (0, 1, len(events), *chance.sample(range(len(events)), 9)):
        found = replayed(database, position)
        assert (found.cases, found.digest) == shown(handling, ids, position)
        assert found.events == sum(found.types.values()) == position


def test_both_databases_and_any_order_of_the_cases_give_one_digest(
    postgres_url: str, tmp_path: Path
) -> None:
    """The record of the other has the cases one after the other, in bigger commits."""
    events = staged(30, seed=5)
    sqlite = open_database(f"sqlite:///{tmp_path}/one.sqlite", schema="handling")
    postgres = open_database(postgres_url, schema="replay_other")
    put(sqlite, events)
    put(postgres, sorted(events, key=lambda event: (event.case_id, event.version)))
    one, other = (replayed(each, len(events)) for each in (sqlite, postgres))
    sqlite.close()
    postgres.close()
    assert one == other
    assert one.cases == 30


def test_another_state_of_one_case_is_another_digest(tmp_path: Path) -> None:
    events = staged(30, seed=6)
    digests = set()
    for number, changed in enumerate(({}, {"receipt_no": "9" * 16})):
        url = f"sqlite:///{tmp_path}/{number}.sqlite"
        database = open_database(url, schema="handling")
        first, *rest = events
        data = first.data.model_copy(update=changed)
        put(database, [first.model_copy(update={"data": data}), *rest])
        digests.add(replayed(database, len(events)).digest)
        digests.add(replayed(database, len(events)).digest)
        database.close()
    assert len(digests) == 2, "the same record twice is one digest, another is another"


def test_what_cannot_be_folded_is_named_by_its_position(
    make_database: Callable[[str], Database],
) -> None:
    database = make_database("handling")
    events = staged(6, seed=8)
    put(database, events)
    at = next(at for at, event in enumerate(events, 1) if event.version == 2)
    with database.write() as tx:
        tx.execute("UPDATE stored_events SET version = 99 WHERE position = ?", (at,))
    with pytest.raises(RefusedError, match=r"is not version \d+ of its case") as told:
        replayed(database, len(events))
    assert told.value.code == "audit.cannot_replay"
    with database.write() as tx:
        tx.execute(
            "UPDATE stored_events SET version = 2, body = ? WHERE position = ?",
            (b"{}", at),
        )
    with pytest.raises(RefusedError, match=f"Position {at} cannot be replayed"):
        replayed(database, len(events))

"""What was refused at the door waits sealed, is listed, taken in again or let go."""

import asyncio
from uuid import UUID

import pytest

from services.kernel.errors import FieldError, MalformedError, NotFoundError
from services.kernel.inbox import Discard, Door, Ward, told_of
from services.kernel.store.writer import Writer
from services.kernel.vault import ErasedError, Readings
from tests.support.inbox import NOW, Follower, Reader

BODY = b'{"statement": "Zhang San, 13800000000"}'
REFUSED = MalformedError(
    "intake.invalid",
    "Mend it.",
    errors=[
        FieldError("contact.phone", "bad", "Mend it."),
        FieldError("demand[2]", "bad", "Mend it."),
        FieldError("demand[2]", "bad", "Mend it."),
        FieldError("contact.zhang_san", "is not a field", "Remove it."),
    ],
)


class House:
    """A service with a door, a case in quarantine, and somebody who takes in again."""

    def __init__(self, database, writer: Writer) -> None:
        self.follower = Follower(database, Reader(poison={(1, 1)}))
        self.follower.take([(1, 1)])
        self.readings = Readings(database)
        self.door = Door(
            self.follower.name,
            database=database,
            vault=self.follower.vault,
            readings=self.readings,
            quarantine=self.follower.inbox.quarantine,
            writer=writer,
            now=lambda: NOW,
            names={"contact", "phone", "demand"},
        )
        self.taken: list[bytes] = []
        self.willing = False
        self.ward = Ward(self.follower.following(writer), self.door, self.again)

    async def again(self, _, body: bytes) -> bool:
        if self.willing:
            self.taken.append(body)
        return self.willing

    async def refuse(self, message_id: str = "submit:1"):
        return await self.door.refuse(
            BODY, REFUSED, message_id=message_id, subject="amends.submit.phone"
        )

    def refused(self) -> list[UUID]:
        return [each.document_id for each in self.door.quarantined()]


@pytest.fixture
def house(make_database):
    writer = Writer("door")
    writer.start()
    yield House(make_database("door"), writer)
    writer.stop()


def test_it_is_listed_beside_what_could_not_be_handled_and_kept_once(house):
    async def main() -> None:
        first, again = await house.refuse(), await house.refuse()
        assert first == again, "the same message came twice"
        await house.refuse("submit:2")

    asyncio.run(main())
    told = [(each.reason, each.subject) for each in house.ward.quarantined()]
    assert sorted(told) == [
        ("intake.invalid", "amends.submit.phone"),
        ("intake.invalid", "amends.submit.phone"),
        ("test.poison", ""),
    ]


def test_the_fields_at_fault_are_named_but_no_name_that_a_stranger_chose(house):
    (told,) = [asyncio.run(house.refuse())]
    listed = next(each for each in house.ward.quarantined() if each.subject)
    assert told.fields == listed.fields == ("contact.phone", "demand[2]")
    assert told_of(listed)["fields"] == ["contact.phone", "demand[2]"]
    with house.follower.database.read() as tx:
        rows = repr(tx.fetchall("SELECT * FROM refused_at_door"))
    assert "zhang_san" not in rows


def test_its_words_lie_in_no_column(house):
    asyncio.run(house.refuse())
    with house.follower.database.read() as tx:
        for table in ("refused_at_door", "vault_document"):
            rows = repr(tx.fetchall(f"SELECT * FROM {table}"))  # noqa: S608 fixed words
            assert "Zhang San" not in rows
            assert "13800000000" not in rows


def test_it_is_opened_for_a_purpose_and_the_look_is_noted(house):
    async def main():
        message = await house.refuse()
        return await house.ward.opened(
            message.document_id, actor="ann", role="admin", purpose="repair"
        )

    message, body = asyncio.run(main())
    assert body == BODY
    (noted,) = house.readings.of_case(UUID(int=0))
    assert (noted.document_id, noted.actor, noted.purpose) == (
        message.document_id,
        "ann",
        "repair",
    )


def test_taken_in_again_it_leaves_and_until_then_it_stays(house):
    async def main() -> None:
        message = await house.refuse()
        assert await house.ward.replay(only=message.document_id, by="ann") == 0
        assert house.refused() == [message.document_id]
        house.willing = True
        assert await house.ward.replay(by="bob") == 1
        with pytest.raises(NotFoundError, match="unknown"):
            house.follower.vault.open(message.document_id)

    asyncio.run(main())
    assert house.taken == [BODY]
    assert house.refused() == []
    _, replays = house.ward.settled(limit=10)
    assert sorted((each.actor, each.applied) for each in replays) == [
        ("ann", 0),
        ("bob", 0),  # of what could not be handled
        ("bob", 1),
    ]


def test_discarded_its_key_is_destroyed_and_who_decided_is_kept(house):
    async def main() -> None:
        message = await house.refuse()
        key = house.follower.vault.open(message.document_id).subject_id
        assert house.ward.discardable(message.document_id) == message
        how = Discard(actor="ann", cause="test")
        await house.ward.discard(message.document_id, how)
        with pytest.raises(ErasedError):
            house.follower.vault.ensure_keys([key])
        with pytest.raises(NotFoundError):
            await house.ward.discard(message.document_id, how)

    asyncio.run(main())
    gone, _ = house.ward.settled(limit=10)
    assert [(each.reason, each.actor, each.cause) for each in gone] == [
        ("intake.invalid", "ann", "test")
    ]


def test_what_is_not_there_is_refused_whatever_is_wanted(house):
    nothing = UUID(int=7)

    async def main() -> None:
        with pytest.raises(NotFoundError):
            house.ward.message(nothing)
        with pytest.raises(NotFoundError):
            await house.ward.replay(only=nothing, by="ann")
        with pytest.raises(NotFoundError):
            await house.ward.opened(nothing, actor="a", role="admin", purpose="repair")

    asyncio.run(main())

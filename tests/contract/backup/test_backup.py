"""A backup is one instant of all services, and a restore gives back what it lacks too."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from services.backup.archive import Archive
from services.backup.reconciling import look, mend
from services.backup.restoring import Restore
from services.backup.streams import pages
from services.backup.taking import take
from services.cli import backing
from services.kernel.clock import system_clock
from services.kernel.errors import AmendsError, MalformedError, RefusedError
from services.kernel.ledger.checkpoint import load_signer
from services.kernel.ledger.verify import verify
from services.kernel.record import SIGNING_KEY, origin
from tests.support.houses import DEPARTMENTS, House, assigned, case, received

if TYPE_CHECKING:
    from pathlib import Path


def quiet(_name: str, _done: int, _total: int) -> None:
    """Show nobody how far it is."""


def back_up(house: House, target: Path, keys: Path | None = None) -> dict[str, Any]:
    return take(
        house.settings, target, keys, now=system_clock(), progress=quiet
    ).manifest


async def put_back(
    house: House,
    backup: Path,
    keys: Path | None = None,
    *,
    replace: bool = False,
    staging: bool = False,
) -> Any:
    restore = Restore(house.settings, backup, keys, replace=replace, staging=staging)
    with closing(restore):
        plan = restore.plan(quiet)
        restore.require_ready(plan)
        house.folder.make()
        return await restore.run(plan, DEPARTMENTS, quiet)


async def streams(client: Any) -> dict[str, list[Any]]:
    js = client.jetstream()
    return {
        stream: [message async for page in pages(js, stream) for message in page]
        for stream in ("INTAKE", "CASES", "DEPARTMENTS")
    }


def sealed(house: House, name: str) -> bool:
    """Whether the ledger of a record says that nothing was changed."""
    key = house.folder.path / name / SIGNING_KEY
    with house.record(name) as record:
        if record.sealer is not None:
            record.sealer.seal()
        signer = load_signer(key, origin("default", name))
        return verify(record.database, signer.verifier).ok


def test_a_backup_under_load_never_has_an_effect_without_its_cause(
    make_house: Any, tmp_path: Path
) -> None:
    """Files that are copied one after the other would have it, in either order."""
    house = make_house()
    house.found()
    stop = threading.Event()

    def work() -> None:
        number = 0
        with house.record("intake") as intake, house.record("handling") as handling:
            while not stop.is_set():
                number += 1
                event = case(number), 1, "ComplaintReceived", received(number)
                for record in (intake, handling):
                    with record.database.write() as tx:
                        record.store.put_bodies(tx, [event])

    worker = threading.Thread(target=work)
    worker.start()
    try:
        found = [back_up(house, tmp_path / f"{n}.tar")["records"] for n in range(5)]
    finally:
        stop.set()
        worker.join()
    for records in found:
        ahead = records["intake"]["position"] - records["handling"]["position"]
        assert ahead in {0, 1}  # received, then taken over, one after the other
    assert found[-1]["handling"]["position"] > found[0]["handling"]["position"]


def test_what_was_published_comes_back_byte_for_byte_onto_fuller_streams(
    make_house: Any, tmp_path: Path
) -> None:
    house = make_house()
    house.found()

    async def scenario() -> None:
        async with house.broker() as client:
            house.receive(4)
            await house.relay(client)
            back_up(house, tmp_path / "b.tar")
            house.receive(3)
            await house.relay(client)
        published = {name: house.log(name) for name in ("intake", "handling")}
        epochs = house.epoch("intake"), house.epoch("handling")
        house.receive(1)  # never published: nobody can give it back
        done = await put_back(house, tmp_path / "b.tar", replace=True)
        assert [(r.events, len(r.left)) for r in done.recovered] == [(3, 0), (6, 0)]
        for name, entries in published.items():
            assert house.log(name) == entries
            assert sealed(house, name)
        assert house.epoch("intake") != epochs[0]
        assert house.epoch("handling") != epochs[1]
        async with house.broker() as client:
            await house.relay(client)
            found = await streams(client)
            assert [m.body for m in found["CASES"]] == [
                entry.body for entry in published["handling"]
            ]
            assert {m.place.epoch for m in found["CASES"]} == {house.epoch("handling")}
            told, copies = found["DEPARTMENTS"][:2], found["DEPARTMENTS"][2:]
            assert [json.loads(m.body)["previous_epoch"] for m in told] == [
                epochs[1]
            ] * len(DEPARTMENTS)
            assert len(copies) == 2 * 7
            assert (await look(client, house.settings, house.folder)).sound

    asyncio.run(scenario())


def test_a_backup_comes_back_into_an_empty_place_with_its_keys(
    make_house: Any, tmp_path: Path
) -> None:
    house = make_house("old")
    house.found()
    house.receive(5)
    back_up(house, tmp_path / "b", tmp_path / "k.tar")
    assert not any("keys" in name for name in Archive(tmp_path / "b").members)
    entries = house.log("handling")
    new = make_house("new")
    with pytest.raises(RefusedError, match=r"restore\.no_keys"):
        asyncio.run(put_back(new, tmp_path / "b"))
    asyncio.run(put_back(new, tmp_path / "b", tmp_path / "k.tar"))
    assert new.log("handling") == entries
    assert sealed(new, "handling")
    new.cases = house.cases
    new.receive(1)  # goes on behind what came back
    assert len(new.log("handling")) == len(entries) + 2


def begun(settings: Any, backup: Path, keys: Path) -> None:
    restore = Restore(settings, backup, keys, replace=False, staging=False)
    with closing(restore):
        restore.require_ready(restore.plan(quiet))


def test_a_restore_refuses_what_does_not_fit(make_house: Any, tmp_path: Path) -> None:
    house = make_house()
    house.found()
    house.receive(1)
    back_up(house, tmp_path / "b", tmp_path / "k")

    def refused(expected: type[AmendsError], settings: Any, backup: str) -> str:
        with pytest.raises(expected) as error:
            begun(settings, tmp_path / backup, tmp_path / "k")
        return error.value.code

    other = house.settings.model_copy(update={"tenant": "other"})
    assert refused(RefusedError, other, "b") == "restore.other_tenant"
    assert refused(RefusedError, house.settings, "b") == "restore.not_empty"
    assert refused(AmendsError, house.settings, "k") == "restore.wrong_kind"
    path = next(path for path in (tmp_path / "b" / "stores").rglob("*.*"))
    content = bytearray(path.read_bytes() or b"x")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert refused(MalformedError, house.settings, "b") == "backup.damaged"
    manifest = tmp_path / "b" / "manifest.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(told | {"format": 99}))
    assert refused(RefusedError, house.settings, "b") == "backup.format_newer"
    outside = {"path": "folder/../../x", "bytes": 0, "sha256": ""}
    manifest.write_text(json.dumps(told | {"files": [outside]}))
    assert refused(MalformedError, house.settings, "b") == "backup.unreadable"
    manifest.unlink()
    assert refused(MalformedError, house.settings, "b") == "backup.unreadable"


def test_a_copy_to_try_things_on_is_marked_and_lets_nobody_of_ours_in(
    make_house: Any, tmp_path: Path
) -> None:
    house = make_house("old")
    house.found()
    house.receive(1)
    secret = house.folder.path / "departments" / "quality.nk"
    secret.parent.mkdir()
    secret.write_text("SECRET")
    back_up(house, tmp_path / "b")
    copy = make_house("new")
    restore = Restore(copy.settings, tmp_path / "b", None, replace=False, staging=True)
    with closing(restore):
        plan = restore.plan(quiet)
        restore.require_ready(plan)  # without keys no word can be read: as well
        copy.folder.make()
        asyncio.run(restore.run(plan, DEPARTMENTS, quiet))
    assert copy.folder.staging
    with copy.record("handling") as record:
        assert record.store.staging
    assert len(copy.log("handling")) == 2
    assert (copy.folder.path / "departments" / "quality.nk").read_text() != "SECRET"
    with pytest.raises(RefusedError, match=r"staging\.own_broker"):
        copy.folder.require_own_broker("nats://127.0.0.1:1")
    # Nothing that is in use becomes a copy by a slip of the hand.
    with pytest.raises(RefusedError, match=r"restore\.staging_over_live"):
        over(house, tmp_path / "b")


def test_a_copy_never_becomes_the_real_one_nor_keeps_its_trials(
    make_house: Any, tmp_path: Path
) -> None:
    """What was tried on the copy lies in its streams: it must reach no real record."""
    house = make_house("old")
    house.found()
    house.receive(2)
    back_up(house, tmp_path / "b")
    copy = make_house("new")
    asyncio.run(put_back(copy, tmp_path / "b", staging=True))
    copy.cases = house.cases

    async def tried() -> None:
        async with copy.broker() as client:
            copy.receive(3)
            await copy.relay(client)

    asyncio.run(tried())
    with pytest.raises(RefusedError, match=r"restore\.live_over_staging"):
        asyncio.run(put_back(copy, tmp_path / "b", replace=True))
    back_up(copy, tmp_path / "c", tmp_path / "ck")
    with pytest.raises(RefusedError, match=r"restore\.staging_backup"):
        asyncio.run(put_back(make_house("third"), tmp_path / "c", tmp_path / "ck"))
    # Refreshed, it is what the backup says, and its streams are as well.
    done = asyncio.run(put_back(copy, tmp_path / "b", replace=True, staging=True))
    assert done.recovered == ()
    assert copy.folder.staging
    for name in ("intake", "handling"):
        assert [e.body for e in copy.log(name)] == [e.body for e in house.log(name)]

    async def looked() -> bool:
        async with copy.broker() as client:
            await copy.relay(client)
            return (await look(client, copy.settings, copy.folder)).sound

    assert asyncio.run(looked())


@pytest.mark.parametrize("make_house", ["sqlite"], indirect=True)
def test_a_bad_place_for_a_backup_is_refused_before_anything_is_written(
    make_house: Any, tmp_path: Path
) -> None:
    house = make_house()
    house.found()
    place = tmp_path / "place"
    place.mkdir()
    (place / "there.tar").write_text("x")
    (place / "link.tar").symlink_to(place / "b.tar")
    (tmp_path / "also").symlink_to(place)
    before = sorted(place.iterdir())

    def refused(target: Path, keys: Path | None = None) -> str:
        with pytest.raises(RefusedError) as error:
            back_up(house, target, keys)
        assert sorted(place.iterdir()) == before
        return error.value.code

    same = [place / "b.tar", place / "link.tar", tmp_path / "also" / "b.tar"]
    for keys in (*same, place / "b.tar" / "k.tar"):
        assert refused(place / "b.tar", keys) == "backup.keys_beside"
    assert refused(place / "b.tar", place / "there.tar") == "backup.target_taken"
    inside = house.folder.path / "backups" / "b.tar"
    assert refused(inside) == "backup.target_inside"
    assert refused(place / "b.tar", inside) == "backup.target_inside"
    assert not inside.parent.exists()
    # What only shows on writing leaves nothing of the other one either.
    unusable = place / "there.tar" / "k.tar"
    assert refused(unusable) == "backup.target_unusable"
    for target in ("b.tar", "b"):
        assert refused(place / target, unusable) == "backup.target_unusable"


@pytest.mark.parametrize("make_house", ["sqlite"], indirect=True)
def test_a_dry_run_foretells_the_refusal(
    make_house: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    house = make_house()
    house.found()
    back_up(house, tmp_path / "b", tmp_path / "k")
    monkeypatch.setenv("AMENDS_DATA", str(tmp_path / "new"))

    def told(*, staging: bool, as_json: bool) -> str:
        backing.restore(
            tmp_path / "b",
            None,
            replace=False,
            staging=staging,
            dry_run=True,
            as_json=as_json,
        )
        return capsys.readouterr().out

    with pytest.raises(SystemExit, match="1"):
        told(staging=False, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["refused"]) == (False, "restore.no_keys")
    with pytest.raises(SystemExit, match="1"):
        told(staging=False, as_json=False)
    human = capsys.readouterr().out
    assert "As: live\n" in human
    assert "[restore.no_keys]" in human
    assert "As: staging: a copy" in told(staging=True, as_json=False)
    assert not (tmp_path / "new").exists()


def over(house: House, backup: Path) -> None:
    restore = Restore(house.settings, backup, None, replace=True, staging=True)
    with closing(restore):
        restore.require_ready(restore.plan(quiet))


@pytest.mark.parametrize("make_house", ["sqlite"], indirect=True)
def test_streams_are_mended_as_the_record_says(make_house: Any) -> None:
    house = make_house()
    house.found()

    async def scenario() -> None:
        async with house.broker() as client:
            house.receive(5)
            await house.relay(client)
            js = client.jetstream()

            async def looked() -> dict[str, Any]:
                found = await look(client, house.settings, house.folder)
                return {each.stream.value: each for each in found.findings}

            async def mended() -> None:
                found = await look(client, house.settings, house.folder)
                assert not found.sound
                await mend(client, house.settings, house.folder, DEPARTMENTS, found)
                await house.relay(client)
                assert (await look(client, house.settings, house.folder)).sound

            async def bodies(stream: str) -> list[bytes]:
                return [message.body for message in (await streams(client))[stream]]

            whole = await bodies("CASES")
            # What nobody of ours wrote, at the end: the relay would stop before it.
            await js.publish("amends.intake.web", b"hello")
            assert (await looked())["INTAKE"].action == "remove_strangers"
            await mended()
            assert len(await bodies("INTAKE")) == 5
            # A part in the middle is gone: no relay sees that.
            for sequence in (3, 4):
                await js.delete_msg("CASES", sequence)
            assert (await looked())["CASES"].missing == 2
            await mended()
            assert await bodies("CASES") == whole
            numbers = [message.sequence for message in (await streams(client))["CASES"]]
            assert min(numbers) > 10, "a number would have come again"
            # The stream is gone.
            await js.delete_stream("CASES")
            assert not (await looked())["CASES"].there
            await mended()
            assert await bodies("CASES") == whole
            # What the relay is about to publish is no fault.
            house.put("handling", [assigned(1, 3)])
            looking = (await looked())["CASES"]
            assert (looking.action, looking.behind) == ("none", 1)

    asyncio.run(scenario())

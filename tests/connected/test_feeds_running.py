"""Departments and customers of a running amends: feeds, commands, receipts."""

import asyncio
import json
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Self
from uuid import UUID

import httpx
import nats
import nats.errors
import pytest

from services.kernel.broker.server import find_binary, new_seed
from tests.support.children import dying_with_us
from tests.support.house import ACCEPT, House
from tests.support.running import RunningAmends, free_port

pytestmark = [pytest.mark.connected, pytest.mark.e2e]

PATIENCE = 30.0  # seconds; only a hang reaches it


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    amends = RunningAmends(tmp_path_factory.mktemp("house") / "data", forked=True)
    try:
        amends.start()
        house = House(amends)
        yield house
        house.http.close()
    finally:
        amends.end()


class Following:
    """`amends follow` as a process, ended with the block whatever happens in it."""

    def __init__(self, amends: RunningAmends, department: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "follow", department, *options],
            env=amends.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
            bufsize=0,  # what waits is in the pipe alone, where `select` sees it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def line(self) -> str:
        """Wait for one line; a pipe that stays empty is a failure, not a hang."""
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert ready, "nothing was shown"
        return self.process.stdout.readline().decode().rstrip("\n")

    def event(self) -> dict:
        return json.loads(self.line())

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert not self.process.stdout.read()
        return code


def test_a_department_follows_and_goes_on_where_it_stopped(house):
    receipt = house.assigned()
    agent = house.by("agent", "front-office")
    with Following(house.amends, "quality", "--json") as first:
        assert first.event() == house.stored(receipt)[-1]  # what came before it
        signed = house.command(receipt, "sign-for", by=house.by("quality", "quality"))
        assert signed.json()["events"] == ["AssignmentAccepted"]
        assert first.event() == house.stored(receipt)[-1]  # and live
        assert first.stop() == 0
    move = {"department": "logistics"}
    assert house.command(receipt, "assign", move, by=agent).is_success
    assert house.received()  # no department's affair yet
    with Following(house.amends, "quality", "--json") as second:
        last = second.event()
        assert last == house.stored(receipt)[-1]  # the last copy says who has it now
        assert last["data"]["department"] == "logistics"
        logistics = house.by("department_handler", "logistics")
        assert house.command(receipt, "sign-for", by=logistics).is_success
        with Following(house.amends, "logistics") as human:
            lines = [human.line(), human.line()]
            assert all(receipt["case_id"] in line for line in lines)
            assert [line.split()[2:] for line in lines] == [
                ["DepartmentAssigned", "ASSIGNED"],
                ["AssignmentAccepted", "INVESTIGATING"],
            ]
            assert human.stop() == 0
        assert second.stop(signal.SIGTERM) == 0  # and nothing more came


def test_a_feed_holds_nobody_s_words(house):
    house.assigned()
    with Following(house.amends, "quality", "--json") as follower:
        line = follower.line()
    assert "hums" not in line
    assert "Wang" not in line
    assert json.loads(line)["departments"] == ["quality"]


def test_whoever_reads_may_have_enough(house):
    house.assigned()
    with Following(house.amends, "quality") as follower:
        assert follower.line()
        follower.process.stdout.close()
        house.assigned()
        assert follower.process.wait(PATIENCE) == 0
        assert b"Traceback" not in follower.process.stderr.read()


def test_a_department_that_does_not_exist_is_refused(house):
    done = house.amends.run("follow", "qality", check=False)
    assert done.returncode == 1
    assert "handling.no_department" in done.stderr
    assert "quality" in done.stderr


def test_where_nothing_runs_it_says_so(tmp_path):
    done = RunningAmends(tmp_path / "data", forked=True).run(
        "follow", "quality", check=False
    )
    assert done.returncode == 1
    assert "amends up" in done.stderr


def test_the_bus_tells_what_may_be_asked_on_it(house):
    channels = house.http.get("/asyncapi").json()["channels"].values()
    assert {channel["address"] for channel in channels} >= {
        "amends.ask.do.*.*",
        "amends.ask.intake.access",
        "amends.dept.{department}.DepartmentAssigned",
    }


def test_only_operators_get_a_department_s_secret(house):
    path = "/api/handling/departments/quality/credentials"
    for role, department in (("agent", "front-office"), ("quality", "quality")):
        answer = house.post(path, Authorization=house.by(role, department))
        assert answer.status_code == 403
    rows = house.http.get("/api/handling/departments").json()["rows"]
    assert {"code": "quality"} in rows
    assert httpx.get(f"{house.amends.url}/api/handling/departments").status_code == 401
    secrets = house.amends.data / "departments"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets.iterdir()} == {0o600}


def asked(house, department: str, subject: str, body: object) -> dict | None:
    """Ask as a department's program; None where the broker lets it not."""
    access = house.access(department)

    async def quiet(_: Exception) -> None: ...

    async def once() -> dict | None:
        client = await nats.connect(
            access["nats_url"],
            nkeys_seed_str=access["seed"],
            inbox_prefix=access["inbox_prefix"],
            error_cb=quiet,
        )
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            return json.loads((await client.request(subject, payload, timeout=2)).data)
        except (nats.errors.TimeoutError, nats.errors.NoRespondersError):
            return None
        finally:
            await client.close()

    return asyncio.run(once())


def test_a_department_commands_its_own_cases_over_the_bus(house):
    receipt = house.assigned()
    subject = "amends.ask.do.quality.sign-for"
    wanted = {"case_id": receipt["case_id"], "idempotency_key": "k1", "version": 3}
    done = asked(house, "quality", subject, wanted)
    assert done == {
        "status": 200,
        "case_id": receipt["case_id"],
        "version": 4,
        "state": "INVESTIGATING",
        "events": ["AssignmentAccepted"],
        "repeated": False,
    }
    again = asked(house, "quality", subject, wanted)
    assert again == done | {"repeated": True}
    actor = house.stored(receipt)[-1]["actor"]
    assert actor == {
        "id": "dept-quality",
        "role": "department_handler",
        "department": "quality",
    }


def test_over_the_bus_it_is_refused_as_over_http(house):
    case = {"case_id": house.assigned()["case_id"]}
    others = asked(house, "logistics", "amends.ask.do.logistics.sign-for", case)
    assert (others["status"], others["code"]) == (403, "case.not_your_department")
    assert asked(house, "logistics", "amends.ask.do.quality.sign-for", case) is None
    for body, code in (
        (b'{"a":1,"a":2}', "json.refused"),
        (b"", "json.syntax"),
        ({}, "request.invalid"),
        (case | {"actor": {"id": "li"}}, "request.invalid"),
        (case | {"command": "close"}, "request.invalid"),
        ({"case_id": str(UUID(int=1))}, "handling.no_case"),
    ):
        answer = asked(house, "quality", "amends.ask.do.quality.sign-for", body)
        assert answer["code"] == code, body
    unknown = asked(house, "quality", "amends.ask.do.quality.dance", case)
    assert (unknown["status"], unknown["code"]) == (404, "handling.no_command")


def test_a_customer_acts_on_their_own_case_with_its_receipt(house):
    mine, others = house.received(), house.received()
    holder = f"Receipt {mine['receipt_no']} {mine['access_code']}"
    wanted = {"reason": "no_longer_wanted"}
    refused = house.command(others, "withdraw", wanted, by=holder)
    assert (refused.status_code, refused.json()["code"]) == (404, "handling.no_case")
    wrong = f"Receipt {mine['receipt_no']} {others['access_code']}"
    assert house.command(mine, "withdraw", wanted, by=wrong).status_code == 401
    assert house.command(mine, "accept", ACCEPT, by=holder).status_code == 403
    done = house.command(mine, "withdraw", wanted, by=holder)
    assert done.json()["state"] == "WITHDRAWN"
    actor = house.stored(mine)[-1]["actor"]
    assert actor == {"id": f"receipt-{mine['receipt_no']}", "role": "complainant"}


def test_a_broker_of_one_s_own_lets_departments_in(tmp_path):
    """As docs/how-to/follow-a-department.md says; amends comes first, then the broker."""
    port, seed = free_port(), tmp_path / "amends.nk"
    seed.write_text(new_seed())
    amends = RunningAmends(
        tmp_path / "data",
        {
            "AMENDS_NATS_URL": f"nats://127.0.0.1:{port}",
            "AMENDS_NATS_CREDENTIALS": str(seed),
        },
        forked=True,
    )
    config = tmp_path / "data/departments/nats.conf"
    try:
        amends.start()
        store = f'store_dir: "{tmp_path / "broker"}", sync_interval: always'
        config.write_text(
            f'listen: "127.0.0.1:{port}"\n'
            f"jetstream {{ {store}, max_file: 1TB }}\n"
            'include "accounts.conf"\n'
        )
        with subprocess.Popen(
            [find_binary(), "-c", config, "-l", "/dev/null"],
            preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
        ) as broker:
            try:
                house = House(amends)
                receipt = house.assigned()
                with Following(amends, "quality", "--json") as follower:
                    assert follower.event() == house.stored(receipt)[-1]
                house.http.close()
            finally:
                broker.terminate()
    finally:
        amends.end()


def test_codes_cannot_be_checked_while_the_broker_is_away(tmp_path):
    """Within two seconds or so: the customer is told to try again, not left waiting."""
    amends = RunningAmends(
        tmp_path / "alone", {"AMENDS_NATS_URL": "nats://127.0.0.1:9"}, forked=True
    )
    try:
        amends.start()
        began = time.monotonic()
        answer = httpx.post(
            f"{amends.url}/api/handling/cases/{UUID(int=1)}/commands/withdraw",
            headers={"Authorization": "Receipt 4837291500627714 CODE"},
            json={"reason": "no_longer_wanted"},
            timeout=30,
        )
        assert time.monotonic() - began < 10
    finally:
        amends.end()
    assert (answer.status_code, answer.json()["code"]) == (503, "handling.intake_away")

"""The child server: private, alone in its folder, found again, gone with its parent."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from services.kernel.broker import server as server_module
from services.kernel.broker.connection import (
    build_broker,
    connect_forever,
    stop_broker,
)
from services.kernel.broker.server import (
    NatsServer,
    NatsServerError,
    NatsUser,
    find_binary,
    new_seed,
    public_key,
)
from tests.support.nats import client_of, settled

pytestmark = pytest.mark.connected


async def until(condition, within=15.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  (another process, no event)
            await asyncio.sleep(0.01)


def test_secrets_are_for_the_owner_only(own_nats: NatsServer):
    modes = {
        name: stat.S_IMODE((own_nats.folder / name).stat().st_mode)
        for name in ("nats.conf", "services.nk", ".")
    }
    assert modes == {"nats.conf": 0o600, "services.nk": 0o600, ".": 0o700}
    assert own_nats.seed not in (own_nats.folder / "nats.conf").read_text()


def test_nobody_comes_in_without_a_key(own_nats: NatsServer):
    port = int(own_nats.url.rsplit(":", 1)[1])
    with (
        socket.create_connection(("127.0.0.1", port), 5) as wire,
        wire.makefile("rwb") as lines,
    ):
        assert b'"auth_required":true' in lines.readline()
        lines.write(b"CONNECT {}\r\nPING\r\n")
        lines.flush()
        assert b"Authorization Violation" in lines.readline()


def test_a_body_of_one_mebibyte_passes(own_nats: NatsServer):
    async def publish() -> int:
        async with client_of(own_nats) as client:
            js = client.jetstream()
            await js.add_stream(name="BIG", subjects=["big"])
            header = {"ce-subject": "x" * 1_000}
            ack = await js.publish("big", b"x" * 1024 * 1024, headers=header)
            return ack.seq

    assert asyncio.run(publish()) == 1


def test_port_and_key_survive_a_new_start(tmp_path: Path):
    addresses = []
    for _ in range(2):
        server = NatsServer(tmp_path)
        server.start()
        addresses.append((server.url, server.monitor_url, server.seed))
        assert server.stop() == 0
    assert addresses[0] == addresses[1]


def test_a_taken_port_is_replaced(own_nats: NatsServer, tmp_path: Path):
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "ports.json").write_text((own_nats.folder / "ports.json").read_text())
    second = NatsServer(folder)
    second.start()
    try:
        assert second.url != own_nats.url
    finally:
        second.stop()


def test_a_second_server_on_the_folder_is_refused(
    own_nats: NatsServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server_module, "_LOCK_SECONDS", 0.05)
    with pytest.raises(NatsServerError, match="Another nats-server"):
        NatsServer(own_nats.folder).start()
    assert own_nats.running


def test_only_the_main_thread_may_start_it(tmp_path: Path):
    caught: list[Exception] = []

    def start() -> None:
        try:
            NatsServer(tmp_path).start()
        except NatsServerError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def test_a_wrong_binary_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AMENDS_NATS_SERVER", str(tmp_path / "absent"))
    with pytest.raises(NatsServerError, match="AMENDS_NATS_SERVER"):
        find_binary()


def test_a_server_that_cannot_start_says_why(tmp_path: Path):
    server = NatsServer(tmp_path, max_file="nonsense")
    with pytest.raises(NatsServerError, match="ended"):
        server.start()
    better = NatsServer(tmp_path)
    better.start()  # the folder was released
    better.stop()


def test_it_comes_back_at_the_same_address_after_a_crash(own_nats: NatsServer):
    """Clients that were connected go on without being told."""

    async def crash_twice() -> int:
        supervisor = asyncio.create_task(own_nats.supervise())
        broker = build_broker(own_nats.url, name="t", seed=own_nats.seed)
        client = await connect_forever(broker)
        js = client.jetstream()
        await js.add_stream(name="KEPT", subjects=["kept"])
        await js.publish("kept", b"1")
        address = own_nats.url
        for restarts in (1, 2):
            own_nats.kill9()
            await until(
                lambda restarts=restarts: (
                    own_nats.restarts == restarts
                    and own_nats.running
                    and client.stats["reconnects"] >= restarts
                )
            )
        assert own_nats.url == address
        messages = (await js.stream_info("KEPT")).state.messages
        supervisor.cancel()
        with suppress(asyncio.CancelledError):
            await supervisor
        await stop_broker(broker)
        return messages

    assert asyncio.run(crash_twice()) == 1


def test_a_user_reaches_what_it_may_use_and_nothing_else(tmp_path: Path):
    seed, other = new_seed(), new_seed()
    users = (
        NatsUser("u", public_key(seed), uses=("allowed.>",)),
        NatsUser("silent", public_key(other)),
    )

    async def scenario(server: NatsServer) -> list[bytes]:
        heard: list[bytes] = []

        async def hear(message) -> None:
            heard.append(message.data)

        async with client_of(server) as services:
            await services.subscribe(">", cb=hear)
            await settled(services)
            for name, secret in (("u", seed), ("silent", other)):
                broker = build_broker(server.url, name=name, seed=secret)
                client = await broker.connect()
                for subject in ("forbidden.x", "allowed.x"):
                    await client.publish(subject, name.encode())
                await settled(client)
                await stop_broker(broker)
            await settled(services)
        return heard

    server = NatsServer(tmp_path, users=users)
    server.start()
    try:
        assert asyncio.run(scenario(server)) == [b"u"]
    finally:
        server.stop()


def test_an_answer_never_leaves_the_account_of_the_user_who_asked(tmp_path: Path):
    """In the services' own account, as the control, it is published where one likes."""
    seed = new_seed()
    user = NatsUser("u", public_key(seed), uses=("ask",))

    async def scenario(server: NatsServer) -> list[bytes]:
        forged: list[bytes] = []

        async def hear(message) -> None:
            forged.append(message.data)

        async def answer(message) -> None:
            await message.respond(message.data)

        async with client_of(server) as services:
            await services.subscribe("ask", cb=answer)
            await services.subscribe("events", cb=hear)
            await settled(services)
            broker = build_broker(server.url, name="u", seed=seed)
            client = await broker.connect()
            await client.publish("ask", b"user", reply="events")
            await settled(client)
            await services.publish("ask", b"control", reply="events")
            await until(lambda: forged)
            await settled(services)
            await stop_broker(broker)
        return forged

    server = NatsServer(tmp_path, users=[user])
    server.start()
    try:
        assert asyncio.run(scenario(server)) == [b"control"]
    finally:
        server.stop()


def test_it_dies_with_its_parent(tmp_path: Path):
    """Killed with -9, the parent can tell nobody; the kernel does."""
    program = (
        "import pathlib, sys, time\n"
        "from services.kernel.broker.server import NatsServer\n"
        f"server = NatsServer(pathlib.Path({str(tmp_path)!r}))\n"
        "server.start(); print(server.pid, flush=True); time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(child)
    successor = NatsServer(tmp_path)
    successor.start()  # the orphan's lock is gone with it
    assert successor.stop() == 0


def _alive(pid: int) -> bool:
    """Whether the process runs; one that nobody waited for has ended all the same."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_stopping_while_the_server_is_away_ends(own_nats: NatsServer):
    """`broker.stop()` raises then; Ctrl-C must not hang on it."""

    async def scenario() -> bool:
        broker = build_broker(own_nats.url, name="t", seed=own_nats.seed)
        client = await connect_forever(broker)
        own_nats.kill9()
        await until(lambda: client.is_reconnecting)
        async with asyncio.timeout(8):
            await stop_broker(broker)
        return client.is_closed

    assert asyncio.run(scenario())


def test_a_client_that_came_first_waits_for_the_server(tmp_path: Path):
    server = NatsServer(tmp_path)
    server.start()
    url, seed = server.url, server.seed
    server.stop()

    async def scenario() -> bool:
        broker = build_broker(url, name="t", seed=seed, reconnect_seconds=0.05)
        connecting = asyncio.create_task(connect_forever(broker))
        await asyncio.sleep(0.2)
        assert not connecting.done()
        server.start()
        client = await connecting
        connected = client.is_connected
        await stop_broker(broker)
        return connected

    try:
        assert asyncio.run(scenario())
    finally:
        server.stop()

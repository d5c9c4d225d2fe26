"""What a department's user tries against another department's on the broker.

Each attack is tried by the locked user `quality`, under every name that the broker's
interface could have for it; then, as the control, by a user with all rights in the
services' account, for whom it works. Without the control a misspelt attack would pass.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final, NamedTuple

import nats.errors

from events import subjects
from events.subjects import Stream
from services.kernel.broker.server import API_PREFIX
from tests.support.feeds import department_bus
from tests.support.nats import settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from services.bus import Feed
    from services.kernel.broker.server import NatsServer
    from tests.support.feeds import DepartmentBus

THEIRS: Final = subjects.dept_events("logistics")
SECRET: Final = b"of logistics"
PATIENCE: Final = 0.3
"""Seconds; what the server does not answer it has dropped by then."""


class Attempt(NamedTuple):
    bus: DepartmentBus
    client: Client
    """Of the attacker."""
    api: str
    """Under which name the attacker calls JetStream."""


async def asked(
    on: Attempt,
    name: str,
    body: bytes | Mapping[str, object] = b"",
    *,
    reads: bool = False,
) -> bool:
    """Ask JetStream; True when it did as asked, or gave the other one's event."""
    client = on.client
    subscription = await client.subscribe(client.new_inbox())
    document = body if isinstance(body, bytes) else json.dumps(body).encode()
    await client.publish(f"{on.api}.{name}", document, reply=subscription.subject)
    try:
        answer = await subscription.next_msg(timeout=PATIENCE)
    except nats.errors.TimeoutError:
        return False
    finally:
        await subscription.unsubscribe()
    if reads:
        return answer.data == SECRET
    return b'"error"' not in answer.data and bool(answer.data)


def consumer(**config: object) -> dict[str, object]:
    return {
        "stream_name": Stream.DEPARTMENTS,
        "config": {"ack_policy": "explicit", "deliver_policy": "all"} | config,
    }


async def create_a_consumer(on: Attempt) -> bool:
    name = f"CONSUMER.CREATE.DEPARTMENTS.thief.{THEIRS}"
    return await asked(on, name, consumer(name="thief", filter_subject=THEIRS))


async def create_one_the_old_way(on: Attempt) -> bool:
    name = "CONSUMER.DURABLE.CREATE.DEPARTMENTS.thief"
    body = consumer(durable_name="thief", filter_subjects=[THEIRS])
    return await asked(on, name, body)


async def change_the_own_durable(on: Attempt) -> bool:
    name = "CONSUMER.CREATE.DEPARTMENTS.dept_quality"
    body = consumer(durable_name="dept_quality", filter_subject=THEIRS)
    return await asked(on, name, body)


async def push_to_the_commands_of_others(on: Attempt) -> bool:
    """Have the server itself publish forged commands."""
    target = subjects.do("logistics", "investigate")
    heard = await on.bus.services.subscribe(target)
    await settled(on.bus.services)
    name = "CONSUMER.CREATE.DEPARTMENTS.forger"
    await asked(on, name, consumer(name="forger", deliver_subject=target))
    return await came(heard)


async def fetch_from_their_durable(on: Attempt) -> bool:
    name = "CONSUMER.MSG.NEXT.DEPARTMENTS.dept_logistics"
    return await asked(on, name, {"batch": 1, "no_wait": True}, reads=True)


async def get_a_message_by_number(on: Attempt) -> bool:
    return await asked(on, "STREAM.MSG.GET.DEPARTMENTS", {"seq": 1})


async def get_a_message_directly(on: Attempt) -> bool:
    name = f"STREAM.MSG.GET.DEPARTMENTS.{THEIRS}"
    return await asked(on, name) or await asked(
        on, "STREAM.MSG.GET.DEPARTMENTS", {"last_by_subj": THEIRS}
    )


async def ask_what_the_stream_holds(on: Attempt) -> bool:
    body = {"subjects_filter": ">"}
    return await asked(on, "STREAM.INFO.DEPARTMENTS", body)


async def purge_the_stream(on: Attempt) -> bool:
    await asked(on, "STREAM.PURGE.DEPARTMENTS", {})
    return await on.bus.count(Stream.DEPARTMENTS) == 0


async def listen_to_their_answers(on: Attempt) -> bool:
    inboxes = (f"{on.bus.logistics.feed.user.inbox_prefix}.>", "_INBOX.>", ">")
    ears = [await on.client.subscribe(inbox) for inbox in inboxes]
    await settled(on.client)
    fetching = await on.bus.logistics.subscription()
    await fetching.fetch(1, timeout=1)
    await on.bus.services.request("$JS.API.INFO")  # and those of the services
    return any([await came(ear) for ear in ears])


async def discard_what_they_have_in_hand(on: Attempt) -> bool:
    (message,) = await (await on.bus.logistics.subscription()).fetch(1, timeout=1)
    await on.client.publish(message.reply, b"+TERM")
    await settled(on.client)
    await asyncio.sleep(PATIENCE)
    known = await on.bus.logistics.js.consumer_info("DEPARTMENTS", "dept_logistics")
    pending: int | None = known.num_ack_pending
    return pending == 0


async def publish_events(on: Attempt) -> bool:
    wanted = {
        Stream.CASES: "amends.case.0.ComplaintClosed",
        Stream.DEPARTMENTS: subjects.dept_event("logistics", "ComplaintClosed"),
        Stream.INTAKE: subjects.intake_event("web"),
        Stream.SUBMIT: subjects.submit("web"),
    }
    before = {stream: await on.bus.count(stream) for stream in wanted}
    for subject in wanted.values():
        await on.client.publish(subject, b"{}")
    await settled(on.client)
    await asyncio.sleep(PATIENCE)
    return any([await on.bus.count(stream) > before[stream] for stream in wanted])


async def command_for_another_department(on: Attempt) -> bool:
    heard = await on.bus.services.subscribe(subjects.commands_of("logistics"))
    await settled(on.bus.services)
    await on.client.publish(subjects.do("logistics", "sign-for"), b"{}")
    await settled(on.client)
    return await came(heard)


async def have_the_server_publish_into_a_stream(on: Attempt) -> bool:
    """Name any subject for the answer to a fetch; allow-lists do not look at that."""
    await on.client.publish(
        f"{on.api}.CONSUMER.MSG.NEXT.DEPARTMENTS.dept_quality",
        b'{"batch":2,"no_wait":true}',
        reply="amends.case.0.ComplaintClosed",
    )
    await settled(on.client)
    await asyncio.sleep(PATIENCE)
    return await on.bus.count(Stream.CASES) > 0


async def have_handling_publish_into_a_stream(on: Attempt) -> bool:
    """As may a command, which handling answers."""

    async def answer(message: Msg) -> None:
        await message.respond(b"{}")

    await on.bus.services.subscribe(subjects.commands_of("quality"), cb=answer)
    await settled(on.bus.services)
    await on.client.publish(
        subjects.do("quality", "sign-for"), b"", reply="amends.case.0.ComplaintClosed"
    )
    await settled(on.client)
    await asyncio.sleep(PATIENCE)
    return await on.bus.count(Stream.CASES) > 0


async def have_handling_command_for_another(on: Attempt) -> bool:
    """Have the answer to one's own command be a command of somebody else."""

    async def answer(message: Msg) -> None:
        await message.respond(b"{}")

    await on.bus.services.subscribe(subjects.commands_of("quality"), cb=answer)
    heard = await on.bus.services.subscribe(subjects.commands_of("logistics"))
    await settled(on.bus.services)
    reply = subjects.do("logistics", "sign-for")
    await on.client.publish(subjects.do("quality", "sign-for"), b"", reply=reply)
    await settled(on.client)
    return await came(heard)


async def came(subscription: Subscription) -> bool:
    try:
        await subscription.next_msg(timeout=PATIENCE)
    except nats.errors.TimeoutError:
        return False
    return True


ATTACKS = (
    create_a_consumer,
    create_one_the_old_way,
    change_the_own_durable,
    push_to_the_commands_of_others,
    fetch_from_their_durable,
    get_a_message_by_number,
    get_a_message_directly,
    ask_what_the_stream_holds,
    purge_the_stream,
    listen_to_their_answers,
    discard_what_they_have_in_hand,
    publish_events,
    command_for_another_department,
    have_the_server_publish_into_a_stream,
    have_handling_publish_into_a_stream,
    have_handling_command_for_another,
)


async def filled(bus: DepartmentBus) -> None:
    js = bus.services.jetstream()
    await js.publish(subjects.dept_event("logistics", "ComplaintClosed"), SECRET)
    await js.publish(subjects.dept_event("quality", "ComplaintClosed"), b"of quality")


async def tried(
    attack: Callable[[Attempt], Awaitable[bool]],
    server: NatsServer,
    feeds: dict[str, Feed],
) -> dict[str, bool]:
    """Try one attack by each name of the interface, and as its control; True: it works."""
    done: dict[str, bool] = {}
    for prefix in ("$JS.API", API_PREFIX):
        async with department_bus(server, feeds) as bus:
            await filled(bus)
            done[prefix] = await attack(Attempt(bus, bus.quality.client, prefix))
    async with department_bus(server, feeds) as bus:
        await filled(bus)
        done["control"] = await attack(Attempt(bus, bus.services, "$JS.API"))
    return done

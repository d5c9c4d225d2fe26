"""Complaints and commands as they come in from outside, whoever is down inside."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import httpx
import nats
import nats.errors

from events.subjects import FEED_RESTARTED
from services.kernel.tasks import end
from tests.faults.sets import Tried
from tests.support.house import ACCEPT

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from tests.faults.system import System

DEPARTMENT: Final = "quality"
CHANNEL: Final = "counter"
ANSWER: Final = 5.0
"""Seconds to wait for one answer."""
PATIENCE: Final = 30.0
"""Seconds after which a sender gives a complaint up: nobody knows about it then."""
IMPATIENT: Final = 10
"""One sender in so many never asks again."""
WORKED_ON: Final = 4
"""One complaint in so many is accepted and signed for."""
RECEIPT: Final = ("receipt_no", "access_code", "case_id")
PAUSE: Final = 0.3
UNAVAILABLE: Final = 503
AT_ONCE: Final = 100


@dataclass(slots=True)
class Attempt:
    """One complaint, sent until it is answered or given up."""

    writer: str
    number: int
    key: str
    due: float
    impatient: bool = False
    sent: int = 0
    answered: float | None = None
    receipt: dict[str, Any] | None = None
    refusal: str | None = None

    def answer(self, status: int, told: dict[str, Any]) -> bool:
        """Keep an answer; False where it says neither yes nor no."""
        if status in {200, 201}:
            self.receipt = {name: told[name] for name in RECEIPT}
            self.answered = time.monotonic()
        elif status < 500 and status != 429:
            self.refusal, self.answered = (
                f"{status} {told.get('code')}",
                time.monotonic(),
            )
        return self.answered is not None


@dataclass
class Load:
    """Complaints at a steady pace over HTTP and the bus, and work on some of them.

    Open: each is sent when its time has come, however the others fare. The same key
    goes with it until it is answered.
    """

    system: System
    chance: random.Random
    attempts: list[Attempt] = field(default_factory=list)
    commands: dict[str, int] = field(default_factory=dict)
    """The version to which the last command that was answered brought a case."""
    answers: Counter[str] = field(default_factory=Counter)
    """What was answered over HTTP, by status and code."""
    feed: Counter[str] = field(default_factory=Counter)
    """Events that the department's program was given, by id, and how often."""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Let the channel, the clerk and the department in."""
        system = self.system
        self._http = httpx.AsyncClient(
            timeout=ANSWER,
            trust_env=False,
            limits=httpx.Limits(max_connections=512, keepalive_expiry=1),
        )
        made = await system.post(
            "handling",
            "/api/handling/tokens",
            {"role": "agent", "department": "front-office"},
        )
        self._clerk = {"Authorization": f"Bearer {made.json()['token']}"}
        path = f"/api/intake/channels/{CHANNEL}/credentials"
        self._entrance = (await system.post("intake", path)).json()
        path = f"/api/handling/departments/{DEPARTMENT}/credentials"
        self._access = (await system.post("handling", path)).json()
        self._counter = await _connected(self._entrance)
        self._department = await _connected(self._access)
        self._running: set[asyncio.Task[None]] = set()
        follower = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            await end(follower)
            for task in [*self._running]:
                await end(task)
            await self._http.aclose()
            for client in (self._counter, self._department):
                await client.close()

    async def offer(self, rate: float, seconds: float) -> None:
        """Hand in `rate` complaints a second for so long; each goes its own way."""
        begun, already = time.monotonic(), len(self.attempts)
        for place in range(round(rate * seconds)):
            due = begun + place / rate
            await asyncio.sleep(max(0, due - time.monotonic()))
            self._start(self._hand_in(self._attempt(already + place, due)))

    async def thrice(self, count: int, *, at_once: int) -> int:
        """Hand in `count` complaints, each twice in the same moment and once more later.

        Commands are given twice. Tells how many answers differed from the first.
        """
        differing = 0

        async def one(number: int) -> None:
            nonlocal differing
            async with free:
                first = self._attempt(number, time.monotonic())
                first.impatient = False
                again = [replace(first), replace(first)]
                await asyncio.gather(
                    self._sent(first, patience=PATIENCE),
                    self._sent(again[0], patience=PATIENCE),
                )
                await asyncio.sleep(PAUSE)
                await self._sent(again[1], patience=PATIENCE)
                differing += any(each.receipt != first.receipt for each in again)
                if first.receipt is not None and number % WORKED_ON == 0:
                    for _ in range(2):
                        await self._work_on(first.receipt["case_id"])

        free = asyncio.Semaphore(at_once)
        await asyncio.gather(*(one(number) for number in range(count)))
        return differing

    async def settled(self) -> None:
        """Wait until each complaint is answered or given up, and each command done."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def asked_again(self) -> dict[str, Tried]:
        """Say by case what was tried; what nobody knows of is asked for by its key.

        Read what the services have before: what is asked for now is made now.
        """
        acked = {id(each) for each in self.acked}
        open_ones = [each for each in self.attempts if each.answered is None]
        for place in range(0, len(open_ones), AT_ONCE):
            now = time.monotonic()
            for each in open_ones[place : place + AT_ONCE]:
                each.due = now
                self._start(self._sent(each, patience=PATIENCE))
            await self.settled()
        return {
            each.receipt["case_id"]: Tried(each.writer, each.number, id(each) in acked)
            for each in self.attempts
            if each.receipt is not None
        }

    @property
    def acked(self) -> list[Attempt]:
        return [each for each in self.attempts if each.receipt is not None]

    @property
    def refused(self) -> list[Attempt]:
        return [each for each in self.attempts if each.refusal is not None]

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _attempt(self, number: int, due: float) -> Attempt:
        key = str(UUID(int=self.chance.getrandbits(128), version=4))
        writer = self.chance.choice(("web", "web", CHANNEL))
        impatient = self.chance.randrange(IMPATIENT) == 0
        attempt = Attempt(writer, number, key, due, impatient)
        self.attempts.append(attempt)
        return attempt

    async def _hand_in(self, attempt: Attempt) -> None:
        await self._sent(attempt, patience=0 if attempt.impatient else PATIENCE)
        if attempt.receipt is not None and attempt.number % WORKED_ON == 0:
            await self._work_on(attempt.receipt["case_id"])

    async def _sent(self, attempt: Attempt, *, patience: float) -> None:
        by_bus = attempt.writer == CHANNEL
        while not await (self._by_bus(attempt) if by_bus else self._by_http(attempt)):
            if time.monotonic() - attempt.due >= patience:
                return
            await asyncio.sleep(PAUSE)

    async def _by_http(self, attempt: Attempt) -> bool:
        doors = self.system.urls("intake")
        door = doors[(attempt.number + attempt.sent) % len(doors)]
        attempt.sent += 1
        try:
            answer = await self._http.post(
                f"{door}/api/intake/complaints",
                json=complaint("web", attempt.number),
                headers={"Idempotency-Key": attempt.key},
            )
        except httpx.TransportError:
            self.answers["none"] += 1
            return False
        told = answer.json()
        self.answers[f"{answer.status_code} {told.get('code', '')}".rstrip()] += 1
        if answer.status_code == UNAVAILABLE and "Retry-After" not in answer.headers:
            self.answers["no Retry-After"] += 1
        return attempt.answer(answer.status_code, told)

    async def _by_bus(self, attempt: Attempt) -> bool:
        attempt.sent += 1
        try:
            answer = await self._counter.request(
                self._entrance["ask"],
                json.dumps(complaint(CHANNEL, attempt.number)).encode(),
                timeout=ANSWER,
                headers={"Idempotency-Key": attempt.key},
            )
        except (nats.errors.Error, OSError):
            return False
        told = json.loads(answer.data)
        return attempt.answer(told["status"], told)

    async def _work_on(self, case: str) -> None:
        """Accept the case over HTTP, then have its department sign for it by the bus."""
        path = f"/api/handling/cases/{case}/commands/accept"
        key = {"Idempotency-Key": f"accept {case}"}
        ends = time.monotonic() + PATIENCE
        for door in itertools.cycle(self.system.urls("handling")):
            if time.monotonic() > ends:
                return
            with contextlib.suppress(httpx.TransportError):
                answer = await self._http.post(
                    door + path,
                    json=ACCEPT,
                    headers=key | self._clerk,
                )
                if answer.is_success:
                    self.commands[case] = answer.json()["version"]
                    break
            await asyncio.sleep(PAUSE)  # handling is down, or does not know it yet
        command = {"case_id": case, "idempotency_key": f"sign {case}"}
        while time.monotonic() < ends:
            with contextlib.suppress(nats.errors.Error, OSError):
                reply = await self._department.request(
                    f"amends.ask.do.{DEPARTMENT}.sign-for",
                    json.dumps(command).encode(),
                    timeout=ANSWER,
                )
                told = json.loads(reply.data)
                if told["status"] == 200:
                    self.commands[case] = told["version"]
                    return
            await asyncio.sleep(PAUSE)

    async def _follow(self) -> None:
        """Keep what the department's durable gives, as its own program would."""
        access = self._access
        stream = self._department.jetstream(prefix=access["api_prefix"])
        while True:
            try:
                feed = await stream.pull_subscribe_bind(
                    durable=access["durable"],
                    stream=access["stream"],
                    inbox_prefix=f"{access['inbox_prefix']}.".encode(),
                )
                while True:
                    with contextlib.suppress(TimeoutError):
                        for message in await feed.fetch(100, timeout=1):
                            headers = message.headers or {}
                            if headers["ce-type"] != FEED_RESTARTED:
                                self.feed[headers["ce-id"]] += 1
                            await message.ack()
            except (nats.errors.Error, OSError):
                await asyncio.sleep(PAUSE)


def complaint(channel: str, number: int) -> dict[str, Any]:
    """Make the `number`-th complaint: the same one each time, all of it invented."""
    return {
        "channel": channel,
        "statement": f"Number {number}: the kettle leaks. 水壶漏水。" * 8,
        "contact": {"name": f"Customer {number}", "email": f"c{number}@example.org"},
        "order_no": f"A-{number}",
        "category": "product/noise",
    }


async def _connected(access: dict[str, str]) -> Client:
    async def quiet(_: Exception) -> None:
        """Say nothing of the outages that are made here."""

    return await nats.connect(
        access["nats_url"],
        nkeys_seed_str=access["seed"],
        inbox_prefix=access["inbox_prefix"],
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
        error_cb=quiet,
    )

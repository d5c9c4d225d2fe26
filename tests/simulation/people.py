"""People who complain and people who handle it; each asks until there is an answer."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from services.handling.application.commanding import Asked, Done
from services.handling.domain.decisions import available
from services.kernel.access import ANONYMOUS
from services.kernel.errors import AmendsError, UnavailableError
from tests.support.case_graph import ACTORS, ASIDE
from tests.support.given import DEFAULT_POLICY
from tests.support.minimal_commands import minimal_commands

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from events.envelope import Actor
    from services.handling.domain.case import Case
    from services.intake.application.registering import Receipt
    from tests.simulation.world import World

PAUSE: Final = 0.3


class AwayError(Exception):
    """No answer: it may be done or not."""


class People:
    """Whoever is outside; what they hold is what amends must keep."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance

    def all(self) -> list[Coroutine[Any, Any, None]]:
        draw = self._chance
        complaints = draw.randint(2, 6)
        staff = draw.randint(1, 3)
        return [self._complain(n) for n in range(complaints)] + [
            self._handle(complaints * 5 // staff) for _ in range(staff)
        ]

    async def _wait(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, PAUSE))

    # -------------------------------------------------------------------- complaining

    async def _complain(self, number: int) -> None:
        """Hand one complaint in, perhaps twice at once, perhaps again later."""
        await asyncio.sleep(self._chance.uniform(0, 3))
        key = str(UUID(int=self._chance.getrandbits(128), version=4))
        document = {
            "channel": "web",
            "statement": f"The kettle {number} leaks.",
            "desired_outcome": "My money back.",
            "contact": {"email": f"c{self._chance.randint(1, 4)}@example.org"},
        }
        at_once = 2 if self._chance.random() < 0.3 else 1
        await asyncio.gather(*(self._handed_in(document, key) for _ in range(at_once)))
        if self._chance.random() < 0.3:
            await asyncio.sleep(self._chance.uniform(0, 5))
            await self._handed_in(document, key)

    async def _handed_in(self, document: Any, key: str) -> None:
        async def work(service: Any) -> Receipt:
            receipt: Receipt = await service.intake.submit(
                document, key=key, caller=ANONYMOUS, correlation_id="sim"
            )
            return receipt

        self._world.watch.offered(key)
        self._world.watch.receipt(key, await self._asked("intake", work))

    async def _asked(self, name: str, work: Any) -> Any:
        while True:
            try:
                return await self._world.ask(name, work)
            except (AwayError, UnavailableError):
                await self._wait()

    # ----------------------------------------------------------------------- handling

    async def _handle(self, commands: int) -> None:
        await asyncio.sleep(1)
        for _ in range(commands):
            await self._wait()
            cases = self._world.watch.cases
            if cases:
                await self._act(self._chance.choice(list(cases.values())))

    async def _act(self, case: Case) -> None:
        now = self._world.now("handling")
        actors = list(ACTORS)
        self._chance.shuffle(actors)
        for actor in actors:
            offers = available(case, actor, DEFAULT_POLICY, now)
            moving = [name for name in offers if name not in ASIDE]
            if moving and (self._chance.random() < 0.9 or len(offers) == len(moving)):
                offers = tuple(moving)
            if offers:
                name = self._chance.choice(offers)
                await self._command(case, actor, name)
                return

    async def _command(self, case: Case, actor: Actor, name: str) -> None:
        command = minimal_commands(case, DEFAULT_POLICY, self._world.now("handling"))
        given = command[name].model_dump(mode="json", exclude_unset=True)
        asked = Asked(
            case_id=case.id,
            name=name,
            payload=_worded(given),
            actor=actor,
            correlation_id="sim",
            key=f"{self._chance.getrandbits(64):x}",
            expected_version=case.version if self._chance.random() < 0.3 else None,
        )

        async def work(service: Any) -> Done:
            service.commanding.check(asked)
            done: Done = await service.writer.call(service.commanding.carry_out, asked)
            return done

        for _ in range(2 if self._chance.random() < 0.2 else 1):
            try:
                done = await self._asked("handling", work)
            except AmendsError as refused:
                self._world.note(f"refused {name} {refused.code}")
            else:
                self._world.watch.done(asked, asdict(done))


def _worded(given: Any) -> Any:
    """Give a command's payload with words where the command has documents."""
    if isinstance(given, dict):
        if "document_id" in given:
            return {"text": "Words.", "kind": given["kind"]}
        return {name: _worded(value) for name, value in given.items()}
    if isinstance(given, list):
        return [_worded(each) for each in given]
    return given

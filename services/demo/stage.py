"""The services, put together without a bus: what happens is handed on by hand.

Everything goes through the same use cases as in a running installation; only the roads
between the services are walked here, in one thread, so that a day takes milliseconds.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from events import subjects
from services.building import SERVICES, Site, built
from services.bus import Bus, read_event
from services.handling.application.commanding import Asked
from services.handling.main import HandlingService, default_policy
from services.handling.ports import QueueFilter
from services.kernel.access import Credential, new_token
from services.kernel.broker.headers import COMMITTED_AT, POSITION
from services.kernel.logs import new_correlation_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from events.envelope import Actor
    from services.analytics.main import AnalyticsService
    from services.demo.pace import StoryClock
    from services.demo.story import Colleague
    from services.handling.application.commanding import Done
    from services.handling.domain.policy import Policy
    from services.intake.application.registering import Receipt
    from services.intake.main import IntakeService
    from services.kernel.admission import Admission
    from services.kernel.folder import DataFolder
    from services.kernel.inbox import Arrived
    from services.kernel.settings import Settings
    from services.kernel.store.recorder import LogEntry

_NOWHERE: Final = "http://127.0.0.1:9"
"""Where the services would ask each other over HTTP; nobody does here."""
_PAGE: Final = 2_000


async def _never(_client: object) -> None:
    """Prepare nothing: nobody connects."""


_NO_BUS: Final = Bus("nats://127.0.0.1:9", None, None, (), (), _never)


@dataclass(slots=True)
class Stage:
    """The three services and who may come in, all by the story's clock."""

    clock: StoryClock
    policy: Policy
    admission: Admission
    intake: IntakeService
    handling: HandlingService
    analytics: AnalyticsService
    token: str = field(repr=False)
    """The operator's."""
    _taken_over: int = 0
    _followed: int = 0

    async def let_in(
        self, people: Iterable[Colleague], password: str
    ) -> dict[str, Actor]:
        """Add the colleagues, all with one password; give who they are by login."""
        from events.envelope import Actor  # noqa: PLC0415

        hashed = await self.admission.passwords.hashed(password)
        actors = {}
        for each in people:
            user = self.admission.users.add(
                by="operator",
                login=each.login,
                name=each.name,
                role=each.role,
                department=each.department,
                hashed=hashed,
            )
            actors[each.login] = Actor(
                id=user.actor, role=each.role, department=each.department
            )
        return actors

    def register(
        self, given: Sequence[tuple[dict[str, Any], str, Credential]]
    ) -> list[Receipt]:
        """Hand complaints in, each with its key and who does so; then take them over."""
        requests = [
            self.intake.intake.prepare(
                document, key=key, caller=caller, correlation_id=new_correlation_id()
            )
            for document, key, caller in given
        ]
        receipts = self.intake.registrar.register(requests)
        for each in receipts:
            if isinstance(each, Exception):
                raise each
        for entries in self._pages(self.intake, self._taken_over):
            self._taken_over = entries[-1].position
            self.handling.following.take_at_once([_arrived(each) for each in entries])
        return cast("list[Receipt]", receipts)

    def carry_out(self, asked: Sequence[Asked]) -> list[Done | Exception]:
        """Give commands, each checked at the edge as those that come over HTTP."""
        for each in asked:
            self.handling.commanding.check(each)
        return self.handling.commanding.carry_out(asked)

    def follow(self) -> None:
        """Tell intake and analytics what was done to cases."""
        for entries in self._pages(self.handling, self._followed):
            self._followed = entries[-1].position
            arrived = [_arrived(each) for each in entries]
            self.intake.following.take_at_once(arrived)
            self.analytics.following.take_at_once(arrived)

    def open_cases(self, department: str) -> int:
        """Count what the queue of a department lists."""
        return self.handling.count(QueueFilter(department=department, unended=True))

    @staticmethod
    def _pages(
        service: IntakeService | HandlingService, after: int
    ) -> Iterable[list[LogEntry]]:
        while entries := service.recorded(after, _PAGE):
            yield entries
            after = entries[-1].position


@contextlib.asynccontextmanager
async def staged(
    settings: Settings, folder: DataFolder, clock: StoryClock
) -> AsyncIterator[Stage]:
    """Put the services together over an empty folder; close them at the end."""
    policy = default_policy()
    site = Site(
        settings=settings,
        folder=folder,
        bus=_NO_BUS,
        policy=policy,
        addresses=dict.fromkeys(SERVICES, _NOWHERE),
        token=new_token(),
        clock=clock,
    )
    services = await built(site, {name: _NO_BUS.connection(name) for name in SERVICES})
    admission, intake, handling, analytics = services
    try:
        yield Stage(
            clock,
            policy,
            cast("Admission", admission),
            cast("IntakeService", intake),
            cast("HandlingService", handling),
            cast("AnalyticsService", analytics),
            site.token,
        )
    finally:
        for service in reversed(services):
            await service.stop()


def asked(case_id: Any, command: str, payload: dict[str, Any], actor: Actor) -> Asked:
    """Put a command together as the edge does for who signed in."""
    return Asked(
        case_id=case_id,
        name=command,
        payload=payload,
        actor=actor,
        correlation_id=new_correlation_id(),
    )


def _arrived(entry: LogEntry) -> Arrived:
    """Give a line of a record as if it had come on the bus."""
    headers = {
        POSITION: str(entry.position),
        COMMITTED_AT: str(entry.committed_at),
        subjects.CASE_ID: str(entry.case_id),
        subjects.CASE_VERSION: str(entry.version),
    }
    return replace(read_event(entry.body, headers), headers=headers)

"""Two years, part of a day after part of a day: what comes in, and what is done."""

from __future__ import annotations

import datetime as dt
import heapq
import random
import zoneinfo
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from services.demo.arrivals import arrivals
from services.demo.course import Course, Step
from services.demo.customers import Customers
from services.demo.house import House
from services.demo.stage import asked
from services.kernel.access import Credential

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from events.envelope import Actor
    from services.demo.stage import Stage
    from services.demo.story import Story

_PARTS_OF_A_DAY: Final = (9, 11, 13, 15, 17, 19, 24)
"""Hours at which what gathered is done: in one transaction for each service."""
_BY_THEMSELVES: Final = frozenset({"web", "email", "chat", "social"})
"""Channels whose system hands in; all else is written down by the front office."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Told:
    """What came of it."""

    complaints: int = 0
    commands: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    returned: Counter[str | None] = field(default_factory=Counter)
    """How often each department gave a case back."""
    courses: dict[UUID, Course] = field(default_factory=dict)


class Simulation:
    """Plays a story on a stage, from `start` until an instant that is past."""

    def __init__(
        self,
        story: Story,
        stage: Stage,
        actors: Mapping[str, Actor],
        *,
        seed: int,
        start: dt.datetime,
        until: dt.datetime,
        cases: int,
    ) -> None:
        self._story, self._stage, self._seed = story, stage, seed
        self._start, self._until = start, until
        self._house = House(story, stage.policy, actors)
        self._customers = Customers(story, self._chance("customers"), cases)
        self._arrivals = arrivals(
            story, self._chance("arrivals"), start=start, until=until, cases=cases
        )
        self._steps: list[tuple[dt.datetime, int, UUID, Step]] = []
        self._serial = 0
        self._told = Told()

    @property
    def expected(self) -> int:
        return len(self._arrivals)

    def run(self, report: Callable[[int, dt.datetime], None]) -> Told:
        """Play it; `report` hears how many complaints came in, and until when."""
        coming = iter(enumerate(self._arrivals))
        following = next(coming, None)
        for begins, ends in self._parts():
            self._do(begins, ends)
            due = []
            while following is not None and following[1].at < ends:
                due.append(following)
                following = next(coming, None)
            self._receive(due, ends)
            if ends.astimezone(self._zone).hour == 0:
                self._stage.follow()
                report(self._told.complaints, ends)
        self._stage.follow()
        return self._told

    @property
    def _zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self._story.time_zone)

    def _chance(self, of: str) -> random.Random:
        return random.Random(f"{self._seed}/{of}")  # noqa: S311 - no secret

    def _parts(self) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        begins = self._start
        day = begins.astimezone(self._zone).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        while begins < self._until:
            for hour in _PARTS_OF_A_DAY:
                local = day + dt.timedelta(hours=hour)
                ends = min(local.astimezone(dt.UTC), self._until)
                if ends > begins:
                    yield begins, ends
                    begins = ends
            day += dt.timedelta(days=1)

    def _receive(self, due: list, ends: dt.datetime) -> None:  # type: ignore[type-arg]
        """Have complaints registered that came in since the last time."""
        if not due:
            return
        self._stage.clock.move(ends)
        given, courses = [], []
        for number, arrival in due:
            chance = self._chance(f"case {number}")
            customer = self._customers.draw(arrival.channel)
            course = Course(arrival, customer, self._house, chance)
            courses.append(course)
            given.append((course.submission(), f"demo-{number}", self._caller(course)))
        for course, receipt in zip(courses, self._stage.register(given), strict=True):
            course.receipt_no = receipt.receipt_no
            self._told.courses[receipt.case_id] = course
            self._told.complaints += 1
            self._plan(receipt.case_id, course.after("RECEIVED", ends))

    def _caller(self, course: Course) -> Credential:
        channel = course.arrival.channel
        if channel in _BY_THEMSELVES:
            return Credential(actor=f"bus.{channel}", role="channel", channel=channel)
        agent = course.agent
        return Credential(actor=agent.id, role=agent.role, department=agent.department)

    def _do(self, begins: dt.datetime, ends: dt.datetime) -> None:
        """Give all commands that are due, in one batch, in the order of their time."""
        due = []
        while self._steps and self._steps[0][0] < ends:
            due.append(heapq.heappop(self._steps))
        if not due:
            return
        self._stage.clock.move(begins)
        self._stage.clock.spread(ends, 2 * len(due))
        wanted = [
            asked(case_id, step.command, dict(step.payload), step.actor)
            for _, _, case_id, step in due
        ]
        for (at, _, case_id, step), done in zip(
            due, self._stage.carry_out(wanted), strict=True
        ):
            self._told.commands += 1
            if isinstance(done, Exception):
                code = getattr(done, "code", type(done).__name__)
                self._told.refused[f"{step.command}: {code}"] += 1
                _log.warning("demo.refused", command=step.command, code=code)
                continue
            self._told.returned[step.actor.department] += step.command == "return"
            course = self._told.courses[case_id]
            self._plan(case_id, course.after(done.state, max(at, begins)))

    def _plan(self, case_id: UUID, step: Step | None) -> None:
        if step is not None and step.due < self._until:
            self._serial += 1
            heapq.heappush(self._steps, (step.due, self._serial, case_id, step))

"""What must be true after every step, read from the stores and the streams themselves."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from events import codec
from events.catalogue import EVENTS, Audience, ComplaintReceived
from events.subjects import Stream
from services.analytics.application.recording import record
from services.analytics.domain.versions import Entry
from services.analytics.ports import Known
from services.handling.domain.clocks import next_due, next_dues
from services.handling.domain.decisions.rules import OPEN
from services.handling.domain.evolution import evolve
from services.intake.domain.standing import advance
from services.kernel.broker.headers import POSITION
from tests.simulation.house import TIMING
from tests.support.case_graph import check_transition
from tests.support.promises import PROMISES, hands

if TYPE_CHECKING:
    from uuid import UUID

    from events.envelope import Envelope
    from services.handling.domain.case import Case
    from tests.simulation.world import World

ENTRIES: Final = 1_000


class Watch:
    """Looks at what was committed and published; the first thing wrong ends a run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: list[str] = []
        self.cases: dict[UUID, Case] = {}
        self.histories: dict[UUID, list[Envelope[Any]]] = defaultdict(list)
        self._logs: dict[str, dict[int, Any]] = {"intake": {}, "handling": {}}
        self._received: dict[UUID, Envelope[Any]] = {}
        self._numbers: set[str] = set()
        self._offered: set[str] = set()
        self._receipts: dict[str, tuple[UUID, str, str]] = {}
        self._commands: dict[str, dict[str, Any]] = {}
        self._streams: dict[Stream, tuple[int, tuple[int, str]]] = {}

    @property
    def events(self) -> int:
        return sum(len(log) for log in self._logs.values())

    def violation(self, what: str) -> None:
        self.violations.append(f"seed {self._world.seed}: {what}")

    # ----------------------------------------------------------------- what people hold

    def offered(self, key: str) -> None:
        self._offered.add(key)

    def receipt(self, key: str, receipt: Any) -> None:
        told = receipt.case_id, receipt.receipt_no, receipt.access_code
        if receipt.case_id not in self._received:
            self.violation(f"a receipt for a complaint that is not stored: {key}")
        if self._receipts.setdefault(key, told) != told:
            self.violation(f"another answer for the same complaint: {key}")
        self._world.note(f"receipt {receipt.receipt_no}")

    def done(self, asked: Any, done: dict[str, Any]) -> None:
        del done["repeated"]
        if self._commands.setdefault(asked.key, done) != done:
            self.violation(f"another answer for the same command: {asked.name}")
        made = len(done["events"])
        history = self.histories[asked.case_id]
        types = [each.type for each in history[: done["version"]]]
        if made and tuple(types[-made:]) != tuple(done["events"]):
            self.violation(f"an answer of what is not stored: {asked.name}")

    # ------------------------------------------------------------------ after each step

    def started(self, service: Any) -> None:
        """Look at what a service finds when it starts: all that was committed."""
        if service.store is None:
            return
        log = self._logs[service.name]
        kept = {each.position for each in service.store.log(0, ENTRIES)}
        if missing := log.keys() - kept:
            self.violation(f"{service.name} lost {len(missing)} events")

    def look(self) -> None:
        for name in self._logs:
            if (service := self._world.services.get(name)) is not None:
                self._look_at_log(name, service)
        for stream in (Stream.INTAKE, Stream.CASES, Stream.DEPARTMENTS):
            self._look_at_stream(stream)

    def _look_at_log(self, name: str, service: Any) -> None:
        log = self._logs[name]
        last = len(log)
        new = service.store.log(last, ENTRIES)
        changed = set()
        for entry in new:
            if entry.position != last + 1:
                self.violation(f"{name} has no position {last + 1}")
            if last and entry.committed_at < log[last].committed_at:
                self.violation(f"{name} knew {entry.position} before {last}")
            last = entry.position
            log[last] = entry
            event = codec.decode(entry.body)
            self._world.note(f"{name} {last} {event.type} {event.version}")
            if name == "intake":
                self._receive(event)
            else:
                changed.add(event.case_id)
                self._happen(event, entry.body)
        if changed:
            self._compare_work_list(service, changed)

    def _receive(self, event: Envelope[Any]) -> None:
        if not isinstance(event.data, ComplaintReceived):
            self.violation(f"intake's log holds {event.type}")
        elif event.case_id in self._received:
            self.violation("a complaint became two cases")
        elif event.data.receipt_no in self._numbers:
            self.violation("two complaints have one receipt number")
        else:
            self._received[event.case_id] = event
            self._numbers.add(event.data.receipt_no)

    def _happen(self, event: Envelope[Any], body: bytes) -> None:
        history = self.histories[event.case_id]
        if event.version != len(history) + 1:
            self.violation(f"version {event.version} comes behind {len(history)}")
            return
        before = self.cases.get(event.case_id)
        after = evolve(before, event)
        try:
            if before is None:
                received = self._received[event.case_id]
                assert codec.encode(received) == body, "another first event"
            else:
                check_transition(before.state, event.data, after.state)
                for promise in PROMISES:
                    promise(history, event)
            owed = next_due(after, TIMING) is not None
            assert owed == (after.state in OPEN), "an open case owes nothing"
        except (AssertionError, KeyError) as error:
            self.violation(f"{event.type} is not legal: {error!r}")
        history.append(event)
        self.cases[event.case_id] = after

    def _compare_work_list(self, service: Any, changed: set[UUID]) -> None:
        """Compare rows with the fold of the log, in the step that wrote both."""
        with service.store.database.read() as tx:
            for case_id in changed:
                row = tx.fetchone(
                    "SELECT version, state, next_clock FROM work_list WHERE case_id = ?",
                    (case_id,),
                )
                case = self.cases[case_id]
                due = next_dues(case, TIMING)[0]
                if row != (case.version, case.state, due and due.clock):
                    self.violation(f"the work list has {row} for {case.state}")

    def _look_at_stream(self, stream: Stream) -> None:
        found = self._world.bus.streams[stream]
        seen, tail = self._streams.get(stream, (0, (0, "")))
        for number in range(seen + 1, found.last + 1):
            message = found.messages[number]
            position = int(message.headers[POSITION])
            suffix = message.headers["Nats-Msg-Id"].split(":")[2:]
            place = position, suffix[0] if suffix else ""
            self._world.note(f"{stream} {place}")
            source = "intake" if stream is Stream.INTAKE else "handling"
            entry = self._logs[source].get(position)
            if entry is None or entry.body != message.body:
                self.violation(f"{stream} holds {position}, which is not stored so")
            elif stream is Stream.DEPARTMENTS:
                self._may_hear(codec.decode(entry.body), message.subject, place[1])
                if place <= tail:
                    self.violation(f"{stream} has {place} behind {tail}")
            elif position != tail[0] + 1:
                self.violation(f"{stream} has {position} behind {tail[0]}")
            tail = place
        self._streams[stream] = found.last, tail

    def _may_hear(self, event: Envelope[Any], subject: str, department: str) -> None:
        history = self.histories[event.case_id][: event.version]
        concerned = hands(history).departments | hands(history[:-1]).departments
        if department not in concerned or subject.split(".")[2] != department:
            self.violation(f"{department} hears of a case of {concerned}")

    # ----------------------------------------------------------------------- at the end

    def settled(self) -> bool:
        return not self.unsettled()

    def unsettled(self) -> str:
        """Say what is not yet where it belongs; empty when all is."""
        services = self._world.services
        if len(services) < 3:
            return "a service is down"
        intake, handling = self._logs["intake"], self._logs["handling"]
        if len(self._received) != len(self.cases):
            return f"{len(self._received)} complaints, {len(self.cases)} cases"
        lengths = {
            Stream.INTAKE: len(intake),
            Stream.CASES: len(handling),
            Stream.DEPARTMENTS: len(self._copies()),
        }
        for stream, length in lengths.items():
            if self._world.bus.streams[stream].last != length:
                return f"{stream} has not all of {length}"
        for name, events in (("intake", handling), ("analytics", handling)):
            applied = _applied(services[name])
            if applied != len(events):
                return f"{name} applied {applied} of {len(events)}"
        with services["analytics"].rows.snapshot() as rows:
            if rows.standing.complete_to != len(handling):
                return f"analytics is complete to {rows.standing.complete_to}"
        return ""

    def _copies(self) -> list[tuple[int, str]]:
        return [
            (entry.position, department)
            for entry in self._logs["handling"].values()
            if EVENTS[entry.type].audience is Audience.DEPARTMENTS
            for department in sorted(codec.decode(entry.body).departments)
        ]

    def at_the_end(self) -> None:
        if self._offered != self._receipts.keys():
            self.violation("somebody has no receipt")
        cases = {case for case, _, _ in self._receipts.values()}
        if len(cases) != len(self._receipts) or cases != self._received.keys():
            self.violation(f"{len(self._receipts)} complaints, {len(cases)} cases")
        for service in self._world.services.values():
            with service.following.database.read() as tx:
                waiting = service.following.inbox.rows.waiting(tx)
            if waiting.total:
                self.violation(f"{service.name} keeps {waiting}")
        self._compare_standings()
        self._compare_rows()

    def _compare_standings(self) -> None:
        service = self._world.services["intake"]
        with service.store.database.read() as tx:
            rows = tx.fetchall("SELECT case_id, state, unit FROM standing")
        folded = []
        for case_id, history in self.histories.items():
            standing = None
            for event in history:
                standing = advance(standing, event)
            assert standing is not None
            folded.append((case_id, standing.state, standing.unit))
        if sorted(rows) != sorted(folded):
            self.violation("intake's standings are not the fold of the log")

    def _compare_rows(self) -> None:
        """Build analytics' rows from 0 in lots of any size; they must be the same."""
        rows = self._world.services["analytics"].rows
        log = list(self._logs["handling"].values())
        rows.begin_rebuild()
        self._rebuild(rows, log)
        live, beside = (rows.digest(len(log), beside=each) for each in (False, True))
        if live != beside:
            self.violation("analytics' rows are not the fold of the log")

    def _rebuild(self, rows: Any, log: list[Any]) -> None:
        at = 0
        while at < len(log):
            size = self._world.chance.randint(1, 20)
            lot = log[at : at + size]
            with rows.transaction() as tx:
                entries = [
                    Entry(each.position, codec.decode(each.body)) for each in lot
                ]
                record(rows.beside, tx, entries)
                rows.beside.note(
                    tx, [Known(each.position, each.committed_at) for each in lot]
                )
            at += size


def _applied(service: Any) -> int:
    with service.following.database.read() as tx:
        row = tx.fetchone(
            "SELECT COALESCE(SUM(version), 0) FROM inbox_case WHERE consumer = ?",
            (service.name,),
        )
    return int(row[0])

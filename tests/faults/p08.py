"""P8: any past state can be rebuilt, and old history stays readable for ever.

Histories are written as each release would have written them: every event in one of the
versions that its type ever had. Today's code folds them, keeps its projections live, and
makes these anew from 0 in lots of other sizes; all must be the same, on both databases.
The control leaves out how an old version reads today.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import tempfile
import time
from collections import defaultdict
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import structlog

from bench.line import BROKEN, KEPT, line, options
from events import codec, upcasts
from services.analytics.application.recording import record
from services.analytics.domain.versions import Entry
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.handling.application.commanding import concerned
from services.handling.application.replaying import replay_part
from services.handling.domain.evolution import evolve
from services.handling.persistence import DepartmentCopies, WorkList
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database
from tests.support.postgres import running_postgres
from tests.support.stages import START, staged
from tests.support.timing import CLOCKWORK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from bench.line import Options
    from services.handling.domain.case import Case
    from services.kernel.store.database import Database

HISTORIES: Final = {"ci": 400, "night": 20_000}
GOLDEN: Final = Path(__file__).parents[1] / "contract" / "events" / "golden"
LEFT_OUT: Final = ("ComplaintInvestigated", 1)
LOTS: Final = (7, 500)
"""The sizes of the lots in which rows are made anew."""

Body = tuple[Any, bytes]
"""An event, and its bytes in one of its versions."""


def released() -> dict[tuple[str, int], bytes]:
    """Give the bytes of every version that was ever released."""
    found = {}
    for path in sorted(GOLDEN.glob("*.json")):
        name, version = path.stem.rsplit(".v", 1)
        found[name, int(version)] = path.read_bytes()
    return found


def written_as(body: bytes, version: int) -> bytes | None:
    """Write an event as a release with this version did; None where it could not say it."""
    told = json.loads(body)
    for earlier in reversed(range(version, told["schema_version"])):
        if (told["type"], earlier) == ("ComplaintInvestigated", 1):
            if told["data"]["facts_match"] not in {"yes", "no"}:
                return None
            told["data"]["facts_match"] = told["data"]["facts_match"] == "yes"
        told["schema_version"] = earlier
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def misread(golden: dict[tuple[str, int], bytes]) -> list[str]:
    """Name the released bytes that do not read, or are not written, as they were."""
    wrong = []
    for (name, version), body in golden.items():
        current = golden[name, max(v for n, v in golden if n == name)]
        try:
            same = codec.encode(codec.decode(body)) == current
        except ValueError:
            same = False
        old = written_as(current, version)
        if not same or json.loads(old or b"null") != json.loads(body):
            wrong.append(f"{name}.v{version}")
    return wrong


def history(cases: int, chance: random.Random) -> list[Body]:
    """Give the events of many cases, mixed, each in a version drawn by lot."""
    versions = defaultdict(list)
    for name, version in released():
        versions[name].append(version)
    bodies = []
    states: dict[UUID, Case] = {}
    for drawn in staged(cases, seed=chance.randrange(2**31)):
        before = states.get(drawn.case_id)
        after = states[drawn.case_id] = evolve(before, drawn)
        told = concerned(before or after, after)
        event = drawn.model_copy(update={"departments": told})
        body = codec.encode(event)
        old = written_as(body, chance.choice(versions[event.type]))
        bodies.append((event, old or body))
    return bodies


def misfolded(bodies: Sequence[Body]) -> int:
    """Count the cases that old bytes lead elsewhere than the events themselves."""
    states: dict[UUID, tuple[Case | None, Case | None]] = {}
    wrong = set()
    for event, body in bodies:
        new, old = states.get(event.case_id, (None, None))
        try:
            old = evolve(old, codec.decode(body))
        except ValueError:
            wrong.add(event.case_id)
        new = evolve(new, event)
        if new != old:
            wrong.add(event.case_id)
        states[event.case_id] = new, old
    return len(wrong)


def lots(bodies: Sequence[Any], sizes: Iterator[int]) -> Iterator[Sequence[Any]]:
    at = 0
    while at < len(bodies):
        size = next(sizes)
        yield bodies[at : at + size]
        at += size


class House:
    """Handling's record and work list, and the rows of the figures, on one database."""

    def __init__(self, handling: Database, analytics: Database) -> None:
        self.database = handling
        self.store: Any = open_store(
            handling, name="handling", codec=codec, now=lambda: START
        )
        self.work_list = WorkList(handling, CLOCKWORK)
        DepartmentCopies(self.store)
        self.rows = SqlFactStore(analytics)

    def live(self, bodies: Sequence[Body], chance: random.Random) -> None:
        """Take the events as they come, a few at a time."""
        cases: dict[UUID, Case] = {}
        sizes = iter(lambda: chance.randint(1, 50), 0)
        for lot in lots(bodies, sizes):
            changed = {}
            with self.database.write() as tx:
                entries = self.store.put_bodies(
                    tx,
                    [(e.case_id, e.version, e.type, body) for e, body in lot],
                )
                for entry in entries:
                    event = codec.decode(entry.body)
                    case = evolve(cases.get(event.case_id), event)
                    cases[event.case_id] = changed[event.case_id] = case
                self.work_list.keep(tx, list(changed.values()))
            self._take(entries, self.rows.live)

    def _take(self, entries: Sequence[Any], rows: Any) -> None:
        with self.rows.transaction() as tx:
            read = [Entry(each.position, codec.decode(each.body)) for each in entries]
            record(rows, tx, read)
            rows.note(tx, [Known(each.position, each.committed_at) for each in entries])

    def rebuilt(self) -> dict[str, bool]:
        """Make everything anew; say of each whether it came out as it was live."""
        log = self.store.log(0, 10**9)
        found = {}
        live = self.rows.digest(len(log), beside=False)
        for size in LOTS:
            self.rows.begin_rebuild()
            for lot in lots(log, repeat(size)):
                self._take(lot, self.rows.beside)
            again = self.rows.digest(len(log), beside=True)
            found[f"rows of figures in lots of {size}"] = again == live
        for name, table, forget in (
            ("work list", "work_list", "UPDATE work_list_shape SET shape = ''"),
            ("copies", "department_copy", "DELETE FROM department_copies_upto"),
        ):
            before = self._all(table)
            with self.database.write() as tx:
                tx.execute(forget)
                if name == "copies":
                    tx.execute("DELETE FROM department_copy")
            WorkList(self.database, CLOCKWORK)
            DepartmentCopies(self.store)
            found[name] = bool(before) and self._all(table) == before
        return found

    def _all(self, table: str) -> list[str]:
        with self.database.read() as tx:
            return sorted(map(repr, tx.fetchall(f"SELECT * FROM {table}")))  # noqa: S608 our own names

    def replayed(self) -> bytes:
        """Fold the record as `amends audit replay` does."""
        log = self.store.log(0, 10**9)
        return replay_part(
            sorted(log, key=lambda each: (each.case_id, each.version))
        ).digest


@contextlib.contextmanager
def houses(folder: Path) -> Iterator[dict[str, House]]:
    """Open a house on SQLite and one on PostgreSQL."""
    with running_postgres() as url, contextlib.ExitStack() as opened:

        def opening(kind: str, name: str) -> Database:
            at = f"sqlite:///{folder / name}.sqlite" if kind == "sqlite" else url
            database = open_database(at, schema=name)
            opened.callback(database.close)
            return database

        yield {
            kind: House(opening(kind, "handling"), opening(kind, "analytics"))
            for kind in ("sqlite", "postgres")
        }


def projected(bodies: Sequence[Body], chance: random.Random) -> tuple[list[str], float]:
    """Name what came out otherwise when made anew; and give events a second."""
    wrong, digests = [], set()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, houses(Path(folder)) as found:
        for kind, house in found.items():
            house.live(bodies, chance)
            begun = time.perf_counter()
            rebuilt = house.rebuilt()
            wrong += [f"{kind}: {name}" for name, same in rebuilt.items() if not same]
            digests.add(house.replayed())
        if len(digests) > 1:
            wrong.append("what is replayed differs between the databases")
    return wrong, time.perf_counter() - begun


def main(argv: Sequence[str] | None = None) -> int:
    given: Options = options(__doc__.partition("\n")[0], argv)
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    chance, begun = random.Random(given.seed), time.monotonic()
    golden = released()
    bodies = history(HISTORIES[given.size], chance)
    without = (
        patch.dict(upcasts.UPCASTS, {LEFT_OUT: dict})
        if given.control
        else contextlib.nullcontext()
    )
    with without:
        wrong = misread(golden)
        histories = misfolded(bodies)
        wrong += [f"{histories} histories fold otherwise"] if histories else []
        seconds = 0.0
        if not wrong:
            wrong, seconds = projected(bodies, chance)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    figures = {
        "histories": HISTORIES[given.size],
        "events": len(bodies),
        "schema_versions": len(golden),
        "mismatches": len(wrong),
        "rebuild_per_s": round(len(LOTS) * len(bodies) / seconds) if seconds else 0,
        "seconds": round(time.monotonic() - begun),
        "seed": given.seed,
    }
    print(line("P8", figures))
    return BROKEN if wrong else KEPT


if __name__ == "__main__":
    raise SystemExit(main())

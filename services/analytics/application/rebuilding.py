"""Make all rows anew from handling's log beside the live ones, compare, and swap."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

import structlog

from events.codec import MalformedEventError, UnreadableEventError, decode
from services.analytics.application.recording import record
from services.analytics.domain.versions import Entry
from services.analytics.ports import Known
from services.kernel.errors import AmendsError, UnavailableError
from services.kernel.tasks import end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from services.analytics.ports import FactStore

T = TypeVar("T")

SLICE: Final = 500  # events read, folded and committed at once; live batches go between
PATIENCE: Final = 10.0  # seconds to wait for the live rows to reach the rebuilt ones
PAUSE: Final = 0.05  # seconds between two looks at them
ROUNDS: Final = 100  # live rows may run ahead of a swap this often

_log = structlog.get_logger(__name__)


class Line(Protocol):
    """One line of handling's log."""

    @property
    def position(self) -> int: ...
    @property
    def committed_at(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class Page(Protocol):
    """Consecutive lines of the log, and where the log ended when they were read."""

    @property
    def lines(self) -> Sequence[Line]: ...
    @property
    def last_position(self) -> int: ...


class Fetch(Protocol):
    async def __call__(self, after: int, limit: int) -> Page:
        """Read at most `limit` lines behind a position; may raise `UnavailableError`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rebuild stands.

    `equal` compares the rows as they stood at `compared_to`, live against rebuilt, by
    their digests. `held` counts events that this release cannot read: they and the
    later events of their cases are left out of both.
    """

    state: Literal["idle", "running", "done", "failed"] = "idle"
    position: int = 0
    last_position: int = 0
    held: int = 0
    compared_to: int | None = None
    digest: str | None = None
    live_digest: str | None = None
    equal: bool | None = None
    fault: str | None = None


class Write(Protocol):
    async def __call__(self, work: Callable[[], T]) -> T:
        """Run work in the thread that writes."""


async def run_rebuild(
    store: FactStore,
    *,
    fetch: Fetch,
    write: Write,
    report: Callable[[Progress], None],
    patience: float = PATIENCE,
) -> Progress:
    """Rebuild, compare, swap; live rows go on meanwhile.

    Live rows that differ are replaced all the same: the log is the truth. For
    `patience` seconds the comparison waits for live rows that lag.
    """
    run = _Run(store, fetch, write, report)
    await write(store.begin_rebuild)
    await run.catch_up()
    await run.compare(patience)
    await run.swap()
    await write(store.drop_replaced)
    run.tell(state="done")
    return run.progress


class _Run:
    def __init__(
        self,
        store: FactStore,
        fetch: Fetch,
        write: Write,
        report: Callable[[Progress], None],
    ) -> None:
        self._store = store
        self._fetch = fetch
        self._write = write
        self._report = report
        self.progress = Progress(state="running")

    def tell(self, **changes: object) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type] # names are ours
        self._report(self.progress)

    async def catch_up(self) -> None:
        """Read the log as far as it reached at the last reading."""
        while not await self._read_on():
            pass

    async def swap(self) -> None:
        """Read the last lines and put the rows in place, in one go of the writer.

        Live rows that ran ahead meanwhile are waited for by reading on: they cannot
        know more than the log.
        """
        for _ in range(ROUNDS):
            swapped = False

            def put(position: int) -> None:
                nonlocal swapped
                swapped = self._store.swap(position)

            while not await self._read_on(put):
                pass
            if swapped:
                return
        raise UnavailableError(
            "analytics.rebuild_overtaken",
            "The live rows kept running ahead of the rebuild: try again when fewer"
            " events arrive.",
        )

    async def _read_on(self, at_end: Callable[[int], None] | None = None) -> bool:
        """Take one slice of the log; give whether that was its end, and call `at_end`."""
        page = await self._fetch(self.progress.position, SLICE)
        entries, known = await asyncio.to_thread(_decoded, page.lines)
        position = page.lines[-1].position if page.lines else self.progress.position
        ended = not page.lines or position >= page.last_position

        def add() -> int:
            with self._store.transaction() as tx:
                self._store.require_rebuild(tx)
                unfit = record(self._store.beside, tx, entries)
                self._store.beside.note(tx, known)
            if ended and at_end is not None:
                at_end(position)
            return unfit

        unfit = await self._write(add)
        self.tell(
            position=position,
            last_position=max(page.last_position, position),
            held=self.progress.held + unfit + len(known) - len(entries),
        )
        return ended

    async def compare(self, patience: float) -> None:
        """Hash both sets of rows as they stood at the last position that both have."""
        position = min(self.progress.position, await self._live_position(patience))
        beside, live = await asyncio.to_thread(
            lambda: (
                self._store.digest(position, beside=True),
                self._store.digest(position, beside=False),
            )
        )
        if live != beside:
            _log.error("analytics.rows_differed", position=position)
        self.tell(
            compared_to=position,
            digest=beside,
            live_digest=live,
            equal=live == beside,
        )

    async def _live_position(self, patience: float) -> int:
        """Wait a while for the live rows to arrive where the rebuilt ones are."""

        def look() -> int:
            with self._store.snapshot() as rows:
                return rows.standing.complete_to

        reached = await asyncio.to_thread(look)
        waited = 0.0
        while reached < self.progress.position and waited < patience:
            await asyncio.sleep(PAUSE)
            waited += PAUSE
            reached = await asyncio.to_thread(look)
        return reached


def _decoded(lines: Sequence[Line]) -> tuple[list[Entry], list[Known]]:
    """Decode what this release can read; positions are known of every line."""
    entries: list[Entry] = []
    for line in lines:
        try:
            entries.append(Entry(line.position, decode(line.body)))
        except (MalformedEventError, UnreadableEventError) as error:
            _log.warning(
                "analytics.rebuild_held", position=line.position, why=str(error)
            )
    return entries, [Known(line.position, line.committed_at) for line in lines]


class Rebuilder:
    """Runs at most one rebuild at a time and says how far it is."""

    def __init__(
        self, start: Callable[[Callable[[Progress], None]], Awaitable[Progress]]
    ) -> None:
        self._start = start
        self._task: asyncio.Task[None] | None = None
        self.progress = Progress()

    def begin(self) -> Progress:
        """Start a rebuild, or show the one that runs."""
        if self._task is None or self._task.done():
            self.progress = Progress(state="running")
            self._task = asyncio.create_task(self._run(), name="analytics-rebuild")
        return self.progress

    async def _run(self) -> None:
        try:
            await self._start(self._reported)
        except AmendsError as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 logged, and told to who asks
            _log.exception("analytics.rebuild_failed")
            self._failed(f"{type(error).__name__}: see the log of analytics")

    def _reported(self, progress: Progress) -> None:
        self.progress = progress

    def _failed(self, fault: str) -> None:
        self.progress = replace(self.progress, state="failed", fault=fault)

    async def stop(self) -> None:
        """End a running rebuild; its tables are dropped by the next one."""
        if self._task is not None:
            await end(self._task)

"""Carry a store's log to its stream: every event once and in order, whatever crashes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from services.kernel.broker.headers import (
    COMMITTED_AT,
    EPOCH,
    EXPECTED_ID,
    EXPECTED_SEQUENCE,
    MESSAGE_ID,
    POSITION,
)
from services.kernel.broker.hint import Hint, Hints
from services.kernel.broker.pipe import SILENCE, WINDOW, Pipe
from services.kernel.broker.provision import HINT_BUCKET
from services.kernel.store.recorder import LogEntry

State = Literal["starting", "relaying", "mismatch", "hindered", "stopped"]

_CHUNK: Final = 500
_LOOK_AGAIN: Final = 0.5  # another process may have committed to the same store
_LOOK_AT_STREAM: Final = 5.0  # somebody may have deleted it, or put something in
_MISMATCH_PAUSE: Final = 5.0
_REFUSAL_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0
_PATIENCE: Final = 5  # refusals in a row that a rival may cause
_API_TIMEOUT: Final = 2.0

_log = structlog.get_logger(__name__)


class LogReader(Protocol):
    """The part of an event store that a relay needs."""

    name: str
    epoch: str

    def log(self, after: int, limit: int) -> list[LogEntry]: ...

    def last_position(self) -> int: ...

    def on_commit(self, callback: Callable[[], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message that an event becomes; `body` is the event's stored bytes.

    `suffix` tells the copies of one event apart (a department's code); it never
    changes for a copy, and the order of copies never changes for an event.
    """

    subject: str
    body: bytes
    headers: Mapping[str, str]
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """`position`: everything up to it lies in the stream or is not meant for it.

    `fault` says, where something hinders the relay, what and what to do about it.
    """

    stream: str
    state: State
    position: int
    fault: str | None
    sent: int = 0
    accepted: int = 0
    unanswered: int = 0

    @property
    def healthy(self) -> bool:
        return self.state == "relaying"


class MismatchError(Exception):
    """The stream's end does not come from this log; publishing would mix histories."""


class Relay:
    """One task for one store and one stream; a second one elsewhere does no harm.

    Each message expects the one before it to be the stream's last, by message id, so
    the server accepts only what continues the stream: nothing can be skipped, doubled
    or put out of order by crashes, lost answers or rivals.  The position is read from
    the stream's last message and never kept beside it, apart from a hint for what no
    message tells: stretches without messages, and a stream that was emptied.
    """

    def __init__(
        self,
        nc: Client,
        *,
        log: LogReader,
        stream: str,
        outgoing: Callable[[LogEntry], Sequence[Outgoing]],
        hint_bucket: str = HINT_BUCKET,
        window: int = WINDOW,
        silence: float = SILENCE,
    ) -> None:
        """Prepare nothing yet; `run` does.

        `outgoing` turns an entry into its messages: none, one or several copies.
        """
        self._log = log
        self._stream = stream
        self._outgoing = outgoing
        self._ids = f"{log.name}.{log.epoch}"
        self._js = nc.jetstream(timeout=_API_TIMEOUT)
        self._pipe = Pipe(nc, stream, window=window, silence=silence)
        self._hints = Hints(self._js, hint_bucket, f"{log.name}.{stream}", log.epoch)
        self._state: State = "starting"
        self._fault: str | None = None
        self._fruitless = 0
        self._located = False
        self._made: object = None
        self._looked = 0.0
        self._stopping = asyncio.Event()
        self._running = asyncio.Lock()

    @property
    def position(self) -> int:
        return self._pipe.position

    def oldest(self) -> tuple[int, int | None] | None:
        """Give how many events are not in the stream, and when the first was committed.

        The instant is in microseconds, None where nothing is left; None altogether
        until the stream's end was found. One read of the log, however long that is.
        """
        if not self._located:
            return None
        position = self.position
        return self._log.last_position() - position, _first(self._log, position)

    def status(self) -> RelayStatus:
        pipe = self._pipe
        return RelayStatus(
            self._stream,
            self._state,
            self.position,
            self._fault,
            pipe.sent,
            pipe.accepted,
            pipe.unanswered,
        )

    async def run(self) -> None:
        """Relay until `stop` or cancellation; no failure ends it."""
        self._wake_on_commit(asyncio.get_running_loop())
        pause = 0.0
        async with self._running:
            try:
                while not self._stopping.is_set():
                    began = time.monotonic()
                    again_in = await self._once(pause)
                    lasted = time.monotonic() - began
                    pause = 0.0 if lasted > _LONGEST_PAUSE else again_in
                    await self._sleep(again_in)
                    await self._pipe.settle()
                await self._write_hint(at_once=True)
            finally:
                self._state = "stopped"
                with contextlib.suppress(NatsError, OSError):
                    await self._pipe.close()

    async def stop(self) -> None:
        """Send no more, wait for the answers under way, and end `run`."""
        self._stopping.set()
        self._pipe.look.set()
        async with self._running:
            pass

    async def located(self) -> int:
        """Give the position that the stream has reached; nothing is sent.

        Raises MismatchError where it does not continue this log.
        """
        return (await self._locate()).position

    async def _once(self, pause: float) -> float:
        """Relay until something goes wrong; returns the seconds to pause."""
        try:
            await self._pipe.open()
            place = await self._locate()
            if self._fruitless < _PATIENCE:
                self._state, self._fault = "relaying", None
            await self._relay_from(place)
        except MismatchError as error:
            if self._state != "mismatch":
                _log.error("relay.mismatch", stream=self._stream, reason=str(error))
            self._state, self._fault = "mismatch", str(error)
            return _MISMATCH_PAUSE
        except Exception as error:  # noqa: BLE001  (broker or store away: never end)
            # Only the broker's own words: another error may quote what was stored.
            told = isinstance(error, (NatsError, OSError))
            self._state = "hindered"
            self._fault = f"{type(error).__name__}: {error if told else 'see the log'}"
            _log.warning("relay.hindered", stream=self._stream, reason=self._fault)
            return min(_LONGEST_PAUSE, 0.1 + 2 * pause)
        if self._pipe.refusal is None:
            return 0.0
        return self._refused(self._pipe.refusal, place, pause)

    def _refused(self, reason: str, place: "_Place", pause: float) -> float:
        """Go on, as after a rival or an outage; say so if it never helps."""
        self._fruitless += 1
        if self._pipe.position > place.position:
            self._fruitless = 0
        if self._fruitless >= _PATIENCE:
            self._state, self._fault = "hindered", f"The broker refuses: {reason}"
        _log.info("relay.refused", stream=self._stream, reason=reason)
        return min(_REFUSAL_PAUSE, 0.01 + 2 * pause)

    # ------------------------------------------------------------- where to go on

    async def _locate(self) -> "_Place":
        """Read where the stream ends and check that it continues this log."""
        # First the number of the last message, then that message: whatever a rival
        # adds in between makes the expectation fail, which is what it is for.
        info = await self._js.stream_info(self._stream)
        self._made, self._looked, state = info.created, time.monotonic(), info.state
        tail = await self._message(seq=state.last_seq) if state.last_seq else None
        if tail is not None:
            expect = EXPECTED_ID, _id_of(tail)
        else:
            expect = EXPECTED_SEQUENCE, str(state.last_seq)
            if state.messages:  # only the last ones were deleted
                tail = await self._message(subject=">")
        position, suffix = await self._check_tail(tail)
        hint = await self._hints.read()
        if hint.sequence > state.last_seq:
            hint = Hint()  # the broker lost its tail: what is missing goes out again
        await self._check_hint(hint)
        if hint.position >= position:
            position, suffix = hint.position, ""
        self._pipe.restart(position - 1 if suffix else position, state.last_seq)
        self._located = True
        return _Place(position, suffix, expect)

    async def _message(self, **which: Any) -> RawStreamMsg | None:
        try:
            return await self._js.get_msg(self._stream, **which)
        except NotFoundError:
            return None

    async def _check_tail(self, tail: RawStreamMsg | None) -> tuple[int, str]:
        """Give position and suffix of the last message, if its event is in this log."""
        if tail is None:
            return 0, ""
        ids, _, place = _id_of(tail).partition(":")
        number, _, suffix = place.partition(":")
        if ids != self._ids or not number.isdecimal():
            raise self._mismatch(
                f"it ends with the message {_id_of(tail) or '(no id)'}"
            )
        position = int(number)
        if position == 0:  # a department was told that its feed begins anew
            return 0, ""
        entries = await asyncio.to_thread(self._log.log, position - 1, 1)
        if not entries or entries[0].position != position:
            raise self._mismatch(f"it holds position {position}, the log does not")
        if entries[0].body != (tail.data or b""):
            raise self._mismatch(f"position {position} is another event there")
        return position, suffix

    async def _check_hint(self, hint: Hint) -> None:
        if hint.epoch not in {None, self._log.epoch}:
            raise self._mismatch(f"its hint is of epoch {hint.epoch}")
        if hint.position > await asyncio.to_thread(self._log.last_position):
            raise self._mismatch(f"its hint, {hint.position}, is beyond the log's end")

    def _mismatch(self, what: str) -> MismatchError:
        return MismatchError(
            f"Stream {self._stream} does not continue the log {self._ids}: {what}."
            " Nothing is published; run `amends reconcile`."
        )

    # ------------------------------------------------------------------- sending

    async def _relay_from(self, place: "_Place") -> None:
        """Send until refused, silent or stopping."""
        pipe = self._pipe
        after, expect = pipe.handled, place.expect
        while pipe.open_for_more() and not self._stopping.is_set():
            pipe.look.clear()
            entries = await asyncio.to_thread(self._log.log, after, _CHUNK)
            for entry in entries:
                for out in self._copies(entry, place):
                    if self._stopping.is_set() or not await pipe.room():
                        return
                    headers, message_id = self._headers(entry, out, expect)
                    await pipe.send(entry.position, out.subject, out.body, headers)
                    expect = EXPECTED_ID, message_id
                pipe.handled = after = entry.position
            await self._write_hint()
            if not entries:
                await pipe.wait(_LOOK_AGAIN)
                if not await self._as_left():
                    return

    async def _as_left(self) -> bool:
        """Look now and then whether the stream is the same, and ends as we left it."""
        now, pipe = time.monotonic(), self._pipe
        if now - self._looked < _LOOK_AT_STREAM or pipe.position < pipe.handled:
            return True
        self._looked = now
        info = await self._js.stream_info(self._stream)
        return info.created == self._made and info.state.last_seq == pipe.sequence

    def _copies(self, entry: LogEntry, place: "_Place") -> Iterator[Outgoing]:
        """Give an entry's messages; where the stream ends with one, those behind it."""
        copies = self._outgoing(entry)
        if place.suffix and entry.position == place.position:
            suffixes = [copy.suffix for copy in copies]
            # An unknown suffix sends all again: twice is harmless, never is not.
            if place.suffix in suffixes:
                copies = copies[suffixes.index(place.suffix) + 1 :]
        yield from copies

    def _headers(
        self, entry: LogEntry, out: Outgoing, expect: tuple[str, str]
    ) -> tuple[dict[str, str], str]:
        suffix = f":{out.suffix}" if out.suffix else ""
        message_id = f"{self._ids}:{entry.position}{suffix}"
        headers = {
            **out.headers,
            MESSAGE_ID: message_id,
            expect[0]: expect[1],
            EPOCH: self._log.epoch,
            POSITION: str(entry.position),
            COMMITTED_AT: str(entry.committed_at),
        }
        return headers, message_id

    async def _write_hint(self, *, at_once: bool = False) -> None:
        pipe = self._pipe
        with contextlib.suppress(NatsError, OSError):  # a hint: the next one will do
            await self._hints.write(pipe.position, pipe.sequence, at_once=at_once)

    def _wake_on_commit(self, loop: asyncio.AbstractEventLoop) -> None:
        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._pipe.look.set)

        self._log.on_commit(wake)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to go on: behind this position, or behind one of its copies."""

    position: int
    suffix: str
    expect: tuple[str, str]


def _first(log: LogReader, after: int) -> int | None:
    """Give when the first entry behind a position was committed, if there is one."""
    entries = log.log(after, 1)
    return entries[0].committed_at if entries else None


def _id_of(message: RawStreamMsg) -> str:
    return str((message.headers or {}).get(MESSAGE_ID, ""))

"""A broker in memory: what a relay and a standing pull need of JetStream, no more.

It answers the server's own JSON requests, so that nats-py's JetStream and key-value
classes run on it unchanged.  It passes the contract suites that the real one passes.
"""

import asyncio
import base64
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from nats.aio.client import ServerVersion
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js import JetStreamContext

Headers = dict[str, str]


class FakeNats:
    """The server; `client()` connects. It lives in the running event loop."""

    def __init__(self) -> None:
        self.streams: dict[str, _Stream] = {}
        self.subscriptions: list[_Subscription] = []
        self.serving = True
        self._inboxes = itertools.count(1)
        self._clock: asyncio.Task[None] | None = None

    def client(self) -> Any:
        """Return a client; `Any`, because it is no `nats.aio.client.Client`."""
        return FakeClient(self, next(self._inboxes))

    @contextmanager
    def running(self) -> Iterator["FakeNats"]:
        """Let time pass for expiries, heartbeats and redeliveries."""
        self._clock = asyncio.get_running_loop().create_task(self._tick())
        try:
            yield self
        finally:
            self._clock.cancel()
            for subscription in self.subscriptions:
                subscription.task.cancel()

    def carry(self, act: Callable[..., None], *args: Any) -> None:
        """Bring something over the network: at once, once and in order."""
        act(*args)

    def receive(
        self, subject: str, body: bytes, reply: str, headers: Headers | None
    ) -> None:
        if not self.serving:
            return
        if subject.startswith("$JS.API."):
            answer = self._api(subject.split(".")[2:], body, reply)
        elif subject.startswith("$JS.ACK."):
            self._acknowledge(subject.split("."), body)
            return
        else:
            answer = self._store(subject, body, dict(headers or {}))
            heard = self.deliver(subject, body, reply, headers)
            if answer is None and reply and not heard:
                self.deliver(reply, b"", "", {"Status": "503"})
        if answer is not None and reply:
            self.deliver(reply, json.dumps(answer).encode(), "", None)

    def deliver(
        self,
        subject: str,
        body: bytes,
        reply: str,
        headers: Headers | None,
        *,
        to: str | None = None,
    ) -> bool:
        """Hand a message to whoever listens to `to`, by default to its subject."""
        heard = False
        for subscription in list(self.subscriptions):
            if _matches(subscription.subject, to or subject):
                self.carry(subscription.put, subject, body, reply, headers)
                heard = True
        return heard

    def _store(self, subject: str, body: bytes, headers: Headers) -> Any:
        for stream in self.streams.values():
            if any(_matches(taken, subject) for taken in stream.config["subjects"]):
                answer = stream.append(subject, body, headers)
                self._serve(stream)
                return answer
        return None

    def _api(self, words: list[str], body: bytes, reply: str) -> Any:
        request: dict[str, Any] = json.loads(body or b"{}")
        name = _stream_name(words)
        if words[:2] == ["STREAM", "CREATE"]:
            self.streams[name] = _Stream(name)
        if name not in self.streams:
            return _error(404, 10059, "stream not found")
        if words[0] == "STREAM":
            return self._stream_api(words, request)
        return self._consumer_api(words, request, reply)

    def _consumer_api(self, words: list[str], request: Any, reply: str) -> Any:
        stream = self.streams[_stream_name(words)]
        consumer = stream.consumers.get(words[-1])
        match words[1]:
            case "DURABLE":
                consumer = stream.consumers.setdefault(words[-1], _Consumer(words[-1]))
                consumer.config = {"filter_subject": None, **request["config"]}
                return consumer.info(stream)
            case "MSG" if consumer is None:
                self.deliver(reply, b"", "", {"Status": "503"})
                return None
            case _ if consumer is None:
                return _error(404, 10014, "consumer not found")
            case "INFO":
                return consumer.info(stream)
            case "MSG":
                consumer.pulls.append(_Pull.of(request, reply))
                self._serve(stream)
                return None
            case _:
                raise NotImplementedError(words)

    def _stream_api(self, words: list[str], request: Any) -> Any:
        stream = self.streams[_stream_name(words)]
        match words[1:-1]:
            case ["CREATE" | "UPDATE"]:
                stream.config = {
                    "max_msgs_per_subject": -1,
                    "num_replicas": 1,
                } | request
                return stream.info()
            case ["INFO"]:
                return stream.info()
            case ["DELETE"]:
                del self.streams[stream.name]
                return {"success": True}
            case ["PURGE"]:
                upto = (request or {}).get("seq") or stream.last + 1
                gone = [number for number in stream.messages if number < upto]
                for number in gone:
                    del stream.messages[number]
                return {"success": True, "purged": len(gone)}
            case ["MSG", "GET"]:
                return stream.get(request)
            case ["MSG", "DELETE"]:
                return {"success": bool(stream.messages.pop(request["seq"], None))}
            case _:
                raise NotImplementedError(words)

    def _acknowledge(self, words: list[str], body: bytes) -> None:
        _, _, stream_name, durable, _, sequence, *_ = words
        consumer = self.streams[stream_name].consumers[durable]
        number = int(sequence)
        if body.startswith(b"-NAK"):
            wait = json.loads(body[4:] or b"{}").get("delay", 0) / 1e9
            if number in consumer.pending:
                consumer.pending[number] = time.monotonic() + wait
        else:
            consumer.pending.pop(number, None)
            consumer.acknowledged.add(number)
        self._serve(self.streams[stream_name])

    def _serve(self, stream: "_Stream") -> None:
        for consumer in stream.consumers.values():
            while consumer.pulls and (found := consumer.next_of(stream)) is not None:
                number, stored = found
                pull = consumer.pulls[0]
                if not any(_matches(s.subject, pull.inbox) for s in self.subscriptions):
                    consumer.pulls.pop(0)  # its client is gone
                    continue
                consumer.hand_out(number)
                pull.batch -= 1
                pull.active = time.monotonic()
                if not pull.batch:
                    consumer.pulls.pop(0)
                reply = (
                    f"$JS.ACK.{stream.name}.{consumer.name}"
                    f".{consumer.deliveries[number]}.{number}.{number}.0.0"
                )
                self.deliver(
                    stored.subject, stored.body, reply, stored.headers, to=pull.inbox
                )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.01)
            self.look()

    def look(self) -> None:
        """End what expired, tell those who wait that we live, hand out again."""
        now = time.monotonic()
        for stream in self.streams.values():
            for consumer in stream.consumers.values():
                for pull in list(consumer.pulls):
                    self._expire(consumer, pull, now)
            self._serve(stream)

    def _expire(self, consumer: "_Consumer", pull: "_Pull", now: float) -> None:
        if now >= pull.expires:
            consumer.pulls.remove(pull)
            left = {"Status": "408", "Nats-Pending-Messages": str(pull.batch)}
            self.deliver(pull.inbox, b"", "", left)
        elif pull.heartbeat and now >= pull.active + pull.heartbeat:
            pull.active = now
            self.deliver(pull.inbox, b"", "", {"Status": "100"})


class FakeClient:
    """The part of `nats.aio.client.Client` that relays and pulls use."""

    def __init__(self, server: FakeNats, number: int) -> None:
        self._server = server
        self._prefix = f"_INBOX.{number}"
        self._inboxes = itertools.count(1)
        self.stats = {"reconnects": 0}
        self.connected_server_version = ServerVersion("2.15.0")
        self.is_connected = True
        self.is_closed = False

    def new_inbox(self) -> str:
        return f"{self._prefix}.{next(self._inboxes)}"

    def jetstream(self, **options: Any) -> JetStreamContext:
        return JetStreamContext(self, **options)  # type: ignore[arg-type]  # its twin

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        reply: str = "",
        headers: Headers | None = None,
    ) -> None:
        self._server.carry(self._server.receive, subject, payload, reply, headers)

    async def subscribe(
        self, subject: str, *, cb: Callable[[Msg], Awaitable[None]], **_: Any
    ) -> "_Subscription":
        subscription = _Subscription(self._server, self, subject, cb)
        self._server.subscriptions.append(subscription)
        return subscription

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,  # noqa: ASYNC109  (nats-py's own signature)
        headers: Headers | None = None,
    ) -> Msg:
        inbox = self.new_inbox()
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        async def take(message: Msg) -> None:
            if not answer.done():
                answer.set_result(message)

        subscription = await self.subscribe(inbox, cb=take)
        try:
            await self.publish(subject, payload, inbox, headers)
            async with asyncio.timeout(timeout):
                message = await answer
        finally:
            await subscription.unsubscribe()
        if (message.headers or {}).get("Status") == "503":
            raise NoRespondersError
        return message

    async def flush(self, timeout: float = 10) -> None:  # noqa: ASYNC109  (as above)
        del timeout
        await asyncio.sleep(0)


class _Subscription:
    def __init__(
        self,
        server: FakeNats,
        client: FakeClient,
        subject: str,
        callback: Callable[[Msg], Awaitable[None]],
    ) -> None:
        self.subject = subject
        self._server, self._client, self._callback = server, client, callback
        self._queue: asyncio.Queue[Msg] = asyncio.Queue()
        self.task = asyncio.get_running_loop().create_task(self._work())

    def of(self, client: FakeClient) -> bool:
        """Tell whether a client made it."""
        return self._client is client

    def put(
        self, subject: str, body: bytes, reply: str, headers: Headers | None
    ) -> None:
        message = Msg(self._client, subject, reply, body, headers)  # type: ignore[arg-type]  # its twin
        self._queue.put_nowait(message)

    async def unsubscribe(self, limit: int = 0) -> None:
        del limit
        self._leave()
        self.task.cancel()

    async def drain(self) -> None:
        self._leave()
        await self._queue.join()
        self.task.cancel()

    def _leave(self) -> None:
        with suppress(ValueError):
            self._server.subscriptions.remove(self)

    async def _work(self) -> None:
        while True:
            message = await self._queue.get()
            await self._callback(message)
            self._queue.task_done()


@dataclass(slots=True)
class _Stored:
    subject: str
    body: bytes
    headers: Headers


@dataclass(slots=True)
class _Pull:
    inbox: str
    batch: int
    expires: float
    heartbeat: float
    active: float

    @classmethod
    def of(cls, request: Any, inbox: str) -> "_Pull":
        now = time.monotonic()
        return cls(
            inbox,
            request["batch"],
            now + request["expires"] / 1e9,
            request.get("idle_heartbeat", 0) / 1e9,
            now,
        )


@dataclass(slots=True)
class _Consumer:
    name: str
    config: dict[str, Any] = field(default_factory=dict)
    pulls: list[_Pull] = field(default_factory=list)
    last: int = 0
    pending: dict[int, float] = field(default_factory=dict)  # sequence -> due again
    deliveries: dict[int, int] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)

    def next_of(self, stream: "_Stream") -> tuple[int, _Stored] | None:
        now = time.monotonic()
        for number in sorted(n for n, due in self.pending.items() if due <= now):
            if number in stream.messages:
                return number, stream.messages[number]
        limit = self.config.get("max_ack_pending") or 1_000
        if len(self.pending) >= limit:
            return None
        for number in range(self.last + 1, stream.last + 1):
            stored = stream.messages.get(number)
            wanted = self.config.get("filter_subject") or ">"
            if stored is not None and _matches(wanted, stored.subject):
                return number, stored
            self.last = number
        return None

    def hand_out(self, number: int) -> None:
        wait = (self.config.get("ack_wait") or 30e9) / 1e9
        self.pending[number] = time.monotonic() + wait
        self.deliveries[number] = self.deliveries.get(number, 0) + 1
        self.last = max(self.last, number)

    def info(self, stream: "_Stream") -> Any:
        floor = min(self.pending, default=self.last + 1) - 1
        return {
            "stream_name": stream.name,
            "name": self.name,
            "created": "2026-01-01T00:00:00Z",
            "config": dict(self.config),
            "delivered": {"consumer_seq": 0, "stream_seq": self.last},
            "ack_floor": {"consumer_seq": 0, "stream_seq": floor},
            "num_ack_pending": len(self.pending),
            "num_pending": sum(n > self.last for n in stream.messages),
        }


@dataclass(slots=True)
class _Stream:
    name: str
    config: dict[str, Any] = field(default_factory=dict)
    messages: dict[int, _Stored] = field(default_factory=dict)
    consumers: dict[str, _Consumer] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    last: int = 0
    last_id: str = ""

    def append(self, subject: str, body: bytes, headers: Headers) -> Any:
        """Store unless known or not as expected, checked in the server's order."""
        message_id = headers.get("Nats-Msg-Id", "")
        if message_id in self.ids:
            known = self.ids[message_id]
            return {"stream": self.name, "seq": known, "duplicate": True}
        sequence = headers.get("Nats-Expected-Last-Sequence")
        if sequence is not None and int(sequence) != self.last:
            return _error(400, 10071, f"wrong last sequence: {self.last}")
        previous = headers.get("Nats-Expected-Last-Msg-Id")
        if previous is not None and previous != self.last_id:
            return _error(400, 10070, f"wrong last msg ID: {self.last_id}")
        on_subject = headers.get("Nats-Expected-Last-Subject-Sequence")
        of_subject = [n for n, m in self.messages.items() if m.subject == subject]
        if on_subject is not None and int(on_subject) != max(of_subject, default=0):
            return _error(400, 10071, "wrong last sequence")
        self.last += 1
        self.messages[self.last] = _Stored(subject, body, headers)
        if self.config.get("max_msgs_per_subject", -1) > 0:
            for number in of_subject:
                del self.messages[number]
        if message_id:
            self.ids[message_id] = self.last
        self.last_id = message_id
        return {"stream": self.name, "seq": self.last}

    def get(self, request: Any) -> Any:
        if wanted := request.get("last_by_subj"):
            found = [n for n, m in self.messages.items() if _matches(wanted, m.subject)]
            number = max(found, default=0)
        else:
            number = request["seq"]
        stored = self.messages.get(number)
        if stored is None:
            return _error(404, 10037, "no message found")
        lines = "".join(f"{key}: {value}\r\n" for key, value in stored.headers.items())
        return {
            "message": {
                "subject": stored.subject,
                "seq": number,
                "time": "2026-01-01T00:00:00Z",
                "hdrs": base64.b64encode(f"NATS/1.0\r\n{lines}\r\n".encode()).decode(),
                "data": base64.b64encode(stored.body).decode(),
            }
        }

    def info(self) -> Any:
        return {
            "config": dict(self.config),
            "state": {
                "messages": len(self.messages),
                "bytes": 0,
                "first_seq": min(self.messages, default=self.last + 1),
                "last_seq": self.last,
                "consumer_count": len(self.consumers),
            },
        }


def _stream_name(words: list[str]) -> str:
    """Find the stream in a request's subject: last, or before a durable's name."""
    return words[-2] if words[0] == "CONSUMER" else words[-1]


def _error(code: int, number: int, description: str) -> Any:
    return {
        "error": {"code": code, "err_code": number, "description": description.strip()}
    }


def _matches(pattern: str, subject: str) -> bool:
    wanted, words = pattern.split("."), subject.split(".")
    for index, word in enumerate(wanted):
        if word == ">":
            return len(words) > index
        if index >= len(words) or word not in {"*", words[index]}:
            return False
    return len(wanted) == len(words)

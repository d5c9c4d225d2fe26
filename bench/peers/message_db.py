"""message-db: an event store of functions in PostgreSQL (npm `@eventide/message-db`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg

from bench.peers.installing import npm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measuring import Run
    from events.envelope import Envelope

_PACKAGE: Final = "@eventide/message-db"
_VERSION: Final = "1.3.0"
_FILES: Final = (
    "roles/message-store",
    "schema/message-store",
    "tables/messages",
    "types/message",
    *(
        f"functions/{name}"
        for name in (
            "message-store-version",
            "hash-64",
            "acquire-lock",
            "category",
            "is-category",
            "id",
            "cardinal-id",
            "stream-version",
            "write-message",
        )
    ),
    "indexes/messages-id",
    "indexes/messages-stream",
    "indexes/messages-category",
)
"""As its own `install.sh` runs them, without what only reads; `gen_random_uuid`, for
which that loads an extension, is PostgreSQL's own by now."""
_WRITE: Final = "SELECT write_message(%s, %s, %s, %s::jsonb, NULL, %s)"


class MessageDb:
    """One connection, on which every message is a call, a batch a transaction."""

    def __init__(self, run: Run, url: str) -> None:
        """Install it into the database; raises Absent."""
        database = npm(run, _PACKAGE, _VERSION) / "node_modules" / _PACKAGE / "database"
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET client_min_messages = warning")
        for name in _FILES:
            text = (database / f"{name}.sql").read_text("utf-8")
            self._connection.execute(text.encode())
            self._connection.execute("SET search_path TO message_store, public")

    def append(self, events: Sequence[tuple[Envelope[Any], bytes]]) -> None:
        with self._connection.transaction():
            for event, body in events:
                given = (
                    f"{event.event_id}",
                    f"case-{event.case_id}",
                    event.type,
                    body.decode(),
                    event.version - 2,
                )
                self._connection.execute(_WRITE, given, prepare=True)

    def clear(self) -> int:
        """Delete all messages; give how many there were."""
        found = self._connection.execute("SELECT COUNT(*) FROM messages").fetchone()
        self._connection.execute("TRUNCATE messages")
        return found[0] if found else 0

    def close(self) -> None:
        self._connection.close()

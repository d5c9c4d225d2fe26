"""Finds cases by the words in what was written, without keeping a word.

Each word is kept as HMAC-SHA256 under a secret of the key database, cut to 8 bytes:
once beside the event that brought it, by which it is erased, and once among the words
of 256 neighbouring events, by which it is found. Whoever reads the store alone sees how
often an unknown word occurs, and which events share it; whoever has the secret too can
test guesses.
"""

from __future__ import annotations

import hmac
import itertools
import os
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.kernel.errors import RefusedError
from services.kernel.vault.words import cut, runs_of, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from services.kernel.store.database import Database, Dialect, Tx

FORM: Final = 2
"""Of what is kept; another one means that every text must be taken in again."""
WORDS_LIMIT: Final = 2_000
"""Different words of one text that are taken in: the first ones."""
WORDS_REMEMBERED: Final = 20_000
"""Digests kept in memory: most of a text are words that others have too."""
CASES_LIMIT: Final = 20_000
"""Cases that one search may have; with more the words are too common."""
PART: Final = 256
"""Neighbouring positions whose words lie together once all of them are taken in."""

_DIGEST: Final = 8
_ENTRY: Final = _DIGEST + 1  # and where in its part the event is
_CASE: Final = 16
_SHARDS: Final = 64  # of a part, by the first bits of the digest
_SECRET_SIZE: Final = 32
_SECRETS: Final = """CREATE TABLE IF NOT EXISTS vault_secret (
    name TEXT PRIMARY KEY, value BYTEA NOT NULL)"""
_KEY: Final[dict[Dialect, str]] = {"sqlite": "INTEGER", "postgres": "BIGINT"}
# Rows are only ever added behind the others, and overwritten in their own length: what
# is cheap to write, and leaves no copies of what is erased in a page of SQLite's.
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS worded (
        position {key} PRIMARY KEY, case_id UUID NOT NULL, subject_id UUID NOT NULL,
        digests BYTEA NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS worded_by_subject ON worded (subject_id)",
    """CREATE TABLE IF NOT EXISTS word_part (
        part {key} PRIMARY KEY, cases BYTEA NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS word_shard (
        place {key} PRIMARY KEY, entries BYTEA NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS word_reach (
        id {key} PRIMARY KEY, form BIGINT NOT NULL, position BIGINT NOT NULL)""",
    # What earlier forms kept.
    "DROP TABLE IF EXISTS document_word",
    "DROP TABLE IF EXISTS worded_document",
)
SWEPT: Final = ("worded", "word_shard")
"""The tables in which an erasure overwrites something."""
_HAVING: Final[dict[Dialect, str]] = {
    "sqlite": "instr(entries, ?) > 0",
    "postgres": "position(? IN entries) > 0",
}


@dataclass(frozen=True, slots=True)
class Worded:
    """The words that an event brought, ready to be kept: digest after digest."""

    position: int
    case_id: UUID
    subject_id: UUID
    digests: bytes


class WordIndex:
    """Which words came with which event, of which case and person.

    Events are taken in in the order of their positions, behind their commit; `reach`
    says how far that is. The words of a person go in the transaction that records the
    erasure.
    """

    def __init__(
        self,
        keys: Database,
        documents: Database,
        *,
        randbytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        keys.migrate((_SECRETS,))
        key = _KEY[documents.dialect]
        documents.migrate([table.format(key=key) for table in _TABLES])
        self._documents = documents
        with keys.write() as tx:
            tx.execute(
                "INSERT INTO vault_secret (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                ("word_index", randbytes(_SECRET_SIZE)),
            )
            row = tx.fetchone(
                "SELECT value FROM vault_secret WHERE name = ?", ("word_index",)
            )
        secret: bytes = row[0] if row else b""

        @lru_cache(WORDS_REMEMBERED)
        def digest(word: str) -> bytes:
            return hmac.digest(secret, word.encode(), "sha256")[:_DIGEST]

        self._digest = digest

    def digests(self, texts: Iterable[str]) -> bytes:
        """Give the digests of the different words of texts; writes nothing."""
        words = (itertools.islice(words_of(text), WORDS_LIMIT) for text in texts)
        return b"".join(
            dict.fromkeys(map(self._digest, itertools.chain.from_iterable(words)))
        )

    def reach(self, tx: Tx, *, alone: bool = False) -> int:
        """Give the position up to which everything is taken in.

        `alone`: nobody else takes in or erases until this transaction ends.
        """
        lock = " FOR UPDATE" if alone and tx.dialect == "postgres" else ""
        row = tx.fetchone(
            f"SELECT form, position FROM word_reach WHERE id = 1{lock}"  # noqa: S608 fixed words
        )
        return row[1] if row is not None and row[0] == FORM else 0

    def put(self, tx: Tx, given: Iterable[Worded], *, after: int, upto: int) -> None:
        """Keep what events behind `after`, where the reach is, up to `upto` brought."""
        if after == 0:  # what another form left
            for table in ("worded", "word_part", "word_shard"):
                tx.execute(f"DELETE FROM {table}")  # noqa: S608 fixed words
        tx.executemany(
            "INSERT INTO worded (position, case_id, subject_id, digests)"
            " VALUES (?, ?, ?, ?)",
            [
                (each.position, each.case_id, each.subject_id, each.digests)
                for each in given
                if each.digests
            ],
        )
        for part in range(_whole(after), _whole(upto)):
            _build(tx, part)
        tx.execute(
            "INSERT INTO word_reach (id, form, position) VALUES (1, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET form = excluded.form,"
            " position = excluded.position",
            (FORM, upto),
        )

    def find(self, tx: Tx, text: str) -> set[UUID]:
        """Give the cases in whose texts every word of the text stands.

        Raises RefusedError where they are too many. A text without a word finds none.
        """
        parts = _whole(self.reach(tx))
        found: set[bytes] | None = None
        for run in runs_of(text):
            having = self._having_run(tx, run, parts)
            found = having if found is None else found & having
            if not found:
                return set()
        if found is not None and len(found) > CASES_LIMIT:
            raise too_common()
        return {UUID(bytes=case) for case in found or ()}

    def search(self, text: str) -> set[UUID]:
        """As `find`, in a transaction of its own."""
        with self._documents.read() as tx:
            return self.find(tx, text)

    def erase(self, tx: Tx, subject_id: UUID) -> None:
        """Overwrite every word of a person."""
        parts = _whole(self.reach(tx, alone=True))
        rows = tx.fetchall(
            "SELECT position, digests FROM worded WHERE subject_id = ?", (subject_id,)
        )
        gone: defaultdict[int, list[bytes]] = defaultdict(list)
        for position, digests in rows:
            part, number = divmod(position, PART)
            if part < parts:
                for digest in _cut_up(digests, _DIGEST):
                    gone[_place(part, digest)].append(digest + bytes([number]))
        for place, entries in gone.items():
            row = tx.fetchone(
                "SELECT entries FROM word_shard WHERE place = ?", (place,)
            )
            if row is not None:
                tx.execute(
                    "UPDATE word_shard SET entries = ? WHERE place = ?",
                    (_without(row[0], entries), place),
                )
        tx.executemany(
            "UPDATE worded SET digests = ? WHERE position = ?",
            [(bytes(len(digests)), position) for position, digests in rows],
        )

    def _having_run(self, tx: Tx, run: str, parts: int) -> set[bytes]:
        """Give the cases with this run as one word, or else with all of its words.

        The same run may be cut otherwise where more stands round it.
        """
        found = self._having(tx, run, parts)
        words = cut(run, search=False)
        if words == [run]:
            return found
        apart = (self._having(tx, word, parts) for word in words)
        return found | set.intersection(*apart)

    def _having(self, tx: Tx, word: str, parts: int) -> set[bytes]:
        digest = self._digest(word)
        # Each part in its turn: a search costs as many looks as there are parts.
        rows = tx.fetchall(
            "WITH RECURSIVE parts (part) AS (SELECT CAST(0 AS BIGINT) UNION ALL"  # noqa: S608 fixed words
            " SELECT part + 1 FROM parts WHERE part + 1 < ?) SELECT"
            " (SELECT cases FROM word_part WHERE word_part.part = parts.part), entries"
            " FROM parts, word_shard WHERE place = part * ? + ?"
            f" AND {_HAVING[tx.dialect]}",
            (parts, _SHARDS, _shard(digest), digest),
        )
        found: set[bytes] = set()
        for cases, entries in rows:
            found |= {
                cases[number * _CASE : (number + 1) * _CASE]
                for number in (entries[at + _DIGEST] for at in _at(digest, entries))
            }
        rest = tx.fetchall(
            "SELECT case_id, digests FROM worded WHERE position >= ?", (parts * PART,)
        )
        for case_id, digests in rest:
            if digest in _cut_up(digests, _DIGEST):
                found.add(case_id.bytes)
        return found


def too_common() -> RefusedError:
    return RefusedError(
        "search.too_common",
        f"More than {CASES_LIMIT} cases have this: add a word, or a number.",
    )


def _whole(position: int) -> int:
    """Count the parts that are whole when everything up to a position is taken in."""
    return (position + 1) // PART


def _shard(digest: bytes) -> int:
    return digest[0] * _SHARDS // 256


def _place(part: int, digest: bytes) -> int:
    return part * _SHARDS + _shard(digest)


def _cut_up(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def _at(wanted: bytes, entries: bytes) -> Iterator[int]:
    """Give where entries begin that begin with these bytes."""
    at = entries.find(wanted)
    while at >= 0:
        if at % _ENTRY == 0:
            yield at
        at = entries.find(wanted, at + 1)


def _without(entries: bytes, gone: Iterable[bytes]) -> bytes:
    """Overwrite some entries with zeros, which are no word's."""
    left = bytearray(entries)
    for entry in gone:
        for at in _at(entry, entries):
            left[at : at + _ENTRY] = bytes(_ENTRY)
    return bytes(left)


def _build(tx: Tx, part: int) -> None:
    """Lay the words of a part's events together, those of one shard in one row."""
    first = part * PART
    rows = tx.fetchall(
        "SELECT position, case_id, digests FROM worded"
        " WHERE position >= ? AND position < ?",
        (first, first + PART),
    )
    if not rows:
        return
    cases = bytearray(PART * _CASE)
    shards = [bytearray() for _ in range(_SHARDS)]
    for position, case_id, digests in rows:
        number = position - first
        cases[number * _CASE : (number + 1) * _CASE] = case_id.bytes
        behind = bytes([number])
        if any(digests):  # else the person was erased
            for digest in _cut_up(digests, _DIGEST):
                shards[_shard(digest)] += digest + behind
    tx.execute(
        "INSERT INTO word_part (part, cases) VALUES (?, ?)", (part, bytes(cases))
    )
    tx.executemany(
        "INSERT INTO word_shard (place, entries) VALUES (?, ?)",
        [
            (part * _SHARDS + shard, bytes(entries))
            for shard, entries in enumerate(shards)
            if entries
        ],
    )

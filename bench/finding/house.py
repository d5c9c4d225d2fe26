"""Intake over a database of its own, without HTTP and broker, with words or without."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from events import codec
from services.intake.application.registering import Registrar
from services.intake.application.submitting import Intake as Submitting
from services.intake.persistence import IntakeRecord, texts
from services.kernel.access import OPERATOR
from services.kernel.clock import new_uuid7, system_clock
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database
from services.kernel.store.writer import Writer
from services.kernel.vault import (
    BlindIndex,
    Files,
    FolderObjects,
    Uploads,
    Vault,
    WordFollower,
    WordIndex,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FILES = 10**6


class Intake:
    """What registers complaints; `at_once` has each batch wait until its words are found."""

    def __init__(self, folder: Path, *, words: bool, at_once: bool) -> None:
        folder.mkdir()
        keys, self._database = (
            open_database(f"sqlite://{folder / name}", schema=name, secure_delete=True)
            for name in ("keys", "store")
        )
        store = open_store(self._database, name="intake", codec=codec, now=system_clock)
        vault, index = Vault(keys, self._database), WordIndex(keys, self._database)
        objects = FolderObjects(folder / "objects")
        files = Files(keys, self._database, objects, vault)
        uploads = Uploads(keys, self._database, objects, limit=_FILES, now=system_clock)
        record = IntakeRecord(
            store,
            vault,
            files,
            BlindIndex(keys, self._database, region="CN"),
            index,
            keys=keys,
        )
        self._writer = Writer("bench")
        registrar = Registrar(
            record,
            vault,
            files,
            uploads,
            tenant="bench",
            now=system_clock,
            new_id=new_uuid7,
        )
        self._submitting = Submitting(
            record,
            registrar,
            uploads,
            writer=self._writer,
            now=system_clock,
            new_id=new_uuid7,
        )
        self._follower = WordFollower(
            "intake",
            store,
            self._database,
            self._writer,
            index=index,
            vault=vault,
            texts=texts,
            erased=record.erasures.among,
        )
        self._words, self._at_once = words, at_once

    def start(self) -> None:
        self._writer.start()
        if self._words and not self._at_once:
            self._follower.start()

    async def stop(self) -> None:
        await self._follower.stop()
        await asyncio.to_thread(self._writer.stop)
        self._database.close()

    async def register(
        self, complaints: Sequence[dict[str, Any]], at_once: int
    ) -> tuple[float, float]:
        """Give the seconds until all have receipts, and those until all are found."""
        begun = time.perf_counter()
        for start in range(0, len(complaints), at_once):
            await asyncio.gather(
                *(
                    self._submitting.submit(
                        each, key=None, caller=OPERATOR, correlation_id="bench"
                    )
                    for each in complaints[start : start + at_once]
                )
            )
            if self._words and self._at_once:
                await self._caught_up()
        registered = time.perf_counter()
        if self._words:
            await self._caught_up()
        return registered - begun, time.perf_counter() - registered

    def bytes_per_word(self) -> float:
        """Give the bytes of the index, as rows, for each different word of a text."""
        with self._database.read() as tx:
            row = tx.fetchone(
                "SELECT (SELECT SUM(length(digests)) FROM worded),"
                " (SELECT SUM(length(entries)) FROM word_shard),"
                " (SELECT SUM(length(cases)) FROM word_part)"
            )
        words, *beside = (each or 0 for each in row or (0, 0, 0))
        return (words + sum(beside)) / max(1, words // 8)

    async def _caught_up(self) -> None:
        while await self._follower.caught_up() is not None:
            continue

"""A service's record, opened as one: database, event store, ledger and its sealer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from services.kernel.ledger.checkpoint import load_signer
from services.kernel.ledger.sealer import Sealer
from services.kernel.ledger.tree import Ledger
from services.kernel.store.application import Codec, EventStore, open_store
from services.kernel.store.database import Database, open_database

if TYPE_CHECKING:
    from services.kernel.clock import Clock
    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings

E = TypeVar("E")

SIGNING_KEY = "ledger.key"


@dataclass(frozen=True, slots=True)
class Record(Generic[E]):
    """What `open_record` gives; `start` and `stop` frame the life of the sealer."""

    database: Database
    store: EventStore[E]
    sealer: Sealer | None

    def start(self) -> None:
        if self.sealer is not None:
            self.store.on_commit(self.sealer.wake)
            self.sealer.start()

    def stop(self) -> None:
        """Seal what is left and close the database; the writers have ended before."""
        if self.sealer is not None:
            self.sealer.stop()
        self.database.close()


def open_record(
    settings: Settings,
    folder: DataFolder,
    *,
    name: str,
    codec: Codec[E],
    now: Clock,
    secure_delete: bool = False,
) -> Record[E]:
    """Open or make the record of service `name`, with a signing key of its own.

    Raises `RefusedError` for a database of another service or of a newer amends.
    """
    private = folder.service(name)
    database = open_database(
        folder.database_url(name, "store", server=settings.database_url),
        schema=name,
        secure_delete=secure_delete,
    )
    signer = load_signer(private / SIGNING_KEY, origin(settings.tenant, name))
    ledger = Ledger(database, signer)
    on_one_writer = database.dialect == "sqlite"
    store = open_store(
        database,
        name=name,
        codec=codec,
        now=now,
        ledger=ledger if on_one_writer else None,
    )
    return Record(database, store, None if on_one_writer else Sealer(database, ledger))


def open_record_for_reading(
    settings: Settings, folder: DataFolder, *, name: str, codec: Codec[E], now: Clock
) -> Record[E]:
    """Open the record that another process writes; nothing can be put into it."""
    database = open_database(
        folder.database_url(name, "store", server=settings.database_url),
        schema=name,
        read_only=True,
    )
    return Record(database, open_store(database, name=name, codec=codec, now=now), None)


def origin(tenant: str, name: str) -> str:
    """Name a ledger in its checkpoints: who keeps it, and which one it is."""
    return f"amends/{tenant}/{name}"

"""What people wrote, sealed with a key for each person, and the index that finds it."""

from services.kernel.vault.documents import (
    DamagedError,
    Document,
    ErasedError,
    Sealed,
    Tombstone,
    Vault,
)
from services.kernel.vault.index import BlindIndex
from services.kernel.vault.readings import (
    ACTS,
    NOTHING,
    Act,
    Reading,
    ReadingPage,
    Readings,
    Wanted,
    exported,
    searched,
)

__all__ = [
    "ACTS",
    "NOTHING",
    "Act",
    "BlindIndex",
    "DamagedError",
    "Document",
    "ErasedError",
    "Reading",
    "ReadingPage",
    "Readings",
    "Sealed",
    "Tombstone",
    "Vault",
    "Wanted",
    "exported",
    "searched",
]

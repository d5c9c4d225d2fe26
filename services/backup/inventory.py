"""What an installation consists of: its databases, and the files beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from services.kernel.files import OBJECTS
from services.kernel.folder import DEMONSTRATION, STAGING
from services.kernel.record import SIGNING_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.kernel.folder import DataFolder


class Store(NamedTuple):
    """One database: a file of a service's folder, or a schema on a server."""

    service: str
    file: str
    keys: bool = False

    @property
    def schema(self) -> str:
        return f"{self.service}_keys" if self.keys else self.service

    @property
    def path(self) -> str:
        return f"{self.service}/{self.file}.sqlite"


STORES: Final = (
    Store("intake", "store"),
    Store("handling", "store"),
    Store("access", "store"),
    Store("analytics", "facts"),
    # Behind the records: whoever writes a key inside a record's transaction locks so.
    Store("intake", "keys", keys=True),
    Store("handling", "keys", keys=True),
    Store("analytics", "keys", keys=True),
)
RECORDS: Final = ("intake", "handling", "access")
"""Those that hold events, a ledger and an epoch."""

_SECRETS: Final = (
    "services.token",
    DEMONSTRATION,
    STAGING,
    "departments/*",
    "channels/*",
    "nats/services.nk",
    "nats/nats.conf",
    f"*/{SIGNING_KEY}",
)
_DRAFTS: Final = (".draft", ".new", ".lock")


def store_of(service: str) -> Store:
    """Give the database of a record."""
    return next(each for each in STORES if each.service == service and not each.keys)


def keys_of(service: str) -> Store:
    """Give the database of a service's keys."""
    return next(each for each in STORES if each.service == service and each.keys)


def secrets(folder: DataFolder) -> Iterator[Path]:
    """Give tokens, nkeys, signing keys and marks, relative to the folder."""
    for pattern in _SECRETS:
        for path in sorted(folder.path.glob(pattern)):
            if path.is_file() and path.suffix not in _DRAFTS:
                yield path.relative_to(folder.path)


def objects(folder: DataFolder) -> Iterator[Path]:
    """Give the sealed pieces of files, relative to the folder."""
    for place in sorted(folder.path.glob(f"*/{OBJECTS}")):
        for path in sorted(place.rglob("*")):
            if path.is_file() and path.suffix not in _DRAFTS:
                yield path.relative_to(folder.path)

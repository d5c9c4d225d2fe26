"""Handling put together: the only place that knows its concrete parts."""

from __future__ import annotations

from contextlib import closing, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from events import codec
from services.handling.api import access, cases
from services.handling.application import Handling
from services.handling.persistence import WorkList
from services.kernel.clock import system_clock
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings

NAME = "handling"


@contextmanager
def open_for_reading(settings: Settings, folder: DataFolder) -> Iterator[Handling]:
    """Open the record beside whatever runs; nothing can be written through it."""
    with closing(
        open_database(
            folder.database_url(NAME, "store", server=settings.database_url),
            schema=NAME,
            read_only=True,
        )
    ) as database:
        store = open_store(database, name=NAME, codec=codec, now=system_clock)
        yield Handling(store, WorkList(database))

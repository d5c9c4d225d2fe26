"""Objects in a bucket of S3, or of anything that speaks it; needs the extra `s3`."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from services.kernel.errors import MisuseError, NotFoundError, UnavailableError

try:
    import obstore
    from obstore import exceptions
    from obstore.store import S3Store
except ModuleNotFoundError:
    raise MisuseError(
        "objects.extra_missing",
        "AMENDS_OBJECTS_URL names a bucket, and the library for it is missing:"
        ' pip install "amends[s3]"',
    ) from None

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from obstore import ObjectMeta

PATIENCE: Final = timedelta(seconds=20)
"""How long one call tries again before it says that the bucket is away."""

_log = structlog.get_logger(__name__)


class BucketObjects:
    """Objects of a bucket: `<prefix>/<service>/objects/ab/<id of the file>/<number>`.

    The names are those of a folder of objects, so that one may be copied to the other.
    Keys, region and address come from the variables that all tools for S3 read, such as
    AWS_ACCESS_KEY_ID. Every method raises UnavailableError (`vault.objects_away`) where
    the bucket does not answer or refuses.
    """

    def __init__(self, url: str, service: str) -> None:
        self._store = S3Store.from_url(
            f"{url.rstrip('/')}/{service}/objects",
            client_options={
                "timeout": PATIENCE,
                "connect_timeout": timedelta(seconds=5),
                "allow_http": True,  # for an address that says so; all is sealed
            },
            retry_config={
                "max_retries": 5,
                "retry_timeout": PATIENCE,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=3),
                    "base": 2,
                },
            },
        )

    def put(self, file_id: UUID, piece: int, content: bytes) -> None:
        with _reached():
            obstore.put(
                self._store, f"{_place(file_id)}/{piece}", content, use_multipart=False
            )

    def get(self, file_id: UUID, piece: int) -> bytes:
        with _reached():
            try:
                found = obstore.get(self._store, f"{_place(file_id)}/{piece}")
                return found.bytes().to_bytes()
            except (exceptions.NotFoundError, FileNotFoundError):
                raise NotFoundError(
                    "vault.no_piece",
                    "A piece of this file is missing: restore objects/ from the backup.",
                ) from None

    def remove(self, file_id: UUID) -> None:
        with _reached():
            for some in obstore.list(self._store, _place(file_id)):
                obstore.delete(self._store, [each["path"] for each in some])

    def files(self) -> Iterator[tuple[UUID, datetime]]:
        with _reached():
            # S3 lists by name: what lies at one place comes together.
            for place, pieces in groupby(self._all(), key=_place_of):
                with suppress(ValueError):
                    yield UUID(hex=place), max(each["last_modified"] for each in pieces)

    def room(self) -> int:
        """Say that there is enough: a bucket has no end."""
        return sys.maxsize

    def _all(self) -> Iterator[ObjectMeta]:
        for some in obstore.list(self._store):
            yield from some


def _place(file_id: UUID) -> str:
    return f"{file_id.hex[:2]}/{file_id.hex}"


def _place_of(found: ObjectMeta) -> str:
    """Give what names the file; of something foreign, what is no name."""
    _, place, *_ = (*found["path"].split("/"), "", "")
    return place


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (exceptions.BaseError, OSError) as error:
        _log.warning("files.objects_away", reason=str(error).partition("\n")[0])
        raise UnavailableError(
            "vault.objects_away",
            "The store of files does not answer: try again in a moment.",
        ) from error

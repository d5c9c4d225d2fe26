"""Files of one service over real databases and a real folder, with a clock of the test."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from services.kernel.errors import NotFoundError
from services.kernel.store.database import Database
from services.kernel.vault import (
    Files,
    FolderObjects,
    Objects,
    SealedFile,
    Upload,
    Uploads,
    Vault,
)
from services.kernel.vault.uploads import Scanner

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
LIMIT = 200 * 1000**2


class MemoryObjects:
    """`Objects` in memory: what every store of objects must do, and no more."""

    def __init__(self) -> None:
        self.kept: dict[UUID, dict[int, bytes]] = {}

    def put(self, file_id: UUID, piece: int, content: bytes) -> None:
        self.kept.setdefault(file_id, {})[piece] = content

    def get(self, file_id: UUID, piece: int) -> bytes:
        try:
            return self.kept[file_id][piece]
        except KeyError:
            raise NotFoundError("vault.no_piece", "Restore it.") from None

    def remove(self, file_id: UUID) -> None:
        self.kept.pop(file_id, None)

    def files(self) -> Iterator[tuple[UUID, dt.datetime]]:
        for file_id in self.kept:
            yield file_id, dt.datetime.fromtimestamp(0, dt.UTC)

    def room(self) -> int:
        return 2**40


@dataclass
class Shelf:
    """Vault, files and uploads of one service."""

    keys: Database
    store: Database
    objects: Objects
    vault: Vault
    files: Files
    uploads: Uploads
    moments: list[dt.datetime] = field(default_factory=lambda: [NOW])

    def uploaded(
        self,
        content: bytes,
        *,
        name: str = "leak.jpg",
        owner: str = "ann",
        cuts: Iterable[int] = (),
    ) -> Upload:
        """Have a file uploaded, interrupted at the offsets of `cuts`, and looked at."""
        return upload(self.uploads, content, name=name, owner=owner, cuts=cuts)

    def sealed(
        self, upload: Upload, *, number: int = 1, subject: UUID, owner: str = "ann"
    ) -> SealedFile:
        self.vault.ensure_keys([subject])
        return self.files.seal(
            self.uploads.ready(upload.upload_id, owner=owner, field="file"),
            document_id=UUID(int=100 + number),
            subject_id=subject,
            kind="photo",
        )

    def given(
        self, content: bytes, *, number: int = 1, subject: UUID, name: str = "leak.jpg"
    ) -> UUID:
        """Go the whole way: upload a file and give it to a person."""
        upload = self.uploaded(content, name=name)
        sealed = self.sealed(upload, number=number, subject=subject)
        with self.store.write() as tx:
            self.files.put(tx, [sealed])
        return sealed.manifest.document_id


def upload(
    uploads: Uploads,
    content: bytes,
    *,
    name: str,
    owner: str,
    cuts: Iterable[int] = (),
) -> Upload:
    made = uploads.create(owner=owner, size=len(content), name=name)
    at = 0
    for end in (*cuts, len(content)):
        receiving = uploads.hold(made.upload_id, owner=owner, offset=at)
        receiving.take(content[at:end])
        receiving.release()
        at = end
    return uploads.inspect(made.upload_id, owner=owner)


def in_memory(
    keys: Database, documents: Database, vault: Vault
) -> tuple[Files, Uploads]:
    """Files and uploads whose pieces lie in memory."""
    objects = MemoryObjects()
    return (
        Files(keys, documents, objects, vault),
        Uploads(keys, documents, objects, limit=LIMIT, now=lambda: NOW),
    )


def shelf(
    make_database: Callable[..., Database],
    folder: Path,
    *,
    limit: int = LIMIT,
    scanner: Scanner | None = None,
    moments: list[dt.datetime] | None = None,
) -> Shelf:
    moments = [NOW] if moments is None else moments
    keys = make_database("keys", secure_delete=True)
    store = make_database("store", secure_delete=True)
    objects = FolderObjects(folder)
    vault = Vault(keys, store)
    return Shelf(
        keys,
        store,
        objects,
        vault,
        Files(keys, store, objects, vault),
        Uploads(
            keys,
            store,
            objects,
            limit=limit,
            now=lambda: moments[-1],
            scanner=scanner,
        ),
        moments,
    )

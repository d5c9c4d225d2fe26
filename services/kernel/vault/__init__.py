"""What people wrote, sealed with a key for each person, and the index that finds it."""

from services.kernel.vault.documents import (
    DamagedError,
    Document,
    ErasedError,
    Inventory,
    Sealed,
    Tombstone,
    Vault,
)
from services.kernel.vault.erasures import Cleaner, Erased, Erasures
from services.kernel.vault.files import File, Files, SealedFile, Uploaded
from services.kernel.vault.index import KINDS, MARKS, BlindIndex, normalise, searchable
from services.kernel.vault.indexing import Indexing
from services.kernel.vault.objects import FolderObjects, Objects, open_objects
from services.kernel.vault.readings import (
    ACTS,
    AUDIT,
    NOTHING,
    Act,
    Reading,
    ReadingPage,
    Readings,
    Wanted,
    exported,
    searched,
    usual_purpose,
)
from services.kernel.vault.uploads import Receiving, Upload, Uploads
from services.kernel.vault.word_follower import Text, WordFollower
from services.kernel.vault.word_index import CASES_LIMIT, WordIndex, too_common
from services.kernel.vault.words import spelled

__all__ = [
    "ACTS",
    "AUDIT",
    "CASES_LIMIT",
    "KINDS",
    "MARKS",
    "NOTHING",
    "Act",
    "BlindIndex",
    "Cleaner",
    "DamagedError",
    "Document",
    "Erased",
    "ErasedError",
    "Erasures",
    "File",
    "Files",
    "FolderObjects",
    "Indexing",
    "Inventory",
    "Objects",
    "Reading",
    "ReadingPage",
    "Readings",
    "Receiving",
    "Sealed",
    "SealedFile",
    "Text",
    "Tombstone",
    "Upload",
    "Uploaded",
    "Uploads",
    "Vault",
    "Wanted",
    "WordFollower",
    "WordIndex",
    "exported",
    "normalise",
    "open_objects",
    "searchable",
    "searched",
    "spelled",
    "too_common",
    "usual_purpose",
]

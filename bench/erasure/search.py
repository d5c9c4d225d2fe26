"""Search every byte of every file for marks and for bytes that must be gone."""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from bench.erasure.marks import Marks

_HEAD: Final = 8
_PAGE: Final = 4096


class Needle(NamedTuple):
    """Bytes that must be nowhere any more, and what they were."""

    content: bytes
    what: str


class Residue(NamedTuple):
    """Something of somebody that was found, where and in which form."""

    place: str
    what: str
    number: int | None


@dataclass(slots=True)
class Searched:
    """How many bytes were looked at in each place, and what was found there."""

    bytes_of: Counter[str] = field(default_factory=Counter)
    files_of: Counter[str] = field(default_factory=Counter)
    residues: list[Residue] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.bytes_of.values())


class Search:
    """Looks for marks of erased people, and for needles."""

    def __init__(
        self,
        marks: Marks,
        erased: Collection[int],
        needles: Collection[Needle],
    ) -> None:
        self._marks = marks
        self._erased = frozenset(erased)
        self._heads: dict[bytes, list[Needle]] = {}
        for needle in needles:
            self._heads.setdefault(needle.content[:_HEAD], []).append(needle)

    def through(self, places: Mapping[str, Path]) -> Searched:
        """Search files and folders; a folder's files count by their own places."""
        searched = Searched()
        for place, root in places.items():
            for path in _files(root):
                name = place
                if root.is_dir() and place == "data":
                    name = _place_of(path.relative_to(root).parts)
                try:
                    data = path.read_bytes()
                except FileNotFoundError:  # the broker replaces its files
                    continue
                searched.files_of[name] += 1
                searched.bytes_of[name] += len(data)
                searched.residues += self.within(name, data)
                if zipfile.is_zipfile(path):
                    with zipfile.ZipFile(path) as archive:
                        for member in archive.namelist():
                            content = archive.read(member)
                            searched.bytes_of[name] += len(content)
                            searched.residues += self.within(name, content)
        return searched

    def within(self, place: str, data: bytes) -> Iterator[Residue]:
        for number, form in self._marks.found(data):
            if number in self._erased:
                yield Residue(place, form, number)
        for needle in self._needles_in(data):
            yield Residue(place, needle.what, None)

    def _needles_in(self, data: bytes) -> Iterator[Needle]:
        """Look at every offset; empty pages of a database are passed over."""
        heads = self._heads
        if not heads:
            return
        for start in range(0, len(data), _PAGE):
            page = data[start : start + _PAGE + _HEAD - 1]
            if not any(page):
                continue
            found = {page[at : at + _HEAD] for at in range(len(page))} & heads.keys()
            for head in found:
                for needle in heads[head]:
                    at = data.find(needle.content, start)
                    if start <= at < start + _PAGE:
                        yield needle


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path


def _place_of(parts: tuple[str, ...]) -> str:
    """Name a place in the data folder: `intake store`, `intake store-wal`, `broker`."""
    if parts[0] in {"intake", "handling", "analytics", "access"}:
        name = parts[1] if len(parts) == 2 else f"{parts[1]}/"  # noqa: PLR2004 a file
        return f"{parts[0]} {name}".replace(".sqlite", "")
    return f"{parts[0]}/" if len(parts) > 1 else parts[0]

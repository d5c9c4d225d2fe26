"""P10: a person's data can be erased, and the history still proves itself.

A real amends takes in people with a mark in every field, note and file; half of them are
erased; then every byte of every file is searched: databases with their logs, the
broker's store, log, temporary folder, exports, and a fresh backup. The others' data must
be whole. The control leaves out the step that destroys keys and cleans files.
"""

from __future__ import annotations

import base64
import io
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from bench.erasure.marks import Marks
from bench.erasure.people import Crowd, Somebody
from bench.erasure.running import Amends
from bench.erasure.search import Needle, Search
from bench.line import BROKEN, KEPT, line, options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.erasure.search import Searched
    from bench.line import Options, Size

SUBJECTS: Final[Mapping[Size, int]] = {"ci": 200, "night": 1_000}
EXPORTS: Final = "exports"
SHOWN: Final = 20
"""Residues that are named before the line."""

_SERVICES: Final = ("intake", "handling")
_WORD: Final = 8
"""Bytes of the digest of a word."""
_EDGE: Final = 24
"""Bytes at both ends of sealed words that are looked for."""


def main() -> int:
    given = options(__doc__ or "")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="amends-p10-") as folder:
        figures = run(Path(folder), given, subjects=SUBJECTS[given.size])
    figures["seconds"] = round(time.monotonic() - begun)
    figures["seed"] = given.seed
    print(line("P10", figures))
    intact, _, stay = str(figures["intact"]).partition("/")
    whole = intact == stay and figures["verify"] == "ok"
    kept = whole and figures["residues"] == 0
    return KEPT if kept else BROKEN


def run(folder: Path, given: Options, *, subjects: int) -> dict[str, Any]:
    """Take in, erase every second person, search; gives the figures of the line."""
    chance = random.Random(given.seed)  # noqa: S311 it must repeat
    marks = Marks(chance)
    module = "bench.erasure.unclean" if given.control else "services.cli"
    amends = Amends(folder, module=module)
    with amends.running() as client:
        crowd = Crowd(client, marks, subjects)
        crowd.upload()
        upload_keys = list(_keys_of_uploads(amends.data, crowd.people))
        crowd.hand_in()
        crowd.handle()
        order = chance.sample(crowd.people, len(crowd.people))
        gone, stay = order[::2], order[1::2]
        needles = [*upload_keys_of(upload_keys, gone), *_needles(amends.data, gone)]
        _self_check(marks, gone, needles)
        for somebody in gone:
            crowd.erase(somebody)
        crowd.await_erased(gone, cleaned=not given.control)
        intact = sum(_whole(crowd.export(each), marks, each) for each in stay)
        _exported(amends, folder / EXPORTS, stay[:3])
        verify = amends.verb("audit", "verify")
        backup = folder / "backup"
        shutil.copytree(
            amends.data, backup, ignore=shutil.ignore_patterns("keys.sqlite*", "*.sock")
        )
        search = Search(marks, {each.number for each in gone}, needles)
        places = {
            "data": amends.data,
            "log": amends.log.parent,
            "temporary": amends.temporary,
            EXPORTS: folder / EXPORTS,
            "backup": backup,
        }
        searched = search.through(places)
    rows = _rows_left(amends.data, gone)
    _tell(searched, rows)
    return {
        "subjects": len(crowd.people),
        "erased": len(gone),
        "places": len(searched.files_of),
        "bytes": searched.total,
        "residues": len(searched.residues) + sum(rows.values()),
        "intact": f"{intact}/{len(stay)}",
        "verify": "ok" if verify.returncode == 0 else "broken",
    }


def _rows(data: Path, service: str, file: str, sql: str) -> list[tuple[Any, ...]]:
    path = data / service / f"{file}.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def _keys_of_uploads(
    data: Path, people: Iterable[Somebody]
) -> Iterable[tuple[int, bytes]]:
    """Give the key that each uploaded file has before it belongs to somebody."""
    owners = {
        UUID(each.uploaded).bytes: each.number for each in people if each.uploaded
    }
    for upload, secret in _rows(
        data, "intake", "keys", "SELECT upload_id, secret FROM upload_key"
    ):
        yield owners[upload], secret


def upload_keys_of(
    keys: Iterable[tuple[int, bytes]], gone: Sequence[Somebody]
) -> Iterable[Needle]:
    numbers = {each.number for each in gone}
    return [
        needle
        for number, secret in keys
        if number in numbers
        for needle in _key_needles(secret, "key of a file")
    ]


def _needles(data: Path, gone: Sequence[Somebody]) -> Iterable[Needle]:
    """Read, before the erasure, the bytes that must be nowhere after it."""
    subjects = {each.subject_id.bytes for each in gone}
    cases = {UUID(each.case_id).bytes for each in gone}
    for service in _SERVICES:
        yield from _words(data, service, subjects)
        for secret in _theirs(
            data, service, subjects, "secret", "vault_key", file="keys"
        ):
            yield from _key_needles(secret, f"{service}'s key")
        for sealed in _theirs(data, service, subjects, "ciphertext", "vault_document"):
            yield Needle(sealed[:_EDGE], "sealed words")
            yield Needle(sealed[-_EDGE:], "sealed words")
    for digest in _theirs(data, "intake", subjects, "digest", "blind_mark"):
        yield Needle(digest, "mark")
    for service, table in (("intake", "submission"), ("handling", "command_key")):
        for digest in _theirs(data, service, cases, "digest", table, of="case_id"):
            yield Needle(digest, "digest of what was sent")
    for file_id in _theirs(data, "intake", subjects, "file_id", "vault_file"):
        for piece in (data / "intake" / "objects").rglob(f"{UUID(bytes=file_id)}/*"):
            yield Needle(piece.read_bytes()[:_EDGE], "piece of a file")


def _theirs(
    data: Path,
    service: str,
    owners: set[bytes],
    column: str,
    table: str,
    *,
    file: str = "store",
    of: str = "subject_id",
) -> list[bytes]:
    rows = _rows(data, service, file, f"SELECT {of}, {column} FROM {table}")  # noqa: S608 fixed words
    return [value for owner, value in rows if owner in owners]


def _words(data: Path, service: str, subjects: set[bytes]) -> Iterable[Needle]:
    """Give the digests of words that erased people have, and nobody else."""
    rows = [
        (subject, digests[at : at + _WORD])
        for subject, digests in _rows(
            data, service, "store", "SELECT subject_id, digests FROM worded"
        )
        for at in range(0, len(digests), _WORD)
    ]
    others = {digest for subject, digest in rows if subject not in subjects}
    theirs = {digest for subject, digest in rows if subject in subjects}
    return [Needle(digest, "digest of a word") for digest in theirs - others]


def _key_needles(secret: bytes, what: str) -> Iterable[Needle]:
    yield Needle(secret, what)
    yield Needle(secret.hex().encode(), f"{what} in hexadecimal")
    yield Needle(base64.b64encode(secret), f"{what} in base64")


def _self_check(
    marks: Marks, gone: Sequence[Somebody], needles: Sequence[Needle]
) -> None:
    """Plant one thing of each sort, and stop where the search does not find it."""
    number = gone[0].number
    plain = marks.both(number, "planted")
    planted = {
        "utf-8": plain.encode(),
        "utf-16-le": plain.encode("utf-16-le"),
        "utf-16-be": plain.encode("utf-16-be"),
        "Chinese gb18030": plain.encode("gb18030"),
        "escaped in JSON": ascii(plain).encode(),
        "telephone": marks.phone(number).encode(),
        "base64": base64.b64encode(plain.encode()),
    } | {needle.what: needle.content for needle in needles}
    search = Search(marks, {number}, needles)
    for what, content in planted.items():
        for begin in (0, 4_090):  # also where one page ends and the next begins
            found = search.within(
                "planted", b"\0" * begin + b"\x07" + content + b"\x07"
            )
            if what not in {each.what for each in found}:
                raise RuntimeError(f"the search does not find what is planted: {what}")


def _whole(content: bytes, marks: Marks, somebody: Somebody) -> bool:
    """Tell whether everything that somebody gave is in their export."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        texts = {
            name: archive.read(name).decode(errors="replace")
            for name in archive.namelist()
        }
    said = "\n".join(texts.values())
    wanted = ["statement", "wish", "name", "model", "S-", "L-", "O-", "U-", "attached"]
    if somebody.basis != "unlawful":
        wanted.append("explained" if somebody.basis == "request" else "noted")
    if somebody.uploaded:
        wanted.append("in a file")
    return (
        all(marks.both(somebody.number, what) in said for what in wanted)
        and marks.phone(somebody.number) in said
        and '"missing": []' in texts["person.json"]
    )


def _exported(amends: Amends, folder: Path, people: Sequence[Somebody]) -> None:
    folder.mkdir()
    for each in people:
        to = str(folder / f"{each.number}.zip")
        done = amends.verb("privacy", "export", each.receipt_no, "--to", to)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)


def _rows_left(data: Path, gone: Sequence[Somebody]) -> Counter[str]:
    """Count rows that still hold something of erased people."""
    subjects = {each.subject_id.bytes for each in gone}
    left: Counter[str] = Counter()
    for service in _SERVICES:
        for table, condition in (
            ("vault_document", "nonce <> zeroblob(12)"),
            ("worded", "digests <> zeroblob(length(digests))"),
            ("vault_file", "1"),
            ("blind_mark", "1"),
        ):
            if table == "blind_mark" and service == "handling":
                continue
            sql = f"SELECT subject_id FROM {table} WHERE {condition}"  # noqa: S608 fixed words
            rows = _rows(data, service, "store", sql)
            left[f"{service} {table}"] += sum(
                subject in subjects for (subject,) in rows
            )
        keys = "SELECT subject_id FROM vault_key WHERE secret IS NOT NULL"
        rows = _rows(data, service, "keys", keys)
        left[f"{service} vault_key"] += sum(subject in subjects for (subject,) in rows)
    return left


def _tell(searched: Searched, rows: Counter[str]) -> None:
    """Name every place with its files and bytes, then what was found."""
    for place, files in sorted(searched.files_of.items()):
        sys.stderr.write(f"  {place}: files={files} bytes={searched.bytes_of[place]}\n")
    found = Counter((each.place, each.what) for each in searched.residues)
    for (place, what), count in found.most_common(SHOWN):
        sys.stderr.write(f"  left in {place}: {count} × {what}\n")  # noqa: RUF001 times
    for table, count in rows.items():
        if count:
            sys.stderr.write(f"  rows left in {table}: {count}\n")


if __name__ == "__main__":
    sys.exit(main())

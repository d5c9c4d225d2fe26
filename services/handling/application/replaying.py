"""Replaying: the whole record folded case by case, and a digest of what came out.

The record is cut into partitions by the first hex digit of the case id, as the bus is.
Each is folded on its own, anywhere, with one case in memory; the digest does not tell
who folded which, or in what order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from events import quick
from services.handling.application.canonical import VERSION, canonical
from services.handling.domain.evolution import evolve
from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.handling.domain.case import Case
    from services.handling.ports import StoredRow

PARTITIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Part:
    """What one partition came to."""

    cases: int
    events: int
    types: Mapping[str, int]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the record came to, up to `position`.

    `digest` is over the states of all cases: equal states, equal digests, whatever the
    database, the number of processes or the order in which they worked. Digests of two
    releases compare where `digest_version` and the fields of a case are the same.
    """

    cases: int
    events: int
    types: Mapping[str, int]
    position: int
    digest: str
    digest_version: int = VERSION


def replay_part(rows: Iterable[StoredRow]) -> Part:
    """Fold a partition's events, which come case by case and in the order of each.

    Raises RefusedError, naming the position, where one cannot be folded.
    """
    types: Counter[str] = Counter()
    digest, cases = sha256(), 0
    for _, history in groupby(rows, key=attrgetter("case_id")):
        case: Case | None = None
        for row in history:
            case = _folded(case, row)
            types[row.type] += 1
        if case is not None:
            cases += 1
            digest.update(sha256(canonical(case)).digest())
    return Part(cases, types.total(), types, digest.digest())


def joined(parts: Mapping[int, Part], position: int) -> Replayed:
    """Put the parts together, by the number of the partition."""
    types: Counter[str] = Counter()
    digest = sha256()
    for _, part in sorted(parts.items()):
        types.update(part.types)
        digest.update(part.digest)
    return Replayed(
        cases=sum(part.cases for part in parts.values()),
        events=types.total(),
        types=dict(sorted(types.items())),
        position=position,
        digest=digest.hexdigest(),
    )


def _folded(case: Case | None, row: StoredRow) -> Case:
    version = 1 if case is None else case.version + 1
    try:
        event = quick.decode(row.type, row.body)
        if not (
            event.case_id.int == row.case_id.int
            and event.version == row.version == version
        ):
            raise ValueError(f"it is not version {version} of its case")  # noqa: TRY301 told as the rest is
        return evolve(case, event)
    except ValueError as error:
        raise RefusedError(
            "audit.cannot_replay",
            f"Position {row.position} cannot be replayed ({error}): run `amends audit"
            " verify`, it names what was changed.",
        ) from None

"""Finding: cases by a number, an address or words, for those who may see them.

Every search is noted before its answer is given: who, by what, how many were found, and
of what was typed only a keyed digest.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from services.handling.application.cases import Page
from services.handling.application.looking import own_queue
from services.handling.ports import Clause, Sought
from services.kernel.errors import UnavailableError
from services.kernel.vault import KINDS, searchable, searched, spelled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from services.handling.domain.policy import Policy
    from services.handling.ports import (
        CaseList,
        CatchingUp,
        IntakeFinding,
        Listed,
        OwnWords,
        QueueFilter,
    )
    from services.kernel.access import Credential
    from services.kernel.clock import Clock
    from services.kernel.store.writer import Writer
    from services.kernel.vault import Readings

RECEIPT_NO: Final = "receipt_no"
WORDS: Final = "words"
SOUGHT: Final = (RECEIPT_NO, *KINDS, WORDS)
"""By what cases are found, in the order in which it is told."""
LONGEST: Final = 200
"""Characters of what is typed to find something."""

_DIGITS: Final = re.compile(r"[0-9][0-9 -]*", re.ASCII)
_SIZE: Final = 16  # bytes of a digest, as of words


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the cases found; `missing` names services that could not be asked.

    `elsewhere` is how many more there are of another origin than the filter wants.
    What was written after `unsearched_since` was not searched for words yet.
    """

    page: Page
    missing: tuple[str, ...] = ()
    elsewhere: int = 0
    unsearched_since: datetime | None = None


class Finding:
    """Finds cases here and at intake. `region` is where bare phone numbers belong."""

    def __init__(
        self,
        cases: CaseList,
        own: OwnWords,
        own_follower: CatchingUp,
        intake: IntakeFinding,
        readings: Readings,
        *,
        policy: Policy,
        secret: bytes,
        region: str | None,
        writer: Writer,
        now: Clock,
    ) -> None:
        self._cases = cases
        self._own = own
        self._own_follower = own_follower
        self._intake = intake
        self._readings = readings
        self._policy = policy
        self._secret = secret
        self._region = region
        self._writer = writer
        self._now = now

    def meant(self, text: str, kinds: Sequence[str] = SOUGHT) -> Clause:
        """Give what a text may be among these kinds; nothing where it fits none."""
        return tuple(
            Sought(kind, text)
            for kind in kinds
            if self._spelled(kind, text) is not None
        )

    async def find(
        self,
        clauses: Sequence[Clause],
        wanted: QueueFilter,
        *,
        by: Credential,
        limit: int,
    ) -> Found:
        """Give the cases that have one alternative of every clause, and fit the filter.

        Where a clause has no alternative, nothing is looked for and nothing noted. Only of those that the caller may see anything is told, their number too. Raises
        ForbiddenError, RefusedError where too many cases have it, and UnavailableError
        where intake alone could tell and does not, or the search cannot be noted.
        """
        visible = own_queue(wanted, by, self._policy)
        if not all(clauses):
            return Found(Page((), 0, more=False))
        theirs, missing, since = await self._handed_in(clauses)
        if any(each.kind == WORDS for clause in clauses for each in clause):
            own_since = await self._own_follower.caught_up()
            since = min(filter(None, (since, own_since)), default=None)
        known = await run_in_threadpool(self._rows, clauses, theirs, visible)
        origins = wanted.origins
        rows = [row for row in known if not origins or row.origin in origins]
        note = searched(
            by,
            at=self._now(),
            kinds=[
                kind
                for kind in SOUGHT
                if any(each.kind == kind for clause in clauses for each in clause)
            ],
            sought=self._digest(clauses),
            hits=len(rows),
        )
        await self._writer.run(lambda: self._readings.note([note]))
        rest = [
            row
            for row in rows
            if wanted.after is None or wanted.place(row) > wanted.after
        ]
        page = Page(tuple(rest[:limit]), len(rows), len(rest) > limit)
        return Found(
            page,
            missing,
            elsewhere=len(known) - len(rows),
            unsearched_since=since,
        )

    async def _handed_in(
        self, clauses: Sequence[Clause]
    ) -> tuple[list[set[UUID]], tuple[str, ...], datetime | None]:
        """Ask intake for its part; tell who is missing, since when it is behind."""
        asked = [
            tuple(each for each in clause if each.kind != RECEIPT_NO)
            for clause in clauses
        ]
        if not any(asked):
            return [set() for _ in clauses], (), None
        try:
            found, since = await self._intake.find(asked)
        except UnavailableError:
            if all(any(_here(each) for each in clause) for clause in clauses):
                return [set() for _ in clauses], ("intake",), None
            raise
        return found, (), since

    def _rows(
        self,
        clauses: Sequence[Clause],
        theirs: Sequence[set[UUID]],
        visible: QueueFilter,
    ) -> list[Listed]:
        found = [
            cases.union(*(self._found_here(each) for each in clause if _here(each)))
            for clause, cases in zip(clauses, theirs, strict=True)
        ]
        return self._cases.among(
            set.intersection(*found), visible._replace(after=None, origins=())
        )

    def _found_here(self, sought: Sought) -> set[UUID]:
        if sought.kind == WORDS:
            return self._own.search(sought.value)
        return self._cases.having_digits(_bare(sought.value))

    def _spelled(self, kind: str, text: str) -> str | None:
        """Give what is compared of a text of this kind; None where it cannot be one."""
        if kind == WORDS:
            return spelled(text) or None
        if kind == RECEIPT_NO:
            return _bare(text) if _DIGITS.fullmatch(text.strip()) else None
        return searchable(kind, text, region=self._region)

    def _digest(self, clauses: Sequence[Clause]) -> bytes:
        told = [
            [(each.kind, self._spelled(each.kind, each.value)) for each in clause]
            for clause in clauses
        ]
        sought = json.dumps(sorted(told)).encode()
        return hmac.digest(self._secret, sought, "sha256")[:_SIZE]


def _here(sought: Sought) -> bool:
    """Tell whether something of this kind is known here, not at intake alone."""
    return sought.kind in {RECEIPT_NO, WORDS}


def _bare(number: str) -> str:
    return "".join(each for each in number if each.isdecimal())

"""A person's own data: what there is of it, erased, or kept by a hold.

Everything is synchronous and runs in the writer's thread where it writes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from events.catalogue import SubjectErased
from events.envelope import Actor, Envelope, envelop
from events.vocabulary import Origin
from services.handling.application.commanding import concerned
from services.handling.domain.evolution import evolve
from services.handling.domain.privacy import (
    Erasure,
    Hold,
    Person,
    require_erasable,
    require_holdable,
)
from services.kernel.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import date, tzinfo

    from events.vocabulary import ErasureBasis
    from services.handling.application.cases import Handling
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy
    from services.handling.domain.privacy import HoldReason
    from services.handling.ports import PrivacyRecord
    from services.kernel.clock import Clock
    from services.kernel.vault import Erased, Inventory, Sealed, Vault

HOLD_REASON: Final = "hold_reason"
"""The kind of the document that says more about the reason of a hold."""

_PLAIN: Final = "text/plain; charset=utf-8"


class Privacy:
    """Answers people about their data, and carries out what they are due."""

    def __init__(
        self,
        record: PrivacyRecord,
        handling: Handling,
        vault: Vault,
        *,
        policy: Policy,
        tenant: str,
        zone: tzinfo,
        now: Clock,
        new_id: Callable[[datetime], UUID],
        changed: Callable[[Collection[UUID]], None],
    ) -> None:
        """Have `changed` hear of cases that got an event; holds end days of `zone`."""
        self._record = record
        self._handling = handling
        self._vault = vault
        self._policy = policy
        self._tenant = tenant
        self._zone = zone
        self._now = now
        self._new_id = new_id
        self._changed = changed

    def person(self, reference: str) -> Person:
        """Find somebody by a receipt number, a case id or their own id.

        Raises NotFoundError.
        """
        with self._record.reading() as tx:
            subject = self._subject(tx, reference)
            person = self._record.person(tx, subject) if subject else None
        if person is None or not (person.cases or person.erasure):
            raise _nobody()
        return person

    def _subject(self, tx: Any, reference: str) -> UUID | None:
        try:
            named = UUID(reference)
        except ValueError:
            return self._handling.history(reference).case.subject_id
        return self._record.subject_of(tx, named) or named

    def inventory(self, subject_id: UUID) -> tuple[list[Inventory], Erased | None]:
        """Count what handling holds of a person, and tell how far an erasure is."""
        with self._record.reading() as tx:
            return self._record.inventory(tx, subject_id)

    # -------------------------------------------------------------------- erasing

    def erase(
        self, subject_id: UUID, basis: ErasureBasis, *, by: Actor, correlation_id: str
    ) -> Erasure:
        """Erase a person, once: a second time gives the first erasure again.

        Raises NotFoundError, RefusedError.
        """
        with self._record.writing() as tx:
            person = self._record.person(tx, subject_id)
            if person.erasure is not None:
                return person.erasure
            if not person.cases:
                raise _nobody()
            now = self._now()
            require_erasable(person, basis, now, self._zone)
            wanted = Erasure(subject_id, basis, by.id, by.role, now)
            erased = self._recorded(tx, wanted, person.cases, correlation_id)
        self._changed(erased.case_ids)
        return erased

    def apply_again(self, known: Sequence[Erasure], *, correlation_id: str) -> int:
        """Erase anew who had been erased, behind a restore; gives how many people.

        What was decided is not asked again: no hold and no open case matters.
        """
        done = 0
        for erasure in known:
            with self._record.writing() as tx:
                person = self._record.person(tx, erasure.subject_id)
                kept = person.erasure or erasure
                erased = self._recorded(tx, kept, person.cases, correlation_id)
            self._changed(erased.case_ids)
            done += 1
        return done

    def late(
        self, tx: Any, received: Sequence[Envelope[Any]], *, correlation_id: str
    ) -> None:
        """Erase complaints that were under way while their person was erased."""
        subjects = {event.data.subject_id for event in received}
        for subject, erasure in self._record.erased_among(tx, subjects).items():
            cases = [
                evolve(None, event)
                for event in received
                if event.data.subject_id == subject
            ]
            self._recorded(tx, erasure, cases, correlation_id)

    def _recorded(
        self,
        tx: Any,
        erasure: Erasure,
        cases: Sequence[Case],
        correlation_id: str,
    ) -> Erasure:
        """Add the erasure to each case that has none yet."""
        events: list[Envelope[Any]] = []
        changed: list[Case] = []
        for case in cases:
            if case.erased:
                continue
            event = self._event(erasure, case, correlation_id)
            after = evolve(case, event)
            events.append(
                event.model_copy(update={"departments": concerned(case, after)})
            )
            changed.append(after)
        erasure = replace(erasure, case_ids=tuple(case.id for case in cases))
        self._record.erase(tx, erasure, events=events, cases=changed)
        return erasure

    def _event(
        self, erasure: Erasure, case: Case, correlation_id: str
    ) -> Envelope[SubjectErased]:
        now = self._now()
        return envelop(
            SubjectErased(subject_id=erasure.subject_id, basis=erasure.basis),
            event_id=self._new_id(now),
            case_id=case.id,
            version=case.version + 1,
            occurred_at=min(erasure.erased_at, now),
            recorded_at=now,
            origin=Origin(case.origin),
            tenant=self._tenant,
            actor=Actor(id=erasure.actor, role=erasure.role),
            correlation_id=correlation_id,
            policy={self._policy.name: self._policy.version},
        )

    def register(self) -> list[Erasure]:
        """Give every erasure, the earliest first."""
        return self._record.register()

    # -------------------------------------------------------------------- holding

    def place(
        self,
        subject_id: UUID,
        reason: HoldReason,
        *,
        until: date,
        text: str | None,
        by: str,
    ) -> Hold:
        """Keep a person's data to the end of a day. Raises NotFoundError, RefusedError."""
        with self._record.writing() as tx:
            person = self._record.person(tx, subject_id)
            if not (person.cases or person.erasure):
                raise _nobody()
            now, end = self._now(), _end_of(until, self._zone)
            require_holdable(person, end, now)
            sealed = self._sealed(subject_id, text, now) if text else []
            hold = Hold(
                hold_id=self._new_id(now),
                subject_id=subject_id,
                reason=reason,
                until=end,
                placed_at=now,
                placed_by=by,
                document_id=sealed[0].document_id if sealed else None,
            )
            self._record.place(tx, hold, sealed)
        return hold

    def _sealed(self, subject_id: UUID, text: str, now: datetime) -> list[Sealed]:
        self._vault.ensure_keys([subject_id])
        return [
            self._vault.seal(
                document_id=self._new_id(now),
                subject_id=subject_id,
                kind=HOLD_REASON,
                media_type=_PLAIN,
                plaintext=text.encode(),
            )
        ]

    def end(self, hold_id: UUID, *, by: str) -> Hold:
        """End a hold before its day; ending it again changes nothing.

        Raises NotFoundError.
        """
        with self._record.writing() as tx:
            self._record.end(tx, hold_id, by=by, at=self._now())
            hold = self._record.hold(tx, hold_id)
        if hold is None:
            raise NotFoundError(
                "privacy.no_hold", "There is no such hold: list them to see their ids."
            )
        return hold

    def holds(self) -> list[Hold]:
        """Give every hold that ever was, the latest first."""
        return self._record.holds()

    def now(self) -> datetime:
        return self._now()


def _end_of(day: date, zone: tzinfo) -> datetime:
    """Give the first instant behind a day."""
    try:
        return datetime.combine(day + timedelta(days=1), time(), zone)
    except OverflowError:
        raise RefusedError(
            "privacy.hold_over",
            "This day is beyond all calendars: choose a nearer one.",
        ) from None


def _nobody() -> NotFoundError:
    return NotFoundError(
        "privacy.nobody",
        "No complaint is known of this person: give a receipt number, a case id, or"
        " the person's id as it stands in an event.",
    )

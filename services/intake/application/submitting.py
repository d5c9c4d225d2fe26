"""Submitting: read what a channel hands in, and answer with a receipt after the commit.

Complaints that wait together are committed together. Nobody is answered before.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

from events import subjects
from events.envelope import Actor
from events.vocabulary import Origin
from services.intake.application.receipts import Receipts
from services.intake.application.registering import Receipt, Registrar, Request
from services.intake.domain.receipt import case_id, keyed
from services.intake.domain.submission import Submission, UploadedFile
from services.intake.ports import IMPORT_CLIENT, Key, Record
from services.kernel.access import MIGRATION, Credential
from services.kernel.clock import Clock
from services.kernel.errors import (
    FieldError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from services.kernel.room import Room
from services.kernel.store.writer import Writer
from services.kernel.vault import Uploads

_LONGEST_KEY: Final = 200


class Intake:
    """The one door for complaints, whatever channel they come by."""

    def __init__(
        self,
        record: Record,
        registrar: Registrar,
        uploads: Uploads,
        *,
        writer: Writer,
        now: Clock,
        new_id: Callable[[dt.datetime], UUID],
        demonstration: bool = False,
        silence: Mapping[str, dt.timedelta] | None = None,
        room: Room | None = None,
    ) -> None:
        """In a `demonstration` whatever comes in is made up, and marked as such.

        `silence` says how long a channel may bring nothing, `room` whether the disk has
        any left.
        """
        self.room = room
        self.receipts = Receipts(silence or {}, began=now())
        self._demonstration = demonstration
        self._record = record
        self._registrar = registrar
        self._uploads = uploads
        self._writer = writer
        self._now = now
        self._new_id = new_id

    async def submit(
        self,
        document: object,
        *,
        key: str | None,
        caller: Credential,
        correlation_id: str,
    ) -> Receipt:
        """Take one complaint; together with those that come at the same time.

        `document` is a JSON value that the edge has read strictly. Raises
        `MalformedError` with every fault, `ForbiddenError`, `RefusedError`
        (`intake.key_reused`, `intake.demonstration`), and `UnavailableError` where the complaint may or may
        not be kept: sending it again under its key is always right.
        """
        request = self.prepare(
            document, key=key, caller=caller, correlation_id=correlation_id
        )
        try:
            if self.room is not None:
                self.room.require()
            await self._looked_through(request)
            receipt = await self._writer.call(self._registrar.register, request)
        except UnavailableError as error:
            self.receipts.refused(error.code)
            raise
        if not receipt.repeated:
            self.receipts.given(request.key.channel, receipt.received_at)
        return receipt

    async def _looked_through(self, request: Request) -> None:
        """Have files looked at that could not be when they came.

        Whether there is such an upload is decided where it is used: a complaint that
        is sent again has used its own.
        """
        for number, each in enumerate(request.submission.attachments):
            if not isinstance(each, UploadedFile):
                continue
            inspect = partial(
                self._uploads.inspect, each.upload, owner=request.actor.id
            )
            try:
                with suppress(NotFoundError):
                    await asyncio.to_thread(inspect)
            except MalformedError as refused:
                field = f"attachments[{number}].upload"
                fault = FieldError(field, "is refused", refused.detail)
                raise MalformedError(
                    refused.code, refused.detail, errors=[fault]
                ) from None

    def prepare(
        self,
        document: object,
        *,
        key: str | None,
        caller: Credential,
        correlation_id: str,
    ) -> Request:
        """Do all that needs no database: read, allow, derive. Raises as `submit`."""
        now = self._now()
        own = "web" if caller.anonymous else caller.channel
        submission = Submission.parse(document, own=own, now=now)
        _allow(submission, caller)
        origin = Origin(submission.origin)
        migrated = origin is Origin.MIGRATION
        if self._demonstration:
            if migrated:
                raise RefusedError(
                    "intake.demonstration",
                    "This folder holds a demonstration: import into another one.",
                )
            origin = Origin.DEMO
        scope = Key(
            channel=submission.channel or subjects.UNSTATED,
            client=IMPORT_CLIENT if migrated else caller.actor,
            key=self._key(key, caller, now),
        )
        secret = self._record.secret
        return Request(
            submission=submission,
            origin=origin,
            key=scope,
            case_id=case_id(secret, scope.channel, scope.client, scope.key),
            digest=keyed(secret, "content", submission.content()),
            actor=Actor(
                id=caller.actor, role=caller.role, department=caller.department
            ),
            correlation_id=correlation_id,
        )

    def _key(self, key: str | None, caller: Credential, now: dt.datetime) -> str:
        """Check the caller's key, or make one where every request is a new complaint."""
        if key is None and not caller.anonymous:
            return str(self._new_id(now))
        if caller.anonymous and not _is_uuid(key):
            raise _bad_key("Send an Idempotency-Key with a UUID that you made for it.")
        if key is None or not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
            raise _bad_key(f"Send a key of 1 to {_LONGEST_KEY} printable characters.")
        return key


def _allow(submission: Submission, caller: Credential) -> None:
    """Raise `ForbiddenError` for a channel, an origin or a time not theirs to give."""
    if not caller.may_submit_on(submission.channel or subjects.UNSTATED):
        raise ForbiddenError(
            "intake.channel_not_yours",
            "Use the channel of your credential; without one, only web is open.",
        )
    imports = caller.service or caller.role == MIGRATION
    if submission.origin is Origin.MIGRATION and not imports:
        raise ForbiddenError(
            "intake.origin_not_yours",
            "Only an import may say so: by the operator, or the role migration.",
        )
    if submission.occurred_at is not None and caller.anonymous:
        raise ForbiddenError(
            "intake.time_not_yours",
            "Leave out occurred_at; say in the statement when it happened.",
        )


def _is_uuid(key: str | None) -> bool:
    try:
        return key is not None and str(UUID(key)) == key.lower()
    except ValueError:
        return False


def _bad_key(remedy: str) -> MalformedError:
    return MalformedError(
        "intake.key_needed",
        remedy,
        errors=[FieldError("Idempotency-Key", "is missing or unfit", remedy)],
    )

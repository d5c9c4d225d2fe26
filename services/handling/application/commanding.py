"""Commands: what is asked of cases is decided in order and committed together.

Commands that wait together are one transaction, each decided on what the ones before it
made of its case; the result is the same as if each had come alone. For each: first the
idempotency key, then the version that the caller saw, then the guards. Nobody is
answered before the commit.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError

from events.envelope import DocumentRef, Envelope, envelop
from events.vocabulary import Origin
from services.handling.domain.commands import (
    COMMANDS,
    Command,
    RecordHistory,
    sealed,
)
from services.handling.domain.decisions import decide, hindrance
from services.handling.domain.decisions.history import happened
from services.handling.domain.decisions.rules import require_writable
from services.handling.domain.evolution import evolve
from services.handling.ports import KeyRow, TakenError
from services.kernel.errors import (
    AmendsError,
    FieldError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    RefusedError,
    StaleError,
    UnavailableError,
)
from services.kernel.vault.uploads import used_twice
from services.kernel.web.reading import malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from events.envelope import Actor
    from events.vocabulary import Channel, DocumentKind
    from services.handling.domain.case import Case
    from services.handling.domain.commands import Sealer
    from services.handling.domain.policy import Policy
    from services.handling.ports import Record
    from services.kernel.clock import Clock
    from services.kernel.vault import (
        Files,
        Sealed,
        SealedFile,
        Uploads,
        Vault,
    )

WORDS_LIMIT = 20_000
"""Characters in one text of a command."""
KEY_LIMIT = 200
"""Characters in an idempotency key."""
UPLOAD = "upload"
"""The field that names a file that was uploaded before."""
CASES_REMEMBERED = 10_000
"""States kept in memory by the one writer; the oldest go first."""

_PLAIN = "text/plain; charset=utf-8"
_UNSEALED = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Asked:
    """One command as it came, with who gives it: from the credential, not the body."""

    case_id: UUID
    name: str
    payload: Mapping[str, Any]
    actor: Actor
    correlation_id: str
    key: str | None = None
    """The caller's own name for it; the same again gives the same answer."""
    expected_version: int | None = None
    channel: Channel | None = None

    @property
    def key_owner(self) -> str:
        """Whose key it is: the caller's own; of imports, whoever runs them."""
        imported = self.name == RecordHistory.name
        return RecordHistory.name if imported else self.actor.id


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did. `repeated`: it had been done before, under the same key."""

    case_id: UUID
    version: int
    state: str
    events: tuple[str, ...]
    repeated: bool = False


@dataclass(slots=True)
class _Batch:
    """What the commands of one transaction have made so far."""

    cases: dict[UUID, Case]
    keys: dict[tuple[str, str], KeyRow]
    events: list[Envelope[Any]] = field(default_factory=list)
    documents: list[Sealed] = field(default_factory=list)
    files: list[SealedFile] = field(default_factory=list)
    new_keys: list[KeyRow] = field(default_factory=list)
    changed: dict[UUID, Case] = field(default_factory=dict)
    foreseen: bool = False
    """Whether nothing of it is kept: then nothing is sealed either."""


class Commanding:
    """Carries out commands; `carry_out` runs in the writer's thread."""

    def __init__(
        self,
        record: Record,
        vault: Vault,
        files: Files,
        uploads: Uploads,
        *,
        policy: Policy,
        secret: bytes,
        tenant: str,
        now: Clock,
        new_id: Callable[[datetime], UUID],
    ) -> None:
        self._record = record
        self._vault = vault
        self._files = files
        self._uploads = uploads
        self._policy = policy
        self._secret = secret
        self._tenant = tenant
        self._now = now
        self._new_id = new_id
        self._known: OrderedDict[UUID, Case] = OrderedDict()

    def check(self, asked: Asked) -> tuple[UUID, ...]:
        """Refuse at the edge what no case could accept; give the uploads that it uses.

        Raises NotFoundError for a command that does not exist, MalformedError that
        names every field at fault.
        """
        model = COMMANDS.get(asked.name)
        if model is None:
            raise NotFoundError(
                "handling.no_command",
                f"There is no such command: use one of {', '.join(COMMANDS)}.",
            )
        if asked.key is not None and not 0 < len(asked.key) <= KEY_LIMIT:
            raise MalformedError(
                "handling.key",
                f"Send an Idempotency-Key of 1 to {KEY_LIMIT} characters.",
            )
        measured = _Measured()
        faults = measured.faults
        try:
            _read(model, asked.payload, measured)
        except MalformedError as error:
            faults += error.errors
        if faults:
            raise MalformedError(
                "request.invalid",
                "Correct the named fields; nothing was stored.",
                errors=faults,
            )
        return tuple(measured.uploads)

    def look_through(self, upload: UUID, owner: str) -> None:
        """Have a file looked at that could not be when it came.

        Raises MalformedError for one that is refused, UnavailableError. Whether there
        is such an upload is decided where it is used.
        """
        with suppress(NotFoundError):
            self._uploads.inspect(upload, owner=owner)

    def carry_out(self, batch: Sequence[Asked]) -> list[Done | Exception]:
        """Decide and commit; one result a command, in order.

        A conflict with another process makes the whole be decided anew, once; then the
        halves by themselves.
        """
        for _ in range(2):
            try:
                return self._committed(batch)
            except TakenError:
                self._known.clear()
        if len(batch) == 1:
            return [_busy()]
        middle = len(batch) // 2
        return self.carry_out(batch[:middle]) + self.carry_out(batch[middle:])

    def foresee(self, batch: Sequence[Asked]) -> list[Done | Exception]:
        """Say what would become of each command by itself; nothing is kept or sealed."""
        with self._record.writing() as tx:
            self._forget_outdated(tx, batch)
            return [
                self._one(tx, each, _Batch({}, {}, foreseen=True)) for each in batch
            ]

    def forget(self, case_ids: Iterable[UUID]) -> None:
        """Read these cases anew: something else than a command changed them."""
        for case_id in case_ids:
            self._known.pop(case_id, None)

    def _forget_outdated(self, tx: Any, batch: Sequence[Asked]) -> None:
        """Read those cases anew that another process has taken further meanwhile."""
        known = {
            each.case_id: case.version
            for each in batch
            if (case := self._known.get(each.case_id)) is not None
        }
        if known:
            self.forget(self._record.outdated(tx, known))

    def _committed(self, batch: Sequence[Asked]) -> list[Done | Exception]:
        try:
            with self._record.writing() as tx:
                found = self._record.keys(
                    tx, {(each.key_owner, each.key) for each in batch if each.key}
                )
                self._forget_outdated(tx, batch)
                working = _Batch({}, found)
                results = [self._one(tx, each, working) for each in batch]
                self._record.keep(
                    tx,
                    events=working.events,
                    cases=list(working.changed.values()),
                    documents=working.documents,
                    files=working.files,
                    keys=working.new_keys,
                )
        except BaseException:
            self._known.clear()
            raise
        self._remember(working.changed)
        return results

    def _one(self, tx: Any, asked: Asked, batch: _Batch) -> Done | Exception:
        try:
            return self._decided(tx, asked, batch)
        except AmendsError as refusal:
            return refusal

    def _decided(self, tx: Any, asked: Asked, batch: _Batch) -> Done:
        digest = self._digest(asked)
        if asked.key and (kept := batch.keys.get((asked.key_owner, asked.key))):
            return _again(kept, digest)
        case = batch.cases.get(asked.case_id) or self._case(tx, asked.case_id)
        batch.cases[case.id] = case
        if asked.expected_version not in (None, case.version):
            self._refuse_who_may_not(asked, case)
            raise StaleError(
                "handling.stale",
                f"The case has version {case.version} by now: look at it again, then"
                " decide.",
            )
        now = self._now()
        sealer = _Sealer(self, asked, case, batch, now)
        command = _read(COMMANDS[asked.name], asked.payload, sealer)
        facts = decide(case, command, actor=asked.actor, now=now, policy=self._policy)
        before = case
        events: list[Envelope[Any]] = []
        times = happened(case, command, facts, now)
        for fact, (at, precision) in zip(facts, times, strict=True):
            event = envelop(
                fact,
                event_id=self._new_id(now),
                case_id=case.id,
                version=case.version + 1,
                occurred_at=at,
                occurred_precision=precision,
                recorded_at=now,
                tenant=self._tenant,
                actor=asked.actor,
                correlation_id=asked.correlation_id,
                origin=Origin(case.origin),
                channel=asked.channel,
                policy={self._policy.name: self._policy.version},
            )
            case = evolve(case, event)
            events.append(
                event.model_copy(update={"departments": concerned(before, case)})
            )
            before = case
        done = Done(
            case.id, case.version, case.state, tuple(event.type for event in events)
        )
        batch.cases[case.id] = batch.changed[case.id] = case
        batch.events += events
        if events:  # else it was done before: nothing new
            batch.documents += sealer.documents
            batch.files += sealer.files
        if asked.key:
            row = KeyRow(asked.key_owner, asked.key, case.id, digest, _result(done))
            batch.keys[asked.key_owner, asked.key] = row
            batch.new_keys.append(row)
        return done

    def _refuse_who_may_not(self, asked: Asked, case: Case) -> None:
        """Raise ForbiddenError: of a case of others not even its version is told."""
        why = hindrance(
            case, asked.name, actor=asked.actor, policy=self._policy, now=self._now()
        )
        if isinstance(why, ForbiddenError):
            raise why

    def _case(self, tx: Any, case_id: UUID) -> Case:
        known = self._known.get(case_id)
        if known is not None:
            return known
        case: Case | None = None
        for event in self._record.load(tx, case_id):
            case = evolve(case, event)
        if case is None:
            raise NotFoundError(
                "handling.no_case", "There is no such case: check the case id."
            )
        return case

    def _remember(self, changed: Mapping[UUID, Case]) -> None:
        for case_id, case in changed.items():
            self._known[case_id] = case
            self._known.move_to_end(case_id)
        while len(self._known) > CASES_REMEMBERED:
            self._known.popitem(last=False)

    def ensure_key(self, case: Case) -> None:
        """Have a key of the case's person; before anything is sealed for them.

        Raises RefusedError where their data was erased.
        """
        require_writable(case)
        self._vault.ensure_keys([case.subject_id])

    def seal_words(
        self, text: str, kind: DocumentKind, case: Case, now: datetime
    ) -> Sealed:
        """Seal a text under the key of the case's person."""
        return self._vault.seal(
            document_id=self._new_id(now),
            subject_id=case.subject_id,
            kind=kind,
            media_type=_PLAIN,
            plaintext=text.encode(),
        )

    def seal_file(
        self, upload: UUID, kind: DocumentKind, owner: str, case: Case, now: datetime
    ) -> SealedFile:
        """Give an uploaded file to the case's person. Raises MalformedError."""
        uploaded = self._uploads.ready(upload, owner=owner, field=UPLOAD)
        return self._files.seal(
            uploaded,
            document_id=self._new_id(now),
            subject_id=case.subject_id,
            kind=kind,
        )

    def _digest(self, asked: Asked) -> bytes:
        content = json.dumps(
            [str(asked.case_id), asked.name, asked.payload], sort_keys=True
        )
        return hmac.digest(self._secret, content.encode(), hashlib.sha256)


class _Measured:
    """Reads a command without sealing anything: what is wrong with its words."""

    def __init__(self) -> None:
        self.faults: list[FieldError] = []
        self.uploads: list[UUID] = []

    def words(self, text: str, kind: DocumentKind) -> DocumentRef:
        if not text.strip() or len(text) > WORDS_LIMIT:
            self.faults.append(
                FieldError(
                    kind,
                    f"has {len(text)} characters",
                    f"Write 1 to {WORDS_LIMIT} characters.",
                )
            )
        return _unsealed(kind)

    def file(self, upload: str, kind: DocumentKind) -> DocumentRef:
        try:
            self.uploads.append(UUID(upload))
        except ValueError:
            self.faults.append(
                FieldError(UPLOAD, "is no id of an upload", "Upload the file first.")
            )
        return _unsealed(kind)


class _Sealer:
    """Makes the documents of one command, which go with its events."""

    def __init__(
        self,
        commanding: Commanding,
        asked: Asked,
        case: Case,
        batch: _Batch,
        now: datetime,
    ) -> None:
        self._commanding = commanding
        self._asked, self._case, self._now = asked, case, now
        self._used = {each.file_id for each in batch.files}
        self._foreseen = batch.foreseen
        self.documents: list[Sealed] = []
        self.files: list[SealedFile] = []

    def words(self, text: str, kind: DocumentKind) -> DocumentRef:
        if self._foreseen:
            return _unsealed(kind)
        self._ensure_key()
        sealed = self._commanding.seal_words(text, kind, self._case, self._now)
        self.documents.append(sealed)
        return _ref(sealed, kind)

    def file(self, upload: str, kind: DocumentKind) -> DocumentRef:
        if self._foreseen:
            return _unsealed(kind)
        upload_id = UUID(upload)
        if upload_id in self._used:
            raise used_twice(UPLOAD)
        self._used.add(upload_id)
        self._ensure_key()
        sealed = self._commanding.seal_file(
            upload_id, kind, self._asked.actor.id, self._case, self._now
        )
        self.files.append(sealed)
        return _ref(sealed.manifest, kind)

    def _ensure_key(self) -> None:
        if not (self.documents or self.files):
            self._commanding.ensure_key(self._case)


def _ref(sealed: Sealed, kind: DocumentKind) -> DocumentRef:
    return DocumentRef(document_id=sealed.document_id, digest=sealed.digest, kind=kind)


def _unsealed(kind: DocumentKind) -> DocumentRef:
    return DocumentRef(document_id=_UNSEALED, digest="0" * 64, kind=kind)


def _read(model: type[Command], payload: Mapping[str, Any], seal: Sealer) -> Command:
    try:
        return model.model_validate_json(json.dumps(sealed(model, payload, seal)))
    except ValidationError as refused:
        raise malformed(refused) from None


def _again(kept: KeyRow, digest: bytes) -> Done:
    if not hmac.compare_digest(kept.digest, digest):
        raise RefusedError(
            "handling.key_reused",
            "This Idempotency-Key was used for another command: make a new key.",
        )
    result = json.loads(kept.result)
    return Done(
        kept.case_id,
        result["version"],
        result["state"],
        tuple(result["events"]),
        repeated=True,
    )


def _result(done: Done) -> str:
    return json.dumps(
        {"version": done.version, "state": done.state, "events": done.events}
    )


def concerned(before: Case, after: Case) -> tuple[str, ...]:
    """Name every department that had or has to do with the case."""
    return tuple(sorted(before.departments | after.departments))


def _busy() -> UnavailableError:
    return UnavailableError(
        "handling.busy",
        "Others change this case at the same time: send it again with the same key.",
        retry_after=1,
    )

"""Imports: which there were, and what would become of one."""

import asyncio
from dataclasses import asdict
from typing import Any
from uuid import UUID

from services.intake.application.registering import Registrar
from services.intake.application.submitting import Intake
from services.intake.ports import Batch, BatchTold, Brought, Record
from services.kernel.access import MIGRATION, Credential
from services.kernel.clock import Clock, rfc3339
from services.kernel.errors import ForbiddenError, NotFoundError
from services.kernel.store.writer import Writer

_START = UUID(int=0)


class Imports:
    """What whoever imports asks and tells beside the complaints."""

    def __init__(
        self,
        intake: Intake,
        registrar: Registrar,
        record: Record,
        *,
        writer: Writer,
        now: Clock,
    ) -> None:
        self._intake = intake
        self._registrar = registrar
        self._record = record
        self._writer = writer
        self._now = now

    async def foresee(
        self, document: object, *, key: str | None, caller: Credential
    ) -> bool:
        """Tell whether a submission was received before; nothing is kept.

        Raises as `Intake.submit` would.
        """
        _require_importer(caller)
        request = self._intake.prepare(
            document, key=key, caller=caller, correlation_id=""
        )
        return await self._writer.call(self._registrar.foresee, request)

    async def tell(self, about: BatchTold, *, caller: Credential) -> None:
        """Keep what is said of a run."""
        _require_importer(caller)
        at = self._now()
        await self._writer.run(
            lambda: self._record.tell_of_import(about, actor=caller.actor, at=at)
        )

    async def listed(self) -> list[dict[str, Any]]:
        """Give every run, the latest first, as every interface tells it."""
        found = await asyncio.to_thread(self._record.imports)
        return [told(each) for each in found]

    async def one(self, batch: str) -> dict[str, Any]:
        """Give one run. Raises NotFoundError."""
        found = await asyncio.to_thread(self._record.imports, batch)
        if not found:
            raise NotFoundError(
                "intake.no_import",
                "There is no such import: `amends import --list` names those there are.",
            )
        return told(found[0])

    async def cases(
        self, batch: str, *, after: UUID | None, limit: int
    ) -> list[Brought]:
        """Give cases that a run brought, by their ids. Raises NotFoundError."""
        await self.one(batch)
        return await asyncio.to_thread(
            lambda: self._record.imported(batch, after=after or _START, limit=limit)
        )


def told(batch: Batch) -> dict[str, Any]:
    """Give a run for programs; what nobody said is left out."""
    about = asdict(batch.told)
    del about["done"]
    return {
        **{name: value for name, value in about.items() if value is not None},
        "begun_at": rfc3339(batch.begun_at),
        "done_at": rfc3339(batch.done_at) if batch.done_at else None,
        "actor": batch.actor,
        "cases": batch.cases,
        "revoked": batch.revoked,
    }


def _require_importer(caller: Credential) -> None:
    if not (caller.service or caller.role == MIGRATION):
        raise ForbiddenError(
            "intake.origin_not_yours",
            "Only an import may say so: by the operator, or the role migration.",
        )

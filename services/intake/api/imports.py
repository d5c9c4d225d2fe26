"""Imports over HTTP: what would become of rows, which runs there were, their cases."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.intake.api.complaints import own_key
from services.intake.application.imports import Imports
from services.intake.ports import BatchTold
from services.kernel.access import MIGRATION, Authenticator, Credential
from services.kernel.tokens import require_role
from services.kernel.web.batch import NDJSON, answer_lines
from services.kernel.web.caller import caller
from services.kernel.web.reading import Line

MOST_CASES: Final = 5_000

BatchName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Text = Annotated[str, Field(min_length=1, max_length=255)]


class ImportTold(BaseModel):
    """What whoever imports says of a run."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    file_name: _Text | None = None
    format: _Text | None = None
    read_rows: _Count | None = None
    duplicates: _Count | None = None
    rejected: _Count | None = None
    histories: _Count | None = None
    done: bool = False


def imports_router(imports: Imports, authenticator: Authenticator) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/api/intake", tags=["imports"])
    who = Depends(caller(authenticator))

    @routes.post(
        "/complaints:check",
        summary="What would become of many complaints of an import; nothing is kept",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {NDJSON: {"schema": {"type": "string"}}},
            },
        },
    )
    async def check(request: Request, sender: Annotated[Credential, who]) -> Response:
        _require_importer(sender)

        async def one(line: Line) -> dict[str, Any]:
            document, key = own_key(line.value)
            known = await imports.foresee(document, key=key, caller=sender)
            return {"status": 200 if known else 201}

        return await answer_lines(request.stream(), one)

    @routes.get("/imports", summary="Every run of an import, the latest first")
    async def listed(
        sender: Annotated[Credential, who],
    ) -> dict[str, list[dict[str, Any]]]:
        _require_watcher(sender)
        return {"imports": await imports.listed()}

    @routes.get("/imports/{batch}", summary="One run of an import")
    async def one(
        batch: BatchName, sender: Annotated[Credential, who]
    ) -> dict[str, Any]:
        _require_watcher(sender)
        return await imports.one(batch)

    @routes.put(
        "/imports/{batch}", summary="Say of a run what it reads, and what became of it"
    )
    async def tell(
        batch: BatchName, about: ImportTold, sender: Annotated[Credential, who]
    ) -> dict[str, Any]:
        _require_importer(sender)
        told = BatchTold(batch=batch, **about.model_dump())
        await imports.tell(told, caller=sender)
        return await imports.one(batch)

    @routes.get(
        "/imports/{batch}/cases", summary="The cases that a run brought, by their ids"
    )
    async def cases(
        batch: BatchName,
        sender: Annotated[Credential, who],
        after: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_CASES)] = 500,
    ) -> dict[str, Any]:
        _require_watcher(sender)
        found = await imports.cases(batch, after=after, limit=limit)
        rows = [{**each._asdict(), "case_id": str(each.case_id)} for each in found]
        more = len(found) == limit
        return {"rows": rows, "next": rows[-1]["case_id"] if more else None}

    return routes


def _require_importer(sender: Credential) -> None:
    require_role(sender, "operator", MIGRATION)


def _require_watcher(sender: Credential) -> None:
    require_role(sender, "operator", "admin", "auditor", MIGRATION)

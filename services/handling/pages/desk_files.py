"""`/desk/cases/…/documents/…`: the files of a case, kept by the browser and never run."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from events.vocabulary import DocumentKind
from services.handling.application.cases import Handling, History
from services.handling.application.looking import look, told
from services.handling.application.reading import Words, Written, documents_of
from services.handling.domain.policy import Policy
from services.handling.pages.desk import QUEUE
from services.kernel import previews
from services.kernel.errors import NotFoundError
from services.kernel.web.downloads import HARMLESS, download_headers
from services.kernel.web.pages import Pages


def router(
    handling: Handling, words: Words, pages: Pages, *, policy: Policy
) -> APIRouter:
    routes = pages.router()

    async def found(
        request: Request, case_id: UUID, document_id: UUID
    ) -> tuple[History, Written]:
        """Give a document, of those that the viewer may see, and its case."""
        viewer = pages.require_known(request)
        history = await run_in_threadpool(
            look, handling, str(case_id), None, sender=viewer, policy=policy
        )
        for each in documents_of(told(history, viewer, policy)):
            particulars = each.ref.kind is DocumentKind.PARTICULARS
            if each.ref.document_id == document_id and not particulars:
                return history, each
        raise NotFoundError(
            "vault.unknown",
            "No such document is kept here: open it from the page of its case.",
        )

    @routes.get(f"{QUEUE}/{{case_id}}/documents/{{document_id}}")
    async def document(request: Request, case_id: UUID, document_id: UUID) -> Response:
        history, wanted = await found(request, case_id, document_id)
        viewer = pages.require_known(request)
        sheet, content = await words.file(wanted, reader=viewer)
        number, last = history.case.receipt_no, str(document_id)[-4:]
        name = sheet.name or f"{number}-{wanted.ref.kind}-{last}"
        return StreamingResponse(
            content,
            media_type=sheet.media_type,
            headers={**download_headers(name), "Content-Length": str(sheet.size)},
        )

    @routes.get(f"{QUEUE}/{{case_id}}/documents/{{document_id}}/preview")
    async def preview(request: Request, case_id: UUID, document_id: UUID) -> Response:
        _, wanted = await found(request, case_id, document_id)
        viewer = pages.require_known(request)
        sheet, content = await words.file(wanted, reader=viewer, act="preview")
        if not previews.may_be_shown(sheet.media_type, sheet.size):
            raise previews.no_preview()
        drawn = await previews.preview(content)
        return Response(drawn, media_type=previews.MEDIA_TYPE, headers=HARMLESS)

    return routes

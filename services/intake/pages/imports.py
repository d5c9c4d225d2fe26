"""`/import`: a file of another system's complaints, from the drop to the receipt.

Every step is a form that works without a script. Reading, checking and sending are done
by a process of their own (`importing.jobs`); the page shows how far it is.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from events.vocabulary import Channel
from services.intake.importing.inspecting import LOOKED_AT
from services.intake.importing.jobs import Job, Jobs, Stage, Work
from services.intake.importing.mapping_file import toml_of, values_of
from services.intake.importing.running import load_mapping, mapping_of, own_formats
from services.intake.pages import import_columns
from services.intake.pages import import_words as words
from services.kernel.access import Credential
from services.kernel.delegation import IMPORTERS
from services.kernel.errors import (
    AmendsError,
    FieldError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
)
from services.kernel.i18n import DEFAULT, msgid
from services.kernel.vault.labels import clean_name
from services.kernel.web.downloads import download_headers
from services.kernel.web.pages import Pages
from services.kernel.web.pages.multipart import read_form_keeping
from services.kernel.web.problems import status_of

HOME: Final = "/import"
_MAPPING_BYTES: Final = 256 * 1024
_WAIT: Final = 2  # seconds until a browser without scripts looks again
_CSV: Final = "text/csv; charset=utf-8"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_DELIMITERS: Final = {
    ",": msgid("comma"),
    ";": msgid("semicolon"),
    "\t": msgid("tab"),
    "|": msgid("vertical bar"),
}
ENCODINGS: Final = ("utf-8", "utf-16", "gb18030", "big5", "cp1252", "shift_jis")
"""Offered where the found one is wrong; any other may be typed with the command."""


def router(imports: Jobs, pages: Pages, *, zone: str) -> APIRouter:
    routes = pages.router()
    page = _Imports(imports, pages, zone)
    one = f"{HOME}/{{job_id}}"
    routes.get(HOME)(page.home)
    routes.post(HOME)(page.receive)
    routes.get(one)(page.show)
    routes.get(f"{one}/progress")(page.progress)
    routes.get(f"{one}/mapping.toml")(page.mapping)
    routes.get(f"{one}/rejects.{{ending}}")(page.rejects)
    routes.post(f"{one}/read")(page.read)
    routes.post(f"{one}/format")(page.format)
    routes.post(f"{one}/columns")(page.columns)
    routes.post(f"{one}/start")(page.start)
    routes.post(f"{one}/stop")(page.stop)
    routes.post(f"{one}/remove")(page.remove)
    return routes


class _Imports:
    """The steps of an import; each ends by leading to its page."""

    def __init__(self, imports: Jobs, pages: Pages, zone: str) -> None:
        self._imports = imports
        self._pages = pages
        self._zone = zone

    # -- what is looked at -------------------------------------------------------

    async def home(self, request: Request) -> Response:
        self._importer(request)
        return await self._home(request)

    async def show(self, request: Request, job_id: UUID) -> Response:
        self._importer(request)
        job = await run_in_threadpool(self._imports.find, job_id)
        return self._job(request, job)

    async def progress(self, request: Request, job_id: UUID) -> Response:
        """Answer a script that looks every second; at the end it opens the page anew."""
        self._importer(request)
        job = await run_in_threadpool(self._imports.find, job_id)
        if job.stage is not Stage.WORKING:
            return Response(status_code=204, headers={"HX-Refresh": "true"})
        return self._pages.render(
            request, "import/progress.html", job=job, **words.speed(job)
        )

    async def mapping(self, request: Request, job_id: UUID) -> Response:
        self._importer(request)
        job = self._imports.find(job_id)
        values = self._imports.mapping(job_id) or {}
        return Response(
            toml_of({name: each for name, each in values.items() if each is not None}),
            media_type="application/toml",
            headers=download_headers(f"{_stem(job)}.toml"),
        )

    async def rejects(self, request: Request, job_id: UUID, ending: str) -> Response:
        self._importer(request)
        if ending not in {"csv", "xlsx"}:
            raise NotFoundError("http.not_found", "Choose csv or xlsx.")
        path = self._imports.rejects(job_id, ending)
        name = f"{_stem(self._imports.find(job_id))}-rejects.{ending}"
        kind = _CSV if ending == "csv" else _XLSX
        return FileResponse(path, media_type=kind, headers=download_headers(name))

    # -- what is done ------------------------------------------------------------

    async def receive(self, request: Request) -> Response:
        """Keep the file and have it read; a browser shows what is wrong with it."""
        importer = self._importer(request)
        if self._pages.demonstration:
            return await self._home(request, _demonstration())
        try:
            with self._imports.receiving(importer.actor) as reception:
                form = await read_form_keeping(request, reception)
                self._pages.require_csrf(request, form)
        except (MalformedError, TooLargeError) as error:
            return await self._home(request, error)
        about = {"zone": self._zone}
        await run_in_threadpool(
            partial(self._imports.change, reception.job_id, **about)
        )
        await self._begin(request, reception.job_id, Work.READ, importer)
        return self._back(reception.job_id)

    async def read(self, request: Request, job_id: UUID) -> Response:
        """Read the file again, as the person says that it is."""
        importer = self._importer(request)
        form = await self._pages.form(request)
        self._imports.change(
            job_id,
            encoding=form.one("encoding") or None,
            sheet=form.one("sheet") or None,
        )
        await self._begin(request, job_id, Work.READ, importer)
        return self._back(job_id)

    async def format(self, request: Request, job_id: UUID) -> Response:
        """Take the columns as a format of ours, or a mapping file, has them."""
        self._importer(request)
        form, files = await self._pages.form_and_files(request)
        job = self._imports.find(job_id)
        try:
            if files:
                mapping = mapping_of(_text(files[0].content))
            elif (name := form.one("format")) in own_formats():
                mapping = load_mapping(name)
            else:
                guessed = self._imports.guess(job_id)
                self._imports.map(job_id, guessed)
                return self._back(job_id, step="columns")
            self._imports.map(job_id, values_of(mapping))
        except AmendsError as error:
            return self._columns(request, job, error)
        return self._back(job_id, step="columns")

    async def columns(self, request: Request, job_id: UUID) -> Response:
        """Keep which column is what; then check, if that is asked for."""
        importer = self._importer(request)
        form = await self._pages.form(request)
        job = self._imports.find(job_id)
        if job.found is None or job.over or job.stage is Stage.WORKING:
            return self._back(job_id)
        values = self._imports.mapping(job_id) or {}
        try:
            made = import_columns.changed(values, form, job.found)
            self._imports.map(job_id, made)
        except ValidationError as refused:
            error = MalformedError(
                "import.columns_wrong",
                "Correct how days, times and the time zone are written.",
                errors=[
                    FieldError(".".join(map(str, each["loc"])), each["msg"], "")
                    for each in refused.errors()
                ],
            )
            return self._columns(request, job, error, form.one("dates"))
        self._imports.change(job_id, history=form.one("history") == "yes")
        unknown = made.get("channel") != values.get("channel")
        if form.one("do") == "check" and not unknown:
            await self._begin(request, job_id, Work.CHECK, importer)
            return self._back(job_id)
        return self._back(job_id, step="columns")

    async def start(self, request: Request, job_id: UUID) -> Response:
        """Import what was checked, or go on with what was stopped."""
        importer = self._importer(request)
        await self._pages.form(request)
        job = self._imports.find(job_id)
        if job.work is Work.READ or (
            job.work is Work.CHECK and job.stage is not Stage.READY
        ):
            return self._back(job_id, step="columns")
        await self._begin(request, job_id, Work.IMPORT, importer)
        return self._back(job_id)

    async def stop(self, request: Request, job_id: UUID) -> Response:
        self._importer(request)
        await self._pages.form(request)
        await run_in_threadpool(self._imports.stop, job_id)
        return self._back(job_id)

    async def remove(self, request: Request, job_id: UUID) -> Response:
        self._importer(request)
        await self._pages.form(request)
        await run_in_threadpool(self._imports.remove, job_id)
        return self._pages.redirect(HOME, done="removed")

    # -- how it is shown ---------------------------------------------------------

    def _importer(self, request: Request) -> Credential:
        """Give who asks. Raises UnauthenticatedError, or ForbiddenError for others."""
        credential = self._pages.require_known(request)
        if credential.role not in IMPORTERS:
            raise ForbiddenError("access.role", "This needs the role admin.")
        return credential

    async def _begin(
        self, request: Request, job_id: UUID, work: Work, importer: Credential
    ) -> None:
        await run_in_threadpool(
            self._imports.begin,
            job_id,
            work,
            actor=importer.actor,
            locale=self._pages.locale(request),
        )

    def _back(self, job_id: UUID, **query: str) -> Response:
        return self._pages.redirect(f"{HOME}/{job_id}", **query)

    async def _home(
        self, request: Request, error: AmendsError | None = None
    ) -> Response:
        jobs = await run_in_threadpool(self._imports.all)
        return self._pages.render(
            request,
            "import/home.html",
            status=status_of(error) if error else 200,
            jobs=[
                (job, datetime.fromisoformat(job.about["created_at"])) for job in jobs
            ],
            told=words.told(self._pages, request, error) if error else None,
            removed=request.query_params.get("done") == "removed",
            limit=self._imports.limit,
            hours=int(self._imports.kept.total_seconds() // 3600),
        )

    def _job(self, request: Request, job: Job) -> Response:
        if job.stage is Stage.WORKING:
            return self._pages.render(
                request, "import/working.html", job=job, wait=_WAIT, **words.speed(job)
            )
        if job.work is Work.IMPORT:
            over = job.stage is Stage.READY
            return self._ended(request, job, "done.html" if over else "paused.html")
        if job.found is None or (
            job.work is Work.READ and job.stage is not Stage.READY
        ):
            return self._pages.render(
                request,
                "import/unread.html",
                job=job,
                told=self._error(request, job),
                encodings=ENCODINGS,
            )
        asked = request.query_params.get("step") == "columns"
        if job.work is Work.CHECK and job.stage is Stage.READY and not asked:
            return self._ended(request, job, "checked.html")
        return self._columns(request, job)

    def _ended(self, request: Request, job: Job, template: str) -> Response:
        return self._pages.render(
            request,
            f"import/{template}",
            job=job,
            result=words.result(job),
            told=self._error(request, job),
            preview=words.preview(job),
            labels=words.LABELS,
            hours=int(self._imports.kept.total_seconds() // 3600),
            **words.speed(job),
        )

    def _columns(
        self,
        request: Request,
        job: Job,
        error: AmendsError | None = None,
        dates: str | None = None,
    ) -> Response:
        values = self._imports.mapping(job.job_id)
        found = job.found
        if values is None or found is None:
            return self._back(job.job_id)
        locale = self._pages.locale(request)
        used = import_columns.columns_of(values, history=job.about["history"])
        return self._pages.render(
            request,
            "import/columns.html",
            status=status_of(error) if error else 200,
            job=job,
            found=found,
            told=words.told(self._pages, request, error)
            if error
            else self._error(request, job),
            doubts=[
                self._pages.text(request, message, **told)
                for message, told in self._doubts(request, values, found)
            ],
            faults=[
                (line, rows, told[locale != DEFAULT])
                for line, rows, told in found["faults"]
            ],
            sheets=[(name, name) for name in found["sheets"]],
            looked_at=min(LOOKED_AT, found["total"]),
            choices=import_columns.choices(values),
            words=import_columns.words(values, found),
            channels=[each.value for each in Channel],
            names=[(each["name"],) * 2 for each in found["columns"]],
            unused=[
                each["name"] for each in found["columns"] if each["name"] not in used
            ],
            format=values["format"],
            formats=[(name, name) for name in own_formats() if name in found["fits"]],
            dates="; ".join(values.get("dates", ())) if dates is None else dates,
            zone=values["zone"],
            states_history="history" in values,
            delimiters=_DELIMITERS,
            encodings=ENCODINGS,
        )

    def _doubts(
        self, request: Request, values: Mapping[str, Any], found: Mapping[str, Any]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """Give what was not certain where the columns are those that were guessed."""
        if values["format"] == "table":
            say = partial(self._pages.text, request)
            yield from import_columns.doubts(found["doubts"], say)

    def _error(self, request: Request, job: Job) -> dict[str, Any] | None:
        error = words.error_of(job)
        return None if error is None else words.told(self._pages, request, error)


def _demonstration() -> RefusedError:
    return RefusedError(
        "intake.demonstration",
        "This folder holds a demonstration: import into another one.",
    )


def _text(content: bytes) -> str:
    if len(content) > _MAPPING_BYTES:
        raise MalformedError("import.mapping", "This is no mapping file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedError(
            "import.mapping", "Save the mapping file as UTF-8."
        ) from None


def _stem(job: Job) -> str:
    return clean_name(str(job.about["name"])).partition(".")[0] or "import"

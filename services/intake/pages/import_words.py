"""What the page for imports says: what went wrong, how far it is, what rows become."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request

from services.intake.importing.jobs import Job, Stage
from services.intake.importing.reasons import translated
from services.intake.pages import import_columns
from services.kernel.errors import AmendsError, FieldError
from services.kernel.i18n import msgid
from services.kernel.web.pages import Pages

_CODE: Final = re.compile(r"^[a-z]+\.[a-z_]+: ")
_MAY_BE: Final = re.compile(r"It may be (\S+)\.")
_PERHAPS: Final = msgid("It may be %(encoding)s.")
REMEDIES: Final[Mapping[str, str]] = {
    "import.too_large": msgid(
        "The file is too large for this page; nothing was kept. Split it, or bring it in"
        " with the command `amends import`, which has no limit."
    ),
    "import.empty_file": msgid("Choose a file that is not empty."),
    "import.one_file": msgid("Send one file at a time."),
    "import.no_table": msgid(
        "This is no table: nothing was imported. Save it as XLSX or CSV and choose it"
        " again."
    ),
    "import.empty": msgid(
        "The file has no header: name its columns in the first line."
    ),
    "import.bomb": msgid(
        "The file unpacks to far more than any table. Send the table itself, as CSV or"
        " XLSX."
    ),
    "import.too_big": msgid(
        "The workbook unpacks to more than can be read. Save the sheet alone as CSV."
    ),
    "import.damaged_file": msgid("The file is damaged. Get it once more."),
    "import.encoding": msgid(
        "The letters of the file cannot be read. Save it as UTF-8 (in a spreadsheet: CSV"
        " UTF-8), or say below how it is encoded."
    ),
    "import.broken_csv": msgid("This is not CSV from this line on:"),
    "import.long_line": msgid(
        "A line is far too long: check whether this is a table with ends of lines."
    ),
    "import.columns_wrong": msgid(
        "Correct how days, times and the time zone are written."
    ),
    "import.header": msgid("Correct the header of the file."),
    "import.columns": msgid("The file has too many columns: leave at most 1,000."),
    "import.other_file": msgid(
        "The file has none of the columns that the mapping names: choose another mapping."
    ),
    "import.unknown_encoding": msgid("There is no such encoding."),
    "import.mapping": msgid("Correct the mapping file and choose it again."),
    "import.no_history": msgid(
        "This mapping does not say what a row states of the past: leave the tick out, or"
        " add [history] to the mapping file."
    ),
    "import.no_job": msgid("This import was removed. Begin a new one."),
    "import.no_rejects": msgid("No row of it was rejected."),
    "import.works": msgid("It is still at work. Wait for its end, or stop it first."),
    "import.ended": msgid("This import has ended. Begin a new one for another file."),
    "import.intake_away": msgid(
        "amends did not answer. Go on when it does: nothing is received twice."
    ),
    "import.intake_restarted": msgid(
        "amends was started anew meanwhile. Go on: nothing is received twice."
    ),
    "import.refused": msgid("The import was refused:"),
    "import.failed": msgid(
        "Something failed here; the log says what. What was received stays received."
    ),
}
LABELS: Final = {
    **import_columns.LABELS,
    "idempotency_key": msgid("Key of the row"),
    "occurred_at": import_columns.LABELS["occurred_on"],
    "product.model": import_columns.LABELS["model"],
    "product.supplier": import_columns.LABELS["supplier"],
}


def told(pages: Pages, request: Request, error: AmendsError) -> dict[str, Any]:
    """Tell what went wrong and what to do, in the reader's words."""
    locale = pages.locale(request)
    known = REMEDIES.get(error.code)
    # A fault of a line repeats what is to be done with the file.
    whole = error.detail if known is not None else ""
    message = (
        translated(error.detail, locale)
        if known is None
        else pages.text(request, known)
    )
    if guessed := _MAY_BE.search(error.detail):
        message += " " + pages.text(request, _PERHAPS, encoding=guessed[1])
    return {
        "code": error.code,
        "message": message,
        "errors": [
            (
                each.field,
                translated(each.message.rstrip("."), locale),
                ""
                if each.remedy == whole
                else translated(each.remedy.rstrip("."), locale),
            )
            for each in error.errors
        ],
    }


def error_of(job: Job) -> AmendsError | None:
    """Give why the last work failed, if it did."""
    if job.stage is not Stage.FAILED or job.outcome is None:
        return None
    error = job.outcome["error"]
    errors = [FieldError(**each) for each in error["errors"]]
    return AmendsError(error["code"], error["detail"], errors=errors)


def speed(job: Job) -> dict[str, Any]:
    """Give what the bar tells; nothing is known before the first rows."""
    done, total = job.progress.get("done", 0), job.progress.get("total", 0)
    seconds = job.progress.get("seconds", 0.0)
    rate = done / seconds if seconds else 0.0
    left = (total - done) / rate if rate else None
    return {
        "done": done,
        "total": total,
        "share": done / total if total else None,
        "rate": round(rate),
        "minutes": None if left is None else int(left // 60),
        "seconds": None if left is None else int(left % 60),
        "phase": job.progress.get("phase", "reading"),
    }


def result(job: Job) -> dict[str, Any] | None:
    """Give the counts, and the reasons without the codes that programs read."""
    if job.outcome is None or job.stage is not Stage.READY:
        return None
    return {
        **job.outcome,
        "reasons": [(_CODE.sub("", why), rows) for why, rows in job.outcome["reasons"]],
        "faults": [(line, _CODE.sub("", why)) for line, why in job.outcome["faults"]],
    }


def preview(job: Job) -> Sequence[tuple[int, str, list[tuple[str, Any]]]]:
    """Give the first rows as complaints: line, how exactly dated, fields with values."""
    if job.outcome is None:
        return []
    return [
        (
            each["line"],
            each["complaint"]["occurred_precision"],
            list(_flat("", each["complaint"])),
        )
        for each in job.outcome.get("preview", ())
    ]


def _flat(path: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(f"{path}.{name}".lstrip("."), each)
    elif path == "occurred_at":
        yield path, datetime.fromisoformat(str(value))
    elif path not in {"origin", "occurred_precision"}:
        yield path, str(value)

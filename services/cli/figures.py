"""`amends analytics …`: asks the running services for figures and rebuilds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn

from services.analytics import cli
from services.analytics.application.exporting import CASES as LIST
from services.analytics.application.exporting import EXPORTED
from services.analytics.application.figures import FIGURES
from services.cli.client import answer, with_services
from services.cli.drafting import draft, put, refuse_existing
from services.cli.printing import REFUSED, show
from services.kernel.errors import FieldError, MisuseError
from services.kernel.i18n import language_of, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import httpx

    from services.analytics.cli import Ask
    from services.kernel.settings import Settings


def frequency(filters: Sequence[str], *, as_json: bool) -> None:
    query = _query(filters)
    with_services(lambda c, _: cli.frequency(_asking(c), query, as_json=as_json))


def root_causes(filters: Sequence[str], *, as_json: bool) -> None:
    query = _query(filters)
    with_services(lambda c, _: cli.root_causes(_asking(c), query, as_json=as_json))


def figure(name: str, filters: Sequence[str], *, as_json: bool) -> None:
    """Show a figure. Raises `MisuseError` for a name that none has."""
    if name in _OWN_VERBS:
        _OWN_VERBS[name](filters, as_json=as_json)
        return
    _known(name, FIGURES)
    query = _query(filters)
    with_services(lambda c, _: cli.figure(_asking(c), name, query, as_json=as_json))


_OWN_VERBS: Final = {"frequency": frequency, "root-causes": root_causes}


def export(
    name: str,
    filters: Sequence[str],
    files: Mapping[str, Path | None],
    *,
    language: str | None,
    as_json: bool,
) -> None:
    """Write a figure, or the complaints behind a number, to new files, by ending."""
    _known(name, EXPORTED)
    query, targets = _query(filters), {e: to for e, to in files.items() if to}
    for to in targets.values():
        refuse_existing(to)
    environment = (os.environ.get(each, "") for each in ("LC_ALL", "LANG"))
    spoken = language_of(language, *(each.partition(".")[0] for each in environment))

    def work(client: httpx.Client, _: Settings) -> None:
        for ending, to in targets.items():
            address = f"{cli.FIGURE.format(name=name)}.{ending}"
            with (
                draft(to) as beside,
                client.stream(
                    "GET",
                    address,
                    params=tuple(query),
                    headers={"Accept-Language": tag(spoken)},
                ) as response,
            ):
                if not response.is_success:
                    response.read()
                    answer(response)
                _written(response, beside, shown=not as_json)
                put(beside, to)

    with_services(work)
    written = {ending: str(to) for ending, to in targets.items()}
    show(written, as_json=as_json, human="\n".join(written.values()))


def _written(response: httpx.Response, to: Path, *, shown: bool) -> None:
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("Writing"),
        DownloadColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )
    with bar, to.open("wb") as file:
        task = bar.add_task("", total=None)
        for chunk in response.iter_bytes():
            file.write(chunk)
            bar.advance(task, len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _known(name: str, names: Iterable[str]) -> None:
    if name not in names:
        raise MisuseError(
            "analytics.no_such_figure",
            "There is no figure of that name.",
            errors=[
                FieldError(
                    "FIGURE",
                    "is unknown",
                    f"Use one of {', '.join(FIGURES)}; to a file also {LIST}.",
                )
            ],
        )


def rebuild(*, as_json: bool) -> None:
    """Exit status 1 where the rows were not what the log says."""

    def work(client: httpx.Client, _: Settings) -> bool:
        return cli.rebuild(_asking(client), as_json=as_json)

    if not with_services(work):
        sys.exit(REFUSED)


def _asking(client: httpx.Client) -> Ask:
    def ask(method: str, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        return answer(client.request(method, path, params=list(query)))

    return ask


def _query(filters: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for each in filters:
        name, sign, value = each.partition("=")
        if not (name and sign):
            raise MisuseError(
                "analytics.filter",
                "Write each filter as name=value.",
                errors=[FieldError(each, "has no =", "For example period=month.")],
            )
        pairs.append((name, value))
    return pairs

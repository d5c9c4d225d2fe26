"""`amends analytics`: figures and their rows."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.arguments import AsJson, group

analytics = group("Figures and their rows.")


Query = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILTER=VALUE",
        help="Filters as of the HTTP interface: period=month channel=web.",
    ),
]


@analytics.command(
    "frequency",
    epilog="Example: amends analytics frequency group_by=product period=month",
)
def analytics_frequency(query: Query = None, *, as_json: AsJson = False) -> None:
    """Count complaints, by default by category."""
    from services.cli import figures  # noqa: PLC0415 lazy

    figures.frequency(query or [], as_json=as_json)


@analytics.command(
    "root-causes", epilog="Example: amends analytics root-causes basis=found"
)
def analytics_root_causes(query: Query = None, *, as_json: AsJson = False) -> None:
    """Rank what complaints come from: basis=reported or basis=found."""
    from services.cli import figures  # noqa: PLC0415 lazy

    figures.root_causes(query or [], as_json=as_json)


@analytics.command(
    "figure", epilog="Example: amends analytics figure backlog group_by=department"
)
def analytics_figure(
    figure: Annotated[
        str, typer.Argument(help="Which one, as in its address; cases for the list.")
    ],
    query: Query = None,
    *,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write it to this new file.")
    ] = None,
    xlsx: Annotated[
        Path | None, typer.Option("--xlsx", help="Write a workbook to this new file.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="en or zh-CN, for the headings of a file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show any figure, or write it to a file.

    frequency, root-causes, coverage, first-contact, repeats, backlog, rates, appeals,
    declines, stated-deadlines, dwell, holding, returns, … as in the addresses; to a
    file also cases, the list of complaints.
    """
    from services.cli import figures  # noqa: PLC0415 lazy

    files = {"csv": csv, "xlsx": xlsx}
    if any(files.values()):
        figures.export(figure, query or [], files, language=language, as_json=as_json)
    else:
        figures.figure(figure, query or [], as_json=as_json)


@analytics.command("rebuild", epilog="Example: amends analytics rebuild --json")
def analytics_rebuild(*, as_json: AsJson = False) -> None:
    """Make the rows anew beside the live ones, compare, and put them in their place."""
    from services.cli import figures  # noqa: PLC0415 lazy

    figures.rebuild(as_json=as_json)

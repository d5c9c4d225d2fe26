"""`amends analytics`: figures and their rows."""

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
    figure: Annotated[str, typer.Argument(help="Which one, as in its address.")],
    query: Query = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show any of the other figures.

    backlog, rates, appeals, declines, stated-deadlines, dwell, holding or returns.
    """
    from services.cli import figures  # noqa: PLC0415 lazy

    figures.figure(figure, query or [], as_json=as_json)


@analytics.command("rebuild", epilog="Example: amends analytics rebuild --json")
def analytics_rebuild(*, as_json: AsJson = False) -> None:
    """Make the rows anew beside the live ones, compare, and put them in their place."""
    from services.cli import figures  # noqa: PLC0415 lazy

    figures.rebuild(as_json=as_json)

"""`amends quarantine`: what could not be handled."""

from typing import Annotated

import typer

from services.cli.arguments import AsJson, group

quarantine = group("What could not be handled, and what to do with it.")


Message = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, from `quarantine list`.")
]


@quarantine.command("list", epilog="Example: amends quarantine list --json")
def quarantine_list(*, as_json: AsJson = False) -> None:
    """List what the services could not handle."""
    from services.cli import quarantining  # noqa: PLC0415 lazy

    quarantining.listing(as_json=as_json)


@quarantine.command("show", epilog="Example: amends quarantine show ID --open repair")
def quarantine_show(
    document_id: Message,
    purpose: Annotated[
        str | None,
        typer.Option(
            "--open", metavar="PURPOSE", help="Show its bytes too; this is noted."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show where one came from and why it waits."""
    from services.cli import quarantining  # noqa: PLC0415 lazy

    quarantining.show_one(document_id, purpose, as_json=as_json)


@quarantine.command("replay", epilog="Example: amends quarantine replay")
def quarantine_replay(
    document_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One of them; else all.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Try again; what waits behind follows in order.

    What still cannot be handled stays as it is: repeating does no harm.
    """
    from services.cli import quarantining  # noqa: PLC0415 lazy

    quarantining.replay(document_id, as_json=as_json)


@quarantine.command(
    "discard", epilog="Example: amends quarantine discard ID --cause corrupt --yes"
)
def quarantine_discard(
    document_id: Message,
    cause: Annotated[
        str,
        typer.Option(help="corrupt, not_ours, repaired_elsewhere or test."),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pass one over for ever.

    Who did it and why is kept, the bytes are not.
    """
    from services.cli import quarantining  # noqa: PLC0415 lazy

    quarantining.discard(document_id, cause, sure=yes, as_json=as_json)

"""`amends privacy`: a person's own data."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.arguments import AsJson, group, one_part

privacy = group("A person's own data: look, erase, keep.")
hold = group("Keep somebody's data, whatever they ask for.")
privacy.add_typer(hold, name="hold")


Person = Annotated[
    list[str],
    typer.Argument(
        metavar="PERSON",
        help="A receipt number, a case id, or the person's own id.",
        callback=one_part,
    ),
]


@privacy.command(
    "erase", epilog="Example: amends privacy erase 4837 2915 0062 7714 --basis request"
)
def privacy_erase(
    person: Person,
    basis: Annotated[
        str,
        typer.Option(
            help="request, retention_expired, consent_withdrawn, unlawful or"
            " court_order."
        ),
    ] = "request",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, say what would go.")
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option(
            metavar="SUBJECT_ID",
            help="Do not ask: the person's id, as the dry run showed it.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person's data for ever: what they wrote and what was written of them.

    What happened to their complaints stays, in codes. It is shown first, and asked.
    """
    from services.cli import erasing  # noqa: PLC0415 lazy

    erasing.erase(person, basis, dry_run=dry_run, confirm=confirm, as_json=as_json)


@privacy.command(
    "export", epilog="Example: amends privacy export 4837291500627714 --to wang.zip"
)
def privacy_export(
    person: Person,
    to: Annotated[Path, typer.Option(help="A new file; an old one is not replaced.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write all that is held about a person into a zip, for them. This is noted."""
    from services.cli import exporting  # noqa: PLC0415 lazy

    exporting.export(person, to, as_json=as_json)


@privacy.command("register", epilog="Example: amends privacy register --json > kept")
def privacy_register(*, as_json: AsJson = False) -> None:
    """List who was erased, when and on what basis; keep a copy outside the house."""
    from services.cli import erasing  # noqa: PLC0415 lazy

    erasing.register(as_json=as_json)


@privacy.command("reapply", epilog="Example: amends privacy reapply --register kept")
def privacy_reapply(
    *,
    register: Annotated[
        Path | None,
        typer.Option(help="A register that was kept outside, as `register --json`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Erase again who had been erased, after older databases were put in place."""
    from services.cli import erasing  # noqa: PLC0415 lazy

    erasing.reapply(register, as_json=as_json)


@hold.command(
    "place",
    epilog="Example: amends privacy hold place 4837291500627714 --reason legal_claim"
    " --until 2027-06-30",
)
def hold_place(
    person: Person,
    reason: Annotated[
        str,
        typer.Option(help="legal_claim, authority, internal_inquiry or other."),
    ],
    until: Annotated[str, typer.Option(help="The last day, such as 2027-06-30.")],
    text: Annotated[
        str | None, typer.Option(help="More about the reason; it is sealed.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Have nothing of a person erased until the end of a day."""
    from services.cli import holding  # noqa: PLC0415 lazy

    holding.place(person, reason, until, text, as_json=as_json)


@hold.command("list", epilog="Example: amends privacy hold list --json")
def hold_list(*, as_json: AsJson = False) -> None:
    """List every hold that ever was, the latest first."""
    from services.cli import holding  # noqa: PLC0415 lazy

    holding.listing(as_json=as_json)


@hold.command("end", epilog="Example: amends privacy hold end HOLD_ID")
def hold_end(
    hold_id: Annotated[
        str,
        typer.Argument(
            metavar="HOLD_ID", help="Its id, from `hold list`.", callback=one_part
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """End a hold before its day; that it was placed stays on record."""
    from services.cli import holding  # noqa: PLC0415 lazy

    holding.end(hold_id, as_json=as_json)

"""`amends audit`: prove what happened, and who looked."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.arguments import AsJson, group, one_part

audit = group("Prove that history was not touched.")


@audit.command(
    "verify", epilog="Example: amends audit verify --against kept.txt --json"
)
def audit_verify(
    *,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that was kept elsewhere; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every ledger from the stored bytes and name what was changed."""
    from services.cli import auditing  # noqa: PLC0415 lazy

    auditing.verify(against or [], as_json=as_json)


@audit.command("checkpoint", epilog="Example: amends audit checkpoint > kept.txt")
def audit_checkpoint(*, as_json: AsJson = False) -> None:
    """Print the signed head of every ledger, to be kept outside the house."""
    from services.cli import auditing  # noqa: PLC0415 lazy

    auditing.checkpoints(as_json=as_json)


@audit.command(
    "replay", epilog="Example: amends audit replay --until 2026-03-31 --json"
)
def audit_replay(
    *,
    until: Annotated[
        str | None,
        typer.Option(
            help="Only what was known then: 2026-03-31T00:00:00Z, 2026-03-31 or a"
            " position."
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Work in so many; else as many as help."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fold every case of handling's record again, and print a digest of what comes out.

    The same events give the same digest, on either database and in any number of
    processes.
    """
    from services.cli import replaying  # noqa: PLC0415 lazy

    replaying.replay(until, processes=processes, as_json=as_json)


@audit.command("readings", epilog="Example: amends audit readings --case 123456789012")
def audit_readings(
    *,
    case: Annotated[
        str | None,
        typer.Option(help="Of this case: its receipt number or id.", callback=one_part),
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="By this person: their id in events.")
    ] = None,
    act: Annotated[
        str | None,
        typer.Option(
            help="Only what they did: read, list, preview, download, renew, search or"
            " export."
        ),
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="From this instant on: 2026-03-01T00:00:00Z.")
    ] = None,
    before: Annotated[str | None, typer.Option(help="Until this instant.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Tell who read, searched or exported what, and what for, the latest first.

    That somebody asked is noted too.
    """
    from services.cli import readings  # noqa: PLC0415 lazy

    asked = {"actor": actor, "act": act, "after": after, "before": before}
    readings.listing(case, asked, limit=limit, as_json=as_json)

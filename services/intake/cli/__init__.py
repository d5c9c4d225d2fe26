"""`amends submit` and `amends import`: clients of the running intake over HTTP."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.intake.cli.around import Around

if TYPE_CHECKING:
    import httpx


def add_verbs(app: typer.Typer, around: Around) -> None:
    """Add both verbs to the command."""

    @app.command(
        "submit",
        epilog="Example: amends submit --channel phone --name 'Lin Yan'"
        " --phone '+86 138 0013 8000' --statement 'The kettle leaks.'",
    )
    def submit(  # noqa: PLR0917 each is a flag, given by its name
        context: typer.Context,
        channel: Annotated[
            str | None, typer.Option(help="How it reached you: phone, letter, …")
        ] = None,
        statement: Annotated[
            str | None, typer.Option(help="What happened, in the customer's words.")
        ] = None,
        name: Annotated[str | None, typer.Option(help="The customer's name.")] = None,
        email: Annotated[str | None, typer.Option(help="name@example.org")] = None,
        phone: Annotated[str | None, typer.Option(help="+86 10 1234 5678")] = None,
        customer_no: Annotated[
            str | None, typer.Option(help="The customer's number with you.")
        ] = None,
        order_no: Annotated[
            str | None, typer.Option(help="The order's number.")
        ] = None,
        upstream_no: Annotated[
            str | None, typer.Option(help="Its number with the dealer or elsewhere.")
        ] = None,
        model: Annotated[str | None, typer.Option(help="The product's model.")] = None,
        serial: Annotated[str | None, typer.Option(help="Its serial number.")] = None,
        lot: Annotated[str | None, typer.Option(help="Its lot.")] = None,
        purchase_date: Annotated[str | None, typer.Option(help="2026-01-31")] = None,
        event_at: Annotated[
            str | None, typer.Option(help="When it happened: 2026-03-01T09:00:00Z")
        ] = None,
        demand: Annotated[
            list[str] | None, typer.Option(help="return, repair, …; may be repeated.")
        ] = None,
        desired_outcome: Annotated[
            str | None, typer.Option(help="What would put it right, in their words.")
        ] = None,
        category: Annotated[str | None, typer.Option(help="quality/leak")] = None,
        file: Annotated[
            str | None,
            typer.Option(
                "--from", help="Read a JSON submission from a file, - for stdin."
            ),
        ] = None,
        key: Annotated[
            str | None,
            typer.Option(help="Give the same again to be sure it is received once."),
        ] = None,
        *,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print JSON for programs.")
        ] = False,
    ) -> None:
        """Hand in one complaint and print its receipt."""
        from services.intake.cli import submitting  # noqa: PLC0415 lazy

        contact = _given(name=name, email=email, phone=phone, customer_no=customer_no)
        product = _given(model=model, serial=serial, lot=lot)
        flags = _given(
            channel=channel,
            statement=statement,
            contact=contact or None,
            product=product or None,
            order_no=order_no,
            upstream_no=upstream_no,
            purchase_date=purchase_date,
            event_at=event_at,
            demand=demand,
            desired_outcome=desired_outcome,
            category=category,
        )
        document = {**submitting.read(file), **flags} if file else flags
        submitting.check(document, () if file else context.params)
        receipt = around.session(
            lambda client: submitting.run_submit(client, document, key)
        )
        typer.echo(json.dumps(receipt) if as_json else submitting.printed(receipt))

    @app.command(
        "import",
        epilog="Example: amends import shop.csv --format shop.toml --dry-run",
    )
    def import_(
        file: Annotated[
            Path | None,
            typer.Argument(
                metavar="FILE",
                help="CSV, XLSX or JSON lines, also gzipped; - for stdin.",
            ),
        ] = None,
        format_: Annotated[
            str | None,
            typer.Option(
                "--format",
                help="cfpb, boston311, …, a mapping file (.toml), or table: by names.",
            ),
        ] = None,
        *,
        history: Annotated[
            bool,
            typer.Option(
                "--history", help="Also record what the rows state of the past."
            ),
        ] = False,
        dry_run: Annotated[
            bool, typer.Option(help="Only say what would become of the rows.")
        ] = False,
        rejects: Annotated[
            Path | None, typer.Option(help="Write rejected rows here, with reasons.")
        ] = None,
        encoding: Annotated[
            str | None, typer.Option(help="utf-8, gb18030, …; else found out.")
        ] = None,
        sheet: Annotated[
            str | None, typer.Option(help="The sheet of a workbook; else the first.")
        ] = None,
        write_mapping: Annotated[
            Path | None,
            typer.Option(help="Only write what was guessed as a mapping file."),
        ] = None,
        language: Annotated[
            str | None, typer.Option(help="en or zh-CN, for the reasons in --rejects.")
        ] = None,
        no_wait: Annotated[
            bool, typer.Option("--no-wait", help="Do not wait for the figures.")
        ] = False,
        list_: Annotated[
            bool, typer.Option("--list", help="Only list the imports that there were.")
        ] = False,
        revoke: Annotated[
            str | None,
            typer.Option(
                metavar="BATCH", help="Have no figure count what this import brought."
            ),
        ] = None,
        reinstate: Annotated[
            str | None,
            typer.Option(metavar="BATCH", help="Have figures count it again."),
        ] = None,
        worked_on: Annotated[
            bool,
            typer.Option(
                "--worked-on",
                help="Revoke also cases that somebody has worked on since.",
            ),
        ] = False,
        yes: Annotated[
            bool, typer.Option("--yes", help="Revoke or reinstate without asking.")
        ] = False,
        batch_size: Annotated[
            int, typer.Option(min=1, max=5_000, help="Rows sent together.")
        ] = 500,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print JSON for programs.")
        ] = False,
    ) -> None:
        """Take over complaints from a file. Running it again adds nothing twice.

        Exit status 1 when rows were rejected or histories refused.
        """
        wanted = [each for each in (file, list_, revoke, reinstate) if each]
        if len(wanted) != 1:
            raise typer.BadParameter(
                "Give one of FILE, --list, --revoke BATCH, --reinstate BATCH."
            )
        if file is None:
            _about_imports(
                around,
                revoke=revoke,
                reinstate=reinstate,
                worked_on=worked_on,
                dry_run=dry_run,
                yes=yes,
                as_json=as_json,
            )
            return
        from services.intake.cli import choosing, taking, telling  # noqa: PLC0415 lazy
        from services.kernel.i18n import language_of  # noqa: PLC0415 lazy

        environment = (os.environ.get(each, "") for each in ("LC_ALL", "LANG"))
        spoken = language_of(
            language, *(each.partition(".")[0] for each in environment)
        )

        given = taking.Given(
            history=history,
            dry_run=dry_run,
            rejects=rejects,
            encoding=encoding,
            sheet=sheet,
            language=spoken,
            batch_size=batch_size,
            wait=not no_wait,
            file_name=file.name,
            shown=not as_json,
        )
        with telling.readable(file) as source:
            chosen = choosing.choose(
                source,
                format_,
                draft_to=write_mapping,
                encoding=encoding,
                sheet=sheet,
            )
            if chosen is None:
                return
            mapping, guess = chosen
            try:
                begin = around.glance if dry_run else around.session
                summary = begin(
                    lambda client: taking.taken(around, client, source, mapping, given)
                )
            except KeyboardInterrupt:
                typer.echo(
                    "Stopped. The same import again goes on: nothing is received twice.",
                    err=True,
                )
                raise
        summary.columns = guess.columns() if guess else None
        typer.echo(
            telling.as_json(summary)
            if as_json
            else telling.printed(summary, rejects=rejects)
        )
        if not summary.all_taken:
            sys.exit(1)


def _about_imports(
    around: Around,
    *,
    revoke: str | None,
    reinstate: str | None,
    worked_on: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """List the imports that there were, or decide of one."""
    from services.intake.cli import batches, revoking, telling  # noqa: PLC0415 lazy

    batch = revoke or reinstate
    if batch is None:
        around.visit(lambda client: batches.show_imports(client, as_json=as_json))
        return

    def one_pass(client: "httpx.Client", *, foreseen: bool) -> revoking.Outcome:
        with telling.watched(shown=not as_json) as progress:
            return revoking.passed(
                client,
                batch,
                revoking.REVOKE if revoke else revoking.REINSTATE,
                worked_on=worked_on,
                foreseen=foreseen,
                progress=progress,
            )

    def work(client: "httpx.Client") -> revoking.Outcome:
        outcome = one_pass(client, foreseen=True)
        if dry_run or not outcome.changed or not revoking.confirmed(outcome, yes=yes):
            return outcome
        outcome = one_pass(client, foreseen=False)
        around.settled(client)
        return outcome

    outcome = around.visit(work)
    typer.echo(revoking.as_json(outcome) if as_json else "\n".join(outcome.lines()))
    if not outcome.whole:
        sys.exit(1)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

"""`amends`: one command; each verb imports what it needs when it is called."""

import sys
from typing import Annotated, NoReturn

import typer

from services.cli.printing import MISUSED, REFUSED
from services.cli.verbs.access import access
from services.cli.verbs.analytics import analytics
from services.cli.verbs.audit import audit
from services.cli.verbs.case import case
from services.cli.verbs.export import export
from services.cli.verbs.privacy import privacy
from services.cli.verbs.quarantine import quarantine
from services.cli.verbs.system import system
from services.kernel.errors import AmendsError, MisuseError

_SETTINGS = "settings.invalid"

app = typer.Typer(
    name="amends",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: short, quick, the same in a pipe
    pretty_exceptions_enable=False,
)
app.add_typer(system)
app.add_typer(case, name="case")
app.add_typer(analytics, name="analytics")
app.add_typer(export, name="export")
app.add_typer(access, name="access")
app.add_typer(audit, name="audit")
app.add_typer(quarantine, name="quarantine")
app.add_typer(privacy, name="privacy")


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 lazy

        typer.echo(f"amends {version('amends')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Say which version this is.",
            callback=_say_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Take care of customer complaints; none of them is lost."""


def main() -> NoReturn:
    """Run the command. Exit status: 0 done, 1 refused or found wrong, 2 misused."""
    try:
        app(prog_name="amends")
    except AmendsError as error:
        _tell(error)
        misused = isinstance(error, MisuseError) or error.code == _SETTINGS
        sys.exit(MISUSED if misused else REFUSED)
    sys.exit(0)


def _tell(error: AmendsError) -> None:
    """Print a refusal on standard error: what to do, its code, each field at fault."""
    said, _, listed = error.detail.partition("\n")
    typer.echo(f"amends: {said} [{error.code}]", err=True)
    if error.code == _SETTINGS:  # its detail lists the faults already
        typer.echo(listed, err=True)
        return
    for fault in error.errors:
        remedy = _ended(fault.remedy[:1].upper() + fault.remedy[1:])
        typer.echo(f"  {fault.field}: {_ended(fault.message)} {remedy}", err=True)


def _ended(text: str) -> str:
    return text if not text or text.endswith((".", "…", "?", "!")) else f"{text}."


def _add_intake() -> None:
    """Add `submit` and `import`, which intake describes itself."""
    from services.cli import sessions  # noqa: PLC0415 below what it needs
    from services.intake.cli import add_verbs  # noqa: PLC0415 as above

    add_verbs(system, sessions)


_add_intake()

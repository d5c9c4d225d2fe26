"""`amends`: one command; each verb imports what it needs when it is called."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from services.kernel.errors import AmendsError

REFUSED = 1
MISUSED = 2

app = typer.Typer(
    name="amends",
    help="Customer complaints, none of them lost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> NoReturn:
    """Run the command; a refusal is told on standard error and is exit status 1."""
    from services.kernel.settings import SettingsError  # noqa: PLC0415 lazy

    try:
        app()
    except SettingsError as error:
        _tell(error)
        sys.exit(MISUSED)
    except AmendsError as error:
        _tell(error)
        sys.exit(REFUSED)
    except BrokenPipeError:  # `amends … | head`
        sys.exit(REFUSED)
    sys.exit(0)


def _tell(error: AmendsError) -> None:
    typer.echo(f"amends: {error.detail} [{error.code}]", err=True)

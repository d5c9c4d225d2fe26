"""`amends up` and the other verbs that start, prepare and look at an installation."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from services.cli.arguments import AsJson, one_part

system = typer.Typer()


class StoryName(StrEnum):
    """What a demonstration can tell."""

    APPLIANCES = "appliances"
    UTILITY = "utility"


class ServiceName(StrEnum):
    """What can have a process of its own."""

    INTAKE = "intake"
    HANDLING = "handling"
    ANALYTICS = "analytics"


@system.command(epilog="Example: AMENDS_PORT=8090 AMENDS_DATA=/srv/amends amends up")
def up() -> None:
    """Serve everything here: broker, services, HTTP. Ctrl-C stops in order."""
    from services.cli import running  # noqa: PLC0415 lazy

    running.up()


@system.command(epilog="Example: AMENDS_DATA=amends-demo amends demo --story utility")
def demo(
    *,
    story: Annotated[
        StoryName,
        typer.Option(help="A maker of appliances (Chinese) or a utility (English)."),
    ] = StoryName.APPLIANCES,
    cases: Annotated[
        int | None,
        typer.Option(min=1, max=200_000, help="About how many complaints."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number tells it differently.")] = 1,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="The last day of the two years; today without."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Delete the demonstration, make it anew.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve it when it is made.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make two years of complaints that never were, in an empty folder, and serve them.

    Real commands by an invented house. The folder stays a demonstration: each page says
    so, and nothing real can be put into it. With --json it is made, not served.
    """
    from services.cli import demonstrating  # noqa: PLC0415 lazy

    demonstrating.demo(
        story=story.value,
        cases=cases,
        seed=seed,
        until=until.date() if until else None,
        again=again,
        serve=serve,
        as_json=as_json,
    )


@system.command(epilog="Example: amends run handling --port 8092")
def run(
    service: Annotated[
        ServiceName, typer.Argument(metavar="SERVICE", help="Which one.")
    ],
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Listen here instead of on the port of its address."
        ),
    ] = None,
) -> None:
    """Serve one service in a process of its own. Ctrl-C ends it.

    The broker that AMENDS_NATS_URL names runs already, and `amends provision` came
    first, once. The service listens on the port of its address: AMENDS_INTAKE_URL,
    AMENDS_HANDLING_URL or AMENDS_ANALYTICS_URL.
    """
    from services.cli import running  # noqa: PLC0415 lazy

    running.run(service.value, port)


@system.command(epilog="Example: amends provision --dry-run")
def provision(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, say what would be done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prepare for processes of their own.

    Makes what they need: the token, accounts, streams, durables.

    For the broker that AMENDS_NATS_URL names. Doing it again corrects what differs.
    """
    from services.cli import provisioning  # noqa: PLC0415 lazy

    provisioning.provision(dry_run=dry_run, as_json=as_json)


@system.command(epilog="Example: amends doctor --json")
def doctor(*, as_json: AsJson = False) -> None:
    """Look at settings, folder, disk, databases, broker, relays, clock; change nothing.

    Each line is ok, a warning or a fault, with what to do. Exit status 1 on a fault.
    """
    from services.cli import doctoring  # noqa: PLC0415 lazy

    doctoring.doctor(as_json=as_json)


@system.command(epilog="Example: amends migrate")
def migrate(*, as_json: AsJson = False) -> None:
    """Bring an older data folder to today's form; format 1 is the only one yet."""
    from services.cli import doctoring  # noqa: PLC0415 lazy

    doctoring.migrate(as_json=as_json)


@system.command("follow", epilog="Example: amends follow quality --json")
def follow_department(
    department: Annotated[
        str,
        typer.Argument(
            metavar="DEPARTMENT", help="Its code, such as quality.", callback=one_part
        ),
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the stored event, one a line.")
    ] = False,
) -> None:
    """Show a department's events live. It goes on where it stopped; Ctrl-C ends it."""
    from services.cli import follow  # noqa: PLC0415 lazy

    follow.follow_department(department, as_json=as_json)

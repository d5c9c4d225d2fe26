"""`amends up` and the other verbs that start, prepare and look at an installation."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
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


@system.command(epilog="Example: amends move --to - --dry-run < address")
def move(
    *,
    to: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="postgresql://user:password@host:port/database; - reads it from"
            " standard input, where no list of processes shows it.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, say what would be moved.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Move everything from the data folder's SQLite files into an empty PostgreSQL.

    With nothing running. All or nothing: ids, positions, times and keys stay; before
    the copy counts, it is read again and compared. The files are used no more then.
    """
    from services.cli import moving  # noqa: PLC0415 lazy

    moving.move(to, dry_run=dry_run, as_json=as_json)


@system.command(epilog="Example: amends doctor --json")
def doctor(*, as_json: AsJson = False) -> None:
    """Look at settings, folder, disk, databases, broker, relays, clock; change nothing.

    Each line is ok, a warning or a fault, with what to do. Exit status 1 on a fault.
    """
    from services.cli import doctoring  # noqa: PLC0415 lazy

    doctoring.doctor(as_json=as_json)


@system.command(epilog="Example: amends top --once")
def top(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Look for a second, print, end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Watch the services: rates, who is how far behind, quarantine, seal, what is red.

    What is red comes with what to do. With --once and --json exit status 1 says that
    something is. Ctrl-C ends it.
    """
    from services.cli import watching  # noqa: PLC0415 lazy

    watching.top(once=once, as_json=as_json)


@system.command(epilog="Example: amends support-bundle bundle.zip --log amends.log")
def support_bundle(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write it: a zip file.")
    ],
    *,
    log: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A log of amends: its last 2,000 lines."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write what somebody who helps from afar needs to see, with no person in it.

    Versions, settings without what is secret or a name, what doctor finds, health,
    figures, positions, sizes of tables, lines of the log cut down to our own codes.
    """
    from services.cli import bundling  # noqa: PLC0415 lazy

    bundling.support_bundle(target, log, as_json=as_json)


@system.command(epilog="Example: amends migrate")
def migrate(*, as_json: AsJson = False) -> None:
    """Bring an older data folder to today's form; format 1 is the only one yet."""
    from services.cli import doctoring  # noqa: PLC0415 lazy

    doctoring.migrate(as_json=as_json)


@system.command(
    epilog="Example: amends backup /srv/backups/2026-11-22.tar --keys /srv/keys/22.tar"
)
def backup(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TARGET", help="A new folder, or a new file that ends in .tar."
        ),
    ],
    *,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also back up the keys of the words, here, apart."
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read the backup that is there, write nothing."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy everything of one instant to TARGET, also while amends runs; verify it.

    Without --keys the copy cannot give back what people wrote, and that is meant: keep
    keys for days, backups for as long as you like.
    """
    from services.cli import backing  # noqa: PLC0415 lazy

    if verify:
        backing.verify(target, keys, as_json=as_json)
    else:
        backing.backup(target, keys, as_json=as_json)


class CopyKind(StrEnum):
    """What a backup can be restored as besides what it was."""

    STAGING = "staging"


@system.command(
    epilog="Example: amends restore /srv/backups/22.tar --keys /srv/keys/22.tar"
)
def restore(
    source: Annotated[
        Path, typer.Argument(metavar="BACKUP", help="What `amends backup` wrote.")
    ],
    *,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The backup of the keys. Without it those of the folder stay.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what is in the folder.")
    ] = False,
    copy_as: Annotated[
        CopyKind | None,
        typer.Option("--as", help="As a copy to try things on, which sends nothing."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, say what would be done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup back while amends is stopped, and recover from the streams.

    What the streams have and the backup lacks is added byte for byte. Then the streams
    are emptied, and filled again at the next start; departments are told.
    """
    from services.cli import backing  # noqa: PLC0415 lazy

    backing.restore(
        source,
        keys,
        replace=replace,
        staging=copy_as is CopyKind.STAGING,
        dry_run=dry_run,
        as_json=as_json,
    )


@system.command(epilog="Example: amends reconcile --dry-run")
def reconcile(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, say what is wrong.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the broker's streams with the records, and mend them; also while it runs.

    Messages that no service wrote are removed. A stream that lacks something, or holds
    another history, is emptied and filled again from the record.
    """
    from services.cli import backing  # noqa: PLC0415 lazy

    backing.reconcile(dry_run=dry_run, as_json=as_json)


@system.command(epilog="Example: amends takeover --dry-run")
def takeover(
    *,
    other_is_off: Annotated[
        bool,
        typer.Option(
            "--other-is-off",
            help="The other machine is off for certain, though it seems to send.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, say what is here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the second machine the one that works, when the first is gone.

    Promotes the standby that AMENDS_DATABASE_URL names, then has the streams of the
    broker here filled again from the records. With no service running on this machine.
    """
    from services.cli import succeeding  # noqa: PLC0415 lazy

    succeeding.takeover(dry_run=dry_run, other_is_off=other_is_off, as_json=as_json)


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

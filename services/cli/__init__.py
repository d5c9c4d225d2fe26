"""`amends`: one command; each verb imports what it needs when it is called."""

import itertools
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from services.kernel.errors import AmendsError, MisuseError

REFUSED = 1
MISUSED = 2
_SETTINGS = "settings.invalid"

app = typer.Typer(
    name="amends",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: short, quick, the same in a pipe
    pretty_exceptions_enable=False,
)


def _group(help_: str) -> typer.Typer:
    return typer.Typer(help=help_, no_args_is_help=True, rich_markup_mode=None)


case = _group("Look at cases.")
access = _group("Who may come in.")
channel = _group("Systems that hand complaints in over the bus.")
token = _group("Tokens of people and systems.")
user = _group("People who sign in.")
audit = _group("Prove that history was not touched.")
analytics = _group("Figures and their rows.")
privacy = _group("A person's own data: look, erase, keep.")
hold = _group("Keep somebody's data, whatever they ask for.")
quarantine = _group("What could not be handled, and what to do with it.")
app.add_typer(case, name="case")
app.add_typer(analytics, name="analytics")
app.add_typer(access, name="access")
access.add_typer(channel, name="channel")
access.add_typer(token, name="token")
access.add_typer(user, name="user")
app.add_typer(audit, name="audit")
app.add_typer(quarantine, name="quarantine")
app.add_typer(privacy, name="privacy")
privacy.add_typer(hold, name="hold")


class ServiceName(StrEnum):
    """What can have a process of its own."""

    INTAKE = "intake"
    HANDLING = "handling"
    ANALYTICS = "analytics"


def _as_path(given: Any) -> Any:
    """Refuse what cannot be one part of an address: nothing, or several parts."""
    for word in given if isinstance(given, list) else [given]:
        if word is None:
            continue
        if not word.strip():
            raise typer.BadParameter("it is empty")
        if "/" in word or word in {".", ".."}:
            raise typer.BadParameter(f"{word!r} is no code, number or id")
    return given


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


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


def read_reference(words: Sequence[str]) -> tuple[str, list[str]]:
    """Give the case that `words` begin with, and the words behind it.

    A receipt number may come in the groups in which it is read aloud.
    """
    digits = list(itertools.takewhile(lambda word: word.isdecimal(), words))
    if digits:
        return "".join(digits), list(words[len(digits) :])
    return words[0], list(words[1:])


def show(value: Any, *, as_json: bool, human: str) -> None:
    """Print a result for a program or for a person."""
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else human)


def show_rows(
    found: Any,
    columns: dict[str, str],
    *,
    as_json: bool,
    empty: str,
) -> None:
    """Print rows as a table of `columns` (heading by name), or say that none is."""
    if as_json or not found["rows"]:
        show(found, as_json=as_json, human=empty)
        return
    from services.kernel.terminal import print_rows  # noqa: PLC0415 lazy

    rows = [
        {name: "" if row[name] is None else str(row[name]) for name in columns}
        for row in found["rows"]
    ]
    print_rows(columns, rows)


@app.command(epilog="Example: AMENDS_PORT=8090 AMENDS_DATA=/srv/amends amends up")
def up() -> None:
    """Serve everything here: broker, services, HTTP. Ctrl-C stops in order."""
    from services.cli import running  # noqa: PLC0415 lazy

    running.up()


@app.command(epilog="Example: amends run handling --port 8092")
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


@app.command(epilog="Example: amends provision --dry-run")
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


@app.command(epilog="Example: amends doctor --json")
def doctor(*, as_json: AsJson = False) -> None:
    """Look at settings, folder, disk, databases, broker, relays, clock; change nothing.

    Each line is ok, a warning or a fault, with what to do. Exit status 1 on a fault.
    """
    from services.cli import doctoring  # noqa: PLC0415 lazy

    doctoring.doctor(as_json=as_json)


@app.command(epilog="Example: amends migrate")
def migrate(*, as_json: AsJson = False) -> None:
    """Bring an older data folder to today's form; format 1 is the only one yet."""
    from services.cli import doctoring  # noqa: PLC0415 lazy

    doctoring.migrate(as_json=as_json)


@app.command("follow", epilog="Example: amends follow quality --json")
def follow_department(
    department: Annotated[
        str,
        typer.Argument(
            metavar="DEPARTMENT", help="Its code, such as quality.", callback=_as_path
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


@case.command("show", epilog="Example: amends case show 4837 2915 0062 7714 --as-of 5")
def case_show(
    reference: Annotated[
        list[str],
        typer.Argument(
            metavar="CASE", help="Receipt number or case id.", callback=_as_path
        ),
    ],
    as_of: Annotated[
        str | None,
        typer.Option(
            help="As it was known then: 2026-03-31T00:00:00Z, 2026-03-31 or a position."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show a case and what happened to it, read from the record itself."""
    from services.cli import cases  # noqa: PLC0415 lazy

    number, rest = read_reference(reference)
    if rest:
        raise typer.BadParameter(f"one case at a time: what is {' '.join(rest)!r}?")
    cases.show_case(number, as_of, as_json=as_json)


@case.command(
    "find", epilog="Example: amends case find leaks --phone '+86 138 0013 8000'"
)
def case_find(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS", help="All of them; or digits of a receipt number."
        ),
    ] = None,
    *,
    phone: Annotated[
        str | None, typer.Option(help="Telephone number, with its country code.")
    ] = None,
    email: Annotated[str | None, typer.Option(help="E-mail address.")] = None,
    order: Annotated[str | None, typer.Option(help="Order number.")] = None,
    serial: Annotated[str | None, typer.Option(help="Serial number.")] = None,
    lot: Annotated[str | None, typer.Option(help="Lot.")] = None,
    customer: Annotated[str | None, typer.Option(help="Customer number.")] = None,
    upstream: Annotated[
        str | None, typer.Option(help="Its number with the dealer or elsewhere.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Find cases by numbers, addresses and words; the search is noted.

    Words are found whole, all in what the customer handed in or all in what colleagues
    wrote. What is given must all be true of a case.
    """
    from services.cli import finding  # noqa: PLC0415 lazy

    given = {
        "q": " ".join(words or ()) or None,
        "phone": phone,
        "email": email,
        "order": order,
        "serial": serial,
        "lot": lot,
        "customer": customer,
        "upstream": upstream,
    }
    sought = {name: text for name, text in given.items() if text is not None}
    if not sought:
        raise typer.BadParameter("say what to find: words, or one of the options")
    finding.find(sought, limit=limit, as_json=as_json)


@case.command(
    "do",
    epilog="Example: amends case do 4837 2915 0062 7714 sign-for --token-file zhao.token",
)
def case_do(  # noqa: PLR0917 each is a flag, given by its name
    reference: Annotated[
        str,
        typer.Argument(
            metavar="CASE", help="Receipt number or case id.", callback=_as_path
        ),
    ],
    command: Annotated[
        str, typer.Argument(metavar="COMMAND", help="accept, assign, sign-for, …")
    ],
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIELD=VALUE",
            help="Its fields: category=product/leak remedies='[…]'.",
        ),
    ] = None,
    token_file: Annotated[
        Path, typer.Option(help="File with the token of who gives it, - for stdin.")
    ] = Path("-"),
    key: Annotated[
        str | None, typer.Option(help="The same key again gives the same answer.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="Refuse where the case has changed since.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Give a command to a case, as the holder of a token."""
    from services.cli import commanding  # noqa: PLC0415 lazy

    commanding.give(
        [reference, command, *(fields or [])],
        token_file=token_file,
        key=key,
        version=version,
        as_json=as_json,
    )


@case.command(
    "new-access-code", epilog="Example: amends case new-access-code 4837 2915 0062 7714"
)
def case_new_access_code(
    reference: Annotated[
        list[str],
        typer.Argument(
            metavar="CASE", help="Receipt number or case id.", callback=_as_path
        ),
    ],
    *,
    key: Annotated[
        str | None, typer.Option(help="The same key again gives the same code.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a case's access code anew, shown this once; the old one ends."""
    from services.cli import codes  # noqa: PLC0415 lazy

    codes.renew(reference, key=key, as_json=as_json)


@token.command(
    "create",
    epilog="Example: amends access token create --role department_handler"
    " --department quality --actor zhao",
)
def token_create(
    role: Annotated[str, typer.Option(help="What its holder is.")],
    *,
    actor: Annotated[str | None, typer.Option(help="Id of its holder.")] = None,
    department: Annotated[str | None, typer.Option(help="The holder's unit.")] = None,
    channel: Annotated[
        str | None, typer.Option(help="The only channel it may submit on.")
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option(help="When it ends (UTC), 2027-01-31T00:00:00.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Issue a token; it is shown this once and stored only as a digest."""
    from services.cli import tokens  # noqa: PLC0415 lazy

    tokens.create(
        {
            "role": role,
            "actor": actor,
            "department": department,
            "channel": channel,
            "expires_at": expires.isoformat() + "Z" if expires else None,
        },
        as_json=as_json,
    )


@token.command("list", epilog="Example: amends access token list --json")
def token_list(*, as_json: AsJson = False) -> None:
    """List every token that ever was, without the tokens themselves."""
    from services.cli import tokens  # noqa: PLC0415 lazy

    tokens.listing(as_json=as_json)


@token.command(
    "revoke",
    epilog="Example: amends access token revoke 01a20125-1c3e-7a51-9d1e-4b8f0c6a2d11",
)
def token_revoke(
    token_id: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN_ID", help="Its id, from `token list`.", callback=_as_path
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """End a token; it is refused within five seconds everywhere."""
    from services.cli import tokens  # noqa: PLC0415 lazy

    tokens.revoke(token_id, as_json=as_json)


@user.command(
    "create",
    epilog="Example: amends access user create --login lin --name 'Lin Yan'"
    " --role agent",
)
def user_create(
    login: Annotated[str, typer.Option(help="What they type to sign in.")],
    name: Annotated[str, typer.Option(help="What colleagues call them.")],
    role: Annotated[str, typer.Option(help="What they are.")],
    *,
    department: Annotated[str | None, typer.Option(help="Their unit.")] = None,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read the password from standard input."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let somebody in; without --password-stdin the terminal asks for the password."""
    from services.cli import users  # noqa: PLC0415 lazy

    wanted = {"login": login, "name": name, "role": role, "department": department}
    users.create(wanted, password_stdin=password_stdin, as_json=as_json)


@user.command("list", epilog="Example: amends access user list --json")
def user_list(*, as_json: AsJson = False) -> None:
    """List everybody who ever was let in."""
    from services.cli import users  # noqa: PLC0415 lazy

    users.listing(as_json=as_json)


@user.command("depart", epilog="Example: amends access user depart lin")
def user_depart(
    login: Annotated[
        str, typer.Argument(metavar="LOGIN", help="Their login, or their id in events.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """End somebody's sessions and tokens at once; what they did stays."""
    from services.cli import users  # noqa: PLC0415 lazy

    users.depart(login, as_json=as_json)


@channel.command(
    "credentials", epilog="Example: amends access channel credentials phone --json"
)
def channel_credentials(
    code: Annotated[
        str, typer.Argument(metavar="CHANNEL", help="Its code.", callback=_as_path)
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Tell how a channel's system hands complaints in over the bus, with its secret."""
    from services.cli import channels  # noqa: PLC0415 lazy

    channels.credentials(code, as_json=as_json)


@access.command("admin-link", epilog="Example: amends access admin-link")
def access_admin_link(*, as_json: AsJson = False) -> None:
    """Make the one-time link to the first administrator, in place of an older one."""
    from services.cli import users  # noqa: PLC0415 lazy

    users.admin_link(as_json=as_json)


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
        typer.Option(help="Of this case: its receipt number or id.", callback=_as_path),
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


@analytics.command("rebuild", epilog="Example: amends analytics rebuild --json")
def analytics_rebuild(*, as_json: AsJson = False) -> None:
    """Make the rows anew beside the live ones, compare, and put them in their place."""
    from services.cli import figures  # noqa: PLC0415 lazy

    figures.rebuild(as_json=as_json)


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


Person = Annotated[
    list[str],
    typer.Argument(
        metavar="PERSON",
        help="A receipt number, a case id, or the person's own id.",
        callback=_as_path,
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
            metavar="HOLD_ID", help="Its id, from `hold list`.", callback=_as_path
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """End a hold before its day; that it was placed stays on record."""
    from services.cli import holding  # noqa: PLC0415 lazy

    holding.end(hold_id, as_json=as_json)


def _add_intake() -> None:
    """Add `submit` and `import`, which intake describes itself."""
    from services.cli import sessions  # noqa: PLC0415 below what it needs
    from services.intake.cli import add_verbs  # noqa: PLC0415 as above

    add_verbs(app, sessions.session, sessions.settled, sessions.taken_over)


_add_intake()

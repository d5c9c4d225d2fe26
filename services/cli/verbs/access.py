"""`amends access`: who may come in."""

from datetime import datetime
from typing import Annotated

import typer

from services.cli.arguments import AsJson, group, one_part

access = group("Who may come in.")
channel = group("Systems that hand complaints in over the bus.")
token = group("Tokens of people and systems.")
user = group("People who sign in.")
access.add_typer(channel, name="channel")
access.add_typer(token, name="token")
access.add_typer(user, name="user")


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
            metavar="TOKEN_ID", help="Its id, from `token list`.", callback=one_part
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
        str, typer.Argument(metavar="CHANNEL", help="Its code.", callback=one_part)
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

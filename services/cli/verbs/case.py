"""`amends case`: look at cases, find them, act on them."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.arguments import AsJson, group, one_part, read_reference

case = group("Look at cases.")


@case.command("show", epilog="Example: amends case show 4837 2915 0062 7714 --as-of 5")
def case_show(
    reference: Annotated[
        list[str],
        typer.Argument(
            metavar="CASE", help="Receipt number or case id.", callback=one_part
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
    due_before: Annotated[
        str | None,
        typer.Option(
            help="What is due before 2026-03-31T00:00:00Z or 2026-03-31, the next first."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Find cases by numbers, addresses, words and due dates; searches are noted.

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
        "due_before": due_before,
        "sort": due_before and "due",
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
            metavar="CASE", help="Receipt number or case id.", callback=one_part
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
            metavar="CASE", help="Receipt number or case id.", callback=one_part
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

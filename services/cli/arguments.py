"""What several verbs take: flags, references to cases, codes."""

import itertools
from collections.abc import Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def group(help_: str) -> typer.Typer:
    return typer.Typer(help=help_, no_args_is_help=True, rich_markup_mode=None)


def one_part(given: Any) -> Any:
    """Refuse what cannot be one part of an address: nothing, or several parts."""
    for word in given if isinstance(given, list) else [given]:
        if word is None:
            continue
        if not word.strip():
            raise typer.BadParameter("it is empty")
        if "/" in word or word in {".", ".."}:
            raise typer.BadParameter(f"{word!r} is no code, number or id")
    return given


def read_reference(words: Sequence[str]) -> tuple[str, list[str]]:
    """Give the case that `words` begin with, and the words behind it.

    A receipt number may come in the groups in which it is read aloud.
    """
    digits = list(itertools.takewhile(lambda word: word.isdecimal(), words))
    if digits:
        return "".join(digits), list(words[len(digits) :])
    return words[0], list(words[1:])

"""Tells why a row was rejected, in the language of who will correct it."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from services.kernel.i18n import DEFAULT, Catalogues, msgid

_TEMPLATES: Final = (
    msgid("is missing"),
    msgid("is empty"),
    msgid("is no channel that the mapping file knows"),
    msgid("is no day written as {forms}"),
    msgid("is no date written as {forms}"),
    msgid("is no day of the calendar"),
    msgid("is no time of a day"),
    msgid("has an offset that no clock has"),
    msgid("is a day that was left out in {zone}"),
    msgid("is a time that the clocks skipped in {zone}"),
    msgid("lies outside the years 1 to 9999"),
    msgid("lies in the future"),
    msgid("is too long"),
    msgid("is not a known code"),
    msgid("is not a field"),
    msgid("has not the right form"),
    msgid("cannot be read"),
    msgid("has {cells} cells, the header {names}"),
    msgid("holds a NUL character"),
    msgid("holds {number}, which a spreadsheet has rounded"),
    msgid("is part of cells merged from line {line} on"),
    msgid("is a formula, and none is evaluated"),
    msgid("holds the error {error}"),
    msgid("is no JSON object: {error}"),
    msgid("is nested too deeply"),
    msgid("Write the day as {example}"),
    msgid("Write the date as {example}"),
    msgid("Use one of {channels}, or name it under [channels] of the mapping file"),
    msgid("Give the row its identifier"),
    msgid("Give it"),
    msgid("Give an instant that is past"),
    msgid("Give a day that is past"),
    msgid("Send at most {limit}"),
    msgid("Use one of {codes}"),
    msgid("Say when the complaint was made then"),
    msgid("Write it as name@example.org"),
    msgid("Write digits, best as +86 10 1234 5678"),
    msgid("Join up to four codes by '/'"),
    msgid("Use up to 64 of letters, digits, '_', '.', '-'; first a letter or digit"),
    msgid("Quote cells that hold a comma or a quote"),
    msgid("Remove it"),
    msgid("Format the column as text where it comes from and export it again"),
    msgid("Unmerge them and fill every row"),
    msgid("Copy the column and paste it as values"),
    msgid("Mend the cell, or empty it"),
    msgid("is not {name} at byte {byte}"),
    msgid("is not CSV: {error}"),
    msgid("has more than {limit} characters"),
    msgid("has more than {limit} bytes"),
    msgid("is named more than once"),
    msgid("Rename one of the columns"),
    msgid("Add the column, or name yours in the mapping file"),
    msgid("Close every quote and double those inside quotes"),
    msgid("Check whether this is a CSV file with ends of lines"),
    msgid("Write one object a line"),
    msgid("Write one object a line, of texts, numbers and objects of these"),
    msgid("This fact lies in the future"),
    msgid("give the date that the source states, or none"),
    msgid("This fact cannot come after the ones before it"),
    msgid("put it where the case is in one of {allowed}"),
    msgid("is another one than was recorded before"),
    msgid("What was recorded stays: correct the case itself"),
    msgid("Its import was revoked: reinstate that before anything else is done"),
    msgid(
        "More than the receipt is recorded of this case: record a history first of all"
        " and only once, and go on by the commands of daily work"
    ),
    msgid("was received before with other contents"),
    msgid("was received before on the channel {channel}"),
    msgid("What was received stays; give another complaint an identifier of its own"),
    msgid(
        "Two texts become the {kind} code {code}: name a code for one of them under"
        " [codes.{table}] of the mapping file."
    ),
)
"""Every sentence of a reason; what stands in braces comes from the row."""

_FOLDER: Final = Path(__file__).parents[1] / "locale"


def translated(sentence: str, locale: str) -> str:
    """Give the sentence in the language; in English where there is no other."""
    if locale == DEFAULT:
        return sentence
    known = _catalogues().of(locale)
    for template, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            return str(known.gettext(template)).format(**found.groupdict())
    return sentence


@cache
def _catalogues() -> Catalogues:
    return Catalogues((_FOLDER,))


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(each, re.compile(_pattern(each), re.DOTALL)) for each in _TEMPLATES]


def _pattern(template: str) -> str:
    return "".join(_pieces(template))


def _pieces(template: str) -> Iterator[str]:
    for piece in re.split(r"(\{\w+\})", template):
        named = piece.startswith("{")
        yield f"(?P<{piece[1:-1]}>.*?)" if named else re.escape(piece)

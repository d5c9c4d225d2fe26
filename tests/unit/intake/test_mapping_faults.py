"""A mapping file with mistakes: each is named where it is, with what would be right."""

import re
from pathlib import Path

import pytest

from services.intake.importing.running import load_mapping
from services.kernel.errors import MalformedError

GOOD = {
    "format": '"shop"',
    "zone": '"Asia/Shanghai"',
    "key": '"shop:{No}"',
    "occurred_on": '"Date"',
}
FACTS = "[[history.facts]]\n"


def faults(tmp_path: Path, more: str = "", **changes: str | None) -> dict[str, str]:
    """Give what is said of each place: the fault and the remedy."""
    path = tmp_path / "own.toml"
    lines = (GOOD | changes).items()
    text = "\n".join(f"{name} = {value}" for name, value in lines if value)
    path.write_text(f"{text}\n{more}", "utf-8")
    with pytest.raises(MalformedError) as refused:
        load_mapping(str(path))
    assert refused.value.code == "import.mapping"
    return {
        each.field: f"{each.message}. {each.remedy}" for each in refused.value.errors
    }


@pytest.mark.parametrize(
    ("more", "place", "said"),
    [
        ('statment = "T"', "statment", "not known here. Did you mean statement? Use"),
        ("occurred = 1", "occurred", "not known here. Did you mean occurred_on?"),
        ('dates = "DD.MM.YYYY"', "dates", "no list in square brackets. List how"),
        ('dates = ["DD/QQ"]', "dates.0", "'DD/QQ' is no form of a date like YYYY-MM-"),
        ("dates = []", "dates", "is empty. List how"),
        ('model = "M"', "model", "no list in square brackets. List the columns: model"),
        ('category = ["a","b","c","d","e"]', "category", "has more than 4 entries"),
        ("statement = 7", "statement", "no text in quotes. Name the column"),
        ('several_rows = "so"', "several_rows", "neither true nor false"),
        ('fields = "F"', "fields", "is no table. Write [fields] and below it"),
        ('[fields]\n"contact.fax" = "F"', "fields.contact.fax", "purchase_date"),
        ('[channels]\ntel = "telephone"', "channels.tel", "Use one of phone, email"),
        ('[codes.model]\nX = "a b"', "codes.model.X", "is no code. Use up to 64"),
        ('[codes.colour]\nX = "a"', "codes.colour", "Use one of model, supplier,"),
        ("[history]\nfacts = []", "history.facts", "is empty. Write [[history.facts]]"),
        (f'{FACTS}fact = "closd"', "history.facts.0.fact", "Use one of due, assigned"),
        (f'{FACTS}fact = "closed"', "history.facts.0", "say when: a row that states"),
        (f'{FACTS}fact = "due"\ndue = "D"\nwhenn = 1', "history.facts.0.whenn", "mean when?"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_what_would_be_right(
    tmp_path: Path, more: str, place: str, said: str
) -> None:
    found = faults(tmp_path, more)
    assert list(found) == [place]
    assert said in found[place]


@pytest.mark.parametrize("name", GOOD)
def test_what_is_missing_is_named_with_an_example(tmp_path: Path, name: str) -> None:
    ((place, said),) = faults(tmp_path, **{name: None}).items()
    assert place == name
    assert said.startswith("is missing. ")
    assert f"{name} = " in said


def test_an_identifier_needs_a_column(tmp_path: Path) -> None:
    found = faults(tmp_path, key='"shop:No"')
    assert found["key"].startswith("names no column in braces. ")


def test_nothing_is_said_in_the_words_of_a_library(tmp_path: Path) -> None:
    """Every kind of mistake at once."""
    found = faults(
        tmp_path,
        "model = 1\ncategory = [1]\n[channels]\na = 2\n[codes]\nmodel = 3\n"
        f"{FACTS}fact = 1\nwhen = 2\nat = 3\n{FACTS}when = [{{column = 4}}]",
        zone="7",
        dates='{a = "b"}',
        several_rows="9",
    )
    assert len(found) > 9
    words = r"input|valid|string|tuple|dictionary|instance|pattern|pydantic"
    assert not [
        said for said in found.values() if re.search(words, said, re.IGNORECASE)
    ]

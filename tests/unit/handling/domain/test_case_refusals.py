"""Refusals: every code is in the table, in the code, and in a test."""

import ast
import re
from pathlib import Path

import pytest

from services.handling.domain.refusals import FIELDS, FORBIDDEN, REFUSALS, refusal
from services.kernel.errors import FieldError, ForbiddenError, RefusedError

ROOT = Path(__file__).parents[4]
DOMAIN = ROOT / "services/handling/domain"
CODE = re.compile(r"case\.[a-z_]+")


def codes_in(folder: Path, *, but: str) -> set[str]:
    """Every whole string that is a code, in the files below a folder but one."""
    return {
        node.value
        for file in folder.rglob("*.py")
        if file.name != but
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value)
    }


def test_the_table_holds_every_refusal_and_no_other():
    assert codes_in(DOMAIN, but="refusals.py") == REFUSALS.keys()


def test_every_refusal_is_provoked_by_a_test():
    assert codes_in(Path(__file__).parent, but=Path(__file__).name) == REFUSALS.keys()


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_one_sentence_that_says_what_to_do(code: str):
    """`What is wrong: what to do.`, with the values that would do where there are such."""
    sentence = REFUSALS[code]
    assert CODE.fullmatch(code)
    assert re.fullmatch(r"[A-Z][^:]{10,}: [a-z][^:]{10,}\.", sentence)
    assert "  " not in sentence
    error = refusal(code, allowed=["one", "two"])
    assert (error.code, error.detail) == (code, sentence.format(allowed="one, two"))


def test_a_refusal_of_a_field_names_it_and_what_it_may_be():
    assert REFUSALS.keys() > FIELDS.keys()
    error = refusal("case.unknown_cause", allowed=["wear", "misuse"])
    assert error.errors == (
        FieldError(
            "root_cause.path",
            "The policy has no such cause",
            "choose one of wear, misuse",
        ),
    )
    assert refusal("case.ended").errors == ()


def test_who_asks_decides_a_403_and_nothing_else_does():
    assert REFUSALS.keys() > FORBIDDEN
    for code in REFUSALS:
        expected = ForbiddenError if code in FORBIDDEN else RefusedError
        assert type(refusal(code)) is expected

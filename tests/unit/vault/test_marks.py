"""A mark has one spelling however it is typed, and what many would share is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.vault.index import KINDS, normalise


def normal(kind: str, value: str, region: str | None = "CN") -> str | None:
    return normalise(kind, value, region=region)


@pytest.mark.parametrize(
    "typed",
    [
        "138 1234 5678",
        "138-1234-5678",
        "+86 138 1234 5678",
        "0086 13812345678",
        "１３８１２３４５６７８",  # noqa: RUF001 full-width digits, as Chinese input methods type
        " (+86) 138.1234.5678 ",
    ],
)
def test_a_phone_number_is_one_number(typed: str) -> None:
    assert normal("phone", typed) == "+8613812345678"


@pytest.mark.parametrize(
    ("typed", "region"),
    [
        ("none", "CN"),
        ("", "CN"),
        ("0000000000", "US"),
        ("12", "CN"),
        ("138 1234 5678", None),  # nobody said where it is at home
        ("1" * 300, "CN"),
    ],
)
def test_what_cannot_be_dialled_is_no_mark(typed: str, region: str | None) -> None:
    assert normal("phone", typed, region) is None


def test_extensions_of_one_switchboard_are_different_people() -> None:
    plain = normal("phone", "(415) 555-2671", "US")
    assert plain == "+14155552671"
    assert normal("phone", "(415) 555-2671 ext. 12", "US") == "+14155552671;ext=12"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (" Ann.Lee+shop@Example.COM ", "ann.lee+shop@example.com"),
        ("jos\u00e9@example.com", "jos\u00e9@example.com"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
        ("anna@B\u00fccher.example", "anna@xn--bcher-kva.example"),
        ("anna@xn--bcher-kva.example.", "anna@xn--bcher-kva.example"),
        ("\u5f20@\u4f8b\u5b50.\u4e2d\u56fd", "\u5f20@xn--fsqu00a.xn--fiqs8s"),
    ],
)
def test_an_address_is_one_address(typed: str, expected: str) -> None:
    assert normal("email", typed) == expected


@pytest.mark.parametrize(
    "typed",
    ["", "none", "@", "a@", "@b.com", "none@none", "a b@c.com", "a@b..com", "a@b c.de"],
)
def test_what_is_no_address_is_no_mark(typed: str) -> None:
    assert normal("email", typed) is None


@pytest.mark.parametrize("kind", ["customer_no", "order_no", "serial", "lot"])
def test_a_code_is_one_code(kind: str) -> None:
    for typed in ("ab-12 34", "AB1234", "\uff21\uff22\uff11\uff12\u2013\uff13\uff14"):
        assert normal(kind, typed) == "AB1234"
    assert normal(kind, "0012") == "0012"  # zeros in front are part of it


@pytest.mark.parametrize("typed", ["", "-", "n/a", "none", "0", "0000", "\u200b"])
def test_what_people_type_when_they_have_no_code_is_no_mark(typed: str) -> None:
    assert normal("order_no", typed) is None


def test_an_unknown_kind_is_a_mistake_of_the_program() -> None:
    with pytest.raises(KeyError):
        normal("fax", "1")


@given(
    kind=st.sampled_from(sorted(KINDS)),
    value=st.text(max_size=40),
    region=st.sampled_from([None, "CN", "US"]),
)
def test_every_text_is_answered_and_the_answer_stays(
    kind: str, value: str, region: str | None
) -> None:
    once = normal(kind, value, region)
    assert once is None or normal(kind, once, region) == once

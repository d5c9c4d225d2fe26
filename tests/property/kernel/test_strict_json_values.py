"""Strict JSON: what it accepts it returns unchanged, and it lets nothing else out."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from services.kernel.errors import AmendsError, MalformedError
from services.kernel.web.reading import DEPTH_LIMIT, strict_json

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=30,
)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


@given(values, st.booleans())
def test_a_value_comes_back_as_it_was_sent(value: object, escaped: bool) -> None:
    body = json.dumps(value, ensure_ascii=escaped).encode()
    assert strict_json(body) == value


@given(st.binary(max_size=300))
def test_bytes_are_read_or_refused_and_nothing_else_happens(body: bytes) -> None:
    try:
        strict_json(body)
    except AmendsError:
        return


# few letters, so that brackets, escapes and duplicates meet often
@given(st.text('[]{}",:\\ud80c0a1-.eE \n', max_size=60))
def test_almost_json_is_read_as_the_standard_reads_it_or_refused(text: str) -> None:
    try:
        value = strict_json(text.encode())
    except AmendsError:
        return
    assert value == json.loads(text)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    assert _depth(value) <= DEPTH_LIMIT


@given(
    st.integers(2, 60), st.sampled_from(["array", "object"]), st.sampled_from([0, 99])
)
@example(DEPTH_LIMIT, "array", 99)
@example(DEPTH_LIMIT + 1, "object", 0)
def test_depth_is_counted_exactly(depth: int, kind: str, beside: int) -> None:
    opening, closing = ("[", "]") if kind == "array" else ('{"a":', "}")
    inner = opening * (depth - 1) + "1" + closing * (depth - 1)
    body = f"[{'[],' * beside}{inner}]".encode()
    try:
        strict_json(body)
    except MalformedError:
        assert depth > DEPTH_LIMIT
    else:
        assert depth <= DEPTH_LIMIT

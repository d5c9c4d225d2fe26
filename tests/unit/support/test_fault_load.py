"""The plot and the judgement of P16 say what they should, on made-up figures."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bench.plot import lines_svg
from services.handling.domain.commands import AcceptComplaint, AddEvidence
from tests.faults.load import RECEIPT, Attempt
from tests.faults.memory import Watch
from tests.faults.p16 import EVENTS, GROWTH, Outcome, commands
from tests.faults.sets import Tried, compared


def test_a_plot_has_each_line_from_zero_to_the_largest() -> None:
    drawn = ET.fromstring(  # noqa: S314 our own
        lines_svg(
            "a < b",
            {"one": [(0, 0), (10, 50)], "two": [(0, 100)], "none": []},
            across="seconds",
            upwards="MB",
        )
    )
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.findtext(f"{space}title") == "a < b"
    one, two = drawn.findall(f"{space}polyline")
    assert one.get("points") == "64.0,320.0 650.0,178.0"
    assert two.get("points") == "64.0,36.0"
    words = {each.text for each in drawn.iter(f"{space}text")}
    assert {"one", "two", "seconds", "MB", "10", "100"} <= words


def test_growth_is_from_the_first_fifth_to_the_last() -> None:
    watch = Watch(None, every=1)  # type: ignore[arg-type]  # nothing is looked at
    watch.memory["leaks"] = [(at, 100 + 10 * at) for at in range(101)]
    watch.memory["flat"] = [(at, 100 + 500 * (at == 50)) for at in range(101)]
    assert watch.growth(0, 100) == {"leaks": 800, "flat": 0}


def test_a_case_gets_fifteen_events() -> None:
    names = [each["command"] for each in commands("c")]
    assert set(names) == {AcceptComplaint.name, AddEvidence.name}
    received, accepted_and_assigned = 1, 2
    assert received + accepted_and_assigned + names.count(AddEvidence.name) == EVENTS
    assert len({each["idempotency_key"] for each in commands("c")}) == len(names)


def attempts(answered: int, silent: int = 0) -> list[Attempt]:
    made = [Attempt("web", n, str(n), due=0.0) for n in range(answered + silent)]
    for number, each in enumerate(made[:answered]):
        each.answer(201, dict.fromkeys(RECEIPT, str(number)))
    return made


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"drained": None}, False),
        ({"growth": {"intake": GROWTH + 1}}, False),
        ({"duplicates": 1}, False),
        ({"attempts": attempts(2, silent=1)}, False),
        (
            {"sets": {"cases": compared({"a": Tried("web", 0, acked=True)}, [])}},
            False,
        ),
    ],
)
def test_one_thing_amiss_breaks_the_promise(change: dict, kept: bool) -> None:
    found = {"attempts": attempts(2), "drained": 3.0, "growth": {"intake": 5.0}}
    assert Outcome(steady_until=1.0, **{**found, **change}).kept is kept

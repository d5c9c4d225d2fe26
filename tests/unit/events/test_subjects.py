"""Names on the bus are spelled in one module, and a hostile word makes none."""

import ast
from pathlib import Path
from uuid import UUID

import pytest

import events
import services
from events import codec, subjects
from events.examples import EXAMPLES
from events.vocabulary import Channel

CASE = UUID("6f0c2a51-93de-8b47-a1f4-0d7a3c52e901")
ROOTS = [Path(path) for package in (events, services) for path in package.__path__]


def test_subjects_are_those_of_the_design():
    assert subjects.intake_event(Channel.WEB) == "amends.intake.web"
    assert (
        subjects.case_event(CASE, "ComplaintClosed") == "amends.case.6.ComplaintClosed"
    )
    assert subjects.case_partition("6") == "amends.case.6.>"
    assert subjects.dept_event("quality", "Closed") == "amends.dept.quality.Closed"
    assert subjects.dept_events("quality") == "amends.dept.quality.>"
    assert subjects.submit("email") == "amends.submit.email"
    assert subjects.ask_submit("email") == "amends.ask.submit.email"
    assert subjects.ask("intake", "document") == "amends.ask.intake.document"
    assert subjects.do("quality", "accept") == "amends.ask.do.quality.accept"
    assert subjects.quarantined("handling") == "amends.quarantine.handling"


@pytest.mark.parametrize(
    "word", ["", "*", ">", "a.b", "a b", "a\n", "a\r\nPUB x", "质管", "a" * 65, "-a"]
)
def test_a_word_that_is_not_one_token_is_refused(word: str):
    with pytest.raises(ValueError, match="one token"):
        subjects.dept_event(word, "ComplaintClosed")
    with pytest.raises(ValueError, match="one token"):
        subjects.do("quality", word)


def test_no_stream_keeps_questions():
    for captured in subjects.SUBJECTS.values():
        assert not captured.startswith(subjects.ASKS.removesuffix(">"))
        assert not subjects.ASKS.startswith(captured.removesuffix(">"))


def test_every_stream_captures_its_own_subjects_and_no_others():
    prefixes = [captured.removesuffix(">") for captured in subjects.SUBJECTS.values()]
    assert set(subjects.SUBJECTS) == set(subjects.Stream)
    for subject in ("intake_event", "submit"):
        name = getattr(subjects, subject)(Channel.WEB)
        assert sum(map(name.startswith, prefixes)) == 1


def test_headers_repeat_what_routers_need():
    example = EXAMPLES["ComplaintClosed"]
    assert subjects.headers(example) == {
        "ce-specversion": "1.0",
        "ce-id": str(example.event_id),
        "ce-type": "ComplaintClosed",
        "ce-source": "/amends/default",
        "ce-subject": "6f0c2a51-93de-8b47-a1f4-0d7a3c52e901",
        "ce-time": "2025-09-12T10:30:00.000000Z",
        "ce-caseversion": "23",
        "ce-schemaversion": "1",
        "ce-correlationid": "example-266-23",
        "content-type": "application/json",
    }


def test_headers_of_old_bytes_tell_the_old_version():
    old = codec.encode(EXAMPLES["ComplaintInvestigated"]).replace(
        b'"schema_version":2', b'"schema_version":1'
    )
    assert subjects.headers(codec.heading(old))["ce-schemaversion"] == "1"


def spelled(path: Path) -> list[str]:
    """The names on the bus that stand in a module's strings, docstrings apart."""
    tree = ast.parse(path.read_text("utf-8"))
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    names = [captured.removesuffix(">") for captured in subjects.SUBJECTS.values()]
    marks = (*names, subjects.ASKS.removesuffix(">"), "ce-")
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and node.value.startswith(marks)
    ]


def test_no_other_module_spells_a_name_on_the_bus():
    modules = [path for root in ROOTS for path in root.rglob("*.py")]
    found = {path.name: spelled(path) for path in modules if spelled(path)}
    assert list(found) == ["subjects.py"]

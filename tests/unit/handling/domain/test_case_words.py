"""Commands: their names, and the places where people's words become documents."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from events.envelope import DocumentRef
from events.vocabulary import DocumentKind
from services.handling.domain.commands import (
    COMMANDS,
    AddEvidence,
    AppealComplaint,
    DeclineComplaint,
    RecordInvestigation,
    ResolveComplaint,
    sealed,
    words_in,
)
from tests.support.given import doc

NAMES = (
    "acknowledge accept decline assign sign-for return add-evidence confirm-statement"
    " investigate propose"
    " approve send-back issue agree refuse resolve follow-up rate close appeal"
    " accept-appeal dismiss-appeal reopen withdraw correct record-history revoke-import"
    " reinstate-import"
)


def test_every_command_has_its_name_in_addresses():
    assert list(COMMANDS) == NAMES.split()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_document_of_a_command_is_forgotten(name: str):
    """What the schema calls a document is found as words, so that it gets sealed."""
    schema = COMMANDS[name].model_json_schema()
    mentioned = str(schema).count("'#/$defs/DocumentRef'")
    assert mentioned == len(words_in(COMMANDS[name]))


def test_words_are_found_at_any_depth():
    assert {
        path: words.kinds[0] for path, words in words_in(AppealComplaint).items()
    } == {
        "statement": DocumentKind.STATEMENT,
        "evidence.*": DocumentKind.RECORD,
        "expected_outcome": DocumentKind.DESIRED_OUTCOME,
    }
    assert list(words_in(RecordInvestigation)) == ["findings.*.statement"]


class Sealer:
    """Takes words, gives documents numbered from 1."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, DocumentKind]] = []

    def words(self, text: str, kind: DocumentKind) -> DocumentRef:
        self.taken.append((text, kind))
        return doc(kind, len(self.taken))

    def file(self, upload: str, kind: DocumentKind) -> DocumentRef:
        return self.words(f"upload {upload}", kind)


def test_texts_become_documents_of_the_usual_kind():
    seal = Sealer()
    payload: dict[str, Any] = {
        "findings": [{"statement": "a crack"}, {"statement": "an old crack"}],
        "facts_match": "yes",
        "root_cause": {"path": "product", "confidence": "probable"},
        "responsible_unit": "production",
    }
    command = RecordInvestigation.model_validate(
        sealed(RecordInvestigation, payload, seal)
    )
    assert [each.statement.document_id for each in command.findings] == [
        UUID(int=1),
        UUID(int=2),
    ]
    assert seal.taken == [
        ("a crack", DocumentKind.FINDING),
        ("an old crack", DocumentKind.FINDING),
    ]
    assert payload["findings"][0] == {"statement": "a crack"}  # left as it was


def test_a_kind_may_be_named_where_several_are_allowed():
    seal = Sealer()
    payload = {"document": {"text": "a refund", "kind": "desired_outcome"}}
    command = AddEvidence.model_validate(
        sealed(AddEvidence, {**payload, "source": "customer"}, seal)
    )
    assert command.document.kind is DocumentKind.DESIRED_OUTCOME


def test_lists_of_words_are_sealed_one_by_one():
    payload = {"grounds": ["facts"], "evidence": ["one", {"text": "two"}]}
    command = AppealComplaint.model_validate(sealed(AppealComplaint, payload, Sealer()))
    assert [each.document_id.int for each in command.evidence] == [1, 2]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"upload": "u1"}, DocumentKind.FILE),
        ({"upload": "u1", "kind": "photo"}, DocumentKind.PHOTO),
    ],
)
def test_a_file_that_was_uploaded_takes_the_place_of_words(
    given: dict[str, str], kind: DocumentKind
):
    seal = Sealer()
    payload = {"document": given, "source": "customer"}
    command = AddEvidence.model_validate(sealed(AddEvidence, payload, seal))
    assert command.document.kind is kind
    assert seal.taken == [("upload u1", kind)]


def test_what_is_sealed_already_or_absent_stays():
    explanation = doc(DocumentKind.EXPLANATION).model_dump(mode="json")
    payload = {"reason": "misunderstanding", "explanation": explanation}
    seal = Sealer()
    assert sealed(DeclineComplaint, payload, seal) == payload
    assert sealed(ResolveComplaint, {}, seal) == {}
    assert seal.taken == []


@pytest.mark.parametrize(
    ("model", "payload"),
    [
        (AddEvidence, {"document": {"text": "x", "kind": "letter"}}),
        (AddEvidence, {"document": {"text": "x", "kind": []}}),
        (AddEvidence, {"document": {"text": "x", "colour": "red"}}),
        (AddEvidence, {"document": {"text": 7}}),
        (AddEvidence, {"document": 7}),
        (AddEvidence, {"document": {"upload": "u1", "kind": "desired_outcome"}}),
        (AddEvidence, {"document": {"upload": "u1", "name": "a.exe"}}),
        (DeclineComplaint, {"reason": "other", "explanation": {"upload": "u1"}}),
        (AppealComplaint, {"evidence": {"0": "x"}}),
        (RecordInvestigation, {"findings": "x"}),
        (RecordInvestigation, {"findings": ["x", None, []]}),
    ],
)
def test_what_has_the_wrong_shape_is_left_for_the_model_to_refuse(
    model: Any, payload: dict[str, Any]
):
    seal = Sealer()
    assert sealed(model, payload, seal) == payload
    assert seal.taken == []
    with pytest.raises(ValidationError):
        model.model_validate(payload)


def test_a_document_of_the_wrong_kind_is_refused_without_quoting_it():
    with pytest.raises(ValidationError, match="kind explanation is needed"):
        DeclineComplaint(
            reason="misunderstanding", explanation=doc(DocumentKind.LETTER)
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_a_field_that_does_not_exist_is_refused(name: str):
    with pytest.raises(ValidationError, match="extra_forbidden"):
        COMMANDS[name].model_validate({"actor": "somebody"})

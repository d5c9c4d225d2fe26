"""Checkpoints are C2SP signed notes: what Go signs we read, what we sign Go reads."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from services.kernel.ledger.checkpoint import (
    Checkpoint,
    NoteError,
    Signer,
    Verifier,
    load_signer,
)
from services.kernel.store.leaf import leaf_hash

if TYPE_CHECKING:
    from pathlib import Path

# The example in the documentation of golang.org/x/mod/sumdb/note.
GO_SIGNER = (
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
)
GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = GO_TEXT + (
    "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZS"
    "NXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

SIGNER = Signer("amends/default/intake", bytes(range(32)))
CHECKPOINT = Checkpoint(SIGNER.name, 20_852_163, leaf_hash(b"root"))
NOTE = CHECKPOINT.sign(SIGNER)


def test_the_note_of_the_reference_implementation_is_ours_to_the_byte() -> None:
    signer = Signer.parse(GO_SIGNER)
    assert signer.sign(GO_TEXT) == GO_NOTE
    assert str(signer.verifier) == GO_VERIFIER
    assert signer.private_text() == GO_SIGNER
    assert Verifier.parse(GO_VERIFIER).open(GO_NOTE) == GO_TEXT


def test_a_checkpoint_comes_back_as_it_was_signed() -> None:
    assert Checkpoint.open(NOTE, SIGNER.verifier) == CHECKPOINT
    assert NOTE.startswith("amends/default/intake\n20852163\n")


def test_signatures_of_witnesses_are_ignored_and_extensions_too() -> None:
    witness = Signer("witness.example/1", b"w" * 32)
    text = str(CHECKPOINT) + "an extension\n"
    own, other = SIGNER.sign(text), witness.sign(text)
    cosigned = own + other.rpartition("\n\n")[2]
    assert Checkpoint.open(cosigned, SIGNER.verifier) == CHECKPOINT


@pytest.mark.parametrize("place", range(0, len(NOTE), 7))
def test_no_character_of_a_checkpoint_can_be_changed(place: int) -> None:
    other = "b" if NOTE[place] != "b" else "c"
    changed = NOTE[:place] + other + NOTE[place + 1 :]
    with pytest.raises(NoteError):
        Checkpoint.open(changed, SIGNER.verifier)


def _signed(text: str) -> str:
    return SIGNER.sign(text)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        NOTE.rstrip("\n"),
        str(CHECKPOINT),
        NOTE.replace("— ", "- "),
        NOTE.replace("\n20852163", "\r\n20852163"),
        NOTE + "\n",
        NOTE * 400,
        _signed("amends/default/intake\n20852163\n"),
        _signed(str(CHECKPOINT).replace("20852163", "020852163")),
        _signed(str(CHECKPOINT).replace("20852163", "-1")),
        _signed(str(CHECKPOINT).replace("20852163", "9" * 5_000)),
        _signed("amends/default/intake\n1\n!\n"),
        _signed("amends/default/intake\n1\nAAAA\n"),
        _signed("amends/default/intake\n1\n\n" + str(CHECKPOINT)),
        _signed(str(CHECKPOINT).replace("intake", "handling")),
    ],
)
def test_what_is_no_checkpoint_of_this_store_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.open(note, SIGNER.verifier)


def test_the_key_of_another_store_verifies_nothing() -> None:
    other = Signer("amends/default/handling", bytes(range(32)))
    with pytest.raises(NoteError, match="not signed by"):
        Checkpoint.open(NOTE, other.verifier)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak", "\u2003"])
def test_names_that_would_break_a_note_are_refused(name: str) -> None:
    with pytest.raises(NoteError):
        Signer(name, bytes(32))


@pytest.mark.parametrize(
    "text", ["", "name", GO_VERIFIER[:-4], GO_VERIFIER.replace("c74f", "c74e"), "a+b+é"]
)
def test_a_mistyped_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Verifier.parse(text)
    with pytest.raises(NoteError):
        Signer.parse(text)


def test_a_text_without_its_last_newline_is_not_signed() -> None:
    with pytest.raises(NoteError):
        SIGNER.sign("words")


def test_the_signing_key_is_made_once_and_read_by_its_owner_only(
    tmp_path: Path,
) -> None:
    path = tmp_path / "keys" / "intake.key"
    made = load_signer(path, "amends/default/intake")
    again = load_signer(path, "amends/default/intake", randbytes=bytes)
    assert made.verifier == again.verifier
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["intake.key"]
    with pytest.raises(NoteError, match="not of amends/default/handling"):
        load_signer(path, "amends/default/handling")


def test_a_damaged_signing_key_is_refused_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "intake.key"
    load_signer(path, "amends/default/intake")
    path.write_text("PRIVATE+KEY+", encoding="utf-8")
    with pytest.raises(NoteError):
        load_signer(path, "amends/default/intake")


def test_errors_survive_the_way_back_from_a_child_process() -> None:
    error = pickle.loads(pickle.dumps(NoteError("why")))  # noqa: S301 our own bytes
    assert (error.code, error.detail) == ("ledger.note", "why")

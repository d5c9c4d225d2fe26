"""Taking an import back, case by case, and putting it in force again.

Nothing is deleted: the record says from then on that no figure counts the case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from events.catalogue import RecordCorrected
from events.vocabulary import ImportDecision, Origin
from services.handling.domain.commands import ReinstateImport, RevokeImport
from services.handling.domain.decisions.rules import Rule
from services.handling.domain.refusals import refusal

if TYPE_CHECKING:
    from services.handling.domain.decisions.rules import Decided, Scene


def revoke(on: Scene, command: RevokeImport) -> Decided:
    """Leave the case out of figures; one that was worked on since only if that is said."""
    _require_batch(on, command.batch)
    if on.case.worked_on and not command.worked_on:
        raise refusal("case.worked_on", field="worked_on")
    return (_corrected(on, ImportDecision.IMPORT_REVOKED, counted=False),)


def reinstate(on: Scene, command: ReinstateImport) -> Decided:
    """Count the case again."""
    _require_batch(on, command.batch)
    return (_corrected(on, ImportDecision.IMPORT_REINSTATED, counted=True),)


def _corrected(on: Scene, why: ImportDecision, *, counted: bool) -> RecordCorrected:
    receipt = on.case.history[0]
    return RecordCorrected(target_event_id=receipt.event_id, why=why, counted=counted)


def _require_batch(on: Scene, batch: str) -> None:
    if on.case.batch != batch:
        raise refusal("case.other_import", allowed=[on.case.batch], field="batch")


def _imported(on: Scene) -> None:
    if on.case.origin != Origin.MIGRATION:
        raise refusal("case.not_imported")


def _revoked_before(on: Scene) -> bool:
    return not on.case.counted


def _in_force(on: Scene) -> bool:
    return on.case.counted


RULES: Final = (
    Rule(RevokeImport, _imported, revoke, _revoked_before),
    Rule(ReinstateImport, _imported, reinstate, _in_force),
)
NAMES: Final = frozenset(rule.command.name for rule in RULES)

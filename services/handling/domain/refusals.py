"""Every refusal of the case: its stable code, what is wrong, and what to do about it.

A code once released never changes its meaning; pages and documentation translate
it, so the sentence here is for logs and for programmers.
"""

from collections.abc import Iterable
from typing import Final

from services.kernel.errors import FieldError, ForbiddenError, RefusedError

REFUSALS: Final[dict[str, str]] = {
    # who
    "case.not_your_role": (
        "This role may not give the command: have it given by one of {allowed}."
    ),
    "case.not_your_department": (
        "Another department has the case: let that one act, or have it assigned."
    ),
    "case.not_the_reviewer": (
        "A reviewer took this appeal up: let that one act, and on that appeal alone."
    ),
    "case.reviewer_involved": (
        "You have acted on this case before: let an uninvolved reviewer decide."
    ),
    "case.own_proposal": "You proposed this settlement: let somebody else approve it.",
    "case.beyond_authority": (
        "No row of the authority table in force covers this settlement for your"
        " role: ask one with a higher limit, or propose less."
    ),
    "case.third_party": (
        "Somebody outside is responsible: let one of {allowed} approve."
    ),
    "case.route_needs_approval": (
        "The route of this category needs approval: let one of {allowed} assign."
    ),
    # when
    "case.erased": (
        "The person's data was erased, and nothing can be written about them any more:"
        " leave out every text, or leave the case as it is."
    ),
    "case.ended": "The case has ended: appeal or reopen it, where that is allowed.",
    "case.already_assessed": "The complaint was assessed before: go on from there.",
    "case.not_assignable": (
        "No department can be assigned now: assign between acceptance and the finding"
        " of the cause, once the department asked before has signed or returned."
    ),
    "case.not_dispatched": "No assignment waits for a signature: look who has the case.",
    "case.not_under_investigation": (
        "The case is not under investigation: assign it and sign for it first."
    ),
    "case.not_investigated": "No cause was found yet: record the investigation first.",
    "case.not_proposed": "No settlement waits for approval: propose one first.",
    "case.not_approved": "No settlement is approved: have one approved first.",
    "case.not_replied": (
        "There is no decision to answer to: issue one, or wait for the next."
    ),
    "case.not_agreed": "The customer has not agreed: wait for the agreement first.",
    "case.not_resolved": "The complaint is not resolved yet: resolve it first.",
    "case.not_reopenable": (
        "Only a resolved or closed case is opened again: go on with it as it stands,"
        " or appeal if it was declined."
    ),
    "case.nothing_to_appeal": (
        "There is no decision to appeal against yet, or an appeal runs already: wait"
        " for the decision."
    ),
    "case.not_appealed": "No appeal waits for a reviewer: look where the case stands.",
    "case.not_imported": (
        "This case was not imported: give it the commands of daily work instead."
    ),
    "case.history_begun": (
        "More than the receipt is recorded of this case: record a history first of all"
        " and only once, and go on by the commands of daily work."
    ),
    "case.import_revoked": (
        "The import that brought this case was revoked: have the import reinstated"
        " before anything else is done."
    ),
    # what
    "case.worked_on": (
        "Somebody has worked on this case since it was imported: leave it in force, or"
        " say `worked_on` to leave it out of figures all the same."
    ),
    "case.other_import": "Another import brought this case: name {allowed}.",
    "case.history_order": (
        "This fact cannot come after the ones before it: put it where the case is in one"
        " of {allowed}."
    ),
    "case.history_ahead": (
        "This fact lies in the future: give the date that the source states, or none."
    ),
    "case.unknown_category": (
        "The policy has no such category: choose one of {allowed}."
    ),
    "case.unknown_cause": "The policy has no such cause: choose one of {allowed}.",
    "case.severity_too_low": (
        "The severity rules give a graver result: leave `severity` out, or choose one"
        " of {allowed}."
    ),
    "case.contract_missing": (
        "A claim rests on a contract: send `contract` with what it says about this, or"
        " choose another `complaint_class`."
    ),
    "case.expected_in_the_past": (
        "The promised instant is over: promise one that is still to come."
    ),
    "case.unknown_department": (
        "The policy has no such department: choose one of {allowed}."
    ),
    "case.no_route": (
        "No route leads from this category: name a department, one of {allowed}."
    ),
    "case.no_further_return": (
        "The case was returned too often and is yours for good: transfer it instead."
    ),
    "case.joint_investigation_needed": (
        "The cause is unknown: ask a contributing department and let it sign first."
    ),
    "case.expectation_unknown": (
        "Nobody knows what the customer wants: ask, and add the answer as evidence of"
        " the kind desired_outcome."
    ),
    "case.statement_unconfirmed": (
        "The customer has not confirmed what the complaint says: repeat it back to them,"
        " and record that they confirmed it (confirm-statement)."
    ),
    "case.past_confirming": (
        "The statement is confirmed before a settlement is proposed: add what is new as"
        " evidence."
    ),
    "case.improvement_missing": (
        "The facts were at least partly as stated: say in `improvement` what will be"
        " improved."
    ),
    "case.amount_missing": (
        "A remedy in money states its sum: add `amount` to those of {allowed}."
    ),
    "case.revision_refused": (
        "The customer refused this revision: send it back and propose another."
    ),
    "case.not_written": (
        "A decision is given in writing: choose `medium` from {allowed}."
    ),
    "case.nothing_to_agree": (
        "No settlement is on offer: appeal against the decision, or let it lapse."
    ),
    "case.no_more_refusals": (
        "Settlements were refused as often as the policy allows: appeal instead."
    ),
    "case.not_first_contact": (
        "This is not for the first contact (class, severity, or a department had"
        " it): assign a department."
    ),
    "case.acceptance_missing": (
        "Settling at once needs the customer's acceptance: send it as `agreement`."
    ),
    "case.outcome_missing": "The outcome is not decided yet: say it in `outcome`.",
    "case.outcome_differs": (
        "The decision stated another outcome: leave `outcome` out, or send that one."
    ),
    "case.remedy_not_approved": (
        "Other remedies were approved: leave `remedies` out, or send exactly those."
    ),
    "case.answer_awaited": (
        "It is too early to close: wait until the customer is satisfied, make the"
        " follow-ups that the policy asks for, or let the time to answer run out."
    ),
    "case.not_contestable": (
        "This is no decision of the case that still stands: contest the latest one,"
        " or one of {allowed}."
    ),
    "case.appeal_window_over": (
        "The time to appeal against this is over: have the case reopened if there are"
        " new facts."
    ),
    "case.appeal_levels_exhausted": (
        "Every level of appeal was used: turn to the outside body that the decision"
        " names."
    ),
    "case.outside_body_missing": (
        "After the last level comes an outside body: name it, here or in the policy."
    ),
    "case.no_such_event": "The case has no such event: name the id of one of its own.",
    "case.no_such_field": (
        "This type of event has no such field: name one of {allowed}."
    ),
    "case.value_not_valid": (
        "The field cannot have this value: give one of its type, as the reference of"
        " events says."
    ),
}

FIELDS: Final[dict[str, str]] = {
    "case.acceptance_missing": "agreement",
    "case.amount_missing": "remedies",
    "case.contract_missing": "contract",
    "case.expected_in_the_past": "expected_at",
    "case.improvement_missing": "improvement",
    "case.no_route": "department",
    "case.no_such_event": "target_event_id",
    "case.no_such_field": "correction.field",
    "case.not_contestable": "contested_event_id",
    "case.not_written": "medium",
    "case.outcome_differs": "outcome",
    "case.outcome_missing": "outcome",
    "case.outside_body_missing": "outside_body",
    "case.remedy_not_approved": "remedies",
    "case.severity_too_low": "severity",
    "case.unknown_category": "category",
    "case.unknown_cause": "root_cause.path",
    "case.value_not_valid": "correction.value",
}
"""Refusals of what one field says, always the same; the others are about the case, who
asks, or name their field where they are made."""

FORBIDDEN: Final = frozenset(
    {
        "case.not_your_role",
        "case.not_your_department",
        "case.not_the_reviewer",
        "case.reviewer_involved",
        "case.own_proposal",
        "case.beyond_authority",
        "case.third_party",
        "case.route_needs_approval",
    }
)
"""Those that are about who asks: another may; all others hold for everybody."""


def refusal(
    code: str, *, allowed: Iterable[object] = (), field: str | None = None
) -> RefusedError | ForbiddenError:
    """Make the refusal of this code, of the family that the code always has.

    `allowed` are the values that would do, `field` is the one at fault.
    """
    family = ForbiddenError if code in FORBIDDEN else RefusedError
    sentence = REFUSALS[code].format(allowed=", ".join(map(str, allowed)))
    wrong, remedy = sentence.rstrip(".").split(": ", 1)
    name = field or FIELDS.get(code)
    errors = [FieldError(name, wrong, remedy)] if name else []
    return family(code, sentence, errors=errors)

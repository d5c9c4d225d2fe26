"""Every refusal of the case: its stable code, and the sentence that says what to do.

A code once released never changes its meaning; pages and documentation translate
it, so the sentence here is for logs and for programmers.
"""

from typing import Final

from services.kernel.errors import ForbiddenError, RefusedError

REFUSALS: Final[dict[str, str]] = {
    # who
    "case.not_your_role": "This role may not give the command: ask one that may.",
    "case.not_your_department": (
        "Another department has the case: let that one act, or have it assigned."
    ),
    "case.not_the_reviewer": (
        "This is for the reviewer who took the appeal up, and only for that appeal."
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
        "Somebody outside is responsible: the general manager approves."
    ),
    "case.route_needs_approval": (
        "The route of this category needs approval: let one who may approve it assign."
    ),
    # when
    "case.ended": "The case has ended: appeal or reopen it, where that is allowed.",
    "case.already_assessed": "The complaint was assessed before: go on from there.",
    "case.not_assignable": (
        "A department is assigned from acceptance until the cause is found; one that"
        " has not signed yet signs or returns first."
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
    "case.not_reopenable": "Only a resolved or closed case is opened again.",
    "case.nothing_to_appeal": (
        "There is no decision to appeal against yet, or an appeal runs already."
    ),
    "case.not_appealed": "No appeal waits for a reviewer.",
    # what
    "case.severity_too_low": (
        "The severity rules give a graver result: take theirs or a graver one."
    ),
    "case.contract_missing": "A claim rests on a contract: add it.",
    "case.expected_in_the_past": "Promise an instant that is still to come.",
    "case.unknown_department": "The policy has no such department: name one of its.",
    "case.no_route": "No route names a department for this category: name one.",
    "case.no_further_return": (
        "The case was returned too often and is yours for good: transfer it instead."
    ),
    "case.joint_investigation_needed": (
        "The cause is unknown: ask a contributing department and let it sign first."
    ),
    "case.expectation_unknown": (
        "Ask what the customer wants, and add the answer as evidence of that kind."
    ),
    "case.improvement_missing": (
        "The facts were at least partly as stated: say what will be improved."
    ),
    "case.amount_missing": "A remedy in money states its amount: add it.",
    "case.revision_refused": (
        "The customer refused this revision: send it back and propose another."
    ),
    "case.not_written": "A decision is given in writing: choose a written medium.",
    "case.nothing_to_agree": (
        "No settlement is on offer: the decision can be appealed or left to lapse."
    ),
    "case.no_more_refusals": (
        "Settlements were refused as often as the policy allows: appeal instead."
    ),
    "case.not_first_contact": (
        "This is not for the first contact (class, severity, or a department had"
        " it): assign a department."
    ),
    "case.acceptance_missing": (
        "Settling at once needs the customer's acceptance: add it."
    ),
    "case.outcome_missing": "Say what the outcome is.",
    "case.outcome_differs": "Resolve with the outcome that the decision stated.",
    "case.remedy_not_approved": "Resolve with exactly the remedies that were approved.",
    "case.answer_awaited": (
        "Close when the customer is satisfied, after the follow-ups that the policy"
        " asks for, or when the time to answer is over."
    ),
    "case.not_contestable": "Appeal against a decision of this case that still stands.",
    "case.appeal_window_over": "The time to appeal against this is over.",
    "case.appeal_levels_exhausted": (
        "Every level of appeal was used: the decision names the outside body."
    ),
    "case.outside_body_missing": (
        "After the last level comes an outside body: name it, here or in the policy."
    ),
    "case.no_such_event": "Correct an event of this case.",
    "case.no_such_field": "Name a field that this type of event has.",
    "case.value_not_valid": "Give a value that this field can have.",
}


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


def refusal(code: str) -> RefusedError | ForbiddenError:
    """Make the refusal of this code, of the family that the code always has."""
    family = ForbiddenError if code in FORBIDDEN else RefusedError
    return family(code, REFUSALS[code])

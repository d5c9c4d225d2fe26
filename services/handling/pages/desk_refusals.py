"""Refusals at the desk in the reader's words."""

from collections.abc import Mapping
from typing import Final

from services.kernel.i18n import msgid

REMEDIES: Final[Mapping[str, str]] = {
    "case.acceptance_missing": msgid(
        "Settling at once needs the customer's acceptance. Write down what they agreed"
        " to."
    ),
    "case.already_assessed": msgid(
        "The complaint was assessed before. Go on from there."
    ),
    "case.amount_missing": msgid("A remedy in money states its amount. Add it."),
    "case.answer_awaited": msgid(
        "It is too early to close: the customer is not satisfied yet, follow-ups are"
        " missing, or the time to answer still runs."
    ),
    "case.appeal_levels_exhausted": msgid(
        "Every level of appeal was used. The decision names the outside body."
    ),
    "case.appeal_window_over": msgid(
        "The time to appeal against this is over. New facts reopen the case."
    ),
    "case.beyond_authority": msgid(
        "Your authority does not cover this settlement. Ask somebody with a higher"
        " limit, or propose less."
    ),
    "case.contract_missing": msgid("A claim rests on a contract. Say what it says."),
    "case.ended": msgid(
        "The case has ended. It can only be appealed or reopened, where that is allowed."
    ),
    "case.erased": msgid(
        "The person's data was erased. Nothing can be written about them any more."
    ),
    "case.expectation_unknown": msgid(
        "Nobody knows yet what the customer wants. Ask them, and add the answer as"
        " evidence of the kind desired outcome."
    ),
    "case.expected_in_the_past": msgid("Promise a time that is still to come."),
    "case.history_ahead": msgid(
        "This lies in the future. Give the date that the source states, or none."
    ),
    "case.history_begun": msgid(
        "A history is recorded once, before anything else. Go on with the case as it"
        " stands."
    ),
    "case.history_order": msgid("This cannot come after what is recorded before it."),
    "case.import_revoked": msgid(
        "The import that brought this case was revoked: no figure counts it, and nothing"
        " is done with it unless the import is reinstated."
    ),
    "case.improvement_missing": msgid(
        "The customer was right, at least in part. Say what will be improved."
    ),
    "case.joint_investigation_needed": msgid(
        "The cause is unknown. Ask another department to contribute and have it sign"
        " first."
    ),
    "case.no_further_return": msgid(
        "The case was returned too often and stays here. Transfer it instead."
    ),
    "case.no_more_refusals": msgid(
        "Settlements were refused as often as the policy allows. Now an appeal is the"
        " way."
    ),
    "case.no_route": msgid("No route leads from this category. Choose a department."),
    "case.no_such_event": msgid("Choose an entry of this case."),
    "case.no_such_field": msgid("This entry has no such field. Check its name."),
    "case.not_imported": msgid("This case was not imported. Handle it step by step."),
    "case.not_agreed": msgid("The customer has not agreed yet. Wait for that first."),
    "case.not_appealed": msgid(
        "No appeal waits for a reviewer. See in the history where the case stands."
    ),
    "case.not_approved": msgid(
        "No settlement is approved yet. Have one approved first."
    ),
    "case.not_assignable": msgid(
        "A department is assigned between acceptance and the finding of the cause. One"
        " that has not signed yet signs or returns first."
    ),
    "case.not_contestable": msgid(
        "Only a decision of this case that still stands can be contested."
    ),
    "case.not_dispatched": msgid(
        "No assignment waits for a signature. Look who has the case."
    ),
    "case.not_first_contact": msgid(
        "This cannot be settled at the first contact. Assign a department."
    ),
    "case.not_investigated": msgid(
        "The cause is not found yet. Record the investigation first."
    ),
    "case.not_proposed": msgid("No settlement waits for approval. Propose one first."),
    "case.not_reopenable": msgid("Only a resolved or closed case is opened again."),
    "case.not_replied": msgid(
        "There is no decision to answer to. Issue one, or wait for the next."
    ),
    "case.not_resolved": msgid("The complaint is not resolved yet. Resolve it first."),
    "case.not_the_reviewer": msgid(
        "Only the reviewer who took this appeal up may do this."
    ),
    "case.not_under_investigation": msgid(
        "The case is not under investigation. Assign it and sign for it first."
    ),
    "case.not_written": msgid(
        "A decision is given in writing. Choose a written medium."
    ),
    "case.not_your_department": msgid(
        "Another department has the case. Let that one act, or have it assigned to"
        " yours."
    ),
    "case.not_your_role": msgid("Your role may not do this. Ask somebody whose may."),
    "case.nothing_to_agree": msgid("No settlement is on offer."),
    "case.nothing_to_appeal": msgid(
        "There is no decision to appeal against yet, or an appeal runs already."
    ),
    "case.other_import": msgid("Another import brought this case. Name that one."),
    "case.worked_on": msgid(
        "Somebody has worked on this case since it was imported. It stays in force unless"
        " that is said."
    ),
    "case.outcome_differs": msgid("Give the outcome that the decision stated."),
    "case.outcome_missing": msgid("Say what the outcome is."),
    "case.outside_body_missing": msgid(
        "After the last level comes an outside body. Name it."
    ),
    "case.own_proposal": msgid(
        "You proposed this settlement yourself. Let somebody else approve it."
    ),
    "case.remedy_not_approved": msgid("Give exactly the remedies that were approved."),
    "case.reviewer_involved": msgid(
        "You have acted on this case before. Let an uninvolved reviewer decide."
    ),
    "case.past_confirming": msgid(
        "What the complaint says is confirmed before a settlement is proposed. Add what"
        " is new as evidence."
    ),
    "case.revision_refused": msgid(
        "The customer refused this proposal. Send it back and propose another."
    ),
    "case.route_needs_approval": msgid(
        "This route needs approval. Let somebody who may approve it assign."
    ),
    "case.severity_too_low": msgid(
        "By the rules it is graver than this. Leave the severity open, or take a graver"
        " one."
    ),
    "case.statement_unconfirmed": msgid(
        "The customer has not confirmed what the complaint says. Repeat it back to"
        " them, and record that they confirmed it."
    ),
    "case.third_party": msgid(
        "Somebody outside is responsible. The general manager approves."
    ),
    "case.unknown_category": msgid("Choose a category from the list."),
    "case.unknown_cause": msgid("Choose a root cause from the list."),
    "case.unknown_department": msgid("Choose a department from the list."),
    "case.value_not_valid": msgid(
        "This field cannot have that value. Write a code that it can have."
    ),
    "handling.busy": msgid(
        "Others change this case at the same time. Send it again in a moment."
    ),
    "handling.customer_not_verified": msgid(
        "Nothing was done. Go back and choose how you made sure that it is the customer."
    ),
    "intake.code_replaced": msgid(
        "Nothing was done: a newer code was made for this case. Open the case again to"
        " make another."
    ),
    "handling.intake_away": msgid(
        "Access codes cannot be checked at the moment. Nothing was done: try again."
    ),
    "handling.moment": msgid(
        "Write a moment as 2026-03-04T09:30, a day as 2026-03-04, or a position as"
        " 4711."
    ),
    "handling.key_reused": msgid(
        "This form was sent before with other words. See in the history what came of"
        " it, then send it again."
    ),
    "handling.receipt_mistyped": msgid(
        "A digit is wrong, missing or swapped. Read the 16 digits once more."
    ),
    "handling.no_case": msgid(
        "There is no such case, or it is not one that you may look at."
    ),
    "handling.no_command": msgid("There is no such thing to do. Open the case again."),
    "handling.query": msgid("This address is not one of ours. Start from the desk."),
    "handling.stale": msgid(
        "Somebody else changed the case while you were writing. Look in the history"
        " what is new. Your words are kept below: send them again if they still fit."
    ),
    "handling.store_unavailable": msgid(
        "It is not certain that this was done. Send it again: it is done only once."
    ),
    "handling.who": msgid("The desk is for staff who handle complaints."),
    "handling.finding_away": msgid(
        "Numbers, addresses and what customers wrote cannot be searched at the moment."
        " Receipt numbers are found; try the rest again in a minute."
    ),
    "search.too_common": msgid(
        "Too many cases have this. Add a word, or search for a number."
    ),
    "handling.words_away": msgid(
        "What was handed in cannot be shown at the moment. All else works."
    ),
    "intake.no_document": msgid(
        "This complaint has no such document. Open it from the page of its case."
    ),
    "vault.erased": msgid("Erased at the person's request. It cannot be brought back."),
    "vault.key_missing": msgid(
        "The key of this document is gone. Whoever operates amends restores the key"
        " database."
    ),
    "vault.tampered": msgid(
        "This document is not what was sealed. Whoever operates amends looks for it in"
        " a backup."
    ),
    "vault.unknown": msgid(
        "No such document is kept here. Open it from the page of its case."
    ),
}

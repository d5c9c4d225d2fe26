"""For every command, one that asks for as little as the case now allows."""

from datetime import datetime

from events.vocabulary import AssignmentRole, DocumentKind, FactsMatch, State
from services.handling.domain import commands as c
from services.handling.domain.case import Case
from services.handling.domain.policy import Policy
from tests.support.given import HOUR, doc


def minimal_commands(case: Case, policy: Policy, now: datetime) -> dict[str, c.Command]:
    """By name; each is valid wherever its gate is open."""
    lead = case.state is not State.ASSIGNED
    department = next(n for n in policy.departments if n not in case.departments)
    commands: tuple[c.Command, ...] = (
        c.AcknowledgeReceipt(expected_at=now + HOUR, medium="phone"),
        c.AcceptComplaint(
            complaint_class="grievance",
            category="product/defect",
            scope_kind=1,
            order_check="found",
            shipment_check="not_applicable",
        ),
        c.DeclineComplaint(
            reason="misunderstanding", explanation=doc(DocumentKind.EXPLANATION)
        ),
        c.AssignDepartment(
            department=department,
            role=AssignmentRole.LEAD if lead else AssignmentRole.CONTRIBUTOR,
        ),
        c.AcceptAssignment(),
        c.ReturnAssignment(reason="not_ours"),
        c.AddEvidence(document=doc(DocumentKind.RECORD), source="customer"),
        c.ConfirmStatement(
            restated=doc(DocumentKind.STATEMENT, case.version), medium="phone"
        ),
        c.RecordInvestigation(
            findings=[c.FindingStated(statement=doc(DocumentKind.FINDING))],
            facts_match=FactsMatch.YES,
            root_cause={"path": "product/design", "confidence": "probable"},
            responsible_unit="production",
        ),
        c.ProposeSettlement(
            remedies=(),
            proposal=doc(DocumentKind.PROPOSAL),
            improvement=doc(DocumentKind.IMPROVEMENT),
        ),
        c.ApproveSettlement(),
        c.ReturnSettlement(reason="no_improvement"),
        c.IssueDecision(
            letter=doc(DocumentKind.LETTER), outcome="partly", medium="letter"
        ),
        c.AgreeSettlement(),
        c.RefuseSettlement(reason="other"),
        c.ResolveComplaint(
            outcome=case.outcome or "upheld", agreement=doc(DocumentKind.AGREEMENT)
        ),
        c.AttemptFollowUp(result="no_answer", medium="phone"),
        c.RecordSatisfaction(score=5),
        c.CloseComplaint(),
        c.AppealComplaint(grounds=["facts"]),
        c.AcceptAppeal(),
        c.DismissAppeal(
            reasons=["decision_correct"],
            explanation=doc(DocumentKind.EXPLANATION),
            outside_body=policy.outside_body or "ombudsman",
        ),
        c.ReopenComplaint(new_facts=doc(DocumentKind.NEW_FACTS), reason="new_evidence"),
        c.WithdrawComplaint(reason="no_longer_wanted"),
        c.CorrectRecord(
            target_event_id=case.history[0].event_id,
            why="wrong_code",
            correction=c.CorrectionStated(field="category", value="service"),
        ),
        c.RecordHistory(facts=[{"fact": "closed"}]),
        c.RevokeImport(batch="old"),
        c.ReinstateImport(batch="old"),
    )
    return {command.name: command for command in commands}

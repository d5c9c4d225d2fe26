"""The course of one case: what is done next, by whom, and when.

All chance is the case's own, so that the order in which cases are handled changes
nothing. What is given are real commands; whether they may be given the services decide.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from events.envelope import Actor
from services.demo.pace import about
from services.demo.story import Option
from services.demo.telling import Telling

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from services.demo.arrivals import Arrival
    from services.demo.customers import Customer
    from services.demo.house import House

_LAPSED: Final = 57.0
"""Days without an answer after which a case may be closed."""
_APPEALS: Final = 2
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One command to come."""

    due: dt.datetime
    command: str
    payload: Mapping[str, Any]
    actor: Actor


@dataclass(slots=True)
class Course:
    """What became of one complaint so far, and what comes next."""

    arrival: Arrival
    customer: Customer
    house: House
    rng: random.Random
    receipt_no: str = ""
    category: str = ""
    department: str | None = None
    agent: Actor = field(init=False)
    reviewer: Actor | None = None
    proposer: Actor | None = None
    facts: str = "yes"
    remedies: Sequence[Mapping[str, Any]] = ()
    first_contact: bool = False
    returns: int = 0
    refusals: int = 0
    revisions: int = 0
    level: int = 0
    attempts: int = 0
    score: int | None = None
    reopened: bool = False
    patient: bool = False
    overturned: bool = False
    did: set[str] = field(default_factory=set)
    telling: Telling = field(init=False)

    def __post_init__(self) -> None:
        self.agent = self.house.one_of("agent", self.rng)
        self.telling = Telling(self.house.story, self.arrival, self.customer, self.rng)
        self.category = self.arrival.matter.category

    # -- what comes in ---------------------------------------------------------

    def submission(self) -> dict[str, Any]:
        """Give the complaint as its channel hands it in."""
        arrival, chances = self.arrival, self.house.story.chances
        goods, day = arrival.goods, arrival.at.date()
        bought = day - dt.timedelta(days=self.rng.randrange(5, 420))
        product: dict[str, Any] = {"model": goods.model}
        if arrival.lot:
            product["lot"] = arrival.lot
        if goods.supplier:
            product["supplier"] = goods.supplier
        if goods.price:
            currency = self.house.story.currency
            product["price"] = {"amount": goods.price, "currency": currency}
        if self.rng.random() < chances.order_stated:
            product["serial"] = f"SN{self.rng.randrange(10**9):09d}"
        given: dict[str, Any] = {
            "channel": arrival.channel,
            "statement": self.telling.statement(),
            "contact": self.customer.contact(arrival.channel),
            "category": self._reported_as(),
            "product": product,
            "demand": [self.rng.choice(arrival.matter.demand)],
            "occurred_at": arrival.at.isoformat(timespec="milliseconds"),
        }
        if "order_stated" in product or self.rng.random() < chances.order_stated:
            given["order_no"] = f"{bought:%Y%m%d}{self.rng.randrange(10**6):06d}"
            given["purchase_date"] = bought.isoformat()
        if arrival.source:
            given["source"] = arrival.source
            found = day - dt.timedelta(days=self.rng.randrange(1, 6))
            given["source_document_on"] = found.isoformat()
            if arrival.source == "B":
                given["reported_via"] = "dealer"
                given["dealer"] = f"D{self.rng.randrange(1, 25):03d}"
        return given

    def _reported_as(self) -> str:
        """Give the category that the customer chooses; now and then not the right one."""
        if self.rng.random() < self.house.story.chances.corrected_category:
            return self.rng.choice(self.house.story.matters).category
        return self.arrival.matter.category

    # -- what comes next -------------------------------------------------------

    def after(self, state: str, now: dt.datetime) -> Step | None:
        """Give the next step in a state that was reached at `now`; None for no more."""
        if state != "RECEIVED" and self._withdraws(state):
            note = self.telling.withdrawn()
            when = self._in_days(now, 1.5)
            return self._customer(when, "withdraw", note)
        return _NEXT[state](self, now) if state in _NEXT else None

    def _received(self, now: dt.datetime) -> Step:
        chances, rng = self.house.story.chances, self.rng
        agent = self.agent
        when = self._at_work(now, 3.0)
        if self._once("acknowledged", chances.acknowledged):
            expected = now + dt.timedelta(days=7)
            promised = {
                "expected_at": expected.isoformat(timespec="seconds"),
                "medium": "phone" if self.customer.phone else "email",
                "handler": agent.id,
            }
            return Step(self._at_work(now, 1.0), "acknowledge", promised, agent)
        if self._once("declined", chances.declined):
            return Step(when, "decline", self.telling.declined(), agent)
        claim = rng.random() < 0.04 and "compensation" in self.arrival.matter.demand  # noqa: PLR2004
        easy = not claim and not self.arrival.planted and self._easy()
        self.first_contact = easy and rng.random() < chances.first_contact
        payload: dict[str, Any] = {
            "complaint_class": "claim" if claim else "grievance",
            "category": self.category,
            "scope_kind": self.arrival.matter.scope_kind,
            "order_check": rng.choice(["found", "found", "found", "not_found"]),
            "shipment_check": rng.choice(["found", "not_applicable"]),
            "first_contact": self.first_contact,
        }
        if rng.random() < self.arrival.matter.serious and not self.first_contact:
            payload["severity"] = "serious"
        if claim:
            payload["contract"] = self.telling.contract()
        route = self.house.route(payload)
        self.department = None if self.first_contact else route
        return Step(when, "accept", payload, agent)

    def _accepted(self, now: dt.datetime) -> Step:
        if self.first_contact:
            self.remedies = self._offer(small=True)
            return Step(
                self._at_work(now, 0.6),
                "resolve",
                {
                    "outcome": self.rng.choice(["upheld", "upheld", "goodwill"]),
                    "remedies": self.remedies,
                    "agreement": self.telling.agreement(),
                },
                self.agent,
            )
        if self.house.needs_approval(self.category) and not self.returns:
            self.department = self.house.routed(self.category)
            head = self.house.head("front-office")
            return Step(self._at_work(now, 4.0), "assign", {}, head)
        wanted = self.arrival.matter.department or self.house.routed(self.category)
        self.department = wanted or "after-sales"
        payload = {"department": self.department}
        return Step(self._at_work(now, 1.5), "assign", payload, self.agent)

    def _assigned(self, now: dt.datetime) -> Step:
        if self.returns >= self.house.max_returns:
            self.department = self.house.gm_office
        unit = self._unit()
        handler = self.house.handler(unit, self.rng)
        pace = self.house.pace(unit)
        again = self.returns + 1 < self.house.max_returns or self.returns == 0
        if again and unit != self.house.gm_office and self.rng.random() < pace.returns:
            self.returns += 1
            payload = {
                "reason": self.rng.choice(
                    ["not_ours", "not_ours", "more_information_needed"]
                ),
                "suggested": self.house.another(unit, self.rng),
                "note": self.telling.returned(),
            }
            return Step(self._at_work(now, pace.sign), "return", payload, handler)
        return Step(self._at_work(now, pace.sign), "sign-for", {}, handler)

    def _investigating(self, now: dt.datetime) -> Step:
        chances = self.house.story.chances
        actor = self.reviewer or self.house.handler(self._unit(), self.rng)
        pace = self.house.pace(self._unit())
        if self._once("confirmed", chances.confirmed) and not self.reviewer:
            payload = {"medium": "phone", **self.telling.restated(self.rng)}
            return Step(
                self._at_work(now, 2.0), "confirm-statement", payload, self.agent
            )
        if self._once("evidence", chances.evidence):
            when = self._at_work(now, pace.investigate / 2)
            return Step(when, "add-evidence", self.telling.evidence(), actor)
        drawn = self.rng.random()
        self.facts = "yes"
        if self.arrival.planted is None and not self.reviewer:
            if drawn < chances.facts_no:
                self.facts = "no"
            elif drawn < chances.facts_no + chances.facts_partly:
                self.facts = "partly"
        found = self.telling.found(self.facts, reviewed=self.reviewer is not None)
        payload = {
            **found,
            "facts_match": self.facts,
            "responsible_unit": self.department or self.house.front_office,
        }
        when = self._at_work(now, pace.investigate)
        return Step(when, "investigate", payload, actor)

    def _investigated(self, now: dt.datetime) -> Step:
        self.revisions += 1
        unit = self._unit()
        actor = self.reviewer or self.house.handler(unit, self.rng)
        self.proposer = actor
        self.remedies = self._offer(small=False)
        payload: dict[str, Any] = {
            "remedies": self.remedies,
            "proposal": self.telling.proposal(self.remedies),
        }
        if self.facts != "no":
            payload["improvement"] = self.telling.improvement()
        when = self._at_work(now, self.house.pace(unit).propose)
        return Step(when, "propose", payload, actor)

    def _proposed(self, now: dt.datetime) -> Step:
        refused = "refused" in self.did
        approver = self.house.approver(
            self._unit(),
            self.remedies,
            not_by=self.proposer,
            in_review=self.reviewer is not None,
        )
        back = self.revisions == 1 and self.rng.random() < (
            self.house.story.chances.sent_back
        )
        if refused or back:
            self.did.discard("refused")
            payload = {
                "reason": "insufficient_remedy"
                if refused
                else self.rng.choice(["no_improvement", "cause_not_established"]),
                "note": self.telling.sent_back(),
            }
            return Step(self._at_work(now, 4.0), "send-back", payload, approver)
        return Step(self._at_work(now, 5.0), "approve", {}, approver)

    def _approved(self, now: dt.datetime) -> Step:
        outcome = {"yes": "upheld", "partly": "partly", "no": "not_upheld"}[self.facts]
        if self.facts == "no" and self.rng.random() < 0.3:  # noqa: PLR2004
            outcome = self.rng.choice(["customer_error", "goodwill"])
        if self.reviewer:
            self.overturned = outcome == "upheld"
        payload = {
            "letter": self.telling.letter(self.remedies),
            "outcome": outcome,
            "medium": "email" if self.customer.email else "letter",
        }
        return Step(self._at_work(now, 2.0), "issue", payload, self.agent)

    def _replied(self, now: dt.datetime) -> Step:
        chances, drawn = self.house.story.chances, self.rng.random()
        dismissed = "dismissed" in self.did
        if dismissed or self.patient or drawn < chances.no_answer:
            self.patient = True
            return self._lapses(now)
        hard = 2.5 if self.facts == "no" else 1.0
        if drawn < chances.no_answer + chances.refused * hard and self.refusals < 1:
            self.refusals += 1
            self.did.add("refused")
            return self._customer(
                self._in_days(now, 3), "refuse", self.telling.refused()
            )
        if (
            self.facts == "no"
            and self.level < 1
            and self.rng.random() < chances.appealed
        ):
            return self._appeals(now)
        payload = {}
        if self.rng.random() < 0.25:  # noqa: PLR2004
            payload["agreement"] = self.telling.agreement()
        return self._customer(self._in_days(now, 2), "agree", payload)

    def _implementing(self, now: dt.datetime) -> Step:
        payload = {}
        if self.arrival.planted or self.rng.random() < 0.3:  # noqa: PLR2004
            payload["corrective_action"] = self.telling.corrective()
        slow = 30.0 if any(r["kind"] in _PARTS for r in self.remedies) else 10.0
        return Step(self._at_work(now, slow), "resolve", payload, self.agent)

    def _resolved(self, now: dt.datetime) -> Step:
        chances = self.house.story.chances
        if self.score is not None:
            return self._scored(now)
        if "reached" in self.did:
            self.did.discard("reached")
            self.score = self._score()
            payload: dict[str, Any] = {"score": self.score}
            comment = self.telling.comment(self.score)
            if comment:
                payload["comment"] = comment
            return Step(now + dt.timedelta(minutes=4), "rate", payload, self.agent)
        if self.attempts >= _ATTEMPTS:
            return Step(self._at_work(now, 8.0), "close", {}, self.agent)
        self.attempts += 1
        reached = self.rng.random() >= chances.unreached
        if reached:
            self.did.add("reached")
        payload = {
            "result": "reached" if reached else self.rng.choice(_MISSED),
            "medium": "phone" if self.customer.phone else "email",
        }
        when = self._at_work(now, 22.0 if self.attempts == 1 else 12.0)
        return Step(when, "follow-up", payload, self.agent)

    def _scored(self, now: dt.datetime) -> Step:
        chances = self.house.story.chances
        if self.score is not None and self.score >= self.house.satisfied_from:
            return Step(self._at_work(now, 1.0), "close", {}, self.agent)
        if self.level < _APPEALS and self.rng.random() < chances.appealed:
            return self._appeals(now)
        return self._lapses(now)

    def _closed(self, now: dt.datetime) -> Step | None:
        chances = self.house.story.chances
        again = not (self.reopened or self.first_contact or self.level)
        if not again or self.rng.random() >= chances.reopened:
            return None
        self.reopened, self.score, self.attempts = True, None, 0
        payload = {
            "new_facts": self.telling.new_facts(),
            "reason": self.rng.choice(["remedy_failed", "recurred"]),
        }
        return Step(self._in_days(now, 18), "reopen", payload, self.agent)

    def _declined(self, now: dt.datetime) -> Step | None:
        appeals = self.rng.random() < self.house.story.chances.declined_appealed
        return self._appeals(now) if appeals and not self.level else None

    def _appealed(self, now: dt.datetime) -> Step:
        reviewer = self.house.reviewer(self.level)
        when = self._at_work(now, 14.0)
        if self.rng.random() < self.house.story.chances.dismissed:
            self.did.add("dismissed")
            payload = self.telling.dismissed(self.rng)
            return Step(when, "dismiss-appeal", payload, reviewer)
        self.reviewer = reviewer
        return Step(when, "accept-appeal", {}, reviewer)

    # -- shared ----------------------------------------------------------------

    def _appeals(self, now: dt.datetime) -> Step:
        self.level += 1
        self.score, self.attempts, self.patient = None, 0, False
        self.reviewer = None
        self.did.discard("dismissed")
        return self._customer(self._in_days(now, 6), "appeal", self.telling.appeal())

    def _lapses(self, now: dt.datetime) -> Step:
        when = self._at_work(now + dt.timedelta(days=_LAPSED), 4.0)
        return Step(when, "close", {}, self.agent)

    def _withdraws(self, state: str) -> bool:
        return state in _WITHDRAWABLE and self._once(
            f"withdraws in {state}", self.house.story.chances.withdrawn
        )

    def _customer(
        self, when: dt.datetime, command: str, payload: Mapping[str, Any]
    ) -> Step:
        actor = Actor(id=f"receipt-{self.receipt_no}", role="complainant")
        return Step(when, command, payload, actor)

    def _score(self) -> int:
        """Say how satisfied they are: slow and refused cases less than others."""
        weights = [3.0, 5.0, 12.0, 38.0, 42.0]
        if self.facts == "no" or "dismissed" in self.did:
            weights = [30.0, 30.0, 22.0, 12.0, 6.0]
        elif self._unit() == self.house.story.slow_department:
            weights = [14.0, 20.0, 26.0, 26.0, 14.0]
        return self.rng.choices(range(1, 6), weights=weights)[0]

    def _offer(self, *, small: bool) -> list[dict[str, Any]]:
        """Choose what is offered; more after a refusal."""
        if self.facts == "no" and not small:
            return [{"kind": "explanation"}]
        options = self.rng.choice(self.arrival.matter.remedies)
        if small:  # what an agent may promise alone
            options = (Option(kind=self.rng.choice(_AT_ONCE)),)
        return [self._remedy(each) for each in options]

    def _remedy(self, option: Option) -> dict[str, Any]:
        if option.least is None:
            return {"kind": option.kind}
        most = option.most or option.least
        amount = self.rng.randrange(option.least, most + 1) // 10 * 10
        amount += 50 * self.refusals
        money = {"amount": f"{amount}.00", "currency": self.house.story.currency}
        return {"kind": option.kind, "amount": money}

    def _easy(self) -> bool:
        return self.house.allows_first_contact(self.arrival)

    def _unit(self) -> str:
        return self.department or self.house.front_office

    def _once(self, what: str, chance: float) -> bool:
        """Let chance decide once whether something happens."""
        if what in self.did:
            return False
        self.did.add(what)
        return self.rng.random() < chance

    def _at_work(self, now: dt.datetime, median: float) -> dt.datetime:
        return self.house.hours.after(now, about(self.rng, median))

    def _in_days(self, now: dt.datetime, median: float) -> dt.datetime:
        return self.house.hours.by_day(now, about(self.rng, median))


_PARTS: Final = frozenset({"repair", "exchange", "rework", "return"})
_AT_ONCE: Final = ("apology", "explanation", "redo_service", "repair")
_MISSED: Final = ("no_answer", "no_answer", "call_back_later", "wrong_contact")
_WITHDRAWABLE: Final = frozenset({"ACCEPTED", "ASSIGNED", "INVESTIGATING"})

_NEXT: Final[dict[str, Callable[[Course, dt.datetime], Step | None]]] = {
    "RECEIVED": Course._received,  # noqa: SLF001 its own table
    "ACCEPTED": Course._accepted,  # noqa: SLF001
    "ASSIGNED": Course._assigned,  # noqa: SLF001
    "INVESTIGATING": Course._investigating,  # noqa: SLF001
    "INVESTIGATED": Course._investigated,  # noqa: SLF001
    "PROPOSED": Course._proposed,  # noqa: SLF001
    "APPROVED": Course._approved,  # noqa: SLF001
    "REPLIED": Course._replied,  # noqa: SLF001
    "IMPLEMENTING": Course._implementing,  # noqa: SLF001
    "RESOLVED": Course._resolved,  # noqa: SLF001
    "CLOSED": Course._closed,  # noqa: SLF001
    "DECLINED": Course._declined,  # noqa: SLF001
    "APPEALED": Course._appealed,  # noqa: SLF001
}

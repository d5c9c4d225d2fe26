"""What people write: the story's sentences, filled in for one case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from services.demo.arrivals import Arrival
    from services.demo.customers import Customer
    from services.demo.story import Story


class Telling:
    """Fills sentences with the names, goods and days of one complaint."""

    def __init__(
        self, story: Story, arrival: Arrival, customer: Customer, rng: random.Random
    ) -> None:
        self._words = story.words
        self._matter, self._planted = arrival.matter, arrival.planted
        self._rng = rng
        self._values = {
            "name": customer.name,
            "place": customer.place,
            "goods": arrival.goods.name,
            "model": arrival.goods.model,
            "lot": arrival.lot or "",
            "house": story.house,
            "days": rng.randrange(2, 15),
            "times": rng.randrange(2, 5),
            "hour": rng.randrange(7, 22),
            "percent": rng.randrange(15, 70),
        }
        self._finding = ""

    def statement(self) -> str:
        text = self._one(self._matter.statements)
        if self._rng.random() < 0.4:  # noqa: PLR2004 - not everybody is polite
            text = f"{self._fill(self._words.greeting)}{text}"
        return text

    def declined(self) -> dict[str, Any]:
        return self._coded("reason", "explanation", self._words.declined)

    def contract(self) -> str:
        return self._one(self._words.contract)

    def returned(self) -> str:
        return self._one(self._words.returned)

    def restated(self, rng: random.Random) -> dict[str, str]:
        """Give how it was repeated back; often it was right as it stood."""
        stands = rng.random() < 0.6  # noqa: PLR2004
        return {} if stands else {"restated": self._one(self._words.restated)}

    def evidence(self) -> dict[str, Any]:
        source = self._rng.choice(
            ["inspection_record", "service_record", "on_site_visit", "order_record"]
        )
        text = {"text": self._one(self._words.evidence), "kind": "record"}
        return {"document": text, "source": source}

    def found(self, facts: str, *, reviewed: bool) -> dict[str, Any]:
        """Give what an investigation found; of the planted lot always its defect."""
        causes = self._matter.causes
        cause = self._rng.choices(list(causes), weights=list(causes.values()))[0]
        text = self._one(self._matter.findings)
        systemic = False
        if self._planted is not None:
            cause, systemic = self._planted.cause, True
            text = self._fill(self._planted.finding)
        elif facts == "no":
            cause, text = "use/misuse", self._one(self._words.facts_no)
        if reviewed:
            text = f"{self._one(self._words.reviewed)} {text}"
        self._finding = text
        sure = self._rng.choice(["confirmed", "confirmed", "probable", "possible"])
        return {
            "findings": [{"statement": text}],
            "root_cause": {"path": cause, "confidence": sure},
            "systemic": systemic,
        }

    def proposal(self, remedies: Sequence[Mapping[str, Any]]) -> str:
        return self._one(self._words.proposal, remedy=self._remedies(remedies))

    def improvement(self) -> str:
        planted = self._planted
        texts = (planted.improvement,) if planted else self._matter.improvement
        return self._one(texts)

    def sent_back(self) -> str:
        return self._one(self._words.sent_back)

    def letter(self, remedies: Sequence[Mapping[str, Any]]) -> str:
        return self._one(
            self._words.letter,
            finding=self._finding,
            remedy=self._remedies(remedies),
        )

    def agreement(self) -> str:
        return self._one(self._words.agreement)

    def refused(self) -> dict[str, Any]:
        return self._coded("reason", "note", self._words.refused)

    def corrective(self) -> str:
        planted = self._planted
        texts = (planted.corrective,) if planted else self._words.corrective
        return self._one(texts)

    def comment(self, score: int) -> str | None:
        if self._rng.random() < 0.45:  # noqa: PLR2004
            return None
        return self._one(self._words.comments[str(score)])

    def appeal(self) -> dict[str, Any]:
        grounds = self._rng.choice(["facts", "remedy", "delay", "conduct"])
        return {
            "grounds": [grounds],
            "statement": self._one(self._words.appealed),
            "expected_outcome": self._one(self._words.outcome_wanted),
        }

    def dismissed(self, rng: random.Random) -> dict[str, Any]:
        reason = rng.choice(
            ["decision_correct", "no_new_grounds", "remedy_appropriate"]
        )
        return {
            "reasons": [reason],
            "explanation": self._one(self._words.dismissed),
        }

    def new_facts(self) -> str:
        return self._one(self._words.new_facts)

    def withdrawn(self) -> dict[str, Any]:
        return self._coded("reason", "note", self._words.withdrawn)

    def _coded(
        self, code: str, words: str, texts: Mapping[str, Sequence[str]]
    ) -> dict[str, Any]:
        chosen = self._rng.choice(list(texts))
        return {code: chosen, words: self._one(texts[chosen])}

    def _remedies(self, remedies: Sequence[Mapping[str, Any]]) -> str:
        told = []
        for each in remedies:
            text = self._words.remedies[each["kind"]]
            amount = each.get("amount", {"amount": "", "currency": ""})
            told.append(text.format(**amount))
        return self._words.remedies["and"].join(told)

    def _one(self, texts: Sequence[str], **more: object) -> str:
        return self._fill(self._rng.choice(texts), **more)

    def _fill(self, text: str, **more: object) -> str:
        return text.format(**self._values, **more).strip()

"""What is told: a house, its goods, its people, and how things go there, as data."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

STORIES: Final = ("appliances", "utility")

Twelve = Annotated[tuple[float, ...], Field(min_length=12, max_length=12)]
Seven = Annotated[tuple[float, ...], Field(min_length=7, max_length=7)]
Hours = Annotated[tuple[float, ...], Field(min_length=24, max_length=24)]
Weights = Mapping[str, float]
Texts = Annotated[tuple[str, ...], Field(min_length=1)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Names(_Told):
    """Of what names, phones and addresses are made: none of them belongs to anybody."""

    given: Texts
    family: Texts
    family_first: bool
    joined_by: str
    places: Texts
    streets: Texts
    phones: Texts
    """Ranges kept for fiction; `{n:04d}` or the like numbers the customers."""
    phones_in_range: int


class Colleague(_Told):
    """Somebody who works there and may sign in."""

    login: str
    name: str
    role: str
    department: str | None = None


class Goods(_Told):
    """What is sold: `lot_prefix` begins the number of a lot, its week follows."""

    model: str
    name: str
    kind: str
    price: str | None = None
    supplier: str | None = None
    lot_prefix: str | None = None
    weight: float = 1.0


class Option(_Told):
    """A remedy as it may be offered; money is drawn from between `least` and `most`."""

    kind: str
    least: int | None = None
    most: int | None = None


class Matter(_Told):
    """One thing that people complain about."""

    code: str
    category: str
    kinds: Texts
    """The kinds of goods that have it."""
    weight: float
    months: Twelve = (1.0,) * 12
    scope_kind: int = 1
    department: str | None = None
    """Where the front office sends it if no route does."""
    demand: Texts
    statements: Texts
    findings: Texts
    causes: Weights
    remedies: tuple[tuple[Option, ...], ...]
    improvement: Texts
    serious: float = 0.0
    """How often the front office finds it graver than the rules do."""


class Burst(_Told):
    """Days on which one matter comes more often: a storm, a sale."""

    matter: str
    at: float
    """Where in the time told, 0 to 1."""
    days: int
    times: float


class Planted(_Told):
    """A lot with a defect: more and more complaints, weeks before anybody sees why."""

    model: str
    matter: str
    at: float
    """When the burst begins, 0 to 1."""
    share: float
    """Of all complaints."""
    rising_weeks: int
    burst_weeks: int
    falling_weeks: int
    cause: str
    finding: str
    improvement: str
    corrective: str


class Pace(_Told):
    """How a department works; working hours, half of the cases take longer."""

    sign: float
    investigate: float
    propose: float = 6.0
    returns: float = 0.04
    """How often it gives a case back."""


class Chances(_Told):
    """How often cases take a turn, 0 to 1."""

    acknowledged: float
    declined: float
    first_contact: float
    withdrawn: float
    confirmed: float
    evidence: float
    sent_back: float
    facts_no: float
    facts_partly: float
    refused: float
    no_answer: float
    """The customer answers a decision never."""
    unreached: float
    """One attempt of a follow-up reaches nobody."""
    appealed: float
    """A dissatisfied customer appeals."""
    declined_appealed: float
    dismissed: float
    reopened: float
    corrected_category: float
    """The front office puts it into another category than the customer did."""
    lot_stated: float
    order_stated: float
    sourced: float


class Words(_Told):
    """Sentences with places to fill in."""

    greeting: str
    declined: Mapping[str, Texts]
    evidence: Texts
    restated: Texts
    contract: Texts
    returned: Texts
    proposal: Texts
    sent_back: Texts
    letter: Texts
    agreement: Texts
    refused: Mapping[str, Texts]
    corrective: Texts
    comments: Mapping[str, Texts]
    appealed: Texts
    outcome_wanted: Texts
    dismissed: Texts
    reviewed: Texts
    new_facts: Texts
    withdrawn: Mapping[str, Texts]
    facts_no: Texts
    remedies: Mapping[str, str]


class Story(_Told):
    """One house over two years."""

    name: str
    house: str
    language: str
    time_zone: str
    phone_region: str
    currency: str
    cases: int
    customers: float
    """Customers for each complaint."""
    zipf: float
    """How much of it comes from a few: 0 evenly, above 1 very few."""
    trend: float
    """Growth from the first day to the last."""
    months: Twelve
    weekdays: Seven
    hours: Hours
    holidays: Mapping[str, float]
    """Weight of days, by `MM-DD`."""
    channels: Weights
    sources: Weights
    silent_source: str
    """It hands in nothing any more in the last months."""
    names: Names
    people: tuple[Colleague, ...]
    goods: tuple[Goods, ...]
    matters: tuple[Matter, ...]
    bursts: tuple[Burst, ...]
    planted: tuple[Planted, ...]
    departments: Mapping[str, Pace]
    slow_department: str
    returning_department: str
    chances: Chances
    words: Words

    def matter(self, code: str) -> Matter:
        return next(each for each in self.matters if each.code == code)

    def made(self, model: str) -> Goods:
        return next(each for each in self.goods if each.model == model)


def load_story(name: str) -> Story:
    """Read a story that amends comes with."""
    file = resources.files("services.demo").joinpath(f"stories/{name}.toml")
    told: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    return Story.model_validate(told)

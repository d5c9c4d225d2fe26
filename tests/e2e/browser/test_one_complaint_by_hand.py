"""One complaint by hand, each person before a browser of their own, from form to file.

Pages alone: each signs in, finds the case and presses what the page offers. In English
the customer refuses, appeals and is content at last; in Chinese, on small screens and
without scripts at the customer's, all goes well at once.
What the program keeps of all this is asked at the end.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import events.words
from services.handling.pages.desk_words import WORDS
from services.kernel.i18n import LOCALE, Catalogues

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from tests.support.running import RunningAmends

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery staple"  # noqa: S105 it opens a folder of the test
SERVICES = Path(__file__).parents[3] / "services"
SPOKEN = Catalogues(
    [
        LOCALE,
        events.words.LOCALE,
        *(SERVICES / name / "locale" for name in ("analytics", "intake", "handling")),
    ]
)
STAFF = {
    "ada": ("Ada Min", "admin", ""),
    "han": ("Han Mei", "department_handler", "quality"),
    "hedda": ("Hedda Wu", "department_head", "quality"),
    "maja": ("Maja Lin", "manager", ""),
    "rui": ("Rui Zhao", "appeal_reviewer", ""),
}
WRITTEN = {
    "statement": "It leaks since the second wash. 洗衣机漏水。",
    "evidence": "A photo of the seal, taken at her home.",
    "finding": "The seal of lot 2509B is 2 mm too short.",
    "proposal": "Repair at home within three days.",
    "improvement": "A longer seal from lot 2510A on.",
    "refusal": "Three weeks without a machine are too many.",
    "letter": "Dear customer, we are sorry.",
    "comment": "It drips again.",
    "appeal": "It leaks as before the repair.",
}
TAKEN_UP = [
    *("ComplaintReceived", "ComplaintAccepted", "DepartmentAssigned"),
    *("AssignmentAccepted", "EvidenceAdded", "ComplaintInvestigated"),
]
DECIDED = ["SettlementProposed", "SettlementApproved", "DecisionIssued"]
PUT_RIGHT = ["SettlementAgreed", "ComplaintResolved", "SatisfactionRecorded"]
CONTESTED = [
    *("SettlementRefused", "SettlementReturned", *DECIDED, *PUT_RIGHT),
    *("ComplaintAppealed", "AppealAccepted", "ComplaintInvestigated", *DECIDED),
]


CAUSES = {"en": "material/part", "zh-CN": "process/assembly"}


class Setting:
    """Where, in which language and on how wide a screen the case is lived through."""

    def __init__(self, site: RunningAmends, visit: Visit, lang: str) -> None:
        self.site = site
        self.lang = lang
        self._visit = visit
        self.cause = CAUSES[lang]
        self._spoken = SPOKEN.of(lang.replace("-", "_"))

    def say(self, message: str) -> str:
        """Give the words that a page of this language has for an English message."""
        return self._spoken.gettext(message)

    def sit_down(self, **how: Any) -> Page:
        width = 1280 if self.lang == "en" else 390
        return self._visit(lang=self.lang, width=width, **how)

    def login(self, who: str) -> str:
        return f"{who}-{self.lang.lower()}"


class Customer:
    """Somebody with a complaint, and later with what the receipt says."""

    def __init__(self, on: Setting) -> None:
        self.on = on
        self.page = on.sit_down(scripts=on.lang == "en")
        self.number = self.code = ""

    def complain(self) -> None:
        page, say = self.page, self.on.say
        page.goto("/")
        page.get_by_label(say("Your complaint"), exact=True).fill(WRITTEN["statement"])
        page.get_by_label(say("Repair"), exact=True).check()
        page.get_by_label(say("Telephone number")).fill("+86 138 1234 5521")
        page.get_by_role("button", name=say("Send the complaint")).click()
        page.locator("#receipt").wait_for()
        self.number, self.code = page.locator("#receipt output").all_inner_texts()
        page.get_by_role("link", name=say("See where it stands")).click()
        self.reads("Registered")

    def reads(self, state: str) -> None:
        """See where it stands; the news may be under way."""

        def shown() -> bool:
            self.page.goto(f"/status/{self.number.replace(' ', '')}")
            return self.page.locator(".state").inner_text() == self.on.say(state)

        self.on.site.until(shown, f"the customer reads {state}")

    def enter(self) -> None:
        """Open what may be answered now, with the access code."""
        page, say = self.page, self.on.say
        page.get_by_role("link", name=say("Answer, appeal or withdraw")).click()
        page.get_by_label(say("Access code")).fill(self.code)
        with page.expect_navigation():
            page.get_by_role("button", name=say("Go on")).click()

    def press(self, act: str, button: str) -> None:
        say = self.on.say
        with self.page.expect_navigation():
            form = self.page.locator(f"form[action='/answer/{act}']")
            form.get_by_role("button", name=say(button), exact=True).click()

    def told(self, message: str) -> None:
        said = self.page.get_by_role("status").inner_text()
        assert said == self.on.say(message)

    def agrees(self) -> None:
        self.reads("Decision issued")
        self.enter()
        self.press("agree", "Agree")
        self.told("Thank you. We have your agreement and do what we promised.")

    def refuses(self) -> None:
        self.reads("Decision issued")
        self.enter()
        self.page.select_option("[name='refuse.reason']", index=1)
        self.page.fill("[name='refuse.note']", WRITTEN["refusal"])
        self.press("refuse", "Do not agree")
        self.told("We have noted that you do not agree, and look for another way.")

    def rates(self, score: str) -> None:
        self.reads("Resolved")
        self.enter()
        self.page.check(f"[name='rate.score'][value='{score}']")
        self.page.fill("[name='rate.comment']", WRITTEN["comment"])
        self.press("rate", "Send")
        self.told("Thank you for telling us.")

    def appeals(self) -> None:
        page, say = self.page, self.on.say
        page.fill("[name='appeal.statement']", WRITTEN["appeal"])
        self.press("appeal", "Appeal")
        fault = page.locator("#faults a").inner_text()
        assert fault == say("Please tick what you contest.")
        assert page.input_value("[name='appeal.statement']") == WRITTEN["appeal"]
        page.check("[name='appeal.grounds'][value=remedy]")
        self.press("appeal", "Appeal")
        self.told("We have your appeal. Somebody uninvolved looks at it again.")
        self.reads("Under appeal")


class Colleague:
    """Somebody at the desk, signed in with login and password."""

    def __init__(self, on: Setting, who: str, number: str) -> None:
        self.on = on
        self.page = on.sit_down()
        self._number = number
        self.page.goto("/desk")
        sign_in(on, self.page, who)
        self.page.get_by_role("heading", name=on.say("Desk"), exact=True).wait_for()

    def finds(self, counter: str) -> None:
        """Go where the desk counts what waits, and open the case from that list."""
        page, say = self.page, self.on.say
        page.goto("/desk")
        page.get_by_role("link", name=say(WORDS["counter"][counter])).click()
        page.get_by_role("link", name=self._number).click()
        page.get_by_role("heading", name=self._number).wait_for()

    def finds_by_keys(self) -> None:
        """Ask for the last digits of the number, and open what is found."""
        page = self.page
        page.wait_for_load_state()
        page.keyboard.press("/")
        page.keyboard.type(self._number.replace(" ", "")[-6:])
        page.keyboard.press("Enter")
        page.wait_for_url("**/desk/cases?q=*")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=self._number).wait_for()

    def does(self, command: str, *ticked: str, **given: str) -> None:
        """Fill in what the case offers, as a person does, and read that it is done."""
        self.tries(command, *ticked, **given)
        done = self.on.say(WORDS["command"][command])
        self.page.locator("[role=status]", has_text=done).wait_for()

    def tries(self, command: str, *ticked: str, **given: str) -> None:
        form = self.form(command)
        name = self.on.say(WORDS["command"][command])
        if not form.is_visible():
            whole = re.compile(f"^{re.escape(name)}$")
            self.page.locator("summary").filter(has_text=whole).click()
        for field, value in given.items():
            _fill(form.locator(f"[name='{field.replace('__', '.')}']"), value)
        for field in ticked:
            form.locator(f"[name='{field.replace('__', '.')}']").check()
        form.get_by_role("button", name=name).click()

    def form(self, command: str) -> Locator:
        return self.page.locator(f"form[action$='/do/{command}']")

    def may_not(self, *commands: str) -> None:
        for command in commands:
            assert self.form(command).count() == 0, command

    def accepts(self) -> None:
        """Be refused first, for what the rules say; what was written is still there."""
        contract = "Two years of warranty."
        self.tries(
            "accept",
            complaint_class="claim",
            category="product",
            scope_kind="1",
            order_check="found",
            shipment_check="found",
            contract=contract,
            severity="minor",
        )
        self.page.get_by_role("alert").wait_for()
        assert self.form("accept").locator("[name=contract]").input_value() == contract
        self.does("accept", severity="serious")

    def investigates(self) -> None:
        self.does(
            "investigate",
            findings__0=WRITTEN["finding"],
            facts_match="yes",
            root_cause__path=self.on.cause,
            root_cause__confidence="confirmed",
            responsible_unit="production",
        )

    def proposes(self, remedy: str, **more: str) -> None:
        self.does(
            "propose",
            remedies__0__kind=remedy,
            proposal=WRITTEN["proposal"],
            improvement=WRITTEN["improvement"],
            **more,
        )

    def approves(self) -> None:
        self.finds("PROPOSED")
        assert WRITTEN["proposal"] in self.page.inner_text("main")
        self.does("approve")

    def issues(self) -> None:
        self.finds("APPROVED")
        self.does("issue", letter=WRITTEN["letter"], outcome="upheld", medium="letter")

    def puts_right(self) -> None:
        self.finds("IMPLEMENTING")
        self.does("resolve")


def _fill(field: Locator, value: str) -> None:
    if field.evaluate("each => each.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)


@pytest.fixture
def on(site: RunningAmends, visit: Visit, lang: str) -> Setting:
    """Give the place with everybody who may sign in; the agent was added by hand."""
    setting = Setting(site, visit, lang)
    with site.client() as operator:
        for who, (name, role, department) in STAFF.items():
            person = {"name": name, "role": role, "password": PASSWORD}
            person |= {"department": department} if department else {}
            person["login"] = setting.login(who)
            answer = operator.post("/api/handling/users", json=person)
            assert answer.status_code == 201, answer.text
    return setting


def add_agent(on: Setting) -> None:
    """Sign in as the administrator, and add the agent on the pages."""
    page, say = on.sit_down(), on.say
    page.goto("/access")
    sign_in(on, page, "ada")
    page.get_by_role("link", name=say("Add somebody")).click()
    page.get_by_label(say("Name"), exact=True).fill("Ann Li")
    page.get_by_label(say("Login")).fill(on.login("ann"))
    page.get_by_label(say("Role")).select_option(label=say("Front office agent"))
    page.get_by_label(say("First password")).fill(PASSWORD)
    page.get_by_role("button", name=say("Add"), exact=True).click()
    page.get_by_role("heading", name="Ann Li").wait_for()


def sign_in(on: Setting, page: Page, who: str) -> None:
    page.get_by_label(on.say("Login")).fill(on.login(who))
    page.get_by_label(on.say("Password")).fill(PASSWORD)
    page.locator("main").get_by_role("button", name=on.say("Sign in")).click()


@pytest.mark.parametrize(("lang", "contested"), [("en", True), ("zh-CN", False)])
def test_from_the_form_to_the_closed_case(on: Setting, contested: bool) -> None:
    add_agent(on)
    customer = Customer(on)
    customer.complain()

    agent = Colleague(on, "ann", customer.number)
    agent.finds_by_keys()
    assert WRITTEN["statement"] in agent.page.inner_text("main")
    agent.may_not("sign-for", "investigate", "issue")
    agent.accepts()

    handler = Colleague(on, "han", customer.number)
    handler.finds("ASSIGNED")
    handler.does("sign-for")
    handler.does("add-evidence", document=WRITTEN["evidence"], source="customer")
    handler.investigates()
    handler.proposes("repair")
    handler.may_not("approve", "issue")

    head = Colleague(on, "hedda", customer.number)
    head.approves()
    agent.issues()
    agent.may_not("resolve", "close")
    if contested:
        refuse_and_appeal(customer, agent, handler, head)
    customer.agrees()
    agent.puts_right()
    agent.may_not("close")
    customer.rates("5")
    agent.finds("RESOLVED")
    agent.does("close")
    customer.reads("Closed")

    life = [*TAKEN_UP, *DECIDED, *(CONTESTED if contested else ()), *PUT_RIGHT]
    assert agent.page.locator(".timeline > li").count() == len(life) + 1
    assert f"Hedda Wu · {on.say('Department head')}" in agent.page.inner_text("main")
    case = on.site.json("case", "show", customer.number)
    assert (case["state"], case["level"]) == ("CLOSED", int(contested))
    happened = [each["event"]["type"] for each in case["events"]]
    assert happened == [*life, "ComplaintClosed"]
    told = json.dumps(case, ensure_ascii=False)
    assert [words for words in WRITTEN.values() if words in told] == []
    assert on.site.json("audit", "verify")["ok"]
    on.site.until(lambda: counted(on), "the cause is counted")


def refuse_and_appeal(
    customer: Customer, agent: Colleague, handler: Colleague, head: Colleague
) -> None:
    """Refuse one settlement, be disappointed by the next, and have it looked at again."""
    customer.refuses()
    agent.finds("PROPOSED")
    assert WRITTEN["refusal"] in agent.page.inner_text("main")
    agent.does("send-back", reason="insufficient_remedy")
    handler.finds("INVESTIGATED")
    handler.proposes("exchange")
    head.approves()
    agent.issues()
    customer.agrees()
    agent.puts_right()
    customer.rates("2")
    customer.appeals()

    reviewer = Colleague(agent.on, "rui", customer.number)
    reviewer.finds("APPEALED")
    reviewer.does("accept-appeal")
    reviewer.investigates()
    reviewer.proposes("refund", remedies__0__amount="1,299.00")
    reviewer.may_not("approve", "issue")  # another than the proposer approves
    manager = Colleague(agent.on, "maja", customer.number)
    manager.approves()
    agent.issues()


def counted(on: Setting) -> bool:
    rows = on.site.json("analytics", "root-causes", "basis=found")["rows"]
    return {row["cause"]: row["count"] for row in rows}.get(on.cause) == 1

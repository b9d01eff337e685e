"""The cost centre book reads a simulated instance: what is there is found, and what cannot be seen is not taken for missing."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import httpx
import pytest

from connector.errors import Outage, Refused, Throttled
from connector.model.profile import CostCentres
from connector.model.references import CostCentreFacts
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.servicenow.authorisation import Basic
from connector.servicenow.cost_centres import CODES_A_CALL, MISSING_FOR, ROWS_A_CALL, CostCentreBook
from connector.servicenow.session import SYSTEM, ServiceNowSession
from tests.sandbox.clock import VirtualClock
from tests.sandbox.sample.servicenow import COST_CENTRE_NUMBERS, master_rows
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.shipped import CONNECTOR_PASSWORD, CONNECTOR_USER
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.wire import Exchange, Fault, InProcess

AGE = 900.0
TABLE = "cmn_cost_center"
RULES = CostCentres(
    table=TABLE, code="account_number", valid_from="valid_from", valid_to="valid_to", available="available_for_use"
)
SEED = {TABLE: master_rows()[TABLE]}
NOBODY = ("no_such_role",)
SINCE_2020 = CostCentreFacts(date(2020, 1, 1), None, None)


class Office:
    """A simulated instance with the sample company's cost centres, and the book."""

    def __init__(self, *, rules: CostCentres = RULES, licensed: bool = True) -> None:
        self.clock = VirtualClock()
        self.clock.advance(5)
        self.instance = ServiceNow(now=self.clock.now, seed=SEED, licensed=licensed)
        self.exchange = Exchange(self.instance.handle, sleep=self.clock.sleep)
        remote = Remote(SYSTEM, InProcess(self.exchange), self.clock)
        chance = SeededRandomness(random.Random(1))
        proof = Basic(CONNECTOR_USER, CONNECTOR_PASSWORD, self.clock)
        session = ServiceNowSession(remote, proof, "https://example.service-now.com", self.clock, chance)
        self.book = CostCentreBook(session, rules, self.clock)

    def found(self, *codes: str, at_most: float = AGE) -> Mapping[str, tuple[CostCentreFacts, ...]]:
        """Cost centres by code."""
        return self.book.found(codes, at_most)

    def asked(self, *codes: str, at_most: float = AGE) -> int:
        """How many requests it takes to find them."""
        before = self.exchange.counts["requests"]
        self.found(*codes, at_most=at_most)
        return self.exchange.counts["requests"] - before

    def add(self, number: str, **values: str) -> str:
        """One more cost centre."""
        return self.instance.tables.insert(TABLE, {"name": number, "account_number": number, **values})

    def change(self, number: str, **values: str) -> None:
        """Changes a cost centre."""
        (row,) = self.instance.tables.find(TABLE, {"account_number": number})
        self.instance.tables.update(TABLE, row["sys_id"], values)

    def hide(self, *, column: str = "", condition: str = "", roles: tuple[str, ...] = ("snc_internal",)) -> None:
        """Lets an access rule hide rows (those that do not meet the condition) or a column from ordinary users."""
        self.instance.access.add(rule(TABLE, ("read",), roles, column=column, condition=condition))

    def uncount(self) -> None:
        """From now on answers do not say how many rows match."""

        def answer(request: httpx.Request) -> httpx.Response:
            response = self.instance.handle(request)
            del response.headers["X-Total-Count"]
            return response

        self.exchange.handler = answer

    def drop(self, column: str) -> None:
        """Takes a column off the table."""
        table = self.instance.tables.schema.table(TABLE)
        kept = tuple(each for each in table.columns if each.name != column)
        self.instance.tables.define(replace(table, columns=kept))


# -- what is told


def test_every_code_has_an_entry_and_those_that_are_there_their_validity() -> None:
    found = Office().found(*COST_CENTRE_NUMBERS.values(), "7000-NEW")
    assert found.keys() == {*COST_CENTRE_NUMBERS.values(), "7000-NEW"}
    assert found["6000-WSH"] == (CostCentreFacts(date(2020, 1, 1), date(2024, 12, 31), None),)
    assert found["1000-ADM"] == (SINCE_2020,)
    assert found["7000-NEW"] == ()


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("false", False), ("", None)])
def test_whether_it_is_open_for_use(text: str, expected: bool | None) -> None:
    office = Office()
    office.change("1000-ADM", available_for_use=text)
    assert office.found("1000-ADM")["1000-ADM"] == (replace(SINCE_2020, available=expected),)


def test_an_instance_without_the_finance_applications_does_not_say_whether_it_is_open_for_use() -> None:
    office = Office(licensed=False)
    assert "available_for_use" not in office.instance.tables.schema.columns(TABLE)
    assert office.found("1000-ADM")["1000-ADM"] == (SINCE_2020,)


def test_with_the_finance_applications_there_is_a_column_for_it() -> None:
    assert Office().instance.tables.schema.columns(TABLE)["available_for_use"].type == "boolean"


@pytest.mark.parametrize("how", ["not asked for", "missing", "hidden"])
def test_a_column_that_tells_nothing_is_held_against_nobody(how: str) -> None:
    office = Office(rules=CostCentres(table=TABLE, code="account_number") if how == "not asked for" else RULES)
    for column in ("valid_from", "valid_to", "available_for_use"):
        if how == "missing":
            office.drop(column)
        elif how == "hidden":
            office.hide(column=column, roles=NOBODY)
    assert office.found("6000-WSH")["6000-WSH"] == (CostCentreFacts(),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-31 23:59:59", date(2026, 3, 31)),
        ("2026-04-01 00:00:00", date(2026, 4, 1)),
        ("2026-04-01", date(2026, 4, 1)),
    ],
)
def test_the_day_of_a_moment_counts(text: str, expected: date) -> None:
    office = Office(rules=RULES.model_copy(update={"valid_to": "name"}))
    office.change("1000-ADM", name=text)
    assert office.found("1000-ADM")["1000-ADM"][0].valid_to == expected


@pytest.mark.parametrize("text", ["31.03.2026", "2026-02-30", "2026-03-31T00:00:00Z", "never"])
def test_a_date_that_is_none_is_refused(text: str) -> None:
    office = Office(rules=RULES.model_copy(update={"valid_to": "name"}))
    office.change("1000-ADM", name=text)
    with pytest.raises(Refused, match=f"name holds something that is no date in {TABLE}"):
        office.found("1000-ADM")


def test_a_flag_that_is_none_is_refused() -> None:
    office = Office(rules=RULES.model_copy(update={"available": "name"}))
    with pytest.raises(Refused, match="neither true nor false"):
        office.found("1000-ADM")


# -- which are found


def test_case_does_not_count_as_it_does_not_for_transform_maps() -> None:
    office = Office()
    office.add("1000-adm")
    found = office.found("1000-ADM", "1000-adm", "2000-prd")
    assert found["1000-ADM"] == found["1000-adm"]
    assert sorted(found["1000-ADM"], key=str) == sorted([SINCE_2020, CostCentreFacts()], key=str)
    assert found["2000-prd"] == (SINCE_2020,)


def test_all_that_share_a_code_are_found_always_in_the_same_order() -> None:
    office = Office()
    for year in range(2021, 2026):
        office.add("SHARED", valid_from=f"{year}-01-01 00:00:00")
    found = office.found("SHARED")["SHARED"]
    assert {facts.valid_from for facts in found} == {date(year, 1, 1) for year in range(2021, 2026)}
    assert office.found("SHARED", at_most=0)["SHARED"] == found


@pytest.mark.parametrize(
    "code", ["", " ", "A^B", "A,B", "A\nB", "javascript:gs.getUserID()", "1000-ADM^ORnameISNOTEMPTY"]
)
def test_what_cannot_be_asked_for_is_never_found(code: str) -> None:
    office = Office()
    office.add("")
    assert office.asked(code) == 0
    assert office.found(code, "1000-ADM") == {code: (), "1000-ADM": (SINCE_2020,)}


@pytest.mark.parametrize("code", ["O'NEIL", "A&B", "A/B", "50%", "A+B", "Å 1", "A=B", "A;B", "A#B", "IN", "A\\B"])
def test_odd_codes_are_found(code: str) -> None:
    office = Office()
    office.add(code)
    assert len(office.found(code, "1000-ADM")[code]) == 1
    assert len(office.found(code, at_most=0)[code]) == 1


def test_hundreds_of_codes_take_a_request_for_each_hundred() -> None:
    office = Office()
    codes = [f"C{number:04d}" for number in range(250)]
    for code in codes:
        office.add(code)
    assert office.asked(*codes, "NONE") == -(-251 // CODES_A_CALL)
    assert all(len(found) == 1 for code, found in office.found(*codes).items())


@pytest.mark.parametrize("counted", [True, False])
def test_a_code_that_very_many_share_does_not_make_others_look_missing(counted: bool) -> None:
    office = Office()
    if not counted:
        office.uncount()
    for _ in range(3 * ROWS_A_CALL):
        office.add("SHARED")
    office.add("ZULU")
    found = office.found("ALPHA", "SHARED", "ZULU", *COST_CENTRE_NUMBERS.values())
    assert found["SHARED"]
    assert len(found["ZULU"]) == 1
    assert found["ALPHA"] == ()
    assert all(found[number] for number in COST_CENTRE_NUMBERS.values())


@pytest.mark.parametrize("hidden", [1, 3 * ROWS_A_CALL])
def test_rows_that_access_rules_hide_are_there_though_nothing_is_told_of_them(hidden: int) -> None:
    office = Office()
    for _ in range(hidden):
        office.add("SECRET", code="S")
    office.hide(condition="code!=S")
    visible = Office().found(*COST_CENTRE_NUMBERS.values())
    assert office.found("SECRET", *visible) == {"SECRET": (CostCentreFacts(),), **visible}
    assert office.found("MISSING", "1000-ADM", at_most=0)["MISSING"] == ()


def test_a_user_who_may_see_no_row_at_all_holds_up_no_document() -> None:
    office = Office()
    office.hide(roles=NOBODY)
    assert office.found("1000-ADM", "2000-PRD") == dict.fromkeys(("1000-ADM", "2000-PRD"), (CostCentreFacts(),))


@pytest.mark.parametrize("how", ["hidden", "missing"])
def test_codes_that_cannot_be_read_are_refused_and_not_missing(how: str) -> None:
    office = Office()
    if how == "hidden":
        office.hide(column="account_number", roles=NOBODY)
    else:
        office.drop("account_number")
    with pytest.raises(Refused, match=f"account_number cannot be read in {TABLE}"):
        office.found("1000-ADM")


@pytest.mark.parametrize("rows", [10, ROWS_A_CALL + 1])
def test_a_query_that_is_dropped_makes_no_code_look_missing(rows: int) -> None:
    office = Office()
    made = {office.add(f"C{number:04d}"): f"C{number:04d}" for number in range(rows)}
    last = made[max(made)]
    office.instance.switches.set("query_acl_effect", "dropped")
    office.instance.access.add(rule(TABLE, ("query_match",), NOBODY, column="account_number"))
    assert office.found("1000-ADM") == {"1000-ADM": (SINCE_2020,)}
    if rows <= ROWS_A_CALL:
        assert office.found(last, "NONE") == {last: (CostCentreFacts(),), "NONE": ()}
    else:
        with pytest.raises(Refused, match="cannot be told apart by account_number"):
            office.found(last)


def test_a_table_that_does_not_exist_is_refused() -> None:
    office = Office(rules=RULES.model_copy(update={"table": "u_no_table"}))
    with pytest.raises(Refused):
        office.found("1000-ADM")


# -- ages


def test_what_was_found_is_believed_as_long_as_the_caller_allows() -> None:
    office = Office()
    office.found("1000-ADM")
    office.change("1000-ADM", available_for_use="false")
    office.clock.advance(AGE - 1)
    assert office.asked("1000-ADM") == 0
    assert office.found("1000-ADM", at_most=60)["1000-ADM"][0].available is False
    office.clock.advance(AGE)
    assert office.asked("1000-ADM") == 1
    assert office.asked("1000-ADM", at_most=0) == 1


def test_what_was_not_found_is_looked_up_again_after_a_minute_and_alone() -> None:
    office = Office()
    assert office.found("1000-ADM", "7000-NEW")["7000-NEW"] == ()
    office.add("7000-NEW")
    office.clock.advance(MISSING_FOR - 1)
    assert office.asked("1000-ADM", "7000-NEW") == 0
    office.clock.advance(1)
    office.exchange.faults = [Fault("answer", path="1000-ADM")]
    assert office.asked("1000-ADM", "7000-NEW") == 1
    assert office.found("7000-NEW")["7000-NEW"] == (CostCentreFacts(),)


def test_threads_that_ask_at_once_take_one_request() -> None:
    office = Office()
    handler, began, go_on = office.instance.handle, threading.Event(), threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        began.set()
        assert go_on.wait(5)
        return handler(request)

    office.exchange.handler = answer
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(office.found("1000-ADM"))) for _ in range(4)]
    threads[0].start()
    assert began.wait(5)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert office.exchange.counts["requests"] == 1
    assert found == [{"1000-ADM": (SINCE_2020,)}] * 4


# -- faults


def test_throttling_and_outages_pass_and_leave_nothing_behind() -> None:
    office = Office()
    office.exchange.faults = [Fault("answer", status=429, headers={"Retry-After": "17"})]
    with pytest.raises(Throttled) as caught:
        office.found("1000-ADM")
    assert caught.value.retry_after == 17
    office.exchange.faults = [Fault("answer", status=503, times=None)]
    with pytest.raises(Outage):
        office.found("1000-ADM")
    office.exchange.faults = []
    assert office.found("1000-ADM") == {"1000-ADM": (SINCE_2020,)}


def test_an_old_answer_is_no_substitute_for_one_that_cannot_be_had() -> None:
    office = Office()
    office.found("1000-ADM")
    office.clock.advance(AGE)
    office.exchange.faults = [Fault("answer", status=503, times=None)]
    with pytest.raises(Outage):
        office.found("1000-ADM")

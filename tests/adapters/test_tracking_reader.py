"""The tracking reader against a simulated instance: the order of changes, hidden rows, answers that are not to be believed."""

from __future__ import annotations

import random
from collections.abc import Collection

import pytest

from connector.decisions.tracking import BEGINNING, Position, following
from connector.errors import Refused
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.servicenow.authorisation import Basic
from connector.servicenow.session import SYSTEM, ServiceNowSession
from connector.servicenow.tracking import Standing, TrackingReader
from tests.sandbox.clock import VirtualClock
from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.shipped import CONNECTOR_PASSWORD, CONNECTOR_USER
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.wire import Exchange, InProcess

INVOICE, STATE = "sn_shop_invoice", "state"
START = Position(BEGINNING)
NOBODY = ("no_such_role",)
READER = ("sn_shop.procurement_common_reader",)


class Office:
    """A simulated instance without invoices, and a reader."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.instance = ServiceNow(now=self.clock.now, seed=sample.SEED)
        self.exchange = Exchange(self.instance.handle, sleep=self.clock.sleep)
        session = ServiceNowSession(
            Remote(SYSTEM, InProcess(self.exchange), self.clock),
            Basic(CONNECTOR_USER, CONNECTOR_PASSWORD, self.clock),
            "https://example.service-now.com",
            self.clock,
            SeededRandomness(random.Random(1)),
        )
        self.reader = TrackingReader(session)

    def add(self, count: int, *, apart: float = 0, state: str = "draft") -> list[str]:
        """So many invoices, made so many seconds apart."""
        made = []
        for _ in range(count):
            made.append(self.instance.tables.insert(INVOICE, {"state": state}))
            self.clock.advance(apart)
        return made

    def hide(self, condition: str) -> None:
        """Rules show only the invoices that match."""
        self.instance.access.add(rule(INVOICE, ("read",), READER, condition=condition))

    def walk(self, limit: int, position: Position = START) -> tuple[list[str], int]:
        """Every record that is read from the position on, and how many pages it took."""
        seen: list[str] = []
        pages = 0
        then: Position | None = position
        while then is not None:
            page = self.reader.page(INVOICE, STATE, then, limit)
            pages += 1
            seen += [record.mark.id for record in page.records]
            then = following(then, [record.mark for record in page.records], more=page.more, limit=limit)
        return seen, pages

    def standings(self, sys_ids: Collection[str]) -> dict[str, Standing | None]:
        """Where records stand."""
        return self.reader.standings(INVOICE, STATE, sys_ids)


@pytest.mark.parametrize("apart", [0, 0.3, 1, 7])
@pytest.mark.parametrize("limit", [1, 3, 10, 100])
def test_every_record_is_read_once_however_many_share_a_second(apart: float, limit: int) -> None:
    office = Office()
    made = office.add(25, apart=apart)
    seen, _ = office.walk(limit)
    assert sorted(seen) == sorted(made)


def test_ten_thousand_records_of_one_second_take_a_call_for_each_thousand() -> None:
    office = Office()
    made = office.add(10_000)
    seen, pages = office.walk(1000)
    assert sorted(seen) == sorted(made)
    assert pages <= 12


def test_a_changed_record_moves_to_the_end_with_its_new_state_and_label() -> None:
    office = Office()
    first, second = office.add(2, apart=5)
    office.instance.tables.update(INVOICE, first, {"state": "pending_payment"})
    page = office.reader.page(INVOICE, STATE, START)
    assert [record.mark.id for record in page.records] == [second, first]
    assert page.records[1].standing == Standing("pending_payment", "Pending payment")
    assert page.at >= page.records[1].mark.at


@pytest.mark.parametrize("zone", ["US/Pacific", "Asia/Tokyo"])
def test_the_users_time_zone_does_not_matter(zone: str) -> None:
    office = Office()
    made = office.add(6, apart=3)
    (user,) = office.instance.tables.find("sys_user", {"user_name": CONNECTOR_USER})
    office.instance.tables.update("sys_user", user["sys_id"], {"time_zone": zone})
    assert office.walk(2)[0] == made


def test_records_that_rules_hide_do_not_end_the_reading() -> None:
    office = Office()
    office.add(7, apart=1, state="rejected")
    visible = office.add(1)
    office.clock.advance(1)
    office.add(5, apart=1, state="rejected")
    visible += office.add(1)
    office.hide("state!=rejected")
    seen, _ = office.walk(2)
    assert seen == visible
    page = office.reader.page(INVOICE, STATE, START, 9)
    assert (len(page.records), page.hidden, page.more) == (1, 8, True)


def test_hidden_records_at_the_end_are_met_again_when_they_can_be_seen() -> None:
    office = Office()
    (visible,) = office.add(1)
    office.clock.advance(1)
    hidden = office.add(3, apart=1, state="rejected")
    office.hide("state!=rejected")
    page = office.reader.page(INVOICE, STATE, START, 10)
    office.instance.access.rules.pop(0)
    seen, _ = office.walk(10, Position(page.records[-1].mark.at))
    assert seen == [visible, *hidden]


@pytest.mark.parametrize("effect", ["dropped", "refused"])
def test_a_user_who_may_not_query_by_the_stamp_is_refused_and_reads_nothing_wrong(effect: str) -> None:
    office = Office()
    office.add(3, apart=1)
    office.instance.access.add(rule(INVOICE, ("query_range",), NOBODY, column="sys_updated_on"))
    office.instance.switches.set("query_acl_effect", effect)
    with pytest.raises(Refused):
        office.reader.page(INVOICE, STATE, Position(office.clock.now()))


@pytest.mark.parametrize("column", ["state", "sys_updated_on"])
def test_a_column_that_is_hidden_is_a_refusal(column: str) -> None:
    office = Office()
    office.add(1)
    office.instance.access.add(rule(INVOICE, ("read",), NOBODY, column=column))
    with pytest.raises(Refused, match=column):
        office.reader.page(INVOICE, STATE, START)


def test_the_present_states_of_many_records_take_a_call_for_each_hundred() -> None:
    office = Office()
    made = office.add(205)
    office.instance.tables.update(INVOICE, made[3], {"state": "approved"})
    found = office.standings(made)
    assert found[made[3]] == Standing("approved", "Approved")
    assert {one for id_, one in found.items() if id_ != made[3]} == {Standing("draft", "Draft")}
    assert len(found) == 205
    assert office.exchange.counts["requests"] == 3


def test_a_record_that_is_not_there_has_no_standing() -> None:
    office = Office()
    kept, gone = office.add(2)
    office.instance.tables.delete(INVOICE, gone)
    assert office.standings([kept, gone]) == {kept: Standing("draft", "Draft"), gone: None}


def test_a_record_that_rules_hide_is_not_taken_for_deleted() -> None:
    office = Office()
    made = [*office.add(1), *office.add(1, state="approved")]
    office.hide("state!=approved")
    with pytest.raises(Refused, match="hidden"):
        office.standings(made)


def test_states_that_are_hidden_are_a_refusal() -> None:
    office = Office()
    made = office.add(1)
    office.instance.access.add(rule(INVOICE, ("read",), NOBODY, column="state"))
    with pytest.raises(Refused, match="state"):
        office.standings(made)


def test_a_user_who_may_not_query_by_id_gets_no_states_of_others() -> None:
    office = Office()
    made = office.add(3)
    office.instance.access.add(rule(INVOICE, ("query_match",), NOBODY, column="sys_id"))
    office.instance.switches.set("query_acl_effect", "dropped")
    with pytest.raises(Refused, match="not asked for"):
        office.standings([max(made)])


def test_what_a_user_sees_of_a_table_is_told() -> None:
    office = Office()
    assert office.reader.visible(INVOICE, STATE) == "empty"
    assert office.reader.visible("sn_shop_bill", STATE) == "no table"
    office.add(1)
    assert office.reader.visible(INVOICE, STATE) == "open"
    assert office.reader.visible(INVOICE, "stage") == "no column"
    office.instance.access.add(rule(INVOICE, ("read",), NOBODY))
    assert office.reader.visible(INVOICE, STATE) == "closed"

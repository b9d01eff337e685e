"""The cost centre reader on a simulated instance: every cost centre or a refusal; what changed, in the order of changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

import httpx
import pytest

from connector.decisions.tracking import OVERLAP
from connector.errors import Refused
from connector.model.alignment import CostCentre
from connector.model.profile import CostCentres
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.servicenow.authorisation import Basic
from connector.servicenow.cost_centre_reader import CostCentreReader
from connector.servicenow.session import SYSTEM, ServiceNowSession
from tests.sandbox.clock import VirtualClock
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.shipped import CONNECTOR_PASSWORD, CONNECTOR_USER
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.wire import Exchange, InProcess

TABLE = "cmn_cost_center"
NOBODY, SOME = ("no_such_role",), ("snc_internal",)
PLAIN = CostCentres(table=TABLE, code="account_number")
RULES = CostCentres(
    table=TABLE, code="account_number", valid_from="valid_from", valid_to="valid_to", available="available_for_use"
)


class Office:
    """A simulated instance without cost centres, and a reader."""

    def __init__(self, *, rules: CostCentres = RULES, page: int = 1000) -> None:
        self.clock = VirtualClock()
        self.instance = ServiceNow(now=self.clock.now)
        self.exchange = Exchange(self.instance.handle, sleep=self.clock.sleep)
        session = ServiceNowSession(
            Remote(SYSTEM, InProcess(self.exchange), self.clock),
            Basic(CONNECTOR_USER, CONNECTOR_PASSWORD, self.clock),
            "https://example.service-now.com",
            self.clock,
            SeededRandomness(random.Random(1)),
        )
        self.reader = CostCentreReader(session, rules, page=page)

    def add(self, count: int, *, apart: float = 0, **values: str) -> list[str]:
        """So many cost centres, made so many seconds apart."""
        made = []
        for number in range(count):
            row = {"code": f"C{number}", "account_number": f"{number}-C", "name": f"Centre {number}", **values}
            made.append(self.instance.tables.insert(TABLE, row))
            self.clock.advance(apart)
        return made

    def hide(self, *, column: str = "", condition: str = "", roles: tuple[str, ...] = SOME) -> None:
        """Lets an access rule hide a column, or the rows that do not meet the condition."""
        self.instance.access.add(rule(TABLE, ("read",), roles, column=column, condition=condition))

    def alter(self, change: Callable[[httpx.Request, httpx.Response], httpx.Response]) -> None:
        """From now on answers come changed."""
        self.exchange.handler = lambda request: change(request, self.instance.handle(request))

    @property
    def calls(self) -> int:
        """Requests so far."""
        return self.exchange.counts["requests"]


def ids(found: list[CostCentre] | tuple[CostCentre, ...]) -> list[str]:
    """Their sys_ids."""
    return [one.sys_id for one in found]


# -- all of them


@pytest.mark.parametrize(("count", "page"), [(0, 3), (1, 3), (3, 3), (10, 3), (12, 3), (12, 1)])
def test_every_cost_centre_is_read_once_in_order_of_its_id(count: int, page: int) -> None:
    office = Office(page=page)
    made = office.add(count)
    assert ids(office.reader.all()) == sorted(made)


def test_five_thousand_take_a_call_for_each_thousand() -> None:
    office = Office()
    office.add(5000)
    assert len(office.reader.all()) == 5000
    assert office.calls <= 6


def test_everything_the_alignment_asks_for_is_told() -> None:
    office = Office()
    (parent,) = office.add(1, name="Company")
    office.clock.advance(3)
    sales = {"name": "Sales", "parent": parent, "available_for_use": "false"}
    (child,) = office.add(1, **sales, valid_from="2020-01-01 00:00:00", valid_to="2026-12-31 23:59:59")
    found = {one.sys_id: one for one in office.reader.all()}
    assert found[child] == CostCentre(
        sys_id=child,
        code="C0",
        account_number="0-C",
        name="Sales",
        parent=parent,
        valid_from=date(2020, 1, 1),
        valid_to=date(2026, 12, 31),
        available=False,
        updated=office.clock.now().replace(microsecond=0),
    )
    assert (found[parent].parent, found[parent].valid_to, found[parent].available) == ("", None, None)


def test_a_parent_that_comes_as_a_reference_with_its_link_is_the_same() -> None:
    office = Office()
    (parent,) = office.add(1)
    (child,) = office.add(1, parent=parent)

    def linked(request: httpx.Request, _: httpx.Response) -> httpx.Response:
        url = request.url.copy_set_param("sysparm_exclude_reference_link", "false")
        return office.instance.handle(httpx.Request("GET", url, headers=request.headers))

    office.alter(linked)
    assert {one.sys_id: one.parent for one in office.reader.all()} == {parent: "", child: parent}


@pytest.mark.parametrize("zone", ["US/Pacific", "Asia/Tokyo"])
def test_the_users_time_zone_does_not_matter(zone: str) -> None:
    office = Office()
    office.add(1, valid_to="2026-12-31 23:59:59")
    (user,) = office.instance.tables.find("sys_user", {"user_name": CONNECTOR_USER})
    office.instance.tables.update("sys_user", user["sys_id"], {"time_zone": zone})
    assert office.reader.all()[0].valid_to == date(2026, 12, 31)


# -- what is hidden is not gone


@pytest.mark.parametrize("page", [3, 1000])
@pytest.mark.parametrize("where", [0, 4, 9])
def test_a_single_hidden_row_refuses_the_whole_list_and_names_the_table(page: int, where: int) -> None:
    office = Office(page=page)
    made = sorted(office.add(10))
    office.instance.tables.update(TABLE, made[where], {"code": "SECRET"})
    office.hide(condition="code!=SECRET")
    for read in (office.reader.all, lambda: office.reader.changed(None)):
        with pytest.raises(Refused, match=f"{TABLE}: 1 of them are hidden"):
            read()


def test_a_user_who_may_see_no_row_is_not_told_that_there_is_none() -> None:
    office = Office()
    office.add(3)
    office.hide(roles=NOBODY)
    with pytest.raises(Refused, match=TABLE):
        office.reader.all()


def test_an_answer_that_does_not_count_is_not_believed() -> None:
    office = Office()
    office.add(3)

    def uncounted(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
        del answer.headers["X-Total-Count"]
        return answer

    office.alter(uncounted)
    with pytest.raises(Refused, match="X-Total-Count"):
        office.reader.all()


@pytest.mark.parametrize("column", ["sys_id", "code", "account_number", "name", "parent", "valid_to", "sys_updated_on"])
def test_a_hidden_column_is_a_refusal_and_not_an_empty_value(column: str) -> None:
    office = Office()
    office.add(2)
    office.hide(column=column, roles=NOBODY)
    with pytest.raises(Refused, match=f"{TABLE}: the column {column} cannot be read"):
        office.reader.all()


def test_availability_that_cannot_be_read_is_unknown_as_without_the_finance_applications() -> None:
    office = Office()
    office.add(1, available_for_use="true")
    assert office.reader.all()[0].available is True
    office.hide(column="available_for_use", roles=NOBODY)
    assert office.reader.all()[0].available is None


def test_validity_that_the_profile_does_not_name_is_not_asked_for() -> None:
    office = Office(rules=PLAIN)
    office.add(1, valid_to="2026-12-31 23:59:59", available_for_use="false")
    office.hide(column="valid_to", roles=NOBODY)
    (found,) = office.reader.all()
    assert (found.valid_from, found.valid_to, found.available) == (None, None, None)


@pytest.mark.parametrize("effect", ["dropped", "refused", "empty"])
@pytest.mark.parametrize("column", ["sys_id", "sys_updated_on"])
def test_a_user_who_may_not_query_in_this_order_gets_no_part_for_the_whole(effect: str, column: str) -> None:
    office = Office(page=3)
    made = office.add(8, apart=1)
    office.instance.access.add(rule(TABLE, ("query_range",), NOBODY, column=column))
    office.instance.switches.set("query_acl_effect", effect)
    since = office.clock.now() - OVERLAP / 2
    for read in (
        office.reader.all,
        lambda: list(office.reader.changed(None).cost_centres),
        lambda: list(office.reader.changed(since).cost_centres),
    ):
        try:
            found = read()
        except Refused:
            continue
        assert sorted(ids(found)) == sorted(made)


@pytest.mark.parametrize("column", ["sys_id", "sys_updated_on"])
def test_a_condition_that_is_dropped_is_noticed_with_the_next_page(column: str) -> None:
    office = Office(page=3)
    office.add(8, apart=1)
    office.instance.access.add(rule(TABLE, ("query_range",), NOBODY, column=column))
    office.instance.switches.set("query_acl_effect", "dropped")
    with pytest.raises(Refused, match=f"{TABLE}: the answer is not what was asked for.*{column}"):
        office.reader.all() if column == "sys_id" else office.reader.changed(office.clock.now())
    assert office.calls <= 2


def test_rows_that_stop_coming_half_way_are_missed() -> None:
    office = Office(page=3)
    made = sorted(office.add(8))

    def ended(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if made[2] not in str(request.url):
            return answer
        return httpx.Response(200, json={"result": []}, headers={"X-Total-Count": "0"})

    office.alter(ended)
    with pytest.raises(Refused, match=f"{TABLE}: 5 of them did not come"):
        office.reader.all()


def test_one_that_is_created_while_the_list_is_read_does_no_harm() -> None:
    office = Office(page=3)
    made = office.add(8)

    def busy(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if len(made) < 10:
            made.extend(office.add(1))
        return answer

    office.alter(busy)
    found = ids(office.reader.all())
    assert found == sorted(set(found))
    assert set(made[:8]) <= set(found) <= set(made)


@pytest.mark.parametrize("text", ["soon", "2026-13-01 00:00:00"])
def test_a_validity_that_is_no_date_is_refused(text: str) -> None:
    office = Office()
    (made,) = office.add(1)

    def strange(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
        row = answer.json()["result"][0] | {"valid_to": text}
        return httpx.Response(200, json={"result": [row]}, headers={"X-Total-Count": "1"})

    office.alter(strange)
    with pytest.raises(Refused, match=f"{TABLE}: valid_to holds something that is no date"):
        office.reader.all()


# -- what changed


@pytest.mark.parametrize("apart", [0, 0.3, 1, 7])
@pytest.mark.parametrize("page", [1, 3, 100])
def test_every_change_is_read_once_however_many_share_a_second(apart: float, page: int) -> None:
    office = Office(page=page)
    made = office.add(12, apart=apart)
    changed = office.reader.changed(None)
    assert sorted(ids(changed.cost_centres)) == sorted(made)
    assert [one.updated for one in changed.cost_centres] == sorted(
        one.updated for one in changed.cost_centres if one.updated
    )


def test_what_changed_comes_with_the_next_asking_and_what_did_not_stays_out() -> None:
    office = Office()
    old, other = office.add(2)
    office.clock.advance(OVERLAP.total_seconds() + 60)
    office.instance.tables.update(TABLE, other, {"name": "New"})
    first = office.reader.changed(None)
    assert ids(first.cost_centres) == [old, other]
    again = office.reader.changed(first.since)
    assert [(one.sys_id, one.name) for one in again.cost_centres] == [(other, "New")]
    office.clock.advance(2 * OVERLAP.total_seconds())
    office.instance.tables.update(TABLE, old, {"name": "Newer"})
    last = office.reader.changed(again.since)
    assert [(one.sys_id, one.name) for one in last.cost_centres] == [(other, "New"), (old, "Newer")]
    assert ids(office.reader.changed(last.since).cost_centres) == [old]


def test_a_change_that_appears_later_than_its_stamp_is_not_passed() -> None:
    office = Office()
    (slow,) = office.add(1)
    office.clock.advance(120)
    office.add(1)
    since = office.reader.changed(None).since
    assert since is not None
    assert slow in ids(office.reader.changed(since + timedelta(seconds=1)).cost_centres)


def test_when_the_last_change_was_deleted_everything_is_read_anew() -> None:
    office = Office()
    old, other = office.add(2, apart=2 * OVERLAP.total_seconds())
    changed = office.reader.changed(None)
    assert ids(office.reader.changed(changed.since).cost_centres) == [other]
    office.instance.tables.delete(TABLE, other)
    again = office.reader.changed(changed.since)
    assert ids(again.cost_centres) == [old]
    assert ids(office.reader.changed(again.since).cost_centres) == [old]


def test_nothing_at_all_leaves_the_place_as_it_was() -> None:
    assert Office().reader.changed(None).since is None


def test_one_that_changes_while_it_is_read_is_there_once_as_it_is_now() -> None:
    office = Office(page=2)
    made = office.add(5, apart=1)
    busy = True

    def change(_: httpx.Request, answer: httpx.Response) -> httpx.Response:
        nonlocal busy
        if busy:
            busy = False
            office.instance.tables.update(TABLE, made[0], {"name": "New"})
        return answer

    office.alter(change)
    found = office.reader.changed(None).cost_centres
    assert ids(found) == [*made[1:], made[0]]
    assert found[-1].name == "New"

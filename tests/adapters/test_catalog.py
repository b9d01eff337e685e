"""The catalog reads a simulated instance: what is there, what is not, and what the user may not know."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from connector.errors import Refused, Throttled
from connector.model.catalog import Facts, RateRule
from connector.model.profile import Profile
from connector.named_files import load_profile
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.servicenow.authorisation import Basic
from connector.servicenow.catalog import CatalogReader
from connector.servicenow.session import SYSTEM, ServiceNowSession
from tests.sandbox.clock import VirtualClock
from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.shipped import ADMIN_PASSWORD, ADMIN_USER, CONNECTOR_PASSWORD, CONNECTOR_USER
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.wire import Exchange, Fault, InProcess

ORDER, ORDER_LINE = "sn_fcms_intg_imp_order", "sn_fcms_intg_imp_order_line"
STAGING = (ORDER, ORDER_LINE, "sn_spend_intg_imp_invoice", "sn_spend_intg_imp_invoice_line")
PROFILE = load_profile("source_to_pay")
HIDDEN = ("no_such_role",)
JSON = {"Content-Type": "application/json"}


class Office:
    """A simulated instance, and a catalog that reads it."""

    def __init__(
        self,
        *,
        user: str = CONNECTOR_USER,
        password: str = CONNECTOR_PASSWORD,
        licensed: bool = True,
        profile: Profile = PROFILE,
    ) -> None:
        self.clock = VirtualClock()
        seed = sample.SEED if licensed else {}
        self.instance = ServiceNow(now=self.clock.now, seed=seed, licensed=licensed)
        self.exchange = Exchange(self.instance.handle, sleep=self.clock.sleep)
        remote = Remote(SYSTEM, InProcess(self.exchange), self.clock)
        chance = SeededRandomness(random.Random(1))
        proof = Basic(user, password, self.clock)
        session = ServiceNowSession(remote, proof, "https://example.service-now.com", self.clock, chance)
        self.catalog = CatalogReader(session, profile, self.clock)

    @property
    def requests(self) -> int:
        """How many requests reached the instance."""
        return self.exchange.counts["requests"]

    def hide(self, table: str) -> None:
        """Lets access rules hide every row of a table from ordinary users."""
        self.instance.access.add(rule(table, ("read",), HIDDEN))

    def define(self, table: str, **columns: Any) -> None:
        """Changes columns of a table; None takes one away."""
        definition = self.instance.tables.schema.table(table)
        kept = tuple(
            replace(column, **columns.get(column.name, {}))
            for column in definition.columns
            if columns.get(column.name, {}) is not None
        )
        self.instance.tables.define(replace(definition, columns=kept))


def test_an_ordinary_user_learns_everything_in_ten_calls() -> None:
    office = Office()
    facts = office.catalog.facts()
    print(f"catalog of the shipped profile: {facts.calls} calls")
    assert facts.calls == office.requests == 10
    assert set(office.exchange.counts) <= {"requests", "GET"}
    assert facts.unread == ()
    for name in STAGING:
        table = facts.table(name)
        assert (table.exists, table.parents, table.web) == (True, ("sys_import_set_row",), True)
        assert len(table.active_maps) == 1
    assert facts.table(ORDER).active_maps[0].key == ("u_erp_po_number", "u_erp_source")
    assert facts.table(ORDER_LINE).active_maps[0].scripted
    columns = {column.name: column for column in facts.table(ORDER).columns or ()}
    assert (columns["u_erp_po_number"].label, columns["u_erp_po_number"].length) == ("ERP PO number", 40)
    assert columns["u_erp_po_number"].mandatory is True
    assert columns["u_po_status"].mandatory is False
    assert columns["sys_import_state"].choices == ("error", "ignored", "inserted", "pending", "skipped", "updated")
    assert facts.table("sn_fin_supplier").access == "open"


def test_inherited_roles_are_among_the_users_roles() -> None:
    roles = Office().catalog.facts().roles
    assert roles is not None
    assert {"sn_shop.procurement_common_reader", "sn_fin.procurement_user"} <= roles


HIDDEN_TABLES: dict[str, Callable[[Facts], bool]] = {
    "sys_dictionary": lambda facts: facts.table(ORDER).columns is None and facts.table(ORDER).exists is True,
    "sys_transform_map": lambda facts: facts.table(ORDER).maps is None,
    "sys_transform_entry": lambda facts: [one.key for one in facts.table(ORDER).maps or ()] == [None],
    "sys_user_has_role": lambda facts: facts.roles is None,
    "sys_user_role": lambda facts: facts.roles is None,
    "sys_rate_limit_rules": lambda facts: facts.rates is None,
    "sys_db_object": lambda facts: facts.table(ORDER).exists is True and facts.table(ORDER).parents is None,
    "sn_fin_supplier": lambda facts: facts.table("sn_fin_supplier").access == "closed",
}


@pytest.mark.parametrize("table", HIDDEN_TABLES)
def test_what_rules_hide_is_unknown_and_never_absent(table: str) -> None:
    office = Office()
    office.hide(table)
    facts = office.catalog.facts()
    assert HIDDEN_TABLES[table](facts)
    assert all(one.exists is not False for one in facts.tables.values())
    assert all(one.maps != () for name, one in facts.tables.items() if name in STAGING)


@pytest.mark.parametrize("table", ["sys_db_object", "sys_dictionary", "sys_transform_map", "sys_user_has_role"])
def test_a_table_that_is_refused_with_403_is_unknown_as_well(table: str) -> None:
    office = Office()
    refusal = '{"error":{"message":"Operation Failed","detail":"ACL"},"status":"failure"}'
    office.exchange.faults.append(
        Fault("answer", path=f"/{table}", status=403, headers=JSON, answer=refusal, times=None)
    )
    facts = office.catalog.facts()
    assert any(line.startswith(f"{table}: ") for line in facts.unread)
    assert all(one.exists is not False for one in facts.tables.values())
    assert all(one.maps != () for name, one in facts.tables.items() if name in STAGING)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("sys_dictionary", "element"),
        ("sys_transform_entry", "coalesce"),
        ("sys_user_has_role", "role"),
        ("sys_rate_limit_rules", "request_limit"),
    ],
)
def test_a_column_that_may_not_be_read_leaves_its_fact_unknown(table: str, column: str) -> None:
    office = Office()
    office.instance.access.add(rule(table, ("read",), HIDDEN, column=column))
    facts = office.catalog.facts()
    unknown = {
        "sys_dictionary": facts.table(ORDER).columns is None,
        "sys_transform_entry": [one.key for one in facts.table(ORDER).maps or ()] == [None],
        "sys_user_has_role": facts.roles is None,
        "sys_rate_limit_rules": facts.rates is None,
    }
    assert unknown[table]


def test_a_length_that_may_not_be_read_is_unknown_and_its_column_is_not() -> None:
    office = Office()
    office.instance.access.add(rule("sys_dictionary", ("read",), HIDDEN, column="max_length"))
    columns = office.catalog.facts().table(ORDER).columns
    assert columns
    assert {column.length for column in columns} == {None}


def test_rows_nobody_asked_for_are_not_believed() -> None:
    office = Office()
    # The instance does not understand a condition and drops it: every row of the table comes.
    whole = httpx.Response(200, json={"result": [{"sys_id": "1", "name": "incident", "element": "number"}]})
    office.exchange.faults.append(
        Fault("answer", status=200, path="/sys_dictionary", headers=JSON | {"X-Total-Count": "1"}, answer=whole.text)
    )
    facts = office.catalog.facts()
    assert facts.table(ORDER).columns is None
    assert "sys_dictionary: the answer holds rows nobody asked for" in facts.unread


def test_roles_of_several_users_are_nobodys() -> None:
    office = Office()
    rows = [
        {"sys_id": "1", "user": "a", "role.name": "admin", "state": "active"},
        {"sys_id": "2", "user": "b", "role.name": "import_transformer", "state": "active"},
    ]
    answer = httpx.Response(200, json={"result": rows}).text
    office.exchange.faults.append(
        Fault("answer", status=200, path="/sys_user_has_role", headers=JSON | {"X-Total-Count": "2"}, answer=answer)
    )
    assert office.catalog.facts().roles is None


def test_a_list_longer_than_a_page_is_read_to_its_end() -> None:
    office = Office()
    for number in range(1500):
        office.instance.tables.insert(
            "sys_choice", {"name": ORDER, "element": "u_order_type", "value": f"v{number}", "label": "x"}
        )
    columns = {column.name: column for column in office.catalog.facts().table(ORDER).columns or ()}
    assert len(columns["u_order_type"].choices or ()) == 1500
    assert office.requests == 11


def test_an_instance_without_the_applications_lacks_the_tables_and_says_so() -> None:
    office = Office(licensed=False)
    facts = office.catalog.facts()
    assert {facts.table(name).exists for name in STAGING} == {False}
    assert not facts.apps


def test_a_table_that_is_gone_is_told_from_one_that_is_hidden() -> None:
    office = Office()
    office.instance.tables.remove(ORDER)
    office.hide("sys_db_object")
    facts = office.catalog.facts()
    assert (facts.table(ORDER).exists, facts.table(ORDER_LINE).exists) == (False, True)
    assert "sn_fcms_intg" in (facts.apps or ())


def test_a_staging_table_behind_another_is_still_an_import_set() -> None:
    office = Office()
    tables = office.instance.tables
    tables.define(
        replace(tables.schema.table("sys_import_set_row"), name="u_base_row", columns=(), extends="sys_import_set_row")
    )
    tables.define(replace(tables.schema.table(ORDER), extends="u_base_row"))
    facts = office.catalog.facts()
    assert facts.table(ORDER).parents == ("u_base_row", "sys_import_set_row")
    assert "sys_import_state" in {column.name for column in facts.table(ORDER).columns or ()}


def test_a_table_barred_to_web_services_is_known_to_be() -> None:
    office = Office()
    (row,) = office.instance.tables.find("sys_db_object", {"name": ORDER})
    office.instance.tables.update("sys_db_object", row["sys_id"], {"ws_access": "false"})
    assert office.catalog.facts().table(ORDER).web is False


def test_only_rate_rules_that_bind_the_user_count() -> None:
    office = Office()
    tables = office.instance.tables
    (own,) = tables.find("sys_user", {"user_name": CONNECTOR_USER})
    (other,) = tables.find("sys_user", {"user_name": ADMIN_USER})
    for limit, more in (
        ("40", {"type": "user", "user": own["sys_id"]}),
        ("41", {"type": "user", "user": other["sys_id"]}),
        ("42", {"type": "role", "role": "import_transformer"}),
        ("43", {"type": "role", "role": "user_admin"}),
    ):
        tables.insert("sys_rate_limit_rules", {"name": limit, "rest_api": "Table API", "request_limit": limit, **more})
    rules = office.catalog.facts().rates or ()
    assert [rule for rule in rules if rule.api == "Table API"] == [
        RateRule(api="Table API", limit=40),
        RateRule(api="Table API", limit=42),
    ]


def test_the_catalog_is_kept_for_a_quarter_of_an_hour() -> None:
    office = Office()
    first = office.catalog.facts()
    office.clock.advance(899)
    assert office.catalog.facts() is first
    office.clock.advance(2)
    assert office.catalog.facts() is not first
    assert office.requests == 20


def test_a_doubted_catalog_is_read_anew_but_no_more_than_once_a_minute() -> None:
    office = Office()
    office.catalog.facts()
    office.clock.advance(61)
    office.catalog.doubt()
    for _ in range(50):
        office.catalog.facts()
        office.catalog.doubt()
    assert office.requests == 20


def test_a_tight_rate_rule_makes_the_catalog_last_longer() -> None:
    office = Office()
    rate = {"name": "tight", "rest_api": "Table API", "type": "all", "request_limit": "50"}
    office.instance.tables.insert("sys_rate_limit_rules", rate)
    for _ in range(8):
        office.catalog.facts(0.0)
        office.clock.advance(900)
    # Two hours: at most a tenth of the hour's calls go into it.
    assert office.requests == 10


def test_a_throttled_reading_says_so_once_and_is_not_repeated_at_once() -> None:
    office = Office()
    office.exchange.faults.append(
        Fault("answer", skip=3, status=429, headers=JSON | {"Retry-After": "30"}, answer="{}", times=None)
    )
    with pytest.raises(Throttled):
        office.catalog.facts()
    asked = office.requests
    facts = office.catalog.facts()
    assert office.requests == asked == 4
    assert facts.table(ORDER).columns is not None
    assert facts.roles is None


def test_an_instance_that_is_down_is_asked_for_one_table_only() -> None:
    office = Office()
    office.exchange.faults.append(Fault("answer", status=503, headers={"Content-Type": "text/html"}, times=None))
    facts = office.catalog.facts()
    assert office.requests <= 3
    assert {table.exists for table in facts.tables.values()} == {None}


def test_a_refused_user_is_refused_and_no_further_table_is_tried() -> None:
    office = Office(password="wrong")
    with pytest.raises(Refused):
        office.catalog.facts()
    assert office.requests == 1


def test_asynchronous_import_sets_are_seen() -> None:
    office = Office()
    office.instance.tables.insert("sys_import_set", {"table_name": ORDER, "mode": "asynchronous", "state": "loading"})
    facts = office.catalog.facts()
    assert facts.table(ORDER).synchronous is False
    assert facts.table(ORDER_LINE).synchronous is None


def test_the_import_sets_of_many_rows_at_once_are_no_fault() -> None:
    office = Office()
    many = office.instance.tables.insert("sys_multi_import_set", {})
    row = {"table_name": ORDER, "mode": "asynchronous", "state": "loading", "multi_import_set": many}
    office.instance.tables.insert("sys_import_set", row)
    assert office.catalog.facts().table(ORDER).synchronous is None


def test_the_business_rule_that_transforms_at_once_is_seen_to_be_off() -> None:
    office = Office()
    row = {"name": "Transform synchronously", "collection": "sys_import_set_row", "active": "false"}
    office.instance.tables.insert("sys_script", row)
    assert {office.catalog.facts().table(name).synchronous for name in STAGING} == {False}


def test_an_administrator_sees_what_users_may_not() -> None:
    office = Office(user=ADMIN_USER, password=ADMIN_PASSWORD)
    for table in ("sys_dictionary", "sys_transform_map", "sys_transform_entry"):
        office.hide(table)
    facts = office.catalog.facts()
    assert all(facts.table(name).columns and facts.table(name).maps for name in STAGING)


def test_insert_multiple_is_looked_up_only_where_a_route_uses_it() -> None:
    routes = {name: route.model_copy(update={"door": "insert_multiple"}) for name, route in PROFILE.routes.items()}
    office = Office(profile=PROFILE.model_copy(update={"routes": routes}))
    office.instance.tables.insert("sys_rest_insert_multiple", {"source_table": ORDER, "column_mapping": "column_name"})
    assert office.catalog.facts().insert_multiple == {ORDER: True}
    assert Office().catalog.facts().insert_multiple is None


def test_import_sets_of_which_more_came_than_was_asked_for_prove_nothing() -> None:
    office = Office()
    row = {"sys_id": "1", "table_name": ORDER, "state": "loading", "mode": "asynchronous", "multi_import_set": "9"}
    for shown in (row, {name: value for name, value in row.items() if name != "multi_import_set"}):
        answer = httpx.Response(200, json={"result": [shown]}).text
        headers = JSON | {"X-Total-Count": "1"}
        office.exchange.faults.append(
            Fault("answer", status=200, path="/sys_import_set", headers=headers, answer=answer)
        )
        office.clock.advance(901)
        assert office.catalog.facts().table(ORDER).synchronous is None

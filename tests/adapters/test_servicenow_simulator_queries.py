"""The encoded query language of the ServiceNow stand-in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER, ServiceNow
from tests.sandbox.wire import Exchange, InProcess

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
TERMS = [
    {"name": "Net 30", "net_days": "30"},
    {"name": "Net 060", "net_days": "60"},
    {"name": "net 9", "net_days": "9"},
    {"name": "Due upon receipt", "net_days": "0"},
    {"name": "Prepaid", "net_days": ""},
]
CENTERS = [
    {"name": "Company", "code": "ALL", "account_number": "CC-0"},
    {"name": "Sales", "code": "SALES", "account_number": "CC-10", "parent": "Company", "valid_from": "2020-01-01"},
    {"name": "Sales EU", "code": "sales-eu", "account_number": "CC-11", "parent": "Sales", "valid_from": "2026-05-04"},
    {"name": "Production", "code": "", "account_number": "CC-20", "parent": "Company", "valid_from": "2021-06-15"},
]
SIMULATOR = ServiceNow(now=lambda: NOW, seed={"sn_shop_payment_term": TERMS, "cmn_cost_center": CENTERS})


def client(simulator: ServiceNow) -> httpx.Client:
    return httpx.Client(
        transport=InProcess(Exchange(simulator.handle)),
        base_url="https://example.service-now.com",
        auth=(CONNECTOR_USER, CONNECTOR_PASSWORD),
    )


def names(table: str, query: str, simulator: ServiceNow = SIMULATOR) -> list[str]:
    answer = client(simulator).get(f"/api/now/table/{table}", params={"sysparm_query": query, "sysparm_fields": "name"})
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["result"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Net 30", "Net 060", "net 9", "Due upon receipt", "Prepaid"]),
        ("name=net 30", ["Net 30"]),
        ("name!=net 30", ["Net 060", "net 9", "Due upon receipt", "Prepaid"]),
        ("net_days=60.0", ["Net 060"]),
        ("net_days!=60", ["Net 30", "net 9", "Due upon receipt", "Prepaid"]),
        ("net_days<30", ["net 9", "Due upon receipt"]),
        ("net_days<=30", ["Net 30", "net 9", "Due upon receipt"]),
        ("net_days>9", ["Net 30", "Net 060"]),
        ("net_days>=9", ["Net 30", "Net 060", "net 9"]),
        ("net_daysBETWEEN9@30", ["Net 30", "net 9"]),
        ("net_daysIN9,60", ["Net 060", "net 9"]),
        ("net_daysNOT IN9,60", ["Net 30", "Due upon receipt", "Prepaid"]),
        ("net_daysISEMPTY", ["Prepaid"]),
        ("net_daysISNOTEMPTY", ["Net 30", "Net 060", "net 9", "Due upon receipt"]),
        ("net_days=", ["Prepaid"]),
        ("net_days!=", ["Net 30", "Net 060", "net 9", "Due upon receipt"]),
        ("nameLIKEET", ["Net 30", "Net 060", "net 9"]),
        ("nameCONTAINSET", ["Net 30", "Net 060", "net 9"]),
        ("nameNOT LIKEet", ["Due upon receipt", "Prepaid"]),
        ("nameSTARTSWITHnet", ["Net 30", "Net 060", "net 9"]),
        ("nameENDSWITH0", ["Net 30", "Net 060"]),
        ("nameANYTHING", ["Net 30", "Net 060", "net 9", "Due upon receipt", "Prepaid"]),
        ("nameLIKEnet^net_days>9", ["Net 30", "Net 060"]),
        ("net_days=9^ORnet_days=30^nameLIKE3", ["Net 30"]),
        ("nameLIKE3^net_days=9^ORnet_days=30", ["Net 30"]),
        ("nameLIKE9^net_days=9^NQnameLIKEpre^net_daysISEMPTY", ["net 9", "Prepaid"]),
        ("net_days=9^NQnet_days=30^ORnet_days=0^EQ", ["Net 30", "net 9", "Due upon receipt"]),
        ("ORDERBYname", ["Due upon receipt", "Net 060", "Net 30", "net 9", "Prepaid"]),
        ("ORDERBYDESCnet_days", ["Net 060", "Net 30", "net 9", "Due upon receipt", "Prepaid"]),
        ("ORDERBYnet_days^nameLIKEnet", ["net 9", "Net 30", "Net 060"]),
        ("nameSAMEASname^net_days=9", ["net 9"]),
    ],
)
def test_conditions_select_and_order_rows(query: str, expected: list[str]) -> None:
    assert names("sn_shop_payment_term", query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("parent.name=Company", ["Sales", "Production"]),
        ("parent.parent.code=all", ["Sales EU"]),
        ("parent.nameISEMPTY", ["Company"]),
        ("parent.nameLIKEsale^ORparentISEMPTY", ["Company", "Sales EU"]),
        ("parentLIKEcomp", ["Sales", "Production"]),
        ("parentSTARTSWITHsal", ["Sales EU"]),
        ("parent=Company", []),
        ("valid_from>2020-12-31 00:00:00", ["Sales EU", "Production"]),
        ("valid_fromBETWEEN2020-01-01 00:00:00@2021-12-31 00:00:00", ["Sales", "Production"]),
        ("valid_from>=javascript:gs.beginningOfToday()", ["Sales EU"]),
        ("valid_from>=javascript:gs.dateGenerate('2021-06-15','00:00:00')", ["Sales EU", "Production"]),
        ("valid_from<javascript:gs.daysAgo(1000)", ["Sales", "Production"]),
        ("codeINsales,SALES-EU", ["Sales", "Sales EU"]),
        ("ORDERBYparent^ORDERBYDESCname", ["Company", "Sales", "Production", "Sales EU"]),
        ("ORDERBYDESCparent.code^ORDERBYname", ["Sales EU", "Production", "Sales", "Company"]),
    ],
)
def test_conditions_walk_references_and_compare_dates(query: str, expected: list[str]) -> None:
    assert names("cmn_cost_center", query) == expected


def test_expressions_stand_for_the_caller() -> None:
    assert names("sys_user", "user_name=javascript:gs.getUserName()") == ["Connector"]
    assert names("sys_user", "sys_id=javascript:gs.getUserID()") == ["Connector"]


@pytest.mark.parametrize(
    "query",
    ["nane=Net 30", "Name=Net 30", "parent.name=x", "nonsense", "nane=1^ORwhatever=2", "ORDERBYnane", "name.x=1"],
)
def test_a_clause_that_makes_no_sense_is_dropped_and_the_whole_table_comes_back(query: str) -> None:
    assert len(names("sn_shop_payment_term", query)) == 5


def test_the_valid_rest_of_a_query_still_runs() -> None:
    assert names("sn_shop_payment_term", "nane=x^net_days=9") == ["net 9"]
    assert names("sn_shop_payment_term", "nane=x^ORnet_days=9") == ["net 9"]
    # A value with a caret cannot be expressed: what follows the caret is a clause of its own, here without sense.
    assert names("sn_shop_payment_term", "name=Net 30^x") == ["Net 30"]


@pytest.mark.parametrize("query", ["nane=x", "net_days=9^nane=x", "net_days=9^NQnane=x", "ORDERBYnane"])
def test_a_property_turns_a_senseless_clause_into_no_rows(query: str) -> None:
    simulator = ServiceNow(now=lambda: NOW, seed={"sn_shop_payment_term": TERMS})
    simulator.properties.set("glide.invalid_query.returns_no_rows", "true")
    assert names("sn_shop_payment_term", query, simulator) == []
    assert names("sn_shop_payment_term", "net_days=9", simulator) == ["net 9"]


def test_string_conditions_can_be_made_case_sensitive() -> None:
    simulator = ServiceNow(now=lambda: NOW, seed={"sn_shop_payment_term": TERMS})
    simulator.switches.case_sensitive_queries = True
    assert names("sn_shop_payment_term", "name=net 30", simulator) == []
    assert names("sn_shop_payment_term", "nameSTARTSWITHnet", simulator) == ["net 9"]


@pytest.mark.parametrize(
    "query",
    ["name=javascript:new Evil()", "name=javascript:gs.getUserID() + 'x'", "name=javascript:gs.log(evil)"],
)
def test_a_script_that_a_real_instance_may_evaluate_is_refused_aloud(query: str) -> None:
    answer = client(SIMULATOR).get("/api/now/table/sn_shop_payment_term", params={"sysparm_query": query})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Not simulated")


def test_name_value_pairs_stand_in_for_a_query() -> None:
    web = client(SIMULATOR)
    path = "/api/now/table/cmn_cost_center?sysparm_fields=name"
    assert web.get(f"{path}&code=sales&account_number=CC-10").json()["result"] == [{"name": "Sales"}]
    assert web.get(f"{path}&parent=sales").json()["result"] == [{"name": "Sales EU"}]
    assert len(web.get(f"{path}&unknown=1").json()["result"]) == 4
    # With a query the pairs do not count.
    assert web.get(f"{path}&code=sales&sysparm_query=code=ALL").json()["result"] == [{"name": "Company"}]


texts = st.sampled_from(["", "a", "A", "b", "ab", "Ba", "c 1"])
OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda held, value: held == value,
    "!=": lambda held, value: held != value,
    "LIKE": lambda held, value: value in held,
    "NOT LIKE": lambda held, value: value not in held,
    "STARTSWITH": lambda held, value: held.startswith(value),
    "ENDSWITH": lambda held, value: held.endswith(value),
    ">": lambda held, value: bool(held) and bool(value) and held > value,
    "<=": lambda held, value: bool(held) and bool(value) and held <= value,
}
conditions = st.tuples(st.sampled_from(["name", "code"]), st.sampled_from(sorted(OPERATIONS)), texts)
disjunctions = st.lists(conditions, min_size=1, max_size=3)
conjunctions = st.lists(disjunctions, min_size=1, max_size=3)
alternatives = st.lists(conjunctions, min_size=1, max_size=3)
rows = st.lists(st.fixed_dictionaries({"name": texts, "code": texts}), max_size=8)


@settings(max_examples=200, deadline=None)
@given(rows=rows, query=alternatives)
def test_any_combination_of_and_or_and_new_query_means_what_it_says(
    rows: list[dict[str, str]], query: list[list[list[tuple[str, str, str]]]]
) -> None:
    def holds(row: dict[str, str], condition: tuple[str, str, str]) -> bool:
        field, operator, value = condition
        return OPERATIONS[operator](row[field].lower(), value.lower())

    expected = [row for row in rows if any(all(any(holds(row, c) for c in d) for d in a) for a in query)]
    encoded = "^NQ".join("^".join("^OR".join(map("".join, d)) for d in a) for a in query)
    simulator = ServiceNow(now=lambda: NOW, seed={"sn_fin_uom": rows})
    found = client(simulator).get(
        "/api/now/table/sn_fin_uom", params={"sysparm_query": encoded, "sysparm_fields": "name,code"}
    )

    def in_order(rows: list[dict[str, str]]) -> list[tuple[str, str]]:
        return sorted((row["name"], row["code"]) for row in rows)

    assert in_order(found.json()["result"]) == in_order(expected)


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="abn^ORQDEYIS=!<>,@._ 1", max_size=30))
def test_no_query_text_breaks_the_instance(text: str) -> None:
    answer = client(SIMULATOR).get("/api/now/table/sn_shop_payment_term", params={"sysparm_query": text})
    assert answer.status_code in {200, 400}
    assert answer.status_code == 200 or answer.json()["error"]["message"] == "Not simulated"

"""The rest of the encoded query language, after the pages on encoded query strings, filter operators and date filters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.adapters.servicenow_bench import BASE, CENTERS, Bench
from tests.sandbox.servicenow import CONNECTOR_USER

# A Monday, 10:30 in the morning.
NOW = datetime(2026, 5, 4, 10, 30, tzinfo=UTC)
ROWS = [
    ("now", "2026-05-04 10:00:00", "2026-05-04 12:00:00"),
    ("this morning", "2026-05-04 00:00:00", "2026-05-06 00:00:00"),
    ("yesterday", "2026-05-03 23:59:59", "2026-05-03 23:59:59"),
    ("tomorrow", "2026-05-05 08:00:00", "2026-05-01 08:00:00"),
    ("last month", "2026-04-15 09:00:00", "2026-04-15 09:00:01"),
    ("last year", "2025-05-04 10:30:00", "2026-05-04 10:30:00"),
    ("never", "", "2026-05-04 10:30:00"),
]


def filled() -> Bench:
    rows = [{"name": name, "code": name, "valid_from": start, "valid_to": end} for name, start, end in ROWS]
    return Bench(start=NOW, seed={"cmn_cost_center": rows})


BENCH = filled()


def names(query: str, table: str = "cmn_cost_center", bench: Bench = BENCH) -> list[str]:
    answer = bench.get(f"/api/now/table/{table}", params={"sysparm_query": query, "sysparm_fields": "name"})
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["result"]]


TODAY = "Today@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()"
DATED = [name for name, start, _ in ROWS if start]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"valid_fromON{TODAY}", ["now", "this morning"]),
        (f"valid_fromNOTON{TODAY}", ["yesterday", "tomorrow", "last month", "last year"]),
        (
            "valid_fromON2026-04-15@javascript:gs.dateGenerate('2026-04-15','start')"
            "@javascript:gs.dateGenerate('2026-04-15','end')",
            ["last month"],
        ),
        ("valid_fromONYesterday@2026-05-03 00:00:00@2026-05-03 23:59:59", ["yesterday"]),
        ("valid_fromRELATIVEGT@hour@ago@1", ["now", "tomorrow"]),
        ("valid_fromRELATIVELT@month@ago@1", ["last year"]),
        ("valid_fromRELATIVEGE@year@ago@1", DATED),
        ("valid_fromRELATIVELE@year@ago@1", ["last year"]),
        ("valid_fromRELATIVEGT@minute@ahead@30", ["tomorrow"]),
        (
            "valid_fromRELATIVELT@day@ahead@1^valid_fromRELATIVEGT@day@ago@1",
            ["now", "this morning", "yesterday", "tomorrow"],
        ),
        ("valid_fromRELATIVEEE@day@ago@1", ["yesterday"]),
        ("valid_fromDATEPARTMonday@javascript:gs.datePart('dayofweek','monday','EE')", ["now", "this morning"]),
        ("valid_fromDATEPARTApril@javascript:gs.datePart('month','april','EE')", ["last month"]),
        ("valid_fromDATEPART2025@javascript:gs.datePart('year','2025','EE')", ["last year"]),
        ("valid_fromDATEPARTQ1@javascript:gs.datePart('quarter','1','GT')", DATED),
        ("valid_fromDATEPARTHour@javascript:gs.datePart('hour','10','GE')", ["now", "yesterday", "last year"]),
        ("valid_toMORETHANvalid_from@hour@after@1", ["now", "this morning", "last year"]),
        ("valid_toMORETHANvalid_from@day@before@1", ["tomorrow"]),
        ("valid_toLESSTHANvalid_from@minute@after@1", ["last month"]),
        ("valid_fromSAMEASvalid_to", ["yesterday"]),
        ("valid_fromNSAMEASvalid_to^nameSTARTSWITHlast", ["last month", "last year"]),
        ("valid_toGT_FIELDvalid_from", ["now", "this morning", "last month", "last year"]),
        ("valid_toLT_FIELDvalid_from", ["tomorrow"]),
        ("valid_toLT_OR_EQUALS_FIELDvalid_from", ["yesterday", "tomorrow"]),
        ("valid_toGT_OR_EQUALS_FIELDvalid_from^nameLIKEday", ["yesterday"]),
    ],
)
def test_date_operators_compare_moments(query: str, expected: list[str]) -> None:
    assert names(query) == expected


@pytest.mark.parametrize(
    ("expression", "moment"),
    [
        ("gs.beginningOfToday()", "2026-05-04 00:00:00"),
        ("gs.endOfYesterday()", "2026-05-03 23:59:59"),
        ("gs.beginningOfTomorrow()", "2026-05-05 00:00:00"),
        ("gs.beginningOfThisWeek()", "2026-05-04 00:00:00"),
        ("gs.endOfLastWeek()", "2026-05-03 23:59:59"),
        ("gs.beginningOfLastMonth()", "2026-04-01 00:00:00"),
        ("gs.endOfThisMonth()", "2026-05-31 23:59:59"),
        ("gs.beginningOfThisQuarter()", "2026-04-01 00:00:00"),
        ("gs.endOfNextQuarter()", "2026-09-30 23:59:59"),
        ("gs.beginningOfNextYear()", "2027-01-01 00:00:00"),
        ("gs.nowDateTime()", "2026-05-04 10:30:00"),
        ("gs.daysAgo(1)", "2026-05-03 10:30:00"),
        ("gs.daysAgoStart(1)", "2026-05-03 00:00:00"),
        ("gs.daysAgoEnd(0)", "2026-05-04 23:59:59"),
        ("gs.daysAgo(-2)", "2026-05-06 10:30:00"),
        ("gs.hoursAgo(11)", "2026-05-03 23:30:00"),
        ("gs.minutesAgoStart(15)", "2026-05-04 10:15:00"),
        ("gs.monthsAgo(2)", "2026-03-04 10:30:00"),
        ("gs.monthsAgoStart(2)", "2026-03-01 00:00:00"),
        ("gs.quartersAgoEnd(1)", "2026-03-31 23:59:59"),
        ("gs.yearsAgo(1)", "2025-05-04 10:30:00"),
        ("gs.dateGenerate('2026-02-28','12:13:14')", "2026-02-28 12:13:14"),
    ],
)
def test_date_calls_stand_for_a_moment(expression: str, moment: str) -> None:
    bench = filled()
    bench.tables.insert("cmn_cost_center", {"name": "it", "valid_from": moment})
    assert "it" in names(f"valid_from=javascript:{expression}", bench=bench)


def test_days_begin_where_the_user_lives() -> None:
    bench = filled()
    (user,) = bench.tables.find("sys_user", {"user_name": CONNECTOR_USER})
    bench.tables.update("sys_user", user["sys_id"], {"time_zone": "Europe/Berlin"})
    # Midnight in Berlin is ten in the evening in UTC.
    assert names(f"valid_fromON{TODAY}", bench=bench) == ["now", "this morning", "yesterday"]
    assert "last year" in names("valid_from=javascript:gs.dateGenerate('2025-05-04','12:30:00')", bench=bench)


@pytest.mark.parametrize(
    "query",
    [
        "name=javascript:gs.getProperty('x')",
        "name=javascript:gs.daysAgo(n)",
        "name=javascript:gs.daysAgo(1, 2)",
        "name=javascript:gs.getUserID();gs.getUserID()",
        "name=javascript:gs.dateGenerate('2026-02-30','start')",
    ],
)
def test_any_other_script_is_refused_and_never_evaluated(query: str) -> None:
    answer = BENCH.get(CENTERS, params={"sysparm_query": query})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Not simulated")


@pytest.mark.parametrize(
    "query",
    [
        "valid_fromONToday@x@y",
        "valid_fromRELATIVEGT@fortnight@ago@1",
        "valid_fromRELATIVEGT@hour@since@1",
        "valid_fromDATEPARTMonday@x",
        "valid_toMORETHANvalid_from",
        "nameDYNAMICunknown",
        "sys_class_nameINSTANCEOFno_such_table",
        "RLQUERYcmn_cost_center.parent^ENDRLQUERY",
        "RLQUERYno_such.parent,>0^ENDRLQUERY",
        "JOINcmn_department.id=cmn_cost_center.code!",
    ],
)
def test_operators_without_sense_are_dropped_like_any_invalid_clause(query: str) -> None:
    assert names(query) == [name for name, _, _ in ROWS]


# Dynamic filter options, class hierarchies, text search.


def test_a_dynamic_option_stands_for_its_script() -> None:
    assert names("sys_idDYNAMIC90d1921e5f510100a9ad2572f2b477fe", "sys_user") == ["Connector"]


def test_instance_of_takes_the_class_and_everything_that_extends_it() -> None:
    bench = Bench()
    bench.tables.insert("sn_shop_purchase_order", {"erp_number": "PO-1"})

    def count(name: str) -> int:
        query = {"sysparm_query": f"sys_class_nameINSTANCEOF{name}"}
        return len(bench.get("/api/now/table/sn_shop_order", params=query).json()["result"])

    assert (count("sn_shop_order"), count("sn_shop_purchase_order"), count("cmn_cost_center")) == (1, 1, 0)


def test_the_text_search_wants_every_word_somewhere_in_the_row() -> None:
    assert names("123TEXTQUERY321=LAST year") == ["last year"]
    assert names("123TEXTQUERY321=last^valid_fromRELATIVEGT@month@ago@1") == ["last month"]


# Related lists and joins, in the forms the vendor's Python client sends.


@pytest.fixture(scope="module")
def family() -> Bench:
    bench = Bench(seed={})
    for name, parent in (("a", ""), ("b", "a"), ("c", "a"), ("d", "b"), ("e", "")):
        bench.tables.insert("cmn_cost_center", {"name": name, "code": name.upper(), "parent": parent})
    bench.tables.insert("cmn_department", {"name": "D", "code": "x", "cost_center": "b"})
    return bench


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("RLQUERYcmn_cost_center.parent,>=1^ENDRLQUERY", ["a", "b"]),
        ("RLQUERYcmn_cost_center.parent,=2^ENDRLQUERY", ["a"]),
        ("RLQUERYcmn_cost_center.parent,=0^ENDRLQUERY^nameNOT LIKEe", ["c", "d"]),
        ("RLQUERYcmn_cost_center.parent,BETWEEN1@2^ENDRLQUERY", ["a", "b"]),
        ("RLQUERYcmn_cost_center.parent,>0,m2m^name=c^ENDRLQUERY", ["a"]),
        ("RLQUERYcmn_cost_center.parent,>0,name=c^ENDRLQUERY", ["a"]),
        ("RLQUERYcmn_cost_center.parent,>0^name=c^ORname=d^ENDRLQUERY^nameSTARTSWITHb", ["b"]),
        ("name=e^NQRLQUERYcmn_cost_center.parent,=1^ENDRLQUERY", ["b", "e"]),
        ("JOINcmn_cost_center.sys_id=cmn_department.cost_center!", ["b"]),
        ("JOINcmn_cost_center.sys_id=cmn_cost_center.parent!code=D", ["b"]),
        ("JOINcmn_cost_center.sys_id=cmn_cost_center.parent!^nameLIKEa", ["a"]),
        ("nameLIKEb^ORnameLIKEc^ORDERBYDESCname^EQ", ["c", "b"]),
    ],
)
def test_terms_about_other_rows(family: Bench, query: str, expected: list[str]) -> None:
    assert names(query, bench=family) == expected


# Long queries.


def test_a_very_long_query_works_as_a_tiny_address_does() -> None:
    codes = ",".join(f"code-{number}" for number in range(3000))
    query = f"codeIN{codes},now"
    assert names(query) == ["now"]
    full = f"{BASE}{CENTERS}?sysparm_query={query}&sysparm_fields=name"
    kept = BENCH.post("/api/now/tinyurl", {"url": full})
    assert kept.status_code == 201
    path, _, token = kept.json()["result"].partition("?sysparm_tiny=")
    assert (path, len(token)) == ("incident_list.do", 32)
    assert BENCH.get(f"{CENTERS}?sysparm_tiny={token}").json() == {"result": [{"name": "now"}]}
    assert len(BENCH.get(f"{CENTERS}?sysparm_tiny=unknown").json()["result"]) == len(ROWS)
    assert BENCH.post("/api/now/tinyurl", {}).status_code == 400

"""The table door on the ServiceNow stand-in: looked up before written, written once, read back, and only what differs."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from connector.decisions.mapping import MappedDocument
from connector.errors import Ambiguous, Outage, Refused, Throttled
from connector.servicenow.doors.table import PAGE, TableDoor
from tests.adapters.door_bench import DoorBench, outcomes
from tests.sandbox.doors import open_procurement
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.injected import Injection
from tests.sandbox.servicenow.schema import Column
from tests.sandbox.wire import Fault

ORDERS, LINES = "proc_po", "proc_po_item"
SOURCE = "BC-MAIN"
NOBODY = ("nobody",)
BATCH = "/api/now/v1/batch"


class Bench(DoorBench):
    """The door with the shipped profile for the base Procurement tables."""

    def __init__(self) -> None:
        super().__init__("procurement")
        open_procurement(self.simulator)
        self.door = TableDoor(self.session, [self.route], rows_a_batch=100)
        self.vendor = self.tables.find("core_company", {"u_source_id": "10000", "u_source_system": SOURCE})[0]["sys_id"]

    def header(self, number: str, **changes: str) -> dict[str, str]:
        """A header row."""
        return {
            "u_source_system": SOURCE,
            "u_source_id": f"id-of-{number}",
            "number": number,
            "vendor": self.vendor,
            "po_date": "2026-05-04",
            "total_cost": "240.00",
            "u_currency": "EUR",
        } | changes

    def line(self, number: int, **changes: str) -> dict[str, str]:
        """A line row."""
        return {
            "u_line_number": str(number),
            "vendor": self.vendor,
            "short_description": "Paper",
            "part_number": "010",
            "ordered_quantity": "12",
            "cost": "10.00",
            "total_cost": "120.00",
            "u_currency": "EUR",
            "u_cost_center": "CC-10",
        } | changes

    def order(self, number: str, *lines: dict[str, str], **changes: str) -> MappedDocument:
        """An order; of two lines unless they are given."""
        given = lines or (self.line(10000), self.line(20000))
        return self.document(number, self.header(number, **changes), *given)

    def items(self) -> list[dict[str, Any]]:
        """Every item of every batch: method, address and body."""
        found = []
        for request in self.sent("POST", "batch"):
            for item in json.loads(request.content)["rest_requests"]:
                body = json.loads(base64.b64decode(item["body"]))
                found.append({"method": item["method"], "path": item["url"].partition("?")[0], "body": body})
        return found

    def only(self, table: str) -> dict[str, str]:
        """The only record of a table."""
        (row,) = self.tables.rows(table)
        return row


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- what is written


def test_a_new_order_becomes_a_record_and_its_lines_refer_to_it(bench: Bench) -> None:
    (delivery,) = bench.write(bench.door, bench.order("106001", bench.line(10000)))
    order, line = bench.only(ORDERS), bench.only(LINES)
    assert outcomes(delivery) == ["inserted", "inserted"]
    assert [(one.sys_id, one.target) for one in delivery.results.values()] == [
        (order["sys_id"], ORDERS),
        (line["sys_id"], LINES),
    ]
    assert {name: order[name] for name in bench.header("106001")} == bench.header(
        "106001", po_date="2026-05-04 00:00:00"
    )
    assert {name: line[name] for name in bench.line(10000)} == bench.line(10000)
    assert line["purchase_order"] == order["sys_id"]


def test_three_calls_carry_many_new_orders(bench: Bench) -> None:
    documents = [bench.order(str(number)) for number in range(33)]
    delivered = bench.write(bench.door, *documents)
    assert all(each.complete(one) for each, one in zip(delivered, documents, strict=True))
    assert [request.url.path for request in bench.requests] == ["/api/now/table/proc_po", BATCH, BATCH]


def test_what_is_there_already_is_not_written_again(bench: Bench) -> None:
    bench.write(bench.door, bench.order("106001"))
    written = len(bench.items())
    (delivery,) = bench.write(bench.door, bench.order("106001"))
    assert outcomes(delivery) == ["ignored"] * 3
    assert delivery.results[0].sys_id == bench.only(ORDERS)["sys_id"]
    assert len(bench.items()) == written


def test_only_what_differs_is_written(bench: Bench) -> None:
    bench.write(bench.door, bench.order("106001"))
    written = len(bench.items())
    changed = bench.order("106001", bench.line(10000), bench.line(20000, ordered_quantity="7"), total_cost="240")
    (delivery,) = bench.write(bench.door, changed)
    assert outcomes(delivery) == ["ignored", "ignored", "updated"]
    (item,) = bench.items()[written:]
    assert (item["method"], item["body"]) == ("PATCH", {"ordered_quantity": "7"})


def test_what_is_empty_now_is_emptied(bench: Bench) -> None:
    bench.write(bench.door, bench.order("106001", bench.line(10000)))
    line = bench.line(10000)
    del line["u_cost_center"]
    (delivery,) = bench.write(bench.door, bench.order("106001", line))
    assert outcomes(delivery) == ["ignored", "updated"]
    assert bench.only(LINES)["u_cost_center"] == ""


def test_a_line_that_was_removed_is_taken_back_and_the_others_stay(bench: Bench) -> None:
    bench.write(bench.door, bench.order("106001"))
    gone = {"u_line_number": "20000", "ordered_quantity": "0", "cost": "0.00", "total_cost": "0.00"}
    document = bench.document("1", bench.header("106001"), bench.line(10000), gone, removed=1)
    (delivery,) = bench.write(bench.door, document)
    assert outcomes(delivery) == ["ignored", "ignored", "updated"]
    found = {
        row["u_line_number"]: (row["ordered_quantity"], row["short_description"]) for row in bench.tables.rows(LINES)
    }
    assert found == {"10000": ("12", "Paper"), "20000": ("0", "Paper")}


def test_a_removed_line_that_never_came_is_not_made(bench: Bench) -> None:
    document = bench.document("1", bench.header("106001"), bench.line(10000), {"u_line_number": "20000"}, removed=1)
    (delivery,) = bench.write(bench.door, document)
    assert delivery.complete(document)
    assert len(bench.tables.rows(LINES)) == 1


def test_an_order_that_somebody_else_made_with_the_key_is_taken_over(bench: Bench) -> None:
    made = bench.tables.insert(ORDERS, bench.header("106001", total_cost="1.00"))
    (delivery,) = bench.write(bench.door, bench.order("106001"))
    assert outcomes(delivery) == ["updated", "inserted", "inserted"]
    assert {row["purchase_order"] for row in bench.tables.rows(LINES)} == {made}


def test_the_same_key_of_another_source_is_another_order(bench: Bench) -> None:
    bench.write(bench.door, bench.order("106001"))
    (delivery,) = bench.write(bench.door, bench.order("106001", u_source_system="BC-OTHER"))
    assert outcomes(delivery) == ["inserted"] * 3


def test_lines_beyond_a_page_are_found(bench: Bench) -> None:
    lines = [bench.line(number) for number in range(1, PAGE + 150)]
    bench.write(bench.door, bench.order("106001", *lines))
    (delivery,) = bench.write(bench.door, bench.order("106001", *lines))
    assert set(outcomes(delivery)) == {"ignored"}


# -- keys


@pytest.mark.parametrize("key", ["", "a^ORactive=true", "javascript:gs.getUserID()", "a,b"])
def test_a_key_that_cannot_be_looked_up_parks_before_anything_is_asked(bench: Bench, key: str) -> None:
    bad, good = bench.order("1", u_source_id=key), bench.order("2")
    delivered = bench.write(bench.door, bad, good)
    (reason,) = delivered[0].reasons(bad)
    assert "u_source_id" in reason.message
    assert delivered[1].complete(good)
    assert len(bench.tables.rows(ORDERS)) == 1


def test_two_records_with_the_key_are_for_a_person_to_look_at(bench: Bench) -> None:
    for _ in range(2):
        bench.tables.insert(ORDERS, bench.header("106001"))
    document = bench.order("106001")
    (delivery,) = bench.write(bench.door, document)
    assert "2 records" in delivery.reasons(document)[0].message
    assert bench.items() == []


def test_two_lines_with_the_number_park_and_say_which(bench: Bench) -> None:
    bench.write(bench.door, bench.order("106001"))
    bench.tables.insert(LINES, bench.line(20000) | {"purchase_order": bench.only(ORDERS)["sys_id"]})
    document = bench.order("106001")
    (delivery,) = bench.write(bench.door, document)
    assert [reason.where for reason in delivery.reasons(document)] == ["20000"]


def test_a_key_column_that_is_not_there_is_found_out_before_a_record_is_changed(bench: Bench) -> None:
    for number in range(3):
        bench.tables.insert(ORDERS, bench.header(str(number), u_source_id="other"))
    table = bench.tables.schema.table(ORDERS)
    bench.tables.define(replace(table, columns=tuple(each for each in table.columns if each.name != "u_source_id")))
    delivered = bench.write(bench.door, *[bench.order(str(number)) for number in range(9)])
    assert all(isinstance(each.outage, Refused) for each in delivered)
    assert "u_source_id" in str(delivered[0].outage)
    assert bench.items() == []


# -- what the instance drops or refuses


def test_a_column_the_user_may_not_write_parks_by_name(bench: Bench) -> None:
    bench.simulator.access.add(rule(LINES, ("write",), NOBODY, column="u_cost_center"))
    document = bench.order("106001")
    (delivery,) = bench.write(bench.door, document)
    assert [reason.where for reason in delivery.reasons(document)] == ["10000", "20000"]
    assert "u_cost_center is '' instead of 'CC-10'" in delivery.reasons(document)[0].message


def test_a_reference_that_leads_nowhere_parks_and_no_line_is_written(bench: Bench) -> None:
    document = bench.order("106001", vendor="f" * 32)
    (delivery,) = bench.write(bench.door, document)
    assert "vendor" in delivery.reasons(document)[0].message
    assert bench.tables.rows(LINES) == []


def test_a_text_that_the_column_cut_parks(bench: Bench) -> None:
    table = bench.tables.schema.table(LINES)
    bench.tables.define(table.with_column(Column("short_description", max_length=3)))
    document = bench.order("106001")
    (delivery,) = bench.write(bench.door, document)
    assert "short_description is 'Pap' instead of 'Paper'" in delivery.reasons(document)[0].message


def test_a_field_that_was_ignored_on_its_way_parks_and_the_next_run_writes_it(bench: Bench) -> None:
    bench.inject(Injection("ignore_field", method="POST", path="table/proc_po$|table/proc_po\\?", field="total_cost"))
    document = bench.order("106001")
    (delivery,) = bench.write(bench.door, document)
    assert "total_cost" in delivery.reasons(document)[0].message
    (delivery,) = bench.write(bench.door, document)
    assert outcomes(delivery) == ["updated", "inserted", "inserted"]


def test_a_column_that_is_not_shown_is_about_rights(bench: Bench) -> None:
    bench.simulator.access.add(rule(LINES, ("read",), NOBODY, column="cost"))
    (delivery,) = bench.write(bench.door, bench.order("106001"))
    assert isinstance(delivery.outage, Refused)
    assert "cost" in str(delivery.outage)


def test_a_data_policy_parks_in_its_own_words(bench: Bench) -> None:
    policy = bench.tables.insert("sys_data_policy2", {"short_description": "P", "model_table": ORDERS})
    row = {"sys_data_policy": policy, "table": ORDERS, "field": "due_by", "mandatory": "true"}
    bench.tables.insert("sys_data_policy_rule", row)
    document = bench.order("106001")
    (delivery,) = bench.write(bench.door, document)
    assert "mandatory" in delivery.reasons(document)[0].message
    assert delivery.outage is None


def test_a_user_without_the_right_to_create_is_refused_once_for_all(bench: Bench) -> None:
    bench.simulator.access.revoke("connector", "procurement_user")
    bench.simulator.access.add(rule("proc_po*", ("read",), ("snc_internal",)))
    delivered = bench.write(bench.door, *[bench.order(str(number)) for number in range(150)])
    assert all(isinstance(each.outage, Refused) for each in delivered)
    assert len(bench.sent("POST", "batch")) == 1
    assert bench.tables.rows(ORDERS) == []


@pytest.mark.parametrize("status", [403, 500])
def test_a_value_that_another_record_holds_parks_and_makes_nothing(bench: Bench, status: int) -> None:
    bench.simulator.switches.unique_violation_status = status
    table = bench.tables.schema.table(ORDERS)
    bench.tables.define(table.with_column(Column("number", display=True, unique=True)))
    bench.tables.insert(ORDERS, {"number": "106001"})
    document = bench.order("106001")
    (delivery,) = bench.write(bench.door, document)
    assert not delivery.complete(document)
    assert (delivery.outage is None) == (status == 403)
    assert len(bench.tables.rows(ORDERS)) == 1


# -- answers that do not tell


@pytest.mark.parametrize(
    ("status", "answer"),
    [(403, "ACL Exception Insert Failed due to security constraints"), (500, "Transaction cancelled")],
)
def test_a_failure_after_the_record_was_made_is_looked_up_and_taken(bench: Bench, status: int, answer: str) -> None:
    bench.inject(Injection("answer_after", method="POST", path="table/proc_po", status=status, answer=answer, times=2))
    documents = [bench.order("1"), bench.order("2")]
    delivered = bench.write(bench.door, *documents)
    assert [outcomes(each) for each in delivered] == [["inserted"] * 3] * 2
    assert (len(bench.tables.rows(ORDERS)), len(bench.tables.rows(LINES))) == (2, 4)


def test_a_failure_after_a_change_is_looked_up_and_taken(bench: Bench) -> None:
    bench.write(bench.door, bench.order("1"))
    bench.inject(Injection("answer_after", method="PATCH", status=500))
    (delivery,) = bench.write(bench.door, bench.order("1", total_cost="1.00"))
    assert outcomes(delivery) == ["updated", "ignored", "ignored"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_failure_before_anything_was_written_is_an_outage_and_the_next_run_writes(bench: Bench, method: str) -> None:
    changed = {}
    if method == "PATCH":
        bench.write(bench.door, bench.order("1"))
        changed = {"total_cost": "1.00"}
    bench.inject(Injection("answer", method=method, path="table/proc_po", status=500))
    (delivery,) = bench.write(bench.door, bench.order("1", **changed))
    assert isinstance(delivery.outage, Ambiguous)
    assert delivery.outage.settles_after == 60.0
    (delivery,) = bench.write(bench.door, bench.order("1", **changed))
    assert delivery.complete(bench.order("1"))
    assert len(bench.tables.rows(ORDERS)) == 1


@pytest.mark.parametrize("act", ["unserviced", "unserviced_committed"])
def test_what_a_batch_did_not_reach_is_looked_up_and_sent_again(bench: Bench, act: Any) -> None:
    bench.inject(Injection(act, path="table/proc_po", skip=1), Injection(act, path="table/proc_po_item", skip=1))
    documents = [bench.order(str(number)) for number in range(3)]
    delivered = bench.write(bench.door, *documents)
    assert [outcomes(each) for each in delivered] == [["inserted"] * 3] * 3
    assert (len(bench.tables.rows(ORDERS)), len(bench.tables.rows(LINES))) == (3, 6)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset_after", path=BATCH),
        Fault("cut_body", path=BATCH),
        Fault("slow", path=BATCH, delay=75.0),
        Fault("answer_after", path=BATCH, status=500),
        Fault("reset_after", path=BATCH, skip=1),
        Fault("reset_before", path=BATCH, skip=1),
        Fault("answer", path=BATCH, status=503),
    ],
    ids=lambda fault: f"{fault.effect}-{fault.skip}",
)
def test_a_lost_answer_is_ambiguous_and_a_repeat_doubles_nothing(bench: Bench, fault: Fault) -> None:
    bench.exchange.faults = [fault]
    (delivery,) = bench.write(bench.door, bench.order("1"))
    assert isinstance(delivery.outage, Ambiguous)
    bench.requests.clear()
    (delivery,) = bench.write(bench.door, bench.order("1"))
    assert bench.requests[0].method == "GET"
    assert delivery.complete(bench.order("1"))
    assert (len(bench.tables.rows(ORDERS)), len(bench.tables.rows(LINES))) == (1, 2)


def test_after_a_lost_answer_batches_are_half_as_large(bench: Bench) -> None:
    bench.exchange.faults = [Fault("reset_after", path=BATCH)]
    bench.write(bench.door, *[bench.order(str(number)) for number in range(160)])
    sizes = [len(json.loads(request.content)["rest_requests"]) for request in bench.sent("POST", "batch")]
    assert sizes[:2] == [100, 50]


def test_a_record_that_the_look_up_did_not_show_is_found_by_its_id(bench: Bench) -> None:
    bench.write(bench.door, bench.order("1"))
    bench.inject(Injection("drop_rows", method="GET", path="table/proc_po\\?"))
    (delivery,) = bench.write(bench.door, bench.order("1", total_cost="1.00"))
    assert outcomes(delivery) == ["updated", "ignored", "ignored"]
    assert bench.only(ORDERS)["total_cost"] == "1.00"


def test_a_record_that_stays_hidden_is_about_rights(bench: Bench) -> None:
    bench.write(bench.door, bench.order("1"))
    bench.inject(Injection("drop_rows", method="GET", times=None))
    (delivery,) = bench.write(bench.door, bench.order("1"))
    assert isinstance(delivery.outage, Refused)
    assert "cannot be read" in str(delivery.outage)


@pytest.mark.parametrize("path", ["table/proc_po\\?", "table/proc_po_item\\?"])
def test_without_a_look_up_nothing_is_written(bench: Bench, path: str) -> None:
    bench.write(bench.door, bench.order("1"))
    written = len(bench.items())
    bench.exchange.faults = [Fault("answer", method="GET", path=path, status=503, times=None)]
    (delivery,) = bench.write(bench.door, bench.order("1", bench.line(10000, cost="1.00")))
    assert type(delivery.outage) is Outage
    assert len(bench.items()) == written


@pytest.mark.parametrize("path", [BATCH, "table/proc_po"])
def test_after_a_throttle_nothing_more_is_written(bench: Bench, path: str) -> None:
    bench.exchange.faults = [Fault("answer", path=path, status=429, headers={"Retry-After": "33"}, times=None)]
    delivered = bench.write(bench.door, *[bench.order(str(number)) for number in range(150)])
    assert {type(each.outage) for each in delivered} == {Throttled}
    assert {each.outage.retry_after for each in delivered if each.outage} == {33.0}
    assert len(bench.sent("POST", "batch")) == 0
    assert bench.exchange.counts["requests"] <= 3


def test_without_time_nothing_is_asked_or_written(bench: Bench) -> None:
    (delivery,) = bench.write(bench.door, bench.order("1"), seconds=0.0)
    assert type(delivery.outage) is Outage
    assert bench.requests == []


def test_nothing_to_write_costs_nothing(bench: Bench) -> None:
    assert bench.write(bench.door) == []
    assert bench.requests == []

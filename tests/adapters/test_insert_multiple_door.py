"""The insertMultiple door on the ServiceNow stand-in: labels and names, rows read back, and everything that can go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connector.decisions.mapping import MappedDocument
from connector.errors import Ambiguous, Outage, Refused, Throttled, Unfinished
from connector.servicenow.doors.insert_multiple import InsertMultipleDoor
from connector.servicenow.doors.pace import FIRST_ROWS, MOST_ROWS, ROWS_A_GO, Pace
from tests.adapters.door_bench import DoorBench, outcomes
from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.desk import ORDER, ORDER_LINE
from tests.sandbox.servicenow.injected import Injection
from tests.sandbox.servicenow.map_scripts import EVENT_SCRIPTS, Transform
from tests.sandbox.servicenow.schema import Column
from tests.sandbox.servicenow.transform_maps import add_script
from tests.sandbox.wire import Fault

ORDERS, LINES = "sn_shop_purchase_order", "sn_shop_purchase_order_line"
NOBODY = ("nobody",)
MULTIPLE = "insertMultiple"


class Bench(DoorBench):
    """The door with the shipped profile's order tables."""

    def __init__(self, *, row_seconds: float = 0.0) -> None:
        super().__init__("source_to_pay", row_seconds=row_seconds)
        self.door = self.another()

    def another(self) -> InsertMultipleDoor:
        """A door as another process has it."""
        return InsertMultipleDoor(self.session, {table.table: table for table in self.route.tables}, self.clock)

    def order(
        self, number: str, *lines: int, again: bool = False, in_doubt: bool = False, **changes: str
    ) -> MappedDocument:
        """An order with lines of these numbers; `again`: an earlier version may have been sent; `in_doubt`: nobody knows what
        became of an earlier try."""
        rows = [sample.order_line(number, str(line)) for line in lines or (10000, 20000)]
        earlier = tuple(lines or (10000, 20000)) if again or in_doubt else None
        return self.document(number, sample.order(number, **changes), *rows, earlier=earlier, in_doubt=in_doubt)

    def executed(self) -> list[int]:
        """How many rows ServiceNow has staged: headers, lines."""
        return [len(self.tables.rows(table)) for table in (ORDER, ORDER_LINE)]

    def by_name(self, *tables: str) -> None:
        """The instance's configuration says column names."""
        for table in tables:
            self.tables.insert("sys_rest_insert_multiple", {"source_table": table, "column_mapping": "column_name"})

    def records(self) -> list[list[dict[str, str]]]:
        """The records of each call."""
        return [json.loads(request.content)["records"] for request in self.sent("POST", MULTIPLE)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- what is sent


def test_headers_then_lines_in_sets_of_one_group_with_labels_as_keys(bench: Bench) -> None:
    deliveries = bench.write(bench.door, bench.order("PO-1"), bench.order("PO-2", 10000))
    assert [outcomes(each) for each in deliveries] == [["inserted"] * 3, ["inserted"] * 2]
    headers, lines = bench.records()
    assert headers[0] == {
        "ERP source": "BC-MAIN",
        "ERP PO number": "PO-1",
        "Legal entity": "CRONUS",
        "Supplier company name": "Fabrikam",
        "Payment term": "Net 30",
        "PO amount": "120.00",
        "PO amount currency": "EUR",
        "Cost center": "CC-10",
    }
    assert lines[2] == {
        "ERP source": "BC-MAIN",
        "ERP PO number": "PO-2",
        "ERP PO line number": "10000",
        "Short description": "Paper",
        "Quantity": "12",
        "Unit price": "10.00",
        "UOM": "PCS",
        "Line amount": "120.00",
        "Expected delivery date": "2026-06-01",
        "Cost center": "CC-10",
        "GL account": "6110",
    }
    first, second = bench.tables.rows("sys_import_set")
    assert (second["run_after"], second["multi_import_set"]) == (first["sys_id"], first["multi_import_set"])


def test_each_row_names_the_record_it_became(bench: Bench) -> None:
    (delivery,) = bench.write(bench.door, bench.order("PO-1", 10000))
    (order,), (line,) = bench.tables.rows(ORDERS), bench.tables.rows(LINES)
    assert [(one.sys_id, one.target) for one in delivery.results.values()] == [
        (order["sys_id"], ORDERS),
        (line["sys_id"], LINES),
    ]


def test_the_instances_configuration_decides_between_labels_and_names(bench: Bench) -> None:
    bench.by_name(ORDER_LINE)
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert outcomes(delivery) == ["inserted"] * 3
    headers, lines = bench.records()
    assert "ERP PO number" in headers[0]
    assert "u_erp_po_number" in lines[0]


def test_every_value_is_text(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    assert all(isinstance(value, str) for call in bench.records() for record in call for value in record.values())


def test_keys_are_read_once(bench: Bench) -> None:
    for number in range(3):
        bench.write(bench.door, bench.order(f"PO-{number}"))
    assert len(bench.sent("GET", "sys_dictionary")) == len(bench.sent("GET", "sys_rest_insert_multiple")) == 1


def test_what_is_there_already_is_ignored(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    (delivery,) = bench.write(bench.door, bench.order("PO-1", again=True))
    assert outcomes(delivery) == ["ignored"] * 3
    assert delivery.outage is None
    assert (bench.tables.inserts[ORDERS], bench.tables.inserts[LINES]) == (1, 2)


def test_on_a_slow_instance_as_much_is_sent_as_is_done_in_time_and_all_is_done_in_the_end() -> None:
    bench = Bench(row_seconds=10.0)
    documents = [bench.order(f"PO-{number}") for number in range(12)]
    delivered = bench.write(bench.door, *documents)
    runs = 1
    while waiting := [one for one, each in zip(documents, delivered, strict=True) if each.outage is not None]:
        bench.clock.advance(60)
        documents = [replace(one, earlier=(10000, 20000)) for one in waiting]
        delivered = bench.write(bench.door, *documents)
        runs += 1
        assert runs < 30
    assert (bench.tables.inserts[ORDERS], bench.tables.inserts[LINES]) == (12, 24)


def test_two_hundred_rows_a_call_at_first_and_one_read_for_a_page_of_sets(bench: Bench) -> None:
    lines = tuple(range(1, 451))
    (delivery,) = bench.write(bench.door, bench.order("PO-1", *lines))
    assert outcomes(delivery) == ["inserted"] * 451
    assert [len(call) for call in bench.records()] == [1, 200, 250]
    assert len(bench.sent("GET", f"table/{ORDER_LINE}")) == 1


def test_the_size_of_calls_grows_slowly_and_is_halved_when_one_fails() -> None:
    pace, sizes = Pace(), []
    for _ in range(12):
        pace.posted(pace.size, 1.0)
        sizes.append(pace.size)
    assert (sizes[0], sizes[1], sizes[-1]) == (FIRST_ROWS * 5 // 4, 312, MOST_ROWS)
    pace.failed(1000)
    assert pace.size == 500
    pace.posted(3, 0.1)
    assert pace.size == 500  # a call that was not full proves nothing
    pace.posted(500, 50.0)
    assert pace.size == 150  # what fits into half of the server's limit


# -- labels that cannot be told, and rows that are empty


def test_without_a_look_at_the_labels_nothing_is_sent_and_the_remedy_is_named(bench: Bench) -> None:
    bench.simulator.access.add(rule("sys_dictionary", ("read",), NOBODY))
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(delivery.outage, Refused)
    assert "sys_rest_insert_multiple" in str(delivery.outage)
    assert bench.sent("POST", MULTIPLE) == []


def test_a_column_without_a_label_of_its_own_is_named_and_nothing_is_sent(bench: Bench) -> None:
    table = bench.tables.schema.table(ORDER)
    bench.tables.define(table.with_column(Column("u_other", label="PO amount")))
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(delivery.outage, Refused)
    assert "u_po_amount" in str(delivery.outage)
    assert bench.sent("POST", MULTIPLE) == []


def test_rows_that_were_stored_empty_are_found_out_before_any_line_is_sent(bench: Bench) -> None:
    bench.by_name(ORDER, ORDER_LINE)
    bench.simulator.access.add(rule("sys_rest_insert_multiple", ("read",), NOBODY))
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(delivery.outage, Refused)
    assert "let the integration user read it" in str(delivery.outage)
    assert len(bench.sent("POST", MULTIPLE)) == 1
    assert bench.tables.rows(ORDERS) == []
    bench.simulator.access.rules.pop(0)
    (delivery,) = bench.write(bench.door, bench.order("PO-1", again=True))
    assert outcomes(delivery) == ["inserted"] * 3


# -- rows that are not taken


def test_a_row_in_error_parks_in_the_instances_words_and_its_lines_are_not_sent(bench: Bench) -> None:
    good, bad = bench.order("PO-1"), bench.order("PO-2", u_cost_center="none")
    delivered = bench.write(bench.door, good, bad)
    assert delivered[0].complete(good)
    assert delivered[1].outage is None
    (reason,) = delivered[1].reasons(bad)
    assert (reason.code, reason.where) == ("REJECTED_BY_SERVICENOW", "")
    assert "Cost center 'none'" in reason.message
    assert {record["ERP PO number"] for record in bench.records()[1]} == {"PO-1"}


def test_a_line_in_error_says_which_line(bench: Bench) -> None:
    bad = bench.document(
        "PO-1", sample.order("PO-1"), sample.order_line("PO-1", "1"), sample.order_line("PO-1", "2", u_gl_account="9")
    )
    (delivery,) = bench.write(bench.door, bad)
    assert outcomes(delivery) == ["inserted", "inserted", "error"]
    assert [reason.where for reason in delivery.reasons(bad)] == ["2"]


def test_a_row_without_its_coalesce_value_is_skipped_and_parks(bench: Bench) -> None:
    bench.tables.update("sys_transform_map", _map(bench, "Order stage"), {"enforce_mandatory_fields": "no"})
    bad = bench.order("PO-1", u_erp_source="")
    (delivery,) = bench.write(bench.door, bad)
    assert outcomes(delivery) == ["skipped"]
    assert delivery.reasons(bad)


@pytest.fixture
def scripts() -> Iterator[None]:
    def drop(transform: Transform) -> None:
        transform.ignore = transform.source["u_erp_po_number"] == "PO-2"

    def stop(transform: Transform) -> None:
        transform.error = transform.source["u_erp_po_number"] == "PO-2"
        transform.error_message = "stop here"

    EVENT_SCRIPTS.update(drop=drop, stop=stop)
    yield
    for name in ("drop", "stop"):
        del EVENT_SCRIPTS[name]


@pytest.mark.usefixtures("scripts")
def test_a_row_that_a_script_drops_is_not_taken_for_done(bench: Bench) -> None:
    add_script(bench.tables, "Order stage", "onBefore", "drop")
    documents = [bench.order(f"PO-{number}") for number in (1, 2, 3)]
    delivered = bench.write(bench.door, *documents)
    assert [each.complete(one) for each, one in zip(delivered, documents, strict=True)] == [True, False, True]
    assert outcomes(delivered[1]) == ["ignored"]
    assert delivered[1].reasons(documents[1])


@pytest.mark.usefixtures("scripts")
def test_a_script_that_stops_the_set_leaves_the_rest_to_the_next_run(bench: Bench) -> None:
    add_script(bench.tables, "Order stage", "onBefore", "stop")
    documents = [bench.order(f"PO-{number}") for number in (1, 2, 3)]
    first, second, third = bench.write(bench.door, *documents)
    assert first.complete(documents[0])
    assert "stop here" in second.reasons(documents[1])[0].message
    assert isinstance(third.outage, Ambiguous)
    assert third.outage.settles_after == 60.0
    assert bench.clock.monotonic() < 30  # the set has ended: nobody waits for its rows
    (again,) = bench.write(bench.door, bench.order("PO-3", again=True))
    assert outcomes(again) == ["inserted"] * 3


def test_a_row_that_was_not_stored_or_has_vanished_is_ambiguous(bench: Bench) -> None:
    def lose() -> None:
        for row in bench.tables.find(ORDER, {"u_erp_po_number": "PO-2"}):
            bench.tables.delete(ORDER, row["sys_id"])

    bench.before = lose
    first, second = bench.write(bench.door, bench.order("PO-1"), bench.order("PO-2"))
    assert first.outage is None
    assert isinstance(second.outage, Ambiguous)
    assert outcomes(second) == ["missing"]


def test_a_set_that_has_vanished_is_ambiguous_at_once() -> None:
    bench = Bench(row_seconds=1000.0)

    def lose() -> None:
        for row in bench.tables.rows("sys_import_set"):
            bench.tables.delete("sys_import_set", row["sys_id"])

    bench.before = lose
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(delivery.outage, Ambiguous)
    assert bench.clock.monotonic() < 30
    assert len(bench.sent("POST", MULTIPLE)) == 1


def test_a_value_that_a_unique_index_already_holds_parks(bench: Bench) -> None:
    table = bench.tables.schema.table(ORDERS)
    bench.tables.define(table.with_column(Column("total_amount", type="decimal", max_length=20, unique=True)))
    documents = [bench.order("PO-1"), bench.order("PO-2")]
    first, second = bench.write(bench.door, *documents)
    assert first.complete(documents[0])
    assert "Unique Key violation" in second.reasons(documents[1])[0].message


# -- time


def test_it_waits_while_the_set_is_worked() -> None:
    bench = Bench(row_seconds=2.0)
    documents = [bench.order(f"PO-{number}") for number in range(5)]
    delivered = bench.write(bench.door, *documents)
    assert all(each.complete(one) for each, one in zip(delivered, documents, strict=True))
    assert 30 <= bench.clock.monotonic() <= 60
    assert len(bench.sent("GET", f"table/{ORDER}")) <= 4  # both tables, twice each


def test_what_is_not_transformed_when_time_is_up_is_ambiguous_and_its_lines_wait() -> None:
    bench = Bench(row_seconds=10.0)
    (delivery,) = bench.write(bench.door, bench.order("PO-1"), seconds=5.0)
    assert isinstance(delivery.outage, Ambiguous)
    assert outcomes(delivery) == ["pending"]
    assert len(bench.sent("POST", MULTIPLE)) == 1


def test_a_newer_version_is_not_sent_while_an_older_one_waits_to_be_transformed() -> None:
    bench = Bench(row_seconds=100.0)
    bench.write(bench.door, bench.order("PO-0"), seconds=1.0)
    bench.write(bench.door, bench.order("PO-9"), seconds=1.0)  # both workers are busy now
    bench.write(bench.door, bench.order("PO-1", u_po_amount="1.00"), seconds=1.0)
    posts = len(bench.sent("POST", MULTIPLE))
    other = bench.another()  # another process knows only what ServiceNow tells
    newer = bench.order("PO-1", again=True, u_po_amount="2.00")
    (held,) = bench.write(other, newer, seconds=20.0)
    assert isinstance(held.outage, Ambiguous)
    assert len(bench.sent("POST", MULTIPLE)) == posts
    bench.clock.advance(300)
    (delivery,) = bench.write(other, newer, seconds=600.0)
    assert outcomes(delivery) == ["updated", "inserted", "inserted"]
    (order,) = bench.tables.find(ORDERS, {"erp_number": "PO-1"})
    assert order["total_amount"] == "2.00"


def test_one_order_that_waits_does_not_hold_up_another() -> None:
    bench = Bench(row_seconds=100.0)
    bench.write(bench.door, bench.order("PO-1"), seconds=1.0)
    held, free = bench.write(bench.door, bench.order("PO-1", again=True), bench.order("PO-2", again=True), seconds=250)
    assert isinstance(held.outage, Ambiguous)
    assert outcomes(free)[0] == "inserted"


def test_a_set_that_nobody_will_ever_transform_holds_nothing_up_for_ever(bench: Bench) -> None:
    bench.simulator.access.revoke("connector", "import_transformer")
    (delivery,) = bench.write(bench.door, bench.order("PO-1"), seconds=60.0)
    assert isinstance(delivery.outage, Ambiguous)
    bench.simulator.access.grant("connector", "import_transformer")
    (held,) = bench.write(bench.door, bench.order("PO-1", again=True))
    assert isinstance(held.outage, Ambiguous)
    bench.clock.advance(1800)
    (delivery,) = bench.write(bench.door, bench.order("PO-1", again=True))
    assert outcomes(delivery) == ["inserted"] * 3


def test_without_time_nothing_is_sent(bench: Bench) -> None:
    (delivery,) = bench.write(bench.door, bench.order("PO-1"), seconds=0.0)
    assert type(delivery.outage) is Outage
    assert bench.requests == []


# -- answers that fail


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("answer", method="POST", status=429), Throttled),
        (Fault("answer", method="POST", status=202, times=2), Outage),
        (Fault("answer", method="POST", status=401), Refused),
        (Fault("reset_before", method="POST"), Ambiguous),
        (Fault("reset_after", method="POST"), Ambiguous),
        (Fault("cut_body", method="POST"), Ambiguous),
        (Fault("slow", method="POST", delay=75.0), Ambiguous),
        (Fault("answer_after", method="POST", status=500), Ambiguous),
        (Fault("answer_after", method="POST", status=503), Ambiguous),
        (
            Fault("answer_after", method="POST", headers={"Content-Type": "application/json"}, status=201, answer="{}"),
            Ambiguous,
        ),
    ],
    ids=lambda value: f"{value.effect}-{value.status}" if isinstance(value, Fault) else value.__name__,
)
def test_an_answer_that_fails_is_an_outage_and_the_next_run_ends_it(bench: Bench, fault: Fault, kind: type) -> None:
    bench.exchange.faults = [fault]
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(delivery.outage, kind)
    assert delivery.results == {}
    bench.clock.advance(120)
    (delivery,) = bench.write(bench.door, bench.order("PO-1", again=True))
    assert delivery.outage is None
    assert len(delivery.results) == 3
    assert (bench.tables.inserts[ORDERS], bench.tables.inserts[LINES]) == (1, 2)


# -- what may have been sent before is looked for


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset_after", method="POST"),
        Fault("cut_body", method="POST"),
        Fault("slow", method="POST", delay=75.0),
        *(Fault("answer_after", method="POST", status=status) for status in (500, 502, 503, 403)),
        Fault("answer", method="GET", path=f"table/{ORDER}", status=429),
        Fault("answer", method="GET", path=f"table/{ORDER_LINE}", status=503, times=3),
    ],
    ids=lambda fault: f"{fault.method}-{fault.effect}-{fault.status}",
)
@pytest.mark.parametrize("skip", [0, 1])
def test_what_was_staged_before_the_answer_was_lost_is_not_staged_twice(bench: Bench, fault: Fault, skip: int) -> None:
    bench.exchange.faults = [replace(fault, skip=skip if fault.method == "POST" else 0)]
    (lost,) = bench.write(bench.door, bench.order("PO-1"))
    assert lost.outage is not None
    bench.exchange.faults = []
    bench.clock.advance(120)
    (delivery,) = bench.write(bench.another(), bench.order("PO-1", in_doubt=True))
    assert delivery.complete(bench.order("PO-1"))
    assert bench.executed() == [1, 2]
    (order,) = bench.tables.rows(ORDERS)
    assert (delivery.results[0].sys_id, delivery.results[0].target) == (order["sys_id"], ORDERS)


def test_what_is_still_to_be_transformed_is_waited_for_and_then_taken() -> None:
    bench = Bench(row_seconds=100.0)
    bench.write(bench.door, bench.order("PO-1"), seconds=1.0)
    (held,) = bench.write(bench.another(), bench.order("PO-1", in_doubt=True), seconds=20.0)
    assert isinstance(held.outage, Ambiguous)
    assert bench.executed() == [1, 0]
    bench.clock.advance(100)
    (delivery,) = bench.write(bench.another(), bench.order("PO-1", in_doubt=True), seconds=600.0)
    assert delivery.complete(bench.order("PO-1"))
    assert bench.executed() == [1, 2]


def test_rows_that_nobody_will_ever_transform_are_sent_again_after_a_while(bench: Bench) -> None:
    bench.simulator.access.revoke("connector", "import_transformer")
    bench.write(bench.door, bench.order("PO-1"), seconds=60.0)
    bench.simulator.access.grant("connector", "import_transformer")
    (held,) = bench.write(bench.door, bench.order("PO-1", in_doubt=True))
    assert isinstance(held.outage, Ambiguous)
    bench.clock.advance(1800)
    (delivery,) = bench.write(bench.door, bench.order("PO-1", in_doubt=True))
    assert delivery.complete(bench.order("PO-1"))
    assert bench.executed() == [2, 2]


def test_another_version_than_the_one_that_is_there_is_sent(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    (delivery,) = bench.write(bench.door, bench.order("PO-1", in_doubt=True, u_po_amount="2.00"))
    assert outcomes(delivery) == ["updated", "inserted", "inserted"]
    assert bench.executed() == [2, 2]


def test_what_somebody_else_staged_later_does_not_count(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    bench.clock.advance(5)
    bench.write(bench.door, bench.order("PO-1", u_po_amount="2.00"))
    (delivery,) = bench.write(bench.door, bench.order("PO-1", in_doubt=True))
    assert delivery.complete(bench.order("PO-1"))
    assert bench.tables.rows(ORDERS)[0]["total_amount"] == "120.00"


def test_a_page_that_access_rules_shorten_counts_for_nothing(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    bench.write(bench.door, bench.order("PO-2"))
    bench.inject(Injection("drop_rows", method="GET", path=f"table/{ORDER}\\?", count=1))
    documents = [bench.order("PO-1", in_doubt=True), bench.order("PO-2", in_doubt=True)]
    delivered = bench.write(bench.door, *documents)
    assert all(each.complete(one) for each, one in zip(delivered, documents, strict=True))
    assert bench.executed() == [4, 4]


def test_an_order_longer_than_a_run_goes_on_where_the_last_one_ended() -> None:
    bench = Bench(row_seconds=0.5)
    lines = tuple(range(10_000, 14_000))
    document = bench.order("PO-1", *lines)
    (delivery,) = bench.write(bench.door, document)
    assert bench.executed()[1] <= ROWS_A_GO  # no more than is soon done: the rest would have to be waited for
    door, runs = bench.door, 1
    while delivery.outage is not None:
        assert delivery.outage.retry_after is not None  # it is not put off longer and longer
        bench.clock.advance(delivery.outage.retry_after)
        document = replace(document, earlier=lines, in_doubt=True)
        door = bench.another() if runs % 2 else door  # some runs are in a process that has learnt nothing yet
        (delivery,) = bench.write(door, document)
        runs += 1
        assert runs < 30
    assert delivery.complete(document)
    assert runs > 3
    assert bench.executed() == [1, len(lines)]
    assert bench.tables.inserts[LINES] == len(lines)


def test_an_order_that_got_further_goes_on_soon(bench: Bench) -> None:
    other = Bench()
    other.write(other.door, other.order("PO-1", *range(10_000, 10_000 + ROWS_A_GO)))
    reads_of_the_first_go = len(other.sent("GET", f"table/{ORDER_LINE}"))
    document = bench.order("PO-1", *range(10_000, 13_000))
    (delivery,) = bench.door.write(
        [document], may_go_on=lambda: len(bench.sent("GET", f"table/{ORDER_LINE}")) < reads_of_the_first_go
    )
    assert bench.executed() == [1, ROWS_A_GO]
    assert isinstance(delivery.outage, Unfinished)


def test_a_short_202_is_sent_again_at_once(bench: Bench) -> None:
    bench.exchange.faults = [Fault("answer", method="POST", status=202)]
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert outcomes(delivery) == ["inserted"] * 3


def test_after_a_throttle_nothing_more_is_sent(bench: Bench) -> None:
    bench.exchange.faults = [Fault("answer", method="POST", status=429, headers={"Retry-After": "33"}, times=None)]
    documents = [bench.order(f"PO-{number}", 1) for number in range(250)]
    delivered = bench.write(bench.door, *documents)
    assert {(type(each.outage), each.outage.retry_after) for each in delivered if each.outage} == {(Throttled, 33.0)}
    assert bench.exchange.counts["POST"] == 1


def test_after_a_cut_answer_the_rest_still_goes_in_smaller_calls(bench: Bench) -> None:
    bench.exchange.faults = [Fault("reset_after", method="POST")]
    documents = [bench.order(f"PO-{number}", 1) for number in range(300)]
    delivered = bench.write(bench.door, *documents)
    lost = [each for each in delivered if isinstance(each.outage, Ambiguous)]
    assert (len(lost), sum(outcomes(each) == ["inserted"] * 2 for each in delivered)) == (200, 100)
    assert [len(call) for call in bench.records()] == [200, 100, 100]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", method="GET", path=f"table/{ORDER}", status=429),
        Fault("answer", method="GET", path=f"table/{ORDER}", status=503, times=5),
        Fault(
            "answer", method="GET", path=f"table/{ORDER}", headers={"Content-Type": "text/html"}, status=200, times=5
        ),
    ],
    ids=["429", "503", "page"],
)
def test_rows_that_cannot_be_read_back_are_not_done(bench: Bench, fault: Fault) -> None:
    bench.exchange.faults = [fault]
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(delivery.outage, Outage)
    assert not delivery.complete(bench.order("PO-1"))
    bench.exchange.faults = []
    (delivery,) = bench.write(bench.door, bench.order("PO-1", again=True))
    assert outcomes(delivery) == ["ignored", "inserted", "inserted"]


@pytest.mark.parametrize(
    "row",
    [
        Injection("drop_rows", method="GET", path=f"table/{ORDER}", times=None),
        Injection("drop_rows", method="GET", path=f"table/{ORDER}\\?", count=1, times=None),
    ],
    ids=["all", "one"],
)
def test_rows_that_access_rules_hide_are_not_done(bench: Bench, row: Injection) -> None:
    bench.inject(row)
    delivered = bench.write(bench.door, bench.order("PO-1"), bench.order("PO-2"))
    assert any(isinstance(each.outage, Ambiguous) for each in delivered)


@pytest.mark.parametrize("field", ["sys_import_state", "sys_target_sys_id", "u_erp_po_number"])
def test_a_column_of_the_row_that_cannot_be_read_is_about_rights(bench: Bench, field: str) -> None:
    bench.inject(Injection("drop_field", method="GET", path=f"table/{ORDER}\\?", field=field, times=None))
    (delivery,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(delivery.outage, Refused)
    assert field in str(delivery.outage)


def test_a_user_without_rights_to_the_table_is_refused_once_for_all(bench: Bench) -> None:
    bench.simulator.access.add(rule(ORDER, ("create",), NOBODY))
    documents = [bench.order(f"PO-{number}", 1) for number in range(250)]
    delivered = bench.write(bench.door, *documents)
    assert all(isinstance(each.outage, Refused) for each in delivered)
    assert len(bench.sent("POST", MULTIPLE)) == 1


def test_rows_in_another_order_are_still_told_apart(bench: Bench) -> None:
    bench.inject(Injection("reverse", method="GET", times=None))
    good, bad = bench.order("PO-1"), bench.order("PO-2", u_cost_center="none")
    delivered = bench.write(bench.door, good, bad)
    assert [each.complete(one) for each, one in zip(delivered, (good, bad), strict=True)] == [True, False]


def test_nothing_to_write_costs_nothing(bench: Bench) -> None:
    assert bench.write(bench.door) == []
    assert bench.requests == []


def _map(bench: Bench, name: str) -> Any:
    (row,) = bench.tables.find("sys_transform_map", {"name": name})
    return row["sys_id"]

"""The batch door after an answer that leaves it open what was done: it looks before it sends, and no row is executed twice."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest

from connector.decisions.mapping import MappedDocument
from connector.errors import Ambiguous, Outage, Refused, Throttled, Unfinished
from connector.model.staging import StagingTable
from connector.servicenow.doors.batch import BatchDoor
from connector.servicenow.doors.delivery import Delivery
from connector.servicenow.staged_rows import PATIENCE
from tests.adapters.door_bench import DoorBench, outcomes
from tests.sandbox.servicenow import sample
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.desk import ORDER, ORDER_LINE
from tests.sandbox.servicenow.injected import Injection
from tests.sandbox.wire import Fault

ORDERS, LINES = "sn_shop_purchase_order", "sn_shop_purchase_order_line"
READ = f"table/{ORDER}"
BATCH_LIMIT = 30.0


class Bench(DoorBench):
    """The door with the shipped profile's order tables, in which a batch takes the time its rows take."""

    def __init__(self, *, row_seconds: float = 0.0) -> None:
        super().__init__("source_to_pay", row_seconds=row_seconds)
        self.door = self.another({table.table: table for table in self.route.tables})

    def another(self, tables: dict[str, StagingTable]) -> BatchDoor:
        """A door as another process has it."""
        return BatchDoor(self.session, tables, self.clock, rows_a_batch=100)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = super()._answer(request)
        if request.url.path.endswith("/batch") and answer.status_code == 200:
            body = answer.json()
            done = sum(item["execution_time"] for item in body["serviced_requests"]) / 1000
            self.clock.advance(BATCH_LIMIT if body["unserviced_requests"] and self.row_seconds else done)
        return answer

    @property
    def row_seconds(self) -> float:
        """How long the instance needs for a row."""
        return self.simulator.imports.seconds(ORDER)

    def order(self, number: str, *lines: int, again: bool = False, **changes: str) -> MappedDocument:
        """An order with lines of these numbers; `again`: nobody knows what became of an earlier try."""
        rows = [sample.order_line(number, str(line)) for line in lines or (10000, 20000)]
        earlier = tuple(lines or (10000, 20000)) if again else None
        return self.document(number, sample.order(number, **changes), *rows, earlier=earlier, in_doubt=again)

    def executed(self) -> list[int]:
        """How many rows ServiceNow has staged: headers, lines."""
        return [len(self.tables.rows(table)) for table in (ORDER, ORDER_LINE)]

    def looks(self) -> int:
        """How many requests looked for staged rows."""
        return len(self.sent("GET", "table/sn_fcms_intg_imp_order"))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def complete(delivered: Sequence[Delivery], *documents: MappedDocument) -> bool:
    return all(each.outage is None and each.complete(one) for each, one in zip(delivered, documents, strict=True))


# -- what is there is not sent again


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset_after", method="POST"),
        Fault("cut_body", method="POST"),
        Fault("slow", method="POST", delay=75.0),
        Fault("truncate", method="POST", answer=',"error":{"message":"Transaction cancelled"}}'),
        *(Fault("answer_after", method="POST", status=status) for status in (500, 502, 503, 403)),
    ],
    ids=lambda fault: f"{fault.effect}-{fault.status}",
)
def test_what_was_done_before_the_answer_was_lost_is_taken_from_the_staged_rows(bench: Bench, fault: Fault) -> None:
    bench.exchange.faults = [fault]
    (lost,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(lost.outage, Ambiguous | Refused | Outage)
    bench.clock.advance(60)
    delivered = bench.write(bench.door, bench.order("PO-1", again=True))
    assert complete(delivered, bench.order("PO-1"))
    assert bench.executed() == [1, 2]
    (order,), lines = bench.tables.rows(ORDERS), bench.tables.rows(LINES)
    assert [one.sys_id for one in delivered[0].results.values()] == [
        order["sys_id"],
        *(each["sys_id"] for each in lines),
    ]
    assert bench.looks() == 2


@pytest.mark.parametrize(("status", "table"), [(500, ORDER_LINE), (403, ORDER_LINE), (500, ORDER), (403, ORDER)])
def test_a_row_that_was_written_before_its_own_answer_said_no_is_found(bench: Bench, status: int, table: str) -> None:
    bench.inject(Injection("answer_after", method="POST", path=f"import/{table}$", status=status))
    (lost,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(lost.outage, Ambiguous | Refused)
    assert complete(bench.write(bench.door, bench.order("PO-1", again=True)), bench.order("PO-1"))
    assert bench.executed() == [1, 2]


@pytest.mark.parametrize("act", ["unserviced", "unserviced_committed"])
@pytest.mark.parametrize("skip", [0, 1, 5])
def test_a_batch_that_was_cut_off_executes_no_row_twice(bench: Bench, act: str, skip: int) -> None:
    bench.inject(Injection(act, method="POST", path="import", skip=skip))  # type: ignore[arg-type]
    documents = [bench.order(f"PO-{number}") for number in range(3)]
    assert complete(bench.write(bench.door, *documents), *documents)
    assert bench.executed() == [3, 6]
    assert bench.looks() == 1


def test_rows_that_are_cut_off_by_time_are_executed_once_even_where_they_were_committed() -> None:
    bench = Bench(row_seconds=4.0)
    bench.simulator.switches.set("commit_at_cutoff", True)
    documents = [bench.order(f"PO-{number}") for number in range(8)]
    assert complete(bench.write(bench.door, *documents), *documents)
    assert bench.executed() == [8, 16]


def test_a_hundred_orders_are_looked_for_with_one_request_a_table(bench: Bench) -> None:
    bench.exchange.faults = [Fault("reset_after", method="POST", path="batch", times=None)]
    bench.write(bench.door, *(bench.order(f"PO-{number}") for number in range(100)))
    bench.exchange.faults = []
    documents = [bench.order(f"PO-{number}", again=True) for number in range(100)]
    assert complete(bench.write(bench.door, *documents), *documents)
    assert bench.executed() == [100, 200]
    assert bench.looks() == 2


def test_an_ordinary_later_version_is_sent_without_a_look(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    later = replace(bench.order("PO-1", again=True), in_doubt=False)
    (delivery,) = bench.write(bench.door, later)
    assert outcomes(delivery) == ["ignored"] * 3
    assert bench.looks() == 0


def test_of_a_document_that_was_staged_in_part_only_the_rest_is_sent(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1", 10000, 20000))
    longer = bench.order("PO-1", 10000, 20000, 30000, again=True)
    assert complete(bench.write(bench.door, longer), longer)
    assert bench.executed() == [1, 3]


def test_one_row_of_a_long_order_is_looked_for_alone(bench: Bench) -> None:
    document = bench.order("PO-1", *range(10_000, 11_500), again=True)
    bench.write(bench.door, document)
    before = bench.looks()
    found = bench.door.staged.find([document], [(0, 700)], lambda: True)
    assert found.results.keys() == {(0, 700)}
    assert bench.looks() - before == 1


# -- what is not there, or not as it would be sent, is sent


def sent_again(bench: Bench, document: MappedDocument) -> list[int]:
    """How many rows of each table were executed for it."""
    before = bench.executed()
    assert complete(bench.write(bench.door, document), document)
    return [after - were for after, were in zip(bench.executed(), before, strict=True)]


def test_what_never_arrived_is_sent(bench: Bench) -> None:
    bench.exchange.faults = [Fault("reset_before", method="POST")]
    bench.write(bench.door, bench.order("PO-1"))
    assert sent_again(bench, bench.order("PO-1", again=True)) == [1, 2]


def test_a_row_of_an_earlier_version_is_not_taken_for_one_that_was_cut_off(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    bench.inject(Injection("unserviced", method="POST", path="import"))
    assert sent_again(bench, replace(bench.order("PO-1", again=True), in_doubt=False)) == [1, 2]


def test_another_version_is_sent_where_it_differs(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    assert sent_again(bench, bench.order("PO-1", again=True, u_po_amount="7.00")) == [1, 0]
    assert bench.tables.rows(ORDERS)[0]["total_amount"] == "7.00"


@pytest.mark.parametrize("seconds", [5, 0])
def test_what_somebody_else_has_staged_since_then_is_overwritten(bench: Bench, seconds: int) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    bench.clock.advance(seconds)
    bench.write(bench.another({}), bench.order("PO-1", u_po_amount="9.00"))
    bench.clock.advance(60)
    assert sent_again(bench, bench.order("PO-1", again=True)) == [1, 0]
    assert bench.tables.rows(ORDERS)[0]["total_amount"] == "120.00"


def test_a_key_in_other_letters_is_the_same_key(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    bench.clock.advance(5)
    bench.write(bench.another({}), bench.order("po-1", u_po_amount="9.00"))
    assert sent_again(bench, bench.order("PO-1", again=True)) == [1, 2]
    assert bench.tables.rows(ORDERS)[0]["total_amount"] == "120.00"


def test_a_row_that_failed_is_sent_again_and_the_others_are_not(bench: Bench) -> None:
    bench.inject(Injection("import_error", method="POST", path=f"import/{ORDER_LINE}$", answer="script", skip=1))
    bench.write(bench.door, bench.order("PO-1"))
    assert sent_again(bench, bench.order("PO-1", again=True)) == [0, 1]


def test_a_row_that_was_cut_off_before_its_transformation_is_sent_again_at_once(bench: Bench) -> None:
    bench.inject(Injection("import_empty", method="POST", path=f"import/{ORDER_LINE}$", skip=1))
    bench.write(bench.door, bench.order("PO-1"))
    assert sent_again(bench, bench.order("PO-1", again=True)) == [0, 1]


def test_rows_that_wait_for_a_transformation_are_waited_for_and_not_multiplied(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-0"))
    for each in bench.tables.rows("sys_import_set"):
        bench.tables.update("sys_import_set", each["sys_id"], {"mode": "asynchronous"})
    (told,) = bench.write(bench.door, bench.order("PO-1"))
    assert isinstance(told.outage, Refused)
    staged = bench.executed()
    for _ in range(3):
        bench.clock.advance(60)
        (held,) = bench.write(bench.door, bench.order("PO-1", again=True))
        assert isinstance(held.outage, Ambiguous)
    assert bench.executed() == staged
    for each in bench.tables.rows("sys_import_set"):
        bench.simulator.transform(each["number"])
    bench.simulator.work()
    for each in bench.tables.rows("sys_import_set"):
        bench.tables.update("sys_import_set", each["sys_id"], {"mode": "synchronous", "state": "processed"})
    assert complete(bench.write(bench.door, bench.order("PO-1", again=True)), bench.order("PO-1"))


def emptied(document: MappedDocument, name: str) -> MappedDocument:
    """The document as it is sent when an earlier version may have held something in a column that is empty now."""
    rows = [
        replace(row, columns={**row.columns, name: "NULL"}, empty=(*row.empty, name)) if name in row.names else row
        for row in document.rows
    ]
    return replace(document, rows=tuple(rows))


def test_what_a_first_version_left_out_needs_no_emptying(bench: Bench) -> None:
    first = bench.document("PO-1", sample.order("PO-1", u_cost_center=""), sample.order_line("PO-1", "10000"))
    bench.write(bench.door, first)
    again = emptied(bench.order("PO-1", 10000, again=True), "u_payment_term")
    assert sent_again(bench, again) == [1, 0]  # it held a payment term
    assert bench.tables.rows(ORDERS)[0]["payment_term"] == ""
    header = replace(again.header, columns={**first.header.columns, "u_cost_center": "NULL"}, empty=("u_cost_center",))
    bench.write(bench.door, bench.document("PO-2", sample.order("PO-2", u_cost_center="")))
    second = replace(header, key=("BC-MAIN", "PO-2"), columns={**header.columns, "u_erp_po_number": "PO-2"})
    assert sent_again(bench, replace(again, id="PO-2", rows=(second,))) == [0, 0]


def test_what_an_older_row_has_brought_is_emptied(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1", 10000))
    bench.clock.advance(5)
    bench.write(bench.door, bench.document("PO-1", sample.order("PO-1", u_cost_center="")))
    without = bench.document("PO-1", sample.order("PO-1", u_cost_center=""), earlier=(), in_doubt=True)
    assert sent_again(bench, emptied(without, "u_cost_center")) == [1, 0]
    assert bench.tables.rows(ORDERS)[0]["cost_center"] == ""


# -- only a complete reading counts


@pytest.mark.parametrize(
    "injection",
    [
        Injection("drop_rows", method="GET", path=f"{READ}\\?", count=1),
        Injection("drop_rows", method="GET", path=f"{READ}\\?"),
        Injection("drop_field", method="GET", path=f"{READ}\\?", field="u_po_amount"),
        Injection("drop_field", method="GET", path=f"{READ}\\?", field="u_erp_po_number"),
        Injection("drop_field", method="GET", path=f"{READ}\\?", field="sys_import_state"),
        Injection("drop_field", method="GET", path=f"{READ}\\?", field="sys_target_sys_id"),
        Injection("drop_field", method="GET", path=f"{READ}\\?", field="sys_created_on"),
    ],
    ids=lambda each: f"{each.act}-{each.field}{each.count}",
)
def test_what_is_read_in_part_is_sent(bench: Bench, injection: Injection) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    bench.inject(injection)
    assert sent_again(bench, bench.order("PO-1", again=True)) == [1, 0]


def test_an_answer_to_another_question_counts_for_nothing(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    orders, lines = bench.route.tables[:2]
    columns = {**orders.columns, "u_gone": orders.columns["u_erp_source"]}
    misnamed = orders.model_copy(update={"key": ("u_gone", "u_erp_po_number"), "columns": columns})
    door = bench.another({orders.table: misnamed, lines.table: lines})
    document = bench.order("PO-1", again=True)
    header = replace(document.header, columns={**document.header.columns, "u_gone": "BC-MAIN"})
    assert complete(bench.write(door, replace(document, rows=(header, *document.rows[1:]))), document)
    assert bench.executed() == [2, 2]


def test_a_condition_that_is_dropped_makes_an_answer_worthless(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"), bench.order("PO-2"))
    bench.simulator.switches.set("query_acl_effect", "dropped")
    bench.simulator.access.add(rule(ORDER, ("query_match",), ("nobody",), column="u_erp_po_number"))
    assert sent_again(bench, bench.order("PO-1", again=True)) == [1, 0]


def test_who_may_not_read_staged_rows_sends_them(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    bench.simulator.access.add(rule(ORDER, ("read",), ("nobody",)))
    bench.simulator.access.add(rule(ORDER_LINE, ("read",), ("nobody",)))
    assert sent_again(bench, bench.order("PO-1", again=True)) == [1, 2]


def test_a_number_that_cannot_be_asked_for_is_sent(bench: Bench) -> None:
    bench.write(bench.door, bench.order("A,B^C"))
    assert sent_again(bench, bench.order("A,B^C", again=True)) == [1, 2]
    assert bench.looks() == 0


def test_while_staged_rows_cannot_be_read_nothing_is_sent_but_not_for_ever(bench: Bench) -> None:
    bench.write(bench.door, bench.order("PO-1"))
    bench.exchange.faults = [Fault("answer", method="GET", path=READ, status=503, times=None)]
    for _ in range(PATIENCE):
        (held,) = bench.write(bench.door, bench.order("PO-1", again=True))
        assert type(held.outage) is Outage
    assert bench.executed() == [1, 2]
    assert sent_again(bench, bench.order("PO-1", again=True)) == [1, 2]


def test_a_throttle_of_the_look_stops_all_that_would_have_to_look(bench: Bench) -> None:
    documents = [bench.order(f"PO-{number}", again=True) for number in range(150)]
    bench.exchange.faults = [Fault("answer", method="GET", path=READ, status=429, headers={"Retry-After": "33"})]
    delivered = bench.write(bench.door, *documents, bench.order("PO-9999"))
    assert all(isinstance(each.outage, Throttled) for each in delivered[:-1])
    assert bench.looks() == 0  # the one that was answered never reached the instance
    assert bench.executed() == [1, 2]


def test_without_time_nothing_is_looked_for(bench: Bench) -> None:
    (delivery,) = bench.write(bench.door, bench.order("PO-1", again=True), seconds=0.0)
    assert type(delivery.outage) is Outage
    assert bench.requests == []


# -- an order longer than one run


def test_an_order_longer_than_a_run_goes_on_where_the_last_one_ended() -> None:
    bench = Bench(row_seconds=0.5)
    lines = tuple(range(10_000, 12_500))
    document = bench.order("PO-1", *lines)
    (delivery,) = bench.write(bench.door, document)
    waits = []
    while delivery.outage is not None:
        assert isinstance(delivery.outage, Unfinished)
        waits.append(delivery.outage.retry_after)
        bench.clock.advance(delivery.outage.retry_after or 0.0)
        document = replace(document, earlier=lines, in_doubt=True)
        (delivery,) = bench.write(bench.another({each.table: each for each in bench.route.tables}), document)
        assert len(waits) < 20
    assert complete([delivery], document)
    assert waits == [1.0] * 4
    assert bench.executed() == [1, len(lines)]


def test_a_look_at_many_rows_keeps_few_of_them_in_memory(bench: Bench) -> None:
    lines = tuple(range(10_000, 12_000))
    document = bench.order("PO-1", *lines, again=True)
    for version in range(4):
        for row in document.rows[1:]:
            bench.tables.insert(ORDER_LINE, {**row.columns, "u_quantity": str(version), "sys_import_state": "inserted"})
    tracemalloc.start()
    found = bench.door.staged.find([document], [(0, row) for row in range(len(document.rows))], lambda: True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.results, found.looked_for) == ({}, {0})
    assert bench.looks() == 1 + 8
    assert peak < 32 * 1024 * 1024

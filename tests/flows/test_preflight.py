"""The gate before writing: what stands in the way at ServiceNow keeps documents waiting, and nothing is cut, parked or lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from connector.decisions.states import Status
from connector.flows.sweep import sweep_all
from connector.model.documents import Entity
from tests.flows.comparison import assert_each_record_was_written_once, end_differences
from tests.flows.pipeline import BATCH, INVOICES, ORDERS, SN_HOST, US, Pipeline, some
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.schema import Table
from tests.sandbox.servicenow.shipped import CONNECTOR_USER
from tests.sandbox.servicenow.store import Store
from tests.sandbox.wire import Fault

ORDER, ORDER_LINE = "sn_fcms_intg_imp_order", "sn_fcms_intg_imp_order_line"
INVOICE, INVOICE_LINE = "sn_spend_intg_imp_invoice", "sn_spend_intg_imp_invoice_line"
SUPPLIERS = "sn_fin_supplier"
EVERYTHING = frozenset({ORDERS, INVOICES})
JSON = {"Content-Type": "application/json"}

Act = Callable[[Pipeline], None]


@dataclass(frozen=True)
class Obstacle:
    """Something an administrator did, and undid. `stops`: the entities that cannot be written meanwhile; `code` says why."""

    code: str
    stops: frozenset[str]
    do: Act
    undo: Act


def tables(pipeline: Pipeline) -> Store:
    return pipeline.servicenow.tables


def column(table: str, name: str, /, **changes: Any) -> Act:
    """Changes a column; without changes, drops it."""

    def do(pipeline: Pipeline) -> None:
        definition = tables(pipeline).schema.table(table)
        kept = tuple(
            replace(one, **changes) if one.name == name else one
            for one in definition.columns
            if changes or one.name != name
        )
        tables(pipeline).define(replace(definition, columns=kept))

    return do


def define(table: Table) -> Act:
    return lambda pipeline: tables(pipeline).define(table)


def shipped(name: str) -> Table:
    return tables(Pipeline(data=some(orders=1, invoices=1))).schema.table(name)


def record(table: str, criteria: dict[str, str], **changes: str) -> Act:
    """Changes one record."""

    def do(pipeline: Pipeline) -> None:
        (row,) = tables(pipeline).find(table, criteria)
        tables(pipeline).update(table, row["sys_id"], changes)

    return do


def coalescing(value: str) -> Act:
    def do(pipeline: Pipeline) -> None:
        (one,) = tables(pipeline).find("sys_transform_map", {"name": "Order stage"})
        for entry in list(tables(pipeline).find("sys_transform_entry", {"map": one["sys_id"]})):
            if entry["source_field"] in ("u_erp_source", "u_erp_po_number"):
                tables(pipeline).update("sys_transform_entry", entry["sys_id"], {"coalesce": value})

    return do


def hidden(table: str) -> Act:
    return lambda pipeline: pipeline.servicenow.access.add(rule(table, ("read",), ("no_such_role",)))


def unhidden(pipeline: Pipeline) -> None:
    del pipeline.servicenow.access.rules[0]


def revoke(role: str) -> Act:
    return lambda pipeline: pipeline.servicenow.access.revoke(CONNECTOR_USER, role)


def grant(role: str) -> Act:
    return lambda pipeline: pipeline.servicenow.access.grant(CONNECTOR_USER, role)


def renamed(pipeline: Pipeline) -> None:
    definition = tables(pipeline).schema.table(ORDER)
    tables(pipeline).remove(ORDER)
    tables(pipeline).define(replace(definition, name="u_imp_order"))


def removed(name: str) -> Act:
    return lambda pipeline: tables(pipeline).remove(name)


SHIPPED = {name: shipped(name) for name in (ORDER, ORDER_LINE, INVOICE, INVOICE_LINE)}
THE_MAP = {"name": "Order stage"}
OBSTACLES: dict[str, Obstacle] = {
    "the integration role is revoked": Obstacle(
        "ROLE_MISSING",
        EVERYTHING,
        revoke("sn_fcms_intg.integration_user"),
        grant("sn_fcms_intg.integration_user"),
    ),
    "the import role is revoked": Obstacle(
        "ROLE_MISSING", EVERYTHING, revoke("import_transformer"), grant("import_transformer")
    ),
    "the AP role is revoked": Obstacle(
        "ROLE_MISSING",
        EVERYTHING,
        revoke("sn_spend_intg.procurement_integrator"),
        grant("sn_spend_intg.procurement_integrator"),
    ),
    "suppliers are hidden": Obstacle("SUPPLIERS_CLOSED", EVERYTHING, hidden(SUPPLIERS), unhidden),
    "the order table is renamed": Obstacle("TABLE_MISSING", frozenset({ORDERS}), renamed, define(SHIPPED[ORDER])),
    "the invoice line table is removed": Obstacle(
        "TABLE_MISSING", frozenset({INVOICES}), removed(INVOICE_LINE), define(SHIPPED[INVOICE_LINE])
    ),
    "a column is dropped": Obstacle(
        "COLUMN_MISSING", frozenset({ORDERS}), column(ORDER_LINE, "u_unit_price"), define(SHIPPED[ORDER_LINE])
    ),
    "a column is renamed": Obstacle(
        "COLUMN_MISSING",
        frozenset({INVOICES}),
        column(INVOICE, "u_subtotal", name="u_sub_total"),
        define(SHIPPED[INVOICE]),
    ),
    "a column became mandatory": Obstacle(
        "MANDATORY_WITHOUT_RULE",
        frozenset({ORDERS}),
        column(ORDER, "u_business_owner", mandatory=True),
        define(SHIPPED[ORDER]),
    ),
    "the table is no import set any more": Obstacle(
        "NOT_AN_IMPORT_SET",
        frozenset({ORDERS}),
        define(replace(SHIPPED[ORDER], extends="")),
        define(SHIPPED[ORDER]),
    ),
    "web services are barred": Obstacle(
        "TABLE_BARRED",
        frozenset({ORDERS}),
        record("sys_db_object", {"name": ORDER}, ws_access="false"),
        record("sys_db_object", {"name": ORDER}, ws_access="true"),
    ),
    "the map is inactive": Obstacle(
        "MAP_INACTIVE",
        frozenset({ORDERS}),
        record("sys_transform_map", THE_MAP, active="false"),
        record("sys_transform_map", THE_MAP, active="true"),
    ),
    "the map does not coalesce": Obstacle("MAP_KEY", frozenset({ORDERS}), coalescing("false"), coalescing("true")),
    "the map writes elsewhere": Obstacle(
        "DRIFT_OF_IDENTITY",
        frozenset({ORDERS}),
        record("sys_transform_map", THE_MAP, target_table="sn_shop_order"),
        record("sys_transform_map", THE_MAP, target_table="sn_shop_purchase_order"),
    ),
}


def staged_entities(pipeline: Pipeline, *, since: int) -> set[str]:
    """The entities of which rows were sent."""
    sent = {row.table for row in pipeline.sent_rows(since=since)}
    return {
        entity for entity, prefix in ((ORDERS, ORDER), (INVOICES, INVOICE)) if any(t.startswith(prefix) for t in sent)
    }


@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES)
def test_nothing_is_written_while_it_stands_and_everything_once_it_is_gone(obstacle: Obstacle) -> None:
    pipeline = Pipeline(data=some(orders=7, invoices=5))
    # The connector has seen the instance in order before: what it looked like is on record.
    pipeline.parts.preflight.refusal(Entity.PURCHASE_ORDER)
    obstacle.do(pipeline)
    pipeline.clock.advance(901)
    pipeline.poll()
    pipeline.work()
    assert staged_entities(pipeline, since=0) == EVERYTHING - obstacle.stops
    assert pipeline.parked() == {}
    waiting = [state for state in pipeline.states().values() if state.status is Status.PENDING]
    assert {state.attempt for state in waiting} == {1}
    (told,) = {
        json.loads(pipeline.trail(US, waiting[0].id, entity=kind)[-1].detail)["why"]
        for kind in obstacle.stops
        if pipeline.trail(US, waiting[0].id, entity=kind)
    }
    assert obstacle.code in told
    obstacle.undo(pipeline)
    pipeline.drain()
    pipeline.run()
    assert end_differences(pipeline, each="once") == []
    assert_each_record_was_written_once(pipeline)
    assert pipeline.parked() == {}
    assert pipeline.faults == []


@pytest.mark.parametrize("role", ["sn_fcms_intg.integration_user", "import_transformer"])
def test_ten_days_without_a_role_park_nothing_and_write_nothing(role: str) -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3)[:1])
    pipeline.servicenow.access.revoke(CONNECTOR_USER, role)
    pipeline.poll()
    end = pipeline.clock.now() + timedelta(days=10)
    while (due := pipeline.queues.next_visible("documents")) is not None and due < end:
        pipeline.clock.advance_to(due)
        pipeline.work()
    assert pipeline.writes() == 0
    assert pipeline.parked() == {}
    assert pipeline.poison() == []
    # Waits grow to hours, so that ten days are not hammered away.
    assert len(pipeline.wire.to(SN_HOST)) < 2500
    pipeline.servicenow.access.grant(CONNECTOR_USER, role)
    pipeline.drain()
    assert end_differences(pipeline, each="once") == []


def test_a_role_revoked_behind_a_fresh_look_costs_one_refused_request_and_no_more() -> None:
    pipeline = Pipeline(data=some(orders=7, invoices=5))
    pipeline.parts.preflight.refusal(Entity.PURCHASE_ORDER)
    pipeline.clock.advance(61)
    pipeline.servicenow.access.revoke(CONNECTOR_USER, "sn_fcms_intg.integration_user")
    pipeline.poll()
    for _ in range(20):
        pipeline.work()
        pipeline.clock.advance(60)
    assert pipeline.writes() == 1
    pipeline.servicenow.access.grant(CONNECTOR_USER, "sn_fcms_intg.integration_user")
    pipeline.drain()
    assert end_differences(pipeline, each="once") == []


def test_only_documents_with_a_longer_value_are_parked_when_a_column_is_shortened() -> None:
    pipeline = Pipeline(data=some(orders=36, invoices=0)[:1])
    longest = {
        one.id: max(len(str(line.values["description"])) for line in one.lines if line.values["lineType"] != "Comment")
        for one in pipeline.landscape.data[0].orders
        if one.header["status"] == "Open"
    }
    limit = sorted(longest.values())[len(longest) // 2]
    column(ORDER_LINE, "u_short_description", max_length=limit)(pipeline)
    pipeline.run()
    too_long = {id_ for id_, length in longest.items() if length > limit}
    found = {id_ for id_, reasons in pipeline.parked().items() if "TEXT_TOO_LONG" in {code for code, _ in reasons}}
    assert found == too_long
    assert too_long
    assert longest.keys() & pipeline.with_status(Status.DONE)
    texts = [reason["message"] for id_ in too_long for reason in json.loads(pipeline.states()[id_].reasons)]
    assert any(f"the column holds {limit}" in text for text in texts)
    assert max(len(row.columns.get("u_short_description", "")) for row in pipeline.sent_rows()) <= limit


def test_a_longer_column_than_the_profile_says_changes_nothing() -> None:
    pipeline = Pipeline(data=some(orders=7, invoices=5))
    column(ORDER_LINE, "u_short_description", max_length=4000)(pipeline)
    pipeline.run()
    assert end_differences(pipeline, each="once") == []


@pytest.mark.parametrize(
    "table",
    [
        "sys_db_object",
        "sys_dictionary",
        "sys_choice",
        "sys_transform_map",
        "sys_transform_entry",
        "sys_rate_limit_rules",
        "sys_user_has_role",
        "sys_user_role",
        "sys_script",
        "sys_import_set",
        "sys_*",
    ],
)
def test_what_the_user_may_not_read_of_the_instance_stops_nothing(table: str) -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3))
    pipeline.servicenow.access.add(rule(table, ("read",), ("no_such_role",)))
    pipeline.run()
    assert end_differences(pipeline, each="once") == []


UNREADABLE: dict[str, dict[str, Any]] = {
    "403": {"effect": "answer", "status": 403, "headers": JSON, "answer": '{"error":{"message":"no"}}'},
    "503": {"effect": "answer", "status": 503, "headers": {"Content-Type": "text/html"}, "answer": "down"},
    "a page": {"effect": "answer", "status": 200, "headers": {"Content-Type": "text/html"}, "answer": "<html>"},
    "half an answer": {"effect": "cut_body"},
    "cancelled": {"effect": "answer", "status": 500, "headers": JSON, "answer": '{"error":{"message":"cancelled"}}'},
    "no sense": {"effect": "answer", "status": 200, "headers": JSON, "answer": '{"result":"?"}'},
    "nothing": {"effect": "answer", "status": 200, "headers": JSON, "answer": '{"result":[]}'},
}


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_a_dictionary_that_never_answers_stops_nothing(fault: dict[str, Any]) -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3))
    pipeline.sn_exchange.faults.append(Fault(path="/table/sys_", times=None, **fault))
    pipeline.run()
    assert end_differences(pipeline, each="once") == []


def test_an_instance_that_says_wait_is_left_alone_by_the_look_before_writing() -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3))
    refusal = Fault(
        "answer", path="sys_dictionary", status=429, headers=JSON | {"Retry-After": "120"}, answer='{"error":{}}'
    )
    pipeline.sn_exchange.faults.append(refusal)
    pipeline.poll()
    pipeline.work()
    asked = len(pipeline.wire.to(SN_HOST))
    pipeline.clock.advance(119)
    pipeline.work()
    assert len(pipeline.wire.to(SN_HOST)) == asked
    pipeline.clock.advance(1)
    pipeline.drain()
    assert end_differences(pipeline, each="once") == []


def test_the_look_comes_before_every_write_and_once_in_a_quarter_of_an_hour() -> None:
    pipeline = Pipeline(data=some())
    pipeline.run(polls=3)
    paths = [sent.path for sent in pipeline.wire.to(SN_HOST)]
    looks = [place for place, path in enumerate(paths) if path.endswith(("/sys_dictionary", "/sys_user_has_role"))]
    assert len(looks) == 2
    assert max(looks) < paths.index(BATCH)


def test_an_order_that_is_gone_is_not_cancelled_by_half_while_a_column_is_missing() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    pipeline.run()
    done = pipeline.with_status(Status.DONE)
    order = next(
        one
        for one in pipeline.landscape.data[0].orders
        if one.id in done and not any(line.values["receivedQuantity"] for line in one.lines)
    )
    writes = pipeline.writes()
    column(ORDER_LINE, "u_unit_price")(pipeline)
    pipeline.clock.advance(901)
    pipeline.business_central.delete(US, ORDERS, order.number)
    sweep_all(pipeline.parts)
    pipeline.work()
    assert pipeline.writes() == writes
    assert pipeline.states()[order.id].status is Status.PENDING
    define(SHIPPED[ORDER_LINE])(pipeline)
    pipeline.drain()
    assert (pipeline.states()[order.id].status, pipeline.states()[order.id].outcome) == (Status.CLOSED, "cancelled")


def test_what_changed_is_kept_in_mind_over_a_restart() -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3)[:1])
    pipeline.run()
    record("sys_transform_map", THE_MAP, target_table="sn_shop_order")(pipeline)
    later = Pipeline(clock=pipeline.clock, landscape=pipeline.landscape, tables=pipeline.tables, queues=pipeline.queues)
    refusal = later.parts.preflight.refusal(Entity.PURCHASE_ORDER)
    assert "target of Order stage: sn_shop_purchase_order -> sn_shop_order" in str(refusal)
    preflight = later.parts.preflight
    preflight.accept(preflight.judgement(preflight.catalog.facts()))
    later.clock.advance(901)
    assert later.parts.preflight.refusal(Entity.PURCHASE_ORDER) is None


def refusal_of_orders(pipeline: Pipeline) -> str:
    return str(pipeline.parts.preflight.refusal(Entity.PURCHASE_ORDER) or "")


def test_a_failing_finding_is_looked_at_again_after_five_minutes_and_not_before() -> None:
    pipeline = Pipeline(data=some(orders=1, invoices=1))
    column(ORDER_LINE, "u_unit_price")(pipeline)
    assert "COLUMN_MISSING" in refusal_of_orders(pipeline)
    define(SHIPPED[ORDER_LINE])(pipeline)
    asked = len(pipeline.wire.to(SN_HOST))
    pipeline.clock.advance(299)
    assert "COLUMN_MISSING" in refusal_of_orders(pipeline)
    assert len(pipeline.wire.to(SN_HOST)) == asked
    pipeline.clock.advance(2)
    assert refusal_of_orders(pipeline) == ""


def test_a_table_that_was_never_in_order_is_no_measure_for_later() -> None:
    pipeline = Pipeline(data=some(orders=1, invoices=1))
    coalescing("false")(pipeline)
    assert "MAP_KEY" in refusal_of_orders(pipeline)
    coalescing("true")(pipeline)
    pipeline.clock.advance(901)
    assert refusal_of_orders(pipeline) == ""

"""Ten days of an obstacle at ServiceNow, for every write door: nothing is written, nothing is parked, everything waits; and
when somebody has put it right, all of it arrives once, without help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.decisions.states import Status
from connector.flows.rescue import rescue_all
from tests.flows.carriers import CARRIERS, Carrier, carrying, differences, executed, not_at_rest, sample
from tests.flows.expectation import expectations
from tests.flows.pipeline import INVOICES, ORDERS, SN_HOST, Pipeline
from tests.sandbox.servicenow.schema import Table
from tests.sandbox.servicenow.shipped import CONNECTOR_USER

TEN_DAYS, STEP = timedelta(days=10), timedelta(hours=6)
MOST_CALLS = 4000
"""In ten days; so nobody hammers at an instance that is closed."""
CONFIRMS_CATALOG = 901.0
RULE = {"name": "Everybody", "type": "all", "rest_api": "", "request_limit": "50", "active": "true"}

Act = Callable[[Pipeline], None]


@dataclass(frozen=True)
class At:
    """Where a door can be hit: the role it needs, its tables, a column of its lines, and one that holds long texts."""

    role: str
    header: str
    line: str
    column: str
    text: str


ORDER_TABLES = At(
    "sn_fcms_intg.integration_user",
    "sn_fcms_intg_imp_order",
    "sn_fcms_intg_imp_order_line",
    "u_unit_price",
    "u_short_description",
)
PLACES: dict[Carrier, At] = {
    "batch": ORDER_TABLES,
    "insert_multiple": ORDER_TABLES,
    "ap_invoice": At(
        "sn_spend_intg.procurement_integrator",
        "sn_spend_intg_imp_invoice",
        "sn_spend_intg_imp_invoice_line",
        "u_line_unit_price",
        "u_line_description",
    ),
    "table": At("procurement_user", "proc_po", "proc_po_item", "u_currency", "short_description"),
}


def small(door: Carrier, folder: Path) -> Pipeline:
    """A few documents of the kind that the door is for."""
    return carrying(door, folder, (sample(0, 10) if door == "ap_invoice" else sample(10, 0))[:1])


def definition(pipeline: Pipeline, table: str) -> Table:
    return pipeline.servicenow.tables.schema.table(table)


def updating(table: str, sys_id: str, **changes: str) -> Act:
    def do(pipeline: Pipeline) -> None:
        pipeline.servicenow.tables.update(table, sys_id, changes)

    return do


def revoked(place: At, pipeline: Pipeline) -> Act:
    pipeline.servicenow.access.revoke(CONNECTOR_USER, place.role)
    return lambda p: p.servicenow.access.grant(CONNECTOR_USER, place.role)


def renamed(place: At, pipeline: Pipeline) -> Act:
    shipped = definition(pipeline, place.header)
    pipeline.servicenow.tables.remove(place.header)
    pipeline.servicenow.tables.define(replace(shipped, name="u_renamed"))
    return lambda p: p.servicenow.tables.define(shipped)


def dropped(place: At, pipeline: Pipeline) -> Act:
    shipped = definition(pipeline, place.line)
    kept = tuple(one for one in shipped.columns if one.name != place.column)
    assert len(kept) == len(shipped.columns) - 1
    pipeline.servicenow.tables.define(replace(shipped, columns=kept))
    return lambda p: p.servicenow.tables.define(shipped)


def deactivated(place: At, pipeline: Pipeline) -> Act:
    tables = pipeline.servicenow.tables
    (row,) = tables.find("sys_transform_map", {"source_table": place.header})
    tables.update("sys_transform_map", row["sys_id"], {"active": "false"})
    return updating("sys_transform_map", row["sys_id"], active="true")


def expired(_place: At, pipeline: Pipeline) -> Act:
    tables = pipeline.servicenow.tables
    (client,) = tables.find("oauth_entity", {"client_id": pipeline.settings.sn_client_id})
    secret = client["client_secret"]
    tables.update("oauth_entity", client["sys_id"], {"client_secret": "another"})
    pipeline.servicenow.credentials.revoke_tokens()
    return updating("oauth_entity", client["sys_id"], client_secret=secret)


def hibernating(_place: At, pipeline: Pipeline) -> Act:
    pipeline.servicenow.switches.state = "hibernating"
    return lambda p: p.servicenow.switches.set("state", "up")


OUTAGES: dict[str, Callable[[At, Pipeline], Act]] = {
    "the role is revoked": revoked,
    "the table is renamed": renamed,
    "a column is dropped": dropped,
    "the map is inactive": deactivated,
    "the secret has expired": expired,
    "the instance hibernates": hibernating,
}
CASES = [
    (door, outage) for door in CARRIERS for outage in OUTAGES if door != "table" or outage != "the map is inactive"
]


def days_pass(pipeline: Pipeline, span: timedelta) -> None:
    """Works each message when its time comes, and rescues now and then, as the timers do."""
    end, rescued = pipeline.clock.now() + span, pipeline.clock.now()
    while (due := pipeline.queues.next_visible(pipeline.settings.documents_queue)) is not None and due < end:
        pipeline.clock.advance_to(due)
        pipeline.work()
        if pipeline.clock.now() - rescued >= STEP:
            rescued = pipeline.clock.now()
            rescue_all(pipeline.parts)
    assert due is not None
    pipeline.clock.advance_to(end)


@pytest.mark.parametrize(("door", "outage"), CASES)
def test_ten_days_of_an_obstacle_write_nothing_park_nothing_and_lose_nothing(
    door: Carrier, outage: str, tmp_path: Path
) -> None:
    pipeline = small(door, tmp_path)
    put_right = OUTAGES[outage](PLACES[door], pipeline)
    pipeline.poll()
    pipeline.work()
    days_pass(pipeline, TEN_DAYS)
    carried = {id_ for id_, each in expectations(pipeline.landscape).items() if each.fate == "staged"}
    assert executed(door, pipeline) == 0
    if outage != "the instance hibernates":  # which nobody can tell from a page that comes in the answer's place
        assert pipeline.writes() == 0
    assert pipeline.with_status(Status.PENDING) >= carried
    assert {pipeline.states()[id_].rescues for id_ in carried} == {0}
    assert pipeline.parked().keys() & carried == set()
    assert pipeline.faults == []
    assert len(pipeline.wire.to(SN_HOST)) < MOST_CALLS
    put_right(pipeline)
    pipeline.drain()
    found = differences(door, pipeline)
    assert (found, not_at_rest(pipeline)) == ([], [])
    least = sum(len(each.rows) for each in expectations(pipeline.landscape).values())
    assert executed(door, pipeline) == (len(carried) if door == "ap_invoice" else least)


@pytest.mark.parametrize("door", CARRIERS)
def test_ten_days_of_a_shortened_column_cut_nothing_hold_up_only_what_does_not_fit_and_end_by_themselves(
    door: Carrier, tmp_path: Path
) -> None:
    pipeline, place = small(door, tmp_path), PLACES[door]
    shipped = definition(pipeline, place.line)
    carried = {id_: each for id_, each in expectations(pipeline.landscape).items() if each.fate == "staged"}
    source = "u_line_description" if door == "ap_invoice" else "u_short_description"
    longest = {id_: max(len(row.columns[source]) for row in each.rows[1:]) for id_, each in carried.items()}
    limit = sorted(longest.values())[len(longest) // 2]
    columns = tuple(replace(one, max_length=limit) if one.name == place.text else one for one in shipped.columns)
    pipeline.servicenow.tables.define(replace(shipped, columns=columns))
    pipeline.poll()
    pipeline.drain()
    pipeline.clock.advance(TEN_DAYS.total_seconds())
    rescue_all(pipeline.parts)
    pipeline.run()
    too_long = {id_ for id_, length in longest.items() if length > limit}
    assert {id_ for id_ in pipeline.parked() if id_ in carried} == too_long
    assert too_long
    assert too_long != carried.keys()
    assert pipeline.with_status(Status.DONE) == carried.keys() - too_long
    pipeline.servicenow.tables.define(shipped)
    pipeline.clock.advance(CONFIRMS_CATALOG)
    rescue_all(pipeline.parts)  # nobody helps: a timer sees that the column holds more again
    pipeline.drain()
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])


@pytest.mark.parametrize("door", CARRIERS)
def test_fifty_calls_an_hour_make_everything_late_and_nothing_wrong(door: Carrier, tmp_path: Path) -> None:
    pipeline = small(door, tmp_path)
    tables = pipeline.servicenow.tables
    tables.insert("sys_rate_limit_rules", RULE)
    entity = INVOICES if door == "ap_invoice" else ORDERS
    carried = [each for each in expectations(pipeline.landscape).values() if each.fate == "staged"]
    began = pipeline.clock.now()
    for round_ in range(75):
        pipeline.poll()
        pipeline.work()
        each = carried[round_ % len(carried)]
        company = next(one.name for one in pipeline.landscape.data if each.id in {d.id for d in one.documents[entity]})
        line = int(each.rows[1].line)
        pipeline.business_central.edit_line(company, each.id, line, entity=entity, quantity=round_ + 2)
        pipeline.clock.advance(60)
    pipeline.run()
    statuses = [sent.status for sent in pipeline.wire.to(SN_HOST)]
    assert 429 in statuses
    assert pipeline.clock.now() - began > timedelta(hours=1)
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])

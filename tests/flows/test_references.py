"""References: what documents refer to is held against the master data of both systems before anything is written, what does not
hold is set aside alone, and goes on by itself once it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from connector.decisions.states import Status
from connector.flows.rescue import rescue_all
from tests.flows.pipeline import BATCH, INVOICES, US, Pipeline, reasons, some
from tests.sandbox.sample.masters import record_id

HOUR = 3600


def value_id(code: str, dimension: str = "DEPARTMENT") -> str:
    return record_id("US", "dimensionValue", dimension, code)


def with_orders(**settings: str) -> Pipeline:
    return Pipeline(data=some(orders=14, invoices=8, posted=False)[:1], settings=settings)


def checks(tmp_path: Path, text: str) -> str:
    file = tmp_path / "checks.toml"
    file.write_text(text, "utf-8")
    return str(file)


def rescue(pipeline: Pipeline, seconds: float = 300) -> None:
    pipeline.clock.advance(seconds)
    rescue_all(pipeline.parts)
    pipeline.drain()


def codes(pipeline: Pipeline) -> set[str]:
    return {reason["code"] for state in pipeline.states().values() for reason in reasons(state)}


def edit(entity: str, number: str, **changes: object) -> Callable[[Pipeline], None]:
    """A change of master data in BC."""
    return lambda pipeline: pipeline.business_central.edit_header(US, number, entity=entity, **changes)  # type: ignore[arg-type]


def cost_centre(**changes: str) -> Callable[[Pipeline], None]:
    """A change of a cost centre in ServiceNow that the sample's documents use."""

    def change(pipeline: Pipeline) -> None:
        (row,) = pipeline.servicenow.tables.find("cmn_cost_center", {"code": "PROD"})
        pipeline.servicenow.tables.update("cmn_cost_center", row["sys_id"], changes)

    return change


BREAKS_AND_MENDS: dict[str, tuple[Callable[[Pipeline], None], Callable[[Pipeline], None]]] = {
    "DIMENSION_VALUE_BLOCKED": (
        edit("dimensionValues", value_id("PROD"), blocked=True),
        edit("dimensionValues", value_id("PROD"), blocked=False),
    ),
    "DIMENSION_VALUE_NOT_FOR_POSTING": (
        edit("dimensionValues", value_id("PROD"), dimensionValueType="Total"),
        edit("dimensionValues", value_id("PROD"), dimensionValueType="Standard"),
    ),
    "ACCOUNT_BLOCKED": (edit("accounts", "61300", blocked=True), edit("accounts", "61300", blocked=False)),
    "ACCOUNT_NO_DIRECT_POSTING": (
        edit("accounts", "60600", directPosting=False),
        edit("accounts", "60600", directPosting=True),
    ),
    "ACCOUNT_NOT_FOR_POSTING": (
        edit("accounts", "60600", accountType="Heading"),
        edit("accounts", "60600", accountType="Posting"),
    ),
    "VENDOR_BLOCKED": (edit("vendors", "10000", blocked="All"), edit("vendors", "10000", blocked=" ")),
    "COST_CENTRE_UNKNOWN": (cost_centre(account_number="9"), cost_centre(account_number="2000-PRD")),
    "COST_CENTRE_NOT_VALID": (cost_centre(valid_to="2020-12-31 23:59:59"), cost_centre(valid_to="")),
}


@pytest.mark.parametrize("code", BREAKS_AND_MENDS)
def test_what_does_not_hold_is_set_aside_alone_and_goes_on_by_itself_once_it_holds(code: str) -> None:
    broken, mend = BREAKS_AND_MENDS[code]
    sound = with_orders()
    sound.run()
    expected = {id_: state.status for id_, state in sound.states().items()}
    pipeline = with_orders()
    broken(pipeline)
    pipeline.run()
    parked = pipeline.parked().keys() - sound.parked().keys()
    assert parked, "the sample has documents that refer to it"
    assert codes(pipeline) - codes(sound) == {code}
    sent = json.dumps([row.columns for row in pipeline.sent_rows()])
    for id_, state in pipeline.states().items():
        assert state.status is (Status.PARKED if id_ in parked else expected[id_]), "nobody else is held up"
        if id_ in parked:
            assert (state.intents, state.sys_id) == (0, ""), "nothing of it was sent"
            assert f'"{state.number}"' not in sent
    (remedy,) = {each["remedy"] for id_ in parked for each in reasons(pipeline.states()[id_]) if each["code"] == code}
    assert "BC" in remedy or "ServiceNow" in remedy
    rescue(pipeline)
    assert parked <= pipeline.parked().keys(), "nothing has changed yet"
    mend(pipeline)
    rescue(pipeline)
    assert {id_: state.status for id_, state in pipeline.states().items()} == expected
    for id_ in parked:
        entity = "purchaseOrders" if "order" in pipeline.states()[id_].target else INVOICES
        trail = pipeline.trail(US, id_, entity=entity)
        assert [event.action for event in trail].count("replayed") == 1
        assert json.loads(next(event.detail for event in trail if event.action == "replayed"))["who"] == "connector"
        assert json.loads(trail[-1].detail)["resolves"] == [code]


def test_no_write_comes_before_roles_and_references_were_asked() -> None:
    pipeline = with_orders()
    pipeline.run()
    paths = [sent.path for sent in pipeline.wire.requests]
    first_write = paths.index(BATCH)
    asked = {path.rpartition("/")[2] for path in paths[:first_write]}
    assert {
        "sys_user_has_role",
        "sn_fin_supplier",
        "cmn_cost_center",
        "dimensionValues",
        "accounts",
        "vendors",
    } <= asked


def test_references_are_read_once_for_as_long_as_they_are_believed_and_the_limit_is_a_setting() -> None:
    pipeline = with_orders(REFERENCE_MINUTES="30")
    pipeline.run()

    def read(minutes: int) -> set[str]:
        before = len(pipeline.wire.requests)
        pipeline.clock.advance(60 * minutes)
        order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open")
        pipeline.business_central.edit_line(US, order.number, 10000, quantity=minutes)
        pipeline.run()
        names = {sent.path.rpartition("/")[2] for sent in pipeline.wire.requests[before:]}
        return names & {"dimensionValues", "accounts", "cmn_cost_center", "generalLedgerSetup"}

    assert read(20) == set()
    assert {"dimensionValues", "generalLedgerSetup", "cmn_cost_center"} <= read(11)


def test_what_an_old_reading_does_not_know_is_read_anew_before_it_is_called_missing() -> None:
    pipeline = with_orders(REFERENCE_MINUTES="1440")
    pipeline.run()
    pipeline.clock.advance(HOUR)
    bc = pipeline.business_central
    row = {"id": value_id("NEW"), "code": "NEW", "dimensionId": record_id("US", "dimension", "AREA")}
    bc.add_row(
        US, "dimensionValues", row | {"dimensionCode": "AREA", "dimensionValueType": "Standard", "blocked": False}
    )
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open")
    bc.set_dimension(US, order.number, "AREA", "NEW", sequence=10000)
    bc.edit_line(US, order.number, 10000, quantity=77)
    pipeline.run()
    assert pipeline.states()[order.id].status is Status.DONE
    assert "77" in {row.columns.get("u_quantity") for row in pipeline.sent_rows()}


def test_what_servicenow_has_already_is_not_held_against_anything_any_more() -> None:
    pipeline = with_orders()
    pipeline.run()
    done = pipeline.with_status(Status.DONE)
    edit("vendors", "10000", blocked="All")(pipeline)
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["vendorNumber"] == "10000")
    pipeline.clock.advance(2 * HOUR)
    pipeline.business_central.edit_header(US, order.number, purchaser="XX")  # a new version with the same rows
    pipeline.run()
    assert pipeline.with_status(Status.DONE) == done


def test_severity_says_whether_a_fault_parks_is_noted_or_ignored(tmp_path: Path) -> None:
    ends = {}
    for level in ("park", "warn", "off"):
        pipeline = with_orders(CHECKS=checks(tmp_path, f'[severity]\nVENDOR_BLOCKED = "{level}"\n'))
        edit("vendors", "10000", blocked="All")(pipeline)
        pipeline.run()
        concerned = [
            one for one in pipeline.states().values() if one.vendor == "10000" and one.status is not Status.WAITING
        ]
        trails = [event for one in concerned for event in pipeline.trail(US, one.id)]
        noted = [json.loads(event.detail).get("noted", []) for event in trails if event.action == "intent"]
        ends[level] = ({one.status for one in concerned}, {each["code"] for listed in noted for each in listed})
    assert ends == {
        "park": ({Status.PARKED}, set()),
        "warn": ({Status.DONE}, {"VENDOR_BLOCKED"}),
        "off": ({Status.DONE}, set()),
    }


def test_a_closed_period_is_noted_and_holds_up_nobody() -> None:
    pipeline = with_orders()
    setup = record_id("US", "generalLedgerSetup")
    pipeline.business_central.edit_header(US, setup, entity="generalLedgerSetup", allowPostingFrom=date(2030, 1, 1))
    pipeline.run()
    assert "POSTING_DATE_OUTSIDE_WINDOW" not in codes(pipeline)
    done = [id_ for id_ in pipeline.with_status(Status.DONE) if pipeline.trail(US, id_)]
    intents = [event for id_ in done for event in pipeline.trail(US, id_) if event.action == "intent"]
    assert intents
    for event in intents:
        assert [each["code"] for each in json.loads(event.detail)["noted"]] == ["POSTING_DATE_OUTSIDE_WINDOW"]


def test_a_warehouse_gives_its_cost_centre_to_lines_without_one_and_refuses_others(tmp_path: Path) -> None:
    rule = '[companies.us.warehouses.{}]\ncost_centres = ["{}"]\nfill = "{}"\n'
    text = "".join(rule.format(place, "WAREHOUSE", "WAREHOUSE") for place in ("EAST", "WEST", "MAIN"))
    pipeline = with_orders(CHECKS=checks(tmp_path, text))
    order = next(
        one
        for one in pipeline.landscape.data[0].orders
        if one.header["status"] == "Open" and all(line.values["lineType"] == "Item" for line in one.lines)
    )
    bc = pipeline.business_central
    for line in order.lines:
        bc.set_dimension(US, order.number, "DEPARTMENT", "", sequence=int(str(line.values["sequence"])))
        bc.edit_line(
            US, order.number, int(str(line.values["sequence"])), locationId=record_id("US", "location", "EAST")
        )
    pipeline.run()
    assert pipeline.states()[order.id].status is Status.DONE
    lines = [row for row in pipeline.sent_rows() if row.line and row.columns.get("u_erp_po_number") == order.number]
    assert {row.columns["u_cost_center"] for row in lines} == {"5000-WHS"}
    assert "WAREHOUSE_COST_CENTRE_WRONG" in codes(pipeline), "other orders go there with other departments"


def test_what_changes_to_and_fro_without_ever_holding_is_looked_at_ever_more_rarely() -> None:
    pipeline = with_orders()
    edit("accounts", "61300", blocked=True)(pipeline)
    pipeline.run()
    parked = pipeline.parked()
    (id_,) = (id_ for id_, found in list(parked.items())[:1] if "ACCOUNT_BLOCKED" in {code for code, _ in found})
    tries = []
    for turn in range(100):
        edit("accounts", "61300", directPosting=turn % 2 == 1)(pipeline)
        rescue(pipeline, 360)
        tries.append(sum(event.action == "replayed" for event in pipeline.trail(US, id_)))
    assert tries[0] == 1
    assert 3 <= tries[-1] <= 7, "100 changes in ten hours make a few looks only"
    assert pipeline.parked() == parked


def test_a_severity_that_is_relaxed_lets_go_on_what_was_parked_for_it(tmp_path: Path) -> None:
    first = with_orders()
    edit("vendors", "10000", blocked="All")(first)
    first.run()
    parked = first.parked()
    assert parked
    second = Pipeline(
        clock=first.clock,
        landscape=first.landscape,
        tables=first.tables,
        queues=first.queues,
        settings={"CHECKS": checks(tmp_path, '[severity]\nVENDOR_BLOCKED = "off"\n')},
    )
    rescue(second)
    assert second.parked() == {id_: found for id_, found in parked.items() if ("VENDOR_BLOCKED", "") not in found}

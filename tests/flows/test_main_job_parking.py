"""Documents that cannot be carried as they are: parked whole, with every reason, and staged once the cause is mended."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from math import log2

import pytest

from connector.decisions.states import Status
from connector.flows.overview import overview
from connector.model.units import decode_unit
from tests.flows.comparison import end_differences, rest_differences, rows_in_staging
from tests.flows.expectation import expectations, receipts_of
from tests.flows.pipeline import (
    BATCH,
    BC_HOST,
    INVOICES,
    MEMOS,
    ORDERS,
    RECEIPTS,
    SN_HOST,
    TOKEN,
    US,
    Pipeline,
    reasons,
    some,
)
from tests.flows.test_credit_memos import memo
from tests.sandbox.business_central.records import Line
from tests.sandbox.business_central.simulator import BusinessCentral
from tests.sandbox.sample.masters import record_id
from tests.sandbox.wire import Fault

ORDER, INVOICE = "106002", "108000"
UNKNOWN_TERMS = record_id("US", "terms", "21 DAYS")
TOO_LONG = "Conference table with cable tray, oak (1)"


def add_department(business_central: BusinessCentral, company: str, code: str) -> None:
    """A department that nobody told ServiceNow about."""
    key = "US" if company == US else "DE"
    row = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{company} {code}")),
        "code": code,
        "dimensionId": record_id(key, "dimension", "DEPARTMENT"),
        "displayName": code,
    }
    business_central.add_row(company, "dimensionValues", dict(row))


def unknown_terms(bc: BusinessCentral) -> None:
    bc.edit_header(US, ORDER, paymentTermsId=UNKNOWN_TERMS)


def unknown_supplier(bc: BusinessCentral) -> None:
    bc.edit_header(US, ORDER, vendorNumber="50000")


def unknown_department_of_a_line(bc: BusinessCentral) -> None:
    add_department(bc, US, "CANTEEN")
    bc.set_dimension(US, ORDER, "DEPARTMENT", "CANTEEN", sequence=30000)


def unknown_department_of_the_header(bc: BusinessCentral) -> None:
    add_department(bc, US, "CANTEEN")
    bc.set_dimension(US, ORDER, "DEPARTMENT", "CANTEEN")


def text_too_long_in_one_line(bc: BusinessCentral) -> None:
    bc.edit_line(US, INVOICE, 20000, entity=INVOICES, description=TOO_LONG)


def a_total_that_is_not_the_sum(bc: BusinessCentral) -> None:
    total = bc.document(US, ORDER).header["totalAmountExcludingTax"]
    bc.edit_header(US, ORDER, totalAmountExcludingTax=total + 1)  # type: ignore[operator]


def several_faults(bc: BusinessCentral) -> None:
    unknown_terms(bc)
    unknown_department_of_a_line(bc)
    bc.set_dimension(US, ORDER, "DEPARTMENT", "CANTEEN", sequence=50000)


def everything_at_once(bc: BusinessCentral) -> None:
    several_faults(bc)
    unknown_supplier(bc)


Mess = Callable[[BusinessCentral], None]
CASES: Sequence[tuple[Mess, Mapping[str, set[str]]]] = [
    (unknown_terms, {"PAYMENT_TERM_NOT_TRANSLATED": {""}}),
    (unknown_supplier, {"SUPPLIER_MISSING": {""}}),
    (unknown_department_of_a_line, {"COST_CENTRE_NOT_TRANSLATED": {"30000"}}),
    (unknown_department_of_the_header, {"COST_CENTRE_NOT_TRANSLATED": {""}}),
    (text_too_long_in_one_line, {"TEXT_TOO_LONG": {"20000"}}),
    (a_total_that_is_not_the_sum, {"NET_DOES_NOT_ADD_UP": {""}, "GROSS_DOES_NOT_ADD_UP": {""}}),
    (several_faults, {"PAYMENT_TERM_NOT_TRANSLATED": {""}, "COST_CENTRE_NOT_TRANSLATED": {"30000", "50000"}}),
    (
        everything_at_once,
        {
            "PAYMENT_TERM_NOT_TRANSLATED": {""},
            "SUPPLIER_MISSING": {""},
            "COST_CENTRE_NOT_TRANSLATED": {"30000", "50000"},
        },
    ),
]


@pytest.mark.parametrize(("mess", "codes"), CASES, ids=[mess.__name__ for mess, _ in CASES])
def test_a_fault_parks_the_whole_document_with_all_its_reasons(mess: Mess, codes: Mapping[str, set[str]]) -> None:
    pipeline = Pipeline(data=some())
    entity, number = (INVOICES, INVOICE) if mess is text_too_long_in_one_line else (ORDERS, ORDER)
    id_ = pipeline.find(US, number, entity=entity)
    mess(pipeline.business_central)
    pipeline.run()

    assert pipeline.parked() == {id_: {(code, place) for code, places in codes.items() for place in places}}
    assert all(reason["message"] and reason["remedy"] for reason in reasons(pipeline.states()[id_]))
    key = ("invoice", "BC-US", id_) if entity == INVOICES else ("order", "BC-US", number)
    assert key not in {row.document for row in pipeline.sent_rows()}
    assert key not in {row.document for row in rows_in_staging(pipeline.servicenow.tables)}
    assert [note["parked"] for note in pipeline.poison()] == [id_]
    assert pipeline.trail(US, id_, entity=entity)[-1].action == "parked"
    # Every other document went through.
    expected = expectations(pipeline.landscape)
    others = {each.id for each in expected.values() if each.fate == "staged"} - {id_}
    assert pipeline.with_status(Status.DONE) == others - receipts_of(expected, [id_])


# -- on the wire, for each entity


def spoil_order(bc: BusinessCentral) -> str:
    unknown_terms(bc)
    return bc.document(US, ORDER).id


def spoil_invoice(bc: BusinessCentral) -> str:
    text_too_long_in_one_line(bc)
    return bc.document(US, INVOICE, entity=INVOICES).id


def spoil_one_of_three_credit_memos(bc: BusinessCentral) -> str:
    for place, number in enumerate((INVOICE, "108002", "108003")):
        made = memo(bc.document(US, number, entity=INVOICES), "Open", f"10990{place}")
        header = made.header | {"id": f"dddddddd-0000-0000-0000-00000000000{place}"}
        bc.add_document(US, replace(made, header=header), entity=MEMOS)
    bc.edit_header(US, "109901", entity=MEMOS, vendorNumber="50000")
    return bc.document(US, "109901", entity=MEMOS).id


def spoil_receipt(bc: BusinessCentral) -> str:
    line = bc.document(US, "107002", entity=RECEIPTS).lines[-1].values
    bc.edit_line(US, "107002", int(str(line["sequence"])), entity=RECEIPTS, lineObjectNumber="X" * 101)
    return bc.document(US, "107002", entity=RECEIPTS).id


@pytest.mark.parametrize(
    ("entity", "spoil"),
    [
        (ORDERS, spoil_order),
        (INVOICES, spoil_invoice),
        (MEMOS, spoil_one_of_three_credit_memos),
        (RECEIPTS, spoil_receipt),
    ],
)
def test_nothing_of_an_invalid_document_goes_over_the_wire_and_the_others_of_its_unit_are_staged(
    entity: str, spoil: Callable[[BusinessCentral], str]
) -> None:
    pipeline = Pipeline(data=some())
    spoilt = spoil(pipeline.business_central)
    number = pipeline.business_central.document(US, spoilt, entity=entity).number
    pipeline.poll()
    units = [decode_unit(message.text) for message in pipeline.queues.messages(pipeline.settings.documents_queue)]
    (unit,) = (unit for unit in units if spoilt in {reference.id for reference in unit.references})
    assert len(unit.references) > 2
    pipeline.drain()

    assert set(pipeline.parked()) == {spoilt}
    written = [sent for sent in pipeline.wire.to(SN_HOST) if sent.method != "GET" and sent.path != TOKEN]
    assert {sent.path for sent in written} == {BATCH}
    mine = {("order", "BC-US", number), ("invoice", "BC-US", spoilt), ("receipt", "BC-US", number)}
    rows = pipeline.sent_rows()
    assert rows
    assert mine.isdisjoint(row.document for row in rows)
    others = {reference.id for reference in unit.references} - {spoilt}
    expected = expectations(pipeline.landscape)
    fates = {Status.DONE: "staged", Status.WAITING: "waiting"}
    assert {id_: fates.get(pipeline.states()[id_].status) for id_ in others} == {
        id_: expected[id_].fate for id_ in others
    }


@pytest.mark.parametrize(
    "mess", [unknown_terms, unknown_supplier, text_too_long_in_one_line], ids=lambda mess: mess.__name__
)
def test_a_corrected_document_is_staged_and_takes_its_poison_message_back(mess: Mess) -> None:
    pipeline = Pipeline(data=some())
    entity, number = (INVOICES, INVOICE) if mess is text_too_long_in_one_line else (ORDERS, ORDER)
    bc = pipeline.business_central
    before = bc.document(US, number, entity=entity)
    mess(bc)
    pipeline.run()
    assert len(pipeline.poison()) == 1

    pipeline.clock.advance(60)
    if entity == INVOICES:
        bc.edit_line(US, number, 20000, entity=entity, description=before.lines[1].values["description"])
        bc.edit_header(US, number, entity=entity, vendorInvoiceNumber="INV-corrected")
    else:
        terms, vendor = before.header["paymentTermsId"], before.header["vendorNumber"]
        bc.edit_header(US, number, paymentTermsId=terms, vendorNumber=vendor)
    pipeline.run()
    assert pipeline.parked() == {}
    assert end_differences(pipeline, each="once") == []
    actions = [event.action for event in pipeline.trail(US, before.id, entity=entity)]
    assert actions == ["seen", "parked", "intent", "staged"]
    assert pipeline.intact(US, before.id, entity=entity)


def test_a_document_parked_again_has_one_poison_message_and_its_newest_reasons() -> None:
    pipeline = Pipeline(data=some())
    unknown_terms(pipeline.business_central)
    pipeline.run()
    pipeline.clock.advance(60)
    unknown_supplier(pipeline.business_central)
    pipeline.run()
    id_ = pipeline.find(US, ORDER)
    assert pipeline.parked() == {id_: {("PAYMENT_TERM_NOT_TRANSLATED", ""), ("SUPPLIER_MISSING", "")}}
    (note,) = pipeline.poison()
    assert (note["parked"], note["generation"]) == (id_, pipeline.states()[id_].generation)


def test_a_parked_order_that_is_reopened_waits_and_takes_its_poison_message_back() -> None:
    pipeline = Pipeline(data=some())
    unknown_terms(pipeline.business_central)
    pipeline.run()
    pipeline.clock.advance(60)
    pipeline.business_central.edit_header(US, ORDER, status="Draft")
    pipeline.run()
    assert pipeline.states()[pipeline.find(US, ORDER)].status is Status.WAITING
    assert pipeline.poison() == []


def test_a_corrected_document_does_not_cost_its_neighbours_in_an_outage_their_next_try() -> None:
    # The corrected order and another edited one travel in one unit, in a batch each; the answer to the second is lost.
    data = some(orders=4, invoices=0)[:1]
    pipeline = Pipeline(data=data, settings={"SN_BATCH_ROWS": str(1 + len(data[0].orders[1].lines))})
    unknown_terms(pipeline.business_central)
    pipeline.run()
    pipeline.clock.advance(60)
    bc = pipeline.business_central
    bc.edit_header(US, ORDER, paymentTermsId=record_id("US", "terms", "30 DAYS"))
    pipeline.clock.advance(1)
    bc.edit_line(US, "106004", 10000, quantity=9)
    pipeline.sn_exchange.faults.append(Fault("reset_after", path=BATCH, skip=1))
    pipeline.poll()
    pipeline.work()
    assert pipeline.sn_exchange.counts["fault:reset_after"] == 1
    assert pipeline.faults == []
    assert pipeline.queues.count(pipeline.settings.documents_queue) == 1
    pipeline.drain()
    assert rest_differences(pipeline) == []


def test_a_missing_supplier_is_looked_up_again_and_not_remembered_as_missing() -> None:
    pipeline = Pipeline(data=some())
    unknown_supplier(pipeline.business_central)
    pipeline.run()
    assert len(pipeline.parked()) == 1
    supplier = {"legal_name": "Nod Publishers", "erp_supplier_code": "50000", "erp_source": "BC-US"}
    pipeline.servicenow.tables.insert("sn_fin_supplier", supplier)
    pipeline.clock.advance(60)
    pipeline.business_central.edit_header(US, ORDER, purchaser="XX")
    pipeline.run()
    assert end_differences(pipeline, each="once") == []


def test_a_staged_order_that_an_edit_spoils_is_parked_and_its_record_stays_as_it_was() -> None:
    pipeline = Pipeline(data=some())
    pipeline.run()
    tables = pipeline.servicenow.tables
    key = {"erp_number": ORDER, "erp_source": tables.find("sn_fin_erp_source", {"name": "BC-US"})[0]["sys_id"]}
    (record,) = [dict(row) for row in tables.find("sn_shop_purchase_order", key)]
    staged = len(rows_in_staging(tables))
    pipeline.clock.advance(60)
    unknown_terms(pipeline.business_central)
    pipeline.business_central.edit_line(US, ORDER, 10000, quantity=77)
    pipeline.run()
    assert list(pipeline.parked()) == [pipeline.find(US, ORDER)]
    assert len(rows_in_staging(tables)) == staged
    assert tables.find("sn_shop_purchase_order", key) == [record]


# -- a document that breaks a whole page


def test_a_dangling_dimension_parks_exactly_its_order_with_few_more_calls() -> None:
    data = some(orders=150, invoices=0)[:1]
    calm, disturbed = Pipeline(data=data), Pipeline(data=data)
    calm.run()
    dangling = calm.find(US, "106077")
    disturbed.business_central.mark_dangling(US, "106077")
    disturbed.run()

    gaps = {id_ for id_, each in expectations(disturbed.landscape).items() if each.fate == "parked"}
    assert disturbed.parked().keys() == gaps | {dangling}
    assert calm.parked().keys() == gaps
    ((code, place),) = disturbed.parked()[dangling]
    assert (code, place) == ("DOCUMENT_NOT_READABLE_IN_BC", "")
    extra = len(disturbed.wire.to(BC_HOST)) - len(calm.wire.to(BC_HOST))
    assert 0 < extra <= 2 * log2(200) + 2
    receipts = receipts_of(expectations(disturbed.landscape), [dangling])
    assert disturbed.with_status(Status.DONE) == calm.with_status(Status.DONE) - {dangling} - receipts


def test_a_mended_dimension_lets_its_order_go_on_after_the_next_edit() -> None:
    pipeline = Pipeline(data=some())
    pipeline.business_central.mark_dangling(US, ORDER)
    pipeline.run()
    assert list(pipeline.parked()) == [pipeline.find(US, ORDER)]
    pipeline.clock.advance(60)
    pipeline.business_central.mark_dangling(US, ORDER, dangling=False)
    pipeline.business_central.edit_header(US, ORDER, purchaser="XX")
    pipeline.run()
    assert end_differences(pipeline, each="once") == []


def test_a_document_with_hundreds_of_faults_is_parked_readably() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0)[:1])
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open")
    model = pipeline.business_central.document(US, order.number).lines[0]
    for number in range(300):
        values = dict(model.values) | {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"line {number}")),
            "sequence": 500_000 + 10_000 * number,
            "description": f"{number:04d} " + "x" * 120,
            "quantity": Decimal(0),
        }
        pipeline.business_central.add_line(US, order.number, Line(values, dict(model.dimensions)))
    pipeline.run()
    listed = reasons(pipeline.states()[order.id])
    assert listed[0]["code"] == "TEXT_TOO_LONG"
    assert listed[-1]["code"] == "MORE_REASONS"
    (more,) = re.findall(r"(\d+) more", listed[-1]["message"])
    assert len(listed) - 1 + int(more) >= 300
    assert sum(one.counts[Status.PARKED] for one in overview(pipeline.parts).entities) == 1
    assert pipeline.intact(US, order.id)

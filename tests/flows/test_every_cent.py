"""Every staged header and line equals the Business Central document to the last cent and character.

The whole sample company goes through the pipeline; what arrived is held against an expectation that shares no code with the
connector. The last part shows that the comparison itself notices the smallest mistake.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from connector.decisions.states import Status
from tests.flows.comparison import (
    differences,
    order_differences,
    rows_in_staging,
    supplier_differences,
    target_differences,
)
from tests.flows.expectation import Expected, expectations, staged_rows
from tests.flows.pipeline import MEMOS, Pipeline
from tests.sandbox.servicenow.desk import INVOICE, INVOICE_LINE, ORDER, ORDER_LINE, RECEIPT


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """The whole sample company, carried once."""
    carried = Pipeline()
    carried.run()
    assert not carried.faults
    return carried


@pytest.fixture(scope="module")
def expected(pipeline: Pipeline) -> dict[str, Expected]:
    """What must have become of it."""
    return expectations(pipeline.landscape)


def of_fate(expected: dict[str, Expected], fate: str) -> dict[str, Expected]:
    return {id_: document for id_, document in expected.items() if document.fate == fate}


def of_kind(expected: dict[str, Expected], kind: str) -> dict[str, Expected]:
    return {id_: document for id_, document in expected.items() if document.kind == kind}


# -- what arrived


def test_every_row_was_sent_exactly_as_expected(pipeline: Pipeline, expected: dict[str, Expected]) -> None:
    assert differences(staged_rows(expected.values()), pipeline.sent_rows()) == []


def test_every_row_in_the_staging_tables_is_exactly_as_expected(
    pipeline: Pipeline, expected: dict[str, Expected]
) -> None:
    arrived = rows_in_staging(pipeline.servicenow.tables)
    assert differences(staged_rows(expected.values()), arrived) == []
    counts = Counter(row.table for row in arrived)
    assert set(counts) == {ORDER, ORDER_LINE, INVOICE, INVOICE_LINE, RECEIPT}
    memos = of_kind(of_fate(expected, "staged"), "credit memo")
    assert (counts[ORDER], counts[INVOICE], len(memos)) == (171, 59 + 4, 4)


def test_every_document_was_sent_with_all_its_lines_right_behind_its_header(
    pipeline: Pipeline, expected: dict[str, Expected]
) -> None:
    sent = [(row.table, *row.document, row.line) for row in pipeline.sent_rows()]
    for document in of_fate(expected, "staged").values():
        rows = [(row.table, *row.document, row.line) for row in document.rows]
        start = sent.index(rows[0])
        assert sent[start : start + len(rows)] == rows


def test_every_sent_value_is_text(pipeline: Pipeline) -> None:
    assert {type(value) for row in pipeline.sent_rows() for value in row.columns.values()} == {str}


def test_the_records_in_servicenow_hold_the_same_amounts_lines_and_references(
    pipeline: Pipeline, expected: dict[str, Expected]
) -> None:
    assert target_differences(list(expected.values()), pipeline.servicenow.tables) == []


def test_every_record_points_to_the_supplier_of_its_own_erp_source(
    pipeline: Pipeline, expected: dict[str, Expected]
) -> None:
    assert supplier_differences(expected.values(), pipeline.servicenow.tables) == []


def test_every_invoice_points_to_the_order_it_bills(pipeline: Pipeline, expected: dict[str, Expected]) -> None:
    assert order_differences(expected.values(), pipeline.servicenow.tables) == []
    billed = [row for row in pipeline.servicenow.tables.rows("sn_shop_invoice") if row["purchase_order"]]
    assert len(billed) == sum("u_purchase_order" in row.columns for row in pipeline.sent_rows()) >= 8


def test_the_amounts_in_servicenow_add_up_to_those_in_business_central(pipeline: Pipeline) -> None:
    there: Counter[tuple[str, str]] = Counter()
    for row in pipeline.servicenow.tables.rows("sn_shop_invoice"):
        there["invoices", row["currency"]] += Decimal(row["invoice_amount"])  # type: ignore[assignment]
    for row in pipeline.servicenow.tables.rows("sn_shop_purchase_order"):
        there["orders", row["currency"]] += Decimal(row["total_amount"])  # type: ignore[assignment]
    here: Counter[tuple[str, str]] = Counter()
    parked = pipeline.parked()
    for company in pipeline.landscape.data:
        for kind, documents, total in (
            ("orders", company.orders, "totalAmountExcludingTax"),
            ("invoices", [*company.invoices, *company.history[MEMOS]], "totalAmountIncludingTax"),
        ):
            for document in documents:
                if document.header["status"] == "Open" and document.id not in parked:
                    here[kind, str(document.header["currencyCode"])] += document.header[total]  # type: ignore[assignment, operator]
    assert there == here
    assert len(here) >= 12


# -- what did not arrive, and why


def test_the_parked_documents_are_exactly_the_samples_five_gaps(
    pipeline: Pipeline, expected: dict[str, Expected]
) -> None:
    parked = of_fate(expected, "parked")
    assert pipeline.parked() == {id_: set(document.reasons) for id_, document in parked.items()}
    gaps = Counter((code, document.erp_source) for document in parked.values() for code, _ in document.reasons)
    assert gaps == {
        ("SUPPLIER_MISSING", "BC-US"): 2,
        ("PAYMENT_TERM_NOT_TRANSLATED", "BC-US"): 1,
        ("PAYMENT_TERM_NOT_TRANSLATED", "BC-DE"): 1,
        ("TEXT_TOO_LONG", "BC-US"): 1,
    }
    assert sorted(note["parked"] for note in pipeline.poison()) == sorted(parked)


def test_the_waiting_documents_are_exactly_those_that_are_not_open(
    pipeline: Pipeline, expected: dict[str, Expected]
) -> None:
    # The sample's corrective credit memos take back invoices that were cancelled before anybody could carry them.
    corrective = of_kind(of_fate(expected, "held"), "credit memo")
    assert len(corrective) == 12
    assert set(of_fate(expected, "held")) == set(corrective)
    assert pipeline.with_status(Status.WAITING) == {*of_fate(expected, "waiting"), *corrective}
    assert pipeline.with_status(Status.DONE) == set(of_fate(expected, "staged"))
    assert set(pipeline.states()) == set(expected)
    assert Counter(each.kind for each in expected.values()) == {
        "order": 250,
        "invoice": 120,
        "credit memo": 20,
        "receipt": 29,
    }


def test_nothing_of_a_parked_or_waiting_document_is_in_servicenow(
    pipeline: Pipeline, expected: dict[str, Expected]
) -> None:
    held_back = [document for document in expected.values() if document.fate != "staged"]
    keys = {(each.kind, each.erp_source, each.number if each.kind == "order" else each.id) for each in held_back}
    assert len(keys) == 156
    assert not keys & {row.document for row in rows_in_staging(pipeline.servicenow.tables)}
    assert not keys & {row.document for row in pipeline.sent_rows()}

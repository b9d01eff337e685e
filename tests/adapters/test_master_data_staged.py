"""Master data through the batch door: rows of each of the profile's sections become records of a simulated instance."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from connector.decisions.mapping import Rules
from connector.decisions.master_rows import (
    MasterRows,
    account_rows,
    cost_centre_rows,
    department_rows,
    emptying_what_was_filled,
    supplier_rows,
)
from connector.model.master_data import DimensionRecord, LedgerAccount, Vendor
from connector.model.profile import Translations
from connector.servicenow.doors.batch import BatchDoor
from tests.adapters.door_bench import DoorBench, outcomes
from tests.sandbox.servicenow import sample
from tests.sandbox.wire import Fault
from tests.unit.builders import COMPANY
from tests.unit.profile_page import laid_over

KINDS = ("cost_centres", "accounts", "suppliers", "departments")
CENTRES = [
    DimensionRecord("SALES", "Sales and service", exists=True, account_number="CC-10", blocked=False),
    DimensionRecord("LAB", "Laboratory", blocked=True),
]
ACCOUNTS = [
    LedgerAccount("6110", "Paper and pens", "Posting", category="Expense"),
    LedgerAccount("6120", "Postage", "Posting", category="Expense", blocked=True),
]
VENDORS = [
    Vendor("10000", "Fabrikam Ltd", currency="EUR", payment_terms="30T", city="Berlin", country="DE", tax_id="DE 1"),
    Vendor("30000", "Graphic Design"),
]


class Bench(DoorBench):
    """The batch door with the master data of the shipped profile, switched on."""

    def __init__(self, *, row_seconds: float = 0.0) -> None:
        super().__init__("source_to_pay", row_seconds=row_seconds)
        on = {"master_data": {kind: {"owner": "business_central"} for kind in KINDS}}
        profile = laid_over("source_to_pay", on)
        company = COMPANY.model_copy(update={"erp_source": sample.SOURCE, "legal_entity": "CRONUS"})
        words = Translations(cost_centres={"LAB": "CC-77"}, payment_terms={"30T": "Net 30"})
        self.rules = Rules(company, profile, words)
        staged = {table.table: table for table in profile.master_data.staged.values()}
        self.door = BatchDoor(self.session, staged, self.clock, rows_a_batch=100)

    def stage(self, rows: MasterRows) -> list[str]:
        """Sends the rows; the outcome of each."""
        assert rows.documents
        assert not rows.faults
        deliveries = self.write(self.door, *rows.documents)
        assert [one.outage for one in deliveries] == [None] * len(deliveries)
        return [outcome for one in deliveries for outcome in outcomes(one)]

    def record(self, table: str, **key: str) -> Mapping[str, str]:
        """The one record with these values."""
        (row,) = self.tables.find(table, key)
        return row

    def source(self) -> str:
        """The sys_id of the company's ERP source."""
        return self.record("sn_fin_erp_source", name=sample.SOURCE)["sys_id"]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_cost_centres_are_renamed_by_their_number_and_made_with_the_one_documents_name(bench: Bench) -> None:
    rows = cost_centre_rows(CENTRES, bench.rules)
    assert bench.stage(rows) == ["inserted", "updated"]
    sales, lab = (bench.record("cmn_cost_center", account_number=number) for number in ("CC-10", "CC-77"))
    assert (sales["name"], sales["code"], sales["available_for_use"]) == ("Sales and service", "SALES", "true")
    assert (lab["name"], lab["code"], lab["available_for_use"]) == ("Laboratory", "LAB", "false")
    company = bench.record("cmn_cost_center", account_number="CC-0")["sys_id"]
    assert sales["parent"] == company  # as it was: nothing is told about it
    assert lab["erp_source"] == bench.source()
    assert bench.stage(rows) == ["ignored", "ignored"]


def test_ledger_accounts_are_found_by_erp_source_and_number(bench: Bench) -> None:
    elsewhere = {"number": "6120", "account_name": "Elsewhere", "erp_source": sample.OTHER_SOURCE}
    other = bench.tables.insert("sn_fin_gl_account", elsewhere)
    rows = account_rows(ACCOUNTS, bench.rules)
    assert bench.stage(rows) == ["updated", "inserted"]
    paper = bench.record("sn_fin_gl_account", number="6110")
    assert (paper["account_name"], paper["category"], paper["inactive"]) == ("Paper and pens", "Expense", "false")
    postage = bench.record("sn_fin_gl_account", number="6120", erp_source=bench.source())
    assert (postage["account_name"], postage["ledger_account"], postage["inactive"]) == ("Postage", "6120", "true")
    assert (postage["currency"], postage["sys_id"] != other) == ("USD", True)
    assert bench.record("sn_fin_gl_account", sys_id=other)["account_name"] == "Elsewhere"
    assert bench.stage(rows) == ["ignored", "ignored"]


def test_suppliers_are_found_by_erp_source_and_code_and_nobody_elses_is_touched(bench: Bench) -> None:
    rows = supplier_rows(VENDORS, bench.rules)
    assert bench.stage(rows) == ["updated", "inserted"]
    found = bench.record("sn_fin_supplier", erp_supplier_code="10000", erp_source=bench.source())
    assert (found["legal_name"], found["city"], found["currency"]) == ("Fabrikam Ltd", "Berlin", "EUR")
    assert found["payment_term"] == bench.record("sn_shop_payment_term", name="Net 30")["sys_id"]
    assert bench.record("sn_fin_supplier", legal_name="Fabrikam elsewhere")["erp_supplier_code"] == "10000"
    assert bench.record("sn_fin_supplier", erp_supplier_code="30000")["legal_name"] == "Graphic Design"
    assert bench.stage(rows) == ["ignored", "ignored"]


def test_a_fact_that_business_central_lost_is_emptied_and_one_it_never_had_stays(bench: Bench) -> None:
    before = supplier_rows(VENDORS[:1], bench.rules)
    bench.stage(before)
    sys_id = bench.record("sn_fin_supplier", erp_supplier_code="10000", erp_source=bench.source())["sys_id"]
    bench.tables.update("sn_fin_supplier", sys_id, {"state": "BE", "duns": "12-345"})
    (after,) = supplier_rows([Vendor("10000", "Fabrikam Ltd", payment_terms="30T")], bench.rules).documents
    sent = emptying_what_was_filled(after, before.documents[0].header.columns.keys(), "NULL")
    assert bench.stage(MasterRows((sent,))) == ["updated"]
    found = bench.record("sn_fin_supplier", sys_id=sys_id)
    assert [found[name] for name in ("city", "country", "tax_id", "state", "duns")] == ["", "", "", "BE", "12-345"]


def test_departments_are_found_by_their_id(bench: Bench) -> None:
    rows = department_rows([DimensionRecord("SALES", "Sales"), DimensionRecord("ADM", "Administration")], bench.rules)
    assert bench.stage(rows) == ["inserted", "inserted"]
    assert bench.record("cmn_department", id="ADM")["name"] == "Administration"
    assert bench.stage(department_rows([DimensionRecord("SALES", "Selling")], bench.rules)) == ["updated"]
    assert bench.record("cmn_department", id="SALES")["name"] == "Selling"


def test_a_row_that_servicenow_refuses_does_not_hold_up_the_others(bench: Bench) -> None:
    bench.tables.delete("sn_fin_erp_source", bench.source())
    rows = supplier_rows(VENDORS, bench.rules)
    deliveries = bench.write(bench.door, *rows.documents)
    assert [outcomes(one) for one in deliveries] == [["error"], ["error"]]
    reasons = deliveries[0].reasons(rows.documents[0])
    assert [reason.code for reason in reasons] == ["REJECTED_BY_SERVICENOW"]


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_a_lost_answer_doubles_nobody(bench: Bench, kind: str) -> None:
    rows = supplier_rows(VENDORS, bench.rules)
    bench.exchange.faults = [Fault(kind, method="POST", path="batch")]
    assert bench.write(bench.door, *rows.documents)[0].outage is not None
    bench.clock.advance(60)
    bench.stage(rows)
    assert bench.record("sn_fin_supplier", erp_supplier_code="30000")["legal_name"] == "Graphic Design"


def test_an_older_row_of_a_record_is_not_taken_for_the_present_one() -> None:
    bench = Bench(row_seconds=20)  # a batch has time for one row
    bench.stage(supplier_rows([Vendor("30000", "One")], bench.rules))
    found = bench.record("sn_fin_supplier", erp_supplier_code="30000")
    bench.tables.update("sn_fin_supplier", found["sys_id"], {"legal_name": "By hand"})
    bench.stage(supplier_rows([Vendor("10000", "Fabrikam"), Vendor("30000", "One")], bench.rules))
    assert bench.record("sn_fin_supplier", erp_supplier_code="30000")["legal_name"] == "One"

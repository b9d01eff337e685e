"""Master data as rows: what a profile says of it holds, each record has faults of its own, and none overwrites another."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector.decisions.mapping import Rules
from connector.decisions.master_rows import (
    MasterRows,
    account_rows,
    cost_centre_rows,
    department_rows,
    emptying_what_was_filled,
    supplier_rows,
)
from connector.model.alignment import Owner
from connector.model.master_data import MASTER_FACTS, DimensionRecord, LedgerAccount, MasterData, SectionName, Vendor
from connector.model.profile import Profile, Translations
from connector.named_files import load_profile
from tests.unit.builders import COMPANY, TRANSLATIONS
from tests.unit.profile_page import laid_over

KINDS: tuple[SectionName, ...] = ("cost_centres", "accounts", "suppliers", "departments")
SALES = DimensionRecord("SALES", "Sales", blocked=False)
PAPER = LedgerAccount("61300", "Office supplies", "Posting", category="Expense")
FABRIKAM = Vendor(
    "10000",
    "Fabrikam",
    currency="EUR",
    payment_terms="1M(8D)",
    tax_id="DE 1",
    address_line1="Street 1",
    city="Berlin",
    state="BE",
    postal_code="10115",
    country="DE",
)


def rules(change: Mapping[str, Any] | None = None, translations: Translations = TRANSLATIONS) -> Rules:
    """The rules of the shipped profile, all its sections switched on and with these changes."""
    on = {"master_data": {kind: {"owner": "business_central"} for kind in KINDS}}
    return Rules(COMPANY, laid_over("source_to_pay", on, change or {}), translations)


def section(kind: SectionName, **columns: Any) -> dict[str, Any]:
    """A change of a section's columns."""
    return {"master_data": {kind: {"columns": columns}}}


def columns(rows: MasterRows) -> list[dict[str, str]]:
    """The columns of each row."""
    return [dict(one.header.columns) for one in rows.documents]


def codes(rows: MasterRows) -> dict[str, list[str]]:
    """The codes of each record's faults."""
    return {id_: [reason.code for reason in reasons] for id_, reasons in rows.faults.items()}


# -- the shipped sections


def test_the_shipped_profile_stages_no_master_data_until_somebody_switches_it_on() -> None:
    master_data = load_profile("source_to_pay").master_data
    assert set(master_data.sections) == set(KINDS)
    assert master_data.staged == {}
    off = Rules(COMPANY, load_profile("source_to_pay"), TRANSLATIONS)
    assert supplier_rows([FABRIKAM], off) == account_rows([PAPER], off) == MasterRows()
    assert cost_centre_rows([SALES], off) == department_rows([SALES], off) == MasterRows()


@pytest.mark.parametrize("name", ["po_as_invoice", "procurement"])
def test_other_profiles_have_none(name: str) -> None:
    assert load_profile(name).master_data.sections == {}


@pytest.mark.parametrize("owner", ["servicenow", "nobody"])
def test_only_what_business_central_owns_is_staged(owner: Owner) -> None:
    assert supplier_rows([FABRIKAM], rules({"master_data": {"suppliers": {"owner": owner}}})) == MasterRows()


def test_a_cost_centre_goes_by_the_account_number_it_has_there() -> None:
    (row,) = columns(
        cost_centre_rows([DimensionRecord("SALES", "Sales", exists=True, blocked=True, account_number="CC-7")], rules())
    )
    assert row == {
        "u_account_number": "CC-7",
        "u_code": "SALES",
        "u_name": "Sales",
        "u_erp_source": "BC-US",
        "u_legal_entity": "US01",
        "u_available_for_user": "false",
    }


def test_a_new_cost_centre_gets_the_number_by_which_documents_will_name_it() -> None:
    assert columns(cost_centre_rows([SALES], rules()))[0]["u_account_number"] == "CC-300"


def test_a_new_cost_centre_without_a_translation_is_not_made_up() -> None:
    found = cost_centre_rows([DimensionRecord("NEW", "New"), SALES], rules())
    assert codes(found) == {"NEW": ["COST_CENTRE_NOT_TRANSLATED"]}
    assert [one.id for one in found.documents] == ["SALES"]


def test_a_cost_centre_that_is_there_without_an_account_number_is_not_doubled() -> None:
    found = cost_centre_rows([DimensionRecord("SALES", "Sales", exists=True)], rules())
    assert found.documents == ()
    (reason,) = found.faults["SALES"]
    assert reason.code == "VALUE_MISSING"
    assert reason.remedy == "Give the cost centre an account number in ServiceNow; the next run stages it."


def test_availability_in_which_business_central_has_no_say_is_not_sent() -> None:
    (found,) = cost_centre_rows([DimensionRecord("SALES", "Sales")], rules()).documents
    assert "u_available_for_user" not in found.header.columns


def test_a_cost_centre_takes_parent_and_validity_where_the_instance_has_columns_for_them() -> None:
    more = section(
        "cost_centres",
        u_parent={"value": "value.parent_code"},
        u_valid_from={"value": "value.valid_from", "format": "date"},
        u_valid_to={"value": "value.valid_to", "format": "date"},
        u_blocked={"value": "value.blocked"},
    )
    one = DimensionRecord("SALES", "Sales", True, True, "CC-7", "ALL", date(2026, 1, 1), date(2026, 12, 31))
    (row,) = columns(cost_centre_rows([one], rules(more)))
    assert [row[name] for name in ("u_parent", "u_valid_from", "u_valid_to", "u_blocked")] == [
        "ALL",
        "2026-01-01",
        "2026-12-31",
        "true",
    ]


def test_a_department_is_its_code_and_name() -> None:
    (row,) = columns(department_rows([SALES], rules()))
    assert row == {"u_erp_department_id": "SALES", "u_department_name": "Sales", "u_erp_source": "BC-US"}


def test_an_account_goes_by_the_number_lines_name_it_by() -> None:
    translated = Translations(accounts={"61300": "613000"})
    (row,) = columns(account_rows([PAPER], rules(translations=translated)))
    assert row == {
        "u_erp_source": "BC-US",
        "u_number": "613000",
        "u_gl_account": "613000",
        "u_account_name": "Office supplies",
        "u_category": "Expense",
        "u_inactive": "false",
        "u_local_currency": "USD",
    }


@pytest.mark.parametrize("type_", ["Heading", "Total", "Begin-Total", "End-Total"])
def test_headings_and_totals_are_no_ledger_accounts(type_: str) -> None:
    assert account_rows([LedgerAccount("6", "Expenses", type_)], rules()) == MasterRows()


def test_a_supplier_has_the_vendors_facts() -> None:
    (row,) = columns(supplier_rows([FABRIKAM], rules()))
    assert row == {
        "u_erp_source": "BC-US",
        "u_erp_supplier_code": "10000",
        "u_legal_name": "Fabrikam",
        "u_payment_term": "Net 30",
        "u_accepted_purchasing_currency": "EUR",
        "u_tax_id": "DE 1",
        "u_street": "Street 1",
        "u_city": "Berlin",
        "u_state": "BE",
        "u_zip": "10115",
        "u_country": "DE",
    }


def test_a_vendor_without_a_currency_has_the_companys() -> None:
    assert columns(supplier_rows([Vendor("1", "One")], rules()))[0]["u_accepted_purchasing_currency"] == "USD"


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_there_is_can_be_staged(kind: SectionName) -> None:
    every = section(kind, **{f"u_x{number}": {"value": fact} for number, fact in enumerate(sorted(MASTER_FACTS[kind]))})
    write: Mapping[SectionName, Callable[[Rules], MasterRows]] = {
        "cost_centres": lambda with_all: cost_centre_rows(
            [DimensionRecord("SALES", "S", True, False, "CC-1", "ALL", date(2026, 1, 1), date(2026, 1, 2))], with_all
        ),
        "accounts": lambda with_all: account_rows(
            [LedgerAccount("1", "One", "Posting", "Assets", "Cash", blocked=True)], with_all
        ),
        "suppliers": lambda with_all: supplier_rows(
            [Vendor(**{each.name: "1M(8D)" for each in fields(Vendor)})], with_all
        ),
        "departments": lambda with_all: department_rows([SALES], with_all),
    }
    (row,) = columns(write[kind](rules(every)))
    assert {name for name in row if name.startswith("u_x")} == {f"u_x{n}" for n in range(len(MASTER_FACTS[kind]))}


# -- faults, as documents have them


@pytest.mark.parametrize(
    ("vendor", "code"),
    [
        (Vendor("1", "x" * 101), "TEXT_TOO_LONG"),
        (Vendor("1", " "), "VALUE_MISSING"),
        (Vendor("1", "One", payment_terms="??"), "PAYMENT_TERM_NOT_TRANSLATED"),
        (Vendor("1", "One", city="NULL"), "WORD_RESERVED"),
    ],
)
def test_a_fault_is_the_one_a_document_would_have_and_the_other_records_go_on(vendor: Vendor, code: str) -> None:
    found = supplier_rows([vendor, FABRIKAM], rules())
    assert codes(found) == {"1": [code]}
    assert [one.id for one in found.documents] == ["10000"]


def test_all_faults_of_a_record_come_at_once_and_no_remedy_asks_to_replay() -> None:
    found = supplier_rows([Vendor("1", "", payment_terms="??", tax_id="x" * 41)], rules())
    assert sorted(codes(found)["1"]) == ["PAYMENT_TERM_NOT_TRANSLATED", "TEXT_TOO_LONG", "VALUE_MISSING"]
    assert all(reason.remedy.endswith("; the next run stages it.") for reason in found.faults["1"])


def test_two_records_that_are_one_to_servicenow_are_named_and_not_staged() -> None:
    shared = Translations(accounts={"61300": "613", "61400": "613", "7": "a", "8": "A"})
    accounts = [LedgerAccount(number, number, "Posting") for number in ("61400", "61300", "62000", "8", "7")]
    found = account_rows(accounts, rules(translations=shared))
    assert found.twins == (("61300", "61400"), ("7", "8"))
    assert [one.id for one in found.documents] == ["62000"]


def test_a_value_that_became_empty_is_emptied_only_where_it_came_from_business_central() -> None:
    (before,) = supplier_rows([FABRIKAM], rules()).documents
    (after,) = supplier_rows([Vendor("10000", "Fabrikam", payment_terms="1M(8D)")], rules()).documents
    sent = emptying_what_was_filled(after, before.header.columns.keys() - {"u_city"}, "NULL")
    emptied = {name for name, text in sent.header.columns.items() if text == "NULL"}
    assert emptied == {"u_tax_id", "u_street", "u_state", "u_zip", "u_country"}
    assert sent.payload_hash == after.payload_hash != before.payload_hash
    assert emptying_what_was_filled(after, before.header.columns.keys(), "") == after


@given(
    st.lists(st.builds(Vendor, st.text(max_size=45), st.text(max_size=110), city=st.text(max_size=30))), st.randoms()
)
def test_each_vendor_is_staged_or_has_a_fault_or_a_twin_whatever_their_order(
    vendors: list[Vendor], order: random.Random
) -> None:
    vendors = list({vendor.number: vendor for vendor in vendors}.values())
    found = supplier_rows(vendors, rules())
    shuffled = vendors[:]
    order.shuffle(shuffled)
    assert supplier_rows(shuffled, rules()) == found
    fates = [*(one.id for one in found.documents), *found.faults, *(id_ for twins in found.twins for id_ in twins)]
    assert sorted(fates) == sorted(vendor.number for vendor in vendors)
    keys = [tuple(part.casefold() for part in one.header.key) for one in found.documents]
    assert len(keys) == len(set(keys))
    assert all(len(one.rows) == 1 and one.header.columns["u_legal_name"] for one in found.documents)


# -- what a profile may say


def test_equal_records_have_equal_hashes_and_others_have_not() -> None:
    hashes = [supplier_rows([vendor], rules()).documents[0].payload_hash for vendor in (FABRIKAM, FABRIKAM)]
    other = supplier_rows([Vendor("10000", "Fabrikam Ltd")], rules()).documents[0].payload_hash
    assert hashes[0] == hashes[1] != other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (section("suppliers", u_x={"value": "account.number"}), "no fact of suppliers is called 'account.number'"),
        (section("accounts", u_x={"value": "document.number"}), "no fact of accounts is called 'document.number'"),
        (section("departments", u_x={"value": "value.parent_code"}), "no fact of departments"),
        (section("accounts", u_x={"value": "account.name", "format": "money"}), "master data has no amounts"),
        (section("suppliers", u_erp_supplier_code={"mandatory": False}), "part of the key"),
        ({"master_data": {"suppliers": {"door": "table"}}}, "Extra inputs are not permitted"),
        ({"master_data": {"suppliers": {"owner": "somebody"}}}, "'servicenow', 'business_central' or 'nobody'"),
        ({"master_data": {"suppliers": {"key": ["u_none"]}}}, "key columns without a rule"),
        ({"master_data": {"departments": {"dimension": ""}}}, "at least 1 character"),
        ({"master_data": {"accounts": {"table": "sn_fcms_intg_imp_supplier"}}}, "a table of its own"),
        ({"master_data": {"vendors": {"table": "x"}}}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_is_rejected_at_start(change: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        laid_over("source_to_pay", change)


def test_a_translation_that_only_master_data_needs_has_its_rule() -> None:
    content = load_profile("procurement").model_dump()
    content["missing_translation"] = {
        name: rule for name, rule in content["missing_translation"].items() if name != "cost_centres"
    }
    for route in content["routes"].values():
        for part in ("header", "line"):
            for column in route[part]["columns"].values():
                column["translate"] = None if column["translate"] == "cost_centres" else column["translate"]
    Profile.model_validate(content)
    shipped = cast("MasterData", load_profile("source_to_pay").master_data)
    for kind in ("cost_centres", "suppliers"):
        content["master_data"] = {kind: shipped.sections[cast("SectionName", kind)].model_dump()}
        if kind == "suppliers":
            content["missing_translation"].pop("payment_terms", None)
        with pytest.raises(ValidationError, match="missing_translation says nothing about"):
            Profile.model_validate(content)

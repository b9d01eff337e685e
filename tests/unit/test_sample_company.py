"""The sample company: its numbers, its arithmetic, and every gap it is meant to have, exactly as often as stated."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central.master_sets import ENTITY_SETS
from tests.sandbox.business_central.records import LINES_OF
from tests.sandbox.sample.servicenow import master_rows

COMPANIES = sample.companies()
US, AG = COMPANIES
MASTERS = master_rows()
TRANSLATIONS = tomllib.loads(sample.TRANSLATIONS.read_text("utf-8"))
SOURCES = {US.id: "BC-US", AG.id: "BC-DE"}
PRECISIONS = {"JPY": Decimal(1), "KWD": Decimal("0.001")}


def documents() -> Iterator[tuple[sample.CompanyData, str, sample.Document]]:
    for company in COMPANIES:
        for entity, document in company.all_documents():
            yield company, entity, document


def lines() -> Iterator[tuple[sample.CompanyData, str, sample.Document, dict[str, Any]]]:
    for company, entity, document in documents():
        for line in document.lines:
            yield company, entity, document, dict(line.values)


def half_up(amount: Decimal, precision: Decimal) -> Decimal:
    return (amount / precision).quantize(Decimal(1), ROUND_HALF_UP) * precision


# -- counts and kinds


def test_there_are_250_orders_and_120_invoices_in_two_companies() -> None:
    assert [company.name for company in COMPANIES] == ["CRONUS USA, Inc.", "CRONUS AG"]
    assert [company.local_currency for company in COMPANIES] == ["USD", "EUR"]
    assert sum(len(company.orders) for company in COMPANIES) == 250
    assert sum(len(company.invoices) for company in COMPANIES) == 120
    assert all(company.orders and company.invoices for company in COMPANIES)


def test_the_sample_is_the_same_every_time_and_never_shared() -> None:
    again = sample.companies()
    assert again == COMPANIES
    again[0].orders[0].header["purchaser"] = "changed"
    assert again != COMPANIES


def test_documents_have_one_to_sixty_lines_and_mostly_three_to_twelve() -> None:
    counts = [len(document.lines) for _, _, document in documents()]
    assert min(counts) == 1
    assert max(counts) == 60
    assert sum(count >= 40 for count in counts) == 3
    assert sum(3 <= count <= 12 for count in counts) > 0.75 * len(counts)


def test_seven_orders_of_ten_are_open_and_every_status_occurs() -> None:
    orders = Counter(document.header["status"] for _, entity, document in documents() if entity == "purchaseOrders")
    assert orders["Open"] == 175
    assert set(orders) == {"Open", "Draft", "In Review"}
    invoices = Counter(document.header["status"] for company in COMPANIES for document in company.invoices)
    assert set(invoices) == {"Open", "Draft", "Paid", "Canceled"}


@pytest.mark.parametrize("company", COMPANIES, ids=["US", "AG"])
def test_both_companies_have_every_kind_of_line_and_amount(company: sample.CompanyData) -> None:
    every = [line.values for _, document in company.all_documents() for line in document.lines]
    assert {line["lineType"] for line in every} == {"Comment", "Account", "Item", "Resource", "Fixed Asset", "Charge"}
    costs = [line.get("directUnitCost", line.get("unitCost")) for line in every]
    assert any(cost % Decimal("0.0001") for cost in costs)  # type: ignore[operator]
    quantities = [line["quantity"] for line in every if line["lineType"] != "Comment"]
    assert any(quantity < 0 for quantity in quantities)  # type: ignore[operator]
    assert any(quantity == 0 for quantity in quantities)
    assert any(quantity % 1 for quantity in quantities)  # type: ignore[operator]
    assert any(line["discountPercent"] for line in every)
    assert any(line["invoiceDiscountAllocation"] for line in every)
    assert len({line["taxPercent"] for line in every}) >= 3
    assert {document.header["currencyCode"] for _, document in company.all_documents()} > {"JPY", "KWD"}
    warehouses = {row["id"] for row in company.tables["locations"]}
    assert len(warehouses) == 3
    assert warehouses < {line["locationId"] for line in every}


def test_a_few_german_documents_have_prices_with_tax_and_no_american_one() -> None:
    counts = Counter(company.name for company, _, document in documents() if document.header["pricesIncludeTax"])
    assert set(counts) == {"CRONUS AG"}
    assert 5 <= counts["CRONUS AG"] <= 15


def test_ids_are_unique_and_numbers_repeat_between_companies() -> None:
    ids = [str(document.id) for _, _, document in documents()] + [str(line["id"]) for *_, line in lines()]
    assert len(ids) == len(set(ids))
    assert {order.number for order in AG.orders} < {order.number for order in US.orders}
    for company in COMPANIES:
        assert len({order.number for order in company.orders}) == len(company.orders)
        assert len({invoice.number for invoice in company.invoices}) == len(company.invoices)


def test_some_documents_share_a_stamp_and_stamps_are_in_milliseconds_of_the_past() -> None:
    stamps = Counter(document.header["lastModifiedDateTime"] for _, _, document in documents())
    assert max(stamps.values()) >= 5
    assert all(stamp.microsecond % 1000 == 0 and stamp.year == 2025 for stamp in stamps)  # type: ignore[union-attr]


def test_some_invoices_bill_a_part_of_an_existing_order() -> None:
    billed = [
        (company, invoice) for company in COMPANIES for invoice in company.invoices if invoice.header["orderNumber"]
    ]
    assert len(billed) >= 8
    assert {company.name for company, _ in billed} == {company.name for company in COMPANIES}
    for company, invoice in billed:
        order = next(order for order in company.orders if order.id == invoice.header["orderId"])
        assert order.number == invoice.header["orderNumber"]
        assert order.header["vendorId"] == invoice.header["vendorId"]
        assert order.header["currencyCode"] == invoice.header["currencyCode"]
        assert any(line.values["invoicedQuantity"] for line in order.lines)
        assert any(
            line.values["invoicedQuantity"] != line.values["quantity"] and line.values["quantity"]
            for line in order.lines
        )


def test_records_hold_only_properties_of_their_entity() -> None:
    for _, entity, document in documents():
        assert set(document.header) <= set(ENTITY_SETS[entity].by_name)
        for line in document.lines:
            assert set(line.values) <= set(ENTITY_SETS[LINES_OF[entity]].by_name)


def test_texts_fit_their_columns() -> None:
    def check(entity: str, row: Any) -> None:
        for prop in ENTITY_SETS[entity].properties:
            if prop.length and prop.name in row:
                assert len(row[prop.name]) <= prop.length, (entity, prop.name)

    for company, entity, document in documents():
        check(entity, document.header)
        for line in document.lines:
            check(LINES_OF[entity], line.values)
        for table, rows in company.tables.items():
            for row in rows:
                check(table, row)


def test_some_texts_are_beyond_ascii_and_beyond_the_basic_plane() -> None:
    texts = "".join(str(line["description"]) for *_, line in lines())
    texts += "".join(str(document.header["vendorName"]) for _, _, document in documents())
    assert any("ä" <= char <= "ü" for char in texts)
    assert any(ord(char) > 0xFFFF for char in texts)


# -- arithmetic, computed here once more


def test_every_lines_amounts_follow_from_quantity_cost_discount_and_tax() -> None:
    for _, _, document, line in lines():
        precision = PRECISIONS.get(str(document.header["currencyCode"]), Decimal("0.01"))
        cost = line["directUnitCost"] if "directUnitCost" in line else line["unitCost"]
        amount = half_up(line["quantity"] * cost, precision) - line["discountAmount"]
        factor = 1 + line["taxPercent"] / 100
        if document.header["pricesIncludeTax"]:
            assert line["amountIncludingTax"] == amount
            assert line["amountExcludingTax"] == half_up(amount / factor, precision)
        else:
            assert line["amountExcludingTax"] == amount
            assert line["amountIncludingTax"] == half_up(amount * factor, precision)
        assert line["totalTaxAmount"] == line["amountIncludingTax"] - line["amountExcludingTax"]
        assert line["netAmount"] == line["amountExcludingTax"] - line["invoiceDiscountAllocation"]
        assert line["netAmountIncludingTax"] == line["netAmount"] + line["netTaxAmount"]
        if not document.header["pricesIncludeTax"]:
            assert line["netTaxAmount"] == half_up(line["netAmount"] * line["taxPercent"] / 100, precision)


def test_every_header_is_the_sum_of_its_lines() -> None:
    for _, _, document in documents():
        values: list[dict[str, Any]] = [dict(line.values) for line in document.lines]
        header = document.header
        assert header["totalAmountExcludingTax"] == sum(line["netAmount"] for line in values)
        assert header["totalTaxAmount"] == sum(line["netTaxAmount"] for line in values)
        assert header["totalAmountIncludingTax"] == sum(line["netAmountIncludingTax"] for line in values)
        assert header["discountAmount"] == sum(line["invoiceDiscountAllocation"] for line in values)


def test_every_amount_has_its_currencys_precision() -> None:
    for _, _, document, line in lines():
        precision = PRECISIONS.get(str(document.header["currencyCode"]), Decimal("0.01"))
        for name, value in line.items():
            if "mount" in name or name == "invoiceDiscountAllocation":
                assert value % precision == 0, (document.number, name)


def test_comment_lines_hold_no_money_and_no_dimensions() -> None:
    for _, _, document in documents():
        for line in document.lines:
            if line.values["lineType"] == "Comment":
                assert not line.dimensions
                assert not any(value for value in line.values.values() if isinstance(value, Decimal))


# -- references


def test_shortcut_dimensions_agree_with_the_dimension_set() -> None:
    for _, _, document in documents():
        assert document.header["shortcutDimension1Code"] == document.dimensions.get("DEPARTMENT", "")
        assert document.header["shortcutDimension2Code"] == document.dimensions.get("PROJECT", "")


def test_every_dimension_value_used_exists_and_may_be_used() -> None:
    for company, _, document in documents():
        usable = {
            (row["dimensionCode"], row["code"])
            for row in company.tables["dimensionValues"]
            if row["dimensionValueType"] in {"Standard", "Begin-Total"} and not row["blocked"]
        }
        for dimensions in (document.dimensions, *(line.dimensions for line in document.lines)):
            assert set(dimensions.items()) <= usable


def test_every_reference_leads_to_a_record() -> None:
    tables = {"vendorId": "vendors", "paymentTermsId": "paymentTerms", "currencyId": "currencies"}
    tables |= {"locationId": "locations", "unitOfMeasureId": "unitsOfMeasure", "accountId": "accounts"}
    for company, _, document in documents():
        for row in (document.header, *(line.values for line in document.lines)):
            for prop, table in tables.items():
                wanted = row.get(prop, "00000000-0000-0000-0000-000000000000")
                if wanted != "00000000-0000-0000-0000-000000000000":
                    assert company.row(table, "id", wanted), (prop, wanted)


# -- ServiceNow's side


def test_every_vendor_but_one_has_exactly_one_supplier() -> None:
    suppliers = Counter((row["erp_source"], row["erp_supplier_code"]) for row in MASTERS["sn_fin_supplier"])
    vendors = {(SOURCES[company.id], str(row["number"])) for company in COMPANIES for row in company.tables["vendors"]}
    assert set(suppliers.values()) == {1}
    assert vendors - set(suppliers) == {("BC-US", "50000")}
    assert set(suppliers) < vendors


def test_exactly_four_suppliers_have_another_legal_name() -> None:
    names = {
        (SOURCES[company.id], row["number"]): row["displayName"]
        for company in COMPANIES
        for row in company.tables["vendors"]
    }
    different = [
        row["legal_name"]
        for row in MASTERS["sn_fin_supplier"]
        if row["legal_name"] != names[row["erp_source"], row["erp_supplier_code"]]
    ]
    assert sorted(different) == [
        "Contoso Tokyo 株式会社 (Europe)",
        "Fabrikam Incorporated",
        "Gulf Office Supplies W.L.L. (Europe)",
        "Wide World Importers LLC",
    ]


def test_no_two_suppliers_share_a_legal_name() -> None:
    names = [row["legal_name"].casefold() for row in MASTERS["sn_fin_supplier"]]
    assert len(names) == len(set(names))


def test_master_rows_have_the_agreed_columns_and_only_strings() -> None:
    columns = {
        "sn_fin_erp_source": {"name"},
        "sn_fin_legal_entity": {"legal_name", "erp_company_code", "local_currency"},
        "sn_fin_supplier": {"legal_name", "erp_supplier_code", "erp_source", "active"},
        "cmn_cost_center": {"name", "code", "account_number", "valid_from", "valid_to"},
        "sn_fin_gl_account": {"number", "account_name", "erp_source"},
        "sn_shop_payment_term": {"name", "net_days"},
        "sn_fin_tax_code": {"tax_code_id", "name", "erp_source"},
        "sn_fin_uom": {"code", "name"},
    }
    assert {table: set(rows[0]) for table, rows in MASTERS.items()} == columns
    for table, rows in MASTERS.items():
        assert all(set(row) == columns[table] for row in rows)
        assert all(isinstance(value, str) for row in rows for value in row.values())
    assert [row["erp_company_code"] for row in MASTERS["sn_fin_legal_entity"]] == ["US01", "DE01"]


def test_there_is_a_cost_centre_for_every_standard_department() -> None:
    departments = {
        row["code"]
        for company in COMPANIES
        for row in company.tables["dimensionValues"]
        if row["dimensionCode"] == "DEPARTMENT" and row["dimensionValueType"] == "Standard"
    }
    assert sorted(row["code"] for row in MASTERS["cmn_cost_center"]) == sorted(departments)
    assert {row["code"]: row["account_number"] for row in MASTERS["cmn_cost_center"]} == TRANSLATIONS["cost_centres"]


@pytest.mark.parametrize(
    ("translation", "table", "column"),
    [
        ("payment_terms", "sn_shop_payment_term", "name"),
        ("units", "sn_fin_uom", "code"),
        ("tax_codes", "sn_fin_tax_code", "tax_code_id"),
        ("accounts", "sn_fin_gl_account", "number"),
        ("cost_centres", "cmn_cost_center", "account_number"),
    ],
)
def test_every_translation_leads_to_a_record_in_servicenow(translation: str, table: str, column: str) -> None:
    assert set(TRANSLATIONS[translation].values()) <= {row[column] for row in MASTERS[table]}


def test_every_code_in_use_is_translated_except_one() -> None:
    used: dict[str, set[str]] = {name: set() for name in TRANSLATIONS}
    for company, _, document in documents():
        if "paymentTermsId" in document.header:
            terms = company.row("paymentTerms", "id", document.header["paymentTermsId"])
            used["payment_terms"].add(str(terms and terms["code"]))
        for line in document.lines:
            used["units"].add(str(line.values["unitOfMeasureCode"]))
            used["tax_codes"].add(str(line.values["taxCode"]))
            if line.values["lineType"] == "Account":
                used["accounts"].add(str(line.values["lineObjectNumber"]))
            location = company.row("locations", "id", line.values["locationId"])
            used["locations"].add(str(location["code"]) if location else "")
            used["cost_centres"].add(line.dimensions.get("DEPARTMENT", ""))
        used["cost_centres"].add(document.dimensions.get("DEPARTMENT", ""))
    for company in COMPANIES:
        for vendor in company.tables["vendors"]:
            terms = company.row("paymentTerms", "id", vendor["paymentTermsId"])
            used["payment_terms"].add(str(terms and terms["code"]))
    missing = {name: codes - set(TRANSLATIONS[name]) - {""} for name, codes in used.items()}
    assert {name: codes for name, codes in missing.items() if codes} == {"payment_terms": {"21 DAYS"}}
    assert set(TRANSLATIONS["locations"]) == {"EAST", "WEST", "MAIN"}
    assert len(used["accounts"]) >= 4


# -- the deliberate gaps


def untranslated() -> list[sample.Document]:
    return [
        document
        for company, _, document in documents()
        if (row := company.row("paymentTerms", "id", document.header.get("paymentTermsId", "")))
        and row["code"] == "21 DAYS"
    ]


def of_unknown_supplier() -> list[sample.Document]:
    return [
        document for company, _, document in documents() if company is US and document.header["vendorNumber"] == "50000"
    ]


def too_long() -> list[sample.Document]:
    return [
        document
        for _, _, document in documents()
        if any(len(str(line.values["description"])) > 40 for line in document.lines)
    ]


def test_one_open_invoice_has_one_line_description_of_57_characters() -> None:
    (document,) = too_long()
    assert document.header["status"] == "Open"
    assert document in US.invoices
    lengths = [len(str(line.values["description"])) for line in document.lines]
    assert [length for length in lengths if length > 40] == [57]


def test_two_open_documents_have_payment_terms_without_a_translation() -> None:
    assert [document.header["status"] for document in untranslated()] == ["Open", "Open"]


def test_the_vendor_unknown_to_servicenow_has_two_open_orders_and_nothing_else() -> None:
    found = of_unknown_supplier()
    assert [document.header["status"] for document in found] == ["Open", "Open"]
    assert all(document in US.orders for document in found)


def test_no_document_has_two_gaps() -> None:
    ids = [document.id for document in (*untranslated(), *of_unknown_supplier(), *too_long())]
    assert len(ids) == len(set(ids)) == 5

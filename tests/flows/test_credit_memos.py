"""Credit memos and taxes: what ServiceNow owes less, in its own form, and never more than it was told of."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from connector.decisions.states import Status
from tests.flows.pipeline import INVOICES, MEMOS, US, Pipeline, reasons, some
from tests.flows.tracked import own_profile
from tests.sandbox.business_central import Document
from tests.sandbox.sample import TRANSLATIONS
from tests.unit.profile_page import PAGE

TAX_LINES = "sn_shop_invoice_tax_line"
TAX_TYPES = {code: f"US {code.lower()}" for code in ("FURNITURE", "SUPPLIES", "FOOD", "LABOR", "NONTAXABLE")}


def carried(**settings: str) -> Pipeline:
    pipeline = Pipeline(data=some(orders=0, invoices=30, posted=False)[:1], settings=settings)
    pipeline.run()
    return pipeline


def staged(pipeline: Pipeline, *, lines: int = 1) -> Document:
    """A posted invoice without an order that was carried, with at least so many lines that have a tax."""
    states = pipeline.states()
    for invoice in pipeline.landscape.data[0].invoices:
        taxed = [line for line in invoice.lines if line.values["lineType"] != "Comment" and line.values["taxCode"]]
        if states[invoice.id].sys_id and not invoice.header["orderNumber"] and len(taxed) >= lines:
            return invoice
    raise LookupError("no such invoice")


def memo(invoice: Document, status: str, number: str = "109900") -> Document:
    """A credit memo that takes the whole invoice back."""
    header = {name: value for name, value in invoice.header.items() if name not in ("orderId", "orderNumber")}
    header |= {
        "id": "dddddddd-0000-0000-0000-000000000001",
        "number": number,
        "creditMemoDate": invoice.header["postingDate"],
        "vendorCreditMemoNumber": "CM-1",
        "paymentTermsId": "00000000-0000-0000-0000-000000000000",
        "invoiceId": invoice.id,
        "invoiceNumber": invoice.number,
        "status": status,
    }
    return Document(header, list(invoice.lines), dict(invoice.dimensions))


def records(pipeline: Pipeline, id_: str) -> list[dict[str, str]]:
    return [dict(row) for row in pipeline.servicenow.tables.find("sn_shop_invoice", {"external_invoice_number": id_})]


def test_a_credit_memo_is_an_invoice_of_its_own_type_that_names_the_original() -> None:
    pipeline = carried()
    invoice = staged(pipeline)
    credit = memo(invoice, "Open")
    pipeline.clock.advance(60)
    pipeline.business_central.add_document(US, credit, entity=MEMOS)
    pipeline.run()
    (record,) = records(pipeline, credit.id)
    (original,) = records(pipeline, invoice.id)
    assert (record["type"], record["original_invoice"]) == ("credit_memo", invoice.number)
    assert Decimal(record["invoice_amount"]) == Decimal(original["invoice_amount"]) != 0
    assert record["supplier"] == original["supplier"]


def cancel(pipeline: Pipeline, invoice: Document) -> str:
    """BC cancels an invoice by a corrective credit memo; that one's id."""
    pipeline.clock.advance(60)
    credit = memo(invoice, "Corrective")
    pipeline.business_central.add_document(US, credit, entity=MEMOS)
    pipeline.business_central.edit_header(US, invoice.number, entity=INVOICES, status="Canceled")
    return credit.id


def test_a_corrective_credit_memo_follows_an_invoice_that_was_carried() -> None:
    pipeline = carried()
    credit = cancel(pipeline, staged(pipeline))
    pipeline.run()
    assert pipeline.states()[credit].status is Status.DONE
    assert len(records(pipeline, credit)) == 1


def test_a_corrective_credit_memo_stays_in_bc_with_an_invoice_that_was_not_carried() -> None:
    pipeline = Pipeline(data=some(orders=0, invoices=30, posted=False)[:1])
    invoice = next(one for one in pipeline.landscape.data[0].invoices if one.header["status"] == "Open")
    credit = cancel(pipeline, invoice)
    pipeline.run(polls=2)
    assert pipeline.states()[credit].status is Status.WAITING
    assert invoice.number in pipeline.trail(US, credit, entity=MEMOS)[-1].detail
    assert records(pipeline, credit) == records(pipeline, invoice.id) == []


# -- taxes


def with_taxes(folder: Path) -> Pipeline:
    """A pipeline whose invoices have the tax table that the page on profiles shows."""
    (block,) = (block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "removed_tax" in block)
    routes = block[block.index("[routes") :]
    translations = folder / "translations.toml"
    types = "".join(f'"{code}" = "{name}"\n' for code, name in TAX_TYPES.items())
    translations.write_text(TRANSLATIONS.read_text("utf-8") + f"\n[tax_types]\n{types}", "utf-8")
    settings = own_profile(folder, ('tax_codes = "same"', 'tax_codes = "same"\ntax_types = "park"'))
    profile = Path(settings["PROFILE"])
    profile.write_text(profile.read_text("utf-8") + "\n" + routes, "utf-8")
    pipeline = Pipeline(
        data=some(orders=0, invoices=30, posted=False)[:1], settings=settings | {"TRANSLATIONS": str(translations)}
    )
    tables = pipeline.servicenow.tables
    for name in TAX_TYPES.values():
        tables.insert("sn_fin_tax_type", {"name": name})
    # Here an invoice has its taxes as a whole; the shipped map tells them apart by line as well.
    (shipped,) = tables.find("sys_transform_map", {"name": "Invoice tax line import"})
    (by_line,) = tables.find("sys_transform_entry", {"map": shipped["sys_id"], "target_field": "erp_line_number"})
    tables.update("sys_transform_entry", by_line["sys_id"], {"coalesce": "false"})
    pipeline.run()
    return pipeline


def taxes(pipeline: Pipeline, invoice: Document) -> dict[str, tuple[Decimal, Decimal]]:
    """Amount and rate of each tax of the invoice in ServiceNow, by the name of its type."""
    tables = pipeline.servicenow.tables
    (record,) = records(pipeline, invoice.id)
    found = tables.find(TAX_LINES, {"invoice": record["sys_id"]})
    names = [tables.display("sn_fin_tax_type", row["tax_type"]) for row in found]
    assert len(set(names)) == len(names)
    return {
        name: (Decimal(row["supplier_tax"]), Decimal(row["supplier_tax_rate"]))
        for name, row in zip(names, found, strict=True)
    }


def wanted(pipeline: Pipeline, invoice: Document) -> dict[str, tuple[Decimal, Decimal]]:
    """The same as Business Central has it now."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for line in pipeline.business_central.document(US, invoice.number, entity=INVOICES).lines:
        code = str(line.values["taxCode"])
        if line.values["lineType"] != "Comment" and code:
            amount, _ = found.get(TAX_TYPES[code], (Decimal(0), Decimal(0)))
            tax, rate = Decimal(str(line.values["netTaxAmount"])), Decimal(str(line.values["taxPercent"]))
            found[TAX_TYPES[code]] = (amount + tax, rate)
    return found


def test_each_tax_of_an_invoice_has_a_row_and_they_add_up_to_its_tax(tmp_path: Path) -> None:
    pipeline = with_taxes(tmp_path)
    assert not pipeline.faults
    states = pipeline.states()
    carried_ones = [one for one in pipeline.landscape.data[0].invoices if states[one.id].sys_id]
    several = 0
    for invoice in carried_ones:
        there = taxes(pipeline, invoice)
        assert there == wanted(pipeline, invoice)
        assert sum(amount for amount, _ in there.values()) == invoice.header["totalTaxAmount"]
        several += len(there) > 1
    assert several


def test_a_tax_that_no_line_has_any_more_is_taken_back(tmp_path: Path) -> None:
    pipeline = with_taxes(tmp_path)
    states = pipeline.states()
    invoice = next(
        one
        for one in pipeline.landscape.data[0].invoices
        if states[one.id].sys_id and len(wanted(pipeline, one)) > 1 and one.header["pricesIncludeTax"] is False
    )
    first = next(line for line in invoice.lines if line.values["netTaxAmount"])
    gone = str(first.values["taxCode"])
    used = {str(line.values["taxCode"]) for line in invoice.lines}
    left = next(code for code in TAX_TYPES if code not in used)
    before = taxes(pipeline, invoice)
    pipeline.clock.advance(60)
    for line in invoice.lines:
        if line.values["taxCode"] == gone:
            sequence = int(str(line.values["sequence"]))
            pipeline.business_central.edit_line(US, invoice.number, sequence, entity=INVOICES, taxCode=left)
    pipeline.business_central.edit_header(US, invoice.number, entity=INVOICES, purchaser="XX")
    pipeline.run()
    assert pipeline.states()[invoice.id].status is Status.DONE, pipeline.parked()
    now = taxes(pipeline, invoice)
    assert before[TAX_TYPES[gone]][0]
    assert now.pop(TAX_TYPES[gone])[0] == 0
    assert now == wanted(pipeline, invoice)


def test_a_tax_code_without_a_type_parks_the_invoice(tmp_path: Path) -> None:
    pipeline = with_taxes(tmp_path)
    invoice = staged(pipeline)
    pipeline.clock.advance(60)
    line = next(line for line in invoice.lines if line.values["taxCode"])
    sequence = int(str(line.values["sequence"]))
    pipeline.business_central.edit_line(US, invoice.number, sequence, entity=INVOICES, taxCode="NEWTAX")
    pipeline.business_central.edit_header(US, invoice.number, entity=INVOICES, purchaser="XX")
    pipeline.run()
    assert {reason["code"] for reason in reasons(pipeline.states()[invoice.id])} == {"TAX_TYPE_NOT_TRANSLATED"}

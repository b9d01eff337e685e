"""Invoices for the AP Invoice API as golden JSON, and what its log and the staged rows are taken to say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.bootstrap import build
from connector.decisions.ap_invoice_evidence import Evidence, finding, rekeyed, taken
from connector.decisions.ap_invoices import (
    HEADER,
    LINE,
    LINE_NUMBER,
    NUMBER,
    SOURCE,
    TAX,
    invoice_json,
    log_entries,
    misfits,
    packed,
    still_open,
)
from connector.decisions.mapping import MappedDocument, StagingRow, map_document
from connector.decisions.versions import emptying, with_removals
from connector.errors import SettingsFault
from connector.model.documents import Document
from connector.named_files import load_profile
from connector.setting_words import ApInvoiceForm
from connector.settings import load_settings
from tests.unit.builders import SUPPLIERS, comment, invoice, line, rules
from tests.unit.test_settings import environment

FORM = ApInvoiceForm()
ID = "1773153c-6329-f111-8340-000d3a11d3d8"


def mapped(document: Document) -> MappedDocument:
    """The document by the shipped profile."""
    return map_document(document, rules(), SUPPLIERS)


def with_taxes(document: MappedDocument, *taxes: tuple[str, Mapping[str, str]]) -> MappedDocument:
    """The document with rows of the tax staging table behind it, each for a line, or for "" the header."""
    rows = [StagingRow(TAX, (), {NUMBER: ID, **columns}, where) for where, columns in taxes]
    return replace(document, rows=(*document.rows, *rows))


# -- JSON

CHARGE = {"type": "Charge", "object_number": "FREIGHT", "description": "Freight", "unit": "", "tax_code": ""}
ACCOUNT = {"type": "Account", "object_number": "6110", "description": "Office supplies", "unit": ""}


def test_an_invoice_with_every_kind_of_line_tax_and_discount() -> None:
    lines = (
        line(10000, amount=Decimal(100), header_discount_share=Decimal(10)),
        comment(20000),
        line(30000, **ACCOUNT, quantity=Decimal(1), unit_cost=Decimal("12.34567"), amount=Decimal("12.35")),
        line(40000, **CHARGE, quantity=Decimal(1), amount=Decimal(5), tax_amount=Decimal(0), tax_percent=Decimal(0)),
        line(50000, type="Fixed Asset", object_number="FA-1", description="Drill \u00e4 \u2013 \u732b", dimensions=()),
    )
    document = with_taxes(
        mapped(invoice(*lines, order_number="106001")),
        ("10000", {"u_tax_type": "Sales tax", "u_tax_amount": "6.00", "u_supplier_tax_rate": "6"}),
        ("", {"u_tax_type": "Sales tax", "u_tax_amount": "18.00"}),
    )
    common = {"external_invoice_number": ID, "currency": "USD", "tax_amount": "6.00", "tax_code": "US-FURN"}
    item = common | {"line_quantity": "4", "line_unit_price": "25.00", "uom": "Each", "cost_center": "CC-100"}
    assert invoice_json(document, FORM) == {
        "external_invoice_number": ID,
        "erp_number": "108029",
        "supplier_invoice_number": "INV-2026-77",
        "supplier": "20000",
        "invoice_date": "2026-07-15",
        "invoice_type": "po_invoice",
        "legal_entity": "US01",
        "purchase_order": "106001",
        "subtotal": "207.35",
        "other_charges": "0.00",
        "discounts": "0.00",
        "tax_amount": "18.00",
        "amount_invoiced": "225.35",
        "currency": "USD",
        "invoice_line_count": "4",
        "tax_details": [{"tax_type": "Sales tax", "tax_amount": "18.00"}],
        "invoice_lines": [
            item
            | {
                "line_description": "ATHENS Desk",
                "subtotal": "90.00",
                "line_amount_invoiced": "96.00",
                "supplier_part_number": "1896-S",
                "tax_details": [{"tax_type": "Sales tax", "tax_amount": "6.00", "tax_rate": "6"}],
            },
            common
            | {
                "line_description": "Office supplies",
                "line_quantity": "1",
                "line_unit_price": "12.34567",
                "subtotal": "12.35",
                "line_amount_invoiced": "18.35",
                "cost_center": "CC-100",
                "gl_account": "6110",
            },
            {
                "external_invoice_number": ID,
                "line_description": "Freight",
                "line_quantity": "1",
                "line_unit_price": "25.00",
                "subtotal": "5.00",
                "line_amount_invoiced": "5.00",
                "tax_amount": "0.00",
                "currency": "USD",
                "cost_center": "CC-100",
            },
            {name: text for name, text in item.items() if name != "cost_center"}
            | {
                "line_description": "Drill \u00e4 \u2013 \u732b",
                "subtotal": "100.00",
                "line_amount_invoiced": "106.00",
            },
        ],
    }


@pytest.mark.parametrize(
    ("currency", "amount", "text"),
    [("JPY", "1234", "1234"), ("USD", "1234.5", "1234.50"), ("KWD", "1.234", "1.234"), ("USD", "0", "0.00")],
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, amount: str, text: str) -> None:
    value = Decimal(amount)
    document = mapped(
        invoice(line(amount=value, unit_cost=value, quantity=Decimal(1), tax_amount=Decimal(0)), currency=currency)
    )
    body = invoice_json(document, FORM)
    (only,) = body["invoice_lines"]
    assert [body[name] for name in ("subtotal", "amount_invoiced")] == [text, text]
    assert [only[name] for name in ("subtotal", "line_unit_price", "line_amount_invoiced")] == [text] * 3


def negative() -> MappedDocument:
    """An invoice with a line that takes something off."""
    credit = line(
        20000, quantity=Decimal(-2), amount=Decimal(-50), tax_amount=Decimal(-3), description="Return -5 pieces"
    )
    return mapped(invoice(line(10000), credit))


@pytest.mark.parametrize(("form", "text"), [("minus", "-50.00"), ("brackets", "(50.00)")])
def test_negative_amounts_are_written_as_set_and_nothing_else_is(form: Any, text: str) -> None:
    body = invoice_json(negative(), ApInvoiceForm(negative=form))
    credit = body["invoice_lines"][1]
    assert credit["subtotal"] == text
    assert (credit["line_quantity"], credit["line_description"]) == ("-2", "Return -5 pieces")
    assert body["subtotal"] == "50.00"


def test_all_values_are_text_and_no_staging_name_is_left() -> None:
    text = json.dumps(invoice_json(mapped(invoice(line(), comment(20000), line(30000))), FORM))
    assert '"u_' not in text
    assert all(isinstance(value, str | list) for value in json.loads(text).values())
    for name in ("erp_source", "external_invoice_source", "erp_line_number"):
        assert name not in text


def test_a_new_try_carries_neither_the_word_that_empties_nor_removed_lines() -> None:
    document = invoice(line(10000, dimensions=()))
    plain = mapped(document)
    again = with_removals(emptying(plain, "NULL"), document, rules(), (10000, 20000))
    assert invoice_json(again, FORM) == invoice_json(plain, FORM)


@given(st.lists(st.integers(1, 200), max_size=30), st.integers(1, 5), st.integers(1, 300))
def test_calls_hold_all_in_order_and_no_more_than_fits(sizes: list[int], most: int, largest: int) -> None:
    calls = packed(sizes, most=most, largest=largest)
    assert [position for call in calls for position in call] == list(range(len(sizes)))
    for call in calls:
        assert 1 <= len(call) <= most
        assert len(call) == 1 or sum(sizes[position] for position in call) <= largest


# -- what the API cannot carry


def test_the_shipped_invoice_route_fits() -> None:
    assert misfits("purchaseInvoices", load_profile("source_to_pay").routes["purchaseInvoices"]) == []


def test_what_does_not_fit_is_said() -> None:
    profile = load_profile("source_to_pay")
    assert "invoices and credit memos only" in misfits("purchaseOrders", profile.routes["purchaseOrders"])[0]
    assert misfits("purchaseCreditMemos", profile.routes["purchaseCreditMemos"]) == []
    elsewhere = profile.routes["purchaseInvoices"].model_copy(
        update={"header": profile.routes["purchaseOrders"].header, "tax": profile.routes["purchaseOrders"].line}
    )
    assert len(misfits("purchaseInvoices", elsewhere)) == 3
    route = profile.routes["purchaseInvoices"]
    assert "no place" in misfits("purchaseInvoices", route.model_copy(update={"allocation": route.line}))[0]


def test_a_profile_that_does_not_fit_is_refused_at_start(tmp_path: Path) -> None:
    shipped = (resources.files("connector.profiles") / "source_to_pay.toml").read_text("utf-8")
    path = tmp_path / "wrong.toml"
    path.write_text(
        shipped.replace("[routes.purchaseOrders]", '[routes.purchaseOrders]\ndoor = "ap_invoice"', 1), "utf-8"
    )
    with pytest.raises(SettingsFault, match=r"routes\.purchaseOrders.*invoices and credit memos only"):
        build(load_settings(environment(PROFILE=str(path))))


# -- the log


def log_row(number: str = "", status: str = "processed", **more: str) -> dict[str, str]:
    """A row of the log."""
    return {
        "batch_id": "APIINV1",
        "external_invoice_number": number,
        "status": status,
        "message": "",
        "invoice": "",
    } | more


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([], "open"),
        ([log_row("A", "received")], "open"),
        ([log_row("A")], "done"),
        ([log_row("A", "error", message="why")], "failed"),
        ([log_row("A", "processed_with_errors")], "failed"),
        ([log_row("A", "word nobody told us")], "open"),
        ([{"batch_id": "APIINV1", "external_invoice_number": "A"}], "open"),
        ([log_row("B")], "open"),
        ([log_row()], "done"),
        ([log_row("", "received")], "open"),
        ([log_row("", "processed_with_errors")], "failed"),
        ([log_row("", "received"), log_row("A")], "done"),
        ([log_row(""), log_row("A", "error")], "failed"),
    ],
)
def test_the_log_has_a_row_for_each_invoice_or_one_for_the_batch(rows: Sequence[dict[str, str]], state: str) -> None:
    assert log_entries(rows, FORM).of("A").state == state


def test_a_row_for_the_whole_batch_never_names_an_invoice() -> None:
    assert log_entries([log_row("", invoice="f" * 32)], FORM).of("A").sys_id == ""
    assert log_entries([log_row("A", invoice="f" * 32)], FORM).of("A").sys_id == "f" * 32


def test_the_logs_words_and_columns_can_be_set() -> None:
    form = ApInvoiceForm(log_status="u_state", done=("complete",))
    assert log_entries([log_row("A") | {"u_state": "complete"}], form).of("A").state == "done"


@pytest.mark.parametrize(
    ("rows", "is_open"),
    [
        ([], False),
        ([log_row("A")], False),
        ([log_row("A", "received")], True),
        ([log_row("B", "received")], False),
        ([log_row("", "received")], True),
        ([log_row(""), log_row("A", "error")], False),
    ],
)
def test_an_invoice_may_be_on_its_way_by_its_own_row_or_a_batchs(rows: Sequence[dict[str, str]], is_open: bool) -> None:
    assert still_open(rows, "A", FORM) is is_open


# -- the evidence


def staged(row: StagingRow, state: str = "inserted", **more: str) -> dict[str, str]:
    """The row as it stands in its staging table."""
    defaults = {"sys_import_state": state, "sys_import_state_comment": "", "sys_target_sys_id": "f" * 32}
    return dict(row.columns) | defaults | {"sys_created_on": "2026-05-04 08:00:00"} | more


def document(*sequences: int, earlier: tuple[int, ...] = ()) -> MappedDocument:
    """An invoice with these lines, each described by its number."""
    lines = [line(each, description=f"line {each}") for each in sequences or (10000, 20000)]
    return replace(mapped(invoice(*lines)), earlier=earlier or sequences or (10000, 20000))


def evidence(
    of: MappedDocument, *, there: bool = True, states: Mapping[int, str] | None = None, **more: Any
) -> Evidence:
    """What there is when the API has staged exactly this document; `states` by row."""
    rows: dict[str, list[dict[str, str]]] = {HEADER: [], LINE: [], TAX: []}
    for position, row in enumerate(of.rows):
        state = (states or {}).get(position, "inserted")
        rows[row.table].append(staged(row, state, sys_import_state_comment="why" if state == "error" else ""))
    for position, row in enumerate(rows[LINE], start=1):
        row[LINE_NUMBER] = str(position)
    numbers = tuple(str(position) for position in range(1, len(rows[LINE]) + 1)) if there else ()
    found = {"sys_id": "a" * 32, "external_invoice_source": "The Source"} if there else None
    return replace(Evidence(found, numbers, rows, "2026-05-04 07:00:00"), **more)


def test_nothing_anywhere_is_absent() -> None:
    assert finding(document(), Evidence(None, (), {}), FORM).state == "absent"


def test_what_was_staged_as_it_is_now_is_the_same() -> None:
    found = finding(document(), evidence(document()), FORM)
    assert found.state == "same"
    assert [result.disposition for result in found.results.values()] == ["accept"] * 3
    assert (found.results[0].sys_id, found.results[0].target) == ("a" * 32, "sn_shop_invoice")


def test_an_invoice_that_cannot_be_seen_is_there_by_its_staged_row() -> None:
    found = finding(document(), replace(evidence(document()), invoice=None), FORM)
    assert (found.state, found.results[0].sys_id) == ("same", "f" * 32)


def test_a_refused_header_leaves_nothing_behind_but_its_words() -> None:
    found = finding(document(), evidence(document(), there=False, states=dict.fromkeys(range(3), "error")), FORM)
    assert found.state == "absent"
    assert [(row, result.disposition, result.message) for row, result in found.results.items()] == [(0, "park", "why")]


def test_a_refused_line_is_named() -> None:
    found = finding(document(), evidence(document(), states={2: "error"}), FORM)
    assert found.state == "same"
    assert {row: result.disposition for row, result in found.results.items()} == {0: "accept", 1: "accept", 2: "park"}
    assert found.results[2].message == "why"


@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_row_that_waits_makes_the_invoice_wait_until_it_is_old(row: int) -> None:
    held = evidence(document(), states={row: "pending"})
    assert finding(document(), held, FORM).state == "pending"
    assert finding(document(), replace(held, since="2026-05-04 08:00:01"), FORM).state != "pending"


def test_a_row_that_is_not_staged_yet_makes_it_another_version() -> None:
    held = evidence(document())
    assert (
        finding(
            document(), replace(held, staged={HEADER: held.staged[HEADER], LINE: held.staged[LINE][:1]}), FORM
        ).state
        == "other"
    )


def test_without_staged_rows_nobody_knows_the_version() -> None:
    assert finding(document(), replace(evidence(document()), staged={}), FORM).state == "other"


def with_column(row: int, **columns: str) -> MappedDocument:
    """The invoice with another value in one row."""
    rows = list(document().rows)
    rows[row] = replace(rows[row], columns={**rows[row].columns, **columns})
    return replace(document(), rows=tuple(rows))


@pytest.mark.parametrize(
    "now",
    [
        document(10000, 20000, 30000),
        document(10000),
        with_column(0, u_subtotal="1.00"),
        with_column(2, u_uom="Box"),
    ],
    ids=["line more", "line less", "header", "line"],
)
def test_another_version_is_never_taken_for_this_one(now: MappedDocument) -> None:
    assert finding(now, evidence(document()), FORM).state == "other"


def test_a_version_that_was_overtaken_is_not_the_present_one() -> None:
    held = evidence(document())
    newer = staged(document().header) | {"u_subtotal": "1.00"}
    both = replace(held, staged={**held.staged, HEADER: [*held.staged[HEADER], newer]})
    assert finding(document(), both, FORM).state == "other"


def test_a_later_try_counts_and_not_an_earlier_failure() -> None:
    held, failed = evidence(document()), evidence(document(), states=dict.fromkeys(range(3), "error"))
    both = replace(held, staged={table: [*failed.staged[table], *held.staged[table]] for table in held.staged})
    assert {result.disposition for result in finding(document(), both, FORM).results.values()} == {"accept"}


def test_what_is_empty_now_and_was_emptied_there_is_the_same() -> None:
    plain = mapped(invoice(line(10000, dimensions=())))
    assert finding(emptying(plain, "NULL"), evidence(emptying(plain, "NULL")), FORM).state == "same"
    assert finding(emptying(plain, "NULL"), evidence(plain), FORM).state == "same"


def test_brackets_that_were_sent_are_known_again() -> None:
    form = ApInvoiceForm(negative="brackets")
    sent = evidence(negative())
    for rows in sent.staged.values():
        for row in rows:
            row.update(
                {name: f"({text[1:]})" for name, text in row.items() if text.startswith("-") and "quantity" not in name}
            )  # type: ignore[attr-defined]
    assert finding(negative(), sent, form).state == "same"
    assert finding(negative(), sent, FORM).state == "other"


def test_all_rows_of_an_invoice_that_was_taken_are_accepted() -> None:
    results = taken(document(), "a" * 32)
    assert set(results) == {0, 1, 2}
    assert (results[0].sys_id, results[0].target) == ("a" * 32, "sn_shop_invoice")


# -- later versions


def numbers(found: MappedDocument | None) -> dict[str, str] | None:
    """The line numbers that go out, by BC's."""
    return None if found is None else {row.where: row.columns[LINE_NUMBER] for row in found.rows if row.table == LINE}


def changed(of: MappedDocument) -> MappedDocument:
    """The same lines, none of them as it was."""
    rows = [replace(row, columns={**row.columns, "u_line_description": "new"}) for row in of.rows[1:]]
    return replace(of, rows=(of.rows[0], *rows))


def test_a_later_version_has_the_source_that_is_there() -> None:
    found = rekeyed(document(), evidence(document()), FORM)
    assert found is not None
    assert {row.columns[SOURCE] for row in found.rows} == {"The Source"}
    assert found.payload_hash == document().payload_hash


def test_lines_are_known_by_their_place() -> None:
    gone = replace(evidence(document()), staged={})
    assert numbers(rekeyed(changed(document()), gone, FORM)) == {"10000": "1", "20000": "2"}


def test_lines_that_carry_bcs_numbers_keep_them() -> None:
    held = replace(evidence(document()), line_numbers=("10000", "20000"))
    assert numbers(rekeyed(changed(document()), held, FORM)) == {"10000": "10000", "20000": "20000"}


def test_a_line_in_between_is_new_and_moves_no_other() -> None:
    now = document(10000, 15000, 20000, earlier=(10000, 20000))
    assert numbers(rekeyed(now, evidence(document()), FORM)) == {"10000": "1", "15000": "15000", "20000": "2"}
    later = replace(evidence(document()), line_numbers=("1", "2", "15000"))
    again = replace(changed(now), earlier=(10000, 15000, 20000))
    assert numbers(rekeyed(again, later, FORM)) == {"10000": "1", "15000": "15000", "20000": "2"}


def test_a_line_that_was_refused_takes_the_place_it_was_staged_for() -> None:
    held = replace(evidence(document(10000, 20000, 30000), states={2: "error"}), line_numbers=("1", "3"))
    assert numbers(rekeyed(document(10000, 20000, 30000), held, FORM)) == {"10000": "1", "20000": "2", "30000": "3"}


def test_a_removed_line_is_found_like_the_others() -> None:
    source = invoice(line(20000, description="line 20000"))
    now = replace(with_removals(mapped(source), source, rules(), (10000, 20000)), earlier=(10000, 20000))
    assert numbers(rekeyed(now, evidence(document()), FORM)) == {"20000": "2", "10000": "1"}


@pytest.mark.parametrize("held", [("1",), ("1", "2", "3"), ("1", ""), ("a", "b"), ("", "")])
def test_lines_that_cannot_be_told_apart_are_left_alone(held: tuple[str, ...]) -> None:
    assert rekeyed(changed(document()), replace(evidence(document()), line_numbers=held, staged={}), FORM) is None

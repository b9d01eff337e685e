"""Tables of an instance without the licensed add-on: the base Procurement plugin's orders, and organisation data.

Source: the vendor's "Procurement tables" and "Create a purchase order" pages (status is never set, it follows the items).
"""

from __future__ import annotations

from tests.sandbox.servicenow.order_states import PROCUREMENT_STATUS
from tests.sandbox.servicenow.schema import Column, Table, reference
from tests.sandbox.servicenow.source_to_pay_tables import amount, numbered, text

ORGANISATION = (
    Table(
        "business_unit",
        (
            Column("name", max_length=100, display=True),
            reference("parent", "business_unit"),
            reference("company", "core_company"),
            reference("bu_head", "sys_user"),
            text("description", 1000),
            text("hierarchy_level", 40),
        ),
        label="Business Unit",
    ),
    Table("cmn_location", (Column("name", max_length=100, display=True), text("city", 50)), label="Location"),
    Table("ast_contract", (numbered(), text("short_description", 160)), label="Contract", prefix="CNTR"),
)

PROCUREMENT = (
    Table(
        "proc_po",
        (
            numbered(),
            PROCUREMENT_STATUS,
            reference("vendor", "core_company"),
            reference("company", "core_company"),
            reference("department", "cmn_department"),
            reference("assigned_to", "sys_user"),
            reference("requested_by", "sys_user"),
            reference("contract", "ast_contract"),
            reference("location", "cmn_location"),
            reference("ship_to", "cmn_location"),
            text("short_description", 160),
            text("description", 4000),
            Column("due_by", type="glide_date_time"),
            Column("po_date", type="glide_date_time"),
            amount("total_cost"),
        ),
        label="Purchase Order",
        prefix="PO",
    ),
    Table(
        "proc_po_item",
        (
            numbered(),
            PROCUREMENT_STATUS,
            reference("purchase_order", "proc_po"),
            reference("vendor", "core_company"),
            text("short_description", 160),
            text("part_number"),
            *(amount(name) for name in ("cost", "discount", "list_price", "total_cost", "total_list_price")),
            *(amount(name) for name in ("ordered_quantity", "received_quantity", "remaining_quantity")),
        ),
        label="Purchase Order Line Item",
        prefix="POI",
    ),
    Table("proc_rec_slip", (numbered(), reference("purchase_order", "proc_po")), label="Receiving Slip", prefix="REC"),
    Table(
        "proc_rec_slip_item",
        (
            numbered(),
            reference("receiving_slip", "proc_rec_slip"),
            reference("purchase_line", "proc_po_item"),
            amount("quantity"),
        ),
        label="Receiving Slip Line",
        prefix="RECI",
    ),
)

PROCUREMENT_TABLES = (*ORGANISATION, *PROCUREMENT)

"""Holds what is in ServiceNow against the expectation and names every difference; no difference, an empty list.

Three looks: the rows as they were sent, the rows in the staging tables, the records that the transform maps made of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from connector.decisions.states import Status
from tests.flows.expectation import EMPTIED, LENGTHS, Expected, Row, expectations, staged_rows
from tests.flows.pipeline import Pipeline
from tests.sandbox.servicenow.desk import INVOICE, INVOICE_LINE, ORDER, ORDER_LINE, RECEIPT
from tests.sandbox.servicenow.store import Store

TARGETS = {
    ORDER: "sn_shop_purchase_order",
    ORDER_LINE: "sn_shop_purchase_order_line",
    INVOICE: "sn_shop_invoice",
    INVOICE_LINE: "sn_shop_invoice_line",
    RECEIPT: "sn_shop_receipt",
}
# Which staging column each column of the target holds: texts, then amounts and quantities.
TEXTS = {
    ORDER: {"erp_number": "u_erp_po_number", "currency": "u_po_amount_currency", "purchase_order_type": "u_order_type"},
    ORDER_LINE: {
        "erp_line_number": "u_erp_po_line_number",
        "short_description": "u_short_description",
        "uom": "u_uom",
        "expected_delivery_date": "u_expected_delivery_date",
    },
    INVOICE: {
        "external_invoice_number": "u_external_invoice_number",
        "external_invoice_source": "u_external_invoice_source",
        "erp_number": "u_erp_number",
        "supplier_invoice_number": "u_supplier_invoice_number",
        "invoice_date": "u_invoice_date",
        "type": "u_invoice_type",
        "original_invoice": "u_original_invoice",
        "currency": "u_currency",
    },
    INVOICE_LINE: {"erp_line_number": "u_erp_line_number", "line_description": "u_line_description", "uom": "u_uom"},
    RECEIPT: {"erp_gr_number": "u_erp_receipt_number"},
}
NUMBERS = {
    ORDER: {"total_amount": "u_po_amount"},
    ORDER_LINE: {
        "purchased_quantity": "u_quantity",
        "unit_price": "u_unit_price",
        "total_line_amount": "u_line_amount",
        "tax_amount": "u_tax_amount",
    },
    INVOICE: {"subtotal": "u_subtotal", "invoice_amount": "u_amount_invoiced", "tax_amount": "u_tax_amount"},
    INVOICE_LINE: {
        "invoiced_quantity": "u_line_quantity",
        "line_unit_price": "u_line_unit_price",
        "line_amount": "u_line_amount_invoiced",
        "sub_total": "u_subtotal",
        "tax_amount": "u_tax_amount",
    },
    RECEIPT: {"quantity_received": "u_quantity_received"},
}
# Which column of the record behind a reference must hold the staging column's text.
REFERENCES = {
    ORDER: {
        "erp_source": ("u_erp_source", "sn_fin_erp_source", "name"),
        "legal_entity": ("u_legal_entity", "sn_fin_legal_entity", "erp_company_code"),
        "payment_term": ("u_payment_term", "sn_shop_payment_term", "name"),
        "cost_center": ("u_cost_center", "cmn_cost_center", "account_number"),
    },
    ORDER_LINE: {
        "cost_center": ("u_cost_center", "cmn_cost_center", "account_number"),
        "general_ledger_account": ("u_gl_account", "sn_fin_gl_account", "number"),
    },
    INVOICE: {
        "erp_source": ("u_erp_source", "sn_fin_erp_source", "name"),
        "legal_entity": ("u_legal_entity", "sn_fin_legal_entity", "erp_company_code"),
    },
    INVOICE_LINE: {
        "cost_center": ("u_cost_center", "cmn_cost_center", "account_number"),
        "ledger_account": ("u_gl_account", "sn_fin_gl_account", "number"),
    },
    RECEIPT: {"erp_source": ("u_erp_source", "sn_fin_erp_source", "name")},
}
# Only ServiceNow's own people and flows set these.
NEVER_OURS = {ORDER: {"status": ""}, INVOICE: {"state": "draft"}}


def differences(expected: Iterable[Row], actual: Iterable[Row], *, each: str = "once") -> list[str]:
    """What is missing, too many, or another value. `each` is "once", or "at least once" where repeats are no fault.

    An invoice that bills an order may be there once more in any case: it is staged again when its order came after it.
    """
    rows = list(expected)
    wanted, found = _grouped(rows), _grouped(actual)
    linked = {row.document for row in rows if "u_purchase_order" in row.columns}
    report = []
    for key in sorted(wanted.keys() | found.keys()):
        mine, theirs = wanted.get(key, []), found.get(key, [])
        name = (mine or theirs)[0].name
        if not theirs:
            report.append(f"{key[0]}: {name} is missing")
        elif not mine:
            report.append(f"{key[0]}: {name} should not be there")
        elif each == "once" and len(theirs) - len(mine) not in ({0, 1} if mine[0].document in linked else {0}):
            report.append(f"{key[0]}: {name} is there {len(theirs)} times instead of {len(mine)}")
        for row in theirs if mine else []:
            report += [f"{key[0]}: {name}: {text}" for text in _columns(mine[0].columns, row.columns)]
    return report + _line_counts(wanted, found)


def _grouped(rows: Iterable[Row]) -> dict[tuple[str, str, str, str, str], list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[(row.table, *row.document, row.line)].append(row)
    return dict(groups)


def _line_counts(
    wanted: Mapping[tuple[str, str, str, str, str], object], found: Mapping[tuple[str, str, str, str, str], object]
) -> list[str]:
    counts = [Counter(key[:4] for key in keys) for keys in (wanted, found)]
    return [
        f"{' '.join(group)} has {counts[1][group]} rows instead of {counts[0][group]}"
        for group in sorted(counts[0].keys() | counts[1].keys())
        if counts[0][group] != counts[1][group]
    ]


def _columns(wanted: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    return [
        f"{name} is {found.get(name, 'absent')!r} instead of {wanted.get(name, 'absent')!r}"
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    ]


def rows_in_staging(store: Store) -> list[Row]:
    """All rows of the staging tables. An absent column and an empty one look the same here."""
    return [
        Row(table, {name: text for name, text in row.items() if name in columns and text not in ("", EMPTIED)})
        for table, columns in LENGTHS.items()
        for row in store.rows(table)
    ]


# -- the records behind


def target_differences(expected: Sequence[Expected], store: Store, *, only_carried: bool = False) -> list[str]:
    """Every record of the target tables against the documents: values, references, lines, duplicates. Suppliers and the
    orders of invoices have looks of their own. `only_carried`: records of documents that are not carried (any more) may be
    there as well."""
    carried = [document for document in expected if document.rows]
    held = {_key(row) for document in carried if document.fate == "held" for row in document.rows}
    wanted = {_key(row): _wanted(row) for document in carried for row in document.rows}
    known = {key[1:4] for key in wanted}
    report = []
    found: dict[tuple[str, ...], dict[str, object]] = {}
    for table, target in TARGETS.items():
        for record in store.rows(target):
            key = _key_of_record(store, table, record)
            if key in found:
                report.append(f"{target}: {' '.join(key[1:])} is there twice")
            found[key] = _found(store, table, record)
    for key in sorted(wanted.keys() | found.keys()):
        name = f"{TARGETS[key[0]]}: {' '.join(key[1:]).strip()}"
        if key not in found:
            report += [] if key in held else [f"{name} is missing"]
        elif key not in wanted:
            another = only_carried and key[1:4] not in known
            if not another and not _taken_back(found[key]):
                report.append(f"{name} should not be there")
        else:
            report += [f"{name}: {text}" for text in _columns(wanted[key], found[key])]
    return report


def _taken_back(record: Mapping[str, object]) -> bool:
    """Whether nothing is left of a line that an earlier version of its document had."""
    amounts = ("purchased_quantity", "total_line_amount", "invoiced_quantity", "line_amount")
    left = [record[name] for name in amounts if name in record]
    return bool(left) and not any(left)


def supplier_differences(expected: Iterable[Expected], store: Store, *, only_carried: bool = False) -> list[str]:
    """Headers whose record points to another supplier than the one with the document's vendor number and ERP source."""
    wanted = {
        _key(row): (each.erp_source, each.vendor)
        for each in expected
        if each.kind != "receipt"
        for row in each.rows[:1]
    }
    report = []
    for table in (ORDER, INVOICE):
        for record in store.rows(TARGETS[table]):
            key = _key_of_record(store, table, record)
            found = _of_source(store, "sn_fin_supplier", record["supplier"], "erp_supplier_code")
            if found != wanted.get(key) and not (only_carried and key not in wanted):
                report.append(f"{' '.join(key[1:]).strip()} has the supplier {found} instead of {wanted.get(key)}")
    return report


def order_differences(expected: Iterable[Expected], store: Store, *, only_carried: bool = False) -> list[str]:
    """Invoices whose record does not point to the order they bill, though that order is carried too. `only_carried`: an order
    that is not carried (any more) may have been there when the invoice came."""
    documents = list(expected)
    carried = {(each.erp_source, each.number) for each in documents if each.kind == "order" and each.rows}
    report = []
    for invoice in documents:
        if invoice.kind != "invoice" or not invoice.rows:
            continue
        order = (invoice.erp_source, invoice.rows[0].columns.get("u_purchase_order", ""))
        if only_carried and order not in carried:
            continue
        wanted = order if order in carried else ("", "")
        for record in store.find("sn_shop_invoice", {"external_invoice_number": invoice.id}):
            found = _of_source(store, "sn_shop_purchase_order", record["purchase_order"], "erp_number")
            if found != wanted:
                report.append(f"{invoice.rows[0].name} ({invoice.number}) has the order {found} instead of {wanted}")
    return report


def end_differences(pipeline: Pipeline, *, each: str = "at least once") -> list[str]:
    """Where a pipeline that has come to rest differs from what Business Central holds now: staging, records, states, queues.

    Speaks of the documents as they are at this moment, so only of runs in which none was edited after it was staged.
    """
    expected = expectations(pipeline.landscape)
    store = pipeline.servicenow.tables
    report = differences(staged_rows(expected.values()), rows_in_staging(store), each=each)
    return report + rest_differences(pipeline)


def rest_differences(pipeline: Pipeline) -> list[str]:
    """The same without the staging rows: true also after edits, which leave the earlier rows in staging."""
    expected = expectations(pipeline.landscape)
    report = target_differences(list(expected.values()), pipeline.servicenow.tables)
    for fate, status in (("staged", Status.DONE), ("waiting", Status.WAITING), ("parked", Status.PARKED)):
        wanted = {id_ for id_, document in expected.items() if document.fate == fate}
        report += [f"{expected[id_].number} is not {status}" for id_ in sorted(wanted - pipeline.with_status(status))]
    held = {id_ for id_, document in expected.items() if document.fate == "held"}
    settled = pipeline.with_status(Status.DONE) | pipeline.with_status(Status.WAITING)
    report += [f"{expected[id_].number} is neither done nor waiting" for id_ in sorted(held - settled)]
    report += [f"{id_} is known only to the ledger" for id_ in sorted(pipeline.states().keys() - expected.keys())]
    parked = sorted(id_ for id_, document in expected.items() if document.fate == "parked")
    if sorted(note.get("parked", "") for note in pipeline.poison()) != parked:
        report.append("the poison queue does not hold one message for each parked document")
    if pipeline.queues.count(pipeline.settings.documents_queue):
        report.append("the documents queue is not empty")
    return report + [f"a message raised {type(fault).__name__}: {fault}" for fault in pipeline.faults]


def assert_each_record_was_written_once(pipeline: Pipeline) -> None:
    """No record was inserted twice or changed after it was made (an invoice sent once more may find its order by then)."""
    tables = pipeline.servicenow.tables
    wanted = Counter(TARGETS[row.table] for row in staged_rows(expectations(pipeline.landscape).values()))
    assert {target: tables.inserts[target] for target in TARGETS.values()} == wanted
    assert [target for target in TARGETS.values() if tables.updates[target] and target != TARGETS[INVOICE]] == []


def _key(row: Row) -> tuple[str, ...]:
    return (row.table, *row.document, row.line)


def _key_of_record(store: Store, table: str, record: Mapping[str, str]) -> tuple[str, ...]:
    line = record.get("erp_line_number", "")
    if table == RECEIPT:
        ordered = _through(store, "sn_shop_purchase_order_line", record["purchase_order_line"], "erp_line_number")
        source = store.display("sn_fin_erp_source", record["erp_source"])
        return (table, "receipt", source, record["erp_gr_number"], ordered)
    if table in (ORDER_LINE, INVOICE_LINE):
        parent, of = (
            ("sn_shop_purchase_order", "purchase_order") if table == ORDER_LINE else ("sn_shop_invoice", "invoice")
        )
        record = store.get(parent, record[of]) or {"erp_source": "", "erp_number": "?", "external_invoice_number": "?"}
    source = store.display("sn_fin_erp_source", record["erp_source"])
    if table in (ORDER, ORDER_LINE):
        return (table, "order", source, record["erp_number"], line)
    return (table, "invoice", source, record["external_invoice_number"], line)


def _wanted(row: Row) -> dict[str, object]:
    columns = row.columns
    values: dict[str, object] = {name: columns.get(source, "") for name, source in TEXTS[row.table].items()}
    values |= {name: _number(columns.get(source, "")) for name, source in NUMBERS[row.table].items()}
    values |= {name: columns.get(source, "") for name, (source, _, _) in REFERENCES[row.table].items()}
    return values | NEVER_OURS.get(row.table, {})


def _found(store: Store, table: str, record: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {name: record[name] for name in TEXTS[table]}
    values |= {name: _number(record[name]) for name in NUMBERS[table]}
    values |= {
        name: _through(store, target, record[name], column) for name, (_, target, column) in REFERENCES[table].items()
    }
    return values | {name: record[name] for name in NEVER_OURS.get(table, {})}


def _through(store: Store, table: str, sys_id: str, column: str) -> str:
    row = store.get(table, sys_id) if sys_id else None
    return row[column] if row else ""


def _of_source(store: Store, table: str, sys_id: str, column: str) -> tuple[str, str]:
    source = _through(store, table, sys_id, "erp_source")
    return store.display("sn_fin_erp_source", source) if source else "", _through(store, table, sys_id, column)


def _number(text: str) -> Decimal | str:
    return Decimal(text) if text else ""

"""Business Central on the page: companies, entity sets, the rows of one, and one document with its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tests.sandbox.business_central import BusinessCentral, CompanyData, Document
from tests.sandbox.business_central.entities import EntitySet, Property
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.master_sets import ALL_SETS
from tests.sandbox.business_central.records import Row
from tests.sandbox.page.frame import Missing, View, cut, heading
from tests.sandbox.page.markup import Html, Number, badge, card, code, element, facts, joined, short, table
from tests.sandbox.page.values import NOTHING, amount, blank, count, quantity, shown

PLACE = "business-central"
# Sets whose rows are made while they are read; nothing of them is kept.
UNKEPT = frozenset({"companies", "dimensions"})
AMOUNTS = {
    "totalAmountExcludingTax": "Net",
    "totalTaxAmount": "Tax",
    "totalAmountIncludingTax": "Total",
}
MOODS = {"Open": "good", "Paid": "good", "Draft": "warn", "In Review": "warn", "Canceled": "bad", "Corrective": "bad"}
LINE_COLUMNS = (
    ("sequence", Number("Line")),
    ("lineType", "Type"),
    ("lineObjectNumber", "No."),
    ("description", "Description"),
    ("quantity", Number("Quantity")),
    ("unitOfMeasureCode", "Unit"),
    ("directUnitCost", Number("Unit cost")),
    ("unitCost", Number("Unit cost")),
    ("discountPercent", Number("Disc. %")),
    ("taxCode", "Tax code"),
    ("netAmount", Number("Net")),
    ("netTaxAmount", Number("Tax")),
    ("netAmountIncludingTax", Number("Total")),
    ("receivedQuantity", Number("Received")),
)
# The property that a row goes by is the first of these that its set has.
NAMES = ("number", "code", "displayName", "fileName")
QUANTITIES = frozenset({"sequence", "quantity", "receivedQuantity", "discountPercent"})


class BusinessCentralPages:
    """The pages of one environment with these companies."""

    def __init__(self, simulator: BusinessCentral, companies: Sequence[CompanyData]) -> None:
        self._simulator = simulator
        self._companies = {company.id: company.name for company in companies}

    def body(self, view: View) -> tuple[str, Html]:
        """Title and content of the page at this address; `Missing` when there is none."""
        match view.segments[1:]:
            case ():
                return "Business Central", self._all_companies(view)
            case (company,):
                return self._name(company), self._company(view, company)
            case (company, entity):
                return f"{entity}, {self._name(company)}", self._rows(view, company, _kept(entity))
            case (company, entity, record):
                return self._one(view, company, _kept(entity), record)
            case _:
                raise Missing("no such page")

    def _all_companies(self, view: View) -> Html:
        names = ("purchaseOrders", "purchaseInvoices", "vendors", "dimensionValues")
        rows = [
            [
                view.link(name, PLACE, company),
                *(view.link(count(len(self._ids(company, one))), PLACE, company, one) for one in names),
                code(company),
            ]
            for company, name in self._companies.items()
        ]
        numbers = map(Number, ("Purchase orders", "Purchase invoices", "Vendors", "Dimension values"))
        return joined((heading(view, "Business Central"), card("Companies", table(["Name", *numbers, "Id"], rows))))

    def _company(self, view: View, company: str) -> Html:
        counted = {name: len(self._ids(company, name)) for name, one in ALL_SETS.items() if one.source not in UNKEPT}
        groups = {
            "Documents": [name for name in counted if ALL_SETS[name].source == "documents"],
            "Other sets": [name for name in counted if ALL_SETS[name].source not in {"documents", "lines"}],
            "Lines of documents": [name for name in counted if ALL_SETS[name].source == "lines"],
        }
        cards = [
            card(
                title,
                table(
                    ["Entity set", "Table", Number("Rows")],
                    [
                        [view.link(name, PLACE, company, name), ALL_SETS[name].caption, count(counted[name])]
                        for name in sorted(names, key=lambda name: (counted[name] == 0, name))
                    ],
                ),
            )
            for title, names in groups.items()
        ]
        top = heading(view, self._name(company), ("Business Central", (PLACE,)))
        return joined((top, element("div", element("div", cards[0], cards[2]), cards[1], class_="cards")))

    def _rows(self, view: View, company: str, entity: EntitySet) -> Html:
        ids = self._ids(company, entity.name)
        part = cut(view, len(ids))
        found = [document for id_ in ids[part.start : part.end] if (document := self._find(company, entity, id_))]
        top = heading(view, entity.name, ("Business Central", (PLACE,)), (self._name(company), (PLACE, company)))
        if entity.source == "documents":
            listed = _documents(view, company, entity, found)
        else:
            listed = _plain_rows(view, company, entity, [document.header for document in found])
        return joined((top, element("section", part.pager, listed, part.pager)))

    def _one(self, view: View, company: str, entity: EntitySet, id_: str) -> tuple[str, Html]:
        found = self._find(company, entity, id_)
        if found is None:
            raise Missing(f"{entity.name} has no row {id_}")
        name = _name_of(found.header)
        marks = [badge(str(found.header["status"]).strip() or "no status", _mood(found))] if _has_status(found) else []
        if found.dangling:
            marks.append(badge("dimension set dangles", "bad"))
        top = heading(
            view,
            joined((f"{entity.caption} {name} ", *marks)),
            ("Business Central", (PLACE,)),
            (self._name(company), (PLACE, company)),
            (entity.name, (PLACE, company, entity.name)),
        )
        parts = [top]
        if entity.source == "documents":
            parts += [_head(found), card("Lines", _lines(found))]
        said = [(name, shown(found.header.get(name, ""))) for name in entity.by_name]
        parts.append(card("All properties", facts((code(prop), text) for prop, text in said)))
        return f"{entity.caption} {name}", joined(parts)

    def _name(self, company: str) -> str:
        if company not in self._companies:
            raise Missing(f"no company {company}")
        return self._companies[company]

    def _ids(self, company: str, entity: str) -> list[str]:
        self._name(company)
        return self._simulator.document_ids(company, entity)

    def _find(self, company: str, entity: EntitySet, id_: str) -> Document | None:
        self._name(company)
        try:
            return self._simulator.document(company, id_, entity=entity.name)
        except (KeyError, Refusal):
            return None


def _kept(name: str) -> EntitySet:
    entity = ALL_SETS.get(name)
    if entity is None or entity.source in UNKEPT:
        raise Missing(f"no entity set {name}")
    return entity


def _documents(view: View, company: str, entity: EntitySet, found: Sequence[Document]) -> Html:
    amounts = {name: title for name, title in AMOUNTS.items() if name in entity.by_name}
    rows = [
        [
            view.link(document.number, PLACE, company, entity.name, document.id),
            badge(str(document.header["status"]).strip() or NOTHING, _mood(document))
            if _has_status(document)
            else NOTHING,
            element("span", _vendor(document.header), class_="broad"),
            count(len(document.lines)),
            document.header.get("currencyCode", ""),
            *(amount(Decimal(str(document.header[name]))) for name in amounts),
            _dimensions(document.dimensions),
            element("span", shown(document.header.get("lastModifiedDateTime", "")), class_="nowrap"),
        ]
        for document in found
    ]
    columns = ["Number", "Status", "Vendor", Number("Lines"), "Currency", *map(Number, amounts.values())]
    return table([*columns, "Dimensions", "Last modified (UTC)"], rows, empty="No document.")


def _plain_rows(view: View, company: str, entity: EntitySet, rows: Sequence[Row]) -> Html:
    key = next((name for name in NAMES if name in entity.by_name), "id")
    used = [
        prop
        for prop in entity.properties
        if prop.name not in {"id", key} and any(not blank(row.get(prop.name, "")) for row in rows)
    ]
    headings = [Number(prop.name) if prop.kind in {"decimal", "int", "long"} else prop.name for prop in used]
    shown_rows = [
        [
            view.link(_name_of(row), PLACE, company, entity.name, str(row["id"])),
            *(_cell(prop, row.get(prop.name, "")) for prop in used),
        ]
        for row in rows
    ]
    return table([key, *headings], shown_rows, empty="No row.")


def _cell(prop: Property, value: object) -> object:
    text = shown(value)
    return short(text) if prop.kind == "guid" and text != NOTHING else text


def _head(document: Document) -> Html:
    header = document.header
    wanted = {
        "Vendor": _vendor(header),
        "Vendor invoice": header.get("vendorInvoiceNumber", ""),
        "Order": header.get("orderNumber", ""),
        "Order date": shown(header.get("orderDate", "")),
        "Invoice date": shown(header.get("invoiceDate", "")),
        "Posting date": shown(header.get("postingDate", "")),
        "Due date": shown(header.get("dueDate", "")),
        "Currency": header.get("currencyCode", ""),
        "Dimensions": _dimensions(document.dimensions),
        "Last modified": f"{shown(header.get('lastModifiedDateTime', ''))} UTC",
    }
    sums = [(title, amount(Decimal(str(header[name])))) for name, title in AMOUNTS.items() if name in header]
    figures = [element("div", element("b", value), element("span", title)) for title, value in sums]
    kept = [(name, value) for name, value in wanted.items() if value not in {"", NOTHING}]
    return element("section", element("div", *figures, class_="figures") if figures else None, facts(kept))


def _lines(document: Document) -> Html:
    used = [
        (name, title)
        for name, title in LINE_COLUMNS
        if any(not blank(line.values.get(name, "")) for line in document.lines)
    ]
    rows = [
        [*(_line_cell(line.values, name) for name, _ in used), _dimensions(line.dimensions)] for line in document.lines
    ]
    return table([*(title for _, title in used), "Dimensions"], rows, empty="No line.")


def _line_cell(values: Row, name: str) -> object:
    if values["lineType"] == "Comment" and name not in {"sequence", "lineType", "description"}:
        return ""
    if name in {"description", "lineObjectNumber"}:
        return element("span", shown(values.get(name, "")), class_="broad" if name == "description" else "nowrap")
    return quantity(values[name]) if name in QUANTITIES and name in values else shown(values.get(name, ""))


def _dimensions(pairs: dict[str, str]) -> Html:
    return joined(
        _spaced(
            element("span", code, " ", element("b", value), class_="badge") for code, value in sorted(pairs.items())
        )
    )


def _spaced(parts: Iterable[Html]) -> Iterable[object]:
    for part in parts:
        yield part
        yield " "


def _vendor(header: Row) -> Html:
    number = element("span", header.get("vendorNumber", ""), class_="quiet")
    return joined((header.get("vendorName", ""), " ", number))


def _has_status(document: Document) -> bool:
    return "status" in document.header


def _mood(document: Document) -> str:
    return MOODS.get(str(document.header["status"]), "")


def _name_of(row: Row) -> str:
    names = (str(row.get(name, "")) for name in (*NAMES, "id"))
    return next(name for name in names if name.strip())

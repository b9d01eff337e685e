"""Faults: for each code a sample that has exactly this fault, and a near miss, one thing different, that has none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from connector.business_central.canonical import canonical
from connector.decisions.answers import RowResult
from connector.decisions.duplicates import Twin, twin_verdict
from connector.decisions.eligibility import eligibility
from connector.decisions.frozen import frozen_reason, verdict
from connector.decisions.mapping import Rules, map_document
from connector.decisions.receipts import by_order_lines
from connector.decisions.reference_faults import reference_faults
from connector.decisions.states import Status
from connector.decisions.uses import uses
from connector.decisions.versions import Remembered, cancellation, with_removals
from connector.decisions.warehouses import with_warehouse_cost_centres
from connector.errors import DocumentFault, Reason
from connector.model.checks import Checks, CompanyChecks, Warehouse
from connector.model.documents import DimensionValue, Document, Entity, Line
from connector.model.profile import CostCentres, Profile, Tracking, Translations
from connector.model.references import (
    AccountFacts,
    CostCentreFacts,
    DefaultDimension,
    PostingWindow,
    References,
    ValueFacts,
    VendorFacts,
)
from connector.servicenow.doors.delivery import Delivery
from tests.unit.builders import COMPANY, SUPPLIERS, invoice, line, order
from tests.unit.profile_page import shipped, with_taxes
from tests.unit.test_mapping import ALLOCATION
from tests.unit.test_wire_documents import CODES, row

TABLES = ("payment_terms", "units", "tax_codes", "tax_types", "accounts", "cost_centres", "locations")
WORDS = Translations(
    payment_terms={"1M(8D)": "Net 30"},
    units={"PCS": "Each"},
    tax_codes={"FURNITURE": "US-FURN", "LABOR": "US-LABOR"},
    tax_types={"FURNITURE": "Sales Tax"},
    accounts={"8240": "60100"},
    cost_centres={"ADM": "CC-100", "SALES": "CC-300"},
    locations={"MAIN": "Main Warehouse", "WEST": "West Warehouse"},
)
CENTRES = CostCentres(
    table="cmn_cost_center", code="account_number", valid_from="valid_from", valid_to="valid_to", available="available"
)
KNOWN = References(
    dimensions=frozenset(("DEPARTMENT", "AREA")),
    values={
        ("DEPARTMENT", "ADM"): ValueFacts("Standard", False),
        ("DEPARTMENT", "PROD"): ValueFacts("Standard", False),
        ("DEPARTMENT", "SALES"): ValueFacts("Standard", False),
        ("AREA", "10"): ValueFacts("Standard", False),
        ("AREA", "20"): ValueFacts("Standard", False),
    },
    accounts={"8240": AccountFacts("Posting", True, False), "61300": AccountFacts("Posting", True, False)},
    vendors={"20000": VendorFacts("")},
    window=PostingWindow(date(2026, 7, 1), date(2026, 7, 31)),
    cost_centres={"CC-100": (CostCentreFacts(None, None, True),), "CC-300": (CostCentreFacts(None, None, True),)},
)
"""Master data in which every sound document of these samples is sound."""


def plain() -> Profile:
    """The shipped profile, every translation table insisted on, cost centres looked up."""
    return _insisting(Profile.model_validate(shipped("source_to_pay")))


def _insisting(profile: Profile) -> Profile:
    strict = {"missing_translation": dict.fromkeys(TABLES, "park"), "cost_centres": CENTRES.model_dump()}
    return Profile.model_validate(profile.model_dump() | strict)


PLAIN = plain()
TAXED = _insisting(with_taxes("source_to_pay"))
ALLOCATING = Profile.model_validate(
    PLAIN.model_dump()
    | {
        "routes": {"purchaseOrders": PLAIN.model_dump()["routes"]["purchaseOrders"] | {"allocation": ALLOCATION}},
        "allocation_keys": {"ADM": {"ADM": Decimal(50), "SALES": Decimal(50)}},
    }
)


def ruled(profile: Profile = PLAIN, words: Translations = WORDS, **demands: Any) -> Rules:
    """Rules of the sample company, with what its checks file demands."""
    checks = Checks(companies={COMPANY.key: CompanyChecks(**demands)}) if demands else Checks()
    return Rules(COMPANY, profile, words, checks=checks)


def found(
    document: Document,
    rules: Rules | None = None,
    references: References = KNOWN,
    suppliers: Mapping[str, tuple[str, ...]] = SUPPLIERS,
    shared: Collection[str] = (),
) -> list[Reason]:
    """Everything that mapping and master data have against the document, whatever its severity."""
    rules = rules or ruled()
    document = with_warehouse_cost_centres(document, rules)
    own: list[Reason] = []
    try:
        own += map_document(document, rules, suppliers, shared).noted
    except DocumentFault as fault:
        own += fault.reasons
    return own + reference_faults(document, uses(document, rules), rules, references)


def refused(act: Callable[[], object]) -> list[Reason]:
    """The reasons with which this is refused, if it is."""
    try:
        act()
    except DocumentFault as fault:
        return list(fault.reasons)
    return []


def at(*pairs: tuple[str, str]) -> tuple[DimensionValue, ...]:
    """Dimensions of a document or line."""
    return tuple(DimensionValue(*pair) for pair in pairs)


ADM, SALES, AREA = ("DEPARTMENT", "ADM"), ("DEPARTMENT", "SALES"), ("AREA", "10")


def freight(account: str = "8240", sequence: int = 10000, **more: Any) -> Line:
    """A line on a G/L account."""
    return line(sequence, type="Account", object_number=account, description="Freight", **more)


def valued(pair: tuple[str, str], facts: ValueFacts) -> References:
    """The known master data with another dimension value."""
    return replace(KNOWN, values={**KNOWN.values, pair: facts})


def charted(facts: AccountFacts | None) -> References:
    """The known master data with another account 8240, or without it."""
    others = {number: known for number, known in KNOWN.accounts.items() if number != "8240"}
    return replace(KNOWN, accounts=others if facts is None else {**others, "8240": facts})


def vendor(blocked: str = "", *defaults: DefaultDimension) -> References:
    """The known master data with another vendor 20000."""
    return replace(KNOWN, vendors={"20000": VendorFacts(blocked, defaults)})


def centre(*facts: CostCentreFacts) -> References:
    """The known master data with other cost centres CC-100."""
    return replace(KNOWN, cost_centres={"CC-100": facts})


def window(first: date | None, last: date | None) -> References:
    """The known master data with another posting window."""
    return replace(KNOWN, window=PostingWindow(first, last))


def twins(status: Status, **changes: Any) -> list[Reason]:
    """What another invoice of the vendor's same number, in this state, has against an invoice."""
    one = invoice()
    twin = Twin("0a73153c-6329-f111-8340-000d3a11d3d8", "108001", "20000", "INV-2026-77", status, "Open", True, True)
    given = twin_verdict(one, [replace(twin, **changes)])
    return [given] if isinstance(given, Reason) else []


def answered(disposition: Any, outcome: str, message: str = "") -> list[Reason]:
    """What ServiceNow's answers to the rows of an order come to."""
    mapped = map_document(order(), ruled(), SUPPLIERS)
    rows = dict.fromkeys(range(len(mapped.rows)), RowResult("accept", "inserted"))
    return Delivery(rows | {0: RowResult(disposition, outcome, message)}).reasons(mapped)


def removing(*sent: int, taxes: Collection[str] = (), ways: Collection[str] = ()) -> list[Reason]:
    """What there is against a version of an invoice with the line 10000 only, where these lines and taxes were sent before."""
    route = TAXED.routes["purchaseInvoices"]
    unable: dict[str, dict[str, str]] = {way: {} for way in ("removed_line", "removed_tax") if way not in ways}
    profile = TAXED.model_copy(update={"routes": {"purchaseInvoices": route.model_copy(update=unable)}})
    document, rules = invoice(line(10000)), ruled(profile, TWO_TYPES)
    mapped = map_document(document, rules, SUPPLIERS)
    return refused(lambda: with_removals(mapped, document, rules, {10000, *sent}, [*mapped.taxes, *taxes]))


def cancelling(*, able: bool) -> list[Reason]:
    """What there is against cancelling an order that was deleted."""
    route = PLAIN.routes["purchaseOrders"]
    route = route if able else route.model_copy(update={"cancelled": {}})
    profile = PLAIN.model_copy(update={"routes": {"purchaseOrders": route}})
    gone = Remembered(Entity.PURCHASE_ORDER, order().id, "106001", "USD", {10000})
    return refused(lambda: cancellation(gone, ruled(profile)))


def receipt(sequence: int) -> list[Reason]:
    """What there is against a receipt with this line, of an order with the line 10000."""
    document = order(line(sequence), entity=Entity.RECEIPT, number="107031", order_number="106001", status="Posted")
    return refused(lambda: by_order_lines(document, {10000}))


def on_the_wire(**changes: Any) -> list[Reason]:
    """What there is against an order as BC delivers it, with some properties changed."""
    return refused(lambda: canonical({**row(), **changes}, "us", Entity.PURCHASE_ORDER, CODES))


def with_status(document: Document) -> list[Reason]:
    """What there is against a document's status."""
    return refused(lambda: eligibility(document, PLAIN.routes[document.entity.value]))


def frozen(state: str) -> list[Reason]:
    """What there is against a change whose record stands there."""
    tracking = Tracking(table="sn_shop_invoice", state="state", frozen=("approved", "paid"), when_frozen="park")
    return [frozen_reason("108029", "Approved", gone=False)] if verdict(tracking, state) == "park" else []


@dataclass(frozen=True, slots=True)
class Sample:
    """A fault and its near miss: each gives the reasons it comes to."""

    code: str
    name: str
    wrong: Callable[[], list[Reason]]
    near: Callable[[], list[Reason]]


def totals(net: str, tax: str, gross: str) -> list[Reason]:
    """An order of one line of 100.00 and 6.00 tax with these totals."""
    return found(order(net_total=Decimal(net), tax_total=Decimal(tax), gross_total=Decimal(gross)))


MAIN = {"MAIN": Warehouse(cost_centres=("ADM",))}
HALVES = ruled(ALLOCATING)
DAY = date(2026, 7, 15)
"""The posting date of the sample's documents."""
BEFORE, AFTER = date(2026, 7, 14), date(2026, 7, 16)
ONE_TYPE = WORDS.model_copy(update={"tax_types": {"FURNITURE": "Sales Tax", "LABOR": "Sales Tax"}})
TWO_TYPES = WORDS.model_copy(update={"tax_types": {"FURNITURE": "Sales Tax", "LABOR": "Service Tax"}})
TWO_TAXES = invoice(line(10000), line(20000, tax_code="LABOR"))
OTHER_TAX = '["LABOR", "6"]'
NAME = "First Up Consultants"

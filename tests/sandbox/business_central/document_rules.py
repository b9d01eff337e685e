"""What a document's header refers to - vendors, currency, terms, shipment method - and what the application says to it.

Texts follow the API v2.0 pages of purchase orders and invoices in Microsoft's public source. An id and a number may both be
given; they must then agree, and each brings the other with it.
"""

from __future__ import annotations

from tests.sandbox.business_central.errors import dialog
from tests.sandbox.business_central.records import NO_ID, Row
from tests.sandbox.business_central.store import CompanyState, Record

UNPOSTED = frozenset({" ", "Draft", "In Review"})
_ADDRESS = ("AddressLine1", "AddressLine2", "City", "Country", "State", "PostCode")
_OF_VENDOR = ("addressLine1", "addressLine2", "city", "country", "state", "postalCode")
_SALES_TAX_COUNTRIES = frozenset({"US", "CA"})


def is_posted(document: Record) -> bool:
    """Whether the document has been posted, so that nobody can change it any more."""
    if document.entity.name not in {"purchaseInvoices", "purchaseCreditMemos"}:
        return False
    return document.values["status"] not in UNPOSTED


def check_open(document: Record) -> None:
    """Passes when the document may be changed, else raises `Refusal`."""
    if is_posted(document):
        raise dialog("The document has been posted and cannot be changed.")


def settled(state: CompanyState, entity: str, changes: Row, *, new: bool) -> Row:
    """The changes with everything that follows from them, or `Refusal`."""
    row = dict(changes)
    _settle_vendors(state, entity, row, new=new)
    _settle_currency(state, row)
    for prop, target, caption in (
        ("paymentTermsId", "paymentTerms", "Payment Terms"),
        ("shipmentMethodId", "shipmentMethods", "Shipment Method"),
    ):
        wanted = str(row.get(prop, NO_ID))
        if wanted != NO_ID and wanted not in state.sets[target]:
            raise dialog(f'The "{prop}" does not match to a {caption}.')
    if row.get("pricesIncludeTax") and _country(state) in _SALES_TAX_COUNTRIES:
        raise dialog('The "pricesIncludeTax" cannot be set to true if VAT Calculation Type is Sales Tax.')
    return row


def _settle_vendors(state: CompanyState, entity: str, row: Row, *, new: bool) -> None:
    orders = entity == "purchaseOrders"
    if "vendorId" in row or "vendorNumber" in row:
        missing = "The buy-from vendor cannot be found." if orders else "The vendor cannot be found."
        vendor = _vendor(state, row, "vendor", "The buy-from vendor values do not match to a specific Vendor.", missing)
        row |= _party("buyFrom", vendor) | {
            "vendorId": vendor.id,
            "vendorNumber": vendor.values["number"],
            "vendorName": vendor.values["displayName"],
        }
        if "payToVendorId" not in row and "payToVendorNumber" not in row:
            row["payToVendorId"] = vendor.id
        for prop in ("currencyId", "currencyCode") if new and not {"currencyId", "currencyCode"} & set(row) else ():
            row[prop] = vendor.values[prop]
        if new:
            row.setdefault("paymentTermsId", vendor.values["paymentTermsId"])
    elif new:
        word = "vendorId" if orders else "vendorID"
        raise dialog(f'A "vendorNumber" or a "{word}" must be provided.')
    if "payToVendorId" in row or "payToVendorNumber" in row:
        vendor = _vendor(
            state,
            row,
            "payToVendor",
            "The pay-to vendor values do not match to a specific Vendor.",
            "The pay-to vendor cannot be found.",
        )
        row |= _party("payTo", vendor) | {
            "payToVendorId": vendor.id,
            "payToVendorNumber": vendor.values["number"],
            "payToName": vendor.values["displayName"],
        }


def _vendor(state: CompanyState, row: Row, prefix: str, mismatch: str, missing: str) -> Record:
    key, number = str(row.get(f"{prefix}Id", NO_ID)), str(row.get(f"{prefix}Number", ""))
    by_id = state.sets["vendors"].get(key)
    by_number = next((each for each in state.all_of("vendors") if each.values["number"] == number), None)
    found = by_id or by_number
    if found is None:
        raise dialog(missing)
    if key != NO_ID and number and by_id is not by_number:
        raise dialog(mismatch)
    return found


def _party(prefix: str, vendor: Record) -> Row:
    return {prefix + name: vendor.values[of] for name, of in zip(_ADDRESS, _OF_VENDOR, strict=True)}


def _settle_currency(state: CompanyState, row: Row) -> None:
    if "currencyId" not in row and "currencyCode" not in row:
        return
    local = local_currency(state)
    key, code = str(row.get("currencyId", NO_ID)), str(row.get("currencyCode", ""))
    by_id = state.sets["currencies"].get(key)
    by_code = next((each for each in state.all_of("currencies") if each.values["code"] == code), None)
    if key != NO_ID and by_id is None:
        raise dialog('The "currencyId" does not match to a Currency.')
    if code not in {"", local} and by_code is None:
        raise dialog('The "currencyCode" does not match to a Currency.')
    if by_id is not None and code and by_id is not by_code:
        raise dialog("The currency values do not match to a specific Currency.")
    found = by_id or by_code
    row["currencyId"] = found.id if found is not None else NO_ID
    row["currencyCode"] = found.values["code"] if found is not None else local


def local_currency(state: CompanyState) -> str:
    """The code of the company's own currency."""
    return next((str(setup.values["localCurrencyCode"]) for setup in state.all_of("generalLedgerSetup")), "")


def _country(state: CompanyState) -> str:
    return next((str(each.values["country"]) for each in state.all_of("companyInformation")), "")

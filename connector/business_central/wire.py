"""The wire form of API v2.0 purchase documents: what of each is read, and what form it must have.

Property names and their meaning: API reference v2.0, resources purchaseOrder, purchaseInvoice, purchaseCreditMemo,
purchaseReceipt, their lines, dimensionSetLine. Unknown properties are ignored; a missing or mistyped one is an error.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StrictInt,
    StrictStr,
)

from connector.business_central.odata import BLANK_GUID, blank_to_none, decoded_word, guid
from connector.model.money import Exact


def _whole_characters(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds half a character (a lone surrogate)")
    return text


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _system_id(text: str) -> str:
    if guid(text) == BLANK_GUID:
        raise ValueError("is blank")
    return guid(text)


def _day(value: object) -> date | None:
    # Pydantic would also take numbers as seconds since 1970, and date-times.
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("not a date of the form YYYY-MM-DD")
    return blank_to_none(date.fromisoformat(value))


def _decoded(value: object) -> object:
    return decoded_word(value) if isinstance(value, str) else value


Text = Annotated[StrictStr, AfterValidator(_whole_characters)]
Word = Annotated[Text, BeforeValidator(_decoded)]
SystemId = Annotated[StrictStr, AfterValidator(_system_id)]
AnyId = Annotated[StrictStr, AfterValidator(guid)]
Day = Annotated[date | None, BeforeValidator(_day)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WireDimension(_Wire):
    """A dimensionSetLine."""

    code: Text
    valueCode: Text


class WireLine(_Wire):
    """What all lines share."""

    id: SystemId
    sequence: StrictInt
    lineType: Word
    lineObjectNumber: Text
    description: Text
    unitOfMeasureCode: Text
    quantity: Exact
    dimensionSetLines: list[WireDimension]


class WireBilledLine(WireLine):
    """A line with amounts: of an order, an invoice or a credit memo."""

    amountExcludingTax: Exact
    invoiceDiscountAllocation: Exact
    netAmount: Exact
    taxCode: Text
    taxPercent: Exact
    netTaxAmount: Exact
    locationId: AnyId


class WireOrderLine(WireBilledLine):
    """A purchaseOrderLine."""

    directUnitCost: Exact
    expectedReceiptDate: Day


class WireInvoiceLine(WireBilledLine):
    """A purchaseInvoiceLine, which calls its cost unitCost."""

    unitCost: Exact
    expectedReceiptDate: Day


class WireCreditMemoLine(WireBilledLine):
    """A purchaseCreditMemoLine."""

    unitCost: Exact


class WireReceiptLine(WireLine):
    """A purchaseReceiptLine. Its line types have other names than those of the others."""

    unitCost: Exact
    expectedReceiptDate: Day


class WireDocument(_Wire):
    """What all documents share."""

    id: SystemId
    number: Text
    lastModifiedDateTime: Text
    postingDate: Day
    vendorNumber: Text
    vendorName: Text
    currencyCode: Text
    dimensionSetLines: list[WireDimension]


class WireBilled(WireDocument):
    """A document with amounts."""

    status: Word
    pricesIncludeTax: StrictBool
    discountAmount: Exact
    totalAmountExcludingTax: Exact
    totalTaxAmount: Exact
    totalAmountIncludingTax: Exact


class WireOrder(WireBilled):
    """A purchaseOrder. BC's API gives its document date under the name orderDate."""

    orderDate: Day
    paymentTermsId: AnyId
    purchaseOrderLines: list[WireOrderLine]


class WireInvoice(WireBilled):
    """A purchaseInvoice, draft or posted."""

    invoiceDate: Day
    dueDate: Day
    vendorInvoiceNumber: Text
    orderNumber: Text
    purchaseInvoiceLines: list[WireInvoiceLine]


class WireCreditMemo(WireBilled):
    """A purchaseCreditMemo, draft or posted, and the invoice it is applied to, if any."""

    creditMemoDate: Day
    dueDate: Day
    vendorCreditMemoNumber: Text
    paymentTermsId: AnyId
    invoiceId: AnyId
    invoiceNumber: Text
    purchaseCreditMemoLines: list[WireCreditMemoLine]


class WireReceipt(WireDocument):
    """A purchaseReceipt. BC's API gives its document date under the name invoiceDate."""

    invoiceDate: Day
    orderNumber: Text
    purchaseReceiptLines: list[WireReceiptLine]

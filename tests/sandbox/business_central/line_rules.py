"""What a document line is about, and what the application fills in from it.

Texts follow the API v2.0 pages of purchase order and invoice lines. The simulator has no table of items, resources and tax
groups: an item or tax code exists when some line of the company uses it, and brings that line's unit, cost and percentage.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tests.sandbox.business_central.errors import Refusal, dialog
from tests.sandbox.business_central.records import NO_ID, Row
from tests.sandbox.business_central.store import CompanyState, Record

_LINE_SETS = ("purchaseOrderLines", "purchaseInvoiceLines", "purchaseCreditMemoLines")
_FROM_EXAMPLE = ("description", "unitOfMeasureId", "unitOfMeasureCode", "taxCode", "taxPercent")


def new_line(state: CompanyState, document: Record, given: Row) -> Row:
    """The whole row of a new line with these properties, or `Refusal`."""
    row = {"lineType": _kind(given)} | given
    row["sequence"] = _sequence(document, given)
    _settle_object(state, row)
    cost = "directUnitCost" if document.entity.name == "purchaseOrders" else "unitCost"
    example = _example(state, str(row["lineType"]), str(row.get("lineObjectNumber", "")))
    if example is not None:
        for name in _FROM_EXAMPLE:
            if name in example:
                row.setdefault(name, example[name])
        row.setdefault(cost, example.get("directUnitCost", example.get("unitCost", Decimal(0))))
    with_tax(state, row)
    if document.entity.name == "purchaseOrders":
        quantity = row.get("quantity", Decimal(0))
        row = {"receiveQuantity": quantity, "invoiceQuantity": quantity} | row
    return row


def with_tax(state: CompanyState, row: Row) -> None:
    """Gives the row the tax percentage of its tax code, when it sets one."""
    if row.get("taxCode"):
        for values in _lines(state):
            if values["taxCode"] == row["taxCode"]:
                row["taxPercent"] = values["taxPercent"]
                return


def changed_object(state: CompanyState, changes: Row) -> Row:
    """The changes of a line with what a new item or account brings, or `Refusal`."""
    row = dict(changes)
    _settle_object(state, row)
    with_tax(state, row)
    return row


def _kind(given: Row) -> str:
    if given.get("itemId", NO_ID) != NO_ID:
        return "Item"
    return "Account" if given.get("accountId", NO_ID) != NO_ID else "Comment"


def _sequence(document: Record, given: Row) -> int:
    taken = [int(str(line.values["sequence"])) for line in document.lines]
    wanted = int(str(given.get("sequence", 0)))
    if wanted in taken:
        raise Refusal(
            409,
            "Internal_EntityWithSameKeyExists",
            f"The {document.entity.caption} Line already exists. Identification fields and values: "
            f"Document No.='{document.values['number']}',Line No.='{wanted}'",
        )
    return wanted or max([0, *taken]) // 10000 * 10000 + 10000


def _settle_object(state: CompanyState, row: Row) -> None:
    item, account = str(row.get("itemId", NO_ID)), str(row.get("accountId", NO_ID))
    number = str(row.get("lineObjectNumber", ""))
    if item != NO_ID and account != NO_ID:
        raise dialog('Both "itemId" and "accountId" are specified. Specify only one of them.')
    if item != NO_ID or (number and row.get("lineType") == "Item"):
        by_id = next((values for values in _lines(state) if values["itemId"] == item), None)
        found = by_id if item != NO_ID else _example(state, "Item", number)
        if found is None:
            raise dialog("Item does not exist.")
        row |= {"lineType": "Item", "itemId": found["itemId"], "lineObjectNumber": found["lineObjectNumber"]}
    elif account != NO_ID or (number and row.get("lineType") == "Account"):
        accounts = state.all_of("accounts")
        of_account = next((each for each in accounts if account == each.id or number == each.values["number"]), None)
        if of_account is None:
            raise dialog("Account does not exist.")
        row |= {"lineType": "Account", "accountId": of_account.id, "lineObjectNumber": of_account.values["number"]}
        row.setdefault("description", of_account.values["displayName"])


def _example(state: CompanyState, kind: str, number: str) -> Row | None:
    if not number:
        return None
    return next(
        (values for values in _lines(state) if (values["lineType"], values["lineObjectNumber"]) == (kind, number)), None
    )


def _lines(state: CompanyState) -> Iterator[Row]:
    for name in _LINE_SETS:
        for line in state.sets[name].values():
            yield line.values

"""The people and small code tables of a sample company, its files, and which dimensions its vendors and employees carry.

Names are those of the salespeople and purchasers of the public CRONUS demo data.
"""

from __future__ import annotations

from datetime import date

from tests.sandbox.business_central.document_sets import PURCHASE_INVOICES
from tests.sandbox.business_central.media import printed
from tests.sandbox.business_central.records import NO_ID, Document, Row
from tests.sandbox.business_central.store import Record
from tests.sandbox.sample.catalogue import Blueprint
from tests.sandbox.sample.masters import record_id, stamp

EMPLOYEES = (
    ("EH", "Ester", "Henderson", "Purchaser", "PURCHASING", "Active"),
    ("OF", "Otis", "Falls", "Purchaser", "PURCHASING", "Active"),
    ("HR", "Helena", "Ray", "Manager", "ADM", "Active"),
    ("LT", "Lina", "Townsend", "Warehouse Worker", "WAREHOUSE", "Inactive"),
)
VENDOR_DEPARTMENTS = {"10000": ("PROD", " "), "20000": ("ADM", "Code Mandatory"), "40000": ("SALES", " ")}
CODES = {
    "itemCategories": (("CHAIR", "Office chair"), ("DESK", "Office desk"), ("SUPPLIERS", "Office supplies")),
    "paymentMethods": (("BANK", "Bank transfer"), ("CASH", "Cash payment"), ("CHECK", "Check payment")),
    "shipmentMethods": (("CIF", "Cost, insurance and freight"), ("EXW", "Ex works"), ("PICKUP", "Pick up")),
    "countriesRegions": (("CH", "Switzerland"), ("DE", "Germany"), ("GB", "Great Britain"), ("US", "United States")),
}
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf500f0003860180a5c6d1a90000000049454e44ae426082"
)


def people_tables(blueprint: Blueprint) -> dict[str, list[Row]]:
    """Employees, default dimensions, company information and code tables."""
    key = blueprint.key
    rows = {name: [_code(key, name, code, text) for code, text in codes] for name, codes in CODES.items()}
    return rows | {
        "employees": [_employee(key, *each) for each in EMPLOYEES],
        "defaultDimensions": [
            *(
                _default(key, "Vendor", record_id(key, "vendor", number), department, posting)
                for number, (department, posting) in VENDOR_DEPARTMENTS.items()
            ),
            *(_default(key, "Employee", record_id(key, "employee", each[0]), each[4], " ") for each in EMPLOYEES),
        ],
        "companyInformation": [_company(blueprint)],
    }


def files(blueprint: Blueprint, invoices: list[Document]) -> tuple[dict[str, list[Row]], dict[str, bytes]]:
    """The attached files of the first three invoices as rows by set, and the content of all media by ``id/property``."""
    key = blueprint.key
    rows: dict[str, list[Row]] = {"attachments": [], "documentAttachments": []}
    content = {f"{record_id(key, 'companyInformation')}/picture": PICTURE}
    for invoice in invoices[:3]:
        paper = printed(_as_record(invoice))
        note = f"Checked against delivery, {invoice.header['vendorName']}\n".encode()
        for name, file_name, data in (
            ("attachments", f"Invoice {invoice.number}.pdf", paper),
            ("documentAttachments", f"Note {invoice.number}.txt", note),
        ):
            file_id = record_id(key, name, invoice.number)
            rows[name].append(
                {
                    "id": file_id,
                    "parentId": invoice.id,
                    "parentType": "Purchase Invoice",
                    "fileName": file_name,
                    "byteSize": len(data),
                    "lastModifiedDateTime": stamp(key, name, invoice.number),
                }
            )
            content[f"{file_id}/attachmentContent"] = data
    for row in rows["documentAttachments"]:
        row |= {"lineNumber": 0, "documentFlowSales": False, "documentFlowPurchase": False}
    return rows, content


def _as_record(invoice: Document) -> Record:
    record = Record(invoice.header, 0, PURCHASE_INVOICES)
    record.lines = [Record(line.values, 0, PURCHASE_INVOICES, record) for line in invoice.lines]
    return record


def _code(key: str, kind: str, code: str, text: str) -> Row:
    row: Row = {"id": record_id(key, kind, code), "code": code, "displayName": text}
    return row | {"lastModifiedDateTime": stamp(key, kind, code)}


def _employee(key: str, code: str, given: str, surname: str, title: str, _department: str, status: str) -> Row:
    return {
        "id": record_id(key, "employee", code),
        "number": code,
        "displayName": f"{given} {surname}",
        "givenName": given,
        "surname": surname,
        "jobTitle": title,
        "email": f"{code.lower()}@cronus.example",
        "employmentDate": date(2020, 1, 1),
        "status": status,
        "lastModifiedDateTime": stamp(key, "employee", code),
    }


def _default(key: str, kind: str, parent: str, department: str, posting: str) -> Row:
    return {
        "id": record_id(key, "defaultDimension", parent),
        "parentType": kind,
        "parentId": parent,
        "dimensionId": record_id(key, "dimension", "DEPARTMENT"),
        "dimensionCode": "DEPARTMENT",
        "dimensionValueId": record_id(key, "dimensionValue", "DEPARTMENT", department) if department else NO_ID,
        "dimensionValueCode": department,
        "postingValidation": posting,
        "lastModifiedDateTime": stamp(key, "defaultDimension", parent),
    }


def _company(blueprint: Blueprint) -> Row:
    street, second, city, state, post_code = blueprint.address
    return {
        "id": record_id(blueprint.key, "companyInformation"),
        "displayName": blueprint.name,
        "addressLine1": street,
        "addressLine2": second,
        "city": city,
        "state": state,
        "country": blueprint.country,
        "postalCode": post_code,
        "currencyCode": blueprint.currency,
        "currentFiscalYearStartDate": date(2026, 1, 1),
        "experience": "Premium",
        "lastModifiedDateTime": stamp(blueprint.key, "companyInformation"),
    }

"""The master data rows of a sample company, made from its blueprint."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.sandbox.business_central.records import NO_ID, Row
from tests.sandbox.sample.catalogue import CURRENCIES, DIMENSIONS, TERMS, UNITS, WAREHOUSES, Blueprint

SET_UP = datetime(2025, 2, 4, 3, 42, 51, 217000, tzinfo=UTC)
_NAMESPACE = uuid.UUID("b5a0c3de-3c1e-4e55-9a37-0c6ac1a7f1d2")


def record_id(*parts: str) -> str:
    """The same id for the same record in every run."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def stamp(*parts: str) -> datetime:
    """A set-up time of a record, always the same, in milliseconds."""
    return SET_UP + timedelta(milliseconds=uuid.uuid5(_NAMESPACE, "/".join(parts)).int % 60_000)


def company_row(blueprint: Blueprint) -> Row:
    """The company itself."""
    system_user = "00000000-0000-0000-0000-000000000001"
    return {
        "id": record_id(blueprint.key, "company"),
        "systemVersion": "28.0.41223.41500",
        "timestamp": 4355,
        "name": blueprint.name,
        "displayName": blueprint.name,
        "businessProfileId": "",
        "systemCreatedAt": SET_UP,
        "systemCreatedBy": system_user,
        "systemModifiedAt": SET_UP,
        "systemModifiedBy": system_user,
    }


def tables(blueprint: Blueprint) -> dict[str, list[Row]]:
    """All master data sets of the company."""
    key = blueprint.key
    dimensions, values = _dimensions(blueprint)
    return {
        "vendors": _vendors(blueprint),
        "accounts": _accounts(blueprint),
        "dimensions": dimensions,
        "dimensionValues": values,
        "locations": [
            _row(key, "location", code, displayName=name, country=blueprint.country)
            for code, name in WAREHOUSES.items()
        ],
        "currencies": [_currency(key, code) for code in blueprint.currencies],
        "paymentTerms": [_terms(key, code) for code in TERMS],
        "unitsOfMeasure": [
            _row(key, "unit", code, displayName=name, internationalStandardCode=standard)
            for code, (name, standard) in UNITS.items()
        ],
        "generalLedgerSetup": [
            {
                "id": record_id(key, "generalLedgerSetup"),
                "localCurrencyCode": blueprint.currency,
                "localCurrencySymbol": blueprint.symbol,
                "lastModifiedDateTime": stamp(key, "generalLedgerSetup"),
                "shortcutDimension1Code": "DEPARTMENT",
                "shortcutDimension2Code": "PROJECT",
                "shortcutDimension3Code": "AREA",
            }
        ],
    }


def currency_id(blueprint: Blueprint, code: str) -> str:
    """The id of a foreign currency, the null id for the local one."""
    return NO_ID if code == blueprint.currency else record_id(blueprint.key, "currency", code)


def _row(key: str, kind: str, code: str, **values: str | Decimal | bool) -> Row:
    return {
        "id": record_id(key, kind, code),
        "code": code,
        **values,
        "lastModifiedDateTime": stamp(key, kind, code),
    }


def _currency(key: str, code: str) -> Row:
    currency = CURRENCIES[code]
    return _row(
        key,
        "currency",
        code,
        displayName=currency.name,
        symbol=currency.symbol,
        amountDecimalPlaces=currency.decimal_places,
        amountRoundingPrecision=currency.precision,
    )


def _terms(key: str, code: str) -> Row:
    name, due, discount_due, percent = TERMS[code]
    return _row(
        key,
        "terms",
        code,
        displayName=name,
        dueDateCalculation=due,
        discountDateCalculation=discount_due,
        discountPercent=percent,
    )


def _vendors(blueprint: Blueprint) -> list[Row]:
    key = blueprint.key
    return [
        {
            "id": record_id(key, "vendor", vendor.number),
            "number": vendor.number,
            "displayName": vendor.name,
            "addressLine1": vendor.street,
            "city": vendor.city,
            "state": vendor.state,
            "country": vendor.country,
            "postalCode": vendor.post_code,
            "email": f"orders-{vendor.number}@vendor.example",
            "currencyId": currency_id(blueprint, vendor.currency or blueprint.currency),
            "currencyCode": vendor.currency or blueprint.currency,
            "paymentTermsId": record_id(key, "terms", vendor.terms),
            "taxLiable": True,
            "blocked": " ",
            "lastModifiedDateTime": stamp(key, "vendor", vendor.number),
        }
        for vendor in blueprint.vendors
    ]


def _accounts(blueprint: Blueprint) -> list[Row]:
    return [
        {
            "id": record_id(blueprint.key, "account", account.number),
            "number": account.number,
            "displayName": account.name,
            "category": account.category,
            "blocked": account.blocked,
            "accountType": account.kind,
            "directPosting": account.kind == "Posting" and account.category == "Expense",
            "consolidationTranslationMethod": "Average Rate (Manual)",
            "lastModifiedDateTime": stamp(blueprint.key, "account", account.number),
        }
        for account in blueprint.accounts
    ]


def _dimensions(blueprint: Blueprint) -> tuple[list[Row], list[Row]]:
    projects = tuple((code, name, "Standard", False) for code, name in blueprint.projects)
    dimensions, values = [], []
    for code, (name, members) in (DIMENSIONS | {"PROJECT": ("Project", projects)}).items():
        dimension = _row(blueprint.key, "dimension", code, displayName=name)
        dimensions.append(dimension)
        for value_code, value_name, kind, blocked in members:
            values.append(
                {
                    "id": record_id(blueprint.key, "dimensionValue", code, value_code),
                    "code": value_code,
                    "dimensionId": dimension["id"],
                    "displayName": value_name,
                    "lastModifiedDateTime": stamp(blueprint.key, "dimensionValue", code, value_code),
                    # Not shown by this API, yet part of the record.
                    "dimensionCode": code,
                    "dimensionValueType": kind,
                    "blocked": blocked,
                }
            )
    return dimensions, values

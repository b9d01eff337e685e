"""The table of all faults of what documents refer to: dimensions, vendor and supplier, accounts, cost centres, warehouses."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from connector.model.checks import Warehouse
from connector.model.references import AccountFacts, CostCentreFacts, DefaultDimension, ValueFacts
from tests.unit.builders import SUPPLIERS, comment, invoice, line, order
from tests.unit.fault_samples import (
    ADM,
    AFTER,
    AREA,
    BEFORE,
    DAY,
    KNOWN,
    MAIN,
    NAME,
    SALES,
    Sample,
    at,
    centre,
    charted,
    found,
    freight,
    ruled,
    valued,
    vendor,
    window,
)

DIMENSIONS = [
    Sample(
        "DIMENSION_UNKNOWN",
        "deleted",
        lambda: found(
            order(dimensions=at(ADM, AREA)), references=replace(KNOWN, dimensions=frozenset(("DEPARTMENT",)))
        ),
        lambda: found(order(dimensions=at(ADM, AREA))),
    ),
    Sample(
        "DIMENSION_VALUE_MISSING",
        "of a line",
        lambda: found(order(line(dimensions=at(ADM, ("AREA", "70"))))),
        lambda: found(order(line(dimensions=at(ADM, ("AREA", "20"))))),
    ),
    Sample(
        "DIMENSION_VALUE_MISSING",
        "not of a text line, which is not carried",
        lambda: found(order(line(dimensions=at(("AREA", "70"))))),
        lambda: found(order(line(10000), replace(comment(20000), dimensions=at(("AREA", "70"))))),
    ),
    Sample(
        "DIMENSION_VALUE_BLOCKED",
        "blocked",
        lambda: found(order(), references=valued(ADM, ValueFacts("Standard", True))),
        lambda: found(order(), references=valued(ADM, ValueFacts("Standard", False))),
    ),
    Sample(
        "DIMENSION_VALUE_BLOCKED",
        "not told",
        lambda: found(order(), references=valued(ADM, ValueFacts(None, True))),
        lambda: found(order(), references=valued(ADM, ValueFacts(None, None))),
    ),
    *(
        Sample(
            "DIMENSION_VALUE_NOT_FOR_POSTING",
            kind,
            lambda kind=kind: found(order(), references=valued(ADM, ValueFacts(kind, False))),  # type: ignore[misc]
            lambda: found(order(), references=valued(ADM, ValueFacts("Begin-Total", False))),
        )
        for kind in ("Heading", "Total", "End-Total")
    ),
    Sample(
        "DIMENSION_MANDATORY",
        "none on a line",
        lambda: found(order(line(dimensions=at(ADM))), ruled(mandatory_dimensions=("AREA",))),
        lambda: found(order(line(dimensions=at(ADM, AREA))), ruled(mandatory_dimensions=("AREA",))),
    ),
    Sample(
        "DIMENSIONS_FORBIDDEN_TOGETHER",
        "two values",
        lambda: found(order(line(dimensions=at(ADM, AREA))), ruled(forbidden=(dict((ADM, AREA)),))),
        lambda: found(order(line(dimensions=at(ADM, ("AREA", "20")))), ruled(forbidden=(dict((ADM, AREA)),))),
    ),
    Sample(
        "DIMENSIONS_FORBIDDEN_TOGETHER",
        "any value",
        lambda: found(order(line(dimensions=at(ADM, AREA))), ruled(forbidden=({"DEPARTMENT": "ADM", "AREA": "*"},))),
        lambda: found(order(line(dimensions=at(ADM))), ruled(forbidden=({"DEPARTMENT": "ADM", "AREA": "*"},))),
    ),
    *(
        Sample(
            "DEFAULT_DIMENSION_BROKEN",
            name,
            lambda rule=broken: found(order(), references=vendor("", rule)),  # type: ignore[misc]
            lambda rule=kept: found(order(), references=vendor("", rule)),  # type: ignore[misc]
        )
        for name, broken, kept in (
            (
                "Code Mandatory",
                DefaultDimension("AREA", "", "mandatory"),
                DefaultDimension("DEPARTMENT", "", "mandatory"),
            ),
            (
                "Same Code",
                DefaultDimension("DEPARTMENT", "SALES", "same"),
                DefaultDimension("DEPARTMENT", "ADM", "same"),
            ),
            ("Same Code, none", DefaultDimension("DEPARTMENT", "", "same"), DefaultDimension("AREA", "", "same")),
            ("No Code", DefaultDimension("DEPARTMENT", "", "none"), DefaultDimension("AREA", "", "none")),
        )
    ),
]

MASTER_DATA = [
    Sample(
        "VENDOR_MISSING",
        "none",
        lambda: found(order(vendor_number="")),
        lambda: found(order(vendor_number="20000")),
    ),
    Sample(
        "VENDOR_UNKNOWN",
        "deleted",
        lambda: found(order(), references=replace(KNOWN, vendors={})),
        lambda: found(order(), references=vendor()),
    ),
    Sample(
        "VENDOR_BLOCKED",
        "for everything",
        lambda: found(order(), references=vendor("All")),
        lambda: found(order(), references=vendor("Payment")),
    ),
    Sample(
        "VENDOR_BLOCKED",
        "an invoice, for everything",
        lambda: found(invoice(), references=vendor("All")),
        lambda: found(invoice(), references=vendor("")),
    ),
    Sample(
        "VENDOR_BLOCKED_FOR_PAYMENT",
        "an invoice",
        lambda: found(invoice(), references=vendor("Payment")),
        lambda: found(order(), references=vendor("Payment")),
    ),
    Sample(
        "SUPPLIER_MISSING", "none", lambda: found(order(), suppliers={}), lambda: found(order(), suppliers=SUPPLIERS)
    ),
    Sample(
        "SUPPLIER_AMBIGUOUS",
        "two",
        lambda: found(order(), suppliers={"20000": (NAME, NAME)}),
        lambda: found(order(), suppliers={"20000": (NAME,)}),
    ),
    Sample(
        "SUPPLIER_NAME_NOT_UNIQUE",
        "an order goes by the name",
        lambda: found(order(), shared={NAME}),
        lambda: found(invoice(), shared={NAME}),
    ),
    Sample(
        "ACCOUNT_UNKNOWN",
        "deleted",
        lambda: found(order(freight()), references=charted(None)),
        lambda: found(order(line()), references=charted(None)),
    ),
    *(
        Sample(
            "ACCOUNT_NOT_FOR_POSTING",
            kind,
            lambda kind=kind: found(order(freight()), references=charted(AccountFacts(kind, True, False))),  # type: ignore[misc]
            lambda: found(order(freight()), references=charted(AccountFacts("Posting", True, False))),
        )
        for kind in ("Heading", "Total", "Begin-Total", "End-Total")
    ),
    Sample(
        "ACCOUNT_BLOCKED",
        "blocked",
        lambda: found(order(freight()), references=charted(AccountFacts("Posting", True, True))),
        lambda: found(order(freight()), references=charted(AccountFacts("Posting", True, False))),
    ),
    Sample(
        "ACCOUNT_NO_DIRECT_POSTING",
        "not open",
        lambda: found(order(freight()), references=charted(AccountFacts("Posting", False, False))),
        lambda: found(order(freight()), references=charted(AccountFacts("Posting", True, False))),
    ),
    Sample(
        "COST_CENTRE_UNKNOWN",
        "none",
        lambda: found(order(), references=centre()),
        lambda: found(order(), references=centre(CostCentreFacts())),
    ),
    Sample(
        "COST_CENTRE_INACTIVE",
        "all that share the code",
        lambda: found(order(), references=centre(*[CostCentreFacts(None, None, False)] * 2)),
        lambda: found(
            order(), references=centre(CostCentreFacts(None, None, False), CostCentreFacts(None, None, True))
        ),
    ),
    Sample(
        "COST_CENTRE_NOT_VALID",
        "ended the day before",
        lambda: found(order(), references=centre(CostCentreFacts(None, BEFORE, True))),
        lambda: found(order(), references=centre(CostCentreFacts(None, DAY, True))),
    ),
    Sample(
        "COST_CENTRE_NOT_VALID",
        "all that share the code and are open",
        lambda: found(order(), references=centre(CostCentreFacts(None, BEFORE), CostCentreFacts(None, DAY, False))),
        lambda: found(order(), references=centre(CostCentreFacts(None, BEFORE), CostCentreFacts(None, DAY, True))),
    ),
    Sample(
        "COST_CENTRE_NOT_VALID",
        "begins the day after",
        lambda: found(order(), references=centre(CostCentreFacts(AFTER, None, True))),
        lambda: found(order(), references=centre(CostCentreFacts(DAY, None, True))),
    ),
    Sample(
        "WAREHOUSE_WITHOUT_RULE",
        "not listed",
        lambda: found(order(line(location="WEST")), ruled(warehouses=MAIN)),
        lambda: found(order(line(location="")), ruled(warehouses=MAIN)),
    ),
    Sample(
        "WAREHOUSE_COST_CENTRE_WRONG",
        "another's",
        lambda: found(order(line(dimensions=at(SALES))), ruled(warehouses=MAIN)),
        lambda: found(order(line(dimensions=at(ADM))), ruled(warehouses=MAIN)),
    ),
    Sample(
        "WAREHOUSE_COST_CENTRE_WRONG",
        "none, and none to fill in",
        lambda: found(order(line(dimensions=())), ruled(warehouses=MAIN)),
        lambda: found(
            order(line(dimensions=())), ruled(warehouses={"MAIN": Warehouse(cost_centres=("ADM",), fill="ADM")})
        ),
    ),
    Sample(
        "POSTING_DATE_OUTSIDE_WINDOW",
        "after the last day",
        lambda: found(order(), references=window(None, BEFORE)),
        lambda: found(order(), references=window(None, DAY)),
    ),
    Sample(
        "POSTING_DATE_OUTSIDE_WINDOW",
        "before the first day",
        lambda: found(order(), references=window(AFTER, date(2026, 12, 31))),
        lambda: found(order(), references=window(DAY, date(2026, 12, 31))),
    ),
]

REFERENCES = [*DIMENSIONS, *MASTER_DATA]

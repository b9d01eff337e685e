"""Faults of a document's dimensions, held against Business Central's dimension values and what the company demands.

Rules of BC: only values of type Standard and Begin-Total may stand on documents, and none that is blocked (codeunit
"DimensionManagement"); a vendor's default dimensions with value posting (Code Mandatory, Same Code, No Code) hold for the
header ("Setting up default dimensions for customers, vendors, and other accounts").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connector.decisions.found import facts_text
from connector.decisions.mapping import Rules
from connector.decisions.uses import Uses, carried_lines, places
from connector.errors import Reason
from connector.model.documents import Document, Line
from connector.model.references import DefaultDimension, References, ValueFacts, VendorFacts

USABLE = ("Standard", "Begin-Total")
ANY = "*"


def dimension_faults(document: Document, used: Uses, rules: Rules, references: References) -> list[Reason]:
    """Every fault of the document's dimensions."""
    vendor = references.vendors.get(document.vendor_number)
    lines = carried_lines(document, rules)
    faults = []
    for (dimension, value), wheres in used.values.items():
        reason = _value_fault(dimension, value, places(wheres), references)
        faults += [reason] if reason else []
    faults += _mandatory_faults(lines, rules)
    faults += _forbidden_faults(lines, rules)
    faults += [_default_fault(document, vendor, rule) for rule in _broken(document, vendor)] if vendor else []
    return faults


def _value_fault(dimension: str, value: str, where: str, references: References) -> Reason | None:
    if dimension not in references.dimensions:
        return Reason(
            "DIMENSION_UNKNOWN",
            f"The dimension {dimension} does not exist in BC any more.",
            "Create it on the page Dimensions in BC, or take it off the document.",
            where,
            ("dimension", dimension),
            facts_text(None),
        )
    facts = references.values.get((dimension, value))
    if facts is None:
        return _of_value(
            "DIMENSION_VALUE_MISSING",
            (dimension, value),
            "does not exist in BC",
            "Create it on the page Dimension Values in BC, or correct the document.",
            where,
            facts,
        )
    if facts.type is not None and facts.type not in USABLE:
        return _of_value(
            "DIMENSION_VALUE_NOT_FOR_POSTING",
            (dimension, value),
            f"is of the type {facts.type}, which only sums up others",
            "Choose a value of the type Standard on the document in BC.",
            where,
            facts,
        )
    if facts.blocked:
        return _of_value(
            "DIMENSION_VALUE_BLOCKED",
            (dimension, value),
            "is blocked in BC",
            "Unblock it on the page Dimension Values in BC, or correct the document.",
            where,
            facts,
        )
    return None


def _of_value(code: str, pair: tuple[str, str], what: str, remedy: str, where: str, facts: ValueFacts | None) -> Reason:
    named = " = ".join(pair)
    return Reason(
        code, f"The dimension value {named} {what}.", remedy, where, ("dimension value", *pair), facts_text(facts)
    )


def _mandatory_faults(lines: Iterable[Line], rules: Rules) -> list[Reason]:
    faults = []
    for dimension in rules.checks.of(rules.company.key).mandatory_dimensions:
        without = [str(line.sequence) for line in lines if not line.dimension(dimension)]
        if without:
            faults.append(
                Reason(
                    "DIMENSION_MANDATORY",
                    f"{_count(without)} no value of the dimension {dimension}, which every line must have.",
                    "Enter it on the lines in BC (Line > Dimensions).",
                    places(without),
                )
            )
    return faults


def _forbidden_faults(lines: Iterable[Line], rules: Rules) -> list[Reason]:
    faults = []
    for values in rules.checks.of(rules.company.key).forbidden:
        wrong = [str(line.sequence) for line in lines if _meet(line, values)]
        if wrong:
            named = " and ".join(
                f"any value of {dimension}" if value == ANY else f"{dimension} = {value}"
                for dimension, value in values.items()
            )
            faults.append(
                Reason(
                    "DIMENSIONS_FORBIDDEN_TOGETHER",
                    f"{named} must not stand on one line, says the checks file.",
                    "Correct the dimensions of the lines in BC (Line > Dimensions).",
                    places(wrong),
                )
            )
    return faults


def _meet(line: Line, values: Mapping[str, str]) -> bool:
    found = {dimension: line.dimension(dimension) for dimension in values}
    return all(found[dimension] and value in (ANY, found[dimension]) for dimension, value in values.items())


def _broken(document: Document, vendor: VendorFacts) -> list[DefaultDimension]:
    return [rule for rule in vendor.defaults if not _kept(document.dimension(rule.dimension), rule)]


def _kept(value: str, rule: DefaultDimension) -> bool:
    if rule.rule == "mandatory":
        return bool(value)
    return value == (rule.value if rule.rule == "same" else "")


def _default_fault(document: Document, vendor: VendorFacts, rule: DefaultDimension) -> Reason:
    wanted = {
        "mandatory": "a value",
        "same": f"the value {rule.value}" if rule.value else "no value",
        "none": "no value",
    }[rule.rule]
    has = document.dimension(rule.dimension) or "none"
    return Reason(
        "DEFAULT_DIMENSION_BROKEN",
        f"Vendor {document.vendor_number} demands {wanted} of the dimension {rule.dimension}, and the document has {has}.",
        "Correct the document's dimensions in BC, or the vendor's default dimensions (Vendor Card > Dimensions).",
        "",
        ("vendor", document.vendor_number),
        facts_text(vendor),
    )


def _count(lines: list[str]) -> str:
    return "A line has" if len(lines) == 1 else f"{len(lines)} lines have"

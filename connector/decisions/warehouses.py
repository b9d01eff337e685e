"""Warehouses: the cost centre that a line without one gets from where its goods go, where the company wants that."""

from __future__ import annotations

from dataclasses import replace

from connector.decisions.mapping import Rules
from connector.model.documents import DimensionValue, Document, Line


def with_warehouse_cost_centres(document: Document, rules: Rules) -> Document:
    """The document with the cost centre of its warehouse on each line that has none of its own."""
    fills = {
        location: rule.fill for location, rule in rules.checks.of(rules.company.key).warehouses.items() if rule.fill
    }
    if not any(line.location in fills for line in document.lines):
        return document
    dimension = rules.company.cost_centre_dimension

    def filled(line: Line) -> Line:
        fill = fills.get(line.location)
        if fill is None or line.dimension(dimension):
            return line
        return replace(line, dimensions=(*line.dimensions, DimensionValue(dimension, fill)))

    return replace(document, lines=tuple(filled(line) for line in document.lines))

"""Checks: what a company demands of its documents beyond what Business Central tells, and how serious each fault is, as data.

A checks file is TOML: `[severity]` by code, and under `[companies.KEY]` which dimensions every line must carry, which values
must not meet on one line, and which cost centres belong to which warehouse (BC's locations).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from connector.model.staging import Data

Severity = Literal["park", "warn", "off"]
"""What becomes of a document with the fault: set aside, carried with a note in its trail, or carried without a word."""


class Warehouse(Data):
    """Which cost centres a warehouse's lines may name; none listed: any. `fill`: the one that a line without any gets."""

    cost_centres: tuple[str, ...] = ()
    fill: str = ""

    @model_validator(mode="after")
    def _fill_fits(self) -> Warehouse:
        if self.fill and self.cost_centres and self.fill not in self.cost_centres:
            raise ValueError(f"fill: {self.fill} is not among the warehouse's cost_centres")
        return self


class CompanyChecks(Data):
    """What one company demands. `forbidden`: dimensions with the values that must not meet on one line ("*": any value). When
    any warehouse is listed, a line at one that is not listed is a fault."""

    mandatory_dimensions: tuple[str, ...] = ()
    forbidden: tuple[dict[str, str], ...] = ()
    warehouses: dict[str, Warehouse] = {}

    @model_validator(mode="after")
    def _combinations(self) -> CompanyChecks:
        if any(len(values) < 2 for values in self.forbidden):
            raise ValueError("forbidden: each entry names at least two dimensions, with a value or * for each")
        return self


class Checks(Data):
    """All checks, companies by their key in the settings."""

    severity: dict[str, Severity] = {}
    companies: dict[str, CompanyChecks] = Field(default={})

    def of(self, company: str) -> CompanyChecks:
        """What the company demands; nothing when it is not in the file."""
        return self.companies.get(company, _NOTHING)


_NOTHING = CompanyChecks()
NO_CHECKS = Checks()

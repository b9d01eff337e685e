"""Preflight: what stands between a profile and an instance, found before anything is written.

What is unknown is a warning, never a failure: an integration user may often not read the tables that describe others. A
failing finding stops writes to its own table (or to all, when it names none) and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connector.decisions.drift import Print, fingerprint
from connector.decisions.findings import Finding
from connector.decisions.instance_findings import (
    about_applications,
    about_attestation,
    about_rates,
    about_roles,
    about_suppliers,
)
from connector.decisions.table_findings import about_drift, about_table
from connector.model.catalog import Attestation, Facts, MapFacts
from connector.model.profile import Profile, Route
from connector.model.staging import StagingTable


@dataclass(frozen=True, slots=True)
class Judgement:
    """All findings; the profile with the instance's own lengths where these are shorter; the fingerprint of each table."""

    findings: tuple[Finding, ...]
    profile: Profile
    prints: Mapping[str, Print] = field(default_factory=dict)

    def stops(self, route: Route) -> list[Finding]:
        """The failing findings that stop writes of this route."""
        # Receipts name no supplier.
        suppliers = {self.profile.suppliers.table} if route.header is not None else set()
        concerned = {"", *suppliers, *(table.table for table in route.tables)}
        return [one for one in self.findings if one.level == "fail" and one.table in concerned]


def judge(
    profile: Profile,
    facts: Facts,
    *,
    instance: str,
    attestation: Attestation | None = None,
    kept: Mapping[str, Print] | None = None,
) -> Judgement:
    """The findings. `kept`: the fingerprints of the tables when they were last accepted."""
    findings = list(about_attestation(profile, facts, instance, attestation))
    trusted = attestation if attestation is not None and attestation.instance == instance else None
    merged = _merged(facts, trusted)
    findings += about_applications(profile, facts)
    findings += about_roles(profile, facts)
    findings += about_rates(profile, facts)
    findings += about_suppliers(profile, merged)
    prints: dict[str, Print] = {}
    for route in profile.routes.values():
        for table in route.tables:
            known = merged.table(table.table)
            findings += about_table(route, table, known, facts)
            found = fingerprint(table, known)
            findings += about_drift(table.table, (kept or {}).get(table.table, {}), found)
            # Several routes may write into one table, each in columns of its own.
            prints[table.table] = {**prints.get(table.table, {}), **found}
    return Judgement(tuple(dict.fromkeys(findings)), _narrowed(profile, merged), prints)


def _merged(facts: Facts, attestation: Attestation | None) -> Facts:
    """The live facts, with the attested ones where the live ones are unknown."""
    if attestation is None:
        return facts
    tables = dict(facts.tables)
    for attested in attestation.tables:
        live = facts.table(attested.name)
        known = {
            name: getattr(attested, name)
            for name in ("parents", "web", "columns", "maps")
            if getattr(live, name) is None
        }
        if live.maps is not None and attested.maps is not None:
            known["maps"] = tuple(_completed(one, attested.maps) for one in live.maps)
        tables[attested.name] = live.model_copy(update=known)
    return facts.model_copy(update={"tables": tables})


def _completed(one: MapFacts, attested: Iterable[MapFacts]) -> MapFacts:
    """A map whose fields may not be read, with those attested for the map of that name."""
    other = next((other for other in attested if other.name == one.name), None)
    if one.key is not None or other is None:
        return one
    return one.model_copy(update={"key": other.key, "scripted": other.scripted})


def _narrowed(profile: Profile, facts: Facts) -> Profile:
    """The profile with the instance's lengths where these are shorter: nothing may be cut."""

    def table(rules: StagingTable) -> StagingTable:
        lengths = {column.name: column.length for column in facts.table(rules.table).columns or ()}
        columns = dict(rules.columns)
        for name, rule in rules.columns.items():
            length = lengths.get(name)
            if length is not None and 1 <= length < rule.max:
                columns[name] = rule.model_copy(update={"max": length})
        return rules.model_copy(update={"columns": columns})

    routes = {
        name: route.model_copy(update={part: table(rules) for part, rules in route.parts.items()})
        for name, route in profile.routes.items()
    }
    return profile.model_copy(update={"routes": routes})

"""The catalog: what an instance says of the tables a profile uses, read in few calls and kept for a while.

Sources: the vendor's pages on tables and dictionary (sys_db_object, sys_dictionary, sys_choice), transform maps, rate limiting
and roles. Column names that no page gives (those of sys_rate_limit_rules and sys_rest_insert_multiple) are the ones seen on
instances; where they are missing from an answer the fact is unknown.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from connector.model.catalog import ROW_ROOT, Access, ColumnFacts, Facts, TableFacts
from connector.model.profile import Profile
from connector.ports import Clock
from connector.servicenow.imports import keyed_by_name, synchronous, transform_maps
from connector.servicenow.readings import Reading, Readings, among, flag, text, whole
from connector.servicenow.rights import binding_rates, installed_apps, own_roles
from connector.servicenow.session import ServiceNowSession

MAX_AGE = 900.0
"""Seconds the catalog is believed."""
SHORTEST_AGE = 60.0
"""However often it is doubted, it is not read more often than this: an instance that refuses is left alone."""
SHARE_OF_RATE = 0.1
"""The most of an hour's allowed calls that reading it may take."""
LEVELS = 4


class CatalogReader:
    """Reads and keeps the facts of one instance about a profile's tables."""

    def __init__(self, session: ServiceNowSession, profile: Profile, clock: Clock) -> None:
        self._session = session
        self._profile = profile
        self._clock = clock
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._read_at = 0.0
        self._doubted = False

    def facts(self, max_age: float = MAX_AGE) -> Facts:
        """The facts, read anew when older than `max_age` (at least a minute) or doubted; one thread reads, the others wait.

        Raises `Throttled` once for each reading that was throttled (what was read until then counts from then on), and
        `Refused` when the caller is refused whatever he asks for.
        """
        with self._lock:
            if self._facts is not None:
                age = self._clock.monotonic() - self._read_at
                allowed = SHORTEST_AGE if self._doubted else max(max_age, SHORTEST_AGE)
                if age < max(allowed, self._age_by_rate(self._facts)):
                    return self._facts
            readings = Readings(self._session, self._clock)
            self._facts = read_facts(readings, self._profile)
            self._read_at = self._clock.monotonic()
            self._doubted = False
            if readings.throttled is not None:
                raise readings.throttled
            return self._facts

    def authenticate(self) -> None:
        """Makes sure that there is something to prove the caller with. Raises `Refused` or `Outage`."""
        self._session.authenticate()

    def has_suppliers(self, erp_source: str) -> bool | None:
        """Whether the user sees a supplier of that ERP source; None when the question was not understood. Raises what `facts`
        raises."""
        rules = self._profile.suppliers
        readings = Readings(self._session, self._clock)
        seen = readings.probe(rules.table, f"{rules.source},{rules.code}", f"{rules.source}={erp_source}")
        if readings.throttled is not None:
            raise readings.throttled
        # Without its only condition the query would bring any supplier.
        if any(text(row, rules.source) != erp_source for row in seen.rows):
            return None
        return bool(seen.rows) if seen.total is not None else None

    def described(self, names: list[str]) -> dict[str, TableFacts]:
        """What the table of tables and the dictionary say of other tables; read anew each time. Raises what `facts` raises."""
        readings = Readings(self._session, self._clock)
        objects = _objects(readings, names)
        parents = {name: chain for name in names if (chain := _chain(name, objects)) is not None}
        columns = _columns(readings, names, parents)
        if readings.throttled is not None:
            raise readings.throttled
        return {
            name: TableFacts(name=name, exists=True if name in objects else None, columns=columns.get(name))
            for name in names
        }

    def doubt(self) -> None:
        """The instance refused something that the facts allow: the next look reads them anew."""
        self._doubted = True

    def _age_by_rate(self, facts: Facts) -> float:
        limits = [rule.limit for rule in facts.rates or () if rule.api in ("", "Table API")]
        return 0.0 if not limits else 3600.0 * facts.calls / max(SHARE_OF_RATE * min(limits), 1.0)


def profile_tables(profile: Profile) -> list[str]:
    """The staging tables of a profile, each once."""
    return sorted({table.table for route in profile.routes.values() for table in route.tables})


def read_facts(readings: Readings, profile: Profile) -> Facts:
    """One look at the instance."""
    staging, suppliers = profile_tables(profile), profile.suppliers.table
    names = sorted({*staging, suppliers})
    objects = _objects(readings, names)
    parents = {name: chain for name in names if (chain := _chain(name, objects)) is not None}
    columns = _columns(readings, names, parents)
    maps = transform_maps(readings, staging)
    user, roles = own_roles(readings)
    supplier = readings.probe(suppliers, f"{profile.suppliers.code},{profile.suppliers.name}")
    rates = binding_rates(readings, user, roles)
    at_once = synchronous(readings, staging)
    tables = {}
    for name in names:
        probe = supplier if name == suppliers else None
        if probe is None and (name not in objects or roles is None):
            probe = readings.probe(name, "sys_created_on")
        tables[name] = TableFacts(
            name=name,
            exists=_exists(name in objects, probe),
            parents=parents.get(name),
            web=flag(objects.get(name, {}), "ws_access"),
            access=_access(probe),
            columns=columns.get(name),
            maps=maps.get(name) if name in staging else (),
            synchronous=at_once.get(name),
        )
    missing = [name for name, table in tables.items() if table.exists is False]
    return Facts(
        tables=tables,
        roles=roles,
        apps=installed_apps(readings, missing) if missing else None,
        rates=rates,
        insert_multiple=keyed_by_name(readings, profile, staging),
        unread=tuple(readings.unread),
        skew=readings.skew,
        calls=readings.calls,
    )


def _access(probe: Reading | None) -> Access:
    return "unknown" if probe is None else probe.access


def _exists(listed: bool, probe: Reading | None) -> bool | None:
    """Only the refusal of its name proves that a table is missing; a row of the table of tables may merely be hidden."""
    if listed:
        return True
    if probe is None:
        return None
    if probe.invalid:
        return False
    return True if probe.total is not None or probe.refused == 403 else None


def _in(values: Iterable[str]) -> str:
    return ",".join(sorted(values))


def _objects(readings: Readings, names: list[str]) -> dict[str, dict[str, Any]]:
    """The rows of the table of tables, those of parents included."""
    found: dict[str, dict[str, Any]] = {}
    wanted = {*names, ROW_ROOT}
    for _ in range(LEVELS):
        reading = readings.read(
            "sys_db_object",
            f"nameIN{_in(wanted)}",
            "name,label,super_class.name,ws_access",
            among("name", wanted),
        )
        found |= {text(row, "name"): row for row in reading.rows}
        wanted = {text(row, "super_class.name") for row in reading.rows} - found.keys() - {""}
        if not wanted:
            break
    return found


def _chain(name: str, objects: Mapping[str, dict[str, Any]]) -> tuple[str, ...] | None:
    """What a table extends; None when that cannot be told."""
    chain: list[str] = []
    row = objects.get(name)
    while row is not None and "super_class.name" in row:
        parent = text(row, "super_class.name")
        if not parent:
            # Shown empty for everybody: then the column is not to be read, and says nothing.
            shown = any(text(other, "super_class.name") for other in objects.values())
            return tuple(chain) if chain or shown else None
        chain.append(parent)
        if parent == ROW_ROOT or parent in chain[:-1]:
            return tuple(chain)
        row = objects.get(parent)
    return None


def _columns(
    readings: Readings, names: list[str], parents: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[ColumnFacts, ...]]:
    """The columns of each table, inherited ones too, where all of them can be read."""
    owners = frozenset({*names, *(parent for chain in parents.values() for parent in chain)})
    reading = readings.read(
        "sys_dictionary",
        f"nameIN{_in(owners)}^internal_type!=collection",
        "name,element,column_label,internal_type,max_length,mandatory",
        among("name", owners),
    )
    if not reading.complete or any("element" not in row for row in reading.rows):
        return {}
    choices = _choices(readings, owners)
    by_owner: dict[str, dict[str, ColumnFacts]] = defaultdict(dict)
    for row in reading.rows:
        name = text(row, "element")
        if name:
            by_owner[text(row, "name")][name] = ColumnFacts(
                name=name,
                label=text(row, "column_label"),
                type=text(row, "internal_type"),
                length=whole(row, "max_length"),
                mandatory=flag(row, "mandatory"),
                choices=None if choices is None else choices.get((text(row, "name"), name), ()),
            )
    found = {}
    for name in names:
        if name in by_owner:
            merged: dict[str, ColumnFacts] = {}
            for owner in reversed((name, *parents.get(name, ()))):
                merged |= by_owner.get(owner, {})
            found[name] = tuple(merged[column] for column in sorted(merged))
    return found


def _choices(readings: Readings, owners: frozenset[str]) -> dict[tuple[str, str], tuple[str, ...]] | None:
    reading = readings.read(
        "sys_choice",
        f"nameIN{_in(owners)}^inactive=false",
        "name,element,value,inactive",
        among("name", owners),
    )
    if not reading.complete:
        return None
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in reading.rows:
        if flag(row, "inactive") is not True:
            found[text(row, "name"), text(row, "element")].add(text(row, "value"))
    return {key: tuple(sorted(values)) for key, values in found.items()}

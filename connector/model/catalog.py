"""Catalog: what is known of a ServiceNow instance, as words. What the caller may not read is None ("unknown"), never "absent".

The same words are written to an attestation: a file that an administrator exports, for an integration user who may read less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ROW_ROOT = "sys_import_set_row"
"""What every import set table extends."""

Access = Literal["open", "closed", "unknown"]
"""Whether the caller may read rows: ``open`` it saw one, ``closed`` rules hide them or refuse, ``unknown`` there was none."""


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnFacts(_Words):
    """One column of a table, its own or inherited. `choices`: its active values; () when it has none."""

    name: str
    label: str = ""
    type: str = ""
    length: int | None = None
    mandatory: bool | None = None
    choices: tuple[str, ...] | None = None


class MapFacts(_Words):
    """One transform map. `key`: the staging columns its coalescing fields take their value from; `scripted`: at least one of
    these is worked out by a script, which may look at other columns as well."""

    name: str
    target: str = ""
    active: bool | None = None
    mandatory: str | None = None
    key: tuple[str, ...] | None = None
    scripted: bool = False


class TableFacts(_Words):
    """One table. `parents`: what it extends, nearest first. `web`: whether web services may use it. `synchronous`: False when
    its rows are known to be transformed later."""

    name: str
    exists: bool | None = None
    parents: tuple[str, ...] | None = None
    web: bool | None = None
    access: Access = "unknown"
    columns: tuple[ColumnFacts, ...] | None = None
    maps: tuple[MapFacts, ...] | None = None
    synchronous: bool | None = None

    @property
    def active_maps(self) -> tuple[MapFacts, ...]:
        """The maps that run, as far as is known."""
        return tuple(one for one in self.maps or () if one.active is not False)


class RateRule(_Words):
    """A rate rule that binds the caller: requests an hour to one API ("" any)."""

    api: str
    limit: int


class Facts(_Words):
    """What is known of an instance. `roles`: the caller's, inherited ones too. `apps`: scopes of the installed applications,
    looked up only when tables are missing. `insert_multiple`: per staging table, whether its keys are column names.
    `unread`: what could not be read, and why. `skew`: seconds by which its clock is ahead. `calls`: requests it took."""

    tables: Mapping[str, TableFacts] = Field(default_factory=dict)
    roles: frozenset[str] | None = None
    apps: frozenset[str] | None = None
    rates: tuple[RateRule, ...] | None = None
    insert_multiple: Mapping[str, bool] | None = None
    unread: tuple[str, ...] = ()
    skew: float | None = None
    calls: int = 0

    def table(self, name: str) -> TableFacts:
        """What is known of a table, perhaps nothing."""
        return self.tables.get(name) or TableFacts(name=name)


class Attestation(_Words):
    """What an administrator's user saw of an instance."""

    instance: str
    exported_at: str
    tables: tuple[TableFacts, ...]

"""What every API of the instance shares: its state, its switches, and one call as the APIs see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx

from tests.sandbox.servicenow.access import ADMIN, Access, User
from tests.sandbox.servicenow.display import Renderer, Shape
from tests.sandbox.servicenow.policies import Policies
from tests.sandbox.servicenow.properties import Properties
from tests.sandbox.servicenow.scripting import Scripting
from tests.sandbox.servicenow.selection import Selection
from tests.sandbox.servicenow.store import Store
from tests.sandbox.servicenow.switches import Switches

__all__ = ["Call", "Instance", "Switches"]


@dataclass
class Instance:
    """The state behind the APIs."""

    url: str
    now: Callable[[], datetime]
    store: Store
    access: Access
    properties: Properties
    row_seconds: float
    switches: Switches = field(default_factory=Switches)
    policies: Policies = field(init=False)

    def __post_init__(self) -> None:
        system = User("", "system", frozenset({ADMIN}))
        self.policies = Policies(self.store, lambda: self.selection(system))

    def selection(self, user: User) -> Selection:
        """Queries on behalf of a user."""
        return Selection(
            self.store,
            Scripting(user.sys_id, user.name, self.now().astimezone(UTC), ZoneInfo(user.time_zone)),
            no_rows_when_invalid=self.properties.on("glide.invalid_query.returns_no_rows"),
            case_sensitive=self.switches.case_sensitive_queries,
            may_query=lambda table, column, kind: self.access.query_allowed(user, table, column, kind),
            blocked=self.switches.query_acl_effect,
        )

    def renderer(self, user: User, table: str, fields: Sequence[str], shape: Shape) -> Renderer:
        """Answers for a user."""
        blank = self.switches.blank_unreadable_references
        return Renderer(self.store, self.access, user, table, fields, shape, self.url, blank_unreadable=blank)


@dataclass
class Call:
    """One authenticated call. `seconds` is the virtual time its work took, filled in by the API that did it."""

    instance: Instance
    method: str
    url: httpx.URL
    headers: httpx.Headers
    content: bytes
    user: User
    version: str = ""
    seconds: float = 0.0

    @property
    def parameters(self) -> dict[str, str]:
        """The query string; of a repeated name the first value counts."""
        found: dict[str, str] = {}
        for name, value in self.url.params.multi_items():
            found.setdefault(name, value)
        return found

    def flag(self, name: str) -> bool:
        """A true/false parameter; empty is false."""
        return self.parameters.get(name, "").strip().casefold() == "true"

    def fields(self) -> list[str]:
        """The columns asked for."""
        return [name.strip() for name in self.parameters.get("sysparm_fields", "").split(",") if name.strip()]

    def shape(self) -> Shape:
        """The shape asked for."""
        asked = self.parameters.get("sysparm_display_value", "").strip().casefold()
        return Shape(asked if asked in {"true", "all"} else "false", not self.flag("sysparm_exclude_reference_link"))

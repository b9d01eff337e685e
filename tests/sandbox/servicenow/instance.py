"""What every API of the instance shares: its state, its switches, and one call as the APIs see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from tests.sandbox.servicenow.access import Access, User
from tests.sandbox.servicenow.display import Renderer, Shape
from tests.sandbox.servicenow.properties import Properties
from tests.sandbox.servicenow.scripting import Scripting
from tests.sandbox.servicenow.selection import Selection
from tests.sandbox.servicenow.store import Store


@dataclass
class Switches:
    """Behaviours the vendor does not document, so that a test can ask for either.

    `commit_at_cutoff`: the batch item that was running when the time ran out has taken effect though it is listed as
    unserviced. `case_sensitive_queries`: string conditions tell upper from lower case. `nested_batches`: a batch may be an
    item of a batch. `transform_synchronously`: the import set tables' business rule of that name is on.
    `order_status_from_lines`: the status column of a purchase order follows its calculated state, whatever was imported.
    `approve_complete_drafts`: the invoice job approves Drafts that lack nothing. `log_each_invoice`: the log of the AP
    Invoice API has one row per invoice, else one per batch.
    """

    commit_at_cutoff: bool = False
    case_sensitive_queries: bool = False
    nested_batches: bool = False
    transform_synchronously: bool = True
    order_status_from_lines: bool = False
    approve_complete_drafts: bool = False
    log_each_invoice: bool = True


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

    def selection(self, user: User) -> Selection:
        """Queries on behalf of a user."""
        return Selection(
            self.store,
            Scripting(user.sys_id, user.name, self.now().astimezone(UTC)),
            no_rows_when_invalid=self.properties.on("glide.invalid_query.returns_no_rows"),
            case_sensitive=self.switches.case_sensitive_queries,
        )

    def renderer(self, user: User, table: str, fields: Sequence[str], shape: Shape) -> Renderer:
        """Answers for a user."""
        return Renderer(self.store, self.access, user, table, fields, shape, self.url)


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

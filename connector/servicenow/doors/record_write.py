"""One record that the table door is to write, and the request that writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from connector.decisions.records import unlike
from connector.model.staging import StagingTable
from connector.servicenow.batch_api import Item


@dataclass(slots=True)
class Write:
    """One record that is to hold `wanted`. `existing`: as it is in ServiceNow; None: it is to be made, with the id `own_id`."""

    document: int
    row: int
    table: StagingTable
    wanted: Mapping[str, str]
    own_id: str
    existing: Mapping[str, Any] | None = None

    @property
    def sys_id(self) -> str:
        return self.own_id if self.existing is None else str(self.existing["sys_id"])

    @property
    def outcome(self) -> str:
        return "inserted" if self.existing is None else "updated"

    @property
    def changes(self) -> dict[str, str]:
        """What has to be written."""
        if self.existing is None:
            return {name: text for name, text in self.wanted.items() if text}
        return unlike(self.wanted, self.existing, self.table)

    def item(self) -> Item:
        """The request of a batch that writes it."""
        shape = urlencode({"sysparm_fields": fields([self]), "sysparm_exclude_reference_link": "true"}, safe=",")
        address = f"/api/now/table/{self.table.table}"
        if self.existing is None:
            return Item(self.id, "POST", f"{address}?{shape}", self.changes | {"sys_id": self.own_id})
        return Item(self.id, "PATCH", f"{address}/{self.sys_id}?{shape}", self.changes)

    @property
    def id(self) -> str:
        return f"{self.document}.{self.row}"


def fields(writes: Iterable[Write]) -> str:
    """What to read of records, as the parameter of a request."""
    names = dict.fromkeys(name for write in writes for name in write.wanted)
    return ",".join(["sys_id", *names])

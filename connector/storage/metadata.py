"""The fingerprints of ServiceNow's tables as they were when they were first seen, or last accepted: one row a table."""

from __future__ import annotations

import json
from collections.abc import Mapping

from connector.decisions.drift import Print
from connector.storage import keys
from connector.storage.ports import TableStore, Upsert

TABLE = "metadata"
_PARTITION = "servicenow"


class Metadata:
    """What was accepted of an instance. A table's fingerprint is far below the 64 KiB that one column of a row holds."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def kept(self) -> dict[str, Print]:
        """By table."""
        start, stop = keys.below("m")
        rows = self._tables.query(TABLE, _PARTITION, start=start, stop=stop)
        return {str(row.properties["table"]): json.loads(str(row.properties["print"])) for row in rows}

    def keep(self, prints: Mapping[str, Print]) -> None:
        """Puts these on record, whatever was there."""
        for name, found in sorted(prints.items()):
            text = json.dumps(dict(found), ensure_ascii=False, sort_keys=True)
            self._tables.write(TABLE, _PARTITION, [Upsert(keys.join("m", name), {"table": name, "print": text})])

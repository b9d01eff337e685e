"""Master data read from ServiceNow: which suppliers exist for a vendor's code."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from connector.model.profile import Suppliers
from connector.ports import Clock
from connector.servicenow.session import ServiceNowSession

MAX_AGE = 900.0
"""Seconds a found supplier is believed. One that was not found is always looked up again."""
CODES_A_CALL = 100
ROWS_A_CODE = 5

_UNSAFE = frozenset("^,\n\r\t")


class SupplierBook:
    """Names of suppliers by ERP source and ERP supplier code."""

    def __init__(self, session: ServiceNowSession, rules: Suppliers, clock: Clock) -> None:
        self._session = session
        self._rules = rules
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], tuple[tuple[str, ...], float]] = {}

    def names(self, erp_source: str, codes: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Per code, the names of the suppliers that carry it: none, one, or (ambiguous) several."""
        wanted = sorted(set(codes))
        with self._lock:
            now = self._clock.monotonic()
            unknown = [code for code in wanted if not self._known(erp_source, code, now)]
            for start in range(0, len(unknown), CODES_A_CALL):
                part = unknown[start : start + CODES_A_CALL]
                for code, names in self._read(erp_source, part).items():
                    self._found[erp_source, code] = (names, now)
            return {code: self._found[erp_source, code][0] for code in wanted}

    def _known(self, erp_source: str, code: str, now: float) -> bool:
        names, read_at = self._found.get((erp_source, code), ((), 0.0))
        return len(names) == 1 and now - read_at <= MAX_AGE

    def _read(self, erp_source: str, codes: list[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {code: [] for code in codes}
        # An encoded query has no escape for ^ and splits lists at commas: such a code cannot be asked for, so nobody has it.
        askable = [code for code in codes if not _UNSAFE & set(code) and not code.startswith("javascript:")]
        if askable:
            rules = self._rules
            rows = self._session.rows(
                rules.table,
                query=f"{rules.source}={erp_source}^{rules.code}IN{','.join(askable)}^ORDERBYsys_id",
                fields=f"{rules.code},{rules.source},{rules.name}",
                limit=len(askable) * ROWS_A_CODE,
            )
            for row in rows:
                if row.get(rules.source) == erp_source and row.get(rules.code) in found:
                    found[row[rules.code]].append(str(row.get(rules.name, "")))
        return {code: tuple(names) for code, names in found.items()}

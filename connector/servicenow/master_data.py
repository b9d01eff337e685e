"""Master data read from ServiceNow: which suppliers exist for a vendor's code."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

from connector.decisions.queries import askable
from connector.model.profile import Suppliers
from connector.ports import Clock
from connector.servicenow.session import ServiceNowSession

MAX_AGE = 900.0
"""Seconds a found supplier is believed. One that was not found is always looked up again."""
CODES_A_CALL = 100
NAMES_A_CALL = 20
ROWS_A_CODE = 5


class SupplierBook:
    """Names of suppliers by ERP source and ERP supplier code."""

    def __init__(self, session: ServiceNowSession, rules: Suppliers, clock: Clock) -> None:
        self._session = session
        self._rules = rules
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], tuple[tuple[str, ...], float]] = {}
        self._single: dict[str, float] = {}

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

    def shared(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the names that several suppliers carry: a staging table that finds suppliers by name would take any."""
        wanted = sorted({name for name in names if name})
        with self._lock:
            now = self._clock.monotonic()
            single = {name for name in wanted if name in self._single and now - self._single[name] <= MAX_AGE}
            unknown = [name for name in wanted if name not in single and askable(name, also="")]
            for start in range(0, len(unknown), NAMES_A_CALL):
                found = self._read_single(unknown[start : start + NAMES_A_CALL])
                self._single |= dict.fromkeys(found, now)
                single.update(found)
            return frozenset(wanted) - single

    def _read_single(self, names: list[str]) -> list[str]:
        rules = self._rules
        condition = "^OR".join(f"{rules.name}={name}" for name in names)
        rows = self._session.rows(
            rules.table, query=f"{condition}^ORDERBYsys_id", fields=rules.name, limit=len(names) * ROWS_A_CODE
        )
        # ServiceNow compares without regard to case, and so do its transform maps.
        counts = Counter(str(row.get(rules.name, "")).casefold() for row in rows)
        return [name for name in names if counts[name.casefold()] == 1]

    def _known(self, erp_source: str, code: str, now: float) -> bool:
        names, read_at = self._found.get((erp_source, code), ((), 0.0))
        return len(names) == 1 and now - read_at <= MAX_AGE

    def _read(self, erp_source: str, codes: list[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {code: [] for code in codes}
        asked = [code for code in codes if askable(code)]
        if asked:
            rules = self._rules
            limit = len(asked) * ROWS_A_CODE
            rows = self._session.rows(
                rules.table,
                query=f"{rules.source}={erp_source}^{rules.code}IN{','.join(asked)}^ORDERBYsys_id",
                fields=f"{rules.code},{rules.source},{rules.name}",
                limit=limit,
            )
            if len(rows) >= limit and len(asked) > 1:
                # Cut off: one code with many suppliers must not make the others look missing.
                middle = len(asked) // 2
                halves = (asked[:middle], asked[middle:])
                return (
                    {code: () for code in codes} | self._read(erp_source, halves[0]) | self._read(erp_source, halves[1])
                )
            for row in rows:
                if row.get(rules.source) == erp_source and row.get(rules.code) in found:
                    found[row[rules.code]].append(str(row.get(rules.name, "")))
        return {code: tuple(names) for code, names in found.items()}

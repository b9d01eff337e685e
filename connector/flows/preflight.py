"""Preflight: before a unit is written, the profile is held against what the instance is now. A failing finding of a table the
unit would write keeps its documents waiting; other routes go on.

What a table looked like when it was first found in order is kept. A change since then is a finding; one that would make the
same rows end in other records stops writing until somebody undoes or accepts it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from connector.decisions.drift import Print
from connector.decisions.findings import Finding
from connector.decisions.preflight import Judgement, judge
from connector.errors import Outage, Refused, SettingsFault
from connector.model.catalog import Attestation, Facts
from connector.model.documents import Entity
from connector.model.profile import Profile
from connector.servicenow.catalog import MAX_AGE, CatalogReader
from connector.servicenow.session import SYSTEM
from connector.storage.metadata import Metadata
from connector.telemetry import Telemetry

FAILED_AGE = 300.0
"""Seconds after which a failing finding is looked at again, when documents wait for it."""


class Preflight:
    """The gate before writing, one for each process. `instance`: the address of the instance."""

    def __init__(
        self,
        catalog: CatalogReader,
        metadata: Metadata,
        profile: Profile,
        instance: str,
        attestation: Attestation | None,
        telemetry: Telemetry,
    ) -> None:
        self.catalog = catalog
        self._metadata = metadata
        self._profile = profile
        self._instance = instance
        self._attestation = attestation
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._judged: tuple[Facts, Judgement] | None = None

    def refusal(self, entity: Entity) -> Refused | None:
        """Why documents of this kind cannot be written now; None when they can. Raises `Throttled` or `Refused` when the
        instance will not even be asked, `StorageUnavailable`."""
        stops = self._stops(entity, MAX_AGE)
        if stops:
            stops = self._stops(entity, FAILED_AGE)
        if not stops:
            return None
        first = stops[0]
        others = f" (and {len(stops) - 1} more: {', '.join(one.code for one in stops[1:6])})" if stops[1:] else ""
        return Refused(SYSTEM, f"{first.code}: {said(first)} {first.remedy}{others}")

    def profile(self) -> Profile:
        """The profile with the instance's own column lengths where these are shorter, as of the last look."""
        with self._lock:
            return self._profile if self._judged is None else self._judged[1].profile

    def doubt(self) -> None:
        """The instance refused a write that the last look allows: the next one looks anew."""
        self.catalog.doubt()

    def judgement(self, facts: Facts) -> Judgement:
        """What these facts amount to. Nothing is kept; while storage does not answer, nothing is held against what was."""
        try:
            return self._judge(facts, self._metadata.kept())
        except (Outage, SettingsFault):
            return self._judge(facts, {})

    def accept(self, judgement: Judgement) -> None:
        """Keeps the fingerprints of all tables as they were judged."""
        self._metadata.keep(judgement.prints)

    def _stops(self, entity: Entity, max_age: float) -> list[Finding]:
        facts = self.catalog.facts(max_age)
        with self._lock:
            if self._judged is None or self._judged[0] is not facts:
                kept = self._metadata.kept()
                judgement = self._judge(facts, kept)
                self._keep_new(judgement, kept)
                self._tell(judgement)
                self._judged = (facts, judgement)
            return self._judged[1].stops(self._profile.routes[entity.value])

    def _judge(self, facts: Facts, kept: Mapping[str, Print]) -> Judgement:
        return judge(self._profile, facts, instance=self._instance, attestation=self._attestation, kept=kept)

    def _keep_new(self, judgement: Judgement, kept: Mapping[str, Print]) -> None:
        """Puts on record what was never seen before of tables that are in order."""
        failing = {one.table for one in judgement.findings if one.level == "fail"}
        new = {
            name: {**found, **kept.get(name, {})}
            for name, found in judgement.prints.items()
            if name not in failing and found.keys() - kept.get(name, {}).keys()
        }
        self._metadata.keep(new)

    def _tell(self, judgement: Judgement) -> None:
        for one in judgement.findings:
            if one.level == "fail" or one.code.startswith("DRIFT"):
                self._telemetry.warning("preflight", code=one.code, table=one.table or "all")


def said(finding: Finding) -> str:
    """The finding as one sentence."""
    return f"{finding.table}: {finding.what}." if finding.table else f"{finding.what}."

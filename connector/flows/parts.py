"""The parts a flow works with, put together by `bootstrap`."""

from __future__ import annotations

from dataclasses import dataclass

from connector.business_central.api_v2 import ApiV2Reader
from connector.decisions.mapping import Rules
from connector.model.documents import Entity
from connector.model.profile import Profile, Translations
from connector.ports import Clock, Randomness
from connector.servicenow.master_data import SupplierBook
from connector.servicenow.staging import StagingDoor
from connector.settings import Company, Settings
from connector.storage.awaits import Awaits
from connector.storage.cursors import Cursors
from connector.storage.gates import Gate
from connector.storage.ledger import Ledger
from connector.storage.ports import QueueStore
from connector.telemetry import Telemetry


@dataclass(frozen=True)
class Parts:
    """Everything a flow may use."""

    settings: Settings
    profile: Profile
    translations: Translations
    reader: ApiV2Reader
    suppliers: SupplierBook
    door: StagingDoor
    ledger: Ledger
    awaits: Awaits
    cursors: Cursors
    gate: Gate
    queues: QueueStore
    clock: Clock
    randomness: Randomness
    telemetry: Telemetry

    def rules(self, company: Company) -> Rules:
        """The mapping rules of a company."""
        return Rules(company, self.profile, self.translations)

    def entities(self) -> list[tuple[Company, Entity]]:
        """Every company with every entity the profile routes."""
        routed = [entity for entity in Entity if entity.value in self.profile.routes]
        return [(company, entity) for company in self.settings.companies for entity in routed]

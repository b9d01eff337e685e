"""The parts a flow works with, put together by `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connector.business_central.api_v2 import ApiV2Reader
from connector.business_central.changes import ChangeReader
from connector.business_central.dimension_values import DimensionValues
from connector.business_central.endings import EndingReader
from connector.business_central.files import FileReader
from connector.business_central.fingerprints import FingerprintReader
from connector.business_central.probe import Probe
from connector.business_central.references import ReferenceBook
from connector.business_central.session import Traffic
from connector.business_central.subscriptions import SubscriptionClient
from connector.decisions.alignment_actions import Rules as AlignmentRules
from connector.decisions.mapping import Rules
from connector.decisions.release import held_against
from connector.flows.mapped_words import MappedWords
from connector.flows.pace import Pace
from connector.flows.preflight import Preflight
from connector.model.checks import Checks
from connector.model.documents import Entity
from connector.model.feeds import Feed
from connector.model.profile import DoorName, Profile, Translations
from connector.ports import Clock, Randomness
from connector.servicenow.attachments import Attachments
from connector.servicenow.cost_centre_reader import CostCentreReader
from connector.servicenow.cost_centres import CostCentreBook
from connector.servicenow.doors.delivery import Door
from connector.servicenow.master_data import SupplierBook
from connector.servicenow.tracking import TrackingReader
from connector.setting_words import Company
from connector.settings import Settings
from connector.storage.awaits import Awaits
from connector.storage.cursors import Cursors
from connector.storage.fingerprints import Fingerprints
from connector.storage.gates import Gate
from connector.storage.ledger import Ledger
from connector.storage.mappings import Mappings
from connector.storage.ports import QueueStore
from connector.storage.subscriptions import Registry
from connector.telemetry import Telemetry


@dataclass(frozen=True)
class Parts:
    """Everything a flow may use."""

    settings: Settings
    profile: Profile
    translations: Translations
    checks: Checks
    alignment: Mapping[str, AlignmentRules]
    reader: ApiV2Reader
    changes: ChangeReader
    endings: EndingReader
    files: FileReader
    subscriptions: SubscriptionClient
    prints: FingerprintReader
    bc_probe: Probe
    bc_traffic: Callable[[], Traffic]
    references: ReferenceBook
    suppliers: SupplierBook
    cost_centres: CostCentreBook | None
    cost_centre_reader: CostCentreReader | None
    dimension_values: DimensionValues
    mappings: Mappings
    mapped_words: MappedWords
    tracking: TrackingReader
    preflight: Preflight
    doors: Mapping[DoorName, Door]
    attachments: Attachments
    ledger: Ledger
    awaits: Awaits
    cursors: Cursors
    fingerprints: Fingerprints
    registry: Registry
    gate: Gate
    bc_gate: Gate
    queues: QueueStore
    clock: Clock
    randomness: Randomness
    telemetry: Telemetry
    pace: Pace = field(default_factory=Pace)

    def rules(self, company: Company) -> Rules:
        """The mapping rules of a company, with the column lengths that the instance was last seen to have."""
        web_client = self.settings.bc_web_client or ""
        return Rules(company, self.preflight.profile(), self._translations(company), web_client, self.checks)

    def _translations(self, company: Company) -> Translations:
        mapped = self.mapped_words.of(company)
        if not mapped:
            return self.translations
        words = {**mapped, **self.translations.cost_centres}
        return self.translations.model_copy(update={"cost_centres": words})

    def held_against(self, company: Company) -> str:
        """What documents of the company are held against now, as a short text that changes with it."""
        return held_against(self.preflight.profile(), self._translations(company), self.checks)

    def door(self, entity: Entity) -> Door:
        """The door through which the profile carries the entity."""
        return self.doors[self.profile.routes[entity.value].door]

    def entities(self) -> list[tuple[Company, Entity]]:
        """Every company with every entity the profile routes."""
        routed = [entity for entity in Entity if entity.value in self.profile.routes]
        return [(company, entity) for company in self.settings.companies for entity in routed]

    def feeds(self) -> list[tuple[Company, Feed]]:
        """Every company with every feed that brings routed documents, or may concern some."""
        routed = {entity for entity in Entity if entity.value in self.profile.routes}
        # Invoices that are not carried are not watched for the orders they end: they are many, and the sweep sees the end.
        pointing = [feed for feed in Feed if feed is not Feed.INVOICES and routed & {*feed.concerns}]
        watched = [feed for feed in Feed if self.carried(feed) or feed in pointing]
        # What is carried comes first, in every company: the others can wait.
        watched.sort(key=lambda feed: self.carried(feed) is None)
        return [(company, feed) for feed in watched for company in self.settings.companies]

    def carried(self, feed: Feed) -> Entity | None:
        """The entity whose documents the feed brings, if the profile carries it."""
        entity = feed.carried
        return entity if entity is not None and entity.value in self.profile.routes else None

"""Bootstrap: the only place where the parts are put together, for the Functions app, the command line and the tests."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr

from connector import __version__
from connector.business_central.api_v2 import ApiV2Reader
from connector.business_central.changes import ChangeReader
from connector.business_central.codes import CodeBook
from connector.business_central.dimension_values import DimensionValues
from connector.business_central.endings import EndingReader
from connector.business_central.files import FileReader
from connector.business_central.fingerprints import FingerprintReader
from connector.business_central.permitted import Permitted
from connector.business_central.probe import Probe
from connector.business_central.references import ReferenceBook
from connector.business_central.session import SYSTEM as BUSINESS_CENTRAL
from connector.business_central.session import BusinessCentralSession
from connector.business_central.subscriptions import SubscriptionClient
from connector.decisions.ap_invoices import misfits
from connector.errors import SettingsFault
from connector.flows.mapped_words import MappedWords
from connector.flows.parts import Parts
from connector.flows.preflight import Preflight
from connector.model.profile import DoorName, Profile
from connector.model.staging import StagingTable
from connector.named_files import load_alignment, load_attestation, load_checks, load_profile, load_translations
from connector.ports import Clock, Randomness, SeededRandomness, SystemClock
from connector.remote.http import Remote
from connector.remote.tokens import Credential, TokenProvider
from connector.servicenow.attachments import Attachments
from connector.servicenow.authorisation import TOKEN_PATH, ApiKey, Authorisation, Basic, Bearer
from connector.servicenow.catalog import CatalogReader
from connector.servicenow.cost_centre_reader import CostCentreReader
from connector.servicenow.cost_centres import CostCentreBook
from connector.servicenow.doors.ap_invoice import ApInvoiceDoor
from connector.servicenow.doors.batch import BatchDoor
from connector.servicenow.doors.delivery import Door
from connector.servicenow.doors.insert_multiple import InsertMultipleDoor
from connector.servicenow.doors.table import TableDoor
from connector.servicenow.master_data import SupplierBook
from connector.servicenow.session import SYSTEM as SERVICENOW
from connector.servicenow.session import ServiceNowSession
from connector.servicenow.tracking import TrackingReader
from connector.settings import Settings, load_settings
from connector.storage import cursors, gates, ledger, mappings, metadata, subscriptions
from connector.storage.awaits import Awaits
from connector.storage.cursors import Cursors
from connector.storage.fingerprints import Fingerprints
from connector.storage.gates import Gate
from connector.storage.ledger import Ledger
from connector.storage.mappings import Mappings
from connector.storage.metadata import Metadata
from connector.storage.ports import QueueStore, TableStore
from connector.storage.subscriptions import Registry
from connector.telemetry import Telemetry, quiet_libraries

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TABLES = (ledger.TABLE, cursors.TABLE, gates.TABLE, subscriptions.TABLE, metadata.TABLE, mappings.TABLE)
SERVICENOW_GATE = "servicenow"
CONNECTIONS = httpx.Limits(max_connections=16, max_keepalive_connections=8)


@dataclass(frozen=True)
class Ports:
    """What the outside world is made of. The real one by default; simulations bring their own."""

    transport: httpx.BaseTransport
    tables: TableStore
    queues: QueueStore
    clock: Clock
    randomness: Randomness


def build(settings: Settings, ports: Ports | None = None) -> Parts:
    """The parts, ready to work; tables and queues exist afterwards. Raises `SettingsFault`, `Refused` or `Outage`."""
    ports = ports or real_ports(settings)
    parts = assemble(settings, ports)
    for table in TABLES:
        ports.tables.ensure(table)
    for queue in settings.queues:
        ports.queues.ensure(queue)
    return parts


def assemble(settings: Settings, ports: Ports) -> Parts:
    """The parts, without a look at what they will meet. Raises `SettingsFault`."""
    profile = load_profile(settings.profile)
    _check_doors(profile)
    _check_master_data(profile)
    translations = load_translations(settings.translations)
    bc_session = _business_central(settings, ports)
    sn_session = _servicenow(settings, ports)
    telemetry = Telemetry()
    keys = [company.key for company in settings.companies]
    alignment = load_alignment(settings.alignment, keys, profile)
    mapped = Mappings(ports.tables)
    return Parts(
        settings=settings,
        profile=profile,
        translations=translations,
        checks=load_checks(settings.checks, keys),
        alignment=alignment,
        reader=ApiV2Reader(
            bc_session,
            CodeBook(bc_session, ports.clock),
            max_url=settings.bc_max_url,
        ),
        changes=ChangeReader(bc_session, page_size=settings.bc_page_size),
        endings=EndingReader(bc_session),
        files=FileReader(bc_session, ports.clock, ports.randomness),
        subscriptions=SubscriptionClient(bc_session),
        prints=FingerprintReader(bc_session),
        bc_probe=Probe(bc_session),
        bc_traffic=bc_session.traffic,
        preflight=Preflight(
            CatalogReader(sn_session, profile, ports.clock),
            Metadata(ports.tables),
            profile,
            settings.sn_url,
            load_attestation(settings.sn_metadata),
            telemetry,
        ),
        references=ReferenceBook(bc_session, ports.clock, max_url=settings.bc_max_url),
        suppliers=SupplierBook(sn_session, profile.suppliers, ports.clock),
        cost_centres=CostCentreBook(sn_session, profile.cost_centres, ports.clock) if profile.cost_centres else None,
        cost_centre_reader=CostCentreReader(sn_session, profile.cost_centres) if profile.cost_centres else None,
        dimension_values=DimensionValues(bc_session, ports.clock),
        mappings=mapped,
        mapped_words=MappedWords(mapped, ports.clock, alignment),
        tracking=TrackingReader(sn_session),
        doors=_doors(settings, profile, sn_session, ports.clock),
        attachments=Attachments(sn_session),
        ledger=Ledger(
            ports.tables, ports.clock, key=settings.ledger_key_bytes, by=f"bc-servicenow-connector {__version__}"
        ),
        awaits=Awaits(ports.tables),
        cursors=Cursors(ports.tables),
        fingerprints=Fingerprints(ports.tables),
        registry=Registry(ports.tables),
        gate=Gate(ports.tables, SERVICENOW_GATE, settings.sn_slots, ports.clock, ports.randomness),
        bc_gate=Gate(ports.tables, "businesscentral", 0, ports.clock, ports.randomness),
        queues=ports.queues,
        clock=ports.clock,
        randomness=ports.randomness,
        telemetry=telemetry,
    )


def real_ports(settings: Settings) -> Ports:
    """The real world: sockets, Azure Storage, the system's clock and entropy."""
    # Imported here: these take a third of a second, which a process that only answers for its settings need not wait for.
    from azure.data.tables import TableServiceClient
    from azure.storage.queue import QueueServiceClient

    from connector.storage.azure_queues import AzureQueues
    from connector.storage.azure_tables import AzureTables

    # Time-outs in seconds: the SDK's own are up to five minutes, longer than a claim may rest on one call.
    if settings.connectorstorage is not None:
        text = settings.connectorstorage.get_secret_value()
        tables = TableServiceClient.from_connection_string(text, connection_timeout=10, read_timeout=30)
        queues = QueueServiceClient.from_connection_string(text, connection_timeout=10, read_timeout=30)
    else:
        credential = _identity(settings)
        account = settings.connectorstorage__accountname
        table_url = settings.connectorstorage__tableserviceuri or f"https://{account}.table.core.windows.net"
        queue_url = settings.connectorstorage__queueserviceuri or f"https://{account}.queue.core.windows.net"
        tables = TableServiceClient(table_url, credential=credential, connection_timeout=10, read_timeout=30)
        queues = QueueServiceClient(queue_url, credential=credential, connection_timeout=10, read_timeout=30)
    return Ports(
        transport=httpx.HTTPTransport(limits=CONNECTIONS),
        tables=AzureTables(tables),
        queues=AzureQueues(queues),
        clock=SystemClock(),
        randomness=SeededRandomness(random.SystemRandom()),
    )


def _identity(settings: Settings) -> TokenCredential:
    from azure.identity import DefaultAzureCredential

    client = settings.connectorstorage__clientid or None
    return DefaultAzureCredential(managed_identity_client_id=client)


def _business_central(settings: Settings, ports: Ports) -> BusinessCentralSession:
    remote = Remote(BUSINESS_CENTRAL, ports.transport, ports.clock)
    tokens = TokenProvider(
        remote,
        settings.bc_token_url,
        {"grant_type": "client_credentials", "client_id": settings.bc_client_id, "scope": settings.bc_scope},
        _secrets(settings.bc_client_secret, settings.bc_client_secret_next),
        ports.clock,
    )
    permitted = Permitted(
        [company.id for company in settings.companies],
        extension=settings.bc_extension,
        service=settings.bc_dimension_values_service,
    )
    return BusinessCentralSession(remote, tokens, f"{settings.bc_url}/api", ports.clock, ports.randomness, permitted)


def _servicenow(settings: Settings, ports: Ports) -> ServiceNowSession:
    remote = Remote(SERVICENOW, ports.transport, ports.clock)
    authorisation: Authorisation
    if settings.sn_auth == "basic" and settings.sn_password is not None:
        authorisation = Basic(settings.sn_username, settings.sn_password.get_secret_value(), ports.clock)
    elif settings.sn_auth == "apikey":
        keys = (settings.sn_api_key, settings.sn_api_key_next)
        authorisation = ApiKey([key.get_secret_value() for key in keys if key is not None], ports.clock)
    else:
        tokens = TokenProvider(
            remote,
            settings.sn_url + TOKEN_PATH,
            {"grant_type": "client_credentials", "client_id": settings.sn_client_id},
            _secrets(settings.sn_client_secret, settings.sn_client_secret_next),
            ports.clock,
        )
        authorisation = Bearer(tokens)
    return ServiceNowSession(remote, authorisation, settings.sn_url, ports.clock, ports.randomness)


def _check_doors(profile: Profile) -> None:
    """Raises `SettingsFault` when a route's door cannot carry what the route says."""
    for entity, route in profile.routes.items():
        wrong = misfits(entity, route) if route.door == "ap_invoice" else []
        if wrong:
            raise SettingsFault(f"PROFILE: routes.{entity}: the door ap_invoice cannot be used: {'; '.join(wrong)}")


def _check_master_data(profile: Profile) -> None:
    """Raises `SettingsFault` for a section that nobody would stage."""
    for name in profile.master_data.staged:
        if name != "cost_centres":
            raise SettingsFault(
                f'PROFILE: master_data.{name}: only cost centres are staged by this version; set owner = "nobody"'
            )


def _doors(settings: Settings, profile: Profile, session: ServiceNowSession, clock: Clock) -> Mapping[DoorName, Door]:
    by_table = [route for route in profile.routes.values() if route.door == "table"]
    # Later versions of what the AP Invoice API created go through the batch door as well.
    batched = {**_staging_tables(profile, "batch", "ap_invoice"), **profile.master_data.tables}
    batch = BatchDoor(session, batched, clock, rows_a_batch=settings.sn_batch_rows)
    return {
        "batch": batch,
        "insert_multiple": InsertMultipleDoor(session, _staging_tables(profile, "insert_multiple"), clock),
        "ap_invoice": ApInvoiceDoor(
            session, batch, clock, settings.sn_ap_invoice, source_system=settings.sn_source_system
        ),
        "table": TableDoor(session, by_table, rows_a_batch=settings.sn_batch_rows),
    }


def _staging_tables(profile: Profile, *doors: DoorName) -> Mapping[str, StagingTable]:
    tables: dict[str, StagingTable] = {}
    for name, route in profile.routes.items():
        for table in route.tables if route.door in doors else ():
            if table.key != tables.setdefault(table.table, table).key:
                raise SettingsFault(f"routes.{name}: {table.table} has another key than in the profile's other route")
    return tables


def _secrets(*secrets: SecretStr | None) -> Sequence[Callable[[], Credential]]:
    def fields(secret: SecretStr) -> Callable[[], Credential]:
        return lambda: {"client_secret": secret.get_secret_value()}

    return [fields(secret) for secret in secrets if secret is not None and secret.get_secret_value()]


class Application:
    """The parts of this process, built when first needed and kept. The one long-lived object of the Functions app."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        quiet_libraries()
        self._environment = environment
        self._lock = threading.Lock()
        self._parts: Parts | None = None

    @property
    def parts(self) -> Parts:
        """The parts. Raises what `load_settings` and `build` raise, at each call until it works."""
        with self._lock:
            if self._parts is None:
                self._parts = build(load_settings(os.environ if self._environment is None else self._environment))
            return self._parts

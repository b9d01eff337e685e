"""The parts of a licensed instance around the core: their tables in one tuple, and their maps, scripts and settings."""

from __future__ import annotations

from tests.sandbox.servicenow import ap_invoice_tables
from tests.sandbox.servicenow.ap_invoice_tables import AP_INVOICE_TABLES
from tests.sandbox.servicenow.attachment_files import ATTACHMENT_TABLES
from tests.sandbox.servicenow.detail_tables import DETAIL_MAPS, DETAIL_SCRIPTS, DETAIL_TABLES
from tests.sandbox.servicenow.master_data_tables import MASTER_MAPS, MASTER_SCRIPTS, MASTER_TABLES
from tests.sandbox.servicenow.procurement_tables import PROCUREMENT_TABLES
from tests.sandbox.servicenow.store import Store
from tests.sandbox.servicenow.transform_maps import add_map, add_script

# Every instance has these, licensed or not.
BASE_DETAIL_TABLES = (*ATTACHMENT_TABLES, *PROCUREMENT_TABLES)
# These come with the applications; some replace base tables by ones with finance columns.
LICENSED_DETAIL_TABLES = (*DETAIL_TABLES, *MASTER_TABLES, *AP_INVOICE_TABLES)


def ship(store: Store) -> None:
    """Adds maps, scripts and settings of the applications whose tables the instance has."""
    for name, (source, target, entries) in {**DETAIL_MAPS, **MASTER_MAPS}.items():
        if source in store.schema:
            add_map(store, name, source, target, entries, enforce_mandatory_fields="all")
    scripts = (*DETAIL_SCRIPTS, *MASTER_SCRIPTS, ("Order stage", "onAfter", "copyAttachments"))
    for name, when, script in scripts:
        if store.find("sys_transform_map", {"name": name}):
            add_script(store, name, when, script)
    if ap_invoice_tables.MAPPING in store.schema:
        ap_invoice_tables.ship(store)

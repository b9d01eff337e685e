"""The landscape: both simulators filled with the sample company, and the settings that point a connector at them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import httpx

from tests.sandbox.business_central import BusinessCentral, CompanyData
from tests.sandbox.business_central.write_watch import WatchedTransport
from tests.sandbox.sample import TRANSLATIONS, companies
from tests.sandbox.sample.servicenow import master_rows
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.wire import Exchange, Router

BC_URL = "https://api.businesscentral.dynamics.com"
LOGIN_URL = "https://login.microsoftonline.com"
SN_URL = "https://example.service-now.com"
SN_CLIENT, SN_SECRET = "connector-client", "connector-secret"

KEYS = {
    "CRONUS USA, Inc.": ("us", "BC-US", "US01", "USD"),
    "CRONUS AG": ("de", "BC-DE", "DE01", "EUR"),
}


class Landscape:
    """Business Central and ServiceNow as one connector sees them.

    `forbidden_writes`: what it sent to Business Central in process and must never send; such a request ends the test it is of.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        data: Sequence[CompanyData] | None = None,
        master: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
        sn_url: str = SN_URL,
        sleep: Callable[[float], None] = time.sleep,
        row_seconds: float = 0.0,
    ) -> None:
        self.data = list(companies() if data is None else data)
        self.business_central = BusinessCentral(self.data, now=now)
        self.servicenow = ServiceNow(
            now=now, instance_url=sn_url, seed=master_rows() if master is None else master, row_seconds=row_seconds
        )
        self.bc_exchange = Exchange(self.business_central.handle, sleep=sleep)
        self.sn_exchange = Exchange(self.servicenow.handle, sleep=sleep)
        self.forbidden_writes: list[str] = []

    def transport(self) -> httpx.BaseTransport:
        """A transport that reaches both systems in process, under their real addresses."""
        hosts = {
            "api.businesscentral.dynamics.com": self.bc_exchange,
            "login.microsoftonline.com": self.bc_exchange,
            "example.service-now.com": self.sn_exchange,
        }
        return WatchedTransport(Router(hosts).transport(), self.business_central, self.forbidden_writes)

    def environment(
        self, *, bc_url: str = BC_URL, login_url: str = LOGIN_URL, sn_url: str = SN_URL, storage: str = "in process"
    ) -> dict[str, str]:
        """The application settings of a connector for this landscape."""
        bc = self.business_central
        return {
            "POLL_SCHEDULE": "*/15 * * * * *",
            "SWEEP_SCHEDULE": "30 */15 * * * *",
            "RESCUE_SCHEDULE": "0 */5 * * * *",
            "TRACK_SCHEDULE": "45 */5 * * * *",
            "ALIGN_SCHEDULE": "20 */10 * * * *",
            "RENEW_SCHEDULE": "0 17 * * * *",
            "DAILY_SCHEDULE": "0 0 5 * * *",
            "DOCUMENTS_QUEUE": "documents",
            "BC_URL": f"{bc_url}/v2.0/{bc.tenant}/{bc.environment}",
            "BC_TOKEN_URL": f"{login_url}/{bc.tenant}/oauth2/v2.0/token",
            "BC_CLIENT_ID": bc.client_id,
            "BC_CLIENT_SECRET": "first-secret",
            "SN_URL": sn_url,
            "SN_CLIENT_ID": SN_CLIENT,
            "SN_CLIENT_SECRET": SN_SECRET,
            "COMPANIES": json.dumps([_company(company) for company in self.data]),
            "TRANSLATIONS": str(TRANSLATIONS),
            "ConnectorStorage": storage,
            "LEDGER_KEY": base64.b64encode(b"the sandbox's own ledger key....").decode(),
        }


def _company(company: CompanyData) -> dict[str, str]:
    key, source, entity, currency = KEYS[company.name]
    return {
        "key": key,
        "id": company.id,
        "erp_source": source,
        "legal_entity": entity,
        "local_currency": currency,
        "invoice_source": f"Business Central {key.upper()}",
        "cost_centre_dimension": "DEPARTMENT",
    }

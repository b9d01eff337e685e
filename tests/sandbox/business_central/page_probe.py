"""A client for the tests of page services: reads and writes inside a company, by name, of an online simulator."""

from __future__ import annotations

from typing import Any

import httpx

from tests.sandbox.business_central.odata_pages_query import quoted
from tests.sandbox.business_central.probe import Probe
from tests.sandbox.business_central.records import CompanyData
from tests.sandbox.business_central.simulator import BusinessCentral


class Pages:
    """Page services of one company; `root` is the address of all of them, `company` that of the company."""

    def __init__(self, simulator: BusinessCentral, company: CompanyData) -> None:
        self.simulator = simulator
        self.probe = Probe(simulator, company.id)
        self.root = f"{simulator.base_url}/v2.0/{simulator.tenant}/{simulator.environment}/ODataV4"
        self.company = f"{self.root}/Company({quoted(company.name)})"

    def get(self, address: str, **headers: str) -> httpx.Response:
        """Reads inside the company."""
        return self.probe.get(f"{self.company}/{address}", **headers)

    def rows(self, address: str, **headers: str) -> list[dict[str, Any]]:
        """All rows, over all pages."""
        return self.probe.rows(f"{self.company}/{address}", **headers)

    def send(self, method: str, address: str, json: Any = None, **headers: str) -> httpx.Response:
        """Sends any other request inside the company."""
        return self.probe.send(method, f"{self.company}/{address}", json, **headers)


def order_key(number: str) -> str:
    """The address of an order inside a company."""
    return f"PurchaseOrder(Document_Type='Order',No='{number}')"


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, str(response.json()["error"]["code"])

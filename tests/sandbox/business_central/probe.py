"""A bare client of the simulator for its own tests and for looking at it by hand: gets a token, reads addresses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.sandbox.business_central.simulator import BusinessCentral
from tests.sandbox.wire import Exchange, InProcess

TOKEN_HOST = "https://login.microsoftonline.com"  # noqa: S105 - an address, no secret


class Watch:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        self.time = start

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.time

    def forward(self, seconds: float) -> None:
        """Moves it."""
        self.time += timedelta(seconds=seconds)


class Probe:
    """Reads from a simulator in process, or over the given client; `company` is prepended to relative addresses."""

    def __init__(self, simulator: BusinessCentral, company: str, client: httpx.Client | None = None) -> None:
        self.simulator = simulator
        self.base = f"{simulator.base_url}/v2.0/{simulator.environment}/api/v2.0"
        self.company = company
        self.client = client or httpx.Client(transport=InProcess(Exchange(simulator.handle)))
        self.client.headers["Authorization"] = f"Bearer {self.token()['access_token']}"

    def token(self, path: str = "", **form: str) -> dict[str, Any]:
        """The token endpoint's JSON; form fields given replace the right ones."""
        body: dict[str, Any] = self.token_response(path, **form).json()
        return body

    def token_response(self, path: str = "", **form: str) -> httpx.Response:
        """The token endpoint's answer."""
        right = {
            "grant_type": "client_credentials",
            "client_id": self.simulator.client_id,
            "client_secret": next(iter(self.simulator.tokens.secrets)),
            "scope": f"{self.simulator.base_url}/.default",
        }
        path = path or f"/{self.simulator.tenant}/oauth2/v2.0/token"
        return self.client.post(TOKEN_HOST + path, data=right | form)

    def get(self, address: str, **headers: str) -> httpx.Response:
        """Reads an address: a whole one, one behind the API's base (leading slash), or one inside the company."""
        return self.client.get(self._whole(address), headers=_named(headers))

    def send(self, method: str, address: str, json: Any = None, **headers: str) -> httpx.Response:
        """Sends any other request."""
        return self.client.request(method, self._whole(address), json=json, headers=_named(headers))

    def rows(self, address: str, **headers: str) -> list[dict[str, Any]]:
        """The rows of all pages."""
        rows: list[dict[str, Any]] = []
        link: str | None = address
        while link is not None:
            page = self.get(link, **headers)
            page.raise_for_status()
            body = page.json()
            rows += body["value"]
            link = body.get("@odata.nextLink")
        return rows

    def _whole(self, address: str) -> str:
        if address.startswith("http"):
            return address
        return self.base + address if address.startswith("/") else f"{self.base}/companies({self.company})/{address}"


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}

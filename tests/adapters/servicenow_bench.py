"""One ServiceNow stand-in with a clock and clients for its users: what the tests of its access and limits start from."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.sandbox.servicenow import (
    ADMIN_PASSWORD,
    ADMIN_USER,
    CLIENT_ID,
    CLIENT_SECRET,
    CONNECTOR_PASSWORD,
    CONNECTOR_USER,
    ServiceNow,
    sample,
)
from tests.sandbox.wire import Exchange, InProcess

BASE = "https://example.service-now.com"
CENTERS, ORDERS = "/api/now/table/cmn_cost_center", "/api/now/import/sn_fcms_intg_imp_order"
START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
GRANT = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


class Bench:
    """A simulator, its clock, and a client without cookies for any user."""

    def __init__(self, *, start: datetime = START, **options: Any) -> None:
        self.time = start
        self.simulator = ServiceNow(now=lambda: self.time, **({"seed": sample.SEED} | options))
        self.tables, self.switches = self.simulator.tables, self.simulator.switches
        self.properties, self.access = self.simulator.properties, self.simulator.access
        self.exchange = Exchange(self.simulator.handle)

    def send(self, method: str, path: str, *, user: str = CONNECTOR_USER, **more: Any) -> httpx.Response:
        """One request of a fresh session, with Basic credentials unless headers say otherwise."""
        password = {CONNECTOR_USER: CONNECTOR_PASSWORD, ADMIN_USER: ADMIN_PASSWORD}.get(user, f"{user}-password")
        headers = {"Authorization": basic(user, password)} | more.pop("headers", {})
        with httpx.Client(transport=InProcess(self.exchange), base_url=BASE) as client:
            return client.request(method, path, headers={k: v for k, v in headers.items() if v}, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A GET."""
        return self.send("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        """A POST of a JSON body."""
        return self.send("POST", path, json=body, **more)

    def pass_by(self, seconds: float) -> None:
        """Moves the instance's clock."""
        self.time += timedelta(seconds=seconds)

    def add_user(self, name: str, *roles: str) -> str:
        """A further user; its password is its name and ``-password``."""
        row = {"user_name": name, "name": name.capitalize(), "user_password": f"{name}-password"}
        sys_id = self.tables.insert("sys_user", row)
        for role in ("snc_internal", *roles):
            self.access.grant(name, role)
        return sys_id

    def token(self) -> str:
        """A bearer header of the connector's client."""
        answer = self.send("POST", "/oauth_token.do", data=GRANT, headers={"Authorization": ""})
        return f"Bearer {answer.json()['access_token']}"


def basic(user: str, password: str) -> str:
    """A Basic header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def error(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, message and detail of a refusal."""
    body = answer.json()["error"]
    return answer.status_code, body["message"], body["detail"]

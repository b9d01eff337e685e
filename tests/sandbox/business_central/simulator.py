"""The Business Central simulator: one handler for the token endpoint and the API, and the means to change its data."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote_plus

import httpx

from tests.sandbox.business_central import control, routing, writes
from tests.sandbox.business_central.amounts import decimal_of
from tests.sandbox.business_central.data import Data
from tests.sandbox.business_central.encoding import string_json
from tests.sandbox.business_central.errors import Refusal, dialog, invalid_credentials, method_not_allowed
from tests.sandbox.business_central.master_sets import ENTITY_SETS
from tests.sandbox.business_central.query import Query, parameters, parse_query
from tests.sandbox.business_central.reads import Page, listed, page_of, row_json, rows_json
from tests.sandbox.business_central.records import CompanyData
from tests.sandbox.business_central.store import CompanyState, Record
from tests.sandbox.business_central.tokens import Tokens

PAGE_SIZE = 20_000
_HEADERS = {
    "Content-Type": "application/json; odata.metadata=minimal; odata.streaming=true",
    "OData-Version": "4.0",
    "Server": "Microsoft-HTTPAPI/2.0",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Vary": "Accept-Encoding",
    "x-content-type-options": "nosniff",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Date, Content-Length, Server, OData-Version, ms-correlation-x",
}


class BusinessCentral(Data):
    """Business Central online as seen from outside.

    Switches, which a test may set at any time: `app_enabled` (the application is registered and enabled),
    `forbidden` (authenticated, yet without any right: 403), `unreadable` (entity sets that the permission sets do not
    cover), `reading_changes_orders` (the reader may write, so that reading an order with an invoice discount rewrites it).
    """

    def __init__(
        self,
        companies: Sequence[CompanyData],
        *,
        now: Callable[[], datetime],
        base_url: str = "https://api.businesscentral.dynamics.com",
        tenant: str = "6f1b2a3c-4d5e-4f60-8a7b-9c0d1e2f3a4b",
        tenant_domain: str = "cronus.onmicrosoft.com",
        environment: str = "Production",
        client_id: str = "3e0c5a55-7a21-4c09-9d0c-2f4f6f1f7a10",
        client_secrets: Sequence[str] = ("first-secret",),
        expired_secrets: Sequence[str] = (),
        refresh_tokens: Sequence[str] = ("refresh-token",),
        ideal_stamps: bool = False,
    ) -> None:
        super().__init__(companies, now=now, ideal_stamps=ideal_stamps)
        self.base_url = base_url
        self.tenant = tenant
        self.tenant_domain = tenant_domain
        self.environment = environment
        self.client_id = client_id
        self.app_enabled = True
        self.forbidden = False
        self.unreadable: set[str] = set()
        self.reading_changes_orders = False
        self._now = now
        self._guids = itertools.count(1)
        self.tokens = Tokens(
            now=now,
            fresh_guid=self._fresh_guid,
            audience=base_url,
            tenants=(tenant, tenant_domain),
            client_id=client_id,
            secrets=client_secrets,
            expired_secrets=expired_secrets,
            refresh_tokens=refresh_tokens,
        )

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        with self._lock:
            path, _, query = request.url.raw_path.decode("ascii").partition("?")
            route = routing.route(path)
            if isinstance(route, routing.TokenRoute):
                if request.method != "POST":
                    return httpx.Response(405, headers={"Allow": "POST"})
                return self.tokens.answer(request, route.tenant, route.version)
            try:
                if path.startswith("/environments/v1."):
                    return self._environments(request)
                if route is None or not self._serves(route):
                    return httpx.Response(404, headers={"Content-Type": "text/html"}, text="<h1>404 Not Found</h1>")
                return self._api(request, route, query)
            except Refusal as refusal:
                return self._refused(refusal)

    def control(self, name: str, body: Any) -> Any:
        """The control interface of the served simulator; see the module of the same name."""
        return control.answer(self, name, body)

    def _serves(self, route: routing.ApiRoute) -> bool:
        known = (None, self.tenant.lower(), self.tenant_domain.lower())
        tenant = None if route.tenant is None else route.tenant.lower()
        return tenant in known and route.environment.lower() == self.environment.lower()

    def _environments(self, request: httpx.Request) -> httpx.Response:
        self._check_rights(request)
        row = {
            "aadTenantId": self.tenant,
            "applicationFamily": "BusinessCentral",
            "type": "Production",
            "name": self.environment,
            "countryCode": "US",
            "webServiceUrl": self.base_url,
            "webClientLoginUrl": f"https://businesscentral.dynamics.com/{self.tenant}/{self.environment}",
        }
        return httpx.Response(200, headers={"api-supported-versions": "1.0, 1.1, 1.2"}, json={"value": [row]})

    def _api(self, request: httpx.Request, route: routing.ApiRoute, query: str) -> httpx.Response:
        self._check_rights(request)
        base = f"{request.url.scheme}://{request.url.netloc.decode()}{route.base}"
        if not route.segments:
            return self._service_document(base)
        pairs = parameters(query)
        company = next((value for name, value in pairs if name.lower() == "company"), None)
        target = routing.target(self._companies, route.segments, company)
        if request.method not in {"GET", "HEAD"}:
            return self._written(request, target, base)
        self._check_readable(target.entity.name)
        parsed = parse_query(target.entity, pairs)
        context = f"{base}/$metadata#{target.context}"
        if target.record is not None:
            return self._one(target, parsed, context)
        return self._many(request, target, parsed, context)

    def _check_rights(self, request: httpx.Request) -> None:
        self.tokens.check(request)
        if not self.app_enabled:
            raise invalid_credentials()
        if self.forbidden:
            raise Refusal(403, "Authorization_AccessDenied", "Access to the requested resource is denied.")

    def _check_readable(self, entity: str) -> None:
        if entity not in self.unreadable:
            return
        if entity in {"purchaseOrders", "purchaseInvoices"}:
            raise dialog(f"You do not have permissions to read {ENTITY_SETS[entity].caption}s.")
        raise Refusal(
            400,
            "Internal_ServerError",
            "Sorry, the current permissions prevented the action. "
            f"(TableData {ENTITY_SETS[entity].caption} Read: Base Application)",
        )

    def _service_document(self, base: str) -> httpx.Response:
        rows = ",".join(f'{{"name":"{name}","kind":"EntitySet","url":"{name}"}}' for name in ENTITY_SETS)
        return self._answer(200, f'{{"@odata.context":"{base}/$metadata","value":[{rows}]}}')

    def _one(self, target: routing.Target, query: Query, context: str, status: int = 200) -> httpx.Response:
        if target.record is None or target.state is None:
            raise method_not_allowed("GET", target.entity.name)
        self._reading(target.state, [target.record])
        row = row_json(target.state, target.record, query.shape)
        return self._answer(status, f'{{"@odata.context":"{context}/$entity",{row}}}')

    def _many(self, request: httpx.Request, target: routing.Target, query: Query, context: str) -> httpx.Response:
        state = target.state or self._companies[0]
        records = target.records if target.records is not None else listed(state, target.entity, query)
        size, applied = _preferred(request)
        page = page_of(records, query, size)
        if target.count:
            headers = {"Content-Type": "text/plain; odata.metadata=minimal; odata.streaming=true"}
            return self._answer(200, str(page.total), headers)
        self._reading(state, page.records)
        text = f'{{"@odata.context":{string_json(context)},'
        if query.count:
            text += f'"@odata.count":{page.total},'
        text += f'"value":[{rows_json(state, page.records, query.shape)}]'
        if page.after is not None:
            text += f',"@odata.nextLink":{string_json(_next_link(request, page))}'
        return self._answer(200, text + "}", {"Preference-Applied": "odata.maxpagesize"} if applied else {})

    def _reading(self, state: CompanyState, records: Sequence[Record]) -> None:
        if not self.reading_changes_orders:
            return
        for record in records:
            if record.entity.name == "purchaseOrders" and decimal_of(record.values, "discountAmount"):
                self._edits.touch(state, record)

    def _written(self, request: httpx.Request, target: routing.Target, base: str) -> httpx.Response:
        record = writes.write(self._edits, target, request, self._fresh_guid())
        if record is None:
            return self._answer(204, "")
        query = parse_query(target.entity, [])
        shown = routing.Target(target.entity, target.context, target.state, record=record)
        created = request.method == "POST"
        response = self._one(shown, query, f"{base}/$metadata#{target.context}", 201 if created else 200)
        if created:
            response.headers["Location"] = f"{base}/{target.context}({record.id})"
        return response

    def _refused(self, refusal: Refusal) -> httpx.Response:
        end = f"  CorrelationId:  {self._fresh_guid()}." if refusal.correlated else ""
        message = string_json(refusal.message + end)
        text = f'{{"error":{{"code":"{refusal.code}","message":{message}}}}}'
        return self._answer(refusal.status, text, {"Content-Type": "application/json; odata.metadata=minimal"})

    def _answer(self, status: int, text: str, headers: dict[str, str] | None = None) -> httpx.Response:
        extra = {
            "Date": format_datetime(self._now(), usegmt=True),
            "Request-Id": self._fresh_guid(),
            "ms-correlation-x": self._fresh_guid(),
            "mise-correlation-id": self._fresh_guid(),
        }
        return httpx.Response(status, headers=_HEADERS | extra | (headers or {}), content=text.encode())

    def _fresh_guid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.base_url}/{next(self._guids)}"))


def _preferred(request: httpx.Request) -> tuple[int, bool]:
    """The page size a Prefer header asks for, never above the server's own, and whether it asked."""
    for part in request.headers.get("Prefer", "").split(","):
        name, _, value = part.strip().partition("=")
        if name.strip().lower() == "odata.maxpagesize" and value.strip().isdigit() and int(value) > 0:
            return min(int(value), PAGE_SIZE), True
    return PAGE_SIZE, False


def _next_link(request: httpx.Request, page: Page) -> str:
    """The same address with the skip token of the page's last row."""
    kept = []
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    for part in query.split("&"):
        name = unquote_plus(part.partition("=")[0])
        if name == "$top":
            kept.append(f"$top={page.top_left}")
        elif part and name not in {"$skiptoken", "$skip"}:
            kept.append(part)
    kept.append(f"$skiptoken={page.after}")
    return f"{request.url.scheme}://{request.url.netloc.decode()}{path}?{'&'.join(kept)}"

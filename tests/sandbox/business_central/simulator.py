"""The Business Central simulator: one handler for the token endpoint and the API, and the means to change its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx

from tests.sandbox.business_central import actions, answers, batch, control, metadata, routing
from tests.sandbox.business_central.errors import (
    Refusal,
    dialog,
    invalid_credentials,
    method_not_allowed,
    unknown_segment,
)
from tests.sandbox.business_central.master_sets import ALL_SETS, ARCHIVE_SETS, ENTITY_SETS
from tests.sandbox.business_central.media import content_of
from tests.sandbox.business_central.other_apis import FINANCE, OtherApis, check_order
from tests.sandbox.business_central.posting import Posting
from tests.sandbox.business_central.query import parameters, parse_query
from tests.sandbox.business_central.records import CompanyData
from tests.sandbox.business_central.soap_addresses import address
from tests.sandbox.business_central.soap_door import AnsweringSoap
from tests.sandbox.business_central.timekeeping import Timekeeping
from tests.sandbox.business_central.tokens import Tokens
from tests.sandbox.business_central.webhooks import Webhooks, names_subscriptions


class BusinessCentral(AnsweringSoap, Posting, Timekeeping):
    """Business Central online as seen from outside.

    Switches, which a test may set at any time: `app_enabled` (the application is registered and enabled),
    `forbidden` (authenticated, yet without any right: 403), `unreadable` (entity sets that the permission sets do not
    cover), `reading_changes_orders` (the reader may write, so that reading an order with an invoice discount rewrites it),
    `archives` (the sets of archived orders, which came with version 29), `on_premises` (it is such a server instead: other
    addresses, Basic authentication), `page_services` (pages published as web services), `unlistable` (by id, records that break
    a list: any, or any that shows more than id and stamp), those in `soap`, the numbers in `limits`, all of `uncertainties`.
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
        self.archives = False
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
        self.apis = OtherApis(
            self._companies, lambda: self.webhooks.subscriptions.supported, self._edits, self._versions
        )
        self.webhooks = Webhooks(
            self._companies, apis=self.apis.available, now=now, fresh_guid=self._fresh_guid, lock=self._lock
        )
        self.apis.watchers.append(self.webhooks.notifications.observe)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        soap = address(path, on_premises=self.on_premises is not None)
        if soap is not None:
            return self._soap_service(request, soap, here=self._is_here(soap.tenant, soap.environment))
        if len(request.content) > self.limits.body_bytes:
            return answers.too_large()
        route = routing.route(path)
        if self.on_premises is not None and not isinstance(route, routing.TokenRoute):
            route = self.on_premises.route(path)
        try:
            with self.limits.place(self._user(request)) if self._is_limited(request, route) else nullcontext():
                return self._handled(request, route, path, query)
        except Refusal as refusal:
            return self._refused(refusal, request)

    def _handled(
        self, request: httpx.Request, route: routing.ApiRoute | routing.TokenRoute | None, path: str, query: str
    ) -> httpx.Response:
        if names_subscriptions(route) and self._serves(route) and request.method not in {"GET", "HEAD"}:
            # Without the lock: the receiver may read from here while it is greeted.
            return self._subscribed(request, route)
        with self._lock:
            if isinstance(route, routing.TokenRoute):
                if request.method != "POST":
                    return httpx.Response(405, headers={"Allow": "POST"})
                return self.tokens.answer(request, route.tenant, route.version)
            if path.startswith("/environments/v1.") and self.on_premises is None:
                return self._environments(request)
            if route is None or not self._serves(route):
                return answers.unknown_place(self.uncertainties)
            if self.on_premises is not None:
                if not self.on_premises.serves(route):
                    return answers.switched_off()
                if self.on_premises.user(request) is None:
                    return answers.challenge(self.uncertainties)
            return self._api(request, route, query)

    def _is_limited(self, request: httpx.Request, route: routing.ApiRoute | routing.TokenRoute | None) -> bool:
        """Whether the request is one of a known user, whose requests are counted."""
        if not self.limits.on or not isinstance(route, routing.ApiRoute):
            return False
        return self.on_premises is not None or self.tokens.accepts(request)

    def _user(self, request: httpx.Request) -> str:
        return (self.on_premises and self.on_premises.user(request)) or self.client_id

    def _subscribed(self, request: httpx.Request, route: routing.ApiRoute) -> httpx.Response:
        with self._lock:
            self._check_rights(request)
        target = self.webhooks.write(request, route)
        if target is None:
            return self._answer(204, "")
        context = f"{_base(request, route)}/$metadata#{target.context}"
        status = 201 if request.method == "POST" else 200
        return self._one(target, parse_query(target.entity, []), context, status)

    def control(self, name: str, body: Any) -> Any:
        """The control interface of the served simulator; see the module of the same name."""
        return control.answer(self, name, body)

    def _serves(self, route: routing.ApiRoute) -> bool:
        if self.on_premises is not None:
            return route.api in {"v2.0", routing.PAGES, *self.apis.available}
        here = self._is_here(route.tenant, route.environment)
        return here and route.api in {"v2.0", routing.PAGES, *self.apis.available}

    def _is_here(self, tenant: str | None, environment: str) -> bool:
        known = (None, self.tenant.lower(), self.tenant_domain.lower())
        return (tenant and tenant.lower()) in known and environment.lower() == self.environment.lower()

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
        base = _base(request, route)
        pairs = parameters(query)
        if self.on_premises is not None:
            self.on_premises.check_tenant(pairs)
        if route.segments == ("$batch",):
            return self._batch(request, base)
        if route.api == routing.PAGES:
            return self._page_service(request, route, pairs, base)
        if not route.segments or route.segments[0] in {"$metadata", "entityDefinitions"}:
            return self._about(request, route, base)
        if route.segments[-1].startswith(actions.PREFIX):
            return self._acted(request, route, pairs, base)
        target = self._target(request, route, pairs)
        if request.method not in {"GET", "HEAD"}:
            return self._written(request, target, base)
        self._check_readable(target.entity.name)
        if target.media and target.record is not None and target.state is not None:
            content, kind = content_of(target.state, target.record, target.media)
            return self._answer(200 if content else 204, content, {"Content-Type": kind})
        parsed = parse_query(target.entity, pairs, plain_words=self.uncertainties.plain_enum_words)
        check_order(target.entity, parsed)
        context = f"{base}/$metadata#{target.context}"
        if self.uncertainties.context_names_selection and parsed.shape.select is not None:
            context += f"({','.join(name for name in target.entity.by_name if name in parsed.shape.select)})"
        if target.record is not None:
            if self._is_known(request, target.record):
                return self._answer(304, "")
            return self._one(target, parsed, context)
        return self._many(request, target, parsed, context)

    def _target(self, request: httpx.Request, route: routing.ApiRoute, pairs: list[tuple[str, str]]) -> routing.Target:
        if names_subscriptions(route):
            return self.webhooks.target(route.segments)
        reads = request.method in {"GET", "HEAD"}
        read_only = request.headers.get("Data-Access-Intent", "").lower() == "readonly"
        if read_only and not reads:
            raise Refusal(400, "BadRequest_InvalidOperation", "The request changes data, but its intent is ReadOnly.")
        replicated = reads and (read_only or route.api == FINANCE)
        companies = self.replica.companies() if replicated else self._companies
        if route.api != "v2.0":
            return self.apis.target(route.api, companies, route.segments, pairs)
        for segment in route.segments if not self.archives else ():
            if segment.partition("(")[0] in ARCHIVE_SETS:
                raise unknown_segment(segment.partition("(")[0])
        company = next((value for name, value in pairs if name.lower() == "company"), request.headers.get("Company"))
        return routing.target(companies, route.segments, company)

    def _acted(
        self, request: httpx.Request, route: routing.ApiRoute, pairs: list[tuple[str, str]], base: str
    ) -> httpx.Response:
        owner = replace(route, segments=route.segments[:-1])
        result = actions.act(self, self._target(request, owner, pairs), route.segments[-1], request)
        return self._answer(204, "", {"Location": f"{base}/{result}"})

    def _check_rights(self, request: httpx.Request) -> None:
        if self.on_premises is None:
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

    def _about(self, request: httpx.Request, route: routing.ApiRoute, base: str) -> httpx.Response:
        """What the API tells about itself."""
        if request.method not in {"GET", "HEAD"}:
            raise method_not_allowed(request.method, route.segments[0] if route.segments else "api")
        sets = tuple((ALL_SETS if self.archives else ENTITY_SETS).values())
        if route.api != "v2.0":
            sets = tuple(self.apis.sets(route.api))
        if not route.segments:
            return self._answer(200, metadata.service_document(base, sets))
        if len(route.segments) > 1:
            raise unknown_segment(route.segments[1])
        if route.segments[0] == "$metadata":
            return self._answer(200, metadata.csdl(sets), {"Content-Type": "application/xml"})
        return self._answer(200, metadata.entity_definitions(base, sets))

    def _batch(self, request: httpx.Request, base: str) -> httpx.Response:
        if request.method != "POST":
            raise method_not_allowed(request.method, "$batch")
        parts = batch.parts_of(request)
        if self.uncertainties.batch_parts_count:
            self.limits.count(self._user(request), len(parts))
        text = batch.carry_out(
            request, parts, base, self._companies, self._part, goes_on=self.uncertainties.snapshot_batch_goes_on
        )
        return self._answer(200, text, {"Content-Type": "application/json; odata.metadata=minimal"})

    def _part(self, request: httpx.Request) -> httpx.Response:
        """The answer to one part of a batch."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        route = routing.route(path) if self.on_premises is None else self.on_premises.route(path)
        try:
            return self._handled(request, route, path, query)
        except Refusal as refusal:
            return self._refused(refusal, request)

    def _written(self, request: httpx.Request, target: routing.Target, base: str) -> httpx.Response:
        record = self.apis.write(target, request, self._fresh_guid(), self.uncertainties)
        if record is None:
            return self._answer(204, "")
        location = {"Location": f"{base}/{target.context}({record.id})"} if request.method == "POST" else {}
        if location and "return-no-content" in request.headers.get("Prefer", ""):
            return self._answer(204, "", location if self.uncertainties.new_records_header else {})
        query = parse_query(target.entity, [])
        shown = routing.Target(target.entity, target.context, target.state, record=record)
        response = self._one(shown, query, f"{base}/$metadata#{target.context}", 201 if location else 200)
        response.headers.update(location)
        return response


def _base(request: httpx.Request, route: routing.ApiRoute) -> str:
    return f"{request.url.scheme}://{request.url.netloc.decode()}{route.base}"

"""How rows leave the simulator: the envelope of one record or a page of them, the service's headers, refusals.

Source: recorded answers of the service for the headers, the OData 4.0 JSON format for the envelopes.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Literal

import httpx

from tests.sandbox.business_central import answers, routing
from tests.sandbox.business_central.amounts import decimal_of
from tests.sandbox.business_central.data import Data
from tests.sandbox.business_central.encoding import etag, string_json
from tests.sandbox.business_central.errors import Refusal, method_not_allowed, missing_vendor
from tests.sandbox.business_central.limits import Limits
from tests.sandbox.business_central.media import MEDIA_BASE
from tests.sandbox.business_central.on_premises import OnPremises
from tests.sandbox.business_central.paging import next_link, wished_size
from tests.sandbox.business_central.query import Query
from tests.sandbox.business_central.reads import listed, page_of, row_json, rows_json
from tests.sandbox.business_central.records import CompanyData
from tests.sandbox.business_central.store import CompanyState, Record
from tests.sandbox.business_central.uncertainties import Uncertainties

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
BARE = frozenset({"id", "lastModifiedDateTime"})


class Answering(Data):
    """The part of the simulator that words its answers; its switches are described with the simulator."""

    def __init__(self, companies: Sequence[CompanyData], *, now: Callable[[], datetime], ideal_stamps: bool) -> None:
        super().__init__(companies, now=now, ideal_stamps=ideal_stamps)
        self.base_url = ""
        self.reading_changes_orders = False
        self.unlistable: dict[str, Literal["always", "beyond its stamp"]] = {}
        self.on_premises: OnPremises | None = None
        self.limits = Limits(now)
        self.uncertainties = Uncertainties()
        self._guids = itertools.count(1)

    def _is_known(self, request: httpx.Request, record: Record) -> bool:
        if not self.uncertainties.answers_not_modified:
            return False
        return bool(request.headers.get("If-None-Match") == etag(record.version))

    def _one(self, target: routing.Target, query: Query, context: str, status: int = 200) -> httpx.Response:
        if target.record is None or target.state is None:
            raise method_not_allowed("GET", target.entity.name)
        self._reading(target.state, [target.record])
        row = row_json(target.state, target.record, query.shape)
        text = f'{{"@odata.context":"{context}/$entity",{row}}}'
        return self._answer(status, _addressed(text, context))

    def _many(self, request: httpx.Request, target: routing.Target, query: Query, context: str) -> httpx.Response:
        state = target.state or self._companies[0]
        records = target.records if target.records is not None else listed(state, target.entity, query)
        wished = wished_size(request)
        if wished is not None and wished > self.limits.page_size and not self.uncertainties.oversized_pages_are_clamped:
            return answers.too_large()
        size = min(wished or self.limits.page_size, self.limits.page_size)
        page = page_of(records, query, size)
        if target.count:
            headers = {"Content-Type": "text/plain; odata.metadata=minimal; odata.streaming=true"}
            return self._answer(200, str(page.total), headers)
        self._check_listable(page.records, query)
        self._reading(state, page.records)
        text = f'{{"@odata.context":{string_json(context)},'
        if query.count:
            text += f'"@odata.count":{page.total},'
        text += f'"value":[{rows_json(state, page.records, query.shape)}]'
        if page.after is not None and (query.top is None or self.uncertainties.large_top_continues):
            with_tenant = self.on_premises is None or self.on_premises.links_name_tenant
            text += f',"@odata.nextLink":{string_json(next_link(request, page, with_tenant=with_tenant))}'
        applied = {} if wished is None else {"Preference-Applied": "odata.maxpagesize"}
        return self._answer(200, _addressed(text + "}", context), applied)

    def _check_listable(self, records: Sequence[Record], query: Query) -> None:
        bare = query.shape.select is not None and query.shape.select <= BARE and not query.shape.expand
        for record in records:
            if record.id in self.unlistable and not (bare and self.unlistable[record.id] == "beyond its stamp"):
                raise missing_vendor(str(record.values.get("vendorNumber", record.values.get("number", ""))))

    def _reading(self, state: CompanyState, records: Sequence[Record]) -> None:
        if not self.reading_changes_orders or state not in self._companies:
            return
        for record in records:
            if record.entity.name == "purchaseOrders" and decimal_of(record.values, "discountAmount"):
                self._edits.touch(state, record)

    def _refused(self, refusal: Refusal, request: httpx.Request) -> httpx.Response:
        settled = self.uncertainties.settled(refusal)
        text, headers = answers.refusal_text(settled, request, self.uncertainties, self._fresh_guid())
        return self._answer(settled.status, text, headers)

    def _answer(self, status: int, content: str | bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        extra = {
            "Date": format_datetime(self._now(), usegmt=True),
            "Request-Id": self._fresh_guid(),
            "ms-correlation-x": self._fresh_guid(),
            "mise-correlation-id": self._fresh_guid(),
        }
        return httpx.Response(status, headers=_HEADERS | extra | (headers or {}), content=content)

    def _fresh_guid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.base_url}/{next(self._guids)}"))


def _addressed(text: str, context: str) -> str:
    """The answer with its media links leading to the address that it is read from."""
    return text.replace(MEDIA_BASE, context.partition("/$metadata")[0])

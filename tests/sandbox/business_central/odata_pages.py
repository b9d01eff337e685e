"""The answers of OData page services: ``/ODataV4/Company('NAME')/{Service}``, where only what is published exists.

Source: "Publish a web service", "Using containments and associations" and "Return/obtain a JSON document". A company is named
by ``Company('NAME')``, ``Company(Id=guid)`` or ``?company=``; without any, the only company there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

from tests.sandbox.business_central import answers, odata_pages_metadata, page_writes
from tests.sandbox.business_central.answering import Answering
from tests.sandbox.business_central.encoding import string_json
from tests.sandbox.business_central.errors import Refusal, method_not_allowed, unknown_company, unknown_segment
from tests.sandbox.business_central.odata_pages_query import (
    PageQuery,
    PageSet,
    key_text,
    key_values,
    page_query,
    quoted,
    sets_of,
)
from tests.sandbox.business_central.odata_pages_reading import cut, row_json
from tests.sandbox.business_central.other_apis import OtherApis
from tests.sandbox.business_central.page_fields import page_fields
from tests.sandbox.business_central.page_publishing import PageServices
from tests.sandbox.business_central.page_services import PageRow, PageService, row_of, rows
from tests.sandbox.business_central.paging import next_link, wished_size
from tests.sandbox.business_central.reads import Page
from tests.sandbox.business_central.records import CompanyData
from tests.sandbox.business_central.routing import ApiRoute, find_company
from tests.sandbox.business_central.store import CompanyState
from tests.sandbox.business_central.writes import changes_in, check_token, json_body

COMPANY = PageService(
    "Company",
    357,
    page_fields(
        """
        Name text(30) < name; Evaluation_Company bool < -; Display_Name text(250) < displayName; Id guid < id
        Business_Profile_Id text(250) < businessProfileId
        """,
        {},
    ),
    ("Name",),
    entity="companies",
    table="Company",
)
_SEGMENT = re.compile(r"(\$?\w+)(?:\((.*)\))?", re.DOTALL)
_BY_ID = re.compile(r"\s*Id\s*=\s*(.*)", re.IGNORECASE)
_CAPTIONS = {"No": "No.", "Document_No": "Document No.", "Line_No": "Line No."}


@dataclass(frozen=True)
class PageTarget:
    """What an address names: a set with its rows, or one row of it when a key ends the address."""

    page: PageSet
    context: str
    state: CompanyState | None
    rows: list[PageRow]
    row: PageRow | None = None
    count: bool = False


class AnsweringPages(Answering):
    """The part of the simulator that answers for OData page services; `page_services` holds what is published."""

    apis: OtherApis
    unreadable: set[str]

    def __init__(self, companies: Sequence[CompanyData], *, now: Callable[[], datetime], ideal_stamps: bool) -> None:
        super().__init__(companies, now=now, ideal_stamps=ideal_stamps)
        self.page_services = PageServices()

    def _page_service(
        self, request: httpx.Request, route: ApiRoute, pairs: list[tuple[str, str]], base: str
    ) -> httpx.Response:
        """The answer to a request whose rights are checked already."""
        reads = request.method in {"GET", "HEAD"}
        if not route.segments or route.segments == ("$metadata",):
            if not reads:
                raise method_not_allowed(request.method, "Company")
            services = self.page_services.services()
            if not route.segments:
                return self._answer(200, odata_pages_metadata.service_document(base, COMPANY, services))
            kind = {"Content-Type": "application/xml"}
            return self._answer(200, odata_pages_metadata.csdl(COMPANY, services), kind)
        target = self._page_target(route.segments, pairs)
        if not reads:
            return self._page_written(request, target, base)
        if target.page.service.entity in self.unreadable:
            raise Refusal(
                400,
                "Internal_ServerError",
                "Sorry, the current permissions prevented the action. "
                f"(TableData {target.page.service.table} Read: Base Application)",
            )
        parsed = page_query(target.page, pairs)
        context = f"{base}/$metadata#{target.context}"
        if target.row is not None:
            return self._page_row(target, target.row, parsed, context)
        return self._page_rows(request, target, parsed, context)

    def _page_row(
        self, target: PageTarget, row: PageRow, query: PageQuery, context: str, status: int = 200
    ) -> httpx.Response:
        self.page_services.check_whole([row.record])
        inner = row_json(self.page_services, target.page, row, query)
        return self._answer(status, f'{{"@odata.context":{string_json(f"{context}/$entity")},{inner}}}')

    def _page_rows(self, request: httpx.Request, target: PageTarget, query: PageQuery, context: str) -> httpx.Response:
        wished = wished_size(request)
        if wished is not None and wished > self.limits.page_size and not self.uncertainties.oversized_pages_are_clamped:
            return answers.too_large()
        page = cut(target.page, target.rows, query.rows, min(wished or self.limits.page_size, self.limits.page_size))
        if target.count:
            headers = {"Content-Type": "text/plain; odata.metadata=minimal; odata.streaming=true"}
            return self._answer(200, str(page.total), headers)
        self.page_services.check_whole(row.record for row in page.rows)
        text = f'{{"@odata.context":{string_json(context)},'
        if query.rows.count:
            text += f'"@odata.count":{page.total},'
        inner = ",".join("{" + row_json(self.page_services, target.page, row, query) + "}" for row in page.rows)
        text += f'"value":[{inner}]'
        if page.after is not None and (query.rows.top is None or self.uncertainties.large_top_continues):
            with_tenant = self.on_premises is None or self.on_premises.links_name_tenant
            next_page = Page([], page.total, page.after, page.top_left)
            text += f',"@odata.nextLink":{string_json(next_link(request, next_page, with_tenant=with_tenant))}'
        applied = {} if wished is None else {"Preference-Applied": "odata.maxpagesize"}
        return self._answer(200, text + "}", applied)

    def _page_written(self, request: httpx.Request, target: PageTarget, base: str) -> httpx.Response:
        page, state, row = target.page, target.state, target.row
        service, method = page.service, request.method
        if not service.writable or state is None or (row is None) != (method == "POST") or target.count:
            raise method_not_allowed(method, page.name)
        if row is None:
            values = changes_in(page.entity, json_body(request), new=True)
            record = page_writes.create(self._edits, state, service, values, self._fresh_guid())
            made = row_of(state, service, record)
            location = {"Location": f"{base}/{target.context}({key_text(page, made.key)})"}
            if "return-no-content" in request.headers.get("Prefer", ""):
                return self._answer(204, "", location if self.uncertainties.new_records_header else {})
            response = self._page_row(target, made, page_query(page, []), f"{base}/$metadata#{target.context}", 201)
            response.headers.update(location)
            return response
        check_token(row.record, request, required=method != "DELETE" or self.uncertainties.delete_needs_token)
        if method == "DELETE":
            page_writes.remove(self.apis.numbers, state, row.record)
            return self._answer(204, "")
        values = changes_in(page.entity, json_body(request))
        page_writes.change(self._edits, self.apis.numbers, state, service, row.record, values)
        shown = row_of(state, service, row.record)
        return self._page_row(target, shown, page_query(page, []), f"{base}/$metadata#{target.context}")

    def _page_target(self, segments: Sequence[str], pairs: Sequence[tuple[str, str]]) -> PageTarget:
        parts = [_parsed(segment) for segment in segments]
        counted = len(parts) > 1 and parts[-1] == ("$count", None)
        if counted:
            parts = parts[:-1]
        name = next((value for option, value in pairs if option.lower() == "company"), None)
        if parts[0][0] == COMPANY.name:
            page, key = sets_of(COMPANY)[0], parts[0][1]
            companies = [row_of(state, COMPANY, state.company) for state in self._companies]
            if key is None:
                if len(parts) > 1:
                    raise unknown_segment(parts[1][0])
                return PageTarget(page, COMPANY.name, None, companies, count=counted)
            state = self._company_of(page, key)
            if len(parts) == 1:
                if counted:
                    raise unknown_segment("$count")
                return PageTarget(page, COMPANY.name, None, [], row_of(state, COMPANY, state.company))
            parts = parts[1:]
        else:
            state = find_company(self._companies, name)
        return self._in_company(state, parts, counted=counted)

    def _company_of(self, page: PageSet, key: str) -> CompanyState:
        if match := _BY_ID.fullmatch(key):
            wanted = match.group(1).strip("'{}").lower()
            return find_company([state for state in self._companies if state.id == wanted], wanted)
        (name,) = key_values(page, key)
        for state in self._companies:
            if state.company.values["name"] == name:
                return state
        raise unknown_company()

    def _in_company(self, state: CompanyState, parts: Sequence[tuple[str, str | None]], *, counted: bool) -> PageTarget:
        name, key = parts[0]
        page = self._published(name)
        company = f"Company({quoted(str(state.company.values['name']))})"
        shown = rows(state, page.service)
        if page.of_lines:
            shown = [line for row in shown for line in row.lines]
        target = _chosen(PageTarget(page, f"{company}/{page.name}", state, shown, count=counted), key)
        for name, key in parts[1:]:
            if target.row is None or target.page.of_lines or name != target.page.service.lines_name:
                raise unknown_segment(name)
            context = f"{target.context}({key_text(target.page, target.row.key)})/{name}"
            lines = sets_of(target.page.service)[1]
            target = _chosen(PageTarget(lines, context, state, target.row.lines, count=counted), key)
        if counted and target.row is not None:
            raise unknown_segment("$count")
        return target

    def _published(self, name: str) -> PageSet:
        for service in self.page_services.services():
            for page in sets_of(service):
                if page.name == name:
                    return page
        raise unknown_segment(name)


def _chosen(target: PageTarget, key: str | None) -> PageTarget:
    if key is None:
        return target
    page = target.page
    wanted = key_values(page, key)
    for row in target.rows:
        if row.key == wanted:
            return PageTarget(page, target.context, target.state, [], row, target.count)
    fields = ",".join(
        f"{_CAPTIONS.get(name, name.replace('_', ' '))}='{value}'" for name, value in zip(page.key, wanted, strict=True)
    )
    table = page.service.table
    if page.of_lines:
        table = table.replace("Header", "Line")
    raise Refusal(
        404, "Internal_RecordNotFound", f"The {table} does not exist. Identification fields and values: {fields}"
    )


def _parsed(segment: str) -> tuple[str, str | None]:
    match = _SEGMENT.fullmatch(segment)
    if match is None:
        raise unknown_segment(segment)
    return match.group(1), match.group(2)

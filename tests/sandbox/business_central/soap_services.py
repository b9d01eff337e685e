"""SOAP services of one environment: contracts for GET, operations for POST, the list of services, the system service.

Source: "SOAP Web Services" and "Basic page operations"; "Deprecated features in the platform" for the versions: from 26 on a
feature switch decides whether Microsoft's pages are there, from 29 on they are not. "Operational limits" for the message size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from xml.etree import ElementTree

import httpx

from tests.sandbox.business_central import soap_reading, soap_writing
from tests.sandbox.business_central.page_publishing import PageServices
from tests.sandbox.business_central.page_services import PageService
from tests.sandbox.business_central.routing import find_company
from tests.sandbox.business_central.soap_addresses import SoapAddress
from tests.sandbox.business_central.soap_envelope import (
    SoapFault,
    broker_fault,
    client_fault,
    document,
    element,
    escaped,
    read_body,
    result,
    split,
)
from tests.sandbox.business_central.soap_reading import Call
from tests.sandbox.business_central.soap_settings import SoapSettings
from tests.sandbox.business_central.soap_writing import Writer
from tests.sandbox.business_central.soap_wsdl import (
    SYSTEM_NAMESPACE,
    codeunit_namespace,
    codeunit_wsdl,
    page_namespace,
    page_operations,
    page_wsdl,
    system_wsdl,
)
from tests.sandbox.business_central.store import CompanyState

_FEATURE_SWITCH, _REMOVED = 26, 29
_READING: Mapping[str, Callable[[Call, ElementTree.Element], str]] = {
    "Read": soap_reading.read,
    "ReadByRecId": soap_reading.read_by_record_id,
    "ReadMultiple": soap_reading.read_multiple,
    "IsUpdated": soap_reading.is_updated,
    "GetRecIdFromKey": soap_reading.record_id_from_key,
}


class SoapServices:
    """Answers requests that have been let in."""

    def __init__(self, settings: SoapSettings, pages: PageServices, writer: Writer, unreadable: Set[str]) -> None:
        self._settings = settings
        self._pages = pages
        self._writer = writer
        self._unreadable = unreadable

    def answer(self, request: httpx.Request, address: SoapAddress, companies: Sequence[CompanyState]) -> httpx.Response:
        """The answer to a request for an address, or `SoapFault` or `Refusal`."""
        base = f"{request.url.scheme}://{request.url.netloc.decode()}"
        location = base + request.url.raw_path.decode("ascii").partition("?")[0]
        if request.method not in {"GET", "HEAD", "POST"} or (address.kind == "services" and request.method == "POST"):
            return httpx.Response(405, headers={"Allow": "GET, POST"})
        if address.kind == "SystemService":
            return self._system(request, location, companies)
        state = find_company(companies, address.company)
        if address.kind == "services":
            return self._listed(f"{base}{address.root}/WS", state)
        if address.kind == "Codeunit":
            return self._codeunit(request, address.name, location)
        service = self._service(address.name)
        if request.method != "POST":
            return document(page_wsdl(service, location, self._settings.version))
        return self._page(request, state, service)

    def _page(self, request: httpx.Request, state: CompanyState, service: PageService) -> httpx.Response:
        namespace = page_namespace(service.name)
        name, asked = _operation(request, namespace, page_operations(service))
        settings = self._settings
        call = Call(self._pages, state, service, namespace, settings.version, settings.sends_blanks)
        if service.entity in self._unreadable:
            raise soap_writing.no_permission(service, "Read")
        told = _READING[name](call, asked) if name in _READING else self._writer.carry_out(call, name, asked)
        return result(f'<{name}_Result xmlns="{namespace}">{told}</{name}_Result>')

    def _service(self, name: str) -> PageService:
        settings = self._settings
        service = self._pages.service(name)
        own = not isinstance(self._pages.published.get(name), int)
        offered = settings.version < _FEATURE_SWITCH or (settings.microsoft_pages and settings.version < _REMOVED)
        if service is None or not (own or offered):
            raise broker_fault(f'Service "Page/{name}" was not found!')
        return service

    def _codeunit(self, request: httpx.Request, name: str, location: str) -> httpx.Response:
        functions = self._settings.codeunits.get(name)
        if functions is None:
            raise broker_fault(f'Service "Codeunit/{name}" was not found!')
        if request.method != "POST":
            parameters = {each: function.parameters for each, function in functions.items()}
            return document(codeunit_wsdl(name, parameters, location))
        namespace = codeunit_namespace(name)
        called, asked = _operation(request, namespace, list(functions))
        given = {split(child.tag)[1]: child.text or "" for child in asked}
        if set(given) - set(functions[called].parameters):
            raise client_fault("The codeunit has no such parameter.")
        arguments = [given.get(parameter, "") for parameter in functions[called].parameters]
        told = element("return_value", functions[called].call(*arguments))
        return result(f'<{called}_Result xmlns="{namespace}">{told}</{called}_Result>')

    def _system(self, request: httpx.Request, location: str, companies: Sequence[CompanyState]) -> httpx.Response:
        if request.method != "POST":
            return document(system_wsdl(location))
        _operation(request, SYSTEM_NAMESPACE, ["Companies"])
        names = "".join(element("return_value", str(state.company.values["name"])) for state in companies)
        return result(f'<Companies_Result xmlns="{SYSTEM_NAMESPACE}">{names}</Companies_Result>')

    def _listed(self, base: str, state: CompanyState) -> httpx.Response:
        company = httpx.URL("http://x").copy_with(path=f"/{state.company.values['name']}").raw_path.decode("ascii")
        addresses = [f"{base}/SystemService"]
        for service in self._pages.services():
            try:
                addresses.append(f"{base}{company}/Page/{self._service(service.name).name}")
            except SoapFault:
                continue
        addresses += [f"{base}{company}/Codeunit/{name}" for name in self._settings.codeunits]
        references = "".join(
            f'<contractRef ref="{escaped(each)}" xmlns="http://schemas.xmlsoap.org/disco/scl/"/>' for each in addresses
        )
        return document(f'<discovery xmlns="http://schemas.xmlsoap.org/disco/">{references}</discovery>')


def _operation(request: httpx.Request, namespace: str, names: Sequence[str]) -> tuple[str, ElementTree.Element]:
    """The name and the element of the operation that a message calls, or `SoapFault`."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "text/xml":
        raise SoapFault("s:Client", f"The content type '{kind}' is not the expected type text/xml.", status=415)
    asked = read_body(request.content)
    found, name = split(asked.tag)
    if found != namespace or name not in names:
        raise client_fault(f"The element {name} in namespace '{found}' is unexpected.")
    action = request.headers.get("SOAPAction", "").strip().strip('"')
    if action != f"{namespace}:{name}":
        raise client_fault(f"The SOAP action '{action}' does not belong to the operation {name}.")
    return name, asked

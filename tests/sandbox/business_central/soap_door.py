"""What a request passes before a SOAP service reads it: message size, the service's switch, log-in, the limits of its user.

Source: "Web Services Authentication" and "Operational limits". With Basic or NTLM a refused log-in names the scheme; online a
token is wanted. A service that is switched off is answered 405; whatever goes wrong inside is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import httpx

from tests.sandbox.business_central import answers
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.language import in_language
from tests.sandbox.business_central.odata_pages import AnsweringPages
from tests.sandbox.business_central.query import parameters
from tests.sandbox.business_central.records import CompanyData
from tests.sandbox.business_central.soap_addresses import SoapAddress
from tests.sandbox.business_central.soap_envelope import SoapFault, fault, fault_of
from tests.sandbox.business_central.soap_ntlm import Ntlm
from tests.sandbox.business_central.soap_services import SoapServices
from tests.sandbox.business_central.soap_settings import SoapSettings
from tests.sandbox.business_central.soap_writing import Writer


class AnsweringSoap(AnsweringPages):
    """The part of the simulator that answers for SOAP services; `soap` holds how they are set up."""

    client_id: str
    _check_rights: Callable[[httpx.Request], None]

    def __init__(self, companies: Sequence[CompanyData], *, now: Callable[[], datetime], ideal_stamps: bool) -> None:
        super().__init__(companies, now=now, ideal_stamps=ideal_stamps)
        self.soap = SoapSettings()
        self._ntlm = Ntlm(self._fresh_guid)

    def _soap_service(self, request: httpx.Request, address: SoapAddress, *, here: bool) -> httpx.Response:
        """The answer to a request for a SOAP address; `here`: whether it is one of this environment."""
        if len(request.content) > self.soap.body_bytes:
            return answers.too_large()
        if self.on_premises is not None:
            here = address.environment.lower() == self.on_premises.instance.lower()
        if not here:
            return answers.unknown_place(self.uncertainties)
        if not self.soap.enabled:
            return answers.switched_off()
        try:
            user = self._soap_user(request)
            if user is None:
                return self._soap_challenge(request)
            writer = Writer(self._edits, self.apis.numbers, self._fresh_guid)
            services = SoapServices(self.soap, self.page_services, writer, self.unreadable)
            with self.limits.place(user), self._lock:
                return services.answer(request, address, self._companies)
        except Refusal as refusal:
            return _refused(refusal, request)
        except SoapFault as problem:
            return _told(problem, request)

    def _soap_user(self, request: httpx.Request) -> str | None:
        """The user whose right log-in a request carries; None: it is to be challenged."""
        if self.on_premises is None:
            self._check_rights(request)
            return self.client_id
        if self.soap.windows:
            with self._lock:
                user = self._ntlm.user(request.headers.get("Authorization", ""), self.on_premises.users)
        else:
            user = self.on_premises.user(request)
        if user is not None:
            self._check_rights(request)
            self.on_premises.check_tenant(parameters(request.url.query.decode("ascii")))
        return user

    def _soap_challenge(self, request: httpx.Request) -> httpx.Response:
        if not self.soap.windows:
            return answers.challenge(self.uncertainties)
        with self._lock:
            going_on = self._ntlm.challenge(request.headers.get("Authorization", ""))
        return httpx.Response(401, headers={"WWW-Authenticate": going_on or "NTLM"})


def _refused(refusal: Refusal, request: httpx.Request) -> httpx.Response:
    if refusal.status == 401:
        return httpx.Response(401, headers={"WWW-Authenticate": "Bearer"})
    if refusal.status == 403:
        return httpx.Response(403)
    problem = fault_of(refusal)
    if refusal.status in {429, 503}:
        problem.status = refusal.status
    response = _told(problem, request)
    response.headers.update(refusal.headers)
    return response


def _told(problem: SoapFault, request: httpx.Request) -> httpx.Response:
    accepted = request.headers.get("Accept-Language", "")
    text = in_language(problem.text, accepted)
    language = "en-US" if text == problem.text else "de-DE"
    return fault(SoapFault(problem.code, text, status=problem.status), language)

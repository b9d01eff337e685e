"""The Business Central simulator: the same refusals in a second language.

The rule is that of "Tips for working with the APIs": ``Accept-Language`` chooses the language of messages; codes stay.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.language import in_language
from tests.sandbox.business_central.probe import Probe, Watch

COMPANIES = sample.companies()
US = COMPANIES[0]
VENDOR = US.tables["vendors"][0]["id"]
MISSING = "11111111-2222-3333-4444-555555555555"
CORRELATION = re.compile(r"  CorrelationId:  [0-9a-f-]{36}\.$")

REFUSED: list[tuple[str, str, Any]] = [
    ("GET", f"/companies({MISSING})/vendors", None),
    ("GET", f"vendors({MISSING})", None),
    ("GET", "purchaseOrderLines", None),
    ("GET", "dimensionSetLines", None),
    ("GET", "defaultDimensions", None),
    ("PATCH", f"vendors({VENDOR})", {"balance": 1}),
    ("PATCH", f"vendors({VENDOR})", {"city": "x" * 31}),
    ("PATCH", f"vendors({VENDOR})", {"id": MISSING}),
    ("POST", "locations", {"code": "EAST"}),
    ("POST", "purchaseOrders", {}),
    ("POST", "purchaseOrders", {"vendorNumber": "nobody"}),
    ("POST", "purchaseOrders", {"vendorNumber": "10000", "currencyCode": "XXX"}),
    ("POST", "purchaseOrders", {"vendorNumber": "10000", "dimensionSetLines": [{"code": "DEPARTMENT"}]}),
    (
        "POST",
        "purchaseOrders",
        {"vendorNumber": "10000", "dimensionSetLines": [{"code": "DEPARTMENT", "valueCode": "WORKSHOP"}]},
    ),
    ("POST", "purchaseOrders", {"vendorNumber": "10000", "purchaseOrderLines": [{"itemId": MISSING}]}),
]


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)


@pytest.mark.parametrize(("method", "address", "body"), REFUSED)
def test_a_refusal_keeps_status_and_code_and_changes_its_words(
    probe: Probe, method: str, address: str, body: Any
) -> None:
    def answer(language: str) -> tuple[int, str, str]:
        response = probe.send(method, address, body, Accept_Language=language, If_Match="*")
        error = response.json()["error"]
        return response.status_code, error["code"], CORRELATION.sub("", error["message"])

    english, german = answer("en-US"), answer("de-DE")
    assert english[0] >= 400
    assert german[:2] == english[:2]
    assert german[2] != english[2]
    assert answer("nl-NL") == english


def test_german_messages_end_with_the_same_correlation(probe: Probe) -> None:
    message = probe.get(f"vendors({MISSING})", Accept_Language="de-DE").json()["error"]["message"]
    assert message.startswith("Vendor ist nicht vorhanden. Identifikationsfelder und -werte: SystemId=")
    assert CORRELATION.search(message)


def test_a_stale_etag_and_a_bad_token_are_told_in_german(probe: Probe) -> None:
    etag = probe.get(f"vendors({VENDOR})").json()["@odata.etag"]
    for number in ("1", "2"):
        response = probe.send(
            "PATCH", f"vendors({VENDOR})", {"phoneNumber": number}, If_Match=etag, Accept_Language="de-DE"
        )
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (409, "Request_EntityChanged")
    assert error["message"].startswith("Ein anderer Benutzer hat den Datensatz bereits geändert.")
    bad = probe.client.get(
        f"{probe.base}/companies", headers={"Authorization": "Bearer x", "Accept-Language": "de"}
    ).json()["error"]
    assert bad["code"] == "Authentication_InvalidCredentials"
    assert bad["message"].startswith("Der Server hat die Anmeldeinformationen")


def test_names_within_a_message_stay_as_they_are() -> None:
    german = in_language("Control 'balance' is read-only.", "de-DE,de;q=0.9")
    assert german == "Das Steuerelement 'balance' ist schreibgeschützt."


def test_a_message_of_the_odata_layer_stays_english(probe: Probe) -> None:
    message = probe.get("vendors?$select=colour", Accept_Language="de-DE").json()["error"]["message"]
    assert message.startswith("Could not find a property named 'colour'")

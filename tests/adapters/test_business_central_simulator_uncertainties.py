"""The Business Central simulator: what the public sources leave open, one switch at a time.

Switches about limits, batches and on-premises servers are tested with those.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.probe import Probe, Watch
from tests.sandbox.business_central.uncertainties import Uncertainties

COMPANIES = sample.companies()
US = COMPANIES[0]
MISSING = "11111111-2222-3333-4444-555555555555"
VENDOR = str(US.tables["vendors"][0]["id"])


@pytest.fixture
def probe() -> Probe:
    return Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize(
    ("switch", "value", "address", "code", "before", "after"),
    [
        ("unknown_company_status", 400, f"/companies({MISSING})/vendors", "Internal_CompanyNotFound", 404, 400),
        ("unknown_record_status", 400, f"vendors({MISSING})", "Internal_RecordNotFound", 404, 400),
        ("malformed_key_status", 400, "vendors(1)", "BadRequest_NotFound", 404, 400),
    ],
)
def test_a_status_that_is_not_established_can_be_another(
    probe: Probe, switch: str, value: Any, address: str, code: str, before: int, after: int
) -> None:
    assert error_of(probe.get(address)) == (before, code)
    setattr(probe.simulator.uncertainties, switch, value)
    assert error_of(probe.get(address)) == (after, code)


def test_a_dangling_dimension_keeps_its_status(probe: Probe) -> None:
    probe.simulator.uncertainties.unknown_record_status = 400
    probe.simulator.mark_dangling(US.id, US.orders[0].number)
    assert error_of(probe.get("purchaseOrders?$expand=dimensionSetLines")) == (404, "Internal_RecordNotFound")


@pytest.mark.parametrize(
    ("form", "content_type"), [("html", "text/html"), ("empty", None), ("json", "application/json")]
)
def test_an_unknown_environment_has_several_faces(probe: Probe, form: Any, content_type: str | None) -> None:
    probe.simulator.uncertainties.unknown_environment = form
    response = probe.get(f"{probe.simulator.base_url}/v2.0/Elsewhere/api/v2.0/companies")
    assert response.status_code == 404
    assert (response.headers.get("Content-Type") or "none").startswith(content_type or "none")
    assert bool(response.content) == (content_type is not None)


def test_missing_credentials_may_be_told_in_xml(probe: Probe) -> None:
    probe.simulator.uncertainties.unauthorized_as_xml = True
    response = probe.client.get(f"{probe.base}/companies", headers={"Authorization": ""})
    assert response.status_code == 401
    root = ElementTree.fromstring(response.text)  # noqa: S314 - our own document
    assert [each.text for each in root] == ["Unauthorized", "The credentials provided are incorrect"]


def test_the_code_of_a_403_and_the_form_of_a_permission_error_vary(probe: Probe) -> None:
    probe.simulator.unreadable |= {"vendors", "purchaseOrders"}
    uncertainties = probe.simulator.uncertainties
    uncertainties.permission_status = 403
    uncertainties.permission_code = "Application_DialogException"
    assert error_of(probe.get("vendors")) == (403, "Application_DialogException")
    assert error_of(probe.get("purchaseOrders")) == (403, "Application_DialogException")
    probe.simulator.forbidden = True
    uncertainties.authorization_code = "Authorization_RequestDenied"
    assert error_of(probe.get("accounts")) == (403, "Authorization_RequestDenied")


def test_the_context_may_name_the_selection(probe: Probe) -> None:
    address = "vendors?$select=number,displayName&$top=1"
    assert probe.get(address).json()["@odata.context"].endswith("/vendors")
    probe.simulator.uncertainties.context_names_selection = True
    assert probe.get(address).json()["@odata.context"].endswith("/vendors(number,displayName)")
    assert probe.get("vendors?$top=1").json()["@odata.context"].endswith("/vendors")


def test_an_unchanged_record_may_be_answered_304(probe: Probe) -> None:
    etag = probe.get(f"vendors({VENDOR})").json()["@odata.etag"]
    assert probe.get(f"vendors({VENDOR})", If_None_Match=etag).status_code == 200
    probe.simulator.uncertainties.answers_not_modified = True
    response = probe.get(f"vendors({VENDOR})", If_None_Match=etag)
    assert (response.status_code, response.content) == (304, b"")
    probe.simulator.edit_header(US.id, VENDOR, entity="vendors", city="Elsewhere")
    assert probe.get(f"vendors({VENDOR})", If_None_Match=etag).status_code == 200


def test_plain_enum_words_may_be_accepted(probe: Probe) -> None:
    text = "purchaseOrders?$filter=status eq 'In Review'"
    memo = f"defaultDimensions({probe.rows(f'vendors({VENDOR})/defaultDimensions')[0]['id']})"
    body = {"postingValidation": "Same Code"}
    assert probe.get(text).status_code == 400
    assert probe.send("PATCH", memo, body, If_Match="*").status_code == 400
    probe.simulator.uncertainties.plain_enum_words = True
    assert probe.rows(text) == probe.rows("purchaseOrders?$filter=status eq 'In_x0020_Review'")
    changed = probe.send("PATCH", memo, body, If_Match="*")
    assert changed.json()["postingValidation"] == "Same_x0020_Code"


def test_a_large_top_may_end_with_the_page(probe: Probe) -> None:
    address = "vendors?$top=5"
    assert "@odata.nextLink" in probe.get(address, Prefer="odata.maxpagesize=3").json()
    probe.simulator.uncertainties.large_top_continues = False
    page = probe.get(address, Prefer="odata.maxpagesize=3").json()
    assert (len(page["value"]), "@odata.nextLink" in page) == (3, False)
    assert "@odata.nextLink" in probe.get("vendors", Prefer="odata.maxpagesize=3").json()


def test_a_posted_id_may_be_ignored(probe: Probe) -> None:
    body = {"id": MISSING, "code": "SOUTH"}
    assert probe.send("POST", "locations", body).status_code == 400
    probe.simulator.uncertainties.posted_id_is_ignored = True
    created = probe.send("POST", "locations", body)
    assert created.status_code == 201
    assert created.json()["id"] != MISSING
    assert probe.send("PATCH", f"locations({created.json()['id']})", {"id": MISSING}, If_Match="*").status_code == 400


def test_a_deletion_may_need_a_token(probe: Probe) -> None:
    probe.simulator.uncertainties.delete_needs_token = True
    address = f"locations({US.tables['locations'][0]['id']})"
    assert error_of(probe.send("DELETE", address)) == (400, "BadRequest_InvalidToken")
    assert probe.send("DELETE", address, If_Match="*").status_code == 204


def test_a_record_created_without_content_may_not_say_where_it_is(probe: Probe) -> None:
    probe.simulator.uncertainties.new_records_header = False
    response = probe.send("POST", "locations", {"code": "SOUTH"}, Prefer="return-no-content")
    assert response.status_code == 204
    assert "Location" not in response.headers


def test_every_switch_is_tested_somewhere() -> None:
    files = Path(__file__).parent.glob("test_business_central_simulator*.py")
    tests = "".join(path.read_text("utf-8") for path in files)
    untested = {each.name for each in fields(Uncertainties) if each.name not in tests}
    assert not untested

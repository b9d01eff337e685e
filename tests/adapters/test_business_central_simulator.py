"""The Business Central simulator: addresses, tokens, shapes of answers and refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox import sample
from tests.sandbox.business_central import NO_ID, BusinessCentral, CompanyData
from tests.sandbox.business_central.encoding import datetime_text, decode_enum, encode_enum, number_text
from tests.sandbox.business_central.master_sets import ENTITY_SETS
from tests.sandbox.business_central.probe import Probe, Watch

CORRELATED = re.compile(r".+  CorrelationId:  [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.", re.DOTALL)
MISSING = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def companies() -> list[CompanyData]:
    return sample.companies()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def simulator(companies: list[CompanyData], watch: Watch) -> BusinessCentral:
    return BusinessCentral(
        companies, now=watch, client_secrets=("first-secret", "second-secret"), expired_secrets=("old-secret",)
    )


@pytest.fixture
def probe(simulator: BusinessCentral, companies: list[CompanyData]) -> Iterator[Probe]:
    probe = Probe(simulator, companies[0].id)
    yield probe
    probe.client.close()


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code, after checking the shape of the body."""
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["code", "message"]
    if body["error"]["code"] != "Unauthorized":
        assert CORRELATED.fullmatch(body["error"]["message"])
    assert response.headers["Content-Type"] == "application/json; odata.metadata=minimal"
    return response.status_code, body["error"]["code"]


# -- encodings


@pytest.mark.parametrize(
    ("word", "encoded"),
    [
        ("Draft", "Draft"),
        (" ", "_x0020_"),
        ("In Review", "In_x0020_Review"),
        ("Fixed Asset", "Fixed_x0020_Asset"),
        ("Begin-Total", "Begin_x002D_Total"),
        ("G/L Account", "G_x002F_L_x0020_Account"),
        ("Charge (Item)", "Charge_x0020__x0028_Item_x0029_"),
        ("Cost of Goods Sold", "Cost_x0020_of_x0020_Goods_x0020_Sold"),
        ("snake_case", "snake_case"),
        ("a_x0020_b", "a_x005F_x0020_b"),
    ],
)
def test_enum_members_are_encoded_as_xml_names(word: str, encoded: str) -> None:
    assert encode_enum(word) == encoded
    assert decode_enum(encoded) == word


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
def test_every_enum_word_survives_encoding_and_decoding(word: str) -> None:
    assert decode_enum(encode_enum(word)) == word


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(617, "10.617Z"), (620, "10.62Z"), (500, "10.5Z"), (0, "10Z"), (7, "10.007Z")]
)
def test_zeros_at_the_end_of_a_fraction_are_cut(milliseconds: int, text: str) -> None:
    stamp = datetime(2026, 1, 2, 3, 4, 10, milliseconds * 1000, tzinfo=UTC)
    assert datetime_text(stamp) == f"2026-01-02T03:04:{text}"


def test_a_blank_stamp_is_the_first_day_of_year_one() -> None:
    assert datetime_text(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("number", "text"),
    [("5066", "5066"), ("506.60", "506.6"), ("0.00", "0"), ("-0.0", "0"), ("1E+3", "1000"), ("0.00001", "0.00001")],
)
def test_numbers_are_exact_and_bare(number: str, text: str) -> None:
    assert number_text(Decimal(number)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**12), max_value=10**12))
def test_no_number_loses_a_digit(number: Decimal) -> None:
    text = number_text(number)
    assert Decimal(text) == number
    assert "E" not in text
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == number


# -- shapes


def test_companies_are_listed_without_etags(probe: Probe) -> None:
    body = probe.get("/companies").json()
    assert body["@odata.context"] == f"{probe.base}/$metadata#companies"
    assert {row["name"] for row in body["value"]} == {"CRONUS USA, Inc.", "CRONUS AG"}
    assert all("@odata.etag" not in row for row in body["value"])


@pytest.mark.parametrize(
    "entity", [name for name, each in ENTITY_SETS.items() if each.source in {"table", "documents"}]
)
def test_every_set_shows_its_properties_in_order_with_an_etag_before_them(probe: Probe, entity: str) -> None:
    body = probe.get(entity).json()
    assert body["@odata.context"].endswith(f"$metadata#companies({probe.company})/{entity}")
    expected = ["@odata.etag", *(prop.name for prop in ENTITY_SETS[entity].properties)]
    assert body["value"]
    assert all(list(row) == expected for row in body["value"])


def test_a_document_shows_the_raw_records_values(probe: Probe, companies: list[CompanyData]) -> None:
    for order in companies[0].orders[:40]:
        text = probe.get(f"purchaseOrders({order.id})?$expand=purchaseOrderLines").text
        shown = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        for name in ("totalAmountExcludingTax", "totalTaxAmount", "totalAmountIncludingTax", "discountAmount"):
            assert shown[name] == order.header[name]
        assert shown["orderDate"] == str(order.header["orderDate"])
        assert decode_enum(shown["status"]) == order.header["status"]
        assert [line["directUnitCost"] for line in shown["purchaseOrderLines"]] == [
            line.values["directUnitCost"] for line in order.lines
        ]


def test_blanks_are_null_ids_first_days_and_escaped_spaces(probe: Probe, companies: list[CompanyData]) -> None:
    document = next(each for each in companies[0].orders if each.lines[-1].values["lineType"] == "Comment")
    line = probe.get(f"purchaseOrders({document.id})/purchaseOrderLines").json()["value"][-1]
    assert line["locationId"] == NO_ID
    assert line["expectedReceiptDate"] == "0001-01-01"
    assert line["quantity"] == 0
    assert probe.get("vendors?$top=1").json()["value"][0]["blocked"] == "_x0020_"


def test_a_local_currency_has_a_code_but_a_null_id(probe: Probe) -> None:
    orders = probe.rows("purchaseOrders?$select=currencyId,currencyCode")
    local = [row for row in orders if row["currencyId"] == NO_ID]
    assert local
    assert {row["currencyCode"] for row in local} == {"USD"}


def test_a_single_record_is_shown_with_its_own_context(probe: Probe) -> None:
    vendor = probe.rows("vendors?$filter=number eq '20000'")[0]
    body = probe.get(f"vendors({vendor['id']})").json()
    assert body.pop("@odata.context").endswith(f"#companies({probe.company})/vendors/$entity")
    assert body == vendor


def test_a_contained_collection_names_its_parent_in_the_context(probe: Probe, companies: list[CompanyData]) -> None:
    order = companies[0].orders[0]
    body = probe.get(f"purchaseOrders({order.id})/purchaseOrderLines").json()
    assert body["@odata.context"].endswith(f"/purchaseOrders({order.id})/purchaseOrderLines")
    assert len(body["value"]) == len(order.lines)


def test_contained_records_are_reached_through_their_parents(probe: Probe, companies: list[CompanyData]) -> None:
    order = companies[0].orders[0]
    line = order.lines[0]
    way = f"purchaseOrders({order.id})/purchaseOrderLines({line.values['id']})"
    assert probe.get(way).json()["sequence"] == 10000
    codes = [row["code"] for row in probe.get(f"{way}/dimensionSetLines").json()["value"]]
    assert codes == sorted(line.dimensions)
    dimension = probe.rows("dimensions?$filter=code eq 'DEPARTMENT'")[0]
    values = probe.rows(f"dimensions({dimension['id']})/dimensionValues")
    assert {"ADM", "SALES", "WORKSHOP"} <= {row["code"] for row in values}


def test_etags_have_the_live_format_and_change_with_the_record(probe: Probe, companies: list[CompanyData]) -> None:
    order = companies[0].orders[0]
    before = probe.get(f"purchaseOrders({order.id})").json()["@odata.etag"]
    assert re.fullmatch(r'W/"[A-Za-z0-9+/=]{40}"', before)
    assert probe.get(f"purchaseOrders({order.id})").json()["@odata.etag"] == before
    probe.simulator.edit_header(probe.company, order.number, purchaser="RB")
    assert probe.get(f"purchaseOrders({order.id})").json()["@odata.etag"] != before


def test_answers_carry_the_services_headers(probe: Probe) -> None:
    headers = probe.get("vendors").headers
    assert headers["Content-Type"] == "application/json; odata.metadata=minimal; odata.streaming=true"
    assert headers["OData-Version"] == "4.0"
    assert headers["Date"] == "Mon, 05 Jan 2026 09:00:00 GMT"
    assert "Preference-Applied" not in headers
    assert headers["Request-Id"] != probe.get("vendors").headers["Request-Id"]


@pytest.mark.parametrize("tenant", ["", "6f1b2a3c-4d5e-4f60-8a7b-9c0d1e2f3a4b/", "cronus.onmicrosoft.com/"])
def test_the_tenant_may_stand_in_the_address_or_not(probe: Probe, tenant: str) -> None:
    assert probe.get(f"{probe.simulator.base_url}/v2.0/{tenant}Production/api/v2.0/companies").status_code == 200


def test_the_company_may_be_a_parameter_by_id_or_name(probe: Probe) -> None:
    in_path = probe.get("vendors").json()["value"]
    assert probe.get(f"/vendors?company={probe.company}").json()["value"] == in_path
    assert probe.get("/vendors?company=CRONUS%20USA%2C%20Inc.").json()["value"] == in_path
    assert probe.get("/vendors?company=CRONUS+AG").json()["value"] != in_path


def test_the_service_document_lists_the_sets(probe: Probe) -> None:
    assert {row["name"] for row in probe.get("/").json()["value"]} == set(ENTITY_SETS)


# -- refusals


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        (f"/companies({MISSING})/vendors", 404, "Internal_CompanyNotFound"),
        ("/vendors", 404, "Internal_CompanyNotFound"),
        ("/vendors?company=cronus%20ag", 404, "Internal_CompanyNotFound"),
        ("payrollAdvances", 404, "BadRequest_ResourceNotFound"),
        (f"vendors({MISSING})", 404, "Internal_RecordNotFound"),
        (f"purchaseOrders({MISSING})/purchaseOrderLines", 404, "Internal_RecordNotFound"),
        ("vendors(20000)", 404, "BadRequest_NotFound"),
        ("purchaseOrderLines", 400, "Application_DialogException"),
        ("purchaseInvoiceLines?$filter=quantity gt 1", 400, "Application_DialogException"),
        (
            f"purchaseOrderLines?$filter=documentId eq {MISSING} or documentId eq {MISSING}",
            400,
            "Application_DialogException",
        ),
        ("dimensionSetLines", 400, "Application_DialogException"),
    ],
)
def test_what_is_not_there_is_refused_in_the_services_words(probe: Probe, address: str, status: int, code: str) -> None:
    assert error_of(probe.get(address)) == (status, code)


def test_an_unknown_segment_is_named(probe: Probe) -> None:
    message = probe.get("payrollAdvances").json()["error"]["message"]
    assert message.startswith("Resource not found for the segment 'payrollAdvances'.  CorrelationId:  ")


def test_an_unknown_environment_is_no_odata_answer(probe: Probe) -> None:
    response = probe.get(f"{probe.simulator.base_url}/v2.0/Elsewhere/api/v2.0/companies")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("entity", [name for name, each in ENTITY_SETS.items() if not each.writable])
def test_read_only_sets_allow_no_other_verb(probe: Probe, entity: str, method: str) -> None:
    address = "/companies" if entity == "companies" else entity
    response = probe.send(method, address, {})
    assert error_of(response) == (405, "BadRequest_MethodNotAllowed")
    assert response.json()["error"]["message"].startswith(
        f"'{method}' requests for '{entity}' of EdmType 'Entity' are not allowed within Microsoft Dynamics NAV OData web "
        "services.  "
    )


# -- tokens


def test_a_token_is_a_bearer_for_an_hour(probe: Probe) -> None:
    body = probe.token()
    assert {name: body[name] for name in ("token_type", "expires_in", "ext_expires_in")} == {
        "token_type": "Bearer",
        "expires_in": 3599,
        "ext_expires_in": 3599,
    }
    assert "refresh_token" not in body


def test_two_secrets_may_be_valid_at_once(probe: Probe) -> None:
    assert probe.token_response(client_secret="second-secret").status_code == 200
    probe.simulator.tokens.secrets.remove("first-secret")
    assert probe.token_response(client_secret="first-secret").status_code == 401
    assert probe.token_response(client_secret="second-secret").status_code == 200


@pytest.mark.parametrize(
    ("path", "form", "status", "error", "number"),
    [
        ("", {"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ("", {"client_secret": "old-secret"}, 401, "invalid_client", 7000222),
        ("", {"client_id": MISSING}, 400, "unauthorized_client", 700016),
        ("/nowhere.example/oauth2/v2.0/token", {}, 400, "invalid_request", 90002),
        ("/common/oauth2/v2.0/token", {}, 400, "invalid_request", 90002),
        ("", {"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope", 70011),
        ("", {"scope": "https://api.businesscentral.dynamics.com/user"}, 400, "invalid_scope", 1002012),
        ("", {"grant_type": "refresh_token", "refresh_token": "stale"}, 400, "invalid_grant", 700082),
        ("", {"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
def test_token_requests_fail_with_the_platforms_errors(
    probe: Probe, path: str, form: dict[str, str], status: int, error: str, number: int
) -> None:
    response = probe.token_response(path, **form)
    body = response.json()
    assert (response.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert "\r\nTrace ID: " in body["error_description"]
    assert body["timestamp"] == "2026-01-05 09:00:00Z"
    assert body["error_uri"].endswith(f"?code={number}")


def test_the_older_endpoint_tells_seconds_as_text(probe: Probe) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "refresh-token"}
    body = probe.token("/common/oauth2/token", **form)
    assert body["expires_in"] == "3599"
    assert body["refresh_token"] == "refresh-token"


def test_a_token_expires_by_the_simulators_clock(probe: Probe, watch: Watch) -> None:
    watch.forward(3598)
    assert probe.get("vendors").status_code == 200
    watch.forward(1)
    assert error_of(probe.get("vendors")) == (401, "Authentication_InvalidCredentials")


def test_a_revoked_token_is_refused_and_a_new_one_works(probe: Probe) -> None:
    probe.simulator.tokens.revoke()
    assert error_of(probe.get("vendors")) == (401, "Authentication_InvalidCredentials")
    probe.client.headers["Authorization"] = f"Bearer {probe.token()['access_token']}"
    assert probe.get("vendors").status_code == 200


@pytest.mark.parametrize("token", ["x", "a.b.c", "é.ü.ö"])
def test_a_forged_token_is_refused(probe: Probe, token: str) -> None:
    response = probe.client.get(f"{probe.base}/companies", headers=[(b"Authorization", f"Bearer {token}".encode())])
    assert error_of(response) == (401, "Authentication_InvalidCredentials")


@pytest.mark.parametrize("header", ["", "Basic dXNlcjpwYXNz", "Bearer", "Bearer "])
def test_a_request_without_a_token_is_unauthorized(probe: Probe, header: str) -> None:
    response = probe.client.get(f"{probe.base}/companies", headers={"Authorization": header})
    assert error_of(response) == (401, "Unauthorized")
    assert response.json()["error"]["message"] == "The credentials provided are incorrect"


def test_a_disabled_application_and_missing_rights_are_refused(probe: Probe) -> None:
    probe.simulator.forbidden = True
    status, code = error_of(probe.get("vendors"))
    assert status == 403
    assert code.startswith("Authorization_")
    probe.simulator.app_enabled = False
    assert error_of(probe.get("vendors")) == (401, "Authentication_InvalidCredentials")


def test_an_unreadable_set_is_refused_by_the_application(probe: Probe) -> None:
    probe.simulator.unreadable |= {"purchaseOrders", "vendors"}
    response = probe.get("purchaseOrders")
    assert error_of(response) == (400, "Application_DialogException")
    assert response.json()["error"]["message"].startswith("You do not have permissions to read Purchase Orders.")
    response = probe.get("vendors")
    assert error_of(response) == (400, "Internal_ServerError")
    assert "current permissions prevented the action" in response.json()["error"]["message"]
    assert probe.get("accounts").status_code == 200

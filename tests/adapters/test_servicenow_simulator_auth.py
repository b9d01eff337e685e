"""Credentials, tokens, roles and access rules of the ServiceNow stand-in."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import httpx
import pytest

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
from tests.sandbox.servicenow.access import rule
from tests.sandbox.wire import Exchange, InProcess

CLIENT_GRANT = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
PASSWORD_GRANT = CLIENT_GRANT | {
    "grant_type": "password",
    "username": CONNECTOR_USER,
    "password": CONNECTOR_PASSWORD,
}
DENIED = {"error_description": "access_denied", "error": "server_error"}
UNAUTHENTICATED = {
    "error": {"message": "User is not authenticated", "detail": "Required to provide Auth information"},
    "status": "failure",
}
COST_CENTERS = "/api/now/table/cmn_cost_center"
ORDERS = "/api/now/import/sn_fcms_intg_imp_order"


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> ServiceNow:
    return ServiceNow(now=clock, seed=sample.SEED)


@pytest.fixture
def client(simulator: ServiceNow) -> httpx.Client:
    return httpx.Client(transport=InProcess(Exchange(simulator.handle)), base_url="https://example.service-now.com")


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


CONNECTOR = basic(CONNECTOR_USER, CONNECTOR_PASSWORD)
ADMIN = basic(ADMIN_USER, ADMIN_PASSWORD)


def token(client: httpx.Client, grant: dict[str, str]) -> dict[str, object]:
    answer = client.post("/oauth_token.do", data=grant)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("connector", "wrong"),
        basic("nobody", "x"),
        basic("connector", ""),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "Digest x"},
    ],
)
def test_missing_or_wrong_credentials_are_a_401(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.get(COST_CENTERS, headers=headers)
    assert (answer.status_code, answer.json()) == (401, UNAUTHENTICATED)
    assert answer.headers["WWW-Authenticate"] == 'BASIC realm="Service-now"'
    assert answer.headers["X-Is-Logged-In"] == "false"


def test_a_locked_or_inactive_user_is_a_401(client: httpx.Client, simulator: ServiceNow) -> None:
    assert client.get(COST_CENTERS, headers=CONNECTOR).status_code == 200
    (user,) = simulator.tables.find("sys_user", {"user_name": CONNECTOR_USER})
    simulator.tables.update("sys_user", user["sys_id"], {"locked_out": "true"})
    assert client.get(COST_CENTERS, headers=CONNECTOR).status_code == 401
    simulator.tables.update("sys_user", user["sys_id"], {"locked_out": "false", "active": "false"})
    assert client.get(COST_CENTERS, headers=CONNECTOR).status_code == 401


def test_basic_credentials_can_be_restricted_to_a_role(client: httpx.Client, simulator: ServiceNow) -> None:
    simulator.properties.set("glide.authenticate.basic_auth.restriction.enforce", "true")
    assert client.get(COST_CENTERS, headers=CONNECTOR).status_code == 401
    bearer = {"Authorization": f"Bearer {token(client, CLIENT_GRANT)['access_token']}"}
    assert client.get(COST_CENTERS, headers=bearer).status_code == 200
    simulator.access.grant(CONNECTOR_USER, "snc_basic_auth_api_access")
    assert client.get(COST_CENTERS, headers=CONNECTOR).status_code == 200


def test_client_credentials_run_as_the_application_user(client: httpx.Client) -> None:
    body = token(client, CLIENT_GRANT)
    assert {name: body[name] for name in ("scope", "token_type", "expires_in")} == {
        "scope": "useraccount",
        "token_type": "Bearer",
        "expires_in": 1799,
    }
    assert "refresh_token" not in body
    path = "/api/now/table/sys_user?sysparm_query=user_name=javascript:gs.getUserName()&sysparm_fields=user_name"
    answer = client.get(path, headers={"Authorization": f"Bearer {body['access_token']}"})
    assert answer.json() == {"result": [{"user_name": CONNECTOR_USER}]}


def test_the_same_token_comes_back_with_less_time_until_it_expires(client: httpx.Client, clock: Clock) -> None:
    first = token(client, CLIENT_GRANT)
    clock.pass_by(1000)
    second = token(client, CLIENT_GRANT)
    assert (second["access_token"], second["expires_in"]) == (first["access_token"], 799)
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    clock.pass_by(798)
    assert client.get(COST_CENTERS, headers=headers).status_code == 200
    clock.pass_by(1)
    expired = client.get(COST_CENTERS, headers=headers)
    assert (expired.status_code, expired.json()) == (401, UNAUTHENTICATED)
    third = token(client, CLIENT_GRANT)
    assert third["access_token"] != first["access_token"]
    assert third["expires_in"] == 1799


def test_a_password_token_is_renewed_with_its_refresh_token_for_a_hundred_days(
    client: httpx.Client, clock: Clock
) -> None:
    first = token(client, PASSWORD_GRANT)
    clock.pass_by(99 * 86_400)
    refresh = CLIENT_GRANT | {"grant_type": "refresh_token", "refresh_token": str(first["refresh_token"])}
    renewed = token(client, refresh)
    assert renewed["access_token"] != first["access_token"]
    assert renewed["refresh_token"] == first["refresh_token"]
    clock.pass_by(2 * 86_400)
    assert client.post("/oauth_token.do", data=refresh).json() == DENIED


def test_the_client_may_name_itself_in_a_basic_header(client: httpx.Client) -> None:
    grant = {"grant_type": "client_credentials"}
    answer = client.post("/oauth_token.do", data=grant, headers=basic(CLIENT_ID, CLIENT_SECRET))
    assert answer.json()["expires_in"] == 1799


@pytest.mark.parametrize(
    ("grant", "body"),
    [
        (CLIENT_GRANT | {"client_secret": "wrong"}, DENIED),
        (CLIENT_GRANT | {"client_id": "unknown"}, {"error_description": "access_denied", "error": "invalid_client"}),
        (CLIENT_GRANT | {"grant_type": "device_code"}, DENIED),
        (PASSWORD_GRANT | {"password": "wrong"}, DENIED),
        (PASSWORD_GRANT | {"username": "nobody"}, DENIED),
        (CLIENT_GRANT | {"grant_type": "refresh_token", "refresh_token": "unknown"}, DENIED),
    ],
)
def test_a_token_request_with_a_fault_is_refused(client: httpx.Client, grant: dict[str, str], body: object) -> None:
    answer = client.post("/oauth_token.do", data=grant)
    assert (answer.status_code, answer.json()) == (401, body)


@pytest.mark.parametrize("value", ["false", ""])
def test_client_credentials_need_the_property(client: httpx.Client, simulator: ServiceNow, value: str) -> None:
    simulator.properties.set("glide.oauth.inbound.client.credential.grant_type.enabled", value)
    answer = client.post("/oauth_token.do", data=CLIENT_GRANT)
    assert (answer.status_code, answer.json()) == (401, DENIED)
    assert client.post("/oauth_token.do", data=PASSWORD_GRANT).status_code == 200


def test_client_credentials_need_an_application_user(client: httpx.Client, simulator: ServiceNow) -> None:
    (entity,) = simulator.tables.find("oauth_entity", {"client_id": CLIENT_ID})
    simulator.tables.update("oauth_entity", entity["sys_id"], {"user": ""})
    answer = client.post("/oauth_token.do", data=CLIENT_GRANT)
    assert answer.status_code == 401
    assert answer.json()["error"] == "unauthorized_client"
    assert "integration user is not configured" in answer.json()["error_description"]


def test_the_password_grant_can_be_switched_off(client: httpx.Client, simulator: ServiceNow) -> None:
    simulator.properties.set("glide.oauth.inbound.ropc.grant_type.disabled", "true")
    assert client.post("/oauth_token.do", data=PASSWORD_GRANT).json() == DENIED


def test_token_parameters_in_the_address_count_only_where_the_property_allows(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    assert client.post("/oauth_token.do", params=CLIENT_GRANT).status_code == 401
    simulator.properties.set("glide.oauth.allow.parameters.in.post.body.only", "false")
    assert client.post("/oauth_token.do", params=CLIENT_GRANT).status_code == 200


def test_revoked_tokens_are_no_longer_accepted(client: httpx.Client, simulator: ServiceNow) -> None:
    headers = {"Authorization": f"Bearer {token(client, CLIENT_GRANT)['access_token']}"}
    simulator.credentials.revoke_tokens()
    assert client.get(COST_CENTERS, headers=headers).status_code == 401


def test_the_callers_roles_are_readable_inherited_ones_included(client: httpx.Client) -> None:
    path = "/api/now/table/sys_user_has_role?sysparm_query=user=javascript:gs.getUserID()&sysparm_fields=role.name,inherited"
    found = {(row["role.name"], row["inherited"]) for row in client.get(path, headers=CONNECTOR).json()["result"]}
    assert found == {
        ("snc_internal", "false"),
        ("sn_fcms_intg.integration_user", "false"),
        ("import_transformer", "false"),
        ("sn_spend_intg.procurement_integrator", "false"),
        ("sn_shop.procurement_common_reader", "false"),
        ("sn_fin.procurement_user", "true"),
    }


def test_an_import_without_the_import_role_is_a_201_with_an_empty_result(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    simulator.access.revoke(CONNECTOR_USER, "import_transformer")
    answer = client.post(ORDERS, json=sample.order("PO-1"), headers=CONNECTOR)
    assert (answer.status_code, answer.json()["result"]) == (201, [])
    assert simulator.tables.inserts["sn_shop_purchase_order"] == 0
    assert [row["sys_import_state"] for row in simulator.tables.rows("sn_fcms_intg_imp_order")] == ["pending"]


def test_an_import_without_rights_on_the_staging_table_is_a_403(client: httpx.Client, simulator: ServiceNow) -> None:
    simulator.access.revoke(CONNECTOR_USER, "sn_fcms_intg.integration_user")
    answer = client.post(ORDERS, json=sample.order("PO-1"), headers=CONNECTOR)
    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "message": "Operation Failed",
        "detail": "ACL Exception Insert Failed due to security constraints",
    }
    assert simulator.tables.rows("sn_fcms_intg_imp_order") == []


def test_reading_without_the_role_is_an_empty_list_that_still_counts(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    simulator.access.revoke(CONNECTOR_USER, "sn_fin.procurement_user")
    answer = client.get("/api/now/table/sn_fin_supplier", headers=CONNECTOR)
    assert (answer.status_code, answer.json(), answer.headers["X-Total-Count"]) == (200, {"result": []}, "3")
    sys_id = simulator.tables.rows("sn_fin_supplier")[0]["sys_id"]
    hidden = client.get(f"/api/now/table/sn_fin_supplier/{sys_id}", headers=CONNECTOR)
    assert (hidden.status_code, hidden.json()["error"]["message"]) == (404, "No Record found")


def test_a_user_without_snc_internal_sees_and_writes_nothing(client: httpx.Client, simulator: ServiceNow) -> None:
    simulator.access.revoke(CONNECTOR_USER, "snc_internal")
    assert client.get(COST_CENTERS, headers=CONNECTOR).json() == {"result": []}
    assert client.post(ORDERS, json=sample.order("PO-1"), headers=CONNECTOR).status_code == 403


def test_rows_hidden_by_a_rule_are_taken_out_after_the_page_was_cut(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    simulator.access.add(rule("cmn_cost_center", ["read"], ["snc_internal"], condition="code!=ALL"))
    path = f"{COST_CENTERS}?sysparm_query=ORDERBYaccount_number&sysparm_fields=code&sysparm_limit=2"
    answer = client.get(path, headers=CONNECTOR)
    assert (answer.json()["result"], answer.headers["X-Total-Count"]) == ([{"code": "SALES"}], "3")
    assert len(client.get(path, headers=ADMIN).json()["result"]) == 2


def test_a_column_hidden_by_a_rule_is_missing_and_cannot_be_written(
    client: httpx.Client, simulator: ServiceNow
) -> None:
    simulator.access.add(rule("cmn_cost_center", ["read", "write"], [], column="code"))
    simulator.access.add(rule("cmn_cost_center", ["write"], ["snc_internal"]))
    sys_id = simulator.tables.rows("cmn_cost_center")[0]["sys_id"]
    assert client.get(f"{COST_CENTERS}/{sys_id}?sysparm_fields=code,name", headers=CONNECTOR).json() == {
        "result": {"name": "Company"}
    }
    path = f"{COST_CENTERS}/{sys_id}?sysparm_fields=name"
    assert client.patch(path, json={"code": "X", "name": "New"}, headers=CONNECTOR).json() == {
        "result": {"name": "New"}
    }
    assert simulator.tables.rows("cmn_cost_center")[0]["code"] == "ALL"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_read_only_user_cannot_write_targets(client: httpx.Client, simulator: ServiceNow, method: str) -> None:
    sys_id = simulator.tables.insert("sn_shop_purchase_order", {"erp_number": "PO-1"})
    path = "/api/now/table/sn_shop_purchase_order" + ("" if method == "POST" else f"/{sys_id}")
    before = simulator.writes()
    answer = client.request(method, path, json=None if method == "DELETE" else {"status": "x"}, headers=CONNECTOR)
    word = {"POST": "Insert", "PATCH": "Update", "DELETE": "Delete"}[method]
    assert answer.status_code == 403
    assert answer.json()["error"]["detail"] == f"ACL Exception {word} Failed due to security constraints"
    assert simulator.writes() == before


def test_passwords_and_secrets_never_leave_the_instance(client: httpx.Client) -> None:
    users = client.get("/api/now/table/sys_user", headers=ADMIN)
    clients = client.get("/api/now/table/oauth_entity", headers=ADMIN)
    assert {row["user_password"] for row in users.json()["result"]} == {""}
    assert [row["client_secret"] for row in clients.json()["result"]] == [""]

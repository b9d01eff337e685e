"""Who may reach what on the ServiceNow stand-in, after the vendor's pages on REST security, roles, API keys and OAuth."""

from __future__ import annotations

import httpx
import pytest

from tests.adapters.servicenow_bench import BASE, CENTERS, ORDERS, Bench, basic, error
from tests.sandbox.servicenow import ADMIN_USER, CLIENT_ID, CONNECTOR_USER, sample
from tests.sandbox.servicenow.access import rule
from tests.sandbox.wire import InProcess

LEVEL = (403, "User Not Authorized", "Failed API level ACL Validation")
KEY = {"x-sn-apikey": "secret-key", "Authorization": ""}


@pytest.fixture
def bench() -> Bench:
    return Bench()


# Table API page: sysparm_limit is applied before access rules filter; the count is not reduced.


def test_hidden_rows_shorten_a_page_and_leave_the_total(bench: Bench) -> None:
    bench.access.add(rule("cmn_cost_center", ("read",), ("snc_internal",), condition="code!=ALL"))
    short = bench.get(f"{CENTERS}?sysparm_limit=2&sysparm_query=ORDERBYcode&sysparm_fields=code")
    empty = bench.get(f"{CENTERS}?sysparm_limit=1&sysparm_query=ORDERBYcode&sysparm_fields=code")
    assert short.json()["result"] == [{"code": "PROD"}]
    assert empty.json()["result"] == []
    assert {short.headers["X-Total-Count"], empty.headers["X-Total-Count"]} == {"3"}
    assert 'rel="next"' in empty.headers["Link"]


# Table API page: fields without read access are absent, fields without write access are ignored.


def test_a_column_rule_strips_the_field_on_read_and_drops_it_silently_on_write(bench: Bench) -> None:
    bench.access.add(rule("cmn_cost_center", ("create", "write"), ("snc_internal",)))
    bench.access.add(rule("cmn_cost_center", ("read",), ("admin",), column="account_number"))
    bench.access.add(rule("cmn_cost_center", ("write",), ("admin",), column="code"))
    created = bench.post(CENTERS, {"name": "New", "code": "N", "account_number": "CC-9"})
    assert created.status_code == 201
    result = created.json()["result"]
    assert (result["name"], result["code"], "account_number" in result) == ("New", "", False)
    (row,) = bench.tables.find("cmn_cost_center", {"name": "New"})
    assert (row["code"], row["account_number"]) == ("", "CC-9")


# Knowledge article on missing role names: an unreadable role table shows as an empty column.


def test_an_unreadable_role_table_leaves_the_role_column_empty(bench: Bench) -> None:
    path = "/api/now/table/sys_user_has_role?sysparm_query=user=javascript:gs.getUserID()&sysparm_fields=role,role.name,state"
    readable = bench.get(path).json()["result"]
    bench.access.add(rule("sys_user_role", ("read",), ("admin",)))
    blank = bench.get(path).json()["result"]
    assert all(row["role.name"] and row["role"]["value"] for row in readable)
    assert blank == [{"role": "", "role.name": "", "state": "active"}] * len(readable)
    bench.switches.blank_unreadable_references = False
    assert bench.get(path).json()["result"] == readable


def test_contained_roles_are_rows_of_their_own_that_name_their_container(bench: Bench) -> None:
    path = (
        "/api/now/table/sys_user_has_role?sysparm_query=user.user_name=connector^inherited=true"
        "&sysparm_fields=role.name,included_in_role.name"
    )
    assert bench.get(path).json()["result"] == [
        {"role.name": "sn_fin.procurement_user", "included_in_role.name": "sn_shop.procurement_common_reader"}
    ]
    contains = bench.get("/api/now/table/sys_user_role_contains?role.name=import_admin&sysparm_fields=contains.name")
    assert {row["contains.name"] for row in contains.json()["result"]} == {
        "import_set_loader",
        "import_transformer",
        "import_scheduler",
    }


# User Role Inheritance API page.


def test_the_role_inheritance_endpoint_shows_the_path_of_each_role(bench: Bench) -> None:
    (user,) = bench.tables.find("sys_user", {"user_name": CONNECTOR_USER})
    path = f"/api/global/user_role_inheritance?user_sysid={user['sys_id']}"
    assert bench.get(path).status_code == 403
    bench.access.grant(CONNECTOR_USER, "user_admin")
    result = bench.get(path).json()["result"]
    assert (result["user_name"], result["from_group"]) == (CONNECTOR_USER, [])
    assert "/sn_shop.procurement_common_reader/sn_fin.procurement_user" in result["from_role"]
    assert "/snc_internal" in result["from_role"]
    assert bench.get("/api/global/user_role_inheritance?user_sysid=x").status_code == 404


# Explicit Roles plugin page; base system roles page (snc_read_only).


def test_without_the_explicit_roles_plugin_nobody_needs_an_internal_role(bench: Bench) -> None:
    bench.access.revoke(CONNECTOR_USER, "snc_internal")
    assert bench.get(CENTERS).json() == {"result": []}
    (plugin,) = bench.tables.find("v_plugin", {"id": "com.glide.explicit_roles"})
    bench.tables.update("v_plugin", plugin["sys_id"], {"active": "inactive"})
    assert len(bench.get(CENTERS).json()["result"]) == 3


def test_the_read_only_role_takes_away_every_write_and_no_read(bench: Bench) -> None:
    bench.access.grant(CONNECTOR_USER, "snc_read_only")
    assert len(bench.get(CENTERS).json()["result"]) == 3
    refused = bench.post(ORDERS, sample.order("PO-1"))
    assert error(refused)[0::2] == (403, "ACL Exception Insert Failed due to security constraints")


# REST API security page: endpoint rules are shipped inactive; properties and table flags close APIs and tables.


def test_active_endpoint_rules_ask_for_the_rest_role(bench: Bench) -> None:
    bench.switches.endpoint_acls = True
    assert error(bench.get(CENTERS)) == LEVEL
    assert error(bench.post(ORDERS, sample.order("PO-1"))) == LEVEL
    bench.access.grant(CONNECTOR_USER, "snc_platform_rest_api_access")
    assert bench.get(CENTERS).status_code == 200


@pytest.mark.parametrize("status", [400, 403])
def test_a_property_disables_whole_apis(bench: Bench, status: int) -> None:
    bench.switches.disabled_api_status = status
    bench.properties.set("glide.rest.apis.disabled", "Aggregate API, Table API")
    assert bench.get(CENTERS).status_code == status
    assert bench.post(ORDERS, sample.order("PO-1")).status_code == 201


def test_a_table_can_be_closed_to_web_services_even_for_administrators(bench: Bench) -> None:
    (table,) = bench.tables.find("sys_db_object", {"name": "cmn_cost_center"})
    bench.tables.update("sys_db_object", table["sys_id"], {"ws_access": "false"})
    assert error(bench.get(CENTERS, user=ADMIN_USER))[:2] == (403, "Operation Failed")
    assert bench.get("/api/now/table/cmn_department").status_code == 200


# OAuth: clients without the useraccount scope.


def test_a_client_without_the_account_scope_may_not_call_apis_without_a_scope(bench: Bench) -> None:
    (client,) = bench.tables.find("oauth_entity", {"client_id": CLIENT_ID})
    bench.tables.update("oauth_entity", client["sys_id"], {"auth_scope": "orders_read"})
    headers = {"Authorization": bench.token()}
    refused = bench.get(CENTERS, headers=headers)
    assert error(refused) == (403, "User Not Authorized", "Access to unscoped api is not allowed")
    assert bench.get(CENTERS).status_code == 200
    bench.properties.set("glide.security.oauth_allow_unscoped_clients", "true")
    assert bench.get(CENTERS, headers=headers).status_code == 200


# Basic authentication: restriction property, second factor, locked users, both spellings of the refusal.


def test_restricted_basic_credentials_also_pass_with_a_role_the_property_names(bench: Bench) -> None:
    bench.properties.set("glide.authenticate.basic_auth.restriction.enforce", "true")
    assert bench.get(CENTERS).status_code == 401
    bench.properties.set("glide.authenticate.basic_auth.allowed_roles", "import_transformer,itil")
    assert bench.get(CENTERS).status_code == 200


def test_a_demanded_second_factor_refuses_basic_and_not_bearer(bench: Bench) -> None:
    bench.switches.mfa_on_basic = True
    refused = bench.get(CENTERS)
    assert (refused.status_code, refused.headers["X-MFA_TOKEN"]) == (401, "invalid")
    assert bench.get(CENTERS, headers={"Authorization": bench.token()}).status_code == 200


def test_failed_logins_in_a_row_lock_the_user(bench: Bench) -> None:
    wrong = {"Authorization": basic(CONNECTOR_USER, "wrong")}
    for _ in range(4):
        assert bench.get(CENTERS, headers=wrong).status_code == 401
    assert bench.get(CENTERS).status_code == 200
    for _ in range(5):
        bench.get(CENTERS, headers=wrong)
    assert bench.get(CENTERS).status_code == 401
    (user,) = bench.tables.find("sys_user", {"user_name": CONNECTOR_USER})
    assert user["locked_out"] == "true"


def test_a_log_in_is_never_locked_when_the_switch_says_so(bench: Bench) -> None:
    bench.switches.failed_logins_until_lock = 0
    for _ in range(9):
        bench.get(CENTERS, headers={"Authorization": basic(CONNECTOR_USER, "wrong")})
    assert bench.get(CENTERS).status_code == 200


def test_the_refusal_comes_in_both_spellings(bench: Bench) -> None:
    bench.switches.unauthenticated_message = "User Not Authenticated"
    refused = bench.get(CENTERS, headers={"Authorization": ""})
    assert error(refused) == (401, "User Not Authenticated", "Required to provide Auth information")


# API key page: a key is bound to a user and opens what an access policy names.


def keyed(bench: Bench) -> None:
    (user,) = bench.tables.find("sys_user", {"user_name": CONNECTOR_USER})
    bench.tables.insert("api_key", {"name": "Connector", "token": "secret-key", "user": user["sys_id"]})


def test_an_api_key_needs_a_policy_for_the_api_and_its_method(bench: Bench) -> None:
    keyed(bench)
    assert bench.get(CENTERS, headers=KEY).status_code == 401
    bench.tables.insert("sys_api_access_policy", {"name": "Reading", "rest_api": "Table API", "method": "GET"})
    assert bench.get(CENTERS, headers=KEY).status_code == 200
    assert bench.get(f"{CENTERS}?x-sn-apikey=secret-key", headers={"Authorization": ""}).status_code == 200
    assert bench.post(ORDERS, sample.order("PO-1"), headers=KEY).status_code == 401
    assert bench.get(CENTERS, headers=KEY | {"x-sn-apikey": "SECRET-KEY"}).status_code == 401


def test_an_expired_key_or_an_inactive_plugin_is_a_401(bench: Bench) -> None:
    keyed(bench)
    bench.tables.insert("sys_api_access_policy", {"name": "All", "rest_api": "Table API"})
    (key,) = bench.tables.find("api_key", {"name": "Connector"})
    bench.tables.update("api_key", key["sys_id"], {"expires": "2026-05-04 08:00:01"})
    assert bench.get(CENTERS, headers=KEY).status_code == 200
    bench.pass_by(1)
    assert bench.get(CENTERS, headers=KEY).status_code == 401
    bench.tables.update("api_key", key["sys_id"], {"expires": ""})
    (plugin,) = bench.tables.find("v_plugin", {"id": "com.glide.tokenbased_auth"})
    bench.tables.update("v_plugin", plugin["sys_id"], {"active": "inactive"})
    assert bench.get(CENTERS, headers=KEY).status_code == 401


# Query access rules page: query_match and query_range; what the answer looks like is left open.


@pytest.mark.parametrize(("effect", "status", "rows"), [("empty", 200, 0), ("dropped", 200, 3), ("refused", 403, 0)])
@pytest.mark.parametrize("query", ["codeSTARTSWITHS", "code>A", "ORDERBYcode"])
def test_range_questions_about_a_column_can_be_blocked(
    bench: Bench, effect: str, status: int, rows: int, query: str
) -> None:
    bench.switches.query_acl_effect = effect
    bench.access.add(rule("cmn_cost_center", ("query_range",), ("admin",), column="code"))
    answer = bench.get(CENTERS, params={"sysparm_query": query})
    assert answer.status_code == status
    assert len(answer.json().get("result", [])) == rows
    assert len(bench.get(CENTERS, params={"sysparm_query": "code=SALES"}).json()["result"]) == 1
    assert bench.get(CENTERS, params={"sysparm_query": query}, user=ADMIN_USER).json()["result"]


def test_a_match_question_can_be_blocked_too_and_over_a_reference(bench: Bench) -> None:
    bench.access.add(rule("cmn_cost_center", ("query_match",), ("admin",), column="code"))
    for query in ("code=SALES", "codeINSALES,ALL", "parent.code=ALL"):
        assert bench.get(CENTERS, params={"sysparm_query": query}).json()["result"] == [], query
    assert bench.get(CENTERS, params={"sysparm_query": "codeSTARTSWITHS"}).json()["result"]


def test_batch_items_pass_the_same_gates_one_by_one(bench: Bench) -> None:
    bench.properties.set("glide.rest.apis.disabled", "Table API")
    item = {"id": "a", "method": "GET", "url": CENTERS, "headers": [{"name": "Accept", "value": "application/json"}]}
    with httpx.Client(transport=InProcess(bench.exchange), base_url=BASE) as client:
        answer = client.post(
            "/api/now/v1/batch",
            json={"batch_request_id": "1", "rest_requests": [item]},
            headers={"Authorization": basic(CONNECTOR_USER, "connector-password")},
        )
    assert answer.status_code == 200
    assert answer.json()["serviced_requests"][0]["status_code"] == 400

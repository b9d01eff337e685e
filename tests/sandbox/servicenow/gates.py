"""Checks before an API is reached: disabled APIs, endpoint access rules, OAuth scopes, tables closed to web services.

Source: the vendor's "REST API security" and "Available system properties" pages.
"""

from __future__ import annotations

from tests.sandbox.servicenow.answers import Refusal
from tests.sandbox.servicenow.apis import AGGREGATE, ATTACHMENT, IMPORT, TABLE, name_of, table_of
from tests.sandbox.servicenow.credentials import Caller
from tests.sandbox.servicenow.instance import Call
from tests.sandbox.servicenow.sessions import Session

GUARDED = frozenset({TABLE, AGGREGATE, IMPORT, ATTACHMENT})
REST_ROLE, AUTH_SCOPE = "snc_platform_rest_api_access", "useraccount"
UNSCOPED = "glide.security.oauth_allow_unscoped_clients"


def check(call: Call) -> None:
    """Refuses a call that must not reach its API; holds for the items of a batch as well."""
    instance, api = call.instance, name_of(call.url.path)
    disabled = {name.strip() for name in instance.properties.text("glide.rest.apis.disabled").split(",")} - {""}
    if disabled and api in disabled:
        detail = f"{api} is disabled"
        raise Refusal(instance.switches.disabled_api_status, "Requested URI does not represent any resource", detail)
    needs_role = instance.switches.endpoint_acls and api in GUARDED
    if needs_role and REST_ROLE not in call.user.roles and not call.user.is_admin:
        raise level_refused()
    table = table_of(call.url.path)
    if table and table in instance.store.schema:
        rows = instance.store.find("sys_db_object", {"name": table})
        if rows and rows[0]["ws_access"] == "false":
            detail = f"Web services may not access table {table}"
            raise Refusal(instance.switches.closed_table_status, "Operation Failed", detail)


def check_caller(call: Call, caller: Caller, session: Session) -> None:
    """Refuses what depends on how the caller came in: a client without scope, a session another node restored."""
    instance = call.instance
    unscoped = caller.client is not None and AUTH_SCOPE not in caller.client["auth_scope"].split()
    if unscoped and not instance.properties.on(UNSCOPED):
        raise Refusal(403, "User Not Authorized", "Access to unscoped api is not allowed")
    if instance.switches.forbidden_after_node_switch and session.restored and session.calls % 2 == 0:
        raise level_refused()


def level_refused() -> Refusal:
    """The endpoint's own access rule says no."""
    return Refusal(403, "User Not Authorized", "Failed API level ACL Validation")

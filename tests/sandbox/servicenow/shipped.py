"""What a fresh instance holds: applications, properties, roles, two users, one OAuth client, the shipped maps."""

from __future__ import annotations

from tests.sandbox.servicenow import transform_maps
from tests.sandbox.servicenow.access import ROLES, Access
from tests.sandbox.servicenow.dictionary import identity
from tests.sandbox.servicenow.source_to_pay_tables import APPLICATIONS
from tests.sandbox.servicenow.store import Store

CONNECTOR_USER, CONNECTOR_PASSWORD = "connector", "connector-password"
CLIENT_ID, CLIENT_SECRET = "connector-client", "connector-secret"
ADMIN_USER, ADMIN_PASSWORD = "admin", "admin-password"
CONNECTOR_ROLES = (
    "snc_internal",
    "sn_fcms_intg.integration_user",
    "import_transformer",
    "sn_spend_intg.procurement_integrator",
    "sn_shop.procurement_common_reader",
)
PLUGINS = {
    "com.glide.explicit_roles": "Explicit Roles",
    "com.glide.tokenbased_auth": "API Key and HMAC Authentication",
    "com.snc.procurement": "Procurement",
}
# The sys_id of the dynamic filter option "Me", the same on every instance.
ME = "90d1921e5f510100a9ad2572f2b477fe"
PROPERTIES = {
    "glide.oauth.inbound.client.credential.grant_type.enabled": "true",
    "glide.oauth.allow.parameters.in.post.body.only": "true",
}


def ship(store: Store, access: Access, *, licensed: bool = True) -> None:
    """Fills a fresh instance; `licensed` with the Source-to-Pay applications, else with the base Procurement plugin."""
    store.insert("sys_scope", {"sys_id": identity("sys_scope", "global"), "scope": "global", "name": "Global"})
    for plugin, name in PLUGINS.items():
        store.insert("v_plugin", {"id": plugin, "name": name, "active": "active"})
    for scope, name in APPLICATIONS if licensed else ():
        row = {"scope": scope, "name": name, "version": "9.0.1"}
        store.insert("sys_scope", {"sys_id": identity("sys_scope", scope), **row})
        store.insert("sys_store_app", row)
        store.insert("v_plugin", {"id": f"com.{scope}", "name": name, "active": "active"})
    for name, value in PROPERTIES.items():
        store.insert("sys_properties", {"name": name, "value": value})
    for role in ROLES:
        if licensed or not role.startswith("sn_"):
            store.insert("sys_user_role", {"name": role})
    for role, contained in ROLES.items():
        for inner in contained if licensed or not role.startswith("sn_") else ():
            store.insert("sys_user_role_contains", {"role": role, "contains": inner})
    store.insert("sys_filter_option_dynamic", {"sys_id": ME, "label": "Me", "script": "javascript:gs.getUserID()"})
    _user(store, access, ADMIN_USER, ADMIN_PASSWORD, ("admin",))
    roles = tuple(role for role in CONNECTOR_ROLES if licensed or not role.startswith("sn_"))
    connector = _user(store, access, CONNECTOR_USER, CONNECTOR_PASSWORD, roles)
    client = {"name": "Connector", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "user": connector}
    store.insert("oauth_entity", client)
    if licensed:
        transform_maps.ship(store)


def _user(store: Store, access: Access, name: str, password: str, roles: tuple[str, ...]) -> str:
    user = {"user_name": name, "name": name.capitalize(), "user_password": password}
    sys_id = store.insert("sys_user", user)
    for role in roles:
        access.grant(name, role)
    return sys_id

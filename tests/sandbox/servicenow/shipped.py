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
PROPERTIES = {
    "glide.oauth.inbound.client.credential.grant_type.enabled": "true",
    "glide.oauth.allow.parameters.in.post.body.only": "true",
}


def ship(store: Store, access: Access) -> None:
    """Fills a fresh instance."""
    store.insert("sys_scope", {"sys_id": identity("sys_scope", "global"), "scope": "global", "name": "Global"})
    for scope, name in APPLICATIONS:
        row = {"scope": scope, "name": name, "version": "9.0.1"}
        store.insert("sys_scope", {"sys_id": identity("sys_scope", scope), **row})
        store.insert("sys_store_app", row)
        store.insert("v_plugin", {"id": f"com.{scope}", "name": name, "active": "active"})
    for name, value in PROPERTIES.items():
        store.insert("sys_properties", {"name": name, "value": value})
    for role in ROLES:
        store.insert("sys_user_role", {"name": role})
    _user(store, access, ADMIN_USER, ADMIN_PASSWORD, ("admin",))
    connector = _user(store, access, CONNECTOR_USER, CONNECTOR_PASSWORD, CONNECTOR_ROLES)
    client = {"name": "Connector", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "user": connector}
    store.insert("oauth_entity", client)
    transform_maps.ship(store)


def _user(store: Store, access: Access, name: str, password: str, roles: tuple[str, ...]) -> str:
    user = {"user_name": name, "name": name.capitalize(), "user_password": password}
    sys_id = store.insert("sys_user", user)
    for role in roles:
        access.grant(name, role)
    return sys_id

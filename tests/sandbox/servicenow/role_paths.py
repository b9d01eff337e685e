"""User role inheritance API: from which role each of a user's roles comes. Source: the vendor's page of that name."""

from __future__ import annotations

import httpx

from tests.sandbox.servicenow.access import ROLES
from tests.sandbox.servicenow.answers import Refusal, json_answer, no_such_record
from tests.sandbox.servicenow.instance import Call


def read(call: Call) -> httpx.Response:
    """``GET /api/global/user_role_inheritance?user_sysid=``, for administrators of users."""
    if not call.user.roles & {"user_admin", "admin"}:
        raise Refusal(403, "User Not Authorized", "The role user_admin is required")
    store = call.instance.store
    user = store.get("sys_user", call.parameters.get("user_sysid", ""))
    if user is None:
        raise no_such_record()
    granted = [
        store.display("sys_user_role", row["role"])
        for row in store.find("sys_user_has_role", {"user": user["sys_id"], "inherited": "false"})
    ]
    paths = sorted(path for role in granted for path in _paths("", role))
    return json_answer(200, {"result": {"user_name": user["user_name"], "from_group": [], "from_role": paths}})


def _paths(above: str, role: str) -> list[str]:
    here = f"{above}/{role}"
    return [here, *(path for contained in ROLES.get(role, ()) for path in _paths(here, contained))]

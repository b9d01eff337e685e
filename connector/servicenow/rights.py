"""What the caller may do: roles, rate rules that bind, and the applications that are there at all."""

from __future__ import annotations

from collections.abc import Sequence

from connector.model.catalog import RateRule
from connector.servicenow.readings import Readings, flag, text, whole


def own_roles(readings: Readings) -> tuple[str, frozenset[str] | None]:
    """The caller's sys_id and roles, inherited ones too; None when they cannot be read."""
    reading = readings.read(
        "sys_user_has_role",
        "user=javascript:gs.getUserID()",
        "user,role.name,state",
        lambda row: bool(text(row, "user")),
    )
    users = {text(row, "user") for row in reading.rows}
    names = [text(row, "role.name") for row in reading.rows if text(row, "state") in ("active", "")]
    # No row at all is no proof, and nor are rows of several users: then the condition was dropped.
    if len(users) != 1 or not all(names) or not reading.complete:
        return "", None
    return users.pop(), frozenset(names)


def binding_rates(readings: Readings, user: str, roles: frozenset[str] | None) -> tuple[RateRule, ...] | None:
    """The rate rules that bind the caller; None when they cannot be read."""
    reading = readings.read(
        "sys_rate_limit_rules",
        "active=true",
        "rest_api,type,user,role.name,request_limit,active",
        lambda row: flag(row, "active") is not False,
    )
    if not reading.complete or any(whole(row, "request_limit") is None for row in reading.rows):
        return None
    binding = []
    for row in reading.rows:
        kind = text(row, "type")
        of_role = kind == "role" and text(row, "role.name") in (roles or ())
        if kind == "all" or of_role or (kind == "user" and user and text(row, "user") == user):
            binding.append(RateRule(api=text(row, "rest_api"), limit=whole(row, "request_limit") or 0))
    return tuple(sorted(binding, key=lambda rule: (rule.api, rule.limit)))


def installed_apps(readings: Readings, missing: Sequence[str]) -> frozenset[str] | None:
    """Which of the applications behind the missing tables are installed, by scope; None when that cannot be told."""
    reading = readings.read("sys_store_app", "scopeISNOTEMPTY", "scope,active", lambda row: bool(text(row, "scope")))
    if not reading.complete or not reading.rows:
        return None
    scopes = {text(row, "scope") for row in reading.rows if flag(row, "active") is not False}
    return frozenset(scope for scope in scopes if any(name.startswith(f"{scope}_") for name in missing))

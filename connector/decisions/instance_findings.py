"""Findings about an instance as a whole: applications, roles, rate rules, suppliers, and the attested metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.decisions.drift import differences, fingerprint
from connector.decisions.findings import Finding, fail, hint, ok, warn
from connector.model.catalog import Access, Attestation, Facts
from connector.model.profile import Profile
from connector.model.staging import StagingTable

ADMIN = "admin"
LEAST_RATE = 120
"""Calls an hour below which a backlog hardly drains: a batch, its look-ups and this check, for a unit every few minutes."""
API_OF_DOOR = {"batch": "Batch API", "insert_multiple": "Import Set API"}
"""How rate rules call the API behind a door. The AP Invoice API comes with a low rule of its own, which its door lives with."""


def about_applications(profile: Profile, facts: Facts) -> Iterator[Finding]:
    """Without the licensed applications one finding says so; single missing tables are told table by table."""
    bought = {name for name in _tables(profile) if name.startswith("sn_")}
    if bought and all(facts.table(name).exists is False for name in bought) and not facts.apps:
        yield fail(
            "S2P_NOT_INSTALLED",
            "",
            "none of the profile's Source-to-Pay tables exists, so the applications are not installed "
            f"({', '.join(sorted(bought))})",
            "Have the Source-to-Pay applications with the ERP Integration Framework installed, or use a profile for the base "
            "Procurement tables.",
        )


def about_roles(profile: Profile, facts: Facts) -> Iterator[Finding]:
    """Whether each group of roles is satisfied; where roles cannot be read, whether the tables look as if one were missing."""
    if facts.roles is None:
        closed = [name for name in _tables(profile) if facts.table(name).access == "closed"]
        if not closed:
            yield warn(
                "ROLES_UNKNOWN",
                "",
                "the user's roles cannot be read; the tables show no sign that one is missing",
                "Let the user read sys_user_has_role and sys_user_role, so that a missing role is named before a write.",
            )
        for name in closed:
            yield fail(
                "TABLE_CLOSED",
                name,
                "the user's roles cannot be read, and rows of this table are hidden from the user",
                f"Give the user one role of each of these groups: {_groups(profile.required_roles)}.",
            )
        return
    if ADMIN in facts.roles:
        yield warn(
            "ROLE_ADMIN",
            "",
            "the user is an administrator, who may change everything",
            f"Use a user with these roles alone: {_groups(profile.required_roles)}.",
        )
        return
    missing = [group for group in profile.required_roles if not facts.roles & set(group)]
    for group in missing:
        yield fail(
            "ROLE_MISSING",
            "",
            f"the user has none of the roles {' or '.join(group)}",
            f"Give the user the role {' or '.join(group)}.",
        )
    if not missing:
        yield ok("ROLES", "", f"{len(profile.required_roles)} groups of roles are satisfied")


def _groups(groups: Iterable[Iterable[str]]) -> str:
    return "; ".join(" or ".join(group) for group in groups)


def about_rates(profile: Profile, facts: Facts) -> Iterator[Finding]:
    """Rate rules that bind the user and leave too little."""
    used = {"", "Table API"} | {API_OF_DOOR.get(route.door, "") for route in profile.routes.values()}
    used |= {"Attachment API" for route in profile.routes.values() if route.files}
    for rule in facts.rates or ():
        if rule.api in used and rule.limit < LEAST_RATE:
            yield warn(
                "RATE_LOW",
                "",
                f"a rate rule allows {rule.limit} calls an hour to {rule.api or 'every API'}",
                f"Give the user a rate rule of its own with at least {LEAST_RATE} calls an hour.",
            )


def attachments_finding(access: Access) -> Finding:
    """Whether files that follow documents can be seen again, so that none is attached twice. `access`: to sys_attachment."""
    if access == "open":
        return ok("SN_ATTACHMENTS", "sys_attachment", "attachments can be read")
    what = "is closed to the user" if access == "closed" else "shows no row"
    return warn(
        "SN_ATTACHMENTS",
        "sys_attachment",
        f"the table of attachments {what}; no file is sent to a record whose attachments cannot all be seen",
        "Let the user read sys_attachment, and read and write the records that files are attached to.",
    )


def about_suppliers(profile: Profile, facts: Facts) -> Iterator[Finding]:
    """Whether suppliers can be found."""
    rules, known = profile.suppliers, facts.table(profile.suppliers.table)
    if known.exists is False:
        yield fail(
            "SUPPLIERS_MISSING",
            rules.table,
            "the table of suppliers does not exist",
            "Name the instance's table of suppliers under [suppliers] in the profile.",
        )
        return
    if known.access == "closed":
        yield fail(
            "SUPPLIERS_CLOSED",
            rules.table,
            "suppliers are hidden from the user, so that none could be found",
            "Let the user read suppliers, for instance by the role sn_fin.procurement_user.",
        )
        return
    columns = {column.name: column for column in known.columns or ()}
    for path in (rules.code, rules.source, rules.name):
        name = path.partition(".")[0]
        if known.columns is not None and name not in columns:
            yield fail(
                "SUPPLIER_COLUMN_MISSING",
                rules.table,
                f"there is no column {name}{hint(name, known.columns)}",
                "Correct the column's name under [suppliers] in the profile.",
            )
    if known.access == "open":
        yield ok("SUPPLIERS", rules.table, "suppliers can be read")
    else:
        yield warn(
            "SUPPLIERS_UNSEEN",
            rules.table,
            "no supplier can be seen, or there is none",
            "Load the suppliers into ServiceNow, and let the user read them.",
        )


def about_attestation(
    profile: Profile, facts: Facts, instance: str, attestation: Attestation | None
) -> Iterator[Finding]:
    """Whether the exported metadata can be trusted, and what has changed since."""
    if attestation is None:
        return
    if attestation.instance != instance:
        yield warn(
            "METADATA_OF_ANOTHER",
            "",
            f"the file of SN_METADATA describes {attestation.instance}; it is not trusted",
            "Export it again from this instance: python -m connector check --export-metadata FILE.",
        )
        return
    attested = {table.name: table for table in attestation.tables}
    for table in _tables(profile).values():
        if table.table not in attested:
            yield warn(
                "METADATA_INCOMPLETE",
                table.table,
                "the file of SN_METADATA says nothing of this table",
                "Export it again with this profile, as an administrator.",
            )
            continue
        changed = differences(fingerprint(table, attested[table.table]), fingerprint(table, facts.table(table.table)))
        if changed:
            yield warn(
                "METADATA_DIFFERS",
                table.table,
                f"what the instance shows differs from what was exported on {attestation.exported_at[:10]}: "
                f"{'; '.join(changed.values())}",
                "Look at the change, then export the file again as an administrator.",
            )


def _tables(profile: Profile) -> dict[str, StagingTable]:
    return {table.table: table for route in profile.routes.values() for table in route.tables}

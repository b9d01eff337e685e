"""Tables that govern the APIs: rate rules, data policies, business rules, API keys, role containment, filter options."""

from __future__ import annotations

from tests.sandbox.servicenow.schema import Column, Table, reference


def _flag(name: str, default: str = "false") -> Column:
    return Column(name, type="boolean", default=default)


def _name() -> Column:
    return Column("name", max_length=100, display=True)


LIMITS = (
    Table(
        "sys_rate_limit_rules",
        (
            _name(),
            Column("rest_api", max_length=100, label="REST API"),
            Column("method", max_length=10, label="HTTP method"),
            Column(
                "type", default="all", choices=(("all", "All users"), ("role", "Users with role"), ("user", "User"))
            ),
            reference("user", "sys_user"),
            reference("role", "sys_user_role"),
            Column("request_limit", type="integer", label="Request limit per hour"),
            _flag("active", "true"),
        ),
        label="Rate Limit Rules",
    ),
)

POLICIES = (
    Table(
        "sys_data_policy2",
        (
            Column("short_description", max_length=100, display=True),
            Column("model_table", max_length=80, label="Table"),
            Column("conditions", max_length=4000),
            _flag("active", "true"),
            _flag("apply_import_set", "true"),
        ),
        label="Data Policy",
    ),
    Table(
        "sys_data_policy_rule",
        (
            reference("sys_data_policy", "sys_data_policy2"),
            Column("table", max_length=80),
            Column("field", max_length=80, display=True),
            _flag("mandatory"),
        ),
        label="Data Policy Rule",
    ),
    Table(
        "sys_script",
        (
            _name(),
            Column("collection", max_length=80, label="Table"),
            Column("when", default="before"),
            Column("order", type="integer", default="100"),
            _flag("active", "true"),
            _flag("action_insert"),
            _flag("action_update"),
            _flag("action_delete"),
            Column("filter_condition", max_length=4000),
            _flag("abort_action"),
            Column("template", max_length=4000, label="Set field values"),
            Column("script", max_length=8000),
        ),
        label="Business Rule",
    ),
)

ACCESS = (
    Table(
        "sys_user_role_contains",
        (reference("role", "sys_user_role"), reference("contains", "sys_user_role")),
        label="Contained Role",
    ),
    Table(
        "api_key",
        (
            _name(),
            Column("token", type="password", max_length=255),
            reference("user", "sys_user"),
            Column("expires", type="glide_date_time"),
            _flag("active", "true"),
        ),
        label="REST API Key",
    ),
    Table(
        "sys_api_access_policy",
        (
            _name(),
            Column("rest_api", max_length=100, label="REST API"),
            Column("method", max_length=10, label="HTTP method"),
            _flag("active", "true"),
        ),
        label="REST API Access Policy",
    ),
    Table(
        "sys_filter_option_dynamic",
        (Column("label", max_length=100, display=True), Column("script", max_length=255), _flag("active", "true")),
        label="Dynamic Filter Option",
    ),
)

GOVERNANCE_TABLES = (*LIMITS, *POLICIES, *ACCESS)

"""Tables every instance has: dictionary, import sets and transform maps, users and roles, properties, master data."""

from __future__ import annotations

from tests.sandbox.servicenow.schema import Column, Table, reference

CHOICE_ACTIONS = (("create", "create"), ("ignore", "ignore"), ("reject", "reject"))
IMPORT_STATES = tuple(
    (state, state.capitalize()) for state in ("pending", "inserted", "updated", "ignored", "skipped", "error")
)


def _flag(name: str, default: str = "false") -> Column:
    return Column(name, type="boolean", default=default)


def _name(length: int = 100, name: str = "name", unique: bool = False) -> Column:
    return Column(name, max_length=length, display=True, unique=unique)


DICTIONARY = (
    Table(
        "sys_db_object",
        (
            Column("label", max_length=80, display=True),
            Column("name", max_length=80, unique=True),
            reference("super_class", "sys_db_object", label="Extends table"),
            reference("sys_scope", "sys_scope", label="Application"),
            _flag("ws_access", "true"),
        ),
        label="Tables",
    ),
    Table(
        "sys_dictionary",
        (
            Column("name", max_length=80, label="Table"),
            Column("element", max_length=80, label="Column name"),
            Column("column_label", max_length=80, display=True),
            Column("internal_type", label="Type"),
            Column("max_length", type="integer"),
            _flag("mandatory"),
            Column("reference", max_length=80),
            _flag("unique"),
            _flag("display"),
            Column("default_value", max_length=255),
            _flag("active", "true"),
        ),
        label="Dictionary Entry",
    ),
    Table(
        "sys_documentation",
        (
            Column("name", max_length=80, label="Table"),
            Column("element", max_length=80),
            Column("language", max_length=3),
            Column("label", max_length=80, display=True),
            Column("plural", max_length=80),
        ),
        label="Field Label",
    ),
    Table(
        "sys_choice",
        (
            Column("name", max_length=80, label="Table"),
            Column("element", max_length=80),
            Column("value", max_length=80),
            Column("label", max_length=80, display=True),
            Column("language", max_length=3, default="en"),
            Column("sequence", type="integer"),
            _flag("inactive"),
        ),
        label="Choice",
    ),
)

IMPORT = (
    Table(
        "sys_import_set",
        (
            _name(40, "number"),
            Column("table_name", max_length=80),
            Column("state", default="loading"),
            Column("mode", default="synchronous"),
            Column("load_completed", type="glide_date_time"),
            reference("multi_import_set", "sys_multi_import_set"),
            reference("run_after", "sys_import_set"),
        ),
        label="Import Set",
        prefix="ISET",
    ),
    Table("sys_multi_import_set", (_name(40, "number"),), label="Multi Import Set", prefix="MISET"),
    Table(
        "sys_rest_insert_multiple",
        (
            Column("source_table", max_length=80, unique=True, display=True),
            Column("column_mapping", default="label", choices=(("label", "Label"), ("column_name", "Column name"))),
            Column(
                "transformation",
                default="asynchronous",
                choices=(("asynchronous", "Asynchronous"), ("synchronous", "Synchronous")),
            ),
            _flag("use_data_source_format"),
            _flag("active", "true"),
        ),
        label="REST Insert Multiple",
    ),
    Table(
        "sys_import_set_row",
        (
            reference("sys_import_set", "sys_import_set", label="Set"),
            Column("sys_import_row", type="integer", label="Row"),
            Column("sys_import_state", label="State", default="pending", choices=IMPORT_STATES),
            Column("sys_import_state_comment", max_length=1000, label="Comment"),
            Column("sys_target_table", max_length=80, label="Target table"),
            Column("sys_target_sys_id", max_length=32, label="Target record"),
            reference("sys_transform_map", "sys_transform_map", label="Transform map"),
            reference("import_set_run", "sys_import_set_run", label="Import set run"),
            reference("sys_row_error", "sys_import_set_row_error", label="Row error"),
        ),
        label="Import Set Row",
    ),
    Table(
        "sys_import_set_run",
        (
            reference("set", "sys_import_set"),
            reference("sys_transform_map", "sys_transform_map"),
            Column("state", default="running"),
            *(
                Column(name, type="integer", default="0")
                for name in ("total", "inserts", "updates", "processed", "ignored", "skipped", "errors")
            ),
        ),
        label="Transform History",
    ),
    Table(
        "sys_import_set_row_error",
        (
            Column("import_set_row", max_length=32),
            Column("error_code", type="integer"),
            Column("message", max_length=1000, display=True),
        ),
        label="Import Set Row Error",
    ),
    Table(
        "sys_transform_map",
        (
            _name(),
            Column("source_table", max_length=80),
            Column("target_table", max_length=80),
            _flag("active", "true"),
            Column("order", type="integer", default="100"),
            _flag("run_business_rules", "true"),
            Column(
                "enforce_mandatory_fields",
                default="no",
                choices=(("no", "No"), ("onlymapped", "Only Mapped Fields"), ("all", "All Fields")),
            ),
            _flag("copy_empty_fields"),
            _flag("create_new_record_on_empty_coalesce_fields"),
        ),
        label="Table Transform Map",
    ),
    Table(
        "sys_transform_entry",
        (
            reference("map", "sys_transform_map"),
            Column("source_table", max_length=80),
            Column("source_field", max_length=80),
            Column("target_table", max_length=80),
            Column("target_field", max_length=80, display=True),
            _flag("coalesce"),
            _flag("coalesce_empty_fields"),
            _flag("coalesce_case_sensitive"),
            Column("choice_action", default="create", choices=CHOICE_ACTIONS),
            Column("date_format", default="yyyy-MM-dd"),
            Column("reference_value_field", max_length=80, label="Referenced value field name"),
            _flag("use_source_script"),
            Column("source_script", max_length=4000),
        ),
        label="Field Map",
    ),
    Table(
        "sys_transform_script",
        (
            reference("map", "sys_transform_map"),
            Column("when", choices=(("onBefore", "onBefore"), ("onAfter", "onAfter"))),
            _flag("active", "true"),
            Column("order", type="integer", default="100"),
            Column("script", max_length=4000),
        ),
        label="Transform Script",
    ),
)

PEOPLE = (
    Table(
        "sys_user",
        (
            Column("user_name", unique=True, label="User ID"),
            _name(151),
            Column("email", max_length=100),
            Column("employee_number"),
            reference("department", "cmn_department"),
            reference("cost_center", "cmn_cost_center"),
            reference("company", "core_company"),
            _flag("active", "true"),
            _flag("locked_out"),
            Column("time_zone", default="GMT"),
            Column("user_password", type="password", label="Password"),
        ),
        label="User",
    ),
    Table("sys_user_role", (_name(100, unique=True), Column("description", max_length=1000)), label="Role"),
    Table(
        "sys_user_has_role",
        (
            reference("user", "sys_user"),
            reference("role", "sys_user_role"),
            _flag("inherited"),
            Column("state", default="active"),
            reference("included_in_role", "sys_user_role"),
        ),
        label="User Role",
    ),
    Table(
        "oauth_entity",
        (
            _name(),
            Column("client_id", max_length=100, unique=True),
            Column("client_secret", type="password", max_length=255),
            reference("user", "sys_user", label="OAuth application user"),
            Column("auth_scope", max_length=255, default="useraccount"),
            _flag("active", "true"),
        ),
        label="Application Registry",
    ),
)

CONFIGURATION = (
    Table(
        "sys_properties",
        (_name(100, unique=True), Column("value", max_length=4000), Column("description", max_length=512)),
        label="System Property",
    ),
    Table("sys_scope", (Column("scope", unique=True), _name(), Column("version")), label="Application"),
    Table(
        "sys_store_app",
        (Column("scope", unique=True), _name(), Column("version"), _flag("active", "true")),
        label="Store Application",
    ),
    Table("v_plugin", (Column("id", max_length=100, unique=True), _name(), Column("active")), label="Plugin"),
)

BUSINESS = (
    Table(
        "cmn_cost_center",
        (
            _name(),
            Column("code"),
            Column("account_number"),
            reference("parent", "cmn_cost_center"),
            reference("manager", "sys_user"),
            Column("valid_from", type="glide_date_time"),
            Column("valid_to", type="glide_date_time"),
        ),
        label="Cost Center",
    ),
    Table(
        "cmn_department",
        (
            _name(),
            Column("id"),
            Column("code"),
            Column("description", max_length=1000),
            reference("dept_head", "sys_user"),
            reference("primary_contact", "sys_user"),
            Column("head_count", type="integer"),
            reference("business_unit", "business_unit"),
            reference("cost_center", "cmn_cost_center"),
            reference("company", "core_company"),
            reference("parent", "cmn_department"),
        ),
        label="Department",
    ),
    Table(
        "core_company",
        (
            _name(80),
            _flag("vendor"),
            _flag("customer"),
            _flag("manufacturer"),
            Column("vendor_type"),
            Column("stock_symbol"),
            Column("street", max_length=255),
            Column("city", max_length=50),
            Column("state"),
            Column("zip"),
            Column("country"),
            Column("phone"),
            Column("notes", max_length=4000),
            reference("parent", "core_company"),
        ),
        label="Company",
    ),
)

PLATFORM_TABLES = (*DICTIONARY, *IMPORT, *PEOPLE, *CONFIGURATION, *BUSINESS)

"""Users, their roles, and the access rules that decide which tables, rows and columns a user may read and write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from tests.sandbox.servicenow.dictionary import DERIVED
from tests.sandbox.servicenow.store import Row, Store

Operation = Literal["read", "create", "write", "delete"]
WRITES: tuple[Operation, ...] = ("create", "write", "delete")
ADMIN = "admin"
IMPORT_ROLES = frozenset({ADMIN, "import_admin", "import_transformer"})

# Roles and the roles each one contains, as the applications' "components installed with" pages list them.
ROLES: dict[str, tuple[str, ...]] = {
    ADMIN: ("snc_internal",),
    "snc_internal": (),
    "import_admin": ("import_set_loader", "import_transformer", "import_scheduler"),
    "import_set_loader": (),
    "import_transformer": (),
    "import_scheduler": (),
    "sn_fcms_intg.integration_user": (),
    "sn_fcms_intg.admin": (),
    "sn_spend_intg.procurement_integrator": (),
    "sn_fin.procurement_user": (),
    "sn_shop.procurement_common_reader": ("sn_fin.procurement_user",),
    "sn_shop.procurement_common_user": ("sn_shop.procurement_common_reader",),
    "sn_shop.procurement_common_admin": ("sn_shop.procurement_common_user",),
    "sn_shop.accounts_payable_viewer": (),
    "sn_ap_apm.reader": ("sn_shop.procurement_common_reader",),
    "sn_ap_apm.accounts_payable_specialist": ("sn_ap_apm.reader",),
    "snc_platform_rest_api_access": (),
    "snc_basic_auth_api_access": (),
    "snc_read_only": (),
    "user_admin": (),
}
EXPLICIT_ROLES = "com.glide.explicit_roles"


@dataclass(frozen=True)
class User:
    """The caller of a request."""

    sys_id: str
    name: str
    roles: frozenset[str]
    time_zone: str = "GMT"

    @property
    def is_admin(self) -> bool:
        """Whether access rules do not bind this user."""
        return ADMIN in self.roles


@dataclass(frozen=True)
class Rule:
    """One access rule: who may do these operations on the tables of the pattern (on one column, if `column` is given).

    `condition` (read rules only) is an encoded query the visible rows match. The first rule that fits decides.
    """

    table: str
    operations: frozenset[str]
    roles: frozenset[str]
    column: str = ""
    condition: str = ""

    def fits(self, operation: str, table: str, column: str) -> bool:
        """Whether this rule decides the question."""
        return operation in self.operations and column == self.column and fnmatchcase(table, self.table)


def rule(table: str, operations: Sequence[str], roles: Sequence[str], *, column: str = "", condition: str = "") -> Rule:
    """A rule from plain sequences."""
    return Rule(table, frozenset(operations), frozenset(roles), column, condition)


READER = ("sn_shop.procurement_common_reader", "sn_shop.accounts_payable_viewer")
SHIPPED_RULES = (
    rule("sn_fcms_intg_*", ("read", "create", "write", "delete"), ("sn_fcms_intg.integration_user",)),
    rule(
        "sn_spend_intg_*",
        ("read", "create", "write", "delete"),
        ("sn_spend_intg.procurement_integrator", "sn_fcms_intg.integration_user"),
    ),
    rule("sn_shop_*", ("read",), READER),
    rule("sn_shop_*", ("create", "write"), ("sn_shop.procurement_common_user",)),
    rule("sn_shop_*", ("delete",), ("sn_shop.procurement_common_admin",)),
    rule("sn_fin_*", ("read",), ("sn_fin.procurement_user",)),
    rule("oauth_entity", ("read",), ()),
)


@dataclass
class Access:
    """Answers who may do what. Tables without a rule: everybody internal reads, only an administrator writes."""

    store: Store
    rules: list[Rule] = field(default_factory=lambda: list(SHIPPED_RULES))
    _explicit: tuple[int, bool] = (-1, True)

    def user(self, row: Row) -> User:
        """The user of a sys_user row, with the roles the role table holds at this moment."""
        held = self.store.find("sys_user_has_role", {"user": row["sys_id"]})
        names = (self.store.display("sys_user_role", grant["role"]) for grant in held if grant["state"] == "active")
        return User(row["sys_id"], row["user_name"], frozenset(names), row["time_zone"] or "GMT")

    def grant(self, user_name: str, role: str) -> None:
        """Gives a user a role; contained roles become rows of their own, marked as inherited."""
        with self.store.lock:
            (user,) = self.store.find("sys_user", {"user_name": user_name})
            self._grant(user["sys_id"], role)

    def revoke(self, user_name: str, role: str) -> None:
        """Takes one role away, and only this one."""
        with self.store.lock:
            (user,) = self.store.find("sys_user", {"user_name": user_name})
            for row in self.store.find("sys_user_has_role", {"user": user["sys_id"]}):
                if self.store.display("sys_user_role", row["role"]) == role:
                    self.store.delete("sys_user_has_role", row["sys_id"])

    def add(self, new: Rule) -> None:
        """Puts a rule before all others."""
        self.rules.insert(0, new)

    def allowed(self, user: User, operation: Operation, table: str) -> bool:
        """Whether the user may do this to rows of the table."""
        if operation in WRITES and (table in DERIVED or "snc_read_only" in user.roles):
            return False
        if user.is_admin:
            return True
        if "snc_internal" not in user.roles and self._explicit_roles():
            return False
        decisive = self._decisive(operation, table, "")
        return operation == "read" if decisive is None else bool(user.roles & decisive.roles)

    def column_allowed(self, user: User, operation: Operation, table: str, column: str) -> bool:
        """Whether the user may read or write this column; without a rule for it, whoever may touch the row may."""
        if user.is_admin:
            return True
        decisive = self._decisive(operation, table, column)
        return decisive is None or bool(user.roles & decisive.roles)

    def query_allowed(self, user: User, table: str, column: str, kind: str) -> bool:
        """Whether the user may use the column in a query; `kind` is ``query_match`` or ``query_range``."""
        if user.is_admin:
            return True
        decisive = self._decisive(kind, table, column)
        return decisive is None or bool(user.roles & decisive.roles)

    def row_condition(self, user: User, table: str) -> str:
        """The encoded query every visible row of the table matches; empty when all are visible."""
        if user.is_admin:
            return ""
        decisive = self._decisive("read", table, "")
        return decisive.condition if decisive is not None else ""

    def _explicit_roles(self) -> bool:
        """Whether the plugin is active that keeps out users with neither an internal nor an external role."""
        generation = self.store.generation(("v_plugin",))
        if self._explicit[0] != generation:
            rows = self.store.find("v_plugin", {"id": EXPLICIT_ROLES})
            self._explicit = (generation, bool(rows) and rows[0]["active"] == "active")
        return self._explicit[1]

    def _decisive(self, operation: str, table: str, column: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.fits(operation, table, column)), None)

    def _grant(self, user_id: str, role: str, container: str = "") -> None:
        known = self.store.find("sys_user_role", {"name": role})
        role_id = known[0]["sys_id"] if known else self.store.insert("sys_user_role", {"name": role})
        if not self.store.find("sys_user_has_role", {"user": user_id, "role": role_id}):
            inheritance = {"inherited": "true" if container else "false", "included_in_role": container}
            self.store.insert("sys_user_has_role", {"user": user_id, "role": role_id, **inheritance})
        for contained in ROLES.get(role, ()):
            self._grant(user_id, contained, role_id)

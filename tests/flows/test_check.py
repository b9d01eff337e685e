"""`check` asks storage and both systems for everything a run needs: whatever is wrong has its own line and its remedy."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import connector.commands.check as command
from connector.__main__ import cli
from connector.bootstrap import Ports
from connector.commands.check import Checked
from connector.errors import Refused, StorageUnavailable
from connector.flows.check import Line, exported
from connector.named_files import load_attestation, load_profile
from connector.ports import SeededRandomness
from tests.flows.pipeline import BC_HOST, LOGIN_HOST, SN_HOST, TOKEN, Pipeline, Recorder, some
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import Landscape
from tests.sandbox.sample import CompanyData
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.shipped import ADMIN_PASSWORD, ADMIN_USER, CLIENT_ID, CONNECTOR_USER
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.storage import MemoryQueues, MemoryTables
from tests.sandbox.wire import Fault

ORDER, ORDER_LINE, INVOICE = "sn_fcms_intg_imp_order", "sn_fcms_intg_imp_order_line", "sn_spend_intg_imp_invoice"
HTML, JSON = {"Content-Type": "text/html"}, {"Content-Type": "application/json"}
REFUSAL = '{"error":{"message":"Operation Failed","detail":"ACL"},"status":"failure"}'
DATA: list[CompanyData] = some(orders=3, invoices=2)
THE_MAP = {"name": "Order stage"}


class Bench:
    """Everything that `check` looks at, ready to be spoilt."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.landscape = Landscape(self.clock.now, data=DATA, sleep=self.clock.sleep)
        self.environment = self.landscape.environment()
        self.tables: Any = MemoryTables(self.clock)
        self.queues: Any = MemoryQueues(self.clock)
        self.wire = Recorder(self.landscape.transport())
        self.own_clock: Any = self.clock

    @property
    def bc(self) -> Any:
        return self.landscape.business_central

    @property
    def sn(self) -> ServiceNow:
        return self.landscape.servicenow

    def start(self) -> None:
        """The app has run once: its tables and queues exist."""
        for table in command.TABLES:
            self.tables.ensure(table)
        for queue in ("documents", "documents-poison"):
            self.queues.ensure(queue)

    def ports(self) -> Ports:
        chance = SeededRandomness(random.Random(1))
        return Ports(self.wire, self.tables, self.queues, self.own_clock, chance)

    def check(self) -> Checked:
        return Checked(self.environment, self.ports())

    # -- what a test may do

    def replace_servicenow(self, **options: Any) -> None:
        self.landscape.servicenow = ServiceNow(now=self.clock.now, **options)
        self.landscape.sn_exchange.handler = self.landscape.servicenow.handle

    def column(self, table: str, name: str, /, **changes: Any) -> None:
        definition = self.sn.tables.schema.table(table)
        kept = tuple(
            replace(one, **changes) if one.name == name else one
            for one in definition.columns
            if changes or one.name != name
        )
        self.sn.tables.define(replace(definition, columns=kept))

    def record(self, table: str, criteria: dict[str, str], /, **changes: str) -> None:
        (row,) = self.sn.tables.find(table, criteria)
        self.sn.tables.update(table, row["sys_id"], changes)

    def coalesce(self, source: str, value: str) -> None:
        (one,) = self.sn.tables.find("sys_transform_map", THE_MAP)
        (entry,) = self.sn.tables.find("sys_transform_entry", {"map": one["sys_id"], "source_field": source})
        self.sn.tables.update("sys_transform_entry", entry["sys_id"], {"coalesce": value})

    def hide(self, table: str) -> None:
        self.sn.access.add(rule(table, ("read",), ("no_such_role",)))

    def bc_fault(self, *, path: str = "/api/v2.0/", **how: Any) -> None:
        self.landscape.bc_exchange.faults.append(Fault(path=path, times=None, **how))

    def sn_fault(self, *, path: str = "^/api/", **how: Any) -> None:
        self.landscape.sn_exchange.faults.append(Fault(path=path, times=None, **how))

    def setting(self, **values: str) -> None:
        self.environment |= values

    def company(self, **values: str) -> None:
        companies = json.loads(self.environment["COMPANIES"])
        companies[0] |= values
        self.environment["COMPANIES"] = json.dumps(companies)

    def metadata(self, folder: Path, **changes: Any) -> None:
        """An attestation that was exported from this instance, perhaps changed since, as the setting names it."""
        seen = self.check()
        assert seen.parts is not None
        assert seen.facts is not None
        content = json.loads(exported(seen.parts, seen.facts)) | changes
        path = folder / "metadata.json"
        path.write_text(json.dumps(content), "utf-8")
        self.environment["SN_METADATA"] = str(path)


class Down:
    """Storage that does not answer."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def query(self, *_given: object, **_more: object) -> object:
        raise self._error

    def count(self, _queue: str) -> int:
        raise self._error


class AheadClock:
    """A machine whose clock is ahead."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now() + timedelta(hours=1)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


@dataclass(frozen=True)
class Case:
    """One thing that is wrong: what a test does, the line's level, code and subject, and words of what and remedy."""

    do: Callable[[Bench], Any]
    level: str
    code: str
    subject: str = ""
    says: str = ""
    remedy: str = ""


def fail(do: Callable[[Bench], Any], code: str, subject: str = "", says: str = "", remedy: str = "") -> Case:
    return Case(do, "fail", code, subject, says, remedy)


def warn(do: Callable[[Bench], Any], code: str, subject: str = "", says: str = "", remedy: str = "") -> Case:
    return Case(do, "warn", code, subject, says, remedy)


def expired(bench: Bench) -> None:
    bench.bc.tokens.secrets = []
    bench.bc.tokens.expired_secrets = ["first-secret"]


def two_maps(bench: Bench) -> None:
    row = {"name": "Another", "source_table": ORDER, "target_table": "sn_shop_purchase_order", "active": "true"}
    bench.sn.tables.insert("sys_transform_map", row)


def no_maps(bench: Bench) -> None:
    (one,) = bench.sn.tables.find("sys_transform_map", THE_MAP)
    bench.sn.tables.delete("sys_transform_map", one["sys_id"])


def coalesces_on_nothing(bench: Bench) -> None:
    for name in ("u_erp_source", "u_erp_po_number"):
        bench.coalesce(name, "false")


def rate(bench: Bench) -> None:
    row = {"name": "x", "rest_api": "Batch API", "type": "all", "request_limit": "50"}
    bench.sn.tables.insert("sys_rate_limit_rules", row)


def choices(bench: Bench) -> None:
    row = {"name": ORDER, "element": "u_order_type", "value": "10", "label": "Standard"}
    bench.sn.tables.insert("sys_choice", row)


def asynchronous(bench: Bench) -> None:
    bench.sn.tables.insert("sys_import_set", {"table_name": ORDER, "mode": "asynchronous", "state": "loading"})


def rule_off(bench: Bench) -> None:
    row = {"name": "Transform synchronously", "collection": "sys_import_set_row", "active": "false"}
    bench.sn.tables.insert("sys_script", row)


def roles_unreadable_and_revoked(bench: Bench) -> None:
    bench.hide("sys_user_role")
    bench.sn.tables.insert(ORDER, {"u_erp_po_number": "x"})
    bench.sn.access.revoke(CONNECTOR_USER, "sn_fcms_intg.integration_user")


def drifted(bench: Bench) -> None:
    seen = bench.check()
    assert seen.parts is not None
    assert seen.facts is not None
    seen.parts.preflight.accept(seen.parts.preflight.judgement(seen.facts))
    bench.record("sys_transform_map", THE_MAP, target_table="sn_shop_order")


def widened(bench: Bench) -> None:
    seen = bench.check()
    assert seen.parts is not None
    assert seen.facts is not None
    seen.parts.preflight.accept(seen.parts.preflight.judgement(seen.facts))
    bench.column(ORDER, "u_po_amount", max_length=41)


def parked(bench: Bench) -> None:
    bench.queues.send("documents-poison", "{}")


CASES: dict[str, Case] = {
    # settings
    "a setting is missing": fail(lambda b: b.environment.pop("BC_URL"), "SETTING", "", "BC_URL"),
    "an address without https": fail(lambda b: b.setting(SN_URL="http://example.com"), "SETTING", "", "SN_URL"),
    "a secret that was not resolved": fail(
        lambda b: b.setting(BC_CLIENT_SECRET="@Microsoft.KeyVault(x)"), "SETTING", "", "Key Vault reference"
    ),
    "a weak key": fail(lambda b: b.setting(LEDGER_KEY="abc"), "SETTING", "", "LEDGER_KEY"),
    "companies that are no list": fail(lambda b: b.setting(COMPANIES="{}"), "SETTING", "", "COMPANIES"),
    "Basic without a password": fail(
        lambda b: b.setting(SN_AUTH="basic"), "SETTING", "", "SN_USERNAME and SN_PASSWORD"
    ),
    "no such profile": fail(lambda b: b.setting(PROFILE="/nowhere.toml"), "SETTING", "", "PROFILE"),
    "no such translations": fail(lambda b: b.setting(TRANSLATIONS="/nowhere.toml"), "SETTING", "", "TRANSLATIONS"),
    "metadata that is no export": fail(lambda b: b.setting(SN_METADATA=__file__), "SETTING", "", "SN_METADATA"),
    # storage
    "table storage is down": fail(
        lambda b: setattr(b, "tables", Down(StorageUnavailable("no answer"))),
        "TABLE_STORE_DOWN",
        "ledger",
        "no answer",
        "network rules",
    ),
    "table storage refuses": fail(
        lambda b: setattr(b, "tables", Down(Refused("storage", "403"))), "TABLE_STORE_REFUSED", "ledger", "", "roles"
    ),
    "queue storage is down": fail(
        lambda b: setattr(b, "queues", Down(StorageUnavailable("no answer"))), "QUEUE_STORE_DOWN", "documents"
    ),
    "queue storage refuses": fail(
        lambda b: setattr(b, "queues", Down(Refused("storage", "403"))), "QUEUE_STORE_REFUSED", "documents"
    ),
    "tables that were never made": warn(
        lambda b: setattr(b, "tables", MemoryTables(b.clock)), "TABLE_STORE_MISSING", "ledger", "", "first start"
    ),
    "queues that were never made": warn(
        lambda b: setattr(b, "queues", MemoryQueues(b.clock)), "QUEUE_STORE_MISSING", "documents", "", "first start"
    ),
    "documents are parked": warn(parked, "POISON", "documents-poison", "about 1 parked", "parked"),
    # Business Central: signing in
    "a wrong secret": fail(
        lambda b: b.setting(BC_CLIENT_SECRET="wrong"), "BC_TOKEN", "", "AADSTS7000215", "secret's value"
    ),
    "an expired secret": fail(expired, "BC_TOKEN", "", "AADSTS7000222", "expired"),
    "an unknown client": fail(
        lambda b: b.setting(BC_CLIENT_ID="99999999-9999-4999-8999-999999999999"),
        "BC_TOKEN",
        "",
        "AADSTS700016",
        "BC_CLIENT_ID",
    ),
    "an unknown tenant": fail(
        lambda b: b.setting(BC_TOKEN_URL="https://login.microsoftonline.com/nobody/oauth2/v2.0/token"),
        "BC_TOKEN",
        "",
        "AADSTS90002",
        "tenant",
    ),
    "a wrong scope": fail(
        lambda b: b.setting(BC_SCOPE="https://graph.microsoft.com/.default"), "BC_TOKEN", "", "AADSTS70011", "BC_SCOPE"
    ),
    "no identity platform": fail(
        lambda b: b.bc_fault(path="/oauth2/", effect="refuse"), "BC_TOKEN_DOWN", "", "cannot be reached", "network"
    ),
    # Business Central: serving
    "the application is not enabled": fail(
        lambda b: setattr(b.bc, "app_enabled", False), "BC_REFUSED", "", "Microsoft Entra Applications"
    ),
    "the application has no right": fail(lambda b: setattr(b.bc, "forbidden", True), "BC_REFUSED", "", "permission"),
    "an unknown environment": fail(
        lambda b: b.setting(BC_URL=b.environment["BC_URL"] + "x"), "BC_REFUSED", "", "404", "BC_URL"
    ),
    "Business Central is out of reach": fail(
        lambda b: b.bc_fault(effect="refuse"), "BC_DOWN", "", "cannot be reached", "network"
    ),
    "a proxy answers in its place": fail(
        lambda b: b.bc_fault(effect="answer", status=200, headers=HTML, answer="<html>"), "BC_DOWN", "", "not JSON"
    ),
    "the service is down": fail(lambda b: b.bc_fault(effect="answer", status=503, headers=HTML), "BC_DOWN", "", "503"),
    "too many requests": warn(
        lambda b: b.bc_fault(effect="answer", status=429, headers=JSON, answer="{}"), "BC_THROTTLED", "", "slow down"
    ),
    "a company that is not there": fail(
        lambda b: b.company(id="99999999-9999-4999-8999-999999999999"), "BC_COMPANY", "us", "", "COMPANIES"
    ),
    "a dimension that is not there": fail(
        lambda b: b.company(cost_centre_dimension="NOWHERE"), "BC_DIMENSION", "us NOWHERE", "", "cost_centre_dimension"
    ),
    **{
        f"{feed} may not be read": fail(
            lambda b, feed=feed: b.bc.unreadable.add(feed),
            "BC_FEED_REFUSED",
            f"us {feed}",
            "permission",
            feed,
        )
        for feed in ("purchaseOrders", "purchaseInvoices", "purchaseReceipts", "purchaseCreditMemos", "vendors")
    },
    "dimensions may not be read": fail(
        lambda b: b.bc.unreadable.add("dimensions"), "BC_DIMENSION_REFUSED", "us DEPARTMENT", "permission", "dimensions"
    ),
    "the clock of this machine is wrong": warn(
        lambda b: setattr(b, "own_clock", AheadClock(b.clock)), "BC_CLOCK", "", "3600 s behind", "clock"
    ),
    # ServiceNow, signing in
    "a wrong client secret": fail(lambda b: b.setting(SN_CLIENT_SECRET="wrong"), "SN_TOKEN", "", "", "SN_CLIENT_ID"),
    "the grant type is off": fail(
        lambda b: b.sn.properties.set("glide.oauth.inbound.client.credential.grant_type.enabled", "false"),
        "SN_TOKEN",
        "",
        "",
        "glide.oauth.inbound.client.credential.grant_type.enabled",
    ),
    "no OAuth application user": fail(
        lambda b: b.record("oauth_entity", {"client_id": CLIENT_ID}, user=""),
        "SN_TOKEN",
        "",
        "unauthorized_client",
        "OAuth application user",
    ),
    "an inactive client": fail(
        lambda b: b.record("oauth_entity", {"client_id": CLIENT_ID}, active="false"), "SN_TOKEN", "", "invalid_client"
    ),
    "a wrong password": fail(
        lambda b: b.setting(SN_AUTH="basic", SN_USERNAME=CONNECTOR_USER, SN_PASSWORD="wrong"),
        "SN_REFUSED",
        "",
        "401",
        "password",
    ),
    "an unscoped client": fail(
        lambda b: b.record("oauth_entity", {"client_id": CLIENT_ID}, auth_scope="none"), "SN_DOWN", "", "403"
    ),
    # ServiceNow, whether it serves
    "the instance hibernates": fail(
        lambda b: b.sn.switches.set("state", "hibernating"), "SN_TOKEN_DOWN", "", "", "awake"
    ),
    "the instance is being upgraded": fail(
        lambda b: b.sn.switches.set("state", "maintenance"), "SN_TOKEN_DOWN", "", "503"
    ),
    "the APIs lead to the login": fail(
        lambda b: b.sn_fault(effect="answer", status=302, headers={"Location": "/login.do"}), "SN_DOWN", "", "302"
    ),
    "the APIs answer with a page": fail(
        lambda b: b.sn_fault(effect="answer", status=200, headers=HTML, answer="<html>"), "SN_DOWN", "", "not JSON"
    ),
    "ServiceNow is out of reach": fail(
        lambda b: b.sn_fault(path="/", effect="refuse"), "SN_TOKEN_DOWN", "", "cannot be reached", "SN_URL"
    ),
    "the APIs are out of reach": fail(lambda b: b.sn_fault(effect="refuse"), "SN_DOWN", "", "cannot be reached"),
    "the rate rule is used up": warn(
        lambda b: b.sn_fault(effect="answer", status=429, headers=JSON | {"Retry-After": "60"}, answer="{}"),
        "SN_THROTTLED",
        "",
        "429",
        "later",
    ),
    # ServiceNow, what the profile needs
    "the applications are not installed": fail(
        lambda b: b.replace_servicenow(licensed=False), "S2P_NOT_INSTALLED", "", "not installed", "Source-to-Pay"
    ),
    "a table is missing": fail(lambda b: b.sn.tables.remove(ORDER), "TABLE_MISSING", ORDER, "though its application"),
    "a table is no import set": fail(
        lambda b: b.sn.tables.define(replace(b.sn.tables.schema.table(ORDER), extends="")), "NOT_AN_IMPORT_SET", ORDER
    ),
    "a table is barred to web services": fail(
        lambda b: b.record("sys_db_object", {"name": ORDER}, ws_access="false"),
        "TABLE_BARRED",
        ORDER,
        "",
        "web services",
    ),
    "a column is missing": fail(
        lambda b: b.column(ORDER, "u_po_amount"), "COLUMN_MISSING", ORDER, "u_po_amount", "profile"
    ),
    "a column was renamed": fail(
        lambda b: b.column(ORDER, "u_po_amount", name="u_po_amount_2"),
        "COLUMN_MISSING",
        ORDER,
        "is u_po_amount_2 meant?",
    ),
    "a column is short": warn(
        lambda b: b.column(ORDER, "u_legal_entity", max_length=10), "COLUMN_SHORTER", ORDER, "holds 10"
    ),
    "a column is mandatory": fail(
        lambda b: b.column(ORDER, "u_business_owner", mandatory=True),
        "MANDATORY_WITHOUT_RULE",
        ORDER,
        "u_business_owner",
    ),
    "a constant is no choice": warn(choices, "CONSTANT_NOT_A_CHOICE", ORDER, "'Standard'", "choices"),
    "no map": fail(no_maps, "MAP_MISSING", ORDER, "", "Create"),
    "an inactive map": fail(
        lambda b: b.record("sys_transform_map", THE_MAP, active="false"), "MAP_INACTIVE", ORDER, "", "Activate"
    ),
    "two maps": fail(two_maps, "MAPS_SEVERAL", ORDER, "Another", "but one"),
    "a map without a key": fail(coalesces_on_nothing, "MAP_KEY", ORDER, "two records", "coalesce"),
    "a map with half a key": fail(
        lambda b: b.coalesce("u_erp_source", "false"), "MAP_KEY", ORDER, "share a record", "coalesce"
    ),
    "a map with more than the key": fail(
        lambda b: b.coalesce("u_legal_entity", "true"), "MAP_KEY", ORDER, "second record", "coalesce"
    ),
    "a map with another target": warn(
        lambda b: b.record("sys_transform_map", THE_MAP, target_table="sn_shop_order"),
        "MAP_TARGET",
        ORDER,
        "sn_shop_order",
    ),
    "rows are transformed later": fail(asynchronous, "TRANSFORMED_LATER", ORDER, "", "synchronous mode"),
    "the business rule is off": fail(rule_off, "TRANSFORMED_LATER", ORDER, "", "Transform synchronously"),
    **{
        f"the role {role} is missing": fail(
            lambda b, role=role: b.sn.access.revoke(CONNECTOR_USER, role),
            "ROLE_MISSING",
            "",
            role,
            role,
        )
        for role in ("sn_fcms_intg.integration_user", "import_transformer", "sn_spend_intg.procurement_integrator")
    },
    "an administrator": warn(
        lambda b: b.sn.access.grant(CONNECTOR_USER, "admin"), "ROLE_ADMIN", "", "administrator", "roles alone"
    ),
    "roles cannot be read": warn(lambda b: b.hide("sys_user_role"), "ROLES_UNKNOWN", "", "", "sys_user_role"),
    "roles cannot be read and one is missing": fail(
        roles_unreadable_and_revoked, "TABLE_CLOSED", ORDER, "hidden", "sn_fcms_intg.integration_user"
    ),
    "suppliers are hidden": fail(
        lambda b: b.hide("sn_fin_supplier"), "SUPPLIERS_CLOSED", "sn_fin_supplier", "", "sn_fin.procurement_user"
    ),
    "suppliers are elsewhere": fail(
        lambda b: b.sn.tables.remove("sn_fin_supplier"), "SUPPLIERS_MISSING", "sn_fin_supplier", "", "[suppliers]"
    ),
    "a column of suppliers is missing": fail(
        lambda b: b.column("sn_fin_supplier", "erp_supplier_code"),
        "SUPPLIER_COLUMN_MISSING",
        "sn_fin_supplier",
        "erp_supplier_code",
        "[suppliers]",
    ),
    "no supplier of a company": warn(
        lambda b: b.company(erp_source="BC-XX"), "SN_SUPPLIERS", "us", "BC-XX", "erp_source"
    ),
    "a low rate rule": warn(rate, "RATE_LOW", "", "50 calls an hour", "120"),
    "columns cannot be read": warn(lambda b: b.hide("sys_dictionary"), "COLUMNS_UNKNOWN", ORDER, "", "SN_METADATA"),
    "maps cannot be read": warn(
        lambda b: b.hide("sys_transform_map"), "COALESCE_NOT_VERIFIED", ORDER, "", "SN_METADATA"
    ),
    "the fields of maps cannot be read": warn(
        lambda b: b.hide("sys_transform_entry"), "COALESCE_NOT_VERIFIED", ORDER, "", "SN_METADATA"
    ),
    "a table is refused": warn(
        lambda b: b.sn_fault(path="sys_dictionary", effect="answer", status=403, headers=JSON, answer=REFUSAL),
        "SN_UNREAD",
        "",
        "sys_dictionary",
    ),
    "a map changed its target": fail(drifted, "DRIFT_OF_IDENTITY", ORDER, "-> sn_shop_order", "--accept-changes"),
    "a column changed": warn(widened, "DRIFT", ORDER, "string 40 -> string 41", "--accept-changes"),
}


def line_texts(lines: list[Line]) -> list[str]:
    return [f"{line.finding.level} {line.finding.code} {line.finding.table}: {line.finding.what}" for line in lines]


def found(seen: Checked, case: Case) -> list[Line]:
    return [
        line
        for line in seen.lines
        if (line.finding.level, line.finding.code, line.finding.table) == (case.level, case.code, case.subject)
        and case.says in line.finding.what
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_thing_that_is_wrong_has_its_own_line_with_a_remedy(case: Case) -> None:
    bench = Bench()
    bench.start()
    sound = {(line.area, line.finding) for line in bench.check().lines}
    bench = Bench()
    bench.start()
    case.do(bench)
    seen = bench.check()
    lines = found(seen, case)
    assert lines, line_texts(seen.lines)
    assert all(case.remedy in line.finding.remedy for line in lines)
    assert (case.level == "fail") <= seen.failed
    # Whatever else is not in order comes of the same thing.
    fresh = [line for line in seen.lines if line.finding.level != "ok" and (line.area, line.finding) not in sound]
    assert all(line.finding.remedy.endswith(".") for line in fresh)
    assert not seen.failed or case.level == "fail", line_texts(fresh)
    assert not [sent for sent in bench.wire.requests if writes(sent.method, sent.host, sent.path)]


def writes(method: str, host: str, path: str) -> bool:
    """Whether a request could change anything; asking for a token is none."""
    return method != "GET" and host != LOGIN_HOST and not (host == SN_HOST and path == TOKEN)


def test_there_are_more_than_forty_failing_conditions_with_remedies_of_their_own() -> None:
    failing = [case for case in CASES.values() if case.level == "fail"]
    assert len(failing) >= 40
    assert len({(case.code, case.says, case.remedy) for case in failing}) >= 40


def test_a_sound_landscape_passes_and_nothing_was_written_to_either_system() -> None:
    bench = Bench()
    bench.start()
    before = bench.sn.writes()
    seen = bench.check()
    assert not seen.failed
    assert {line.finding.code for line in seen.lines if line.finding.level == "warn"} == set()
    assert not [sent for sent in bench.wire.requests if writes(sent.method, sent.host, sent.path)]
    assert bench.sn.writes() == before
    assert {sent.method for sent in bench.wire.to(BC_HOST)} == {"GET"}


def test_a_check_makes_neither_tables_nor_queues() -> None:
    bench = Bench()
    bench.check()
    assert not bench.queues.exists("documents")
    seen = bench.check()
    assert {line.finding.level for line in seen.lines if line.area == "storage"} == {"warn"}


@pytest.mark.parametrize("system", ["bc", "sn"])
def test_a_system_that_refuses_is_not_asked_on_and_the_other_is_checked_all_the_same(system: str) -> None:
    bench = Bench()
    bench.start()
    host = {"bc": BC_HOST, "sn": SN_HOST}[system]
    bench.setting(**{f"{system.upper()}_CLIENT_SECRET": "wrong"})
    seen = bench.check()
    assert [sent.path for sent in bench.wire.to(host) if sent.path != TOKEN] == []
    other = {"bc": "SN_SERVES", "sn": "BC_SERVES"}[system]
    assert other in {line.finding.code for line in seen.lines}


# -- metadata


def test_an_administrators_export_is_trusted_by_a_user_who_may_not_read(tmp_path: Path) -> None:
    bench = Bench()
    bench.start()
    for table in ("sys_dictionary", "sys_transform_map", "sys_transform_entry"):
        bench.hide(table)
    unsure = {line.finding.code for line in bench.check().lines}
    assert {"COLUMNS_UNKNOWN", "COALESCE_NOT_VERIFIED"} <= unsure
    own = dict(bench.environment)
    bench.setting(SN_AUTH="basic", SN_USERNAME=ADMIN_USER, SN_PASSWORD=ADMIN_PASSWORD)
    bench.metadata(tmp_path)
    path = bench.environment["SN_METADATA"]
    bench.environment = own | {"SN_METADATA": path}
    seen = bench.check()
    sure = {line.finding.code for line in seen.lines}
    assert not sure & {"COLUMNS_UNKNOWN", "COALESCE_NOT_VERIFIED"}
    assert not seen.failed
    bench.environment = own | {"SN_METADATA": path}
    bench.column(ORDER, "u_po_amount")
    # Hidden from this user: what was attested still stands.
    assert not bench.check().failed


def test_what_changed_since_the_export_is_a_warning(tmp_path: Path) -> None:
    bench = Bench()
    bench.start()
    bench.metadata(tmp_path)
    bench.column(ORDER, "u_po_amount", max_length=41)
    case = warn(lambda _b: None, "METADATA_DIFFERS", ORDER, "string 40 -> string 41", "export")
    seen = bench.check()
    assert found(seen, case)
    assert not seen.failed


def test_the_metadata_of_another_instance_is_not_trusted(tmp_path: Path) -> None:
    bench = Bench()
    bench.start()
    bench.metadata(tmp_path, instance="https://other.service-now.com")
    seen = bench.check()
    assert found(seen, warn(lambda _b: None, "METADATA_OF_ANOTHER", "", "https://other.service-now.com", "Export"))


def test_what_cannot_be_read_cannot_be_attested(tmp_path: Path) -> None:
    bench = Bench()
    bench.start()
    bench.hide("sys_transform_entry")
    with pytest.raises(Exception, match="credentials of an administrator"):
        bench.metadata(tmp_path)


# -- the command


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A landscape that the command line sees as the real world."""
    made = Bench()
    made.start()
    monkeypatch.setattr(command, "real_ports", lambda _settings: made.ports())
    monkeypatch.setattr(command, "environment", lambda: dict(made.environment))
    return made


def test_the_command_prints_a_line_each_and_ends_with_zero(bench: Bench) -> None:
    done = CliRunner().invoke(cli, ["check"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert len(lines) == len(bench.check().lines)
    assert {line[:5].strip() for line in lines} == {"ok"}


def test_the_command_says_fail_with_the_remedy_and_ends_with_one(bench: Bench) -> None:
    bench.column(ORDER, "u_po_amount")
    done = CliRunner().invoke(cli, ["check"])
    assert done.exit_code == 1
    (line,) = [line for line in done.output.splitlines() if line.startswith("FAIL")]
    assert line.startswith(f"FAIL ServiceNow: {ORDER}: there is no column u_po_amount")
    assert line.endswith("Correct the column's name in the profile, or take it out.")


def test_the_command_prints_json(bench: Bench) -> None:
    bench.sn.access.revoke(CONNECTOR_USER, "import_transformer")
    done = CliRunner().invoke(cli, ["check", "--json"])
    assert done.exit_code == 1
    rows = json.loads(done.output)
    assert {tuple(row) for row in rows} == {("area", "code", "level", "subject", "what", "remedy")}
    assert [row["code"] for row in rows if row["level"] == "fail"] == ["ROLE_MISSING"]


def test_the_command_lists_every_faulty_setting_and_shows_no_value(bench: Bench) -> None:
    bench.setting(LEDGER_KEY="c2VjcmV0", SN_URL="ftp://user:secret@host")
    done = CliRunner().invoke(cli, ["check"])
    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 2
    assert not {"c2VjcmV0", "user:secret"} & set(done.output.replace(";", " ").split())
    assert "secret@host" not in done.output


def test_the_command_exports_metadata_that_the_settings_take(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    done = CliRunner().invoke(cli, ["check", "--export-metadata", str(path)])
    assert done.exit_code == 0, done.output
    attested = load_attestation(str(path))
    assert attested is not None
    assert attested.instance == bench.environment["SN_URL"]
    names = {table.table for route in load_profile("source_to_pay").routes.values() for table in route.tables}
    assert {table.name for table in attested.tables} == names | {"sn_fin_supplier"}


def test_the_command_does_not_export_what_it_could_not_read(bench: Bench, tmp_path: Path) -> None:
    bench.hide("sys_dictionary")
    path = tmp_path / "metadata.json"
    done = CliRunner().invoke(cli, ["check", "--export-metadata", str(path)])
    assert done.exit_code == 1
    assert not path.exists()


def test_a_change_of_identity_can_be_accepted(bench: Bench) -> None:
    drifted(bench)
    assert CliRunner().invoke(cli, ["check"]).exit_code == 1
    CliRunner().invoke(cli, ["check", "--accept-changes"])
    done = CliRunner().invoke(cli, ["check"])
    assert done.exit_code == 0, done.output


def test_the_gate_and_the_check_agree() -> None:
    pipeline = Pipeline(data=some(orders=4, invoices=3))
    pipeline.servicenow.access.revoke(CONNECTOR_USER, "import_transformer")
    chance = SeededRandomness(random.Random(1))
    ports = Ports(pipeline.wire, pipeline.tables, pipeline.queues, pipeline.clock, chance)
    seen = Checked(pipeline.landscape.environment(), ports)
    failing = [line.finding for line in seen.lines if line.failed]
    pipeline.poll()
    pipeline.work()
    assert pipeline.writes() == 0
    refusal = pipeline.parts.preflight.refusal(pipeline.parts.entities()[0][1])
    assert failing[0].what in str(refusal)

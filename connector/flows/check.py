"""Check: asks storage and both systems for everything a run needs, and says what is in order, doubtful or wrong. Reads only.

Where a system refuses as such, nothing more is asked of it: one line says why, and the others would only repeat it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from connector.business_central.session import PageBroken
from connector.decisions.findings import Finding, fail, ok, plain, unserved, warn
from connector.errors import ConnectorError, Outage, Refused, SettingsFault, Throttled
from connector.flows.check_master_data import check_cost_centres, check_references
from connector.flows.files import check_files
from connector.flows.parts import Parts
from connector.flows.track import check_tracking
from connector.model.catalog import Attestation, Facts
from connector.model.stamps import stamp_text
from connector.setting_words import Company
from connector.settings import Settings
from connector.storage.ports import QueueStore, TableStore

SKEW = 300.0
"""Seconds by which clocks may differ without a word."""
SIGN_IN_REMEDIES = {
    "AADSTS7000215": "Put the secret's value (not its id) into BC_CLIENT_SECRET.",
    "AADSTS7000222": "The secret has expired: make a new one and put it into BC_CLIENT_SECRET.",
    "AADSTS700016": "Correct BC_CLIENT_ID, or register the application in the tenant of BC_TOKEN_URL.",
    "AADSTS90002": "Correct the tenant in BC_TOKEN_URL.",
    "AADSTS70011": "Set BC_SCOPE to https://api.businesscentral.dynamics.com/.default.",
    "AADSTS1002012": "Set BC_SCOPE to https://api.businesscentral.dynamics.com/.default.",
}
"""By the identity platform's error number."""
SIGN_IN_REMEDY = (
    "Check SN_CLIENT_ID and the secret, that the client's record names an OAuth application user who is active, and that the "
    "property glide.oauth.inbound.client.credential.grant_type.enabled is true."
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a check. `area`: what was asked."""

    area: str
    finding: Finding

    @property
    def failed(self) -> bool:
        """Whether a run could not do its work."""
        return self.finding.level == "fail"


def settings_lines(fault: SettingsFault) -> list[Line]:
    """Each of the faults that the message lists, in a line of its own."""
    lines = [line.strip().removeprefix("- ") for line in str(fault).splitlines() if line.lstrip().startswith("- ")]
    remedy = "Correct it in the application settings, or in local.settings.json."
    return [Line("settings", fail("SETTING", "", line, remedy)) for line in lines or [str(fault)]]


def check_storage(settings: Settings, tables: TableStore, queues: QueueStore, names: Sequence[str]) -> list[Line]:
    """Whether the tables and queues answer."""
    found = [_table(tables, name) for name in names]
    found += [_queue(queues, name, parked=name == settings.poison_queue) for name in settings.queues]
    return [Line("storage", one) for one in found]


def _table(tables: TableStore, name: str) -> Finding:
    def ask() -> Finding:
        list(tables.query(name, "check", start="a", stop="b", limit=1))
        return ok("TABLE_STORE", name, "answers")

    return _stored("TABLE_STORE", name, ask)


def _queue(queues: QueueStore, name: str, *, parked: bool) -> Finding:
    def ask() -> Finding:
        count = queues.count(name)
        if parked and count:
            return warn("POISON", name, f"about {count} parked documents", "See why: python -m connector parked.")
        return ok("QUEUE_STORE", name, f"answers, about {count} messages")

    return _stored("QUEUE_STORE", name, ask)


def _stored(code: str, name: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except SettingsFault:
        return warn(
            f"{code}_MISSING",
            name,
            "does not exist yet",
            "The app makes it at its first start; if the app has run, ConnectorStorage names another account.",
        )
    except Refused as refused:
        return fail(
            f"{code}_REFUSED",
            name,
            plain(refused),
            "Give the app's identity the storage roles for queue and table data, or correct ConnectorStorage.",
        )
    except ConnectorError as error:
        return fail(
            f"{code}_DOWN", name, plain(error), "Check ConnectorStorage and the storage account's network rules."
        )


def check_business_central(parts: Parts) -> list[Line]:
    """Whether Business Central lets itself be read."""
    return [Line("Business Central", one) for one in _business_central(parts)]


def _business_central(parts: Parts) -> Iterator[Finding]:
    probe, settings = parts.bc_probe, parts.settings
    try:
        probe.authenticate()
    except Refused as refused:
        remedy = next(
            (text for number, text in SIGN_IN_REMEDIES.items() if number in str(refused)),
            "Check BC_CLIENT_ID, the secret and BC_TOKEN_URL.",
        )
        yield fail("BC_TOKEN", "", plain(refused), remedy)
        return
    except Outage as outage:
        yield fail("BC_TOKEN_DOWN", "", plain(outage), "Check BC_TOKEN_URL and the way out of this network.")
        return
    yield ok("BC_TOKEN", "", "a token was given")
    try:
        found = probe.companies()
    except (Outage, PageBroken) as error:
        yield unserved("BC", error, "Check BC_URL (tenant and environment) and the way out of this network.")
        return
    yield ok("BC_SERVES", "", f"version {found.version or 'not told'}, {len(found.names)} companies")
    yield from _skew("BC_CLOCK", (found.at - parts.clock.now()).total_seconds())
    there = []
    for company in settings.companies:
        if company.id in found.names:
            there.append(company)
            yield ok("BC_COMPANY", company.key, f"is {found.names[company.id]}")
        else:
            yield fail(
                "BC_COMPANY",
                company.key,
                "no company has this id, or the user may not see it",
                "Correct its id in COMPANIES; the ids are those of /companies in the API.",
            )
    for company in there:
        yield from _dimension(parts, company)
        yield from check_references(parts, company)
    for company, feed in parts.feeds():
        if company not in there:
            continue
        name = f"{company.key} {feed.value}"
        try:
            newest = probe.newest(company, feed)
            entity = parts.carried(feed)
            if newest and entity is not None:
                reading = parts.reader.documents(company, entity, [newest], may_go_on=lambda: True)
                for fault in reading.faults.values():
                    reason = fault.reasons[0]
                    yield warn(
                        "BC_DOCUMENT", name, f"the newest document cannot be read: {reason.message}", reason.remedy
                    )
        except (Outage, PageBroken) as error:
            remedy = f"Give the application's user a permission set that reads {feed.value} and what belongs to them."
            yield unserved("BC_FEED", error, remedy, name)
        else:
            yield ok("BC_FEED", name, "can be read" if newest else "can be read, and is empty")


def _dimension(parts: Parts, company: Company) -> Iterator[Finding]:
    name = f"{company.key} {company.cost_centre_dimension}"
    try:
        found = parts.bc_probe.has_dimension(company)
    except (Outage, PageBroken) as error:
        yield unserved(
            "BC_DIMENSION", error, "Give the application's user a permission set that reads dimensions.", name
        )
        return
    if found:
        yield ok("BC_DIMENSION", name, "is there")
    else:
        yield fail(
            "BC_DIMENSION",
            name,
            "the company has no such dimension",
            "Name the dimension of cost centres in COMPANIES (cost_centre_dimension).",
        )


def check_servicenow(parts: Parts) -> tuple[list[Line], Facts | None]:
    """Whether ServiceNow takes what the profile writes; also what it showed (None: nothing)."""
    found: list[Finding] = []
    facts = _servicenow(parts, found)
    return [Line("ServiceNow", one) for one in found], facts


def _servicenow(parts: Parts, found: list[Finding]) -> Facts | None:
    catalog = parts.preflight.catalog
    try:
        catalog.authenticate()
    except Refused as refused:
        found.append(fail("SN_TOKEN", "", plain(refused), SIGN_IN_REMEDY))
        return None
    except Outage as outage:
        found.append(fail("SN_TOKEN_DOWN", "", plain(outage), "Check SN_URL, and whether the instance is awake."))
        return None
    try:
        facts = catalog.facts(0.0)
    except (Refused, Throttled) as error:
        found.append(unserved("SN", error, "Check the user, its password or client, and how it may sign in."))
        return None
    if facts.skew is None:
        why = facts.unread[0].partition(": ")[2] if facts.unread else "no answer"
        found.append(
            fail("SN_DOWN", "", why, "Check SN_URL, and whether the instance is awake and serves its REST APIs.")
        )
        return None
    found.append(ok("SN_SERVES", "", f"signed in, {facts.calls} requests"))
    found += _skew("SN_CLOCK", facts.skew)
    found += parts.preflight.judgement(facts).findings
    found += [warn("SN_UNREAD", "", one, "Nothing, unless a line above asks for it.") for one in facts.unread]
    if not any(one.level == "fail" and one.table == parts.profile.suppliers.table for one in found):
        found += _suppliers(parts)
    found += check_cost_centres(parts)
    found += check_tracking(parts)
    found += check_files(parts)
    return facts


def _suppliers(parts: Parts) -> Iterator[Finding]:
    for company in parts.settings.companies:
        try:
            seen = parts.preflight.catalog.has_suppliers(company.erp_source)
        except (Refused, Throttled) as error:
            yield unserved("SN_SUPPLIERS", error, "Look again later.", company.key)
            return
        if seen:
            yield ok("SN_SUPPLIERS", company.key, f"there are suppliers of ERP source {company.erp_source}")
        else:
            yield warn(
                "SN_SUPPLIERS",
                company.key,
                f"no supplier of ERP source {company.erp_source} can be seen",
                "Correct erp_source in COMPANIES, or load the company's suppliers into ServiceNow.",
            )


def _skew(code: str, seconds: float) -> Iterator[Finding]:
    if abs(seconds) <= SKEW:
        yield ok(code, "", f"clocks differ by {abs(seconds):.0f} s")
    else:
        yield warn(
            code,
            "",
            f"its clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's",
            "Set the clock of this machine; tokens and time stamps depend on it.",
        )


def exported(parts: Parts, facts: Facts) -> str:
    """The attestation of what was seen, as the text of its file. Raises `SettingsFault` when too little was seen to attest."""
    tables = tuple(facts.tables[name] for name in sorted(facts.tables))
    for table in tables:
        if table.columns is None or table.maps is None or any(one.key is None for one in table.maps):
            raise SettingsFault(
                f"{table.name}: its columns or transform maps cannot be read by this user either; nothing was written. "
                "Run the export with the credentials of an administrator"
            )
    attested = tuple(one.model_copy(update={"access": "unknown", "synchronous": None}) for one in tables)
    found = Attestation(instance=parts.settings.sn_url, exported_at=stamp_text(parts.clock.now()), tables=attested)
    return json.dumps(found.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"

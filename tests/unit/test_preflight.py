"""Preflight, by tables: what of an instance stands in the way of a profile, and what is merely not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.drift import differences, fingerprint
from connector.decisions.preflight import Judgement, judge
from connector.model.catalog import Attestation, ColumnFacts, Facts, MapFacts, RateRule, TableFacts
from connector.model.documents import Entity
from connector.model.staging import StagingTable
from connector.named_files import load_profile

PROFILE = load_profile("source_to_pay")
INSTANCE = "https://example.service-now.com"
ORDER, ORDER_LINE, INVOICE = "sn_fcms_intg_imp_order", "sn_fcms_intg_imp_order_line", "sn_spend_intg_imp_invoice"
SUPPLIERS = "sn_fin_supplier"
TARGETS = {
    ORDER: "sn_shop_purchase_order",
    ORDER_LINE: "sn_shop_purchase_order_line",
    INVOICE: "sn_shop_invoice",
    "sn_spend_intg_imp_invoice_line": "sn_shop_invoice_line",
    "sn_fcms_intg_imp_receipt": "sn_shop_receipt",
}


def _united() -> dict[str, StagingTable]:
    """Each staging table once, with the columns of all routes that write into it."""
    united: dict[str, StagingTable] = {}
    for route in PROFILE.routes.values():
        for table in route.tables:
            before = united.get(table.table, table)
            united[table.table] = table.model_copy(update={"columns": before.columns | table.columns})
    return united


STAGING = _united()
ROLES = frozenset(group[0] for group in PROFILE.required_roles)


def staging(name: str) -> TableFacts:
    """The facts of a staging table that is as the profile wants it."""
    rules = STAGING[name]
    columns = tuple(
        ColumnFacts(
            name=column, label=column[2:].replace("_", " "), type="string", length=rule.max, mandatory=False, choices=()
        )
        for column, rule in rules.columns.items()
    )
    one = MapFacts(name="The map", target=TARGETS[name], active=True, mandatory="all", key=tuple(sorted(rules.key)))
    return TableFacts(
        name=name, exists=True, parents=("sys_import_set_row",), web=True, access="open", columns=columns, maps=(one,)
    )


def perfect() -> Facts:
    """An instance that is as the profile wants it."""
    columns = tuple(ColumnFacts(name=name) for name in ("erp_supplier_code", "erp_source", "legal_name"))
    suppliers = TableFacts(name=SUPPLIERS, exists=True, parents=(), web=True, access="open", columns=columns, maps=())
    return Facts(tables={name: staging(name) for name in STAGING} | {SUPPLIERS: suppliers}, roles=ROLES, rates=())


def changed(name: str, facts: Facts | None = None, **changes: Any) -> Facts:
    """The instance with one table different."""
    facts = facts or perfect()
    return facts.model_copy(update={"tables": {**facts.tables, name: facts.table(name).model_copy(update=changes)}})


def with_map(name: str, /, **changes: Any) -> Facts:
    """The instance with the map of one table different."""
    (one,) = perfect().table(name).maps or ()
    return changed(name, maps=(one.model_copy(update=changes),))


def with_column(name: str, column: str, **changes: Any) -> Facts:
    """The instance with one column different."""
    columns = perfect().table(name).columns or ()
    return changed(
        name, columns=tuple(one.model_copy(update=changes) if one.name == column else one for one in columns)
    )


def without_column(name: str, column: str, *more: ColumnFacts) -> Facts:
    """The instance with one column gone, and others there."""
    columns = tuple(one for one in perfect().table(name).columns or () if one.name != column)
    return changed(name, columns=(*columns, *more))


def judged(facts: Facts, **more: Any) -> Judgement:
    return judge(PROFILE, facts, instance=INSTANCE, **more)


def troubles(judgement: Judgement) -> set[tuple[str, str, str]]:
    """Code, level and table of every finding that is not ok."""
    return {(one.code, one.level, one.table) for one in judgement.findings if one.level != "ok"}


def gone(*names: str, apps: frozenset[str] | None = None) -> Facts:
    facts = perfect()
    for name in names:
        facts = facts.model_copy(update={"tables": {**facts.tables, name: TableFacts(name=name, exists=False)}})
    return facts.model_copy(update={"apps": apps})


def second_map(target: str) -> Facts:
    maps = perfect().table(ORDER).maps or ()
    return changed(ORDER, maps=(*maps, maps[0].model_copy(update={"name": "Another", "target": target})))


KEY = tuple(sorted(STAGING[ORDER].key))
EXTRA = ColumnFacts(name="u_plant", label="Plant", type="string", length=40, mandatory=True)

CASES: dict[str, tuple[Facts, set[tuple[str, str, str]]]] = {
    "all is well": (perfect(), set()),
    "nothing of the applications is there": (
        gone(*STAGING),
        {("S2P_NOT_INSTALLED", "fail", ""), *(("TABLE_MISSING", "fail", name) for name in STAGING)},
    ),
    "tables are missing though an application is there": (
        gone(*STAGING, apps=frozenset({"sn_fcms_intg"})),
        {("TABLE_MISSING", "fail", name) for name in STAGING},
    ),
    "one table is missing": (gone(ORDER), {("TABLE_MISSING", "fail", ORDER)}),
    "no import set table": (changed(ORDER, parents=("task",)), {("NOT_AN_IMPORT_SET", "fail", ORDER)}),
    "an import set table at some distance": (changed(ORDER, parents=("u_base", "sys_import_set_row")), set()),
    "what it extends is unknown": (changed(ORDER, parents=None), set()),
    "barred to web services": (changed(ORDER, web=False), {("TABLE_BARRED", "fail", ORDER)}),
    "a column is missing": (without_column(ORDER, "u_po_amount"), {("COLUMN_MISSING", "fail", ORDER)}),
    "columns are unknown": (changed(ORDER, columns=None), {("COLUMNS_UNKNOWN", "warn", ORDER)}),
    "a column is shorter": (with_column(ORDER, "u_legal_entity", length=10), {("COLUMN_SHORTER", "warn", ORDER)}),
    "a column is longer": (with_column(ORDER, "u_legal_entity", length=1000), set()),
    "a length is unknown": (with_column(ORDER, "u_legal_entity", length=None), set()),
    "a mandatory column without a rule that is enforced": (
        changed(ORDER, columns=(*(perfect().table(ORDER).columns or ()), EXTRA)),
        {("MANDATORY_WITHOUT_RULE", "fail", ORDER)},
    ),
    "a mandatory column without a rule that nothing enforces": (
        changed(ORDER, with_map(ORDER, mandatory="no"), columns=(*(perfect().table(ORDER).columns or ()), EXTRA)),
        {("MANDATORY_WITHOUT_RULE", "warn", ORDER)},
    ),
    "a constant that is no choice": (
        with_column(ORDER, "u_order_type", choices=("10", "20")),
        {("CONSTANT_NOT_A_CHOICE", "warn", ORDER)},
    ),
    "a constant among the choices": (with_column(ORDER, "u_order_type", choices=("Blanket", "Standard")), set()),
    "no map": (changed(ORDER, maps=()), {("MAP_MISSING", "fail", ORDER)}),
    "an inactive map": (with_map(ORDER, active=False), {("MAP_INACTIVE", "fail", ORDER)}),
    "a map that may be active": (with_map(ORDER, active=None), set()),
    "two maps into one table": (second_map(TARGETS[ORDER]), {("MAPS_SEVERAL", "fail", ORDER)}),
    "two maps into two tables": (
        second_map("u_archive"),
        {("MAPS_SEVERAL", "warn", ORDER), ("MAP_TARGET", "warn", ORDER)},
    ),
    "maps are unknown": (changed(ORDER, maps=None), {("COALESCE_NOT_VERIFIED", "warn", ORDER)}),
    "the map's fields are unknown": (with_map(ORDER, key=None), {("COALESCE_NOT_VERIFIED", "warn", ORDER)}),
    "a map that matches on nothing": (with_map(ORDER, key=()), {("MAP_KEY", "fail", ORDER)}),
    "a map that matches on too little": (with_map(ORDER, key=KEY[:1]), {("MAP_KEY", "fail", ORDER)}),
    "a map whose script may look at the rest": (with_map(ORDER, key=KEY[:1], scripted=True), set()),
    "a map that matches on more": (with_map(ORDER, key=(*KEY, "u_legal_entity")), {("MAP_KEY", "fail", ORDER)}),
    "a map with a script that matches on more": (
        with_map(ORDER, key=(*KEY, "u_legal_entity"), scripted=True),
        {("MAP_KEY", "fail", ORDER)},
    ),
    "rows are transformed later": (changed(ORDER, synchronous=False), {("TRANSFORMED_LATER", "fail", ORDER)}),
    "another target": (with_map(ORDER, target="u_orders"), {("MAP_TARGET", "warn", ORDER)}),
    "a role is missing": (
        perfect().model_copy(update={"roles": ROLES - {"import_transformer"}}),
        {("ROLE_MISSING", "fail", "")},
    ),
    "an alternative of a role": (
        perfect().model_copy(update={"roles": (ROLES - {"apo_user"}) | {"sn_ap_apm.accounts_payable_specialist"}}),
        set(),
    ),
    "no role at all": (
        perfect().model_copy(update={"roles": frozenset({"snc_internal"})}),
        {("ROLE_MISSING", "fail", "")},
    ),
    "an administrator": (
        perfect().model_copy(update={"roles": frozenset({"admin"})}),
        {("ROLE_ADMIN", "warn", "")},
    ),
    "roles are unknown": (perfect().model_copy(update={"roles": None}), {("ROLES_UNKNOWN", "warn", "")}),
    "roles are unknown and a table is closed": (
        changed(ORDER, perfect().model_copy(update={"roles": None}), access="closed"),
        {("TABLE_CLOSED", "fail", ORDER)},
    ),
    "a closed table whose roles are known": (changed(ORDER, access="closed"), set()),
    "a low rate rule": (
        perfect().model_copy(update={"rates": (RateRule(api="Batch API", limit=50),)}),
        {("RATE_LOW", "warn", "")},
    ),
    "a low rate rule of an API that is not used": (
        perfect().model_copy(update={"rates": (RateRule(api="AP Invoice", limit=10),)}),
        set(),
    ),
    "rate rules are unknown": (perfect().model_copy(update={"rates": None}), set()),
    "suppliers are hidden": (changed(SUPPLIERS, access="closed"), {("SUPPLIERS_CLOSED", "fail", SUPPLIERS)}),
    "no supplier is seen": (changed(SUPPLIERS, access="unknown"), {("SUPPLIERS_UNSEEN", "warn", SUPPLIERS)}),
    "no table of suppliers": (gone(SUPPLIERS), {("SUPPLIERS_MISSING", "fail", SUPPLIERS)}),
    "a column of suppliers is missing": (
        changed(SUPPLIERS, columns=tuple(ColumnFacts(name=name) for name in ("erp_source", "legal_name"))),
        {("SUPPLIER_COLUMN_MISSING", "fail", SUPPLIERS)},
    ),
    "nothing is known": (
        Facts(),
        {
            ("ROLES_UNKNOWN", "warn", ""),
            ("SUPPLIERS_UNSEEN", "warn", SUPPLIERS),
            *((code, "warn", name) for name in STAGING for code in ("COLUMNS_UNKNOWN", "COALESCE_NOT_VERIFIED")),
        },
    ),
}


@pytest.mark.parametrize(("facts", "expected"), CASES.values(), ids=CASES)
def test_each_state_of_an_instance_has_its_findings(facts: Facts, expected: set[tuple[str, str, str]]) -> None:
    judgement = judged(facts)
    assert troubles(judgement) == expected
    for one in judgement.findings:
        assert bool(one.remedy) is (one.level != "ok"), one
        assert not one.remedy or one.remedy.endswith(".")


def test_through_the_table_api_a_wrong_choice_would_vanish_and_maps_do_not_matter() -> None:
    routes = {name: route.model_copy(update={"door": "table"}) for name, route in PROFILE.routes.items()}
    facts = changed(ORDER, with_column(ORDER, "u_order_type", choices=("10",)), parents=(), maps=None)
    judgement = judge(PROFILE.model_copy(update={"routes": routes}), facts, instance=INSTANCE)
    assert troubles(judgement) == {("CONSTANT_NOT_A_CHOICE", "fail", ORDER)}


@pytest.mark.parametrize("door", ["insert_multiple", "ap_invoice"])
def test_through_doors_that_look_for_their_rows_later_it_is_no_fault_to_transform_later(door: str) -> None:
    routes = {name: route.model_copy(update={"door": door}) for name, route in PROFILE.routes.items()}
    facts = changed(ORDER, synchronous=False)
    assert troubles(judge(PROFILE.model_copy(update={"routes": routes}), facts, instance=INSTANCE)) == set()


HINTS: dict[str, tuple[ColumnFacts, str]] = {
    "the label reads like the name": (ColumnFacts(name="u_x1", label="PO amount"), "u_x1"),
    "the name is nearly the same": (ColumnFacts(name="u_po_amounts", label="?"), "u_po_amounts"),
    "the label is nearly the same": (ColumnFacts(name="u_x2", label="PO amounts"), "u_x2"),
}


@pytest.mark.parametrize(("there", "meant"), HINTS.values(), ids=HINTS)
def test_a_missing_column_comes_with_the_one_that_is_probably_meant(there: ColumnFacts, meant: str) -> None:
    facts = changed(ORDER, columns=(there,))
    texts = [one.what for one in judged(facts).findings if one.code == "COLUMN_MISSING" and " u_po_amount;" in one.what]
    assert texts == [f"there is no column u_po_amount; is {meant} meant?"]


def test_a_missing_column_like_no_other_comes_without_a_guess() -> None:
    texts = {one.what for one in judged(changed(ORDER, columns=(ColumnFacts(name="zzz", label="zzz"),))).findings}
    assert "there is no column u_po_amount" in texts


def test_a_shorter_column_is_the_limit_and_a_longer_one_is_not() -> None:
    shorter, longer = with_column(ORDER, "u_legal_entity", length=10), with_column(ORDER, "u_legal_entity", length=999)
    route = "purchaseOrders"
    assert judged(shorter).profile.routes[route].header.columns["u_legal_entity"].max == 10
    assert judged(longer).profile.routes[route].header.columns["u_legal_entity"].max == 100
    assert judged(perfect()).profile == PROFILE
    assert judged(Facts()).profile == PROFILE


STOPS: dict[str, tuple[Facts, set[str]]] = {
    "an order table": (gone(ORDER), {"purchaseOrders"}),
    "an invoice table": (changed(INVOICE, web=False), {"purchaseInvoices", "purchaseCreditMemos"}),
    "a role": (perfect().model_copy(update={"roles": frozenset({"x"})}), set(Entity)),
    "suppliers": (changed(SUPPLIERS, access="closed"), set(Entity) - {Entity.RECEIPT}),
    "nothing known": (Facts(), set()),
    "only warnings": (with_column(ORDER, "u_legal_entity", length=10), set()),
}


@pytest.mark.parametrize(("facts", "stopped"), STOPS.values(), ids=STOPS)
def test_a_failing_finding_stops_the_routes_that_need_its_table(facts: Facts, stopped: set[str]) -> None:
    judgement = judged(facts)
    assert {name for name, route in PROFILE.routes.items() if judgement.stops(route)} == stopped


# -- attestation


def attested(*, instance: str = INSTANCE, facts: Facts | None = None) -> Attestation:
    return Attestation(
        instance=instance, exported_at="2026-05-04T08:00:00Z", tables=tuple((facts or perfect()).tables.values())
    )


def unreadable() -> Facts:
    """The instance as an integration user often sees it: neither columns nor maps."""
    facts = perfect()
    for name in STAGING:
        facts = changed(name, facts, columns=None, maps=None, parents=None)
    return facts


def test_what_an_administrator_attested_is_trusted_where_the_user_may_not_read() -> None:
    assert troubles(judged(unreadable(), attestation=attested())) == set()


def test_attested_lengths_limit_as_well() -> None:
    attestation = attested(facts=with_column(ORDER, "u_legal_entity", length=10))
    judgement = judged(unreadable(), attestation=attestation)
    assert judgement.profile.routes["purchaseOrders"].header.columns["u_legal_entity"].max == 10


def test_an_attested_map_that_does_not_match_on_the_key_stops_writing() -> None:
    attestation = attested(facts=with_map(ORDER, key=()))
    assert ("MAP_KEY", "fail", ORDER) in troubles(judged(unreadable(), attestation=attestation))


def test_the_fields_of_a_map_that_is_seen_may_be_attested() -> None:
    assert troubles(judged(with_map(ORDER, key=None), attestation=attested())) == set()
    renamed = with_map(ORDER, key=None, name="Another")
    assert ("COALESCE_NOT_VERIFIED", "warn", ORDER) in troubles(judged(renamed, attestation=attested()))


def test_what_is_seen_wins_over_what_was_attested_and_the_difference_is_told() -> None:
    judgement = judged(with_column(ORDER, "u_legal_entity", length=10), attestation=attested())
    assert troubles(judgement) == {("COLUMN_SHORTER", "warn", ORDER), ("METADATA_DIFFERS", "warn", ORDER)}
    (told,) = [one for one in judgement.findings if one.code == "METADATA_DIFFERS"]
    assert "column u_legal_entity: string 100 -> string 10" in told.what


def test_metadata_of_another_instance_is_not_trusted() -> None:
    judgement = judged(unreadable(), attestation=attested(instance="https://other.service-now.com"))
    assert ("METADATA_OF_ANOTHER", "warn", "") in troubles(judgement)
    assert ("COALESCE_NOT_VERIFIED", "warn", ORDER) in troubles(judgement)


def test_metadata_without_a_table_says_so() -> None:
    tables = {name: table for name, table in perfect().tables.items() if name != ORDER}
    attestation = attested(facts=perfect().model_copy(update={"tables": tables}))
    assert ("METADATA_INCOMPLETE", "warn", ORDER) in troubles(judged(perfect(), attestation=attestation))


# -- drift

CHANGES: dict[str, tuple[Facts, str, str]] = {
    "a column is gone": (without_column(ORDER, "u_po_amount"), "warn", "column u_po_amount: string 40 -> missing"),
    "a column is shorter": (with_column(ORDER, "u_po_amount", length=5), "warn", "string 40 -> string 5"),
    "a column has another type": (with_column(ORDER, "u_po_amount", type="decimal"), "warn", "string 40 -> decimal 40"),
    "a column became mandatory": (with_column(ORDER, "u_po_amount", mandatory=True), "warn", "-> string 40 mandatory"),
    "a map is inactive": (with_map(ORDER, active=False), "warn", "active maps: The map -> none"),
    "web services are barred": (changed(ORDER, web=False), "warn", "web services: allowed -> barred"),
    "another target": (
        with_map(ORDER, target="u_orders"),
        "fail",
        "target of The map: sn_shop_purchase_order -> u_orders",
    ),
    "another key": (with_map(ORDER, key=KEY[:1], scripted=True), "fail", f"-> {KEY[0]} by script"),
}


@pytest.mark.parametrize(("facts", "level", "said"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_named_and_stops_writing_only_if_rows_would_end_elsewhere(
    facts: Facts, level: str, said: str
) -> None:
    kept = judged(perfect()).prints
    drifts = [one for one in judged(facts, kept=kept).findings if one.code.startswith("DRIFT")]
    assert [(one.table, one.level) for one in drifts] == [(ORDER, level)]
    assert said in drifts[0].what


def test_nothing_drifts_when_nothing_changed_or_less_is_known() -> None:
    kept = judged(perfect()).prints
    for facts in (perfect(), unreadable(), Facts()):
        assert not [one for one in judged(facts, kept=kept).findings if one.code.startswith("DRIFT")]


@given(
    hidden=st.sets(st.sampled_from(["exists", "parents", "web", "columns", "maps", "synchronous"])),
    name=st.sampled_from(sorted(STAGING)),
)
def test_knowing_less_never_makes_a_failure(hidden: set[str], name: str) -> None:
    judgement = judged(changed(name, **dict.fromkeys(hidden, None)))
    assert not [one for one in judgement.findings if one.level == "fail"]


@given(
    before=st.dictionaries(st.sampled_from("abcd"), st.text(max_size=3)),
    now=st.dictionaries(st.sampled_from("abcd"), st.text(max_size=3)),
)
def test_differences_are_the_subjects_both_know_otherwise(before: dict[str, str], now: dict[str, str]) -> None:
    assert set(differences(before, now)) == {name for name in before.keys() & now.keys() if before[name] != now[name]}
    assert differences(before, before) == {}


def test_a_fingerprint_leaves_out_columns_nobody_uses() -> None:
    more = changed(
        ORDER, columns=(*(perfect().table(ORDER).columns or ()), ColumnFacts(name="u_other", mandatory=False))
    )
    assert fingerprint(STAGING[ORDER], more.table(ORDER)) == fingerprint(STAGING[ORDER], perfect().table(ORDER))

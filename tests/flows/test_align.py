"""Alignment end to end: cost centres become dimension values by the way the tenant offers, documents that waited for them go,
and a second run writes nothing."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from connector.decisions.states import Status
from connector.errors import SettingsFault
from connector.flows.align import Aligned, align, align_all, look
from connector.flows.drift_report import drift_report
from connector.flows.rescue import rescue_all
from connector.flows.verify import verify
from connector.setting_words import Company
from tests.flows.pipeline import US, Pipeline, reasons, some
from tests.sandbox.business_central.webhook_resources import EXTENSION
from tests.sandbox.sample import TRANSLATIONS
from tests.sandbox.sample.masters import record_id

WAREHOUSES = {"EAST": ("WH-EAST", "7100-EAS"), "WEST": ("WH-WEST", "7200-WES"), "MAIN": ("WH-MAIN", "7300-MAI")}
"""The cost centre of each regional warehouse: BC's code, and ServiceNow's account number."""


def alignment(tmp_path: Path, text: str = "") -> dict[str, str]:
    file = tmp_path / "alignment.toml"
    file.write_text(f"[companies.us]\n{text}", "utf-8")
    return {"ALIGNMENT": str(file)}


def with_extension(settings: dict[str, str]) -> Pipeline:
    pipeline = Pipeline(data=some(orders=14, invoices=0, posted=False)[:1], settings=settings)
    pipeline.business_central.apis.available.add(EXTENSION)
    return pipeline


def us(pipeline: Pipeline) -> Company:
    (company,) = (one for one in pipeline.settings.companies if one.key == "us")
    return company


def run(pipeline: Pipeline) -> Aligned:
    came_to = align(pipeline.parts, us(pipeline))
    assert came_to is not None
    return came_to


def bc_value(pipeline: Pipeline, code: str) -> dict[str, object]:
    bc = pipeline.business_central
    rows = [bc.document(US, id_, entity="dimensionValues").header for id_ in bc.document_ids(US, "dimensionValues")]
    (found,) = [row for row in rows if row["code"] == code] or [{}]
    return found


def bc_writes(pipeline: Pipeline) -> int:
    host = "api.businesscentral.dynamics.com"
    return sum(sent.method != "GET" for sent in pipeline.wire.to(host))


def add_cost_centre(pipeline: Pipeline, code: str, number: str, name: str) -> str:
    return pipeline.servicenow.tables.insert("cmn_cost_center", {"code": code, "account_number": number, "name": name})


def test_a_cost_centre_becomes_a_value_and_the_next_run_writes_nothing(tmp_path: Path) -> None:
    pipeline = with_extension(alignment(tmp_path))
    sys_id = add_cost_centre(pipeline, "LAB", "8000-LAB", "Laboratory")
    came_to = run(pipeline)
    assert came_to.settled
    assert [one.code for one in came_to.done] == ["LAB"]
    assert (bc_value(pipeline, "LAB")["displayName"], bc_value(pipeline, "LAB")["dimensionValueType"]) == (
        "Laboratory",
        "Standard",
    )
    kept = pipeline.parts.mappings.all("us", "DEPARTMENT").rows[sys_id]
    assert (kept.row.code, kept.row.account_number, kept.row.status) == ("LAB", "8000-LAB", "aligned")
    writes, mapped = bc_writes(pipeline), pipeline.servicenow.tables.inserts.copy()
    assert run(pipeline).done == []
    assert (bc_writes(pipeline), pipeline.servicenow.tables.inserts) == (writes, mapped)


def test_a_dry_run_writes_nothing_anywhere(tmp_path: Path) -> None:
    pipeline = with_extension(alignment(tmp_path))
    add_cost_centre(pipeline, "LAB", "8000-LAB", "Laboratory")
    before = bc_writes(pipeline)
    rows = pipeline.tables.rows("mappings")
    sides = look(pipeline.parts, us(pipeline))
    assert sides is not None
    assert [type(one).__name__ for one in sides.plan.actions][0] == "CreateValue"
    assert (bc_writes(pipeline), pipeline.tables.rows("mappings")) == (before, rows)
    assert bc_value(pipeline, "LAB") == {}


def test_three_warehouses_wait_for_their_cost_centres_and_go_by_themselves_once_these_are_aligned(
    tmp_path: Path,
) -> None:
    pipeline = with_extension(alignment(tmp_path))
    bc, orders = pipeline.business_central, {}
    # Somebody in BC was ahead of everybody: the values are there, and neither ServiceNow nor the translations know them.
    for place, (code, _) in WAREHOUSES.items():
        row = {"id": record_id("US", "dimensionValue", "DEPARTMENT", code), "code": code}
        row |= {"dimensionId": record_id("US", "dimension", "DEPARTMENT"), "displayName": f"{place} warehouse"}
        more = {"dimensionCode": "DEPARTMENT", "dimensionValueType": "Standard", "blocked": False}
        bc.add_row(US, "dimensionValues", row | more)
    ready = [one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open"]
    for order, (place, (code, _)) in zip(ready, WAREHOUSES.items(), strict=False):
        orders[place] = order
        for line in order.lines:
            if line.values["lineType"] != "Comment":
                sequence = int(str(line.values["sequence"]))
                bc.edit_line(US, order.number, sequence, locationId=record_id("US", "location", place))
                bc.set_dimension(US, order.number, "DEPARTMENT", code, sequence=sequence)
    pipeline.run()
    for order in orders.values():
        state = pipeline.states()[order.id]
        assert (state.status, {one["code"] for one in reasons(state)}) == (
            Status.PARKED,
            {"COST_CENTRE_NOT_TRANSLATED"},
        )
    # ServiceNow's people enter the three cost centres; the next alignment finds the pairs, the next rescue lets the orders go.
    for place, (code, number) in WAREHOUSES.items():
        add_cost_centre(pipeline, code, number, f"{place} warehouse")
    align_all(pipeline.parts)
    pipeline.clock.advance(300)
    rescue_all(pipeline.parts)
    pipeline.drain()
    for place, order in orders.items():
        assert pipeline.states()[order.id].status is Status.DONE
        rows = [row for row in pipeline.sent_rows() if row.line and row.columns.get("u_erp_po_number") == order.number]
        assert {row.columns["u_cost_center"] for row in rows} == {WAREHOUSES[place][1]}
    assert verify(pipeline.parts).sound


def test_without_a_writable_way_it_is_said_what_to_install_and_nothing_is_half_done(tmp_path: Path) -> None:
    settings = alignment(tmp_path) | {"BC_DIMENSION_VALUES_SERVICE": "NotPublished"}
    pipeline = Pipeline(data=some(orders=0, invoices=0, posted=False)[:1], settings=settings)
    sys_id = add_cost_centre(pipeline, "LAB", "8000-LAB", "Laboratory")
    came_to = run(pipeline)
    assert not came_to.settled
    ((about, reason),) = came_to.refused
    assert (about, reason.code) == (sys_id, "NO_WRITABLE_ROUTE")
    assert "extension" in reason.message
    assert bc_writes(pipeline) == 0
    assert sys_id not in pipeline.parts.mappings.all("us", "DEPARTMENT").rows
    # Once the extension is installed the next runs bring it to its end.
    pipeline.business_central.apis.available.add(EXTENSION)
    pipeline.clock.advance(3600)
    assert run(pipeline).settled
    assert bc_value(pipeline, "LAB")["displayName"] == "Laboratory"


def test_who_owns_the_name_has_the_last_word_and_nobody_fights(tmp_path: Path) -> None:
    pipeline = with_extension(alignment(tmp_path))
    sys_id = add_cost_centre(pipeline, "LAB", "8000-LAB", "Laboratory")
    assert run(pipeline).settled
    pipeline.servicenow.tables.update("cmn_cost_center", sys_id, {"name": "Research laboratory"})
    id_ = str(bc_value(pipeline, "LAB")["id"])
    pipeline.business_central.edit_header(US, id_, entity="dimensionValues", displayName="Labor")
    assert run(pipeline).settled
    assert bc_value(pipeline, "LAB")["displayName"] == "Research laboratory"
    (row,) = pipeline.servicenow.tables.find("cmn_cost_center", {"code": "LAB"})
    assert row["name"] == "Research laboratory"
    before = bc_writes(pipeline)
    assert run(pipeline).done == []
    assert bc_writes(pipeline) == before


def test_every_write_is_in_the_trail_of_its_cost_centre(tmp_path: Path) -> None:
    pipeline = with_extension(alignment(tmp_path))
    sys_id = add_cost_centre(pipeline, "LAB", "8000-LAB", "Laboratory")
    run(pipeline)
    events = pipeline.parts.ledger.events("us|alignment", sys_id)
    assert [event.action for event in events] == ["intent", "aligned"]
    assert "CreateValue" in events[0].detail
    assert pipeline.parts.ledger.intact("us|alignment", sys_id)


def test_the_report_says_what_differs_and_which_documents_that_stops_and_changes_nothing(tmp_path: Path) -> None:
    pipeline = with_extension(alignment(tmp_path, 'name = "nobody"\n'))
    assert run(pipeline).settled
    pipeline.run()
    (centre,) = pipeline.servicenow.tables.find("cmn_cost_center", {"code": "PROD"})
    pipeline.servicenow.tables.update(
        "cmn_cost_center", centre["sys_id"], {"name": "Making", "valid_to": "2020-01-01 00:00:00"}
    )
    add_cost_centre(pipeline, "LAB", "8000-LAB", "Laboratory")
    before = bc_writes(pipeline), pipeline.writes()
    found = drift_report(pipeline.parts, us(pipeline))
    assert found is not None
    assert {(one.code, one.attribute) for one in found.differences} >= {("PROD", "name"), ("PROD", "validity")}
    assert [(one.code, one.missing_in) for one in found.missing] == [("LAB", "business_central")]
    waiting = {state.number for state in pipeline.states().values() if state.status is Status.WAITING}
    stopped = {one.document.number for one in found.stopped if one.codes == ("COST_CENTRE_NOT_VALID",)}
    assert stopped
    assert stopped <= waiting | {state.number for state in pipeline.states().values() if state.status is Status.PARKED}
    assert {one.document.cost_centre for one in found.stopped} == {"PROD"}
    assert (bc_writes(pipeline), pipeline.writes()) == before


def test_an_alignment_file_that_cannot_work_is_refused_at_start(tmp_path: Path) -> None:
    for text, said in (
        ("[companies.fr]\n", "COMPANIES has no company with this key"),
        ('[companies.us]\nparent = "business_central"\n', "value.parent_code"),
        ('[companies.us]\nname = "somebody"\n', "name"),
    ):
        file = tmp_path / "alignment.toml"
        file.write_text(text, "utf-8")
        with pytest.raises(SettingsFault, match=said):
            Pipeline(data=some(orders=0, invoices=0, posted=False)[:1], settings={"ALIGNMENT": str(file)})


def test_a_profile_that_asks_for_master_data_nobody_stages_is_refused(tmp_path: Path) -> None:
    text = (resources.files("connector.profiles") / "source_to_pay.toml").read_text("utf-8")
    i = text.index("[master_data.accounts]")
    profile = tmp_path / "profile.toml"
    profile.write_text(text[:i] + text[i:].replace('owner = "nobody"', 'owner = "business_central"', 1), "utf-8")
    with pytest.raises(SettingsFault, match=r"master_data\.accounts: only cost centres are staged"):
        Pipeline(data=some(orders=0, invoices=0, posted=False)[:1], settings={"PROFILE": str(profile)})


def test_where_bc_owns_them_a_new_value_becomes_a_cost_centre_in_servicenow(tmp_path: Path) -> None:
    text = (resources.files("connector.profiles") / "source_to_pay.toml").read_text("utf-8")
    i = text.index("[master_data.cost_centres]")
    profile, translations = tmp_path / "profile.toml", tmp_path / "translations.toml"
    profile.write_text(text[:i] + text[i:].replace('owner = "nobody"', 'owner = "business_central"', 1), "utf-8")
    translations.write_text(
        TRANSLATIONS.read_text("utf-8").replace("[cost_centres]", '[cost_centres]\n"LAB" = "8000-LAB"')
    )
    rules = alignment(tmp_path, 'exists = "business_central"\nname = "business_central"\n')
    pipeline = with_extension(rules | {"PROFILE": str(profile), "TRANSLATIONS": str(translations)})
    assert run(pipeline).settled
    row = {"id": record_id("US", "dimensionValue", "DEPARTMENT", "LAB"), "code": "LAB", "displayName": "Laboratory"}
    more = {
        "dimensionId": record_id("US", "dimension", "DEPARTMENT"),
        "dimensionValueType": "Standard",
        "blocked": False,
    }
    pipeline.business_central.add_row(US, "dimensionValues", row | more | {"dimensionCode": "DEPARTMENT"})
    assert run(pipeline).settled
    (centre,) = pipeline.servicenow.tables.find("cmn_cost_center", {"account_number": "8000-LAB"})
    assert (centre["code"], centre["name"]) == ("LAB", "Laboratory")
    kept = pipeline.parts.mappings.all("us", "DEPARTMENT").rows
    assert kept[centre["sys_id"]].row.code == "LAB"
    before = pipeline.writes(), bc_writes(pipeline)
    assert run(pipeline).done == []
    assert (pipeline.writes(), bc_writes(pipeline)) == before
    assert verify(pipeline.parts).sound


def test_what_is_refused_for_good_is_asked_for_ever_more_rarely_and_does_not_fill_the_ledger(tmp_path: Path) -> None:
    settings = alignment(tmp_path) | {"BC_DIMENSION_VALUES_SERVICE": "NotPublished"}
    pipeline = Pipeline(data=some(orders=0, invoices=0, posted=False)[:1], settings=settings)
    sys_id = add_cost_centre(pipeline, "LAB", "8000-LAB", "Laboratory")
    for _ in range(144):  # a day of runs, ten minutes apart
        pipeline.clock.advance(600)
        ((about, reason),) = run(pipeline).refused
        assert (about, reason.code) == (sys_id, "NO_WRITABLE_ROUTE"), "each run says so, tried again or not"
    assert len(pipeline.parts.ledger.events("us|alignment", sys_id)) <= 20
    # Another name is another write: it is tried at once.
    pipeline.servicenow.tables.update("cmn_cost_center", sys_id, {"name": "Research"})
    before = len(pipeline.parts.ledger.events("us|alignment", sys_id))
    run(pipeline)
    assert len(pipeline.parts.ledger.events("us|alignment", sys_id)) == before + 2
    assert verify(pipeline.parts).sound

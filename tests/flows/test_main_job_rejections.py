"""What only ServiceNow knows: a refused row parks its document with ServiceNow's words, and the rest is staged."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.decisions.states import Status
from tests.flows.comparison import end_differences
from tests.flows.expectation import expectations, receipts_of
from tests.flows.pipeline import DE, ENTITIES, US, Pipeline, reasons, some
from tests.sandbox.sample.servicenow import master_rows


@pytest.fixture
def unasked(tmp_path: Path) -> dict[str, str]:
    """Settings with which nobody asks for cost centres beforehand: so only ServiceNow knows."""
    file = tmp_path / "checks.toml"
    file.write_text('[severity]\nCOST_CENTRE_UNKNOWN = "off"\n', "utf-8")
    return {"CHECKS": str(file)}


def without(table: str, column: str, value: str) -> dict[str, list[dict[str, str]]]:
    """ServiceNow's master data with one record missing."""
    rows = master_rows()
    rows[table] = [row for row in rows[table] if row[column] != value]
    return rows


def test_what_servicenow_rejects_is_parked_with_its_words_and_the_rest_is_staged(unasked: dict[str, str]) -> None:
    pipeline = Pipeline(data=some(), master=without("cmn_cost_center", "account_number", "2000-PRD"), settings=unasked)
    pipeline.run()
    expected = expectations(pipeline.landscape)
    wanted = {
        each.id: {row.line for row in each.rows if row.columns.get("u_cost_center") == "2000-PRD"}
        for each in expected.values()
    }
    wanted = {id_: lines for id_, lines in wanted.items() if lines}
    assert 3 <= len(wanted) < len(expected)
    parked = pipeline.parked()
    assert parked.keys() == wanted.keys()
    for id_, places in wanted.items():
        # A header that is refused says it all: its lines were not tried.
        assert parked[id_] == {("REJECTED_BY_SERVICENOW", place) for place in ({""} if "" in places else places)}
        for reason in reasons(pipeline.states()[id_]):
            assert "'2000-PRD' matches no record of cmn_cost_center" in reason["message"]
    staged = {each.id for each in expected.values() if each.fate == "staged"}
    held = receipts_of(expected, parked)
    assert pipeline.with_status(Status.DONE) == staged - parked.keys() - held
    assert held <= pipeline.with_status(Status.WAITING)
    assert sorted(note["parked"] for note in pipeline.poison()) == sorted(parked)


def test_no_line_goes_to_servicenow_after_its_header_was_refused(unasked: dict[str, str]) -> None:
    pipeline = Pipeline(
        data=some(),
        master=without("cmn_cost_center", "account_number", "2000-PRD"),
        settings=unasked | {"SN_BATCH_ROWS": "5"},
    )
    pipeline.run()
    refused = {
        each.rows[0].document
        for each in expectations(pipeline.landscape).values()
        if each.rows and each.rows[0].columns.get("u_cost_center") == "2000-PRD"
    }
    assert refused
    for document in refused:
        rows = [row for row in pipeline.sent_rows() if row.document == document]
        assert len(rows) <= 5, "only lines in the header's own batch may have left before its answer came"
    assert not [row for row in pipeline.servicenow.tables.rows("sn_shop_purchase_order") if not row["cost_center"]]


def test_a_rejected_document_is_staged_after_the_record_was_added_and_the_document_edited(
    unasked: dict[str, str],
) -> None:
    pipeline = Pipeline(data=some(), master=without("cmn_cost_center", "account_number", "2000-PRD"), settings=unasked)
    pipeline.run()
    parked = pipeline.parked()
    assert parked
    row = {"name": "Production", "code": "PROD", "account_number": "2000-PRD"}
    pipeline.servicenow.tables.insert("cmn_cost_center", row)
    pipeline.clock.advance(60)
    for id_ in parked:
        each = expectations(pipeline.landscape)[id_]
        company, entity = US if each.erp_source == "BC-US" else DE, ENTITIES[each.kind]
        pipeline.business_central.edit_header(company, id_, entity=entity, purchaser="XX")
    pipeline.run()
    assert pipeline.poison() == []
    assert end_differences(pipeline) == []

"""ServiceNow says of right rows that they are wrong, does not show what is there, or learns of an order after its invoice: what
is then set aside or incomplete is made good, once, when the truth is known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connector.decisions.states import Status
from tests.flows.carriers import CARRIERS, Carrier, carrying, differences, kinds, not_at_rest, sample
from tests.flows.expectation import expectations
from tests.flows.mishaps import FALSE_WORD, PASSING
from tests.flows.pipeline import US
from tests.flows.unrest import edited_meanwhile, go_on_to_the_end, pipeline_of
from tests.sandbox.servicenow.injected import Injection


@pytest.mark.parametrize("door", CARRIERS)
def test_what_servicenow_wrongly_calls_wrong_is_set_aside_and_arrives_when_it_is_replayed(
    door: Carrier, tmp_path: Path
) -> None:
    names = (*PASSING, *sorted(FALSE_WORD), *sorted(FALSE_WORD))
    pipeline, mishaps = pipeline_of(door, tmp_path, seed=5, probability=0.1, names=names)
    edited_meanwhile(door, pipeline)
    go_on_to_the_end(pipeline, mishaps)
    rightly = {id_ for id_, each in expectations(pipeline.landscape).items() if each.fate == "parked"}
    wrongly = {id_: why for id_, why in pipeline.parked().items() if id_ not in rightly}
    assert {code for why in wrongly.values() for code, _ in why} <= {"REJECTED_BY_SERVICENOW"}
    assert len(wrongly) <= sum(mishaps.met[name] for name in FALSE_WORD)
    for message in pipeline.queues.messages(pipeline.settings.poison_queue):
        pipeline.queues.send(pipeline.settings.documents_queue, message.text)
    pipeline.drain()
    found = differences(door, pipeline)
    assert (kinds(found), found, not_at_rest(pipeline)) == (Counter(), [], [])


def test_an_invoice_that_the_api_made_before_its_order_points_to_it_in_the_end(tmp_path: Path) -> None:
    pipeline = carrying("ap_invoice", tmp_path, sample(10, 30))
    billed = {each.header["orderNumber"] for each in pipeline.landscape.data[0].invoices} - {""}
    numbers = sorted(map(str, billed))
    for number in numbers:
        pipeline.business_central.edit_header(US, number, status="Draft")
    pipeline.run()
    assert pipeline.with_status(Status.DONE)
    pipeline.clock.advance(60)
    for number in numbers:
        pipeline.business_central.edit_header(US, number, status="Open")
    pipeline.run()
    assert (differences("ap_invoice", pipeline), not_at_rest(pipeline)) == ([], [])
    linked = [row for row in pipeline.servicenow.tables.rows("sn_shop_invoice") if row["purchase_order"]]
    assert len(linked) >= len(numbers) >= 2


def test_a_line_that_access_rules_hide_is_taken_back_all_the_same(tmp_path: Path) -> None:
    pipeline = carrying("table", tmp_path, sample(6, 0))
    pipeline.run()
    order = next(
        each
        for each in expectations(pipeline.landscape).values()
        if (each.fate, each.erp_source) == ("staged", "BC-US") and len(each.rows) > 3
    )
    pipeline.clock.advance(60)
    pipeline.business_central.remove_line(US, order.number, int(order.rows[1].line))
    hidden = [Injection("drop_rows", method="GET", path="table/proc_po_item"), Injection("drop_field", method="GET")]
    hidden[1].path, hidden[1].field = hidden[0].path, "u_line_number"
    pipeline.servicenow.front.injected.rows = hidden
    pipeline.run()
    assert set(pipeline.servicenow.front.injected.counts) == {"drop_rows", "drop_field"}
    assert (differences("table", pipeline), not_at_rest(pipeline)) == ([], [])

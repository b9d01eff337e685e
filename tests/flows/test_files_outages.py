"""Files while something is wrong: rows are not sent again for them, and in the end each file is there once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from connector.decisions.states import Status
from connector.storage.ports import Replace
from tests.flows.comparison import assert_each_record_was_written_once
from tests.flows.files_bench import (
    LISTED,
    ROWS,
    UPLOAD,
    assert_files_are_there_once,
    pipeline,
    put,
    rows_sent,
    status,
    trail,
    uploads,
)
from tests.flows.pipeline import INVOICES, ORDERS, US
from tests.sandbox.wire import Fault

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
ERROR = '{"error":{"message":"Transaction cancelled","detail":null},"status":"failure"}'
THROTTLED = '{"error":{"message":"Rate limit exceeded","detail":null},"status":"failure"}'
MEDIA = "attachmentContent|pdfDocumentContent"
LISTING = r"purchase(Orders|Invoices)\?.*\$expand=attachments"
UPLOAD_ONLY = f"{UPLOAD}\\?"

Made = Callable[[], Fault]


def fault(effect: str, path: str, **more: object) -> Made:
    """A fault, fresh for each test."""
    return lambda: Fault(effect, path=path, **more)  # type: ignore[arg-type]


SERVICENOW: dict[str, Made] = {
    "an upload's answer is lost": fault("reset_after", UPLOAD_ONLY, skip=2, times=2),
    "an upload ends with 500 and took place": fault(
        "answer_after", UPLOAD_ONLY, skip=1, status=500, headers=JSON, answer=ERROR, times=3
    ),
    "an upload is cut off": fault("cut_body", UPLOAD_ONLY, skip=3),
    "an upload never arrives": fault("reset_before", UPLOAD_ONLY, skip=3, times=2),
    "no connection": fault("refuse", UPLOAD_ONLY, skip=2, times=3),
    "throttled": fault(
        "answer", UPLOAD_ONLY, skip=2, status=429, headers=JSON | {"Retry-After": "60"}, answer=THROTTLED
    ),
    "a page with 200": fault("answer", UPLOAD_ONLY, skip=1, status=200, headers=HTML, answer="<html>", times=3),
    "forbidden for a while": fault("answer", UPLOAD_ONLY, status=403, headers=JSON, answer=ERROR, times=3),
    "credentials refused for a while": fault("answer", UPLOAD_ONLY, status=401, headers=JSON, answer=ERROR, times=4),
    "the list is cut": fault("answer", LISTED, status=200, headers=JSON, answer='{"result":[{', times=4),
    "the list is empty without a count": fault(
        "answer", LISTED, status=200, headers=JSON, answer='{"result":[]}', times=4
    ),
}
BUSINESS_CENTRAL: dict[str, Made] = {
    "the list fails": fault("answer", LISTING, status=503, headers=HTML, answer="", times=4),
    "the list is slow to come": fault("answer", LISTING, status=429, headers=JSON | {"Retry-After": "30"}, answer="{}"),
    "a file breaks off": fault("cut_body", MEDIA, skip=2, times=4),
    "a file is throttled": fault(
        "answer", MEDIA, skip=2, status=429, headers=JSON | {"Retry-After": "30"}, answer="{}"
    ),
    "a file is a page": fault("answer", MEDIA, skip=1, status=200, headers=HTML, answer="<html>", times=2),
    "a file may not be read for a while": fault("answer", MEDIA, status=403, headers=JSON, answer="{}", times=3),
}


@pytest.mark.parametrize("name", [*SERVICENOW, *BUSINESS_CENTRAL])
def test_an_outage_over_files_sends_no_row_again_and_attaches_each_file_once(tmp_path: Path, name: str) -> None:
    there = pipeline(tmp_path)
    exchange = there.sn_exchange if name in SERVICENOW else there.bc_exchange
    exchange.faults = [(SERVICENOW | BUSINESS_CENTRAL)[name]()]
    there.run()
    assert sum(count for key, count in exchange.counts.items() if key.startswith("fault:")) > 0
    there.clock.advance(60)
    there.run()
    assert there.faults == []
    assert_files_are_there_once(there)
    assert_each_record_was_written_once(there)
    assert there.parked() == {}


def test_a_document_whose_files_wait_keeps_on_record_what_servicenow_has(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    there.bc_exchange.faults = [Fault("answer", path=MEDIA, status=503, headers=HTML, times=None)]
    there.poll()
    there.work()
    state = there.states()[there.find(US, "108000", entity=INVOICES)]
    assert state.status is Status.PENDING
    assert (bool(state.payload_hash), state.target, state.files) == (True, "sn_shop_invoice", "")
    action, detail = trail(there, INVOICES, "108000")[-1]
    assert (action, "Business Central" in detail["why"]) == ("rescheduled", True)
    rows = rows_sent(there)
    there.bc_exchange.faults = []
    there.drain()
    assert rows_sent(there) == rows
    assert [action for action, _ in trail(there, INVOICES, "108000")][-2:] == ["rescheduled", "staged"]
    assert_files_are_there_once(there)


def test_business_centrals_wish_to_be_left_alone_goes_for_everybody(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    there.bc_exchange.faults = [
        Fault("answer", path=MEDIA, status=429, headers=JSON | {"Retry-After": "90"}, answer="{}", times=None)
    ]
    there.poll()
    there.work()
    assert there.bc_exchange.counts["fault:answer"] == 1, "nobody asks again before the time is up"
    assert there.parts.bc_gate.closed_for() > 60


def test_servicenows_wish_to_be_left_alone_closes_its_gate(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    there.sn_exchange.faults = [
        Fault(
            "answer", path=UPLOAD_ONLY, status=429, headers=JSON | {"Retry-After": "90"}, answer=THROTTLED, times=None
        )
    ]
    there.poll()
    there.work()
    assert len(uploads(there)) == 1
    assert there.parts.gate.closed_for() > 60


def test_what_one_run_has_no_time_for_follows_in_the_next(tmp_path: Path) -> None:
    there = pipeline(tmp_path, orders=12, invoices=0)
    there.sn_exchange.faults = [Fault("slow", path=UPLOAD_ONLY, delay=45.0, times=None)]
    there.poll()
    there.work()
    done = [state for state in there.states().values() if state.status is Status.DONE and state.files]
    left = [state for state in there.states().values() if state.status is Status.PENDING]
    assert done
    assert left
    assert all(state.payload_hash for state in left)
    rows = rows_sent(there)
    there.drain()
    assert rows_sent(there) == rows
    assert_files_are_there_once(there)


def test_an_invoice_is_tied_to_its_order_even_while_the_orders_files_wait(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    # The order comes after its invoice, and its files do not come at all for now.
    there.business_central.edit_header(US, "106001", status="Draft")
    there.run()
    invoice = there.states()[there.find(US, "108001", entity=INVOICES)]
    assert there.servicenow.tables.get("sn_shop_invoice", invoice.sys_id)["purchase_order"] == ""  # type: ignore[index]
    there.sn_exchange.faults = [
        Fault("answer", path=f"{UPLOAD}.*sn_shop_purchase_order", status=503, headers=HTML, times=None)
    ]
    there.clock.advance(60)
    there.business_central.edit_header(US, "106001", status="Open")
    there.poll()
    for _ in range(3):
        there.work()
        there.clock.advance(20)
    order = there.states()[there.find(US, "106001")]
    assert order.status is Status.PENDING
    found = there.servicenow.tables.get("sn_shop_invoice", invoice.sys_id)
    assert found is not None
    assert found["purchase_order"] == order.sys_id


def test_a_claim_that_was_lost_over_the_rows_carries_no_file(tmp_path: Path) -> None:
    there = pipeline(tmp_path, orders=1, invoices=0)
    there.run()
    put(there, ORDERS, "106001", "late.txt", b"late")
    there.clock.advance(60)
    there.business_central.edit_line(US, "106001", 10000, quantity=3)
    handler, stolen, before = there.sn_exchange.handler, [], len(uploads(there))

    def steal(request: httpx.Request) -> httpx.Response:
        """Somebody else writes the ledger's row while the rows are on their way."""
        answer = handler(request)
        order = [one for one in there.tables.rows("ledger") if one.properties.get("number") == "106001"]
        if request.url.path == ROWS and order and not stolen:
            (row,) = (one for one in order if one.row.startswith("s|"))
            there.tables.write("ledger", row.partition, [Replace(row.row, dict(row.properties), row.etag)])
            stolen.append(row)
        return answer

    there.sn_exchange.handler = steal
    there.poll()
    there.work()
    assert stolen
    assert trail(there, ORDERS, "106001")[-1][0] == "intent"
    assert len(uploads(there)) == before


def test_a_document_whose_rows_were_not_taken_gets_no_file_yet(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    there.sn_exchange.faults = [Fault("answer", path=ROWS, status=503, headers=HTML, times=None)]
    there.poll()
    there.work()
    assert {state.status for state in there.states().values()} <= {Status.PENDING, Status.WAITING}
    assert not any(sent.path in (LISTED, UPLOAD) for sent in there.wire.requests)
    assert there.poison() == []


@pytest.mark.parametrize("seed", range(6))
def test_random_faults_on_both_sides_leave_each_file_once(tmp_path: Path, seed: int) -> None:
    there = pipeline(tmp_path, seed=seed, orders=3, invoices=4)
    for exchange, paths in ((there.sn_exchange, f"{UPLOAD_ONLY}|{LISTED}"), (there.bc_exchange, f"{MEDIA}|{LISTING}")):
        exchange.chance.seed(seed)
        exchange.faults = [
            Fault(effect, path=paths, times=8, probability=0.15)  # type: ignore[arg-type]
            for effect in ("reset_after", "reset_before", "cut_body", "refuse")
        ]
        exchange.faults.append(
            Fault("answer_after", path=paths, status=500, headers=JSON, answer=ERROR, times=5, probability=0.2)
        )
    there.run()
    put(there, ORDERS, "106001", "late.txt", b"late")
    there.clock.advance(60)
    there.business_central.edit_header(US, "106001", purchaser="ZZ")
    there.run()
    assert status(there, ORDERS, "106001") is Status.DONE
    assert_files_are_there_once(there)
    assert there.parked() == {}

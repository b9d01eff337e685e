"""Files: the print and the attachments of a document follow it into ServiceNow, each once and to the byte."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from connector.decisions.states import Status
from tests.flows.comparison import assert_each_record_was_written_once
from tests.flows.files_bench import (
    LISTED,
    UPLOAD,
    WRITER,
    assert_files_are_there_once,
    attached,
    carried,
    pipeline,
    profile,
    put,
    send_again,
    status,
    tell_size,
    trail,
    uploads,
)
from tests.flows.pipeline import INVOICES, ORDERS, US, Pipeline, some
from tests.sandbox.servicenow.attachment_files import files_of
from tests.sandbox.servicenow.shipped import CONNECTOR_USER


def edit(there: Pipeline, entity: str, number: str, **changes: str) -> None:
    """Changes the document in BC, a minute later, and has it carried."""
    there.clock.advance(60)
    there.business_central.edit_header(US, number, entity=entity, **changes)  # type: ignore[arg-type]
    there.run()


# -- once and to the byte


def test_every_document_has_its_files_once_and_to_the_byte(tmp_path: Path) -> None:
    there = carried(tmp_path)
    assert_files_are_there_once(there)
    assert_each_record_was_written_once(there)
    assert attached(there, ORDERS, "106001")["terms.txt"] == b"Net 30"
    assert set(attached(there, INVOICES, "108003")) == {"108003.pdf", "scan.png"}


def test_the_trail_tells_the_files_and_is_whole(tmp_path: Path) -> None:
    there = carried(tmp_path)
    steps = trail(there, INVOICES, "108000")
    assert [action for action, _ in steps] == ["seen", "intent", "verified", "staged"]
    assert steps[-1][1]["files"] == ["108000.pdf", "Invoice 108000.pdf", "Note 108000.txt"]
    assert there.intact(US, there.find(US, "108000", entity=INVOICES), entity=INVOICES)


def test_telemetry_tells_counts_and_bytes_and_no_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "connector")
    there = carried(tmp_path)
    told = [record for record in caplog.records if record.__dict__.get("action") == "attached"]
    assert sum(record.__dict__["bc_count"] for record in told) == len(uploads(there)) == 17
    assert all(record.__dict__["bc_size"] > 0 for record in told)
    assert not any(name in caplog.text for name in (".pdf", ".txt", ".png"))


def test_a_route_without_files_asks_for_none() -> None:
    there = Pipeline(data=some(orders=4, invoices=6)[:1])
    there.run()
    assert not any("ttachment" in sent.path or "pdf" in sent.path for sent in there.wire.requests)
    assert [action for action, _ in trail(there, INVOICES, "108000")] == ["seen", "intent", "staged"]


def test_a_document_without_any_file_has_its_outcome_too(tmp_path: Path) -> None:
    there = carried(tmp_path, "files = { attachments = true }")
    assert attached(there, ORDERS, "106002") == {}
    assert there.states()[there.find(US, "106002")].outcome == "staged"
    assert set(attached(there, ORDERS, "106001")) == {"terms.txt"}


def test_only_what_the_profile_asks_for_follows(tmp_path: Path) -> None:
    there = carried(tmp_path, "files = { pdf = true }")
    assert set(attached(there, INVOICES, "108000")) == {"108000.pdf"}
    assert set(attached(there, ORDERS, "106001")) == {"106001.pdf"}


def test_nothing_is_asked_again_while_nothing_changes(tmp_path: Path) -> None:
    there = carried(tmp_path)
    before = len(there.wire.requests)
    there.clock.advance(60)
    there.run()
    assert not any("ttachment" in sent.path or "pdf" in sent.path for sent in there.wire.requests[before:])


def test_files_of_one_name_are_told_apart_by_numbers(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    for data in (b"first", b"2nd"):
        put(there, ORDERS, "106001", "a.txt", data)
        there.clock.advance(1)
    put(there, ORDERS, "106001", "a.txt", b"first", kind="attachments")
    put(there, ORDERS, "106001", "106001.pdf", b"of a user")
    there.run()
    found = attached(there, ORDERS, "106001")
    assert found.pop("106001.pdf").startswith(b"%PDF-")
    assert found == {
        "a.txt": b"first",
        "a [2].txt": b"2nd",
        "a [3].txt": b"first",
        "106001 [2].pdf": b"of a user",
    }
    send_again(there, ORDERS, "106001")
    assert len(attached(there, ORDERS, "106001")) == 5


def test_names_are_cleaned_on_the_way(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    for name in ("../x.txt", "SD_y.txt", "z\t\u202e.txt"):
        put(there, ORDERS, "106001", name)
    there.run()
    assert set(attached(there, ORDERS, "106001")) == {"106001.pdf", "_x.txt", "BC_SD_y.txt", "z .txt"}


def test_an_empty_file_is_left_out(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    put(there, ORDERS, "106001", "empty.txt", b"")
    there.run()
    assert set(attached(there, ORDERS, "106001")) == {"106001.pdf"}
    assert status(there, ORDERS, "106001") is Status.DONE


@pytest.mark.parametrize("told", [0, 3, 10**6])
def test_a_wrong_word_of_bc_on_the_size_attaches_nothing_twice(tmp_path: Path, told: int) -> None:
    there = pipeline(tmp_path)
    id_ = put(there, ORDERS, "106001", "terms.txt", b"Net 30")
    tell_size(there, id_, told)
    there.run()
    for number in (1, 2):
        put(there, ORDERS, "106001", f"more {number}.txt")  # so that the record is looked at again
        send_again(there, ORDERS, "106001")
    assert attached(there, ORDERS, "106001")["terms.txt"] == b"Net 30"
    assert len(attached(there, ORDERS, "106001")) == 4


# -- later


def test_what_is_attached_later_follows_with_the_next_change_of_the_document(tmp_path: Path) -> None:
    there = carried(tmp_path)
    print_before = attached(there, ORDERS, "106001")["106001.pdf"]
    sent = len(uploads(there))
    put(there, ORDERS, "106001", "second.txt", b"2")
    edit(there, ORDERS, "106001", purchaser="ZZ")
    there.business_central.edit_line(US, "106001", 10000, quantity=3)
    edit(there, ORDERS, "106001", purchaser="YY")
    found = attached(there, ORDERS, "106001")
    assert set(found) == {"106001.pdf", "terms.txt", "second.txt"}
    assert found["106001.pdf"] == print_before, "a print is attached once"
    assert len(uploads(there)) == sent + 1


def test_a_change_without_news_of_files_asks_servicenow_for_none(tmp_path: Path) -> None:
    there = carried(tmp_path)
    before = len(there.wire.requests)
    edit(there, ORDERS, "106001", purchaser="ZZ")
    assert not any(sent.path in (LISTED, UPLOAD) for sent in there.wire.requests[before:])
    assert status(there, ORDERS, "106001") is Status.DONE


def test_what_is_taken_away_in_bc_stays_in_servicenow(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    id_ = put(there, ORDERS, "106001", "terms.txt", b"Net 30")
    there.run()
    there.business_central.delete(US, "documentAttachments", id_)
    edit(there, ORDERS, "106001", purchaser="ZZ")
    assert set(attached(there, ORDERS, "106001")) == {"106001.pdf", "terms.txt"}


def test_a_file_that_somebody_removed_in_servicenow_does_not_come_back_by_itself(tmp_path: Path) -> None:
    there = carried(tmp_path)
    sys_id = there.states()[there.find(US, "106001")].sys_id
    (row,) = (row for row in files_of(there.servicenow.tables, sys_id) if row["file_name"] == "terms.txt")
    there.servicenow.tables.delete("sys_attachment", row["sys_id"])
    edit(there, ORDERS, "106001", purchaser="ZZ")
    assert set(attached(there, ORDERS, "106001")) == {"106001.pdf"}


def test_a_record_that_was_made_anew_gets_all_files(tmp_path: Path) -> None:
    there = carried(tmp_path)
    there.servicenow.tables.delete("sn_shop_purchase_order", there.states()[there.find(US, "106001")].sys_id)
    there.business_central.edit_line(US, "106001", 10000, quantity=3)
    edit(there, ORDERS, "106001", purchaser="ZZ")
    assert set(attached(there, ORDERS, "106001")) == {"106001.pdf", "terms.txt"}


def test_an_invoice_is_printed_once_it_is_posted(tmp_path: Path) -> None:
    text = Path(profile(tmp_path)).read_text("utf-8")
    head, route, tail = text.partition("[routes.purchaseInvoices]\n")
    assert 'eligible = ["Open"]' in tail
    path = tmp_path / "drafts.toml"
    path.write_text(head + route + tail.replace('eligible = ["Open"]', 'eligible = ["Draft", "Open"]', 1), "utf-8")
    there = Pipeline(data=some(orders=1, invoices=6)[:1], settings={"PROFILE": str(path)})
    there.servicenow.access.grant(CONNECTOR_USER, WRITER)
    there.run()
    assert attached(there, INVOICES, "107205") == {}
    assert status(there, INVOICES, "107205") is Status.DONE
    edit(there, INVOICES, "107205", status="Open")
    assert set(attached(there, INVOICES, "107205")) == {"107205.pdf"}

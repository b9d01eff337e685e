"""Files that cannot be carried: what parks a document, what waits, and what check says beforehand."""

from __future__ import annotations

from pathlib import Path

from connector.decisions.states import Status
from connector.flows.check import check_servicenow
from tests.flows.comparison import assert_each_record_was_written_once
from tests.flows.files_bench import (
    ROWS,
    UPLOAD,
    WRITER,
    assert_files_are_there_once,
    attached,
    carried,
    pipeline,
    profile,
    put,
    rows_sent,
    send_again,
    status,
    tell_size,
    trail,
    uploads,
)
from tests.flows.pipeline import ORDERS, SN_HOST, US, Pipeline, reasons, some
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.shipped import CONNECTOR_USER
from tests.sandbox.wire import Fault

JSON = {"Content-Type": "application/json"}
FORBIDDEN = '{"error":{"message":"Operation Failed","detail":"ACL Exception Insert Failed"},"status":"failure"}'


def reason(there: Pipeline, entity: str, number: str) -> dict[str, str]:
    """The one reason why the document is parked."""
    (found,) = reasons(there.states()[there.find(US, number, entity=entity)])
    return found


# -- what cannot be carried


def test_a_file_that_is_too_large_parks_and_goes_on_when_the_profile_allows_it(tmp_path: Path) -> None:
    there = carried(tmp_path, "files = { pdf = true, attachments = true, max_bytes = 2000 }")
    put(there, ORDERS, "106002", "large.bin", b"x" * 2001)
    put(there, ORDERS, "106002", "small.txt", b"s")
    send_again(there, ORDERS, "106002")
    assert status(there, ORDERS, "106002") is Status.PARKED
    assert reason(there, ORDERS, "106002")["code"] == "ATTACHMENT_TOO_LARGE"
    assert "large.bin has 2001 bytes; the profile allows 2000" in reason(there, ORDERS, "106002")["message"]
    assert set(attached(there, ORDERS, "106002")) == {"106002.pdf", "small.txt"}
    assert len(there.poison()) == 1

    raised = Pipeline(
        settings={"PROFILE": profile(tmp_path)},
        landscape=there.landscape,
        tables=there.tables,
        queues=there.queues,
        clock=there.clock,
    )
    rows = rows_sent(there)
    send_again(raised, ORDERS, "106002")
    assert status(raised, ORDERS, "106002") is Status.DONE
    assert attached(raised, ORDERS, "106002")["large.bin"] == b"x" * 2001
    assert len(attached(raised, ORDERS, "106002")) == 3
    assert (rows_sent(raised), rows_sent(there)) == (0, rows)
    assert raised.poison() == []


def test_a_file_that_lies_about_its_size_is_stopped_by_the_cap(tmp_path: Path) -> None:
    there = pipeline(tmp_path, "files = { attachments = true, max_bytes = 2000 }")
    id_ = put(there, ORDERS, "106002", "large.bin", b"x" * 2001)
    tell_size(there, id_, 5)
    there.run()
    assert reason(there, ORDERS, "106002")["code"] == "ATTACHMENT_TOO_LARGE"
    assert attached(there, ORDERS, "106002") == {}


def test_a_file_that_servicenow_will_not_have_parks_with_its_name_and_a_remedy(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    there.servicenow.properties.set("glide.attachment.extensions", "pdf,txt,png")
    put(there, ORDERS, "106002", "tool.exe", b"MZ")
    put(there, ORDERS, "106002", "note.txt", b"n")
    there.run()
    found = reason(there, ORDERS, "106002")
    assert found["code"] == "ATTACHMENT_REFUSED"
    assert "tool.exe" in found["message"]
    assert "Files like tool.exe are not allowed" in found["message"]
    assert "glide.attachment.extensions" in found["remedy"]
    assert set(attached(there, ORDERS, "106002")) == {"106002.pdf", "note.txt"}
    rows = rows_sent(there)
    there.servicenow.properties.set("glide.attachment.extensions", "")
    send_again(there, ORDERS, "106002")
    assert attached(there, ORDERS, "106002")["tool.exe"] == b"MZ"
    assert (status(there, ORDERS, "106002"), rows_sent(there)) == (Status.DONE, rows)


def test_several_files_that_cannot_be_carried_are_all_named(tmp_path: Path) -> None:
    there = pipeline(tmp_path, "files = { attachments = true, max_bytes = 10 }")
    there.servicenow.properties.set("glide.attachment.extensions", "txt")
    for name, data in (("a.exe", b"1"), ("b.txt", b"x" * 11), ("c.txt", b"c")):
        put(there, ORDERS, "106002", name, data)
    there.run()
    state = there.states()[there.find(US, "106002")]
    assert {one["code"] for one in reasons(state)} == {"ATTACHMENT_TOO_LARGE", "ATTACHMENT_REFUSED"}
    assert set(attached(there, ORDERS, "106002")) == {"c.txt"}


def test_a_record_that_takes_no_file_waits_and_the_others_go_on(tmp_path: Path) -> None:
    there = carried(tmp_path)
    numbers = ("106001", "106002", "106003")
    closed = there.states()[there.find(US, "106002")].sys_id
    there.sn_exchange.faults = [
        Fault("answer", path=f"{UPLOAD}.*{closed}", status=403, headers=JSON, answer=FORBIDDEN, times=None)
    ]
    for number in numbers:
        put(there, ORDERS, number, "late.txt", b"late")
        there.business_central.edit_header(US, number, purchaser="ZZ")
    there.clock.advance(60)
    there.poll()
    there.work()
    assert [status(there, ORDERS, number) for number in numbers] == [Status.DONE, Status.PENDING, Status.DONE]
    there.sn_exchange.faults = []
    rows = rows_sent(there)
    there.drain()
    assert status(there, ORDERS, "106002") is Status.DONE
    assert rows_sent(there) == rows
    assert_files_are_there_once(there)


def test_when_no_record_can_be_written_only_a_few_are_tried(tmp_path: Path) -> None:
    there = pipeline(tmp_path, orders=8)
    there.servicenow.access.revoke(CONNECTOR_USER, WRITER)
    there.poll()
    there.work()
    assert len(uploads(there)) == 6, "three of each kind"
    assert {state.status for state in there.states().values()} >= {Status.PENDING}
    there.servicenow.access.grant(CONNECTOR_USER, WRITER)
    rows = rows_sent(there)
    there.drain()
    assert_files_are_there_once(there)
    assert_each_record_was_written_once(there)
    assert rows_sent(there) == rows


def test_while_attachments_cannot_be_listed_in_full_none_is_sent(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    there.run()
    put(there, ORDERS, "106001", "terms.txt", b"Net 30")
    hidden = rule("sys_attachment", ("read",), ("admin",))
    there.servicenow.access.add(hidden)
    sent = len(uploads(there))
    there.clock.advance(60)
    there.business_central.edit_header(US, "106001", purchaser="ZZ")
    there.poll()
    there.work()
    assert status(there, ORDERS, "106001") is Status.PENDING
    assert "attachments of a record" in trail(there, ORDERS, "106001")[-1][1]["why"]
    assert len(uploads(there)) == sent


def test_rows_and_files_can_be_written_by_nobody_else_in_between(tmp_path: Path) -> None:
    there = carried(tmp_path)
    assert {sent.path for sent in there.wire.to(SN_HOST, method="POST")} <= {ROWS, UPLOAD, "/oauth_token.do"}


# -- what check says


def finding(there: Pipeline) -> tuple[str, str]:
    """Level and words of what a check says about attachments."""
    lines, _ = check_servicenow(there.parts)
    (found,) = (line.finding for line in lines if line.finding.code.startswith("SN_ATTACHMENTS"))
    return found.level, found.what + found.remedy


def test_check_tells_whether_attachments_can_be_read(tmp_path: Path) -> None:
    there = pipeline(tmp_path)
    assert finding(there)[0] == "warn", "there is none yet"
    there.run()
    assert finding(there) == ("ok", "attachments can be read")
    there.servicenow.access.add(rule("sys_attachment", ("read",), ("admin",)))
    level, words = finding(there)
    assert level == "warn"
    assert "closed to the user" in words
    assert "Let the user read sys_attachment" in words


def test_check_says_nothing_of_attachments_where_no_route_asks_for_files() -> None:
    lines, _ = check_servicenow(Pipeline(data=some(orders=1, invoices=1)[:1]).parts)
    assert not any(line.finding.code.startswith("SN_ATTACHMENTS") for line in lines)

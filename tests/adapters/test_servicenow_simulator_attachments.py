"""The Attachment API of the ServiceNow stand-in, by hand and through PySNC, the vendor's own client, unchanged.

Rules checked: REST API reference, "Attachment API"; "Available system properties" (size, extensions); "Purchase order
integration" (files on the staging row go to the order).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pysnc import ServiceNowClient  # type: ignore[import-untyped]

from tests.sandbox.servicenow import ADMIN_PASSWORD, ADMIN_USER, ServiceNow, sample
from tests.sandbox.servicenow.desk import BASE, ORDER, Desk
from tests.sandbox.wire import Exchange, serve

PATH = "/api/now/attachment"
TABLE = "sn_shop_purchase_order"
PDF = b"%PDF-1.4\r\n\x00\xff a small file"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.simulator.access.grant("connector", "sn_shop.procurement_common_user")
    return desk


@pytest.fixture
def order(desk: Desk) -> str:
    return str(desk.post(ORDER, sample.order("PO-1"))["sys_id"])


def upload(desk: Desk, order: str, name: str = "a.pdf", content: bytes = PDF, **changes: str) -> httpx.Response:
    parameters = {"table_name": TABLE, "table_sys_id": order, "file_name": name} | changes
    headers = {"Content-Type": "application/pdf"}
    return desk.client.post(f"{PATH}/file", params=parameters, content=content, headers=headers)


# -- upload


def test_a_raw_upload_is_answered_with_the_metadata_all_strings(desk: Desk, order: str) -> None:
    answer = upload(desk, order)
    assert answer.status_code == 201
    found = answer.json()["result"]
    assert answer.headers["Location"] == f"{BASE}{PATH}/{found['sys_id']}"
    assert set(found) == {
        *("sys_id table_name table_sys_id file_name content_type size_bytes size_compressed compressed".split()),
        *("download_link image_height image_width average_image_color created_by_name updated_by_name".split()),
        *("sys_created_on sys_created_by sys_updated_on sys_updated_by sys_mod_count sys_tags".split()),
    }
    assert all(isinstance(value, str) for value in found.values())
    assert (found["file_name"], found["content_type"]) == ("a.pdf", "application/pdf")
    assert (found["size_bytes"], found["compressed"], found["table_sys_id"]) == (str(len(PDF)), "true", order)
    assert (found["sys_created_by"], found["created_by_name"]) == ("connector", "Connector")
    assert found["download_link"] == f"{BASE}{PATH}/{found['sys_id']}/file"


@pytest.mark.parametrize("missing", ["table_name", "table_sys_id", "file_name"])
def test_a_missing_parameter_is_a_400(desk: Desk, order: str, missing: str) -> None:
    parameters = {"table_name": TABLE, "table_sys_id": order, "file_name": "a.pdf"} | {missing: ""}
    headers = {"Content-Type": "application/pdf"}
    answer = desk.client.post(f"{PATH}/file", params=parameters, content=PDF, headers=headers)
    assert answer.status_code == 400
    assert missing in answer.json()["error"]["detail"]


def test_the_content_type_of_the_file_is_mandatory(desk: Desk, order: str) -> None:
    parameters = {"table_name": TABLE, "table_sys_id": order, "file_name": "a.pdf"}
    assert desk.client.post(f"{PATH}/file", params=parameters, content=PDF).status_code == 400


def test_a_record_that_is_not_there_is_a_404(desk: Desk, order: str) -> None:
    assert upload(desk, "0" * 32).status_code == 404
    assert upload(desk, order, table_name="no_such_table").status_code == 404


def test_a_form_upload_has_the_file_last(desk: Desk, order: str) -> None:
    form = {"table_name": TABLE, "table_sys_id": order}
    answer = desk.client.post(f"{PATH}/upload", data=form, files={"uploadFile": ("b.bin", PDF, "image/png")})
    assert answer.status_code == 201
    found = answer.json()["result"]
    assert (found["file_name"], found["content_type"]) == ("b.bin", "image/png")
    assert desk.client.get(f"{PATH}/{found['sys_id']}/file").content == PDF


def test_fields_after_the_file_are_not_read(desk: Desk, order: str) -> None:
    parts = [
        'name="table_name"\r\n\r\nsn_shop_purchase_order',
        'name="uploadFile"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhello',
        f'name="table_sys_id"\r\n\r\n{order}',
    ]
    body = "".join(f"--x\r\nContent-Disposition: form-data; {part}\r\n" for part in parts) + "--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = desk.client.post(f"{PATH}/upload", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["detail"]) == (400, "table_sys_id must be given")


@pytest.mark.parametrize(
    ("kind", "status"), [("multipart/form-data", 400), ("multipart/form-data; boundary=x", 400), ("text/plain", 415)]
)
def test_a_form_without_a_file_is_refused(desk: Desk, kind: str, status: int) -> None:
    assert desk.client.post(f"{PATH}/upload", content=b"", headers={"Content-Type": kind}).status_code == status


def test_the_same_file_again_is_a_second_attachment(desk: Desk, order: str) -> None:
    first, second = upload(desk, order), upload(desk, order)
    assert first.json()["result"]["sys_id"] != second.json()["result"]["sys_id"]


def test_a_property_limits_the_size(desk: Desk, order: str) -> None:
    large = b"x" * (2**20 + 1)
    assert upload(desk, order, content=large).status_code == 201
    desk.simulator.properties.set("com.glide.attachment.max_size", "1")
    assert upload(desk, order, content=large).status_code == 400
    assert upload(desk, order, content=large[1:]).status_code == 201


def test_a_property_limits_the_extensions(desk: Desk, order: str) -> None:
    desk.simulator.properties.set("glide.attachment.extensions", "pdf, png")
    assert upload(desk, order, "a.PDF").status_code == 201
    assert upload(desk, order, "a.exe").status_code == 400


def test_a_file_may_be_larger_than_a_json_document(desk: Desk, order: str) -> None:
    assert upload(desk, order, content=b"x" * (10 * 2**20 + 1)).status_code == 201


# -- rights


def test_who_may_read_but_not_write_the_record_gets_a_403(desk: Desk, order: str) -> None:
    desk.simulator.access.revoke("connector", "sn_shop.procurement_common_user")
    assert upload(desk, order).status_code == 403
    assert desk.tables.rows("sys_attachment") == []


def test_who_may_not_read_the_record_sees_nothing(desk: Desk, order: str) -> None:
    sys_id = upload(desk, order).json()["result"]["sys_id"]
    for role in ("sn_shop.procurement_common_user", "sn_shop.procurement_common_reader"):
        desk.simulator.access.revoke("connector", role)
    assert upload(desk, order).status_code == 404
    assert desk.client.get(PATH).json()["result"] == []
    assert [desk.client.get(f"{PATH}/{sys_id}{end}").status_code for end in ("", "/file")] == [404, 404]


# -- read, rename, delete


def test_the_list_takes_a_query_a_limit_and_an_offset(desk: Desk, order: str) -> None:
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        upload(desk, order, name)
    query = f"table_name={TABLE}^table_sys_id={order}^ORDERBYDESCfile_name"
    answer = desk.client.get(PATH, params={"sysparm_query": query, "sysparm_limit": "1", "sysparm_offset": "1"})
    assert [row["file_name"] for row in answer.json()["result"]] == ["b.pdf"]
    assert answer.headers["X-Total-Count"] == "3"
    assert 'sysparm_offset=2>;rel="next"' in answer.headers["Link"]
    none = desk.client.get(PATH, params={"sysparm_query": f"table_sys_id={order}^file_name=z.pdf"})
    assert (none.status_code, none.json()) == (200, {"result": []})


def test_a_list_without_a_limit_ends_at_a_thousand(desk: Desk, order: str) -> None:
    row = {"file_name": "x", "table_name": TABLE, "table_sys_id": order}
    for _ in range(1001):
        desk.tables.insert("sys_attachment", row)
    assert len(desk.client.get(PATH).json()["result"]) == 1000


def test_a_download_carries_the_metadata_in_a_header(desk: Desk, order: str) -> None:
    metadata = upload(desk, order).json()["result"]
    answer = desk.client.get(f"{PATH}/{metadata['sys_id']}/file", headers={"Accept": "application/pdf"})
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert json.loads(answer.headers["X-Attachment-Metadata"]) == metadata


def test_the_bytes_are_not_in_reach_of_the_table_api(desk: Desk, order: str) -> None:
    upload(desk, order)
    assert desk.client.get("/api/now/table/sys_attachment_doc").json() == {"result": []}


def test_only_the_name_can_be_changed(desk: Desk, order: str) -> None:
    sys_id = upload(desk, order).json()["result"]["sys_id"]
    answer = desk.client.patch(f"{PATH}/{sys_id}", json={"file_name": "new.pdf", "content_type": "x"})
    assert (answer.status_code, answer.content) == (204, b"")
    found = desk.client.get(f"{PATH}/{sys_id}").json()["result"]
    assert (found["file_name"], found["content_type"], found["sys_mod_count"]) == ("new.pdf", "application/pdf", "1")
    assert desk.client.patch(f"{PATH}/{sys_id}", json={}).status_code == 400


def test_a_deleted_attachment_is_gone_with_its_bytes(desk: Desk, order: str) -> None:
    sys_id = upload(desk, order).json()["result"]["sys_id"]
    assert desk.client.delete(f"{PATH}/{sys_id}").status_code == 204
    assert desk.client.get(f"{PATH}/{sys_id}").status_code == 404
    assert desk.client.delete(f"{PATH}/{sys_id}").status_code == 404
    assert desk.tables.rows("sys_attachment_doc") == []


def test_files_on_a_staging_row_go_to_the_order_when_it_is_transformed(desk: Desk) -> None:
    number = desk.answer(ORDER, sample.order("PO-1"))["import_set"]
    (row,) = desk.tables.find("sys_import_set", {"number": number})
    desk.tables.update("sys_import_set", row["sys_id"], {"mode": "asynchronous"})
    staging_row = desk.post(ORDER, sample.order("PO-2"))["sys_id"]
    assert upload(desk, staging_row, table_name=ORDER).status_code == 201
    desk.simulator.transform(number)
    desk.simulator.work()
    target = desk.staged(ORDER)["sys_target_sys_id"]
    (copied,) = desk.client.get(PATH, params={"sysparm_query": f"table_sys_id={target}"}).json()["result"]
    assert (copied["table_name"], copied["file_name"]) == (TABLE, "a.pdf")
    assert desk.client.get(f"{PATH}/{copied['sys_id']}/file").content == PDF


# -- PySNC


@pytest.fixture
def pysnc() -> Iterator[ServiceNowClient]:
    simulator = ServiceNow(now=lambda: datetime(2026, 5, 4, 8, 0, tzinfo=UTC), seed=sample.SEED)
    with serve(Exchange(simulator.handle)) as served:
        client = ServiceNowClient(f"HTTP://127.0.0.1:{served.port}", (ADMIN_USER, ADMIN_PASSWORD))
        yield client
        client.session.close()


def test_pysnc_attaches_lists_reads_and_deletes_files(pysnc: ServiceNowClient, tmp_path: Path) -> None:
    record = pysnc.GlideRecord("cmn_cost_center")
    assert record.get("code", "SALES")
    record.add_attachment("notes.txt", b"first\nsecond", content_type="text/plain")
    record.add_attachment("scan.pdf", PDF)
    attachments = record.get_attachments()
    assert len(attachments) == 2
    assert [attachment.file_name for attachment in attachments] == ["notes.txt", "scan.pdf"]
    attachments = record.get_attachments()
    assert attachments.next()
    assert attachments.readlines() == ["first", "second"]
    with attachments.as_temp_file() as file:
        assert file.read() == b"first\nsecond"
    assert attachments.next()
    assert attachments.write_to(tmp_path).read_bytes() == PDF
    attachments.delete()
    assert len(record.get_attachments()) == 1
    single = pysnc.Attachment("cmn_cost_center")
    assert not single.get("0" * 32)

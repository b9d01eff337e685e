"""Attachments against the simulator: lists that are complete or an outage, uploads whose answers are judged."""

from __future__ import annotations

import random
from typing import Any

import pytest

from connector.errors import Ambiguous, Outage, Refused, Throttled
from connector.model.files import Attached
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.remote.spool import Spool
from connector.servicenow.attachments import Attachments, FileRefused, RecordClosed, is_record
from connector.servicenow.authorisation import Basic
from connector.servicenow.session import ServiceNowSession
from tests.adapters.servicenow_bench import BASE, Bench
from tests.sandbox.clock import VirtualClock
from tests.sandbox.servicenow import CONNECTOR_PASSWORD, CONNECTOR_USER
from tests.sandbox.servicenow.access import rule
from tests.sandbox.servicenow.attachment_files import File, content, files_of, save
from tests.sandbox.wire import Fault, InProcess

TABLE = "cmn_cost_center"
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
UPLOAD = "/api/now/attachment/file"
LIST = "/api/now/table/sys_attachment"
REFUSAL = '{"error":{"message":"Operation Failed","detail":"no"},"status":"failure"}'


class Scene:
    """Two cost centres, which the connector may write, and the adapter."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.tables = self.bench.tables
        self.bench.access.add(rule(TABLE, ("read", "create", "write"), ("snc_internal",)))
        self.first, self.second = (row["sys_id"] for row in self.tables.rows(TABLE)[:2])
        clock = VirtualClock()
        remote = Remote("ServiceNow", InProcess(self.bench.exchange), clock)
        basic = Basic(CONNECTOR_USER, CONNECTOR_PASSWORD, clock)
        chance = SeededRandomness(random.Random(1))
        self.attachments = Attachments(ServiceNowSession(remote, basic, BASE, clock, chance))

    def attach(self, name: str = "a.pdf", data: bytes = b"%PDF-", *, record: str = "", table: str = TABLE) -> None:
        """Attaches these bytes."""
        with Spool(10**6) as spool:
            spool.write(data)
            self.attachments.attach(table, record or self.first, name, spool)

    def names(self) -> list[str]:
        """What the first record has."""
        return sorted(row["file_name"] for row in files_of(self.tables, self.first))

    def fault(self, effect: str, path: str = UPLOAD, **more: Any) -> None:
        """The next request of this kind meets it."""
        self.bench.exchange.faults.append(Fault(effect, path=path, **more))  # type: ignore[arg-type]


@pytest.fixture
def scene() -> Scene:
    return Scene()


# -- uploads


@pytest.mark.parametrize("name", ["a.pdf", "Ünï & co #1? 100%+.txt", "x" * 100])
def test_a_file_is_attached_under_its_name_to_the_byte(scene: Scene, name: str) -> None:
    scene.attach(name, b"\x00\xffbytes")
    (row,) = files_of(scene.tables, scene.first)
    assert (row["file_name"], row["table_name"], row["size_bytes"]) == (name, TABLE, "7")
    assert content(scene.tables, row["sys_id"]) == b"\x00\xffbytes"
    assert scene.attachments.of([scene.first]) == {scene.first: [Attached(name, 7)]}


def test_the_type_is_that_of_the_ending(scene: Scene) -> None:
    for name in ("a.pdf", "b.html", "c"):
        scene.attach(name)
    types = {row["file_name"]: row["content_type"] for row in files_of(scene.tables, scene.first)}
    assert types == {"a.pdf": "application/pdf", "b.html": "application/octet-stream", "c": "application/octet-stream"}


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "reset_after"},
        {"effect": "cut_body"},
        {"effect": "answer_after", "status": 500, "headers": JSON, "answer": REFUSAL},
        {"effect": "answer_after", "status": 201, "headers": JSON, "answer": '{"result":{"sys_id"'},
        {"effect": "answer_after", "status": 502, "headers": HTML, "answer": "bad gateway"},
    ],
    ids=str,
)
def test_a_lost_answer_is_ambiguous_and_nothing_is_sent_again(scene: Scene, fault: dict[str, Any]) -> None:
    scene.fault(**fault)
    with pytest.raises(Ambiguous) as caught:
        scene.attach()
    assert caught.value.settles_after >= 60.0
    assert scene.names() == ["a.pdf"]
    assert scene.attachments.of([scene.first])[scene.first] == [Attached("a.pdf", 5)]


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "answer", "status": 401, "headers": JSON, "answer": REFUSAL},
        {"effect": "answer", "status": 202, "headers": {}, "answer": ""},
        {
            "effect": "answer",
            "status": 403,
            "headers": JSON,
            "answer": '{"error":{"message":"User Not Authorized","detail":"Failed API level ACL Validation"}}',
        },
    ],
    ids=["stale credentials", "queue full", "another node"],
)
def test_what_is_known_not_to_have_happened_is_sent_once_more_with_all_its_bytes(
    scene: Scene, fault: dict[str, Any]
) -> None:
    scene.fault(**fault)
    if fault["status"] == 401:
        # A password has no younger one: it is refused, and nothing was attached.
        with pytest.raises(Refused):
            scene.attach()
        assert scene.names() == []
        return
    scene.attach()
    (row,) = files_of(scene.tables, scene.first)
    assert content(scene.tables, row["sys_id"]) == b"%PDF-"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"effect": "answer", "status": 429, "headers": JSON | {"Retry-After": "9"}, "answer": "{}"}, Throttled),
        ({"effect": "answer", "status": 200, "headers": HTML, "answer": "<html>hibernating"}, Outage),
        ({"effect": "answer", "status": 302, "headers": {"Location": "/login.do"}}, Outage),
        ({"effect": "refuse"}, Outage),
    ],
    ids=["throttled", "hibernating", "login", "no connection"],
)
def test_an_outage_is_none_of_the_files_fault(scene: Scene, fault: dict[str, Any], error: type[Outage]) -> None:
    scene.fault(**fault)
    with pytest.raises(error) as caught:
        scene.attach()
    assert not isinstance(caught.value, Ambiguous | RecordClosed)
    assert scene.names() == []


def test_what_the_instance_will_not_have_is_refused_in_its_words(scene: Scene) -> None:
    scene.bench.properties.set("glide.attachment.extensions", "pdf")
    with pytest.raises(FileRefused, match="not allowed"):
        scene.attach("a.exe")
    scene.bench.properties.set("com.glide.attachment.max_size", "0")
    with pytest.raises(FileRefused, match="larger than 0 MB"):
        scene.attach()
    scene.fault("answer", status=413, headers=HTML, answer="too large")
    with pytest.raises(FileRefused):
        scene.attach()
    assert scene.names() == []


def test_a_file_that_was_kept_in_part_is_refused(scene: Scene) -> None:
    scene.fault("answer", status=201, headers=JSON, answer='{"result":{"size_bytes":"3"}}')
    with pytest.raises(FileRefused, match="kept 3 of 5 bytes"):
        scene.attach()


def test_a_record_that_is_gone_or_may_not_be_written_is_that_records_matter(scene: Scene) -> None:
    with pytest.raises(RecordClosed):
        scene.attach(record="0" * 32)
    scene.bench.access.add(rule("core_company", ("write",), ("admin",)))
    company = scene.tables.insert("core_company", {"name": "Closed"})
    with pytest.raises(RecordClosed, match="core_company"):
        scene.attach(record=company, table="core_company")


def test_an_api_that_is_switched_off_is_no_matter_of_one_record(scene: Scene) -> None:
    scene.bench.properties.set("glide.rest.apis.disabled", "Attachment API")
    with pytest.raises(Refused) as caught:
        scene.attach()
    assert not isinstance(caught.value, RecordClosed)


# -- lists


def test_several_records_are_listed_with_one_request(scene: Scene) -> None:
    save(scene.tables, File("a.txt", "text/plain", b"1"), TABLE, scene.first)
    save(scene.tables, File("b.txt", "text/plain", b"12"), TABLE, scene.second)
    save(scene.tables, File("small.png", "image/png", b"123"), f"ZZ_YY{TABLE}", scene.second)
    before = scene.bench.exchange.counts["GET"]
    assert scene.attachments.of([scene.first, scene.second]) == {
        scene.first: [Attached("a.txt", 1)],
        scene.second: [Attached("b.txt", 2)],
    }
    assert scene.bench.exchange.counts["GET"] == before + 1


def test_a_list_that_access_rules_shorten_is_no_list(scene: Scene) -> None:
    save(scene.tables, File("a.txt", "text/plain", b"1"), TABLE, scene.first)
    save(scene.tables, File("b.txt", "text/plain", b"1"), TABLE, scene.second)
    scene.bench.access.add(
        rule("sys_attachment", ("read",), ("snc_internal",), condition=f"table_sys_id={scene.second}")
    )
    assert scene.attachments.of([scene.second]) == {scene.second: [Attached("b.txt", 1)]}
    with pytest.raises(Refused, match="0 of 1 attachments"):
        scene.attachments.of([scene.first, scene.second])


def test_columns_that_are_hidden_make_no_list(scene: Scene) -> None:
    save(scene.tables, File("a.txt", "text/plain", b"1"), TABLE, scene.first)
    scene.bench.access.add(rule("sys_attachment", ("read",), ("admin",), column="size_bytes"))
    with pytest.raises(Outage):
        scene.attachments.of([scene.first])


@pytest.mark.parametrize(
    "answer",
    [
        '{"result":[{"table_sys_id":"%s","file_name":"a","size_bytes":"1"}]}' % ("f" * 32),
        '{"result":[{"file_name":"a","size_bytes":"1"}]}',
        '{"result":[]}',
        '{"result":[],"error":{"message":"cancelled"}}',
        '{"result":[{"table_sys_id"',
    ],
)
def test_an_answer_that_cannot_be_trusted_is_no_list(scene: Scene, answer: str) -> None:
    # None of these says how many rows there are.
    scene.fault("answer", LIST, status=200, headers=JSON, answer=answer, times=None)
    with pytest.raises(Outage):
        scene.attachments.of([scene.first])


def test_many_records_are_asked_for_in_portions(scene: Scene) -> None:
    records = [f"{number:032x}" for number in range(45)]
    save(scene.tables, File("a.txt", "text/plain", b"1"), TABLE, scene.first)
    found = scene.attachments.of([*records, scene.first])
    assert set(found) == {*records, scene.first}
    assert [key for key, files in found.items() if files] == [scene.first]


@pytest.mark.parametrize(
    ("table", "sys_id", "good"),
    [
        ("sn_shop_invoice", "a" * 32, True),
        ("", "a" * 32, False),
        ("sn_shop_invoice", "", False),
        ("sn_shop_invoice", "a" * 31 + "^", False),
    ],
)
def test_only_a_table_and_a_sys_id_name_a_record(table: str, sys_id: str, *, good: bool) -> None:
    assert is_record(table, sys_id) is good


def test_access_is_open_closed_or_not_to_be_told(scene: Scene) -> None:
    assert scene.attachments.access() == "unknown"
    save(scene.tables, File("a.txt", "text/plain", b"1"), TABLE, scene.first)
    assert scene.attachments.access() == "open"
    scene.bench.access.add(rule("sys_attachment", ("read",), ("admin",)))
    assert scene.attachments.access() == "closed"
    scene.fault("answer", LIST, status=403, headers=JSON, answer=REFUSAL, times=None)
    assert scene.attachments.access() == "closed"

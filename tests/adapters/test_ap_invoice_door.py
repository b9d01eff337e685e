"""The AP Invoice door against the ServiceNow stand-in: each invoice there once, whatever is lost, late, refused, too much."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest

from connector.decisions.mapping import MappedDocument, StagingRow
from connector.errors import Ambiguous, Outage, Refused, Throttled
from connector.named_files import load_profile
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.remote.tokens import TokenProvider
from connector.servicenow.ap_invoice_api import API, PATH, SETTLES_AFTER
from connector.servicenow.authorisation import Bearer
from connector.servicenow.doors.ap_invoice import LOOKED_UP, PATIENCE, ApInvoiceDoor
from connector.servicenow.doors.batch import BatchDoor
from connector.servicenow.doors.delivery import Delivery
from connector.servicenow.session import SYSTEM, ServiceNowSession
from connector.setting_words import ApInvoiceForm
from tests.sandbox.clock import VirtualClock
from tests.sandbox.fault_names import FAULTS
from tests.sandbox.faults import Scenario
from tests.sandbox.servicenow import CLIENT_ID, CLIENT_SECRET, ServiceNow, sample
from tests.sandbox.servicenow.desk import BASE, INVOICE, INVOICE_LINE
from tests.sandbox.wire import Exchange, Fault, InProcess

TARGET, TARGET_LINE = "sn_shop_invoice", "sn_shop_invoice_line"
LOG = "sn_spend_intg_invoice_integration_log"
SOURCE_SYSTEM = "BC-FINANCE"


class WorkingClock(VirtualClock):
    """Virtual time in which the instance's workers work."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: Callable[[], object] = lambda: None

    def advance_to(self, moment: datetime) -> None:
        """Moves the time on; the workers have it."""
        super().advance_to(moment)
        self.passed()


class Office:
    """A door, the instance behind it, and everything that was sent."""

    def __init__(
        self, *, row_seconds: float = 0.0, form: ApInvoiceForm | None = None, source_system: str = "", limit: int = 10
    ) -> None:
        self.clock = WorkingClock()
        self.simulator = ServiceNow(now=self.clock.now, seed=sample.SEED, row_seconds=row_seconds)
        self.clock.passed = self.simulator.run_jobs
        self.tables = self.simulator.tables
        self.sent: list[httpx.Request] = []
        self.exchange = Exchange(self._answer, sleep=self.clock.sleep)
        remote = Remote(SYSTEM, InProcess(self.exchange), self.clock)
        tokens = TokenProvider(
            remote,
            f"{BASE}/oauth_token.do",
            {"grant_type": "client_credentials", "client_id": CLIENT_ID},
            [lambda: {"client_secret": CLIENT_SECRET}],
            self.clock,
        )
        chance = SeededRandomness(random.Random(3))
        session = ServiceNowSession(remote, Bearer(tokens), BASE, self.clock, chance)
        tables = load_profile("source_to_pay").routes["purchaseInvoices"].tables
        self.batch = BatchDoor(session, {table.table: table for table in tables}, self.clock, rows_a_batch=100)
        self.door = ApInvoiceDoor(session, self.batch, self.clock, form or ApInvoiceForm(), source_system=source_system)
        self.spelling = "batchId"
        self.limit(limit)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self.simulator.handle(request)
        if answer.status_code == 202 and self.spelling != "batchId":
            body = answer.json()
            body[self.spelling] = body.pop("batchId")
            return httpx.Response(202, json=body)
        return answer

    def limit(self, calls: int) -> None:
        """The hour's calls of the API's rate rule."""
        (rule,) = self.tables.find("sys_rate_limit_rules", {"rest_api": "AP Invoice"})
        self.tables.update("sys_rate_limit_rules", rule["sys_id"], {"request_limit": str(calls)})

    def write(self, *documents: MappedDocument, seconds: float = 1e9) -> list[Delivery]:
        """One call of the door, which has so many seconds."""
        end = self.clock.monotonic() + seconds
        return self.door.write(documents, may_go_on=lambda: self.clock.monotonic() < end)

    def posts(self) -> list[dict[str, Any]]:
        """The bodies the API was sent and that reached the instance."""
        return [json.loads(request.content) for request in self.sent if request.url.path == PATH]

    def settle(self, documents: Sequence[MappedDocument], *, tries: int = 60) -> list[Delivery]:
        """Writes again and again what has no outcome, as long as each outage asks to wait; the outcomes."""
        found: dict[str, Delivery] = {}
        waiting = list(documents)
        for _ in range(tries):
            outages = []
            for document, delivery in zip(waiting, self.write(*waiting, seconds=300), strict=True):
                if delivery.outage is None:
                    found[document.id] = delivery
                else:
                    outages.append(delivery.outage)
            waiting = [retried(document) for document in waiting if document.id not in found]
            if not waiting:
                return [found[document.id] for document in documents]
            self.clock.sleep(min(900.0, max(outage.retry_after or 30.0 for outage in outages)))
        raise AssertionError(f"{len(waiting)} invoices without an outcome, because of {outages[0]}")

    def numbers(self, table: str = TARGET) -> Counter[str]:
        """How often each external invoice number is there."""
        name = "external_invoice_number" if table == TARGET else "u_external_invoice_number"
        return Counter(row[name] for row in self.tables.rows(table))

    def lines(self, number: str) -> list[tuple[str, str, str]]:
        """Number, description and subtotal of an invoice's lines."""
        (invoice,) = self.tables.find(TARGET, {"external_invoice_number": number})
        lines = self.tables.find(TARGET_LINE, {"invoice": invoice["sys_id"]})
        return [(row["erp_line_number"], row["line_description"], row["sub_total"]) for row in lines]


def line(number: str, sequence: int, **changes: str) -> StagingRow:
    """A line of a mapped invoice."""
    columns = sample.invoice_line(number, str(sequence), u_line_description=f"line {sequence}") | changes
    return StagingRow(INVOICE_LINE, (), columns, str(sequence))


def document(number: str, *lines: StagingRow, **changes: str) -> MappedDocument:
    """A mapped invoice, new, with two lines unless they are given."""
    columns = sample.invoice(number) | changes
    rows = lines or (line(number, 10000), line(number, 20000))
    return MappedDocument(number, (StagingRow(INVOICE, (), columns, ""), *rows), f"hash of {number}")


def retried(document: MappedDocument) -> MappedDocument:
    """The document as it goes out when something of it may have been sent."""
    return replace(document, earlier=tuple(int(row.where) for row in document.rows if row.where))


def documents(count: int) -> list[MappedDocument]:
    """So many new invoices."""
    return [document(f"E-{number:04d}") for number in range(count)]


def complete(documents: Sequence[MappedDocument], deliveries: Sequence[Delivery]) -> bool:
    """Whether all were taken, each with its record."""
    pairs = list(zip(documents, deliveries, strict=True))
    return all(
        delivery.outage is None and delivery.complete(document) and len(delivery.results[0].sys_id) == 32
        for document, delivery in pairs
    )


def words(document: MappedDocument, delivery: Delivery) -> list[tuple[str, str]]:
    """Place and words of each refusal."""
    return [(reason.where, reason.message) for reason in delivery.reasons(document)]


# -- creating


def test_invoices_are_created_with_one_call_and_found_in_the_log() -> None:
    office = Office(source_system=SOURCE_SYSTEM)
    wanted = documents(3)
    deliveries = office.write(*wanted)
    assert complete(wanted, deliveries)
    for one, delivery in zip(wanted, deliveries, strict=True):
        (row,) = office.tables.find(TARGET, {"external_invoice_number": one.id})
        assert (row["sys_id"], row["external_invoice_source"]) == (delivery.results[0].sys_id, SOURCE_SYSTEM)
        assert office.tables.display("sn_fin_erp_source", row["erp_source"]) == sample.SOURCE
    assert [row[1:] for row in office.lines("E-0001")] == [("line 10000", "100.00"), ("line 20000", "100.00")]
    (post,) = office.posts()
    assert (len(post["invoices"]), post["target_erp"]) == (3, sample.SOURCE)
    assert office.exchange.counts["requests"] == 3  # a token, the invoices, the log


@pytest.mark.parametrize("spelling", ["batchId", "batch_id"])
def test_both_spellings_of_the_batch_are_understood(spelling: str) -> None:
    office = Office()
    office.spelling = spelling
    assert complete(documents(1), office.write(*documents(1)))


def test_an_acceptance_without_a_batch_is_no_acceptance() -> None:
    office = Office()
    office.spelling = "something"
    (delivery,) = office.write(*documents(1))
    assert isinstance(delivery.outage, Ambiguous)
    assert complete(documents(1), office.settle([retried(documents(1)[0])]))
    assert len(office.posts()) == 1


def test_without_a_name_of_our_own_each_source_has_a_call_of_its_own() -> None:
    office = Office()
    other = {"u_external_invoice_source": "BC-ELSEWHERE", "u_erp_source": sample.OTHER_SOURCE}
    wanted = [document("E-1"), document("E-2", line("E-2", 10000, **other), **other), document("E-3")]
    assert complete(wanted, office.write(*wanted))
    named = [
        (request.headers["Source-System"], json.loads(request.content)["target_erp"])
        for request in office.sent
        if request.url.path == PATH
    ]
    assert named == [(sample.INVOICE_SOURCE, sample.SOURCE), ("BC-ELSEWHERE", sample.OTHER_SOURCE)]


def test_a_source_that_fits_into_no_header_is_a_matter_of_settings() -> None:
    office = Office()
    (delivery,) = office.write(document("E-1", u_external_invoice_source="M\u00fcller"))
    assert isinstance(delivery.outage, Refused)
    assert "SN_SOURCE_SYSTEM" in str(delivery.outage)
    assert office.sent == []


@pytest.mark.parametrize("number", ["E-1,E-2", "E^1", "javascript:1", ""])
def test_a_number_that_could_never_be_looked_for_is_not_sent(number: str) -> None:
    office = Office()
    good = document("E-9")
    bad, fine = office.write(document(number), good)
    assert [code for code, _ in words(document(number), bad)] == [""]
    assert fine.complete(good)
    assert set(office.numbers()) == {"E-9"}


@pytest.mark.parametrize("units", [[1000], [200] * 5], ids=["at once", "by the unit"])
def test_a_thousand_invoices_take_at_most_sixteen_calls(units: list[int]) -> None:
    office = Office(row_seconds=0.002)
    wanted = documents(1000)
    start = 0
    for count in units:
        assert complete(wanted[start : start + count], office.write(*wanted[start : start + count]))
        start += count
    calls = office.exchange.counts["requests"]
    print(f"AP Invoice API, 1,000 invoices by {units[0]}: {calls} calls, the token's included")
    assert calls <= 16
    assert set(office.numbers().values()) == {1}
    assert len(office.numbers()) == 1000


# -- what the log says


def refused(number: str) -> MappedDocument:
    """An invoice of a supplier that ServiceNow does not have."""
    return document(number, u_supplier="nobody")


@pytest.mark.parametrize("a_row_each", [True, False])
def test_each_refusal_parks_its_own_invoice_with_servicenows_words(a_row_each: bool) -> None:
    office = Office()
    office.simulator.switches.set("log_each_invoice", a_row_each)
    broken = document("E-2", line("E-2", 10000), line("E-2", 20000, u_cost_center="none"), line("E-2", 30000))
    wanted = [document("E-1"), broken, refused("E-3"), document("E-4")]
    first, second, third, fourth = office.write(*wanted)
    assert complete([wanted[0], wanted[3]], [first, fourth])
    ((place, said),) = words(broken, second)
    assert (place, second.outage) == ("20000", None)
    assert "Cost center 'none'" in said
    ((place, said),) = words(wanted[2], third)
    assert (place, third.outage) == ("", None)
    assert "Supplier 'nobody'" in said


def test_one_log_row_for_the_batch_is_enough_to_find_every_record() -> None:
    office = Office()
    office.simulator.switches.set("log_each_invoice", False)
    wanted = documents(5)
    assert complete(wanted, office.write(*wanted))


def test_several_batches_share_one_look_at_the_log() -> None:
    office = Office()
    office.simulator.properties.set("sn_spend_intg.ap.invoice.create.api.record_limit", "100")
    wanted = documents(300)
    assert complete(wanted, office.write(*wanted))
    assert (office.exchange.counts["POST"], office.exchange.counts["GET"]) == (3 + 1, 1)


def test_a_batch_that_takes_long_is_looked_at_later_and_not_sent_again() -> None:
    office = Office(row_seconds=30.0)
    wanted = documents(8)
    late = [delivery.outage for delivery in office.write(*wanted) if delivery.outage is not None]
    assert len(late) >= 2
    for outage in late:
        assert isinstance(outage, Ambiguous)
        assert outage.settles_after > 0
    assert office.clock.monotonic() < PATIENCE + 120
    assert complete(wanted, office.settle([retried(one) for one in wanted]))
    assert len(office.posts()) == 1
    assert office.numbers(INVOICE) == office.numbers() == Counter(one.id for one in wanted)


def test_waiting_ends_with_the_time_there_is_and_asks_often_enough_to_keep_a_lease() -> None:
    office = Office(row_seconds=100.0)
    asked: list[float] = []

    def may_go_on() -> bool:
        asked.append(office.clock.monotonic())
        return office.clock.monotonic() < 60

    (delivery,) = office.door.write(documents(1), may_go_on=may_go_on)
    assert isinstance(delivery.outage, Ambiguous)
    assert office.clock.monotonic() < 60 + 30
    assert max(later - earlier for earlier, later in zip(asked, asked[1:], strict=False)) <= 30


def test_without_time_nothing_is_sent() -> None:
    office = Office()
    deliveries = office.write(documents(1)[0], retried(document("E-9")), seconds=0)
    assert all(isinstance(delivery.outage, Outage) for delivery in deliveries)
    assert office.sent == []


def test_a_log_that_cannot_be_read_loses_nothing() -> None:
    office = Office()
    office.exchange.faults = [Fault("answer", path=LOG, status=403, answer="{}", times=1)]
    (delivery,) = office.write(*documents(1))
    assert isinstance(delivery.outage, Refused)
    assert complete(documents(1), office.settle([retried(documents(1)[0])]))
    assert len(office.posts()) == 1


# -- lost answers


@pytest.mark.parametrize("a_row_each", [True, False])
@pytest.mark.parametrize(
    ("effect", "posts"), [("reset_before", 1), ("reset_after", 1), ("cut_body", 1), ("truncate", 1)]
)
def test_after_a_lost_answer_each_invoice_is_there_once(effect: Any, posts: int, a_row_each: bool) -> None:
    office = Office()
    office.simulator.switches.set("log_each_invoice", a_row_each)
    office.exchange.faults = [Fault(effect, path=PATH)]
    wanted = documents(3)
    for delivery in office.write(*wanted):
        assert isinstance(delivery.outage, Ambiguous)
        assert delivery.outage.settles_after == SETTLES_AFTER
    assert office.exchange.counts["POST"] == 1 + 1
    assert complete(wanted, office.settle([retried(one) for one in wanted]))
    assert len(office.posts()) == posts
    assert office.numbers() == office.numbers(INVOICE) == Counter(one.id for one in wanted)


@pytest.mark.parametrize("a_row_each", [True, False])
def test_what_was_taken_in_and_not_begun_is_waited_for(a_row_each: bool) -> None:
    office = Office(row_seconds=600.0)
    office.simulator.switches.set("log_each_invoice", a_row_each)
    office.exchange.faults = [Fault("reset_after", path=PATH)]
    office.write(*documents(2))
    office.clock.sleep(SETTLES_AFTER)
    for delivery in office.write(*(retried(one) for one in documents(2))):
        assert isinstance(delivery.outage, Ambiguous)
    assert complete(documents(2), office.settle([retried(one) for one in documents(2)]))
    assert len(office.posts()) == 1


def test_a_batch_that_is_not_done_after_a_day_holds_nothing_up() -> None:
    office = Office()
    office.tables.insert(LOG, {"batch_id": "APIINV0", "external_invoice_number": "E-0000", "status": "received"})
    one = retried(documents(1)[0])
    assert isinstance(office.write(one)[0].outage, Ambiguous)
    office.clock.sleep(25 * 3600)
    assert complete([one], office.write(one))


def test_a_change_made_while_an_answer_was_lost_reaches_the_invoice() -> None:
    office = Office()
    office.exchange.faults = [Fault("reset_after", path=PATH)]
    office.write(document("E-1"))
    changed = document("E-1", line("E-1", 10000), line("E-1", 20000, u_subtotal="90.00"), u_subtotal="190.00")
    assert complete([changed], office.settle([retried(changed)]))
    assert len(office.posts()) == 1
    assert office.numbers() == {"E-1": 1}
    assert [row[2] for row in office.lines("E-1")] == ["100.00", "90.00"]
    assert office.tables.rows(TARGET)[0]["subtotal"] == "190.00"


@pytest.mark.parametrize("what", ["invoice", "log", "staged"])
def test_rows_that_are_hidden_are_never_taken_for_missing_ones(what: str) -> None:
    office = Office()
    table = {"invoice": TARGET, "log": LOG, "staged": INVOICE}[what]
    assert office.write(*documents(1))[0].outage is None
    Scenario(1, (("sn.acl_empty_page", {"path": f"/table/{table}", "times": 1}),)).install(
        "sn", office.exchange, office.simulator
    )
    (delivery,) = office.write(retried(documents(1)[0]))
    assert isinstance(delivery.outage, Refused)
    assert len(office.posts()) == 1


def test_a_column_of_another_name_is_never_taken_for_no_invoice() -> None:
    office = Office(form=ApInvoiceForm(invoice_number="u_number_elsewhere"))
    office.write(*documents(2))
    (delivery,) = office.write(retried(documents(1)[0]))
    assert isinstance(delivery.outage, Refused)
    assert "SN_AP_INVOICE" in str(delivery.outage)
    assert len(office.posts()) == 1


def test_what_is_looked_for_is_asked_for_together() -> None:
    office = Office()
    wanted = [retried(one) for one in documents(LOOKED_UP)]
    assert complete(wanted, office.write(*wanted))
    # The log, the invoices, two staging tables; nothing was there, so no lines; the call; the log again.
    assert office.exchange.counts["requests"] == 1 + 4 + 1 + 1


# -- later versions


def test_a_later_version_changes_the_invoice_and_adds_no_line() -> None:
    office = Office(source_system=SOURCE_SYSTEM)
    one = document("E-1")
    first = office.write(one)[0]
    calls = len(office.posts())
    lines = (line("E-1", 10000), line("E-1", 15000), line("E-1", 20000, u_subtotal="50.00"))
    changed = replace(document("E-1", *lines, u_subtotal="250.00"), earlier=(10000, 20000))
    (later,) = office.write(changed)
    assert complete([changed], [later])
    assert later.results[0].sys_id == first.results[0].sys_id
    assert len(office.posts()) == calls
    assert office.lines("E-1") == [
        ("1", "line 10000", "100.00"),
        ("2", "line 20000", "50.00"),
        ("15000", "line 15000", "100.00"),
    ]


def test_a_removed_line_is_taken_back_where_it_stands() -> None:
    office = Office()
    office.write(document("E-1"))
    gone = replace(line("E-1", 20000, u_subtotal="0.00", u_line_description="removed"), removed=True)
    later = replace(document("E-1", line("E-1", 10000), gone), earlier=(10000, 20000))
    assert complete([later], office.write(later))
    assert office.lines("E-1") == [("1", "line 10000", "100.00"), ("2", "removed", "0.00")]


def test_the_same_version_again_writes_nothing() -> None:
    office = Office()
    office.write(*documents(2))
    writes = office.exchange.counts["POST"]
    assert complete(documents(2), office.write(*(retried(one) for one in documents(2))))
    assert office.exchange.counts["POST"] == writes


def test_lines_that_cannot_be_told_apart_are_left_to_a_person() -> None:
    office = Office()
    office.write(document("E-1"))
    for row in office.tables.rows(TARGET_LINE):
        office.tables.update(TARGET_LINE, row["sys_id"], {"erp_line_number": ""})
    changed = retried(document("E-1", u_subtotal="1.00"))
    (delivery,) = office.write(changed)
    assert [place for place, _ in words(changed, delivery)] == [""]
    assert len(office.tables.rows(TARGET_LINE)) == 2


def test_a_refused_line_goes_in_where_it_belongs_once_the_cause_is_gone() -> None:
    office = Office()
    one = document("E-1", line("E-1", 10000), line("E-1", 20000, u_cost_center="CC-99"), line("E-1", 30000))
    assert [place for place, _ in words(one, office.write(one)[0])] == ["20000"]
    office.tables.insert("cmn_cost_center", {"name": "New", "code": "NEW", "account_number": "CC-99"})
    assert complete([one], office.write(retried(one)))
    assert sorted(row[:2] for row in office.lines("E-1")) == [
        ("1", "line 10000"),
        ("2", "line 20000"),
        ("3", "line 30000"),
    ]
    assert office.numbers() == {"E-1": 1}


def test_a_refused_invoice_is_created_once_the_cause_is_gone() -> None:
    office = Office()
    one = document("E-1", u_supplier="30000")
    assert not office.write(one)[0].complete(one)
    supplier = {"legal_name": "New", "erp_supplier_code": "30000", "erp_source": sample.SOURCE}
    office.tables.insert("sn_fin_supplier", supplier)
    assert complete([one], office.write(retried(one)))
    assert len(office.posts()) == 2
    assert office.numbers() == {"E-1": 1}
    assert len(office.lines("E-1")) == 2


def test_an_invoice_that_came_in_by_the_other_door_stays_one() -> None:
    office = Office()
    office.batch.write(documents(1), may_go_on=lambda: True)
    changed = retried(document("E-0000", u_subtotal="1.00"))
    assert complete([changed], office.write(changed))
    assert [row[0] for row in office.lines("E-0000")] == ["10000", "20000"]
    assert office.posts() == []


# -- limits


def test_ten_calls_an_hour_carry_three_hundred_invoices_in_three_hours() -> None:
    office = Office()
    office.simulator.properties.set("sn_spend_intg.ap.invoice.create.api.record_limit", "12")
    wanted = documents(300)
    waiting, started = list(wanted), office.clock.monotonic()
    for _ in range(100):
        deliveries = office.write(*waiting, seconds=300)
        for one, delivery in zip(waiting, deliveries, strict=True):
            if delivery.outage is not None:
                assert (type(delivery.outage), delivery.outage.system) == (Throttled, API)
            else:
                assert delivery.complete(one)
        waiting = [retried(one) for one, delivery in zip(waiting, deliveries, strict=True) if delivery.outage]
        if not waiting:
            break
        office.clock.sleep(900)
    assert not waiting
    assert office.clock.monotonic() - started <= 3 * 3600
    assert office.numbers() == office.numbers(INVOICE) == Counter(one.id for one in wanted)
    answered = [passed for passed in office.exchange.recent() if passed.path.decode() == PATH]
    refused = sum(passed.status == 429 for passed in answered)
    # One refusal an hour tells that the hour is spent; calls of 100, 50 and 25 told how many fit.
    assert refused <= 3
    assert len(answered) - refused == 300 // 12 + 3


@pytest.mark.parametrize("calls", [10, 13, 500])
def test_the_rate_rule_is_what_the_answers_say(calls: int) -> None:
    office = Office(limit=calls)
    office.simulator.properties.set("sn_spend_intg.ap.invoice.create.api.record_limit", "1")
    office.door._api._most = 1  # the property is known already
    deliveries = office.write(*documents(20))
    done = [delivery for delivery in deliveries if delivery.outage is None]
    assert len(done) == min(20, calls)
    for delivery in deliveries[len(done) :]:
        assert isinstance(delivery.outage, Throttled)
        assert 0 < (delivery.outage.retry_after or 0) <= 3600


def test_a_spent_hour_closes_this_door_alone_and_costs_no_more_calls() -> None:
    office = Office(limit=1)
    office.write(document("E-1"))
    office.write(document("E-2"))
    posts = office.exchange.counts["POST"]
    later = retried(document("E-1", u_subtotal="1.00"))
    new, changed = office.write(document("E-3"), later)
    assert isinstance(new.outage, Throttled)
    assert new.outage.system == API != SYSTEM
    assert changed.complete(later)
    assert len(office.posts()) == 2  # the second was refused
    assert office.exchange.counts["POST"] == posts + 1  # the batch
    office.clock.sleep(new.outage.retry_after or 0)
    assert office.write(retried(document("E-3")))[0].outage is None


def test_a_full_semaphore_is_the_instances_matter() -> None:
    office = Office()
    office.exchange.faults = [Fault("answer", path=PATH, status=429, answer="<h1>429</h1>")]
    (delivery,) = office.write(*documents(1))
    assert isinstance(delivery.outage, Throttled)
    assert delivery.outage.system == SYSTEM


def test_more_invoices_than_the_instance_takes_are_sent_in_smaller_calls() -> None:
    office = Office(limit=100)
    office.simulator.properties.set("sn_spend_intg.ap.invoice.create.api.record_limit", "30")
    wanted = documents(100)
    assert complete(wanted, office.write(*wanted))
    assert [len(post["invoices"]) for post in office.posts()] == [100, 50, 25, 25, 25, 25]
    assert office.numbers() == Counter(one.id for one in wanted)


def large(number: str, size: int) -> MappedDocument:
    """An invoice of so many bytes."""
    return document(number, u_remit_address="x" * size)


def test_no_call_is_larger_than_eight_megabytes() -> None:
    office = Office()
    wanted = [large(f"E-{number}", 3_000_000) for number in range(5)]
    office.write(*wanted)
    assert [len(post["invoices"]) for post in office.posts()] == [2, 2, 1]
    assert max(len(request.content) for request in office.sent) <= 8 * 1024 * 1024


def test_more_bytes_than_the_instance_takes_are_sent_in_smaller_calls() -> None:
    office = Office()
    office.simulator.properties.set("glide.rest.scripted.max_inbound_content_length_mb", "1")
    wanted = [document(f"E-{number}", u_remit_address="x" * 300_000) for number in range(6)]
    office.write(*wanted)
    assert [len(post["invoices"]) for post in office.posts()] == [6, 3, 3]
    assert office.numbers(INVOICE) == Counter(one.id for one in wanted)


def test_an_invoice_that_is_too_large_by_itself_is_parked_with_the_words() -> None:
    office = Office()
    office.simulator.properties.set("glide.rest.scripted.max_inbound_content_length_mb", "1")
    wanted = [document("E-1"), large("E-2", 2_000_000), document("E-3")]
    first, second, third = office.write(*wanted)
    assert complete([wanted[0], wanted[2]], [first, third])
    ((_, said),) = words(wanted[1], second)
    assert "Max allowed: 1048576 bytes" in said


def ap_error(message: str) -> dict[str, Any]:
    """A fault that answers as the API does."""
    body = json.dumps({"error": {"message": message, "detail": ""}, "status": "Fail"})
    return {"status": 400, "answer": body, "headers": {"Content-Type": "application/json"}}


def test_a_structure_that_is_not_understood_parks_with_the_words() -> None:
    office = Office()
    office.exchange.faults = [
        Fault("answer", path=PATH, **ap_error("Invalid payload - Error: Invalid payload structure."))
    ]
    for delivery in office.write(*documents(2)):
        ((_, said),) = words(documents(1)[0], delivery)
        assert "Invalid payload structure" in said


def test_any_other_400_is_a_matter_of_the_set_up() -> None:
    office = Office()
    office.exchange.faults = [Fault("answer", path=PATH, **ap_error("Requested URI does not represent any resource"))]
    for delivery in office.write(*documents(150)):
        assert isinstance(delivery.outage, Refused)
    assert len(office.posts()) == 0


def test_a_revoked_role_stops_everything_and_parks_nothing() -> None:
    office = Office()
    office.simulator.access.revoke("connector", "sn_spend_intg.procurement_integrator")
    wanted = documents(250)
    for delivery in office.write(*wanted):
        assert isinstance(delivery.outage, Refused)
    assert office.numbers(INVOICE) == {}
    assert len(office.posts()) == 2  # a refusal by an API's access rule is asked for twice
    office.simulator.access.grant("connector", "sn_spend_intg.procurement_integrator")
    assert complete(wanted, office.settle([retried(one) for one in wanted]))
    assert office.numbers() == Counter(one.id for one in wanted)


# -- chance

RANDOM = sorted(
    name
    for name, named in FAULTS.items()
    if name.startswith("sn.")
    and not named.switches
    and not name.startswith(("sn.import", "sn.line_before", "sn.field", "sn.batch"))
)


@pytest.mark.parametrize("seed", range(12))
def test_faults_at_random_leave_each_invoice_exactly_once(seed: int) -> None:
    chance = random.Random(seed)
    office = Office(row_seconds=chance.choice([0.0, 0.05, 2.0]), limit=chance.choice([10, 500]))
    office.simulator.switches.set("log_each_invoice", bool(seed % 2))
    rules = tuple((name, {"probability": 0.04, "times": 0}) for name in RANDOM)
    Scenario(seed, rules).install("sn", office.exchange, office.simulator)
    wanted = documents(60)
    found: dict[str, Delivery] = {}
    waiting: list[MappedDocument] = []
    for start in range(0, 60, 20):
        waiting += wanted[start : start + 20]
        for one, delivery in zip(waiting, office.write(*waiting, seconds=300), strict=True):
            if delivery.outage is None:
                found[one.id] = delivery
        waiting = [retried(one) for one in waiting if one.id not in found]
        office.clock.sleep(chance.choice([300.0, 900.0]))
    found |= (
        {one.id: delivery for one, delivery in zip(waiting, office.settle(waiting, tries=400), strict=True)}
        if waiting
        else {}
    )
    assert complete(wanted, [found[one.id] for one in wanted])
    # Staged once each: nothing hides behind maps that would have matched a second one.
    assert office.numbers() == office.numbers(INVOICE) == Counter(one.id for one in wanted)
    assert len(office.tables.rows(TARGET_LINE)) == len(office.tables.rows(INVOICE_LINE)) == 120

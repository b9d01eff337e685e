"""A rehearsal says what the real replay then does, and leaves no trace anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from connector.bootstrap import Ports, assemble
from connector.decisions.mapping import MappedDocument
from connector.decisions.selection import Selection
from connector.decisions.states import Status
from connector.errors import StorageUnavailable
from connector.flows.desk import Act, parked_documents, replay
from connector.flows.rehearse import Rehearsed, rehearse
from connector.model.documents import Entity
from connector.model.profile import Translations
from connector.remote.patience import TRIES
from connector.remote.reading_only import ReadingOnly, WriteForbidden
from connector.remote.spool import Spool
from connector.servicenow.doors.delivery import Delivery
from connector.servicenow.doors.rehearsal import RehearsalDoor
from tests.flows.expectation import EMPTIED
from tests.flows.files_bench import pipeline as with_files
from tests.flows.pipeline import BATCH, BC_HOST, INVOICES, ORDERS, RECEIPTS, SN_HOST, US, Pipeline, part_of, some
from tests.flows.rehearsed import (
    EVERYTHING,
    agreed,
    give_suppliers_back,
    rehearsed,
    room,
    rows_sent,
    said,
    take_suppliers_away,
    untouched,
)
from tests.flows.test_receipts import items, receive, sequence
from tests.flows.test_receipts import released as released_order
from tests.flows.test_release import lengthen
from tests.flows.test_unforeseen import Exploding
from tests.flows.tracked import INVOICE_TABLE, becomes, long_one, when_frozen
from tests.flows.tracked import carried as tracked_invoices
from tests.sandbox.business_central import Document, Line
from tests.sandbox.sample import TRANSLATIONS
from tests.sandbox.storage import MemoryTables
from tests.sandbox.wire import Fault


def parked_sample() -> Pipeline:
    """Orders, invoices and credit memos, parked for want of their suppliers before anything was sent."""
    pipeline = Pipeline(data=some(orders=8, invoices=30)[:1])
    take_suppliers_away(pipeline)
    pipeline.run()
    entities = {one.entity for one in parked_documents(pipeline.parts, EVERYTHING)}
    assert entities == {Entity.PURCHASE_ORDER, Entity.PURCHASE_INVOICE, Entity.CREDIT_MEMO}
    return pipeline


def few_parked() -> Pipeline:
    """Some orders, parked likewise."""
    pipeline = Pipeline(data=some(orders=6, invoices=0, posted=False)[:1])
    take_suppliers_away(pipeline)
    pipeline.run()
    return pipeline


def verdicts(found: list[Rehearsed]) -> Counter[str]:
    return Counter(one.verdict for one in found)


def carried_then_parked() -> Pipeline:
    """Orders and invoices that ServiceNow has; then their suppliers are gone, and everything is edited in BC."""
    pipeline = Pipeline(data=some(orders=12, invoices=8, posted=False)[:1])
    pipeline.run()
    take_suppliers_away(pipeline)
    pipeline.clock.advance(3600)
    for id_, state in pipeline.states().items():
        if state.status is Status.DONE:
            entity = ORDERS if id_ in pipeline.business_central.document_ids(US, ORDERS) else INVOICES
            document = pipeline.business_central.document(US, id_, entity=entity)
            for line in items(document)[:1]:
                pipeline.business_central.edit_line(US, document.number, sequence(line), entity=entity, quantity=7)
    pipeline.run()
    return pipeline


def nothing(_pipeline: Pipeline) -> None:
    pass


def every_second(pipeline: Pipeline) -> None:
    give_suppliers_back(pipeline, every=2)


def edited(pipeline: Pipeline) -> None:
    give_suppliers_back(pipeline)
    orders = [one for one in pipeline.landscape.data[0].orders if one.id in pipeline.parked()]
    bc = pipeline.business_central
    bc.edit_line(US, orders[0].number, sequence(items(orders[0])[0]), quantity=3)
    bc.edit_header(US, orders[1].id, status="Draft")
    bc.delete(US, ORDERS, orders[2].id)


def a_short_column(pipeline: Pipeline) -> None:
    give_suppliers_back(pipeline)
    lengthen(pipeline, 12)


@pytest.mark.parametrize(
    ("mend", "expected"),
    [
        (nothing, {"parked"}),
        (every_second, {"parked", "staged"}),
        (edited, {"staged", "waiting", "closed", "parked"}),
        (a_short_column, {"staged", "parked"}),
    ],
)
def test_what_it_says_of_new_documents_is_what_the_replay_does(
    mend: Callable[[Pipeline], None], expected: set[str]
) -> None:
    pipeline = parked_sample()
    mend(pipeline)
    found = agreed(pipeline)
    assert len(found) > 20
    assert {one.verdict for one in found} == expected
    assert all(one.passes == (one.verdict in ("staged", "closed")) for one in found)
    assert all(one.reasons for one in found if one.verdict == "parked")


def test_what_it_says_of_later_versions_is_what_the_replay_does() -> None:
    pipeline = carried_then_parked()
    give_suppliers_back(pipeline)
    orders = [
        pipeline.business_central.document(US, id_, entity=ORDERS)
        for id_ in pipeline.parked()
        if id_ in pipeline.business_central.document_ids(US, ORDERS)
    ]
    shorter = next(order for order in orders if len(items(order)) > 2)
    gone = next(order for order in orders if order is not shorter)
    pipeline.business_central.remove_line(US, shorter.number, sequence(items(shorter)[0]))
    pipeline.business_central.delete(US, ORDERS, gone.id)
    found = {one.document.state.id: one for one in agreed(pipeline)}
    assert {one.document.entity for one in found.values()} == {Entity.PURCHASE_ORDER, Entity.PURCHASE_INVOICE}
    assert found[gone.id].verdict == "cancelled"
    assert all(row.removed for row in found[gone.id].rows[1:])
    assert [row.where for row in found[shorter.id].rows if row.removed] == [str(sequence(items(shorter)[0]))]
    assert {one.verdict for one in found.values()} >= {"staged", "cancelled"}


def test_a_version_that_went_back_to_what_servicenow_has_sends_nothing() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1])
    pipeline.run()
    order = released_order(pipeline)
    quantity = items(order)[0].values["quantity"]
    take_suppliers_away(pipeline)
    pipeline.clock.advance(3600)
    for amount in (99, quantity):
        pipeline.business_central.edit_line(US, order.number, sequence(items(order)[0]), quantity=amount)
        if amount == 99:
            pipeline.run()
    give_suppliers_back(pipeline)
    (one,) = (one for one in agreed(pipeline) if one.document.state.id == order.id)
    assert (one.verdict, one.rows, one.passes) == ("unchanged", (), True)
    assert "has these very rows already" in one.said


def test_a_record_that_has_come_too_far_stays_as_it_is_in_both() -> None:
    pipeline = tracked_invoices()
    invoice = long_one(pipeline)
    take_suppliers_away(pipeline)
    pipeline.clock.advance(3600)
    pipeline.business_central.edit_line(US, invoice.number, sequence(items(invoice)[0]), entity=INVOICES, quantity=77)
    pipeline.run()
    give_suppliers_back(pipeline)
    becomes(pipeline, invoice, "approved")
    (one,) = agreed(pipeline)
    assert (one.verdict, one.passes, one.rows) == ("drifted", False, ())
    assert "its record is Approved already" in one.said


def test_a_record_that_was_deleted_there_is_made_anew_as_a_replay_may() -> None:
    pipeline = tracked_invoices()
    invoice = long_one(pipeline)
    pipeline.servicenow.tables.delete(INVOICE_TABLE, pipeline.states()[invoice.id].sys_id)
    pipeline.business_central.edit_line(US, invoice.number, sequence(items(invoice)[0]), entity=INVOICES, quantity=77)
    pipeline.run()
    assert pipeline.parked()[invoice.id] == {("RECORD_NOT_FOUND", "")}
    (one,) = agreed(pipeline)
    assert one.verdict == "staged"


def a_receipt_of_a_line_that_its_order_lacks() -> tuple[Pipeline, str]:
    """A receipt that is parked, and its order's id; the order's new version could not be read."""
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1])
    pipeline.run()
    order = released_order(pipeline)
    added = items(order)[0]
    more = {"id": "bbbbbbbb-0000-0000-0000-000000000001", "sequence": 990_000}
    pipeline.clock.advance(60)
    pipeline.business_central.add_line(US, order.number, Line(added.values | more, dict(added.dimensions)))
    receive(pipeline, order, {990_000: Decimal(1)})
    pipeline.business_central.unreadable.add(ORDERS)
    pipeline.poll()
    pipeline.work()
    pipeline.business_central.unreadable.clear()
    return pipeline, order.id


def test_a_receipt_whose_order_lacks_the_line_is_parked_again_in_both() -> None:
    pipeline, _ = a_receipt_of_a_line_that_its_order_lacks()
    receipts = Selection(entities=(RECEIPTS,))
    # Without the wait after which the order itself is looked at once more.
    assert [*said(agreed(pipeline, receipts, go=Pipeline.work)).values()] == [("parked", {"RECEIPT_LINE_UNKNOWN"})]


def test_a_receipt_whose_order_has_the_line_by_now_is_staged_in_both() -> None:
    pipeline, order = a_receipt_of_a_line_that_its_order_lacks()
    # The order is staged with the line; the receipt does not hear of it.
    (awaited,) = pipeline.parts.awaits.all(f"us|{ORDERS}")
    pipeline.parts.awaits.remove(f"us|{ORDERS}", [awaited])
    take_suppliers_away(pipeline)
    pipeline.clock.advance(3600)
    pipeline.run()
    assert {one.entity for one in parked_documents(pipeline.parts, EVERYTHING)} == {
        Entity.PURCHASE_ORDER,
        Entity.RECEIPT,
    }
    give_suppliers_back(pipeline)
    # The receipt alone cannot go, with its order it can: the order goes first, whichever was parked first.
    assert {one.verdict for one in rehearsed(pipeline, Selection(entities=(RECEIPTS,)))} == {"parked"}
    found = agreed(pipeline)
    assert {one.document.entity: one.verdict for one in found} == {
        Entity.PURCHASE_ORDER: "staged",
        Entity.RECEIPT: "staged",
    }


def test_an_invoice_whose_order_carries_the_debt_is_superseded_in_both() -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1], settings={"PROFILE": "po_as_invoice"})
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open" and billable(one))
    take_suppliers_away(pipeline)
    pipeline.clock.advance(60)
    first = {sequence(items(order)[0]): Decimal(1)}
    pipeline.business_central.post_order(US, order.number, quantities=first, vendor_invoice_number="V-1")
    pipeline.business_central.unreadable.add(ORDERS)
    pipeline.run()
    pipeline.business_central.unreadable.clear()
    invoices = Selection(entities=(INVOICES,))
    assert verdicts(rehearsed(pipeline, invoices)) == {"parked": 1}
    give_suppliers_back(pipeline)
    assert verdicts(rehearsed(pipeline, invoices)) == {"staged": 1}
    pipeline.run()
    (one,) = agreed(pipeline, invoices)
    assert (one.verdict, one.rows, one.passes) == ("superseded", (), True)
    assert order.number in one.said


def billable(order: Document) -> bool:
    nothing = not any(line.values["receivedQuantity"] or line.values["invoicedQuantity"] for line in order.lines)
    return nothing and len(items(order)) > 1


def test_an_entry_that_was_added_to_the_translations_counts(tmp_path: Path) -> None:
    company = some(orders=36, invoices=0)[0]
    pipeline = Pipeline(data=[part_of(company, [one for one in company.orders if one.number == "106035"], [])])
    pipeline.run()
    (order,) = parked_documents(pipeline.parts, Selection(codes=("PAYMENT_TERM_NOT_TRANSLATED",)))
    chosen = Selection(numbers=(order.state.number,))
    assert verdicts(agreed(pipeline, chosen)) == {"parked": 1}
    completed = tmp_path / "translations.toml"
    text = TRANSLATIONS.read_text("utf-8").replace("[payment_terms]", '[payment_terms]\n"21 DAYS" = "Net 30"', 1)
    completed.write_text(text, "utf-8")
    after = Pipeline(
        clock=pipeline.clock,
        landscape=pipeline.landscape,
        tables=pipeline.tables,
        queues=pipeline.queues,
        settings={"TRANSLATIONS": str(completed)},
    )
    (one,) = agreed(after, chosen)
    assert one.verdict == "staged"
    assert one.rows[0].columns["u_payment_term"] == "Net 30"


def test_a_fault_nobody_foresaw_is_told_of_its_document_alone() -> None:
    pipeline = few_parked()
    give_suppliers_back(pipeline)
    order = released_order_of(pipeline)
    pipeline.business_central.edit_line(US, order.number, sequence(items(order)[0]), unitOfMeasureCode="CRASH")
    pipeline.clock.advance(60)
    there = room(pipeline)
    units = Exploding(there.parts.translations.units, "CRASH")
    there = replace(there, parts=replace(there.parts, translations=Translations.model_construct(units=units)))
    with untouched(pipeline):
        found = rehearse(there, parked_documents(there.parts, EVERYTHING))
    told = said(found)
    assert told.pop(order.number) == ("parked", {"UNFORESEEN_FAULT"})
    assert "UNFORESEEN_FAULT" not in {code for _, codes in told.values() for code in codes}
    assert len(told) > 1


def test_an_invoice_that_went_before_its_order_is_told_as_it_went(tmp_path: Path) -> None:
    settings = when_frozen(tmp_path, "send")
    pipeline = Pipeline(data=some(orders=12, invoices=0, posted=False)[:1], settings=settings)
    order = next(one for one in pipeline.landscape.data[0].orders if one.header["status"] == "Open" and billable(one))
    take_suppliers_away(pipeline)
    pipeline.clock.advance(60)
    bought = {sequence(line): Decimal(1) for line in items(order)[:1]}
    pipeline.business_central.post_order(US, order.number, quantities=bought, vendor_invoice_number="V-1")
    pipeline.run()
    give_suppliers_back(pipeline)
    there = room(pipeline)
    documents = parked_documents(there.parts, EVERYTHING)
    orders = [one for one in documents if one.entity is Entity.PURCHASE_ORDER]
    # Every order meets a fault in the first run, and comes once more alone, after the invoice.
    terms = AtFirstExploding(there.parts.translations.payment_terms, len(orders))
    translations = Translations.model_construct(**dict(there.parts.translations) | {"payment_terms": terms})
    found = rehearse(replace(there, parts=replace(there.parts, translations=translations)), documents)
    assert len(orders) > 1
    assert terms.left == 0
    assert verdicts(found) == {"staged": len(orders) + 1}
    assert all(EMPTIED not in row.columns.values() for one in found for row in one.rows), "the first version, once"


def test_a_fault_after_the_rows_were_taken_is_no_success() -> None:
    pipeline = few_parked()
    give_suppliers_back(pipeline)
    there = room(pipeline)
    door = Crashing()
    parts = replace(there.parts, doors=dict.fromkeys(there.parts.doors, door))
    found = rehearse(replace(there, door=door, parts=parts), parked_documents(parts, EVERYTHING))
    assert {codes for _, codes in said(found).values()} == {frozenset({"UNFORESEEN_FAULT"})}


class Crashing(RehearsalDoor):
    def write(self, documents: Sequence[MappedDocument], *, may_go_on: Callable[[], bool]) -> list[Delivery]:
        super().write(documents, may_go_on=may_go_on)
        raise ZeroDivisionError("a defect nobody foresaw")


class AtFirstExploding(dict[str, str]):
    """A translation table that crashes so many times."""

    def __init__(self, table: dict[str, str], times: int) -> None:
        super().__init__(table)
        self.left = times

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        if self.left:
            self.left -= 1
            raise ZeroDivisionError("a defect nobody foresaw")
        return super().get(key, default)


def released_order_of(pipeline: Pipeline) -> Document:
    parked = pipeline.parked()
    return next(one for one in pipeline.landscape.data[0].orders if one.id in parked and len(items(one)) > 1)


@pytest.mark.parametrize(
    ("system", "fault", "words"),
    [
        ("bc", Fault("answer", path="/purchase", times=None, status=503), "Business Central: answered 503"),
        ("sn", Fault("reset_before", times=None), "ServiceNow: "),
        (
            "sn",
            Fault("answer", path="/api/now", times=None, status=429, headers={"Retry-After": "40"}),
            "ServiceNow: answered 429",
        ),
    ],
)
def test_while_a_system_does_not_answer_it_cannot_be_told(system: str, fault: Fault, words: str) -> None:
    pipeline = few_parked()
    give_suppliers_back(pipeline)
    exchange = pipeline.bc_exchange if system == "bc" else pipeline.sn_exchange
    exchange.faults.append(fault)
    since = len(pipeline.wire.requests)
    found = rehearsed(pipeline)
    assert verdicts(found) == {"unknown": len(pipeline.parked())}
    failed = [one.path for one in pipeline.wire.requests[since:] if one.status in (0, 429, 503)]
    assert len(failed) <= 2 * TRIES, "what is told to come later is not tried again at once"
    assert all(one.said.startswith(f"It cannot be told now: {words}") and not one.passes for one in found)
    exchange.faults.clear()
    assert verdicts(rehearsed(pipeline))["unknown"] == 0


def test_while_servicenow_asked_for_patience_it_is_not_asked() -> None:
    pipeline = few_parked()
    pipeline.parts.gate.close_for(300)
    since = len(pipeline.wire.to(SN_HOST))
    found = rehearsed(pipeline)
    assert {one.said for one in found} == {"It cannot be told now: ServiceNow asked for patience, for another 300 s."}
    assert len(pipeline.wire.to(SN_HOST)) == since


def test_workers_that_hold_every_slot_do_not_keep_it_waiting_and_it_takes_none_of_theirs() -> None:
    pipeline = few_parked()
    for number in range(pipeline.settings.sn_slots):
        assert pipeline.parts.gate.enter(f"worker {number}")
    assert set(verdicts(rehearsed(pipeline))) == {"parked"}


def test_a_document_that_somebody_else_takes_up_meanwhile_is_left_out() -> None:
    pipeline = few_parked()
    there = room(pipeline)
    parked = parked_documents(there.parts, EVERYTHING)
    taken = parked[0].state
    replay(pipeline.parts, parked[:1], Act("somebody faster", ""))
    found = rehearse(there, parked)
    assert [one.verdict for one in found] == ["changed"] + ["parked"] * (len(parked) - 1)
    assert found[0].document.state == taken


def test_storage_that_does_not_answer_ends_it() -> None:
    pipeline = few_parked()
    pipeline.tables = Failing(pipeline.clock)
    there = room(pipeline)
    with pytest.raises(StorageUnavailable):
        rehearse(there, parked_documents(pipeline.parts, EVERYTHING))


class Failing(MemoryTables):
    def read(self, table: str, partition: str, row: str) -> None:  # type: ignore[override]
        raise StorageUnavailable("does not answer")


def test_rows_of_which_nobody_knows_whether_they_are_there_are_told_so() -> None:
    pipeline = Pipeline(data=some(orders=6, invoices=0, posted=False)[:1])
    pipeline.sn_exchange.faults.append(Fault("reset_after", path=BATCH))
    pipeline.poll()
    pipeline.work()
    take_suppliers_away(pipeline)
    pipeline.clock.advance(3600)
    pipeline.drain()
    assert pipeline.parked()
    give_suppliers_back(pipeline)
    found = rehearsed(pipeline)
    assert all(one.verdict == "staged" and one.in_doubt for one in found)
    since = len(pipeline.wire.requests)
    replay(pipeline.parts, parked_documents(pipeline.parts, EVERYTHING), Act("clerk", ""))
    pipeline.drain()
    assert pipeline.parked() == {}
    assert rows_sent(pipeline.wire.requests[since:]) == [], "they were found there"


def test_files_are_neither_fetched_nor_sent(tmp_path: Path) -> None:
    pipeline = with_files(tmp_path, orders=0)
    take_suppliers_away(pipeline)
    pipeline.run()
    give_suppliers_back(pipeline)
    since = len(pipeline.wire.requests)
    found = rehearsed(pipeline)
    assert verdicts(found)["staged"] > 1
    asked = {one.path.rpartition("/")[2] for one in pipeline.wire.to(BC_HOST, since=since)}
    assert not any("pdf" in name.lower() or "attachment" in name.lower() for name in asked)
    replay(pipeline.parts, parked_documents(pipeline.parts, EVERYTHING), Act("clerk", ""))
    pipeline.drain()
    assert len(pipeline.wire.to(BC_HOST, since=since)) > 2 * len(asked), "the replay does fetch them"


# -- the locks


def test_a_door_that_writes_all_the_same_ends_the_rehearsal_before_anything_is_sent() -> None:
    pipeline = few_parked()
    give_suppliers_back(pipeline)
    there = room(pipeline)
    real = assemble(
        pipeline.settings,
        Ports(there.lock, pipeline.tables, pipeline.queues, pipeline.clock, pipeline.parts.randomness),
    )
    there = replace(there, parts=replace(there.parts, doors=real.doors))
    with untouched(pipeline), pytest.raises(WriteForbidden, match="POST to example.service-now.com was not sent"):
        rehearse(there, parked_documents(there.parts, EVERYTHING))


def test_no_part_of_a_rehearsal_can_change_business_central_or_upload() -> None:
    pipeline = few_parked()
    parts = room(pipeline).parts
    with untouched(pipeline):
        with pytest.raises(WriteForbidden, match="POST"):
            parts.subscriptions.create("purchaseOrders", "https://connector.example/api/bc", "state")
        with Spool(10) as file, pytest.raises(WriteForbidden, match="POST"):
            parts.attachments.attach("sn_shop_invoice", "0" * 32, "a.pdf", file)


def test_only_the_documents_that_were_asked_about_are_read() -> None:
    pipeline = Pipeline(data=some(orders=8, invoices=0)[:1])
    take_suppliers_away(pipeline)
    pipeline.run()
    assert pipeline.with_status(Status.WAITING), "receipts that wait for their orders"
    give_suppliers_back(pipeline)
    since = len(pipeline.wire.requests)
    assert verdicts(rehearsed(pipeline, Selection(entities=(ORDERS,))))["staged"] > 3
    assert not [one.path for one in pipeline.wire.to(BC_HOST, since=since) if RECEIPTS in one.path]


TOKENS = ("https://login.example/tenant/token", "https://instance.example/oauth_token.do")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_last_lock_lets_reading_through(method: str) -> None:
    client, _, seen = locked()
    assert client.request(method, "https://instance.example/api/now/table/x?sysparm_limit=1").status_code == 200
    assert seen == [method]


@pytest.mark.parametrize("url", TOKENS)
def test_the_last_lock_lets_through_who_asks_for_a_token(url: str) -> None:
    client, lock, seen = locked()
    assert client.post(url, content=b"grant_type=client_credentials").status_code == 200
    assert seen == ["POST"]
    lock.insist()


@pytest.mark.parametrize(
    ("method", "url"),
    [
        *((method, TOKENS[1]) for method in ("PUT", "PATCH", "DELETE", "OPTIONS")),
        ("POST", "https://instance.example/api/now/v1/batch"),
        ("POST", "https://instance.example/oauth_token.do?x=1"),
        ("POST", "https://instance.example/oauth_token.do/"),
        ("POST", "http://instance.example/oauth_token.do"),
        ("POST", "https://instance.example:8443/oauth_token.do"),
        ("POST", "https://elsewhere.example/tenant/token"),
        ("PATCH", "https://login.example/tenant/token"),
        ("QUERY", "https://instance.example/api"),
    ],
)
def test_the_last_lock_lets_nothing_else_through_and_does_not_forget(method: str, url: str) -> None:
    client, lock, seen = locked()
    with pytest.raises(WriteForbidden) as caught:
        client.request(method, url)
    assert "oauth" not in str(caught.value)
    assert seen == []
    with pytest.raises(WriteForbidden):
        lock.insist()


def locked() -> tuple[httpx.Client, ReadingOnly, list[str]]:
    """A client behind the lock, the lock, and the methods that came through."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return httpx.Response(200)

    lock = ReadingOnly(httpx.MockTransport(answer), TOKENS)
    return httpx.Client(transport=lock), lock, seen

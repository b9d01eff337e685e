"""The desk: what is parked is seen by cause, goes once after it was mended however often it is replayed, and stays away when it
was discarded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.selection import ParkedFacts, Selection
from connector.decisions.states import Status
from connector.flows.desk import Act, discard, parked_documents, replay
from connector.flows.rescue import rescue_all
from connector.model.stamps import NEVER
from connector.model.units import ParkedNote
from tests.flows.pipeline import ORDERS, US, Pipeline, some
from tests.sandbox.storage import MemoryQueues

ACT = Act("clerk@example.com", "the supplier is there now")
EVERYTHING = Selection()


def with_parked() -> tuple[Pipeline, str]:
    """A pipeline in which one order is parked for want of its supplier, and that order's id."""
    pipeline = Pipeline(data=some(orders=12, invoices=4, posted=False)[:1])
    order = next(
        one
        for one in pipeline.landscape.data[0].orders
        if one.header["status"] == "Open" and one.header["vendorNumber"] != "50000"
    )
    take_away(pipeline, str(order.header["vendorNumber"]))
    pipeline.run()
    parked = pipeline.parked()
    assert order.id in parked
    return pipeline, order.id


def take_away(pipeline: Pipeline, vendor: str) -> None:
    tables = pipeline.servicenow.tables
    for row in tables.find("sn_fin_supplier", {"erp_supplier_code": vendor}):
        tables.update("sn_fin_supplier", row["sys_id"], {"erp_supplier_code": f"WAS {vendor}"})


def mend(pipeline: Pipeline) -> None:
    tables = pipeline.servicenow.tables
    for row in tables.rows("sn_fin_supplier"):
        if row["erp_supplier_code"].startswith("WAS "):
            tables.update("sn_fin_supplier", row["sys_id"], {"erp_supplier_code": row["erp_supplier_code"][4:]})
    pipeline.clock.advance(3600)


def chosen(pipeline: Pipeline, id_: str) -> Selection:
    return Selection(numbers=(pipeline.states()[id_].number,))


def go(pipeline: Pipeline, selection: Selection, *, act: Act = ACT) -> int:
    return replay(pipeline.parts, parked_documents(pipeline.parts, selection), act).count


def records(pipeline: Pipeline, id_: str) -> int:
    number = pipeline.states()[id_].number
    return len(pipeline.servicenow.tables.find("sn_shop_purchase_order", {"erp_number": number}))


def test_mended_and_replayed_it_is_staged_once_and_the_trail_says_who_and_why() -> None:
    pipeline, id_ = with_parked()
    mend(pipeline)
    assert go(pipeline, chosen(pipeline, id_)) == 1
    pipeline.drain()
    assert pipeline.states()[id_].status is Status.DONE
    assert records(pipeline, id_) == 1
    (event,) = (event for event in pipeline.trail(US, id_) if event.action == "replayed")
    said = json.loads(event.detail)
    assert (said["who"], said["why"], said["was"]) == (ACT.who, ACT.why, ["SUPPLIER_MISSING"])
    assert pipeline.intact(US, id_)
    assert id_ not in {note.get("parked") for note in pipeline.poison()}


@pytest.mark.parametrize("times", range(6))
def test_any_number_of_replays_leaves_the_same(times: int) -> None:
    pipeline, id_ = with_parked()
    for _ in range(times):
        assert go(pipeline, chosen(pipeline, id_)) <= 1
        pipeline.drain()
    assert pipeline.states()[id_].status is Status.PARKED
    assert records(pipeline, id_) == 0
    assert [note["parked"] for note in pipeline.poison()].count(id_) == 1
    mend(pipeline)
    go(pipeline, EVERYTHING)
    go(pipeline, EVERYTHING)
    pipeline.drain()
    assert pipeline.parked() == {}
    assert (pipeline.states()[id_].status, records(pipeline, id_)) == (Status.DONE, 1)
    assert pipeline.poison() == []


def test_what_was_not_mended_is_parked_again_with_its_reason() -> None:
    pipeline, id_ = with_parked()
    before = pipeline.parked()
    go(pipeline, EVERYTHING)
    pipeline.drain()
    assert pipeline.parked() == before
    assert pipeline.intact(US, id_)


def test_a_replay_whose_message_was_never_sent_is_found_by_the_rescue() -> None:
    pipeline, id_ = with_parked()
    mend(pipeline)
    queues = pipeline.parts.queues
    pipeline.parts = replace(pipeline.parts, queues=_Dead(pipeline.clock))
    with pytest.raises(RuntimeError):
        go(pipeline, chosen(pipeline, id_))
    pipeline.parts = replace(pipeline.parts, queues=queues)
    assert pipeline.states()[id_].status is Status.PENDING
    pipeline.clock.advance(1000)
    rescue_all(pipeline.parts)
    pipeline.drain()
    assert (pipeline.states()[id_].status, records(pipeline, id_)) == (Status.DONE, 1)


class _Dead(MemoryQueues):
    def send(self, queue: str, text: str, **more: object) -> object:  # type: ignore[override]
        raise RuntimeError("the process dies here")


def back_by_hand(pipeline: Pipeline, id_: str, generation: int) -> None:
    """Somebody moves the poison message back with Storage Explorer."""
    state = pipeline.states()[id_]
    company, entity = next(
        (company, entity) for company, entity in pipeline.parts.entities() if entity.value == ORDERS and state.id == id_
    )
    pipeline.queues.send(pipeline.settings.documents_queue, ParkedNote(company.key, entity, id_, generation).encode())


def test_a_discarded_document_stays_discarded_whatever_is_put_back_by_hand() -> None:
    pipeline, id_ = with_parked()
    generation = pipeline.states()[id_].generation
    done = discard(pipeline.parts, parked_documents(pipeline.parts, chosen(pipeline, id_)), Act("boss", "not ours"))
    assert (done.count, done.lost) == (1, ())
    assert id_ not in {note.get("parked") for note in pipeline.poison()}
    mend(pipeline)
    back_by_hand(pipeline, id_, generation)
    pipeline.drain()
    assert pipeline.states()[id_].status is Status.DISCARDED
    assert records(pipeline, id_) == 0
    said = json.loads(pipeline.trail(US, id_)[-1].detail)
    assert (pipeline.trail(US, id_)[-1].action, said) == ("discarded", {"who": "boss", "why": "not ours"})


def test_a_discarded_document_comes_back_with_its_next_version_in_bc() -> None:
    pipeline, id_ = with_parked()
    discard(pipeline.parts, parked_documents(pipeline.parts, chosen(pipeline, id_)), ACT)
    mend(pipeline)
    pipeline.business_central.edit_header(US, id_, purchaser="XX")
    pipeline.run()
    assert (pipeline.states()[id_].status, records(pipeline, id_)) == (Status.DONE, 1)


STEPS: dict[str, Callable[[Pipeline, str, int], object]] = {
    "replay": lambda pipeline, id_, _generation: go(pipeline, chosen(pipeline, id_)),
    "note": back_by_hand,
    "edit": lambda pipeline, id_, _generation: pipeline.business_central.edit_header(US, id_, purchaser="XX"),
    "poll": lambda pipeline, _id, _generation: pipeline.poll(),
}


@pytest.mark.parametrize("order", list(permutations(STEPS)), ids=" ".join)
def test_in_whatever_order_people_and_timers_act_it_is_staged_once(order: tuple[str, ...]) -> None:
    pipeline, id_ = with_parked()
    generation = pipeline.states()[id_].generation
    mend(pipeline)
    for step in order:
        STEPS[step](pipeline, id_, generation)
    pipeline.drain()
    pipeline.run(polls=2)
    assert (pipeline.states()[id_].status, records(pipeline, id_)) == (Status.DONE, 1)
    assert id_ not in {note.get("parked") for note in pipeline.poison()}
    assert pipeline.intact(US, id_)


def test_somebody_faster_is_told_and_nothing_of_his_is_undone() -> None:
    pipeline, id_ = with_parked()
    seen = parked_documents(pipeline.parts, chosen(pipeline, id_))
    mend(pipeline)
    go(pipeline, chosen(pipeline, id_))
    late = discard(pipeline.parts, seen, ACT)
    assert (late.count, late.lost) == (0, (pipeline.states()[id_].number,))
    pipeline.drain()
    assert pipeline.states()[id_].status is Status.DONE


def test_what_is_chosen_is_exactly_what_fits() -> None:
    pipeline = Pipeline()
    pipeline.run()
    found = parked_documents(pipeline.parts, EVERYTHING)
    assert {one.state.id for one in found} == set(pipeline.parked())
    by_code = parked_documents(pipeline.parts, Selection(codes=("payment_term_not_translated",)))
    assert {one.company.key for one in by_code} == {"us", "de"}
    assert (
        len(parked_documents(pipeline.parts, Selection(codes=("PAYMENT_TERM_NOT_TRANSLATED",), companies=("de",)))) == 1
    )
    one = found[0]
    assert (
        parked_documents(pipeline.parts, Selection(vendors=(one.state.vendor,), numbers=(one.state.number,)))[0] == one
    )
    after = one.state.modified + timedelta(seconds=1)
    assert one not in parked_documents(pipeline.parts, Selection(parked_from=after))
    assert one in parked_documents(pipeline.parts, Selection(parked_until=after))
    assert parked_documents(pipeline.parts, Selection(numbers=("106",))) == []


@given(st.sets(st.sampled_from(["a", "b", "c"])), st.sets(st.sampled_from(["X", "Y"])))
def test_more_conditions_never_choose_more(numbers: set[str], codes: set[str]) -> None:
    for number in "abc":
        for code in "XY":
            facts = ParkedFacts(number, number, "v", frozenset({code}), "us", ORDERS, NEVER)
            both = Selection(numbers=numbers, codes=codes).covers(facts)
            assert both == (Selection(numbers=numbers).covers(facts) and Selection(codes=codes).covers(facts))
            assert Selection().covers(facts)

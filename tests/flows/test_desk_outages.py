"""Outages while documents are parked or go on: storage fails, a queue is gone, foreign messages come. Nothing vanishes: every
document has its state and its events, and the poison queue is right again after the rescue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from connector.decisions.selection import Selection
from connector.decisions.states import Status
from connector.errors import StorageUnavailable
from connector.flows.desk import Act, discard, parked_documents, replay
from connector.flows.rescue import rescue_all
from connector.flows.unreadable import PARTITION
from connector.flows.verify import verify
from connector.storage.ports import Sent
from tests.flows.comparison import target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import INVOICES, ORDERS, US, Pipeline, some, where
from tests.sandbox.storage import MemoryQueues
from tests.simulation.desk_history import DeskWorld, assert_void
from tests.simulation.stage import Cue, Mode, Plan, Stage, cued, only_reads, undisturbed

ACT = Act("clerk@example.com", "mended")
QUARTER_HOUR = 15 * 60
VENDORS = ("40000", "61000")


class Flaky(MemoryQueues):
    """Queues of which one does not answer for a while (`away`), or two times out of three. `before_next`: what somebody does
    right before the next message is sent."""

    away = every_third = ""
    before_next: Callable[[], None] | None = None
    _asked = 0

    def send(self, queue: str, text: str, **more: float) -> Sent:  # type: ignore[override]
        """Adds a message."""
        act, self.before_next = self.before_next, None
        if act is not None:
            act()
        self._require(queue)
        return super().send(queue, text, **more)

    def delete(self, queue: str, sent: Sent) -> bool:
        """Removes a message."""
        self._require(queue)
        return super().delete(queue, sent)

    def _require(self, queue: str) -> None:
        self._asked += queue == self.every_third
        if queue == self.away or (queue == self.every_third and self._asked % 3 == 0):
            raise StorageUnavailable(f"queue {queue}: status 503, ServerBusy")

    @contextmanager
    def outage(self, queue: str) -> Iterator[None]:
        """Within the block the queue answers 503."""
        self.away = queue
        yield
        self.away = ""


class Spoilt(Pipeline):
    """A pipeline in which some orders lack their suppliers."""

    def __init__(self) -> None:
        super().__init__(data=some(orders=12, invoices=0, posted=False)[:1])
        self.queues = self.flaky = Flaky(self.clock)
        for queue in (self.settings.documents_queue, self.settings.poison_queue):
            self.flaky.ensure(queue)
        self.parts = replace(self.parts, queues=self.flaky)
        self.rename("", "WAS ")
        expected = expectations(self.landscape).values()
        self.spoilt = {one.id for one in expected if one.fate == "parked"}
        assert len(self.spoilt) > 3

    def rename(self, old: str, new: str) -> None:
        """The suppliers' codes are others now."""
        tables = self.servicenow.tables
        for vendor in VENDORS:
            for row in tables.find("sn_fin_supplier", {"erp_supplier_code": old + vendor}):
                tables.update("sn_fin_supplier", row["sys_id"], {"erp_supplier_code": new + vendor})

    def mend(self) -> None:
        """All suppliers are there."""
        self.rename("WAS ", "")
        self.clock.advance(3600)

    def rescue(self) -> None:
        """The rescue timer, late enough for whatever stands still."""
        self.clock.advance(QUARTER_HOUR)
        rescue_all(self.parts)
        self.drain()

    def assert_parked(self) -> None:
        """Exactly what is spoilt is parked, its reason on record as state and event; all else is carried, every trail whole."""
        assert set(self.parked()) == self.spoilt
        for id_ in self.spoilt:
            assert self.parked()[id_] == {("SUPPLIER_MISSING", "")}
            assert self.trail(US, id_)[-1].action == "parked"
        expected = expectations(self.landscape)
        assert target_differences(list(expected.values()), self.servicenow.tables) == []
        assert len(self.states()) == len(expected)
        found = verify(self.parts)
        assert (found.documents, found.broken) == (len(expected), [])

    def assert_one_note_each(self) -> None:
        """The poison queue holds one message for each parked document, of its generation."""
        notes = sorted((note["parked"], note["generation"]) for note in self.poison())
        assert notes == sorted((id_, self.states()[id_].generation) for id_ in self.parked())


# -- the poison queue


def test_the_poison_queue_does_not_answer_while_documents_are_parked() -> None:
    pipeline = Spoilt()
    with pipeline.flaky.outage(pipeline.settings.poison_queue):
        pipeline.run()
        pipeline.rescue()
        pipeline.assert_parked()
        assert pipeline.poison() == []
        assert {type(fault) for fault in pipeline.faults} == {StorageUnavailable}
    pipeline.rescue()
    pipeline.assert_parked()
    pipeline.assert_one_note_each()


def test_a_poison_queue_that_somebody_deleted_is_made_anew_for_the_next_document_that_is_parked() -> None:
    pipeline = Spoilt()
    pipeline.flaky.drop(pipeline.settings.poison_queue)
    pipeline.run()
    assert pipeline.faults == []
    pipeline.assert_parked()
    pipeline.assert_one_note_each()


def test_documents_whose_notes_went_with_their_queue_are_replayed_and_discarded_all_the_same() -> None:
    pipeline = Spoilt()
    pipeline.run()
    pipeline.flaky.drop(pipeline.settings.poison_queue)
    pipeline.assert_parked()
    given_up = parked_documents(pipeline.parts, Selection())[:1]
    assert discard(pipeline.parts, given_up, ACT).count == 1
    pipeline.mend()
    assert replay(pipeline.parts, parked_documents(pipeline.parts, Selection()), ACT).count == len(pipeline.spoilt) - 1
    pipeline.drain()
    pipeline.rescue()
    assert pipeline.parked() == {}
    assert pipeline.with_status(Status.DISCARDED) == {given_up[0].state.id}
    assert verify(pipeline.parts).broken == []


def test_the_poison_queue_does_not_answer_while_documents_go_on_and_their_notes_are_taken_back_later() -> None:
    pipeline = Spoilt()
    pipeline.run()
    pipeline.mend()
    for number, id_ in enumerate(sorted(pipeline.spoilt)):
        # By an edit: its message knows nothing of replays, so its next run leaves the document alone.
        pipeline.clock.advance(number + 1)
        pipeline.business_central.edit_header(US, id_, purchaser="XX")
    with pipeline.flaky.outage(pipeline.settings.poison_queue):
        pipeline.run()
        pipeline.rescue()
        assert pipeline.parked() == {}
        assert {note["parked"] for note in pipeline.poison()} == pipeline.spoilt
    pipeline.rescue()
    assert pipeline.poison() == []
    assert target_differences(list(expectations(pipeline.landscape).values()), pipeline.servicenow.tables) == []


def test_a_discard_whose_note_could_not_be_deleted_is_made_good_by_the_rescue() -> None:
    pipeline = Spoilt()
    pipeline.run()
    given_up = parked_documents(pipeline.parts, Selection())
    with pipeline.flaky.outage(pipeline.settings.poison_queue), pytest.raises(StorageUnavailable):
        discard(pipeline.parts, given_up, ACT)
    assert pipeline.with_status(Status.DISCARDED) == pipeline.spoilt
    assert len(pipeline.poison()) == len(pipeline.spoilt)
    pipeline.rescue()
    assert pipeline.poison() == []
    assert pipeline.with_status(Status.DISCARDED) == pipeline.spoilt


@pytest.mark.parametrize("at_first", [False, True], ids=["while notes are completed", "while documents are parked"])
def test_a_poison_queue_that_fails_in_the_middle_gets_no_note_twice(*, at_first: bool) -> None:
    pipeline = Spoilt()
    if not at_first:
        with pipeline.flaky.outage(pipeline.settings.poison_queue):
            pipeline.run()
            pipeline.rescue()
    pipeline.flaky.every_third = pipeline.settings.poison_queue
    pipeline.run()
    for _ in pipeline.spoilt:
        pipeline.rescue()
    pipeline.assert_parked()
    pipeline.assert_one_note_each()


def test_a_note_that_is_completed_while_somebody_replays_its_document_is_taken_back() -> None:
    pipeline = Spoilt()
    with pipeline.flaky.outage(pipeline.settings.poison_queue):
        pipeline.run()
        pipeline.rescue()
    pipeline.mend()
    parked = parked_documents(pipeline.parts, Selection())

    def meanwhile() -> None:
        assert replay(pipeline.parts, parked, ACT).count == len(parked)

    pipeline.flaky.before_next = meanwhile
    rescue_all(pipeline.parts)
    pipeline.drain()
    assert pipeline.parked() == {}
    assert pipeline.poison() == []


# -- the documents queue


def test_a_documents_queue_that_somebody_deleted_is_made_anew_and_what_was_in_it_goes_on() -> None:
    pipeline = Spoilt()
    pipeline.poll()
    assert pipeline.queues.count(pipeline.settings.documents_queue) > 0
    pipeline.flaky.drop(pipeline.settings.documents_queue)
    pipeline.rescue()
    pipeline.clock.advance(60)
    pipeline.flaky.drop(pipeline.settings.documents_queue)
    added = pipeline.find(US, "106002")
    pipeline.business_central.edit_header(US, added, purchaser="XX")
    pipeline.run()
    assert pipeline.faults == []
    pipeline.assert_parked()
    pipeline.assert_one_note_each()


def test_a_replay_that_meets_a_missing_queue_makes_it_anew() -> None:
    pipeline = Spoilt()
    pipeline.run()
    pipeline.mend()
    pipeline.flaky.drop(pipeline.settings.documents_queue)
    replay(pipeline.parts, parked_documents(pipeline.parts, Selection()), ACT)
    pipeline.drain()
    assert pipeline.parked() == {}
    assert pipeline.poison() == []


# -- every single effect of storage, with foreign messages in between

PLACES = (where(US, ORDERS), where(US, INVOICES))
FOREIGN = ("", "\ufffd\ufffd\x00", "{", "[]", "17", '{"v":2,"parked":"x"}', '{"v":1,"poll":"no feed"}', "[" * 5_000)


def park(plan: Plan) -> Stage:
    """Four documents are parked while foreign messages come, under the plan; then the recovery."""
    world = DeskWorld(plan, parked=False)
    for text in FOREIGN:
        world.queues.ensure(world.settings.documents_queue)
        world.queues.send(world.settings.documents_queue, text)
    world.tick()
    effects = len(world.stage.effects)
    world.stage.plan = undisturbed
    world.rest()
    assert world.wrong(dict.fromkeys(world.ids, Status.PARKED)) == []
    assert_void(world)
    assert sum(world.records(number) for number in world.ids) == 0
    ledger = world.process().ledger
    ends = [
        events[-1].action for place in PLACES for id_ in world.ids.values() if (events := ledger.events(place, id_))
    ]
    assert ends == ["parked"] * len(world.ids)
    assert [(len(one.events), one.fault) for one in ledger.documents(PARTITION)] == [(1, "")] * len(FOREIGN)
    del world.stage.effects[effects:]
    return world.stage


@pytest.mark.parametrize("mode", ["fail_before", "fail_after"])
def test_storage_that_fails_at_any_single_effect_of_parking_loses_nothing(mode: Mode) -> None:
    effects = park(cued()).effects
    numbers = [
        number
        for number, name in enumerate(effects, 1)
        if number >= effects.index("host.receive documents")
        and name.startswith(("tables.", "queues.", "host."))
        and (mode == "fail_before" or not only_reads(name))
    ]
    for number in numbers:
        try:
            park(cued(Cue(number, mode)))
        except BaseException as error:
            error.add_note(f"replay: effect {number}, {effects[number - 1]}, {mode}")
            raise
    assert len(numbers) > 15

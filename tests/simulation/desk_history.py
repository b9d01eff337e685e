"""What happens at the desk, for fault schedules: an order and its invoice are parked, mended and replayed; another order is
discarded although it was mended; a third is replayed although it was not. And what must hold when all is at rest again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

from connector.decisions.selection import Selection
from connector.decisions.states import Status
from connector.flows.desk import Act, Done, discard, parked_documents, replay
from connector.flows.parts import Parts
from tests.flows.comparison import order_differences, supplier_differences, target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import INVOICES, US, part_of
from tests.flows.test_main_job_parking import add_department
from tests.sandbox.sample import CompanyData, companies
from tests.sandbox.storage import Message
from tests.simulation.conservation import astray
from tests.simulation.stage import Plan, Stage, Turns, undisturbed
from tests.simulation.world import World

ORDER, INVOICE, GIVEN_UP, UNMENDED = "106006", "108041", "106136", "106064"
REPLAYED = (ORDER, INVOICE, UNMENDED)
VENDORS = {ORDER: "40000", GIVEN_UP: "61000", UNMENDED: "62000"}
ENDS = {ORDER: Status.DONE, INVOICE: Status.DONE, GIVEN_UP: Status.DISCARDED, UNMENDED: Status.PARKED}
"""How each stands in the end."""
ACT = Act("clerk@example.com", "mended")
GIVE_UP = Act("clerk@example.com", "belongs to another company")
MOST_RUNS = 3
INVOICE_LINE = 20000


@cache
def _documents() -> CompanyData:
    company = companies()[0]
    orders = {order.number: order for order in company.orders}
    orders[ORDER].header["status"] = "Open"
    (invoice,) = (one for one in company.invoices if one.number == INVOICE)
    return replace(part_of(company, [orders[number] for number in VENDORS], [invoice]), history={})


class DeskWorld(World):
    """Four documents that cannot be carried as they are. `parked`: they were parked and mended before the plan begins."""

    def __init__(
        self, plan: Plan = undisturbed, *, parked: bool = True, turns: Turns | None = None, seed: int = 1
    ) -> None:
        data = _documents()
        super().__init__([replace(data, documents=dict(data.documents))], undisturbed, turns=turns, seed=seed)
        bc = self.landscape.business_central
        invoice = bc.document(US, INVOICE, entity=INVOICES)
        line = next(line for line in invoice.lines if line.values["sequence"] == INVOICE_LINE)
        self._known = line.dimensions["DEPARTMENT"]
        self.ids = {document.number: document.id for document in [*data.orders, invoice]}
        add_department(bc, US, "CANTEEN")
        self._department("CANTEEN")
        for vendor in VENDORS.values():
            self._rename(vendor, f"WAS {vendor}")
        if parked:
            self.tick()
            assert {state.status for state in self.ledger_states().values()} == {Status.PARKED}
            self.mend()
        self.begin(plan)

    # -- people

    def mend(self) -> None:
        """All but one are put right. Whoever works from here on remembers nothing of what was missing."""
        self._department(self._known)
        for number in (ORDER, GIVEN_UP):
            self._rename(f"WAS {VENDORS[number]}", VENDORS[number])
        self.clock.advance(60)
        self.restart()

    def command(self, act: Callable[[Parts], Done]) -> None:
        """An operator's command, in a process of its own. When it dies or fails, the operator runs it again."""
        for _ in range(MOST_RUNS):
            self.restart()
            done = self.attempt(lambda: act(self.process()))
            self.restart()
            if isinstance(done, Done):
                return
        raise AssertionError("the command does not come to its end")

    def put_back(self, message: Message) -> None:
        """Somebody moves a message of the poison queue to the documents queue."""
        self.queues.send(self.settings.documents_queue, message.text)
        self.queues.delete(self.settings.poison_queue, message.sent)

    def _rename(self, vendor: str, name: str) -> None:
        tables = self.landscape.servicenow.tables
        for supplier in tables.find("sn_fin_supplier", {"erp_supplier_code": vendor}):
            tables.update("sn_fin_supplier", supplier["sys_id"], {"erp_supplier_code": name})

    def _department(self, code: str) -> None:
        bc = self.landscape.business_central
        bc.set_dimension(US, INVOICE, "DEPARTMENT", code, sequence=INVOICE_LINE, entity=INVOICES)

    # -- looking

    def writes(self) -> int:
        """How many records were made or changed in ServiceNow so far."""
        tables = self.landscape.servicenow.tables
        return sum(tables.inserts.values()) + sum(tables.updates.values())

    def records(self, number: str) -> int:
        """How many records ServiceNow has of the document."""
        tables = self.landscape.servicenow.tables
        orders = tables.find("sn_shop_purchase_order", {"erp_number": number})
        return len(orders) + len(tables.find("sn_shop_invoice", {"erp_number": number}))

    def wrong(self, ends: Mapping[str, Status] = ENDS) -> list[str]:
        """What is not as it must be when all is at rest again: nothing."""
        states = {state.number: state for state in self.ledger_states().values()}
        report = [
            f"{number} is {states[number].status}" for number, end in ends.items() if states[number].status != end
        ]
        done = [number for number, end in ends.items() if end is Status.DONE]
        carried = [one for one in expectations(self.landscape).values() if one.number in done]
        store = self.landscape.servicenow.tables
        report += target_differences(carried, store)
        report += supplier_differences(carried, store)
        report += order_differences(carried, store)
        return report + self.broken_trails() + astray(self)

    def void_notes(self) -> list[Message]:
        """The messages on the poison queue that are too many: of an older generation than their document, and so void. Asserts
        that beside them each parked document has one, and no other document any."""
        states = self.ledger_states()
        wanted = {(one.id, one.generation) for one in states.values() if one.status is Status.PARKED}
        void = []
        for message in self.queues.messages(self.settings.poison_queue):
            note = json.loads(message.text)
            id_, generation = note["parked"], note["generation"]
            if generation < states[id_].generation:
                void.append(message)
            else:
                assert (id_, generation) in wanted, f"{note} is one too many, and not void"
                wanted.discard((id_, generation))
        assert not wanted, f"no note for {wanted}"
        return void


def replay_mended(parts: Parts) -> Done:
    """Replays what is still parked of the order, its invoice and the order that was not mended."""
    return replay(parts, parked_documents(parts, Selection(numbers=REPLAYED)), ACT)


def give_up(parts: Parts) -> Done:
    """Discards the order that belongs elsewhere."""
    return discard(parts, parked_documents(parts, Selection(numbers=(GIVEN_UP,))), GIVE_UP)


def replay_and_discard(plan: Plan) -> Stage:
    """Two commands and all work that follows from them, under the plan. Then the recovery: the timers, until all is at rest."""
    world = DeskWorld(plan)
    world.command(replay_mended)
    world.command(give_up)
    world.work()
    effects = len(world.stage.effects)
    world.stage.plan = undisturbed
    world.restart()
    world.rest()
    assert world.wrong() == []
    assert [world.records(number) for number in ENDS] == [1, 1, 0, 0]
    assert_void(world)
    # What follows the plan is no part of the exploration.
    del world.stage.effects[effects:]
    return world.stage


def assert_void(world: DeskWorld) -> None:
    """Nothing comes of it when somebody puts back the notes that are one too many."""
    notes = world.void_notes()
    before = world.writes(), world.ledger_states()
    for message in notes:
        world.put_back(message)
    world.work()
    assert (world.writes(), world.ledger_states()) == before
    assert world.void_notes() == []

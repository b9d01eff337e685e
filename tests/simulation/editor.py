"""The editor: people in Business Central who create, change, release, receive, post and delete documents, at random.

Some of what they do moves a document's stamp and some does not; some is committed late, some with a clock that was wrong.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal

from tests.sandbox.business_central import Document
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.records import Line
from tests.simulation.world import World

ORDERS, INVOICES, RECEIPTS = "purchaseOrders", "purchaseInvoices", "purchaseReceipts"
DEPARTMENTS = ("ADM", "PROD", "SALES")
MOST_ORDERS = 5


class Editor:
    """Edits one company of a world."""

    def __init__(self, world: World, company: str, chance: random.Random) -> None:
        self._world = world
        self._bc = world.landscape.business_central
        self._company = company
        self._chance = chance
        self._overlap = world.settings.poll_overlap.total_seconds()
        self._model = self._order(self._ids(ORDERS)[0])
        self.done: list[str] = []

    def edit(self) -> None:
        """One random step; what BC refuses is not done."""
        act = self._chance.choices([act for act, _ in self._acts], [weight for _, weight in self._acts])[0]
        late = self._chance.choice([0.0] * 6 + [self._overlap / 3, 20 * self._overlap, 20 * self._overlap])
        try:
            with self._bc.late_commit(late) if late else nullcontext():
                if late:
                    # Whatever is touched now may get a stamp that the cursor has passed.
                    self._world.late |= {*self._ids(ORDERS), *self._ids(INVOICES)}
                act(self)
                if late:
                    self._world.late |= {*self._ids(INVOICES), *self._ids(RECEIPTS)}
        except (Refusal, LookupError):
            return
        self.done.append(act.__name__.strip("_"))

    def _create(self) -> None:
        if len(self._ids(ORDERS)) >= MOST_ORDERS:
            return
        number, id_ = f"{300_000 + len(self._world.order_ids)}", self._fresh()
        lines = [
            Line(line.values | {"id": self._fresh(), "documentId": id_}, dict(line.dimensions))
            for line in self._model.lines
        ]
        status = self._chance.choice(["Draft", "Open"])
        header = self._model.header | {"id": id_, "number": number, "status": status}
        self._world.order_ids[number] = id_
        self._world.late.add(id_)
        self._bc.add_order(self._company, Document(header, lines, dict(self._model.dimensions)))

    def _quantity(self) -> None:
        order, line = self._some_line()
        quantity = Decimal(self._chance.randint(1, 40))
        self._bc.edit_line(self._company, order.id, _sequence(line), quantity=quantity)

    def _describe(self) -> None:
        order, line = self._some_line()
        text = f"Edited {self._chance.randint(1, 99)}"
        self._bc.edit_line(self._company, order.id, _sequence(line), description=text)

    def _redimension(self) -> None:
        order, line = self._some_line()
        value = self._chance.choice(DEPARTMENTS)
        self._bc.set_dimension(self._company, order.id, "DEPARTMENT", value, sequence=_sequence(line))

    def _redimension_header(self) -> None:
        order = self._some_order()
        self._bc.set_dimension(self._company, order.id, "DEPARTMENT", self._chance.choice(DEPARTMENTS))

    def _add_line(self) -> None:
        order, line = self._some_line()
        sequence = max(_sequence(each) for each in order.lines) + 10_000
        added = Line(line.values | {"id": self._fresh(), "sequence": sequence}, dict(line.dimensions))
        self._bc.add_line(self._company, order.id, added)

    def _remove_line(self) -> None:
        order, line = self._some_line()
        # Business Central keeps lines of which goods were received.
        if len(order.lines) > 1 and not line.values["receivedQuantity"]:
            self._bc.remove_line(self._company, order.id, _sequence(line))

    def _release(self) -> None:
        self._bc.release_order(self._company, self._some_order().id)

    def _reopen(self) -> None:
        self._bc.reopen_order(self._company, self._some_order().id)

    def _receive(self) -> None:
        self._bc.post_order(self._company, self._some_order().id, invoice=False)

    def _post(self) -> None:
        order = self._some_order()
        self._bc.post_order(self._company, order.id, vendor_invoice_number=f"V-{order.number}-{len(self.done)}")

    def _delete(self) -> None:
        self._bc.delete(self._company, ORDERS, self._some_order().id)

    def _pay(self) -> None:
        self._bc.pay_invoice(self._company, self._chance.choice(self._ids(INVOICES)))

    _acts: tuple[tuple[Callable[[Editor], None], int], ...] = (
        (_create, 3),
        (_quantity, 4),
        (_describe, 3),
        (_redimension, 4),
        (_redimension_header, 1),
        (_add_line, 1),
        (_remove_line, 1),
        (_release, 3),
        (_reopen, 1),
        (_receive, 2),
        (_post, 3),
        (_delete, 2),
        (_pay, 1),
    )

    def _some_order(self) -> Document:
        return self._order(self._chance.choice(self._ids(ORDERS)))

    def _some_line(self) -> tuple[Document, Line]:
        order = self._some_order()
        return order, self._chance.choice([line for line in order.lines if line.values["lineType"] != "Comment"])

    def _order(self, id_: str) -> Document:
        return self._bc.document(self._company, id_)

    def _ids(self, entity: str) -> list[str]:
        return self._bc.document_ids(self._company, entity)

    def _fresh(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128)))


def _sequence(line: Line) -> int:
    return int(str(line.values["sequence"]))

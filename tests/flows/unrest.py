"""Unrest: three hundred documents, people who go on editing them, a ServiceNow that keeps failing. The same for each door."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from tests.flows.carriers import Carrier, carrying, sample
from tests.flows.mishaps import PASSING, Mishaps
from tests.flows.pipeline import INVOICES, ORDERS, Pipeline
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.clock import VirtualClock
from tests.sandbox.landscape import Landscape

DOCUMENTS: dict[Carrier, tuple[int, int]] = {
    "batch": (75, 75),
    "insert_multiple": (75, 75),
    "ap_invoice": (10, 140),
    "table": (150, 0),
}
"""Orders and invoices of each of the two companies: three hundred documents."""
SETTLES: dict[Carrier, float] = {"batch": 30, "insert_multiple": 60, "ap_invoice": 300, "table": 60}
ROW_SECONDS = 0.02
INVOICES_A_CALL, ROWS_A_BATCH = 10, 25
"""Small, so that many requests write, and chance has something to choose from."""
EDITS, BETWEEN_EDITS = 40, 14.0
ROUNDS, BETWEEN_ROUNDS = 45, 15.0


def pipeline_of(
    door: Carrier, folder: Path, *, seed: int, probability: float, names: Sequence[str] = PASSING
) -> tuple[Pipeline, Mishaps]:
    """A pipeline, and the mishaps its requests to ServiceNow meet."""
    made: list[Mishaps] = []

    def surrounded(landscape: Landscape, clock: VirtualClock) -> Mishaps:
        mishaps = Mishaps(landscape, clock, seed=seed, probability=probability, settles=SETTLES[door], names=names)
        made.append(mishaps)
        return mishaps

    data = sample(*DOCUMENTS[door])
    pipeline = carrying(
        door,
        folder,
        data,
        seed=seed,
        row_seconds=ROW_SECONDS,
        surrounded=surrounded,
        invoices_a_call=INVOICES_A_CALL,
        rows_a_batch=ROWS_A_BATCH,
    )
    return pipeline, made[0]


def edited_meanwhile(door: Carrier, pipeline: Pipeline) -> None:
    """Lets people edit documents at moments of virtual time, whatever happens then. Always the same edits."""
    draw, clock, bc = random.Random(1000), pipeline.clock, pipeline.business_central
    for number in range(1, EDITS + 1):
        company = draw.choice(pipeline.landscape.data)
        entity = INVOICES if door == "ap_invoice" else draw.choice([ORDERS, INVOICES] if company.invoices else [ORDERS])
        document = draw.choice([each for each in company.documents[entity] if each.header["status"] == "Open"])
        line = draw.choice([each for each in document.lines if each.values["lineType"] != "Comment"])
        change = draw.choice(("quantity", "quantity", "price", "removal")), draw.randrange(2, 30)
        place = company.name, entity, document.id, int(str(line.values["sequence"]))
        clock.at(clock.now() + timedelta(seconds=BETWEEN_EDITS * number), lambda p=place, c=change: edit(bc, *p, *c))


def edit(bc: BusinessCentral, company: str, entity: str, id_: str, sequence: int, what: str, value: int) -> None:
    """One edit of a line, unless an earlier one removed it; two lines stay in any case."""
    lines = [
        int(str(line.values["sequence"]))
        for line in bc.document(company, id_, entity=entity).lines
        if line.values["lineType"] != "Comment"
    ]
    if sequence not in lines:
        return
    if what == "removal":
        if len(lines) > 2:
            bc.remove_line(company, id_, sequence, entity=entity)
        return
    price = "directUnitCost" if entity == ORDERS else "unitCost"
    bc.edit_line(company, id_, sequence, entity=entity, **{price if what == "price" else "quantity": value})


def go_on_to_the_end(pipeline: Pipeline, mishaps: Mishaps) -> None:
    """Polls and works while people edit, then until nothing is left to do, with mishaps throughout; at last a calm poll."""
    for _ in range(ROUNDS):
        pipeline.poll()
        pipeline.work()
        pipeline.clock.advance(BETWEEN_ROUNDS)
    pipeline.drain()
    mishaps.probability = 0.0
    pipeline.run(polls=2)

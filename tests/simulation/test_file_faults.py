"""Faults while files are carried: whatever dies or is lost at whichever effect, in the end each file is attached once, to the
byte, and no record was written twice for want of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.files_bench import WRITER, profile
from tests.flows.pipeline import INVOICES, ORDERS, US
from tests.sandbox.business_central.media import printed
from tests.sandbox.business_central.probe import Probe
from tests.sandbox.sample import CompanyData, companies
from tests.sandbox.servicenow.attachment_files import content
from tests.sandbox.servicenow.shipped import CONNECTOR_USER
from tests.simulation.stage import Cue, Mode, Plan, Stage, by_chance, cued
from tests.simulation.world import World

AFTER: tuple[Mode, ...] = ("fail_after", "stop_after")
FILE_WORDS = ("attachment", "attachmentContent", "pdfDocumentContent")
# The print of an order that was edited is the one that was attached first.
Prints = dict[str, bytes]


def small_company() -> CompanyData:
    """An order of few lines, and an invoice with an incoming document and a note."""
    company = companies()[0]
    order = next(one for one in company.orders if one.header["status"] == "Open" and len(one.lines) == 2)
    return replace(company, documents={ORDERS: [order], INVOICES: company.invoices[:1]})


def add_file(world: World, entity: str, number: str, name: str, data: bytes) -> None:
    """A user attaches a file."""
    bc = world.landscape.business_central
    probe = Probe(bc, world.landscape.data[0].id)
    document = bc.document(US, number, entity=entity)
    made = probe.send("POST", f"{entity}({document.id})/documentAttachments", {"fileName": name})
    link = made.json()["attachmentContent@odata.mediaEditLink"]
    assert probe.client.patch(link, content=data, headers={"If-Match": "*"}).status_code == 204


def wanted(world: World, prints: Prints) -> list[tuple[str, str, bytes]]:
    """Record, name and bytes of every file that must be attached."""
    state = world.landscape.business_central._company(US)
    found = []
    for ledger in world.ledger_states().values():
        entity = next((one for one in (ORDERS, INVOICES) if ledger.id in state.sets[one]), None)
        if entity is None:
            continue  # its route asks for no files
        print_ = prints.get(ledger.id) or printed(state.sets[entity][ledger.id])
        found.append((ledger.sys_id, f"{ledger.number}.pdf", print_))
        for kind in ("attachments", "documentAttachments"):
            found += [
                (ledger.sys_id, str(record.values["fileName"]), state.files[f"{record.id}/attachmentContent"])
                for record in state.all_of(kind)
                if record.values["parentId"] == ledger.id
            ]
    return sorted(found)


def there(world: World) -> list[tuple[str, str, bytes]]:
    """What is attached."""
    store = world.landscape.servicenow.tables
    rows = store.rows("sys_attachment")
    return sorted((row["table_sys_id"], row["file_name"], content(store, row["sys_id"])) for row in rows)


def carry(settings: Mapping[str, str], plan: Plan) -> Stage:
    """From an empty ledger to rest, then an edit with a new file, to rest."""
    data = small_company()
    world = World([data], plan, settings=settings)
    world.landscape.servicenow.access.grant(CONNECTOR_USER, WRITER)
    world.rest()
    assert there(world) == wanted(world, {})
    state = world.landscape.business_central._company(US)
    order = data.orders[0]
    prints = {order.id: printed(state.sets[ORDERS][order.id])}
    world.clock.advance(60)
    add_file(world, ORDERS, order.number, "later.txt", b"late")
    world.landscape.business_central.edit_header(US, order.number, purchaser="ZZ")
    world.rest()
    assert there(world) == wanted(world, prints)
    assert world.differences() == []
    return world.stage


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Those of a profile that asks for files."""
    return {"PROFILE": profile(tmp_path)}


def attach_once(settings: Mapping[str, str], plan: Plan) -> Stage:
    """One invoice with its print and two files, from an empty ledger to rest."""
    company = small_company()
    world = World([replace(company, documents={ORDERS: [], INVOICES: company.invoices})], plan, settings=settings)
    world.landscape.servicenow.access.grant(CONNECTOR_USER, WRITER)
    world.rest()
    assert there(world) == wanted(world, {})
    return world.stage


@pytest.mark.parametrize("mode", AFTER)
def test_every_single_fault_while_files_are_carried_leaves_each_file_once(settings: dict[str, str], mode: Mode) -> None:
    effects = attach_once(settings, cued()).effects
    about_files = [number for number, name in enumerate(effects, 1) if any(word in name for word in FILE_WORDS)]
    # From the step before the first look at files to the outcome and the messages after the last.
    numbers = range(min(about_files) - 3, max(about_files) + 5)
    for number in numbers:
        try:
            attach_once(settings, cued(Cue(number, mode)))
        except BaseException as error:
            error.add_note(f"replay: effect {number}, {effects[number - 1]}")
            raise
    assert len(numbers) > 15


@pytest.mark.parametrize("seed", range(2))
def test_random_faults_leave_each_file_once_before_and_after_an_edit(settings: dict[str, str], seed: int) -> None:
    carry(settings, by_chance(seed, 0.05))


def test_the_history_attaches_five_files_and_rests(settings: dict[str, str]) -> None:
    stage = carry(settings, cued())
    assert sum("attachment/file" in name for name in stage.effects) == 5

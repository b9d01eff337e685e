"""Every single fault while cost centres are aligned: whatever dies or is lost at whichever effect, in the end both sides know
the same, nothing was made twice, and every trail is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.flows.align import align
from connector.flows.alignment_record import alignment_partition
from tests.flows.pipeline import US, part_of
from tests.sandbox.business_central.webhook_resources import EXTENSION
from tests.sandbox.sample import companies
from tests.simulation.exploration import explore
from tests.simulation.stage import Mode, Plan, Stage
from tests.simulation.world import World

AFTER: tuple[Mode, ...] = ("fail_after", "stop_after")
MOST_RUNS = 12
WANTED = {"LAB": "Research laboratory", "SHOP": "Shop"}


def aligned(world: World) -> None:
    """Runs until one finds nothing left to do, as the timer does."""
    for _ in range(MOST_RUNS):
        world.clock.advance(600)
        came_to = world.attempt(lambda: align(world.process(), world.settings.companies[0]))
        if came_to is not None and getattr(came_to, "settled", False) and not getattr(came_to, "done", True):
            return
    raise AssertionError(f"not aligned after {MOST_RUNS} runs: {world.errors}")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "alignment.toml"
    file.write_text("[companies.us]\n", "utf-8")
    return {"ALIGNMENT": str(file)}


def test_every_single_fault_of_an_alignment_ends_with_both_sides_the_same(settings: dict[str, str]) -> None:
    def scenario(plan: Plan) -> Stage:
        world = World([part_of(companies()[0], [], [])], plan, settings=settings)
        world.landscape.business_central.apis.available.add(EXTENSION)
        tables = world.landscape.servicenow.tables
        lab = tables.insert("cmn_cost_center", {"code": "LAB", "account_number": "8000", "name": "Laboratory"})
        tables.insert("cmn_cost_center", {"code": "SHOP", "account_number": "8100", "name": "Shop"})
        aligned(world)
        tables.update("cmn_cost_center", lab, {"name": "Research laboratory"})
        aligned(world)
        bc = world.landscape.business_central
        rows = [bc.document(US, id_, entity="dimensionValues").header for id_ in bc.document_ids(US, "dimensionValues")]
        assert {row["code"]: row["displayName"] for row in rows if row["code"] in WANTED} == WANTED
        assert len([row for row in rows if row["code"] in WANTED]) == len(WANTED)
        parts = world.process()
        company = world.settings.companies[0]
        kept = parts.mappings.all(company.key, company.cost_centre_dimension).rows.values()
        assert {one.row.code: one.row.name for one in kept if one.row.code in WANTED} == WANTED
        where = alignment_partition(company)
        assert [one.fault for one in parts.ledger.documents(where) if one.fault] == []
        assert list(parts.ledger.open_states(where)) == []
        assert world.landscape.forbidden_writes == []
        return world.stage

    explored = explore(scenario, modes=AFTER, reads_once=True)
    assert explored.schedules > 20
    assert any("dimensionValues" in name and "POST" in name for name in explored.effects)

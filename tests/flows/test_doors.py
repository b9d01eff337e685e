"""Whatever the write door: afterwards ServiceNow equals Business Central, at a known number of calls."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from connector.decisions.states import Status
from connector.errors import SettingsFault
from connector.flows.sweep import sweep_all
from connector.model.documents import Entity
from connector.model.profile import DoorName
from connector.named_files import load_profile
from tests.benchmarks import orders
from tests.flows.comparison import order_differences, supplier_differences, target_differences
from tests.flows.expectation import Expected, expectations, vanished
from tests.flows.pipeline import ORDERS, SN_HOST, US, Pipeline, some
from tests.flows.procurement import procurement_differences
from tests.sandbox.business_central import CompanyData
from tests.sandbox.clock import VirtualClock
from tests.sandbox.doors import by_door, open_doors
from tests.sandbox.faults import Scenario
from tests.sandbox.landscape import Landscape
from tests.sandbox.wire import Fault

DOORS: tuple[DoorName, ...] = ("batch", "insert_multiple", "table")
OTHERS: tuple[DoorName, ...] = ("insert_multiple", "table")
WRITING = {"batch": "v1/batch", "insert_multiple": "insertMultiple", "table": "v1/batch"}
# Of the named faults, those that can meet these doors. What they make look wrong is parked, and replayed when they are over.
LOOKED_BACK = r"table/(sn_|proc_po)"
FAULTS = {
    "sn.rate_limited": {},
    "sn.semaphore_full": {},
    "sn.dropped_202": {},
    "sn.error_before_commit_500": {},
    "sn.error_after_commit_500": {},
    "sn.forbidden_after_commit_403": {},
    "sn.transaction_cancelled_500": {},
    "sn.truncated_200": {},
    "sn.hibernating": {},
    "sn.maintenance_503": {},
    "sn.bad_gateway_502": {},
    "sn.slow_beyond_limit": {},
    "sn.refused": {},
    "sn.reset_before": {},
    "sn.reset_after": {},
    "sn.cut_body": {},
    "sn.token_expired": {},
    "sn.batch_unserviced": {},
    "sn.batch_unserviced_committed": {},
    "sn.acl_short_page": {"path": LOOKED_BACK},
    "sn.acl_empty_page": {"path": LOOKED_BACK},
    "sn.rows_reordered": {},
    "sn.field_ignored": {"field": "total_cost"},
}


def carrying(
    door: DoorName, folder: Path, data: Sequence[CompanyData], *, seed: int = 1, row_seconds: float = 0.0
) -> Pipeline:
    """A pipeline that writes through the door."""
    clock = VirtualClock()
    landscape = Landscape(clock.now, data=data, sleep=clock.sleep, row_seconds=row_seconds)
    open_doors(landscape)
    return Pipeline(clock=clock, landscape=landscape, seed=seed, settings=by_door(door, folder))


def differences(door: DoorName, pipeline: Pipeline) -> list[str]:
    """Where the records differ from Business Central as it is now."""
    expected = list((vanished(pipeline.landscape) | expectations(pipeline.landscape)).values())
    store = pipeline.servicenow.tables
    if door == "table":
        return procurement_differences([each for each in expected if each.fate != "cancelled"], store)
    return [
        *target_differences(expected, store),
        *supplier_differences(expected, store),
        *order_differences(expected, store),
    ]


def not_at_rest(pipeline: Pipeline) -> list[str]:
    """What is still under way, or set aside though nothing is wrong with it."""
    states = pipeline.states()
    rightly = {id_ for id_, each in expectations(pipeline.landscape).items() if each.fate == "parked"}
    open_ = (Status.PENDING, Status.CLAIMED)
    waiting = [f"{one.number} is {one.status}" for one in states.values() if one.status in open_]
    parked = [f"{states[id_].number}: {why}" for id_, why in pipeline.parked().items() if id_ not in rightly]
    return [*waiting, *parked, *map(repr, pipeline.faults)]


def nothing_left(door: DoorName, pipeline: Pipeline, order: Expected) -> bool:
    """Whether the order's record says that it was cancelled, and each of its lines that nothing is left of it."""
    store = pipeline.servicenow.tables
    if door == "table":
        (record,) = store.find("proc_po", {"u_source_id": order.id})
        lines = store.find("proc_po_item", {"purchase_order": record["sys_id"]})
        left = [record["total_cost"], *(line["ordered_quantity"] for line in lines)]
    else:
        (source,) = store.find("sn_fin_erp_source", {"name": order.erp_source})
        key = {"erp_number": order.number, "erp_source": source["sys_id"]}
        (record,) = store.find("sn_shop_purchase_order", key)
        lines = store.find("sn_shop_purchase_order_line", {"purchase_order": record["sys_id"]})
        left = [record["total_amount"], *(line["purchased_quantity"] for line in lines)]
    return len(lines) == len(order.rows) - 1 and not any(map(Decimal, left))


def staged_order(pipeline: Pipeline, *, lines: int = 2) -> Expected:
    """An order of the first company that was carried, with at least so many lines, nothing of it received or billed yet."""
    bc = pipeline.business_central
    known = {
        str(bc.document(US, id_, entity=entity).header["orderNumber"])
        for entity in ("purchaseReceipts", "purchaseInvoices")
        for id_ in bc.document_ids(US, entity)
    }
    return next(
        each
        for each in expectations(pipeline.landscape).values()
        if (each.kind, each.fate, each.erp_source) == ("order", "staged", "BC-US")
        and len(each.rows) > lines
        and each.number not in known
    )


@pytest.mark.parametrize("door", DOORS)
def test_every_door_carries_the_sample_whole(door: DoorName, tmp_path: Path) -> None:
    pipeline = carrying(door, tmp_path, some())
    pipeline.run()
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])
    assert pipeline.with_status(Status.DONE)
    sent = len(pipeline.wire.to(SN_HOST))
    pipeline.run(polls=2)
    assert len(pipeline.wire.to(SN_HOST)) - sent <= 4  # nothing changed: suppliers at most are looked at again


@pytest.mark.parametrize("door", DOORS)
def test_edits_removed_lines_and_a_deleted_order_arrive_through_every_door(door: DoorName, tmp_path: Path) -> None:
    pipeline = carrying(door, tmp_path, some(invoices=0))
    pipeline.run()
    order = staged_order(pipeline)
    numbers = [int(row.line) for row in order.rows[1:]]
    bc = pipeline.business_central
    pipeline.clock.advance(60)
    bc.edit_line(US, order.number, numbers[0], quantity=3)
    bc.remove_line(US, order.number, numbers[1])
    pipeline.run()
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])
    pipeline.clock.advance(60)
    bc.delete(US, ORDERS, order.id)
    sweep_all(pipeline.parts)
    pipeline.drain()
    assert pipeline.states()[order.id].status is Status.CLOSED
    assert nothing_left(door, pipeline, order)


@pytest.mark.parametrize("door", OTHERS)
@pytest.mark.parametrize("seed", range(6))
def test_random_faults_over_sixty_documents_leave_no_double_stale_half_or_ghost(
    door: DoorName, seed: int, tmp_path: Path
) -> None:
    many = {"orders": 30, "invoices": 0} if door == "table" else {"orders": 20, "invoices": 10}
    pipeline = carrying(door, tmp_path, some(**many), seed=seed, row_seconds=0.05)
    names = [name for number, name in enumerate(FAULTS) if number % 3 == seed % 3 or seed >= 3]
    probability = 0.1 if seed < 3 else 0.02
    rows = tuple((name, FAULTS[name] | {"probability": probability, "times": 12}) for name in names)
    Scenario(seed, rows).install("sn", pipeline.sn_exchange, pipeline.servicenow)
    pipeline.run(polls=2)
    order = staged_order(pipeline)
    numbers = [int(row.line) for row in order.rows[1:]]
    pipeline.business_central.edit_line(US, order.number, numbers[0], quantity=3)
    pipeline.business_central.remove_line(US, order.number, numbers[1])
    pipeline.run(polls=3)
    assert (
        sum(name.startswith("fault:") for name in pipeline.sn_exchange.counts)
        or pipeline.servicenow.front.injected.counts
    )
    Scenario(0, ()).install("sn", pipeline.sn_exchange, pipeline.servicenow)
    for message in pipeline.queues.messages(pipeline.settings.poison_queue):
        pipeline.queues.send(pipeline.settings.documents_queue, message.text)
    pipeline.drain()
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])


def test_an_edit_is_not_overwritten_by_an_older_version_that_was_still_to_be_transformed(tmp_path: Path) -> None:
    pipeline = carrying("insert_multiple", tmp_path, some(orders=12, invoices=0)[:1], row_seconds=2.0)
    pipeline.poll()
    pipeline.work()  # time is up before all is transformed
    order = staged_order(pipeline)
    pipeline.business_central.edit_line(US, order.number, int(order.rows[1].line), quantity=3)
    pipeline.run(polls=5)
    assert (differences("insert_multiple", pipeline), not_at_rest(pipeline)) == ([], [])


@pytest.mark.parametrize(("door", "seconds"), [("batch", 30), ("insert_multiple", 60), ("table", 60)])
def test_after_a_lost_answer_nothing_is_written_before_the_doors_own_limit(
    door: DoorName, seconds: int, tmp_path: Path
) -> None:
    pipeline = carrying(door, tmp_path, some(orders=4, invoices=0)[:1])
    pipeline.sn_exchange.faults = [Fault("reset_after", path=WRITING[door])]
    pipeline.poll()
    pipeline.work()
    next_in = pipeline.next_in()
    assert next_in is not None
    assert next_in.total_seconds() == seconds
    assert pipeline.parts.door(Entity.PURCHASE_ORDER).settles_after == seconds
    pipeline.drain()
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])


@pytest.mark.parametrize(("door", "seconds"), [("batch", 30), ("insert_multiple", 60), ("table", 60)])
def test_after_a_crash_in_the_middle_of_writing_nothing_is_written_before_the_doors_own_limit(
    door: DoorName, seconds: int, tmp_path: Path
) -> None:
    pipeline = carrying(door, tmp_path, some(orders=4, invoices=0)[:1])
    answered, crashes = pipeline.sn_exchange.handler, [1]

    def crashing(request: httpx.Request) -> httpx.Response:
        answer = answered(request)
        if WRITING[door] in request.url.path and crashes and crashes.pop():
            raise ZeroDivisionError("a defect nobody foresaw")
        return answer

    pipeline.sn_exchange.handler = crashing
    pipeline.poll()
    pipeline.work()
    next_in = pipeline.next_in()
    assert next_in is not None
    assert next_in.total_seconds() == seconds
    pipeline.drain()
    assert (differences(door, pipeline), not_at_rest(pipeline)) == ([], [])


@pytest.mark.parametrize("door", DOORS)
def test_a_thousand_reference_orders_cost_no_more_calls_than_the_door_may(door: DoorName) -> None:
    assert orders.DOORS["insert_multiple"] == 55
    assert orders.run(Console(quiet=True), 1000, door)


def test_a_profile_that_names_a_door_that_is_not_there_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    path = Path(by_door("fax", tmp_path)["PROFILE"])
    with pytest.raises(SettingsFault, match=r"routes\.purchaseOrders\.door"):
        load_profile(str(path))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('parent = "purchase_order"', "", "parent"),
        ('parent = "purchase_order"', 'parent = "vendor"', "parent"),
        ('door = "table"', 'door = "batch"', "parent"),
        ('name = "procurement"', 'name = "procurement"\nclear_with = "NULL"', "clear_with"),
    ],
)
def test_a_profile_for_the_table_door_says_how_lines_find_their_header(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    shipped = Path("connector/profiles/procurement.toml").read_text("utf-8")
    assert old in shipped
    path = tmp_path / "own.toml"
    path.write_text(shipped.replace(old, new), "utf-8")
    with pytest.raises(SettingsFault, match=said):
        load_profile(str(path))

"""Every fault that has a name, in the middle of the main job: afterwards ServiceNow equals Business Central."""

from __future__ import annotations

import pytest

from connector.decisions.states import Status
from tests.flows.comparison import order_differences, supplier_differences, target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import Pipeline, some
from tests.sandbox.fault_names import FAULTS
from tests.sandbox.faults import SCENARIOS, Scenario, load_scenario

# These say that the rows themselves are wrong, or hide a supplier that then looks missing: the document is rightly parked
# until it is touched again.
PARKING = {"sn.import_error", "sn.line_before_order", "sn.acl_empty_page", "sn.acl_short_page", "bc.dangling_dimension"}
# These are states of the instance that last until somebody ends them; tests of their own switch them off again.
LASTING = {name for name, named in FAULTS.items() if named.switches}
# These befall notifications, which nobody is subscribed to here.
MAIL = {name for name, named in FAULTS.items() if named.mail}


def differences(pipeline: Pipeline) -> list[str]:
    expected = list(expectations(pipeline.landscape).values())
    store = pipeline.servicenow.tables
    return [
        *target_differences(expected, store),
        *supplier_differences(expected, store),
        *order_differences(expected, store),
    ]


def run_under(scenario: Scenario, pipeline: Pipeline) -> None:
    scenario.install("bc", pipeline.bc_exchange, pipeline.business_central)
    scenario.install("sn", pipeline.sn_exchange, pipeline.servicenow)
    pipeline.run(polls=3)


def calm(pipeline: Pipeline) -> None:
    Scenario(0, ()).install("bc", pipeline.bc_exchange, pipeline.business_central)
    Scenario(0, ()).install("sn", pipeline.sn_exchange, pipeline.servicenow)


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - PARKING - LASTING - MAIL))
def test_a_named_fault_met_twice_loses_doubles_and_parks_nothing(name: str) -> None:
    pipeline = Pipeline(data=some(orders=8, invoices=5)[:1])
    run_under(Scenario(7, ((name, {"skip": 1, "times": 2}),)), pipeline)
    assert differences(pipeline) == []
    assert pipeline.with_status(Status.PARKED) == set()
    assert pipeline.with_status(Status.PENDING) == set()


@pytest.mark.parametrize("name", sorted(LASTING))
def test_a_state_of_the_instance_that_ends_loses_and_doubles_nothing(name: str) -> None:
    pipeline = Pipeline(data=some(orders=8, invoices=5)[:1])
    scenario = Scenario(7, ((name, {}),))
    scenario.install("sn", pipeline.sn_exchange, pipeline.servicenow)
    before = {switch: getattr(pipeline.servicenow.switches, switch) for switch in FAULTS[name].switches}
    defaults = type(pipeline.servicenow.switches)()
    pipeline.poll()
    pipeline.work()
    for switch in before:
        pipeline.servicenow.switches.set(switch, getattr(defaults, switch))
    pipeline.drain()
    assert differences(pipeline) == []
    assert pipeline.with_status(Status.PARKED) == set()


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_scenario_ends_equal_once_it_is_over(path: str) -> None:
    pipeline = Pipeline(data=some(orders=12, invoices=8))
    run_under(load_scenario(path), pipeline)  # type: ignore[arg-type]
    calm(pipeline)
    # What the scenario's row errors parked goes on with the next version of the document, here by hand.
    for message in pipeline.queues.messages(pipeline.settings.poison_queue):
        pipeline.queues.send(pipeline.settings.documents_queue, message.text)
    pipeline.drain()
    assert differences(pipeline) == []
    assert pipeline.with_status(Status.PARKED) == set()

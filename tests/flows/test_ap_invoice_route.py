"""The main job with invoices going through the AP Invoice API and orders through batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path

import pytest

from connector.decisions.states import Status
from connector.servicenow.ap_invoice_api import PATH
from tests.flows.comparison import supplier_differences, target_differences
from tests.flows.expectation import Expected, expectations
from tests.flows.pipeline import INVOICES, SN_HOST, US, Pipeline, some
from tests.sandbox.clock import VirtualClock
from tests.sandbox.faults import Scenario
from tests.sandbox.sample import CompanyData
from tests.sandbox.wire import Fault

INVOICE, LINE = "sn_shop_invoice", "sn_shop_invoice_line"


class InstanceClock(VirtualClock):
    """Virtual time in which ServiceNow's workers work."""

    pipeline: Pipeline | None = None

    def advance_to(self, moment: datetime) -> None:
        """Moves the time on; the workers have it."""
        super().advance_to(moment)
        if self.pipeline is not None:
            self.pipeline.servicenow.run_jobs()


@pytest.fixture
def profile(tmp_path: Path) -> str:
    text = (resources.files("connector.profiles") / "source_to_pay.toml").read_text("utf-8")
    path = tmp_path / "ap_invoice.toml"
    path.write_text(
        text.replace("[routes.purchaseInvoices]\n", '[routes.purchaseInvoices]\ndoor = "ap_invoice"\n', 1), "utf-8"
    )
    return str(path)


def pipeline(profile: str, data: Sequence[CompanyData] | None = None) -> Pipeline:
    """A connector whose invoices take this route."""
    clock = InstanceClock()
    clock.pipeline = Pipeline(clock=clock, data=data, settings={"PROFILE": profile})
    return clock.pipeline


def limit(pipeline: Pipeline, calls: int, invoices: int = 100) -> None:
    """The hour's calls of the API, and the invoices in one."""
    tables = pipeline.servicenow.tables
    (rule,) = tables.find("sys_rate_limit_rules", {"rest_api": "AP Invoice"})
    tables.update("sys_rate_limit_rules", rule["sys_id"], {"request_limit": str(calls)})
    pipeline.servicenow.properties.set("sn_spend_intg.ap.invoice.create.api.record_limit", str(invoices))


def differences(pipeline: Pipeline) -> list[str]:
    """What ServiceNow has otherwise than Business Central; lines that the API numbered count by their place."""
    expected = list(expectations(pipeline.landscape).values())
    store = pipeline.servicenow.tables
    for document in expected:
        _number_like_bc(pipeline, document)
    return [*target_differences(expected, store), *supplier_differences(expected, store)]


def _number_like_bc(pipeline: Pipeline, document: Expected) -> None:
    store = pipeline.servicenow.tables
    sequences = [row.columns["u_erp_line_number"] for row in document.rows[1:] if document.kind == "invoice"]
    for invoice in store.find(INVOICE, {"external_invoice_number": document.id}):
        for line in store.find(LINE, {"invoice": invoice["sys_id"]}):
            place = int(line["erp_line_number"])
            if place <= len(sequences):
                store.update(LINE, line["sys_id"], {"erp_line_number": sequences[place - 1]})


def test_the_whole_sample_arrives(profile: str) -> None:
    run = pipeline(profile)
    run.run(polls=2)
    assert differences(run) == []
    assert run.with_status(Status.PENDING) == set()
    assert run.faults == []
    assert any(sent.path == PATH for sent in run.wire.to(SN_HOST))


def test_a_lost_acceptance_doubles_nothing(profile: str) -> None:
    run = pipeline(profile)
    run.sn_exchange.faults = [Fault("reset_after", path=PATH), Fault("cut_body", path=PATH)]
    run.run(polls=2)
    assert differences(run) == []
    numbers = [row["u_external_invoice_number"] for row in run.servicenow.tables.rows("sn_spend_intg_imp_invoice")]
    assert len(numbers) == len(set(numbers))


def test_a_spent_hour_holds_up_invoices_only(profile: str) -> None:
    run = pipeline(profile, some(orders=6, invoices=8))
    limit(run, calls=1, invoices=2)
    run.poll()
    run.work()
    waiting = run.with_status(Status.PENDING)
    assert waiting
    invoices = {expected.id for expected in expectations(run.landscape).values() if expected.kind == "invoice"}
    assert waiting <= invoices
    assert len(run.servicenow.tables.rows("sn_shop_purchase_order")) > 6
    limit(run, calls=10, invoices=100)
    run.drain()
    assert differences(run) == []
    assert run.with_status(Status.PENDING) == set()


def test_a_later_version_changes_what_is_there(profile: str) -> None:
    run = pipeline(profile)
    run.run()
    (before,) = run.servicenow.tables.find(
        INVOICE, {"external_invoice_number": run.find(US, "108000", entity=INVOICES)}
    )
    before = dict(before)  # what it was then
    lines = len(run.servicenow.tables.rows(LINE))
    posts = sum(sent.path == PATH for sent in run.wire.to(SN_HOST))
    run.business_central.edit_line(US, "108000", 10000, entity=INVOICES, unitCost=1)
    run.clock.advance(600)
    run.run()
    (after,) = run.servicenow.tables.find(INVOICE, {"external_invoice_number": before["external_invoice_number"]})
    assert (after["sys_id"], after["invoice_amount"] != before["invoice_amount"]) == (before["sys_id"], True)
    assert len(run.servicenow.tables.rows(LINE)) == lines
    assert sum(sent.path == PATH for sent in run.wire.to(SN_HOST)) == posts
    assert differences(run) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_faults_at_random_end_in_the_same_place(profile: str, seed: int) -> None:
    run = pipeline(profile, some(orders=4, invoices=12))
    names = ("sn.reset_after", "sn.cut_body", "sn.error_after_commit_500", "sn.forbidden_403", "sn.maintenance_503")
    Scenario(seed, tuple((name, {"probability": 0.1, "times": 12}) for name in names)).install(
        "sn", run.sn_exchange, run.servicenow
    )
    run.run(polls=3)
    assert differences(run) == []
    assert run.with_status(Status.PENDING) == set()
    # One that came before its order goes once more to be linked to it; the others never do.
    rows = [row for row in run.servicenow.tables.rows("sn_spend_intg_imp_invoice") if not row["u_purchase_order"]]
    numbers = [row["u_external_invoice_number"] for row in rows]
    assert len(numbers) == len(set(numbers)) > 3
    records = [row["external_invoice_number"] for row in run.servicenow.tables.rows(INVOICE)]
    assert len(records) == len(set(records))

"""Eligibility: the profile's statuses decide, and a status nobody named is never guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.decisions.eligibility import eligibility
from connector.errors import DocumentFault
from connector.named_files import load_profile
from tests.unit.builders import invoice, order

ROUTES = load_profile("source_to_pay").routes


@pytest.mark.parametrize(("status", "verdict"), [("Open", "eligible"), ("Draft", "waiting"), ("In Review", "waiting")])
def test_an_order_is_carried_when_it_is_released(status: str, verdict: str) -> None:
    assert eligibility(replace(order(), status=status), ROUTES["purchaseOrders"]) == verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("Open", "eligible"),
        ("Draft", "waiting"),
        ("In Review", "waiting"),
        ("Paid", "waiting"),
        ("Canceled", "waiting"),
        ("Corrective", "waiting"),
        ("", "waiting"),
    ],
)
def test_an_invoice_is_carried_when_it_is_posted_and_unpaid(status: str, verdict: str) -> None:
    assert eligibility(replace(invoice(), status=status), ROUTES["purchaseInvoices"]) == verdict


@pytest.mark.parametrize("status", ["Released2", "open", "Open ", "", "Paid"])
def test_a_status_the_profile_does_not_know_parks_the_order(status: str) -> None:
    with pytest.raises(DocumentFault) as fault:
        eligibility(replace(order(), status=status), ROUTES["purchaseOrders"])
    (reason,) = fault.value.reasons
    assert reason.code == "STATUS_UNKNOWN"
    assert "106001" in reason.message
    assert repr(status) in reason.message
    assert "profile" in reason.remedy

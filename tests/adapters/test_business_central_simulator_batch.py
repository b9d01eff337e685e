"""The Business Central simulator: ``$batch``. The rules are those of the page "Using OData batch calls"."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox import sample
from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.probe import Probe, Watch

COMPANIES = sample.companies()
US = COMPANIES[0]
JSON = {"Content-Type": "application/json"}
VENDOR = US.tables["vendors"][0]


@pytest.fixture
def probe() -> Probe:
    return Probe(BusinessCentral(COMPANIES, now=Watch()), US.id)


def sent(probe: Probe, parts: list[dict[str, Any]], **headers: str) -> list[dict[str, Any]]:
    response = probe.send("POST", "/$batch", {"requests": parts}, **headers)
    assert response.status_code == 200
    answers: list[dict[str, Any]] = response.json()["responses"]
    return answers


def phone(number: str, match: str = "*") -> dict[str, Any]:
    url = f"companies({US.id})/vendors({VENDOR['id']})"
    return {
        "id": number,
        "method": "PATCH",
        "url": url,
        "headers": JSON | {"If-Match": match},
        "body": {"phoneNumber": number},
    }


FAILING = {"id": "bad", "method": "GET", "url": f"companies({US.id})/nothing"}


def test_parts_are_answered_in_their_order_under_their_ids(probe: Probe) -> None:
    answers = sent(probe, [phone("1"), {"id": "2", "method": "GET", "url": f"companies({US.id})/vendors/$count"}])
    assert [(each["id"], each["status"]) for each in answers] == [("1", 200), ("2", 200)]
    assert answers[0]["body"]["phoneNumber"] == "1"
    assert answers[0]["headers"] == {
        "content-type": "application/json; odata.metadata=minimal",
        "odata-version": "4.0",
    }
    assert answers[1]["body"] == str(len(US.tables["vendors"]))


def test_a_later_part_sees_what_an_earlier_one_did(probe: Probe) -> None:
    url = f"companies({US.id})/vendors({VENDOR['id']})"
    answers = sent(probe, [phone("5"), {"id": "2", "method": "GET", "url": url}])
    assert answers[1]["body"]["phoneNumber"] == "5"


def test_a_failed_part_does_not_touch_the_others_nor_the_outer_status(probe: Probe) -> None:
    answers = sent(probe, [phone("1"), FAILING, phone("3")])
    assert [each["status"] for each in answers] == [200, 404, 200]
    assert answers[1]["body"]["error"]["code"] == "BadRequest_ResourceNotFound"
    assert probe.get(f"vendors({VENDOR['id']})").json()["phoneNumber"] == "3"


def test_an_id_that_is_missing_comes_back_as_null(probe: Probe) -> None:
    (answer,) = sent(probe, [{"method": "GET", "url": "companies"}])
    assert answer["id"] is None


def test_a_part_may_name_its_company_in_a_header(probe: Probe) -> None:
    parts = [
        {"id": name, "method": "GET", "url": "generalLedgerSetup", "headers": {"Company": name}}
        for name in ("CRONUS USA, Inc.", "CRONUS AG")
    ]
    answers = sent(probe, [*parts, {"id": "none", "method": "GET", "url": "generalLedgerSetup"}])
    assert [each["body"]["value"][0]["localCurrencyCode"] for each in answers[:2]] == ["USD", "EUR"]
    assert answers[2]["body"]["error"]["code"] == "Internal_CompanyNotFound"


def test_a_part_without_content_has_neither_headers_nor_body(probe: Probe) -> None:
    location = next(row["id"] for row in US.tables["locations"])
    parts = [{"id": "1", "method": "DELETE", "url": f"companies({US.id})/locations({location})"}]
    assert sent(probe, parts) == [{"id": "1", "status": 204, "headers": {}}]


def test_stale_tokens_are_found_within_a_batch(probe: Probe) -> None:
    etag = probe.get(f"vendors({VENDOR['id']})").json()["@odata.etag"]
    answers = sent(probe, [phone("1", etag), phone("2", etag)])
    assert [each["status"] for each in answers] == [200, 409]


def test_in_one_transaction_a_failure_takes_everything_back(probe: Probe) -> None:
    before = probe.get(f"vendors({VENDOR['id']})").json()
    new = {
        "id": "2",
        "method": "POST",
        "url": f"companies({US.id})/locations",
        "headers": JSON,
        "body": {"code": "SOUTH"},
    }
    answers = sent(probe, [phone("1"), new, FAILING], Isolation="snapshot")
    assert [each["status"] for each in answers] == [200, 201, 404]
    assert probe.get(f"vendors({VENDOR['id']})").json() == before
    assert "SOUTH" not in {row["code"] for row in probe.rows("locations")}


def test_in_one_transaction_success_stays(probe: Probe) -> None:
    sent(probe, [phone("1"), phone("2")], Isolation="snapshot")
    assert probe.get(f"vendors({VENDOR['id']})").json()["phoneNumber"] == "2"


def test_what_posting_has_committed_is_not_taken_back(probe: Probe) -> None:
    draft = next(
        each for each in US.invoices if each.header["status"] == "Draft" and each.header["vendorInvoiceNumber"]
    )
    post = {"id": "2", "method": "POST", "url": f"companies({US.id})/purchaseInvoices({draft.id})/Microsoft.NAV.post"}
    answers = sent(probe, [phone("1"), post, phone("3"), FAILING], Isolation="snapshot")
    assert [each["status"] for each in answers] == [200, 204, 200, 404]
    assert probe.get(f"purchaseInvoices({draft.id})").json()["status"] == "Open"
    assert probe.get(f"vendors({VENDOR['id']})").json()["phoneNumber"] == "1"


def test_whether_a_failed_transaction_goes_on_is_not_established(probe: Probe) -> None:
    probe.simulator.uncertainties.snapshot_batch_goes_on = False
    answers = sent(probe, [FAILING, phone("2")], Isolation="snapshot")
    assert [each["id"] for each in answers] == ["bad"]


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_a_hundred_operations_are_the_most(probe: Probe) -> None:
    part = {"method": "GET", "url": f"companies({US.id})/currencies/$count"}
    assert len(sent(probe, [part] * 100)) == 100
    refused = probe.send("POST", "/$batch", {"requests": [part] * 101})
    assert error_of(refused) == (400, "BadRequest")


@pytest.mark.parametrize("body", [{}, {"requests": "x"}, {"requests": [1]}, {"requests": [{"id": "1"}]}, [1]])
def test_a_batch_that_makes_no_sense_is_refused(probe: Probe, body: Any) -> None:
    assert error_of(probe.send("POST", "/$batch", body)) == (400, "BadRequest")


def test_a_batch_is_posted_and_needs_a_token(probe: Probe) -> None:
    assert probe.get("/$batch").status_code == 405
    bare = probe.client.post(f"{probe.base}/$batch", json={"requests": []}, headers={"Authorization": ""})
    assert bare.status_code == 401


def test_numbers_are_passed_through_exactly(probe: Probe) -> None:
    order = next(each for each in US.orders if any(line.values["directUnitCost"] % 1 for line in each.lines))  # type: ignore[operator]
    url = f"companies({US.id})/purchaseOrders({order.id})?$expand=purchaseOrderLines"
    whole = probe.get(url.removeprefix(f"companies({US.id})/")).text
    batched = probe.send("POST", "/$batch", {"requests": [{"id": "1", "method": "GET", "url": url}]}).text
    assert whole in batched

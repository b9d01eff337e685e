"""Files whose record nobody named: the rows are there, the document is parked, and no file is attached anywhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx

from connector.decisions.states import Status
from tests.flows.files_bench import ROWS, pipeline, status, uploads
from tests.flows.pipeline import ORDERS, US, Pipeline, reasons


def nameless(there: Pipeline) -> None:
    """From now on the answers to import set rows name no record."""
    handler = there.sn_exchange.handler

    def answer(request: httpx.Request) -> httpx.Response:
        given = handler(request)
        if request.url.path != ROWS:
            return given
        body = json.loads(given.content)
        for one in body["serviced_requests"]:
            inner: dict[str, Any] = json.loads(base64.b64decode(one["body"]))
            for result in inner.get("result", ()):
                result["sys_id"] = ""
            one["body"] = base64.b64encode(json.dumps(inner).encode()).decode()
        return httpx.Response(given.status_code, json=body)

    there.sn_exchange.handler = answer


def test_an_order_whose_record_nobody_named_is_parked_with_its_rows_there_and_no_file_goes_astray(
    tmp_path: Path,
) -> None:
    there = pipeline(tmp_path, invoices=0, orders=1)
    nameless(there)
    there.run()
    (order,) = there.landscape.data[0].orders
    number = str(order.header["number"])
    assert status(there, ORDERS, number) is Status.PARKED
    (reason,) = reasons(there.states()[there.find(US, number)])
    assert reason["code"] == "RECORD_UNKNOWN"
    assert "sn_shop_purchase_order" in reason["message"]
    assert len(there.servicenow.tables.rows("sn_shop_purchase_order")) == 1
    assert not uploads(there)

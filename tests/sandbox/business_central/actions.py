"""Bound actions: the requests by which a caller has the application post a document.

Source: the API v2.0 pages of purchase orders (``receiveAndInvoice``) and purchase invoices (``post``). Both answer 204; the
address of the document that came of it stands in ``Location``, which is not documented.
"""

from __future__ import annotations

import httpx

from tests.sandbox.business_central.errors import Refusal, method_not_allowed
from tests.sandbox.business_central.posting import Posting
from tests.sandbox.business_central.routing import Target
from tests.sandbox.business_central.writes import check_token

PREFIX = "Microsoft.NAV."


def act(office: Posting, target: Target, action: str, request: httpx.Request) -> str:
    """Carries out the action; where its result is, behind the base address, or `Refusal`."""
    state, record = target.state, target.record
    if request.method != "POST":
        raise method_not_allowed(request.method, target.entity.name)
    known = (target.entity.name, action.removeprefix(PREFIX))
    if state is None or record is None or known not in _KNOWN:
        raise Refusal(
            501,
            "BadRequest_MethodNotImplemented",
            "Entity does not support bound actions or an orderby query option did not match the default OrderBy fields of "
            "an underlying Query object.",
        )
    check_token(record, request, required=False)
    if known == _RECEIVE_AND_INVOICE:
        posted = office.post_order(state.id, record.id)
        if posted.invoice is not None:
            return f"companies({state.id})/purchaseInvoices({posted.invoice})"
    else:
        office.post_invoice(state.id, record.id)
    return f"companies({state.id})/{target.entity.name}({record.id})"


_RECEIVE_AND_INVOICE = ("purchaseOrders", "receiveAndInvoice")
_KNOWN = {_RECEIVE_AND_INVOICE, ("purchaseInvoices", "post")}

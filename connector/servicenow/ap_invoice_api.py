"""The AP Invoice API: many new invoices in one call, accepted with the id of a batch.

Source: "AP Invoice API" in ServiceNow's REST API reference. Its rate rule, whose figure the page gives in three ways, is known
only by what answers say, and closes this API alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from connector.decisions.ap_invoices import packed
from connector.errors import Ambiguous, Refused, Throttled
from connector.ports import Clock
from connector.servicenow.session import SYSTEM, AnsweredRefusal, RateRuleSpent, ServiceNowSession

API = "ServiceNow's AP Invoice API"
"""The system that throttles when the API's own rate rule is spent: other ways into ServiceNow stay open."""
PATH = "/api/sn_spend_intg/v1/ap_invoice/json"
MOST, LARGEST, SMALLEST = 100, 8 * 1024 * 1024, 64 * 1024
"""Invoices and bytes in one call. The instance's own limits may be lower; both then go down."""
TIMEOUT = 70.0
SETTLES_AFTER = 300.0
"""When an answer was lost: seconds until the load balancer has given the call up, and the log shows whether it came in."""
RULE_WAIT = 60.0
"""A spent rate rule that does not say when its hour ends."""

TOO_MANY, TOO_LARGE, NO_STRUCTURE = "exceeds allowed invoices limit", "large REST payload", "Invalid payload structure"


class TooMuch(Refused):
    """More than the instance takes in one call. Send less next time: `fitting` knows how much."""


class Unusable(Refused):
    """The call's content is refused for good, in these words."""

    def __init__(self, words: str) -> None:
        super().__init__(SYSTEM, words)
        self.words = words


class ApInvoiceApi:
    """Sends invoices that are already written as JSON."""

    def __init__(self, session: ServiceNowSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._most, self._largest = MOST, LARGEST
        self._closed_until = 0.0

    def fitting(self, invoices: Sequence[bytes]) -> int:
        """How many of these, from the first on, go into one call; at least one."""
        (first, *_) = packed([len(one) + 1 for one in invoices[: self._most]], most=self._most, largest=self._largest)
        return len(first)

    def send(self, source: str, erp: str, invoices: Sequence[bytes]) -> str:
        """One call; the id of the batch as which it was accepted.

        Raises `TooMuch` (of several) and `Unusable`; `Throttled` of the system `API` while the rate rule is spent; else
        `Outage`.
        """
        if not (source and source.isascii() and source.isprintable()):
            raise Refused(
                SYSTEM, "needs the name of a source system that fits into a header; give one in SN_SOURCE_SYSTEM"
            )
        left = self._closed_until - self._clock.monotonic()
        if left > 0:
            raise Throttled(API, "its hour is used up", retry_after=left)
        content = b'{"invoices":[' + b",".join(invoices) + b'],"target_erp":' + json.dumps(erp).encode() + b"}"
        headers = {"Source-System": source}
        try:
            answer = self._session.submit(PATH, content, headers, timeout=TIMEOUT, settles_after=SETTLES_AFTER)
        except RateRuleSpent as spent:
            wait = spent.retry_after or RULE_WAIT
            self._closed_until = self._clock.monotonic() + wait
            raise Throttled(API, str(spent), retry_after=wait) from spent
        except AnsweredRefusal as refusal:
            raise self._understood(refusal, len(invoices), len(content)) from refusal
        # The page's table calls it batch_id, its example batchId.
        batch = answer.get("batchId") or answer.get("batch_id")
        if not isinstance(batch, str) or not batch.isalnum():
            raise Ambiguous(API, "accepted invoices without naming a batch", settles_after=SETTLES_AFTER)
        return batch

    def _understood(self, refusal: AnsweredRefusal, count: int, size: int) -> Refused:
        """What a 400 says of the call's content; any other refusal is about the user or the set-up."""
        if refusal.status != 400:
            return refusal
        too_many, too_large = TOO_MANY in refusal.words, TOO_LARGE in refusal.words
        if count == 1 and (too_many or too_large):
            return Unusable(refusal.words)
        if too_many or (too_large and size // 2 < SMALLEST):
            self._most = max(1, count // 2)
            return TooMuch(SYSTEM, refusal.words)
        if too_large:
            self._largest = size // 2
            return TooMuch(SYSTEM, refusal.words)
        return Unusable(refusal.words) if NO_STRUCTURE in refusal.words else refusal

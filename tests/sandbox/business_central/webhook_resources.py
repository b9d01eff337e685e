"""Which resources can be subscribed to: the list the service publishes, and the reading of a subscription's resource.

Source: "Working with webhooks in Business Central". A set is fit for webhooks when it comes from an API page on a real table
with a key of one field; so document lines and dimension sets never are. The published list of v2.0 is shorter than that
rule: orders, receipts and dimension values are fit, yet not on it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.sandbox.business_central.entities import EntitySet, declared
from tests.sandbox.business_central.errors import Refusal
from tests.sandbox.business_central.routing import find_company
from tests.sandbox.business_central.store import CompanyState

LISTED = tuple(
    f"v2.0/{name}"
    for name in """
    accounts companyInformation countriesRegions currencies customerPaymentJournals customers dimensions employees
    generalLedgerEntries itemCategories items journals paymentMethods paymentTerms purchaseInvoices salesCreditMemos
    salesInvoices salesOrders salesQuotes shipmentMethods unitsOfMeasure vendors
    """.split()
)
CUSTOM = "contoso/masterData/v1.0"
"""The dimension value page that a customer can install, under a customer's name."""
EXTENSION = "erpbridge/sourceToPay/v1.0"
"""The same page under the name that the connector looks for."""

RESOURCES_SET = EntitySet(
    name="webhookSupportedResources",
    type_name="webhookSupportedResource",
    caption="Webhook Supported Resource",
    writable=False,
    etags=False,
    properties=declared("resource text"),
)
_RESOURCE = re.compile(r"/?(?:api/(?P<api>v2\.0|[\w-]+/[\w-]+/[\w.]+)/)?companies\((?P<company>[^()]+)\)/(?P<set>\w+)")


@dataclass(frozen=True)
class Subscribable:
    """What a resource names: a set of an API in one company."""

    company: str
    api: str
    entity: str


def subscribable(resource: str, api: str, companies: Sequence[CompanyState], supported: Sequence[str]) -> Subscribable:
    """What the resource of a subscription posted to that API names, or `Refusal`.

    The API may be left out of the resource; when named, it is the one the subscription is posted to.
    """
    match = _RESOURCE.fullmatch(resource)
    if match is None or (match["api"] or api) != api:
        raise _unsupported(resource)
    company = find_company(companies, match["company"])
    if f"{api}/{match['set']}" not in supported:
        raise _unsupported(resource)
    return Subscribable(company.id, api, match["set"])


def _unsupported(resource: str) -> Refusal:
    return Refusal(400, "BadRequest", f"The resource '{resource}' is not supported for webhook subscriptions.")

"""Subscriptions of Business Central to the connector's webhook address, made through its API as an application makes them,
and what its notifications look like."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from connector.decisions.client_state import client_state, path_part
from connector.model.feeds import Feed
from connector.model.units import PollRequest, Unit, decode_message
from tests.flows.pipeline import US, Pipeline
from tests.sandbox.business_central.probe import Probe
from tests.sandbox.landscape import KEYS

EXTRA = {f"v2.0/{feed}" for feed in (Feed.ORDERS, Feed.RECEIPTS, Feed.CREDIT_MEMOS)}
"""Fit for webhooks, yet not on the published list."""


def webhook_address(pipeline: Pipeline) -> str:
    """Where the connector wants notifications."""
    return f"{pipeline.settings.webhook_url}/{path_part(pipeline.settings.webhook_keys[0])}"


def company_id(pipeline: Pipeline, name: str) -> str:
    """The id of a company by its name in Business Central."""
    company = pipeline.settings.company(KEYS[name][0])
    assert company is not None
    return company.id


def subscribe(pipeline: Pipeline, *feeds: Feed, company: str = US, announced: bool = True) -> list[str]:
    """Subscribes to feeds of a company; the subscriptions' ids. `announced`: the connector knows that handshakes will come."""
    pipeline.business_central.webhooks.subscriptions.extra |= EXTRA
    company = company_id(pipeline, company)
    probe = Probe(pipeline.business_central, company)
    if announced:
        pipeline.parts.registry.open_handshake("test")
    made = []
    with closing(probe.client):
        for feed in feeds:
            body = {
                "notificationUrl": webhook_address(pipeline),
                "resource": f"/api/v2.0/companies({company})/{feed}",
                "clientState": client_state(pipeline.settings.webhook_keys[0], company, feed),
            }
            response = probe.send("POST", "/subscriptions", body)
            assert response.status_code == 201, response.text
            made.append(str(response.json()["subscriptionId"]))
    pipeline.parts.registry.close_handshake("test")
    return made


def notification(pipeline: Pipeline, feed: Feed, id_: str = "", *, company: str = US, **changes: Any) -> dict[str, Any]:
    """One notification as Business Central writes it now, with changes; without an id it is of the whole set."""
    company = company_id(pipeline, company)
    right = {
        "subscriptionId": "c670ea73cacb459bb51dc1740da2f1db",
        "clientState": client_state(pipeline.settings.webhook_keys[0], company, feed),
        "expirationDateTime": "2026-08-04T10:00:00Z",
        "resource": f"/api/v2.0/companies({company})/{feed}" + (f"({id_})" if id_ else ""),
        "changeType": "updated" if id_ else "collection",
        "lastModifiedDateTime": f"{pipeline.clock.now():%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    return right | changes


def waiting(pipeline: Pipeline) -> list[Unit | PollRequest]:
    """What waits on the documents queue."""
    return [decode_message(message.text) for message in pipeline.queues.messages(pipeline.settings.documents_queue)]


def references_waiting(pipeline: Pipeline) -> list[str]:
    """The ids of all references that wait, in order."""
    units = [one for one in waiting(pipeline) if isinstance(one, Unit)]
    return [reference.id for unit in units for reference in unit.references]


def polls_waiting(pipeline: Pipeline) -> list[Feed]:
    """The feeds that are to be polled because a message asks for it."""
    return sorted(one.feed for one in waiting(pipeline) if isinstance(one, PollRequest))

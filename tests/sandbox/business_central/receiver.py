"""A receiver of webhook requests for the simulator's own tests and for looking at it by hand: greets back, keeps, answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.sandbox.business_central.probe import Probe


class Receiver:
    """Answers handshakes with their token and notifications with `statuses`, the last of which goes on for ever.

    `echo` makes the answer to a handshake; `slow` is called before every answer.
    """

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses or (200,))
        self.echo: Callable[[str], httpx.Response] = lambda token: httpx.Response(200, text=token)
        self.slow: Callable[[], None] = lambda: None
        self.handshakes: list[httpx.Request] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request."""
        self.slow()
        token = request.url.params.get("validationToken")
        if token is not None:
            self.handshakes.append(request)
            return self.echo(token)
        self.requests.append(request)
        return httpx.Response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All entries of all notifications, in the order of their arrival."""
        return [entry for request in self.requests for entry in json.loads(request.content)["value"]]

    @property
    def kinds(self) -> list[str]:
        """The kinds of change that were told of."""
        return [entry["changeType"] for entry in self.entries]


URL = "https://receiver.example/bc/hook"


def subscribe(probe: Probe, entity: str, *, url: str = URL, company: str = "", state: str = "s3cret") -> httpx.Response:
    """Subscribes to an entity set of a company (the probe's own unless another is named)."""
    resource = f"/api/v2.0/companies({company or probe.company})/{entity}"
    return probe.send("POST", "/subscriptions", {"notificationUrl": url, "resource": resource, "clientState": state})

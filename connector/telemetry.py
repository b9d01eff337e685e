"""Telemetry: log records with a stable `action` word and allow-listed fields. Never a body, a URL, a name or a secret."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from connector.errors import Outage

ALLOWED = frozenset(
    "company entity id number correlation origin outcome status code count staged unchanged waiting parked rescheduled "
    "isolated invoiced received cancelled deleted failed released skipped system seconds attempt generation watermark hours "
    "error changed spared calls size polls forged unknown malformed table drifted refused conflicts hidden superseded "
    "head unreadable fresh resolved task".split()
)
"""Field names that may be logged. `number` is a document's number, `error` a class of error, never its text."""

Field = str | int | float | bool


class Telemetry:
    """Writes to the logger ``connector``, which the Functions worker ships to Application Insights."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("connector")

    def event(self, action: str, **fields: Field) -> None:
        """Something happened as it should."""
        self._write(logging.INFO, action, fields)

    def warning(self, action: str, **fields: Field) -> None:
        """Something needs a look when it goes on."""
        self._write(logging.WARNING, action, fields)

    def postponed(self, verb: str, outage: Outage, **fields: Field) -> None:
        """Something cannot be done now, because a system cannot serve; it is tried again."""
        self.warning(f"{verb}_postponed", system=outage.system, error=type(outage).__name__, **fields)

    def _write(self, level: int, action: str, fields: Mapping[str, Field]) -> None:
        forbidden = fields.keys() - ALLOWED
        if forbidden:
            raise ValueError(f"fields that must not be logged: {', '.join(sorted(forbidden))}")
        text = " ".join(f"{name}={value}" for name, value in fields.items())
        self._logger.log(
            level, "%s %s", action, text, extra={"action": action, **{f"bc_{k}": v for k, v in fields.items()}}
        )


def quiet_libraries() -> None:
    """Libraries that log each request with its URL speak only when something is wrong: URLs hold ids and, with SAS, keys."""
    for name in ("azure", "httpx", "httpcore", "urllib3", "msal"):
        logging.getLogger(name).setLevel(logging.WARNING)

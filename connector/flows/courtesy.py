"""Courtesy towards Business Central: when it told one instance to wait, no instance asks it before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connector.business_central.session import SYSTEM
from connector.decisions.retry import wait_seconds
from connector.errors import Ambiguous, Outage, Throttled
from connector.flows.parts import Parts


@contextmanager
def asking_business_central(parts: Parts) -> Iterator[None]:
    """For the length of the block Business Central is asked. Raises `Throttled` instead while it is not to be asked; an outage
    from inside that says how long to wait goes for everybody, and out of here as well."""
    closed = parts.bc_gate.closed_for()
    if closed > 0:
        raise Throttled(SYSTEM, "asked for patience a moment ago", retry_after=closed)
    try:
        yield
    except Outage as outage:
        if outage.system == SYSTEM and outage.retry_after is not None and not isinstance(outage, Ambiguous):
            parts.bc_gate.close_for(wait_seconds(1, 0.0, told=outage.retry_after))
        raise

"""Health: what the probe of the platform is told, and what follows from its looking in.

Timers have been seen to stop after a deployment while everything else goes on; the probe still comes then, and gets the polls
going over the queue.
"""

from __future__ import annotations

from connector.errors import Outage
from connector.flows.messages import ask_for_overdue_poll, queue_full
from connector.flows.parts import Parts


def healthy(parts: Parts) -> bool:
    """Whether the app can do its work here: its storage answers. The remote systems' outages are no illness of the app.

    Polls that are long overdue are asked for over the queue.
    """
    try:
        if not queue_full(parts):
            for company, feed in parts.feeds():
                ask_for_overdue_poll(parts, company, feed)
    except Outage:
        return False
    return True

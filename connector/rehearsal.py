"""The surroundings of a rehearsal: the parts as `bootstrap` assembles them, and nothing of what they do gets out.

Storage is read, and written in memory over what was read. Messages are kept. The write doors take rows and send none. Should
anything else try to write all the same, the transport refuses it before a socket is opened. Files are neither fetched nor sent.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from connector.bootstrap import SERVICENOW_GATE, Ports, assemble, real_ports
from connector.flows.rehearse import Rehearsal
from connector.model.profile import Profile
from connector.remote.reading_only import ReadingOnly
from connector.servicenow.authorisation import TOKEN_PATH
from connector.servicenow.doors.rehearsal import RehearsalDoor
from connector.settings import Settings
from connector.storage.gates import Gate
from connector.telemetry import Telemetry


def rehearsal(settings: Settings, ports: Ports | None = None) -> Rehearsal:
    """The surroundings over these ports (default: the real ones), to which nothing is written: tables and queues must be there
    already. Raises `SettingsFault`."""
    # Imported here, as the real ports' own: it brings Azure's SDK, which checks the rows.
    from connector.storage.rehearsal import OverlayTables, SilentQueues

    ports = ports or real_ports(settings)
    lock = ReadingOnly(ports.transport, [settings.bc_token_url, settings.sn_url + TOKEN_PATH])
    tables, queues, door = OverlayTables(ports.tables, ports.clock), SilentQueues(), RehearsalDoor()
    parts = assemble(settings, replace(ports, transport=lock, tables=tables, queues=queues))
    inside = replace(
        parts,
        profile=_without_files(parts.profile),
        doors=dict.fromkeys(parts.doors, door),
        # One slot more than the workers share: it is taken in memory only, and they keep theirs. What ServiceNow asked of all,
        # not to be asked before a certain time, goes for a rehearsal as well.
        gate=Gate(tables, SERVICENOW_GATE, settings.sn_slots + 1, ports.clock, ports.randomness),
        telemetry=_silent(),
    )
    return Rehearsal(inside, parts.profile, door, queues, lock)


def _without_files(profile: Profile) -> Profile:
    routes = {name: route.model_copy(update={"files": None}) for name, route in profile.routes.items()}
    return profile.model_copy(update={"routes": routes})


def _silent() -> Telemetry:
    """What a run tells of itself has not happened."""
    logger = logging.getLogger("connector.rehearsal")
    logger.disabled = True
    return Telemetry(logger)

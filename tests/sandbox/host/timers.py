"""Timer triggers, with the rules of the timer extension (TimerListener and ScheduleMonitor in azure-webjobs-sdk-extensions).

At start a monitored timer whose recorded next occurrence has passed runs once at once, past due; a changed schedule is
never past due. Then it runs at each occurrence in local time; occurrences during a run are left out, so runs never
overlap, and a failing run changes nothing. Schedules that fire more than once a minute are not monitored.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.sandbox.host.configuration import Function
from tests.sandbox.host.cron import Schedule
from tests.sandbox.host.dispatch import Dispatcher
from tests.sandbox.host.invocation import Data

log = logging.getLogger("host.timer")

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Status:
    """What is remembered of a monitored timer: last run, next occurrence as computed then, and when it was written."""

    Last: str
    Next: str
    LastUpdated: str


def status_at(schedule: Schedule, moment: datetime, *, ran: bool) -> Status:
    """The status to remember after a run at `moment`, or at a first start then."""
    following = schedule.next_after(moment).isoformat()
    return Status(moment.isoformat() if ran else NEVER.isoformat(), following, moment.isoformat())


def past_due(schedule: Schedule, recorded: Status, now: datetime) -> bool:
    """Whether the recorded occurrence was missed; not when the schedule has changed since."""
    expected = schedule.next_after(datetime.fromisoformat(recorded.LastUpdated))
    following = datetime.fromisoformat(recorded.Next)
    return following == expected and now > following


def timer_data(status: Status | None = None, *, is_past_due: bool = False) -> Data:
    """The value of a timer trigger as the real host sends it."""
    schedule_status = None if status is None else asdict(status)
    value = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": schedule_status, "IsPastDue": is_past_due}
    return Data("json", json.dumps(value))


class TimerRunner:
    """Runs one timer function by its schedule until stopped."""

    def __init__(self, function: Function, schedule: Schedule, dispatcher: Dispatcher, state: Path) -> None:
        self._function = function
        self._schedule = schedule
        self._dispatcher = dispatcher
        self._file = state / "timers" / function.name / "status"
        wanted = bool(function.trigger.get("useMonitor", True))
        self._monitored = wanted and not schedule.several_a_minute(_now())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tick, name=f"timer {function.name}", daemon=True)

    def start(self) -> None:
        """Starts the schedule."""
        self._thread.start()

    def stop(self) -> None:
        """Starts no more runs; the one that runs goes on."""
        self._stopping.set()

    def drained(self, deadline: float) -> bool:
        """Waits for the running run, until the monotonic `deadline`; whether it has ended."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _tick(self) -> None:
        if self._missed():
            self._run("Timer is past due.", is_past_due=True)
        elif self._function.trigger.get("runOnStartup"):
            self._run("Run on startup.")
        while not self._stopping.is_set():
            due = self._schedule.next_after(_now())
            while (left := (due - _now()).total_seconds()) > 0:
                if self._stopping.wait(left):
                    return
            self._run(f"Timer fired at {due.isoformat()}")

    def _missed(self) -> bool:
        if not self._monitored:
            return False
        recorded, now = self._recorded(), _now()
        if recorded is not None and past_due(self._schedule, recorded, now):
            return True
        expected = None if recorded is None else self._schedule.next_after(datetime.fromisoformat(recorded.LastUpdated))
        if recorded is None or datetime.fromisoformat(recorded.Next) != expected:
            self._record(status_at(self._schedule, now, ran=False))
        return False

    def _run(self, reason: str, *, is_past_due: bool = False) -> None:
        started = _now()
        status = self._recorded() if self._monitored else None
        self._dispatcher.run(self._function, timer_data(status, is_past_due=is_past_due), reason=reason)
        if self._monitored:
            self._record(status_at(self._schedule, started, ran=True))

    def _recorded(self) -> Status | None:
        return Status(**json.loads(self._file.read_text("utf-8"))) if self._file.exists() else None

    def _record(self, status: Status) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps(asdict(status)), "utf-8")
        written.replace(self._file)


def _now() -> datetime:
    return datetime.now(UTC).astimezone()

"""A timetable: the app's timers, its queue trigger and Business Central's notifications on the virtual clock, each at its time,
for hours or weeks without anybody's help."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.renew import renew_all
from connector.flows.rescue import rescue_all
from connector.flows.sweep import sweep_all
from connector.flows.track import track_all
from tests.simulation.world import World

HOUR = 3600.0
DAY = 24 * HOUR


class Timetable:
    """Runs a world by the clock. `poll`, `sweep`, `rescue`, `renew`, `track`: seconds between the ticks of the timers."""

    def __init__(
        self,
        world: World,
        *,
        poll: float = 15.0,
        sweep: float = 900.0,
        rescue: float = 300.0,
        renew: float = HOUR,
        track: float = 300.0,
    ) -> None:
        self._world = world
        self._due: list[tuple[datetime, int, float, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self.every(poll, lambda: poll_all(world.process()))
        self.every(sweep, lambda: sweep_all(world.process()))
        self.every(rescue, lambda: rescue_all(world.process()))
        self.every(renew, lambda: renew_all(world.process()))
        self.every(track, lambda: track_all(world.process()))

    def every(self, seconds: float, act: Callable[[], object]) -> None:
        """Does this now and then again every so many seconds."""
        heapq.heappush(self._due, (self._world.clock.now(), next(self._numbers), seconds, act))

    def run(self, seconds: float) -> None:
        """Lets so much time pass."""
        clock = self._world.clock
        end = clock.now() + timedelta(seconds=seconds)
        while True:
            moment = min(self._due[0][0], self._next_message(), self._next_notification())
            if moment > end:
                clock.advance_to(end)
                return
            clock.advance_to(moment)
            self._world.landscape.business_central.webhooks.deliver_due()
            if self._due[0][0] <= clock.now():
                at, number, apart, act = heapq.heappop(self._due)
                heapq.heappush(self._due, (at + timedelta(seconds=apart), number, apart, act))
                self._world.attempt(act)
            self._work()

    def _work(self) -> None:
        world = self._world
        queue = world.settings.documents_queue
        while world.host.run_once(queue, lambda text, count: deliver(world.process(), text, count)):
            pass

    def _next_message(self) -> datetime:
        world = self._world
        exists = world.queues.exists(world.settings.documents_queue)
        return (exists and world.queues.next_visible(world.settings.documents_queue)) or datetime.max.replace(
            tzinfo=world.clock.now().tzinfo
        )

    def _next_notification(self) -> datetime:
        due = self._world.landscape.business_central.webhooks.notifications.next_due()
        return due or datetime.max.replace(tzinfo=self._world.clock.now().tzinfo)

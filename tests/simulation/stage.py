"""The stage of the fault simulation: every effect of the code under test passes through it and may go wrong there.

An effect is one call of the outside world: a table or queue call (a query: each page of it), an HTTP exchange, a sleep.
It gets a name and a running number; the plan says what happens to it; after it the invariants are checked.

The modes at an effect. ``stop_before`` / ``stop_after``: the process dies before / after the effect happened.
``fail_before``: it does not happen and the caller gets the adapter's passing error. ``fail_after``: it happens and the
caller gets the error all the same, a lost acknowledgement. A dead process has no effects any more: whatever it still
tries (in a ``finally``, say) stops it again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from tests.sandbox.clock import VirtualClock

T = TypeVar("T")
Mode = Literal["stop_before", "stop_after", "fail_before", "fail_after"]
MODES: tuple[Mode, ...] = ("stop_before", "stop_after", "fail_before", "fail_after")


class WorldStopped(BaseException):
    """The process dies here. Not an `Exception`: no handler of the code under test may catch it."""


class InvariantBroken(BaseException):
    """An invariant did not hold after an effect. Not an `Exception`, for the same reason."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What happens at effect number `at` (from 1). `everyone`: a stop takes all processes down, not only its own."""

    at: int
    mode: Mode
    everyone: bool = False


Plan = Callable[[int, str], Cue | None]
"""Called once for each effect with its number and name, before it happens."""


def undisturbed(_number: int, _name: str) -> Cue | None:
    """The plan in which nothing goes wrong."""
    return None


def cued(*cues: Cue) -> Plan:
    """The plan of these cues."""
    by_number = {cue.at: cue for cue in cues}
    if len(by_number) < len(cues):
        raise ValueError("two cues at one effect")
    return lambda number, _name: by_number.get(number)


def by_chance(seed: int, rate: float, modes: Sequence[Mode] = MODES) -> Plan:
    """The plan in which each effect goes wrong with the probability `rate`, repeatable from its seed."""
    chance = random.Random(seed)

    def plan(number: int, _name: str) -> Cue | None:
        if chance.random() >= rate:
            return None
        return Cue(number, chance.choice(modes))

    return plan


class Turns(Protocol):
    """Who runs when: `Alone`, or a `Scheduler` of several workers."""

    def process(self) -> str:
        """The name of the process the calling code belongs to; empty when there is only one."""
        ...

    def hand_over(self) -> None:
        """Lets another worker run first, perhaps."""
        ...

    def sleep(self, clock: VirtualClock, seconds: float, still_alive: Callable[[], None]) -> None:
        """Lets that much virtual time pass for the calling worker; `still_alive` raises when it died meanwhile."""
        ...


class Alone:
    """One process: nobody to hand over to."""

    def process(self) -> str:
        """No name needed."""
        return ""

    def hand_over(self) -> None:
        """Goes on at once."""

    def sleep(self, clock: VirtualClock, seconds: float, _still_alive: Callable[[], None]) -> None:
        """Moves the time on."""
        clock.sleep(seconds)


class Stage:
    """Counts, names and disturbs the effects of one simulated world."""

    def __init__(
        self,
        plan: Plan = undisturbed,
        *,
        invariants: Callable[[], None] = lambda: None,
        turns: Turns | None = None,
    ) -> None:
        self.plan = plan
        self.invariants = invariants
        self.turns = turns or Alone()
        self.effects: list[str] = []
        self.met: list[Cue] = []
        self.broken: InvariantBroken | None = None
        self._dead: set[str] = set()
        # Stops of everyone so far, and for each process how many of them it has been started after.
        self._collapses = 0
        self._outlived: dict[str, int] = {}
        self._lock = threading.Lock()

    def perform(
        self,
        name: str,
        act: Callable[[], T],
        *,
        lost_before: Callable[[], Exception] | None,
        lost_after: Callable[[], Exception] | None,
    ) -> T:
        """Lets the effect happen, or what the plan has for it. The two makers give the adapter's error for
        ``fail_before`` and ``fail_after``; None: this effect cannot fail and those modes leave it alone."""
        process = self.turns.process()
        self.require_alive()
        self.turns.hand_over()
        self.require_alive()
        number, cue = self._announce(f"{process}: {name}" if process else name)
        mode = cue.mode if cue else None
        if mode == "stop_before":
            self._stop(process, cue)
        if mode == "fail_before" and lost_before:
            raise lost_before()
        failure: Exception | None = None
        try:
            result = act()
        except Exception as error:  # noqa: BLE001 - raised again below, after the checks
            failure = error
        self._check(number)
        if mode == "stop_after":
            self._stop(process, cue)
        if mode == "fail_after" and lost_after:
            raise lost_after()
        if failure is not None:
            raise failure
        return result

    def restart(self) -> None:
        """The calling process lives again, as a host starts a worker anew; called outside of all, every process does.
        Effects go on counting."""
        process = self.turns.process()
        if process:
            self._dead.discard(process)
            self._outlived[process] = self._collapses
            return
        self._dead.clear()
        self._collapses = 0
        self._outlived.clear()

    def stopped(self, process: str = "") -> bool:
        """Whether that process is dead."""
        return process in self._dead or self._outlived.get(process, 0) < self._collapses

    def require_alive(self) -> None:
        """Stops the calling process again when it is dead, or an invariant is broken."""
        if self.broken:
            raise self.broken
        process = self.turns.process()
        if self.stopped(process):
            raise WorldStopped(f"process {process or 'of this test'} is dead")

    def _announce(self, name: str) -> tuple[int, Cue | None]:
        with self._lock:
            self.effects.append(name)
            number = len(self.effects)
            cue = self.plan(number, name)
            if cue:
                self.met.append(cue)
            return number, cue

    def _stop(self, process: str, cue: Cue | None) -> None:
        if cue and cue.everyone:
            self._collapses += 1
        self._dead.add(process)
        raise WorldStopped(f"stopped by {cue}")

    def _check(self, number: int) -> None:
        try:
            self.invariants()
        except AssertionError as error:
            last = "\n".join(f"  {place}. {name}" for place, name in self._last(number))
            # Kept as well: code under test that swallows it has not mended it.
            self.broken = InvariantBroken(f"{error}\nafter effect {number} of these, with {self.met}:\n{last}")
            raise self.broken from error

    def _last(self, number: int) -> list[tuple[int, str]]:
        return list(enumerate(self.effects, start=1))[max(0, number - 20) : number]


def only_reads(effect: str) -> bool:
    """Whether the effect can have changed nothing; most effects are reads."""
    _, _, alone = effect.rpartition(": ")
    return alone.startswith(("tables.read", "tables.query", "queues.count", "clock.sleep", "http GET"))

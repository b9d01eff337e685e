"""Every schedule of one or two disturbances: the scenario is run once undisturbed, then once for each effect and mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulation.stage import MODES, Cue, Mode, Plan, Stage, cued, only_reads

Scenario = Callable[[Plan], Stage]
"""Builds a fresh world on a stage with this plan, runs it to rest (restarting what died), asserts, returns the stage."""


@dataclass(frozen=True, slots=True)
class Explored:
    """How many schedules ran, and the names of all effects that were disturbed."""

    schedules: int
    effects: frozenset[str]


def explore(
    scenario: Scenario,
    *,
    depth: int = 1,
    modes: Sequence[Mode] = MODES,
    reads_once: bool = False,
    addresses_once: bool = False,
) -> Explored:
    """Runs the scenario under every schedule of up to `depth` disturbances. An error that comes out carries, as a note,
    the cues that bring it back.

    `reads_once`: what only reads is disturbed once, before it happens. It leaves nothing behind: whether the answer or the
    request was lost makes no difference, and a death after it is a death after the effect before it. `addresses_once`: what is
    read from one address of a system is disturbed the first time only: it is the same line of code that meets the fault.
    """
    names: set[str] = set()
    addresses: set[tuple[str, Mode]] = set()
    count = 0

    def run(cues: tuple[Cue, ...]) -> None:
        nonlocal count
        count += 1
        try:
            stage = scenario(cued(*cues))
        except BaseException as error:
            error.add_note(f"replay: scenario(cued({', '.join(map(repr, cues))}))")
            raise
        if len(stage.met) < len(cues):
            raise AssertionError(f"the scenario is not repeatable: of {cues} only {stage.met} were met")
        if cues:
            names.add(stage.effects[cues[-1].at - 1])
        if len(cues) < depth:
            # What follows a disturbance has effects of its own, the recovery's.
            after = cues[-1].at if cues else 0
            for number in range(after + 1, len(stage.effects) + 1):
                read = only_reads(stage.effects[number - 1])
                for mode in modes:
                    if (
                        addresses_once
                        and read
                        and (name := stage.effects[number - 1]).rpartition(": ")[2].startswith("http")
                    ):
                        if (name, mode) in addresses:
                            continue
                        addresses.add((name, mode))
                    if mode == "fail_before" or not (read and reads_once):
                        run((*cues, Cue(number, mode)))

    run(())
    return Explored(count, frozenset(names))

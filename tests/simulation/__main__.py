"""``python -m tests.simulation``: random histories from many seeds on all processors, or one again with what happened in it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress

from tests.simulation.random_history import go_through

MOST_SHOWN = 5


@dataclass(frozen=True)
class Gone:
    """How one seed went: what was wrong (nothing, mostly), and what happened."""

    seed: int
    wrong: tuple[str, ...]
    counts: Counter[str] = field(default_factory=Counter)


def one(seed: int) -> Gone:
    """One seed, with whatever went wrong as text."""
    logging.disable(logging.CRITICAL)
    try:
        history = go_through(seed)
        return Gone(seed, tuple(history.differences()), history.counts())
    except BaseException as error:  # noqa: BLE001 - broken invariants are no `Exception`, and all must be told of
        return Gone(seed, (f"{type(error).__name__}: {error}",))


def main() -> int:
    """Runs the seeds; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many (default: 300)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--replay", type=int, help="this one only, with all that happened in it")
    arguments = parser.parse_args()
    console = Console()
    if arguments.replay is not None:
        return _replay(console, arguments.replay)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    began, counts, wrong = time.monotonic(), Counter[str](), []
    with ProcessPoolExecutor(arguments.processes) as pool, Progress(console=console) as progress:
        task = progress.add_task("random histories", total=len(seeds))
        for gone in pool.map(one, seeds, chunksize=8):
            progress.advance(task)
            counts += gone.counts
            if gone.wrong:
                wrong.append(gone)
    seconds = time.monotonic() - began
    told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    console.print(f"{len(seeds)} random histories, {len(seeds) / seconds:.1f} a second: {told}.")
    for gone in wrong[:MOST_SHOWN]:
        console.print(f"seed {gone.seed}: {'; '.join(gone.wrong[:MOST_SHOWN])}", markup=False)
        console.print(f"  again: python -m tests.simulation --replay {gone.seed}", markup=False)
    console.print(f"{len(wrong)} of them did not end with ServiceNow equal to Business Central.")
    return 1 if wrong else 0


def _replay(console: Console, seed: int) -> int:
    history = go_through(seed)
    met = {cue.at: cue.mode for cue in history.world.stage.met}
    for number, name in enumerate(history.world.stage.effects, start=1):
        fault = f"   <- {met[number]}" if number in met else ""
        console.print(f"{number:5} {name}{fault}", markup=False, highlight=False)
    for name in history.editor.done:
        console.print(f"edit: {name}", markup=False, highlight=False)
    for state in history.world.ledger_states().values():
        console.print(f"{state.number}: {state.status} {state.outcome}", markup=False, highlight=False)
    wrong = history.differences()
    for line in wrong:
        console.print(line, markup=False, style="red")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

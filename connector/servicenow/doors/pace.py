"""Pace: how many rows a call of insertMultiple may hold, and how long to wait for their transformation; both are learnt."""

from __future__ import annotations

from dataclasses import dataclass

from connector.decisions.batching import next_size

FIRST_ROWS, MOST_ROWS = 200, 1000
"""Rows a call: at first, and when all went well for a while."""
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds between two looks at an import set."""
FIRST_SECONDS_A_ROW = 0.002
GOOD_TIME = 150.0
"""Seconds that the transformation of everything one run sends may take: half of a run, since headers and lines wait in turn."""

ROWS_A_GO = 2000
"""Rows that are sent before they are waited for, at most. A whole unit of ordinary documents is fewer."""


@dataclass(slots=True)
class Pace:
    """What a door has learnt: how many rows a call may hold, and how long the transformation of a row takes."""

    size: int = FIRST_ROWS
    seconds_a_row: float = FIRST_SECONDS_A_ROW

    def posted(self, rows: int, seconds: float) -> None:
        """A call of so many rows took so long. A call that was not full says nothing about fuller ones."""
        if rows >= self.size:
            self.size = next_size(self.size, MOST_ROWS, [int(seconds * 1000) // rows] * rows, rows)

    def transformed(self, rows: int, seconds: float, *, at_once: bool) -> None:
        """So many rows were done after so long; `at_once`: when they were looked at first, so it may be less the next time."""
        took = seconds / rows
        self.seconds_a_row = min(took, self.seconds_a_row * 3 / 4) if at_once else took

    def rows_in_time(self) -> int:
        """How many rows are transformed in good time."""
        return int(GOOD_TIME / self.seconds_a_row)

    def rows_in_a_go(self) -> int:
        """How many rows to send before looking at what became of them."""
        return max(self.size, min(ROWS_A_GO, self.rows_in_time()))

    def first_pause(self, rows: int) -> float:
        """How long to wait before so many rows are looked at first."""
        return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, rows * self.seconds_a_row))

    def failed(self, rows: int) -> None:
        """A call of so many rows was cut off or refused."""
        self.size = next_size(self.size, MOST_ROWS, (), rows)

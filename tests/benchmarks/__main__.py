"""``make bench``: what the connector costs and how fast it is, in counts and virtual seconds. Name one to run it alone."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from tests.benchmarks import alignment, freshness, orders, sweep


def main() -> int:
    """Runs the benchmarks and prints them; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "which", nargs="*", choices=["orders", "sweep", "freshness", "alignment", []], help="default: all"
    )
    parser.add_argument("--orders", type=int, default=1000, help="orders to carry")
    parser.add_argument(
        "--door", choices=sorted(orders.DOORS), help="write through this door only (default: each in turn)"
    )
    parser.add_argument("--open-orders", type=int, default=10_000, help="orders to sweep")
    parser.add_argument("--changes", type=int, default=10_000, help="changes whose freshness is measured")
    parser.add_argument("--cost-centres", type=int, default=5000, help="cost centres to align")
    arguments = parser.parse_args()
    console = Console()
    runs = {
        "orders": lambda: all(
            [
                orders.run(console, arguments.orders, door)
                for door in ([arguments.door] if arguments.door else orders.DOORS)
            ]
        ),
        "sweep": lambda: sweep.run(console, arguments.open_orders),
        "freshness": lambda: freshness.run(console, arguments.changes),
        "alignment": lambda: alignment.run(console, arguments.cost_centres),
    }
    held = [runs[name]() for name in arguments.which or runs]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())

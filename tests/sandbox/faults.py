"""Named faults made ready: by name and rule for one simulator, or a whole scenario from a TOML file.

A rule says which requests a fault meets: `method`, `path` and `body` (regular expressions), `skip` (so many pass first),
`times` (so many are met, 0 = no end), `probability`; what varies in it: `delay`, `status`, `field`, `count`, `answer`,
`retry_after` (seconds); and `after` (the system has acted before the fault shows). Rows have a state: make them anew for
each run. Within one scenario the seed and the order of requests decide what chance meets, whatever the mount.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from tests.sandbox.business_central import BusinessCentral
from tests.sandbox.business_central.post import Mishap
from tests.sandbox.fault_names import FAULTS, Named
from tests.sandbox.servicenow.injected import Injection
from tests.sandbox.servicenow.simulator import ServiceNow
from tests.sandbox.wire import Exchange, Fault

System = Literal["sn", "bc"]
SCENARIOS = Path(__file__).parent / "scenarios"
MATCHING = frozenset({"method", "path", "body", "skip", "times", "probability"})
WIRE_OPTIONS = MATCHING | {"delay", "status", "answer", "retry_after", "after"}
INSIDE_OPTIONS = MATCHING | {"status", "answer", "field", "count", "after"}
MAIL_OPTIONS = frozenset({"skip", "times", "delay", "body"})
_OPTIONS = (("wire", WIRE_OPTIONS), ("inside", INSIDE_OPTIONS), ("mail", MAIL_OPTIONS))
AFTER = {"answer": "answer_after", "reset_before": "reset_after", "unserviced": "unserviced_committed"}
DEFAULT_WAIT = 60


@dataclass
class Prepared:
    """What faults of one system come to: rows of the wire's table, rows of the inner table, switches."""

    wire: list[Fault] = field(default_factory=list)
    inside: list[Injection] = field(default_factory=list)
    switches: dict[str, Any] = field(default_factory=dict)
    mail: list[Mishap] = field(default_factory=list)

    def add(self, other: Prepared) -> None:
        """Puts the other's rows behind these."""
        self.wire += other.wire
        self.inside += other.inside
        self.switches |= other.switches
        self.mail += other.mail


def prepare(name: str, *, moment: datetime | None = None, **rule: Any) -> Prepared:
    """One named fault under a rule; `moment` is the time its rate limit headers count from (default: now)."""
    named = FAULTS.get(name)
    if named is None:
        raise ValueError(f"no fault named {name}")
    known = next((options for data, options in _OPTIONS if getattr(named, data)), frozenset())
    if unknown := sorted(set(rule) - known):
        raise ValueError(f"{name} takes no {', '.join(unknown)}")
    if named.switches:
        return Prepared(switches=dict(named.switches))
    if named.mail:
        renamed = {("seconds" if key == "delay" else key): value for key, value in rule.items()}
        return Prepared(mail=[Mishap(**_row(name, named.mail, "effect", renamed))])
    if named.inside:
        return Prepared(inside=[Injection(**_row(name, named.inside, "act", rule))])
    row = _row(name, named.wire, "effect", rule)
    wait = rule.get("retry_after", DEFAULT_WAIT if named.limit_headers else None)
    row["headers"] = dict(row.get("headers", {})) | _waiting(named, wait, moment or datetime.now(UTC))
    return Prepared(wire=[Fault(**row)])


@dataclass(frozen=True)
class Scenario:
    """A seed and faults with their rules."""

    seed: int
    faults: tuple[tuple[str, Mapping[str, Any]], ...]

    def prepared(self, system: System, *, moment: datetime | None = None) -> Prepared:
        """Fresh rows for one of the systems."""
        found = Prepared()
        for name, rule in self.faults:
            if name.startswith(f"{system}."):
                found.add(prepare(name, moment=moment, **rule))
        return found

    def install(
        self, system: System, exchange: Exchange, simulator: ServiceNow | BusinessCentral | None = None
    ) -> None:
        """Puts the system's faults into its exchange, and into the simulator behind it."""
        found = self.prepared(system)
        exchange.faults = found.wire
        exchange.chance.seed(self.seed)
        if isinstance(simulator, BusinessCentral):
            simulator.webhooks.post.mishaps = found.mail
        elif simulator is not None:
            simulator.front.injected.rows = found.inside
            simulator.front.injected.seed(self.seed)
            for name, value in found.switches.items():
                simulator.switches.set(name, value)
        elif found.inside or found.switches or found.mail:
            raise ValueError("the scenario has faults inside the system: give its simulator")

    def controls(self, system: System) -> list[tuple[str, Any]]:
        """The same for a served simulator: names and bodies to post to its control interface, in order."""
        found = self.prepared(system)
        bodies: list[tuple[str, Any]] = [("faults", [asdict(row) for row in found.wire]), ("seed", self.seed)]
        if system == "sn":
            bodies += [("inject", [asdict(row) for row in found.inside]), ("inject_seed", self.seed)]
            bodies += [("switches", found.switches)]
        else:
            bodies.append(("mishaps", {"rows": [asdict(row) for row in found.mail]}))
        return bodies


def load_scenario(path: Path) -> Scenario:
    """Reads a scenario: ``seed`` and ``[[fault]]`` tables of a ``name`` and its rule. A typing error fails here."""
    text = tomllib.loads(path.read_text(encoding="utf-8"))
    if unknown := sorted(set(text) - {"title", "seed", "fault"}):
        raise ValueError(f"{path.name}: unknown {', '.join(unknown)}")
    faults = tuple(
        (str(table["name"]), {key: value for key, value in table.items() if key != "name"})
        for table in text.get("fault", [])
    )
    for name, rule in faults:
        prepare(name, **rule)
    return Scenario(int(text.get("seed", 0)), faults)


def _row(name: str, data: Mapping[str, Any], kind: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(data) | {key: value for key, value in rule.items() if key not in {"retry_after", "after"}}
    if row.get("times") == 0:
        row["times"] = None
    if rule.get("after"):
        if row[kind] not in AFTER:
            raise ValueError(f"{name} cannot show after the system acted")
        row[kind] = AFTER[row[kind]]
    return row


def _waiting(named: Named, seconds: int | None, moment: datetime) -> dict[str, str]:
    if seconds is None:
        return {}
    headers = {"Retry-After": str(seconds)}
    if named.limit_headers:
        reset = int((moment + timedelta(seconds=seconds)).timestamp())
        rule = "5f4dcc3b5aa765d61d8327deb882cf99"
        headers |= {"X-RateLimit-Limit": "1000", "X-RateLimit-Reset": str(reset), "X-RateLimit-Rule": rule}
    return headers

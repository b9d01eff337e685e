"""The fault table's rows: which requests a row is about, what it does to them, and which row meets a request now."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar
from urllib.parse import unquote

import httpx

Effect = Literal["answer", "refuse", "reset_before", "reset_after", "cut_body", "answer_after", "slow", "truncate"]


@dataclass
class Fault:
    """One row of the fault table: which requests it meets, and what happens to them.

    ``answer``: the given answer instead of the simulator's (the simulator does not act). ``answer_after``: the
    simulator acts, then the given answer is sent. ``refuse``: no connection. ``reset_before`` / ``reset_after``: the
    connection is reset before / after the simulator acted. ``cut_body``: half of the true body under its true
    Content-Length. ``truncate``: half of the true body, then `answer`, under the right Content-Length. ``slow``: the true
    answer after `delay` seconds. Of the requests of its kind `skip` pass first; then each is met with `probability`, until
    `times` were met (None = for ever).
    """

    effect: Effect
    method: str = ".*"
    path: str = ".*"
    body: str = ""
    skip: int = 0
    times: int | None = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""
    delay: float = 0.0
    probability: float = 1.0

    def meets(self, request: httpx.Request) -> bool:
        """Whether the request is of this fault's kind (path: regex search on the decoded path and query)."""
        return meets(self, request)


class Rule(Protocol):
    """Which requests a row of a fault table is about."""

    method: str
    path: str
    body: str
    skip: int
    times: int | None
    probability: float


R = TypeVar("R", bound=Rule)


def meets(rule: Rule, request: httpx.Request) -> bool:
    """Whether the request is of the rule's kind: method in full, path and query decoded, body as text."""
    if not re.fullmatch(rule.method, request.method):
        return False
    target = unquote(request.url.raw_path.decode("ascii").replace("+", " "))
    if not re.search(rule.path, target):
        return False
    return not rule.body or re.search(rule.body, request.content.decode("utf-8", "replace")) is not None


def take(rules: Sequence[R], request: httpx.Request, chance: random.Random) -> R | None:
    """The first rule that meets the request now; counts down what passes and what is met."""
    for rule in rules:
        if rule.times == 0 or not meets(rule, request):
            continue
        if rule.skip > 0:
            rule.skip -= 1
            continue
        if rule.probability < 1 and chance.random() >= rule.probability:
            continue
        if rule.times is not None:
            rule.times -= 1
        return rule
    return None

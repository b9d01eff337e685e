"""Rate rules: how many calls of an API one user, the holders of a role, or everybody may make in an hour.

Source: the vendor's "Inbound REST API rate limiting" page.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC

from tests.sandbox.servicenow.access import User
from tests.sandbox.servicenow.answers import Refusal
from tests.sandbox.servicenow.apis import name_of
from tests.sandbox.servicenow.instance import Call, Instance
from tests.sandbox.servicenow.store import Row

HOUR, COMMIT_INTERVAL = 3600, 30
ANY = ""


@dataclass
class _Window:
    """The calls of one hour under one rule by one user: `counted` decides, `pending` waits for the next commit."""

    hour: int = -1
    counted: int = 0
    pending: Counter[int] = field(default_factory=Counter)


class Rates:
    """Counts calls under the rules of sys_rate_limit_rules; each user has a count of its own under every rule."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._windows: dict[tuple[str, str], _Window] = {}

    def count(self, call: Call) -> dict[str, str]:
        """Counts the call and returns the headers its answer carries; none without a rule. Refuses what is too much."""
        rule = self._rule(call)
        if rule is None:
            return {}
        now = int(self._instance.now().astimezone(UTC).timestamp())
        reset = (now // HOUR + 1) * HOUR
        limit = int(rule["request_limit"] or 0)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Rule": rule["sys_id"],
        }
        if self._add(rule["sys_id"], call.user, now) > limit:
            detail = f"Rate limit of {limit} requests per hour for {name_of(call.url.path)} exceeded"
            raise Refusal(429, "Rate limit exceeded", detail, headers={**headers, "Retry-After": str(reset - now)})
        return headers

    def _add(self, rule_id: str, user: User, now: int) -> int:
        """The count that decides, this call included unless a lazy node has not committed it yet."""
        window = self._windows.setdefault((rule_id, user.sys_id), _Window())
        if window.hour != now // HOUR:
            self._windows[rule_id, user.sys_id] = window = _Window(now // HOUR)
        if not self._instance.switches.lazy_rate_counting:
            window.counted += window.pending.total() + 1
            window.pending.clear()
            return window.counted
        slot = now // COMMIT_INTERVAL
        for earlier in [known for known in window.pending if known < slot]:
            window.counted += window.pending.pop(earlier)
        window.pending[slot] += 1
        return window.counted + 1

    def _rule(self, call: Call) -> Row | None:
        """The rule that binds: the user's own before those of roles (the lowest wins) before one for all users."""
        store = self._instance.store
        rules = [rule for rule in store.find("sys_rate_limit_rules", {"active": "true"}) if _covers(rule, call)]
        own = [rule for rule in rules if rule["type"] == "user" and rule["user"] == call.user.sys_id]
        by_role = [
            rule
            for rule in rules
            if rule["type"] == "role" and store.display("sys_user_role", rule["role"]) in call.user.roles
        ]
        everybody = [rule for rule in rules if rule["type"] == "all"]
        found = own or by_role or everybody
        return min(found, key=lambda rule: int(rule["request_limit"] or 0)) if found else None


def _covers(rule: Row, call: Call) -> bool:
    if rule["rest_api"] not in {ANY, name_of(call.url.path)}:
        return False
    return rule["method"].upper() in {ANY, call.method}

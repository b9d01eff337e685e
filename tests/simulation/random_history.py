"""Random histories: two processes of the app, people who edit, and Business Central's notifications, all at the same time in an
order drawn from a seed; processes die, answers get lost, notifications are lost, doubled, delayed or forged, handshakes are
refused, clocks are wrong. When everything has come to rest, ServiceNow must equal Business Central, whatever the seed.

``python -m tests.simulation --seeds 3000`` runs many, ``python -m tests.simulation --replay 17`` one, and tells what happened.
"""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import httpx

from connector.decisions.states import Status
from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.health import healthy
from connector.flows.receive import Call, answer
from connector.flows.renew import renew_all
from connector.flows.rescue import rescue_all
from connector.flows.sweep import sweep_all
from tests.flows.comparison import order_differences, supplier_differences, target_differences
from tests.flows.expectation import expectations
from tests.flows.pipeline import US
from tests.sandbox.business_central.post import Mishap
from tests.simulation.conservation import astray
from tests.simulation.editor import Editor
from tests.simulation.history import five_documents
from tests.simulation.scheduler import Scheduler
from tests.simulation.stage import WorldStopped, by_chance, undisturbed
from tests.simulation.world import World

WEBHOOKS = {
    "WEBHOOK_URL": "https://connector.example/api/bc",
    "WEBHOOK_KEY": base64.b64encode(b"the sandbox's own webhook key...").decode(),
}
SENDER = "sender"
FAULT_RATES = (0.0, 0.0, 0.02, 0.05)
LONGEST_PAUSE = 240.0


class RandomHistory:
    """The world of one seed. `run` goes through the history; `differences` is what is wrong at its end."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._chance = chance = random.Random(seed)
        rate = FAULT_RATES[seed % len(FAULT_RATES)]
        self._turns = Scheduler(seed, stickiness=chance.choice((0.0, 0.5, 0.8, 0.93)))
        plan = by_chance(seed, rate) if rate else undisturbed
        self.world = world = World(five_documents(), plan, seed=seed, turns=self._turns, settings=WEBHOOKS)
        self._bc = bc = world.landscape.business_central
        self.editor = Editor(world, US, random.Random(seed))
        self.heard = 0
        if chance.random() < 0.6:
            bc.webhooks.subscriptions.extra.add("v2.0/purchaseOrders")
        self._answers = answers(world)
        bc.webhooks.post.carrier = self._carry
        bc.webhooks.post.stopwatch = world.clock.monotonic
        # For a while the app cannot be reached: no handshake, no notification.
        self._unreachable = chance.choice((0, 0, 0, 1, 3, 12))

    def run(self) -> None:
        """Everybody works at once; then the world comes to rest, and every process with it."""
        workers: dict[str, Callable[[], object]] = {
            "one": lambda: self._process("one"),
            "two": lambda: self._process("two"),
            "people": self._people,
            SENDER: self._send,
        }
        self._turns.run(workers)
        self._unreachable = 0
        self._bc.webhooks.post.mishaps.clear()
        self.world.rest()

    # -- who works

    def _process(self, name: str) -> None:
        world, chance = self.world, random.Random(f"{self.seed} {name}")
        acts: list[tuple[Callable[[], object], int]] = [
            (lambda: poll_all(world.process()), 5),
            (self._work, 8),
            (lambda: sweep_all(world.process()), 1),
            (lambda: rescue_all(world.process()), 1),
            (lambda: renew_all(world.process()), 1),
            (lambda: healthy(world.process()), 1),
        ]
        if name == "one" and chance.random() < 0.8:
            world.attempt(lambda: renew_all(world.process()))
        for _ in range(8):
            world.skew(name, chance.choice((0.0, 0.0, 0.0, -600.0, 600.0)))
            act = chance.choices([act for act, _ in acts], [weight for _, weight in acts])[0]
            world.attempt(act)

    def _work(self) -> None:
        for _ in range(4):
            if self.world.attempt(self._one_message) is False:
                return

    def _one_message(self) -> bool:
        return self.world.host.run_once(
            self.world.settings.documents_queue, lambda text, count: deliver(self.world.process(), text, count)
        )

    def _people(self) -> None:
        for _ in range(self._chance.randint(5, 12)):
            # A stamp of its own for each edit: BC's have milliseconds, and the clock stands still between effects.
            self.world.clock.advance(0.25 + self._chance.choice((0.0, 0.0, 20.0, LONGEST_PAUSE)))
            self.editor.edit()
            self._turns.hand_over()

    def _send(self) -> None:
        chance = random.Random(f"{self.seed} {SENDER}")
        mishaps = self._bc.webhooks.post.mishaps
        for _ in range(12):
            kind = chance.choice(("", "", "", "lose", "duplicate", "delay", "swap", "lose_answer"))
            if kind:
                mishaps.append(Mishap(kind, seconds=chance.uniform(1, 3600)))  # type: ignore[arg-type]
            if chance.random() < 0.2:
                self._forge(chance)
            self.world.clock.advance(chance.uniform(0, 45))
            self._bc.webhooks.deliver_due()
            self._turns.hand_over()

    def _forge(self, chance: random.Random) -> None:
        """Somebody who knows the address speaks of documents without knowing the secret."""
        for subscription in self._bc.webhooks.subscriptions.all()[:1]:
            id_ = chance.choice(self._bc.document_ids(US) or [subscription.id])
            told = {
                "subscriptionId": subscription.id,
                "clientState": chance.choice(["", "guessed", subscription.id]),
                "resource": f"{subscription.resource}({id_})",
                "changeType": "deleted",
                "lastModifiedDateTime": "2027-01-01T00:00:00Z",
            }
            with suppress(httpx.TransportError):
                self._bc.webhooks.post.forge(subscription.url, [told])

    def _carry(self, request: httpx.Request) -> httpx.Response:
        if self._unreachable:
            self._unreachable -= 1
            raise httpx.ConnectError("the app cannot be reached (simulated)", request=request)
        response = self._answers(request)
        self.heard += 1
        return response

    # -- looking

    def differences(self) -> list[str]:
        """How ServiceNow and the ledger differ from Business Central: nothing, at the end."""
        return wrong(self.world)

    def counts(self) -> Counter[str]:
        """What happened, for the eye."""
        world = self.world
        effects = Counter({"effects": len(world.stage.effects), "faults": len(world.stage.met), "notified": self.heard})
        return effects + Counter(f"edit {name}" for name in self.editor.done)


def answers(world: World) -> Callable[[httpx.Request], httpx.Response]:
    """What the app's web function answers to Business Central; no answer when its process dies over it."""

    def carry(request: httpx.Request) -> httpx.Response:
        call = Call(
            key=request.url.path.rpartition("/")[2],
            body=request.content,
            token=request.url.params.get("validationToken"),
            encoding=request.headers.get("content-encoding", ""),
        )
        try:
            reply = answer(world.process, call)
        except WorldStopped:
            if world.stage.turns.process() in (SENDER, ""):
                world.restart()
            raise httpx.ReadError("no answer (simulated)", request=request) from None
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body.encode())

    return carry


def wrong(world: World) -> list[str]:
    """How ServiceNow and the ledger differ from Business Central after any history: nothing, when the world rests."""
    expected = expectations(world.landscape)
    states = world.ledger_states()
    report = []
    fates = {Status.DONE: "staged", Status.WAITING: "waiting", Status.PARKED: "parked"}
    for id_, document in expected.items():
        found = fates.get(states[id_].status) if id_ in states else "unknown"
        if document.fate == "held" and found in ("staged", "waiting"):
            continue
        if found != document.fate:
            report.append(f"{document.number} is {found} instead of {document.fate}")
    gone = [state for id_, state in states.items() if id_ not in expected]
    report += [f"{state.number} is gone and {state.status}" for state in gone if state.status is not Status.CLOSED]
    carried = [document for document in expected.values() if document.rows]
    # Of a document that waits, is parked or is gone an earlier version may stand, rightly.
    store = world.landscape.servicenow.tables
    report += target_differences(carried, store, only_carried=True)
    report += supplier_differences(carried, store, only_carried=True)
    report += order_differences(expected.values(), store, only_carried=True)
    cancelled = {state.number for state in gone if state.outcome == "cancelled"}
    for row in store.rows("sn_shop_purchase_order"):
        if row["erp_number"] in cancelled and Decimal(row["total_amount"] or 0):
            report.append(f"{row['erp_number']} was deleted and still has an amount")
    return report + world.broken_trails() + astray(world)


def go_through(seed: int) -> RandomHistory:
    """The history of that seed from an empty ledger to rest."""
    history = RandomHistory(seed)
    history.run()
    return history

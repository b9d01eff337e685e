"""The commands about subscriptions as an operator runs them: own processes, on the emulator, against a served simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from connector.bootstrap import build, real_ports
from connector.flows.receive import Call, receive
from connector.flows.subscriptions import REMOVED
from connector.model.feeds import Feed
from connector.settings import load_settings
from tests.flows.pipeline import WEBHOOKS_ON, some
from tests.sandbox.business_central.subscriptions import Subscriptions
from tests.sandbox.emulator import azurite
from tests.sandbox.landscape import Landscape
from tests.sandbox.wire import serve

pytestmark = pytest.mark.azurite

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Desk:
    """A folder with settings, and the subscriptions there are in Business Central."""

    folder: Path
    settings: dict[str, str]
    subscriptions: Subscriptions

    def run(self, *arguments: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "local.settings.json").write_text(json.dumps({"Values": self.settings | more}), "utf-8")
        clean = {name: value for name, value in os.environ.items() if name.lower() not in map(str.lower, self.settings)}
        return subprocess.run(
            [sys.executable, "-m", "connector", "subscriptions", *arguments],
            cwd=self.folder,
            env=clean | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "220", "NO_COLOR": "1"},
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def shown(self, output: str) -> dict[str, list[str]]:
        """The rows of the table by feed."""
        rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
        return {row[1]: row for row in rows}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    landscape = Landscape(lambda: datetime.now(UTC), data=some(orders=0, invoices=0)[:1])
    with azurite() as storage, serve(landscape.bc_exchange) as served:
        environment = (
            landscape.environment(bc_url=served.url, login_url=served.url, storage=storage.connection_string)
            | WEBHOOKS_ON
        )
        settings = load_settings(environment)
        parts = build(settings, real_ports(settings))
        webhooks = landscape.business_central.webhooks

        def app(request: httpx.Request) -> httpx.Response:
            """The app in Azure, which takes the handshakes that a command on this machine causes."""
            call = Call(request.url.path.rpartition("/")[2], token=request.url.params.get("validationToken"))
            return httpx.Response(200, text=receive(parts, call).body)

        webhooks.post.carrier = app
        yield Desk(tmp_path, environment, webhooks.subscriptions)


def test_an_operator_sees_renews_and_removes_the_subscriptions(desk: Desk) -> None:
    before = desk.run()
    assert (before.returncode, before.stderr) == (0, "")
    assert desk.shown(before.stdout)["vendors"][2:] == ["-", "polling", "-", "-", "not subscribed yet"]

    renewed = desk.run("renew")
    assert renewed.returncode == 0, renewed.stderr
    rows = desk.shown(renewed.stdout)
    assert set(rows) == set(Feed)
    assert rows["vendors"][:4] == ["us", "vendors", "active", "notified"]
    assert 71 < float(rows["vendors"][4]) <= 72
    assert rows["purchaseOrders"][2:4] == ["not offered", "polling"]
    assert rows["purchaseOrders"][6] == "BC offers no webhook"
    assert "0 other subscriptions in this environment" in renewed.stdout

    ids = {one.id for one in desk.subscriptions.all()}
    assert len(ids) == 2
    for one in desk.subscriptions.all():
        ends = one.row.values["expirationDateTime"]
        assert isinstance(ends, datetime)
        one.row.values["expirationDateTime"] = ends - timedelta(hours=10)
        one.row.rendered.clear()
    desk.run("renew")
    assert all(one.expires < datetime.now(UTC) + timedelta(hours=63) for one in desk.subscriptions.all())
    desk.run("renew", "--all")
    assert all(one.expires > datetime.now(UTC) + timedelta(hours=71) for one in desk.subscriptions.all())
    assert {one.id for one in desk.subscriptions.all()} == ids

    kept = desk.run("remove", typed="n\n")
    assert kept.returncode == 1
    assert {one.id for one in desk.subscriptions.all()} == ids
    removed = desk.run("remove", "--yes")
    assert removed.returncode == 0, removed.stderr
    assert "2 removed." in removed.stdout
    assert desk.subscriptions.all() == []
    assert desk.shown(desk.run().stdout)["vendors"][6] == REMOVED


def test_what_cannot_be_done_is_said_with_what_to_do(desk: Desk) -> None:
    for command in (["renew"], ["remove", "--yes"]):
        off = desk.run(*command, WEBHOOK_URL="")
        assert off.returncode == 1
        assert "Webhooks are off" in off.stderr
        assert "Traceback" not in off.stderr
    away = desk.run("renew", BC_URL="http://127.0.0.1:9/v2.0/x/Production")
    assert away.returncode == 1
    assert "Nothing was done. Business Central: cannot be reached" in away.stderr
    seen = desk.run(BC_URL="http://127.0.0.1:9/v2.0/x/Production")
    assert seen.returncode == 0
    assert "Other subscriptions cannot be counted now. Business Central: cannot be reached" in seen.stdout

"""The local host's HTTP front, queue outputs and refusals."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.host_app.bench import APP, Bench, size, until
from tests.sandbox.emulator import Azurite
from tests.sandbox.host import RunningHost, local_host
from tests.sandbox.host.running import alive
from tests.sandbox.processes import StartFailed

pytestmark = [pytest.mark.azurite, pytest.mark.host]


@pytest.fixture(scope="module")
def bench(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(azurite.connection_string, tmp_path_factory.mktemp("notes"))


@pytest.fixture(scope="module")
def host(bench: Bench) -> Iterator[RunningHost]:
    with local_host(APP, bench.environment) as running:
        yield running


@pytest.fixture
def client(host: RunningHost) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=host.url) as client:
        yield client


def outcome(bench: Bench) -> list[str]:
    """The output queue's messages, taken away; in any order."""
    found = list(bench.out.receive_messages(max_messages=32))
    for message in found:
        bench.out.delete_message(message)
    return sorted(message.content for message in found)


def test_a_request_reaches_the_function_of_its_route_whole(client: httpx.Client) -> None:
    answer = client.post("/api/echo/a%20b/7?one=1&two=x%26y&empty=", content="body", headers={"User-Agent": "tester"})
    assert answer.status_code == 201
    assert answer.headers["x-kind"] == "a b"
    assert answer.json() | {"trace": ""} == {
        "params": {"kind": "a b", "id": "7"},
        "query": {"one": "1", "two": "x&y"},
        "agent": "tester",
        "body": "body",
        "trace": "",
    }


def test_an_optional_part_of_a_route_may_be_missing(client: httpx.Client) -> None:
    assert client.get("/api/echo/x").json()["params"] == {"kind": "x"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/nothing"), ("GET", "/echo/x"), ("GET", "/api/echo/x/text"), ("DELETE", "/api/echo/x")],
    ids=["unknown", "without prefix", "against a constraint", "a method nobody takes"],
)
def test_a_request_that_fits_no_function_is_404(client: httpx.Client, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 404


def test_a_failing_function_answers_500_without_details(client: httpx.Client) -> None:
    answer = client.get("/api/echo/broken")
    assert (answer.status_code, answer.content) == (500, b"")


def test_a_text_that_looks_like_json_is_rewritten_on_its_way_to_a_queue(client: httpx.Client, bench: Bench) -> None:
    client.post("/api/send/text", content='{"a":1}')
    assert outcome(bench) == ['{\n  "a": 1\n}']


def test_an_array_in_a_text_becomes_one_message_for_each_element(client: httpx.Client, bench: Bench) -> None:
    client.post("/api/send/text", content='["x", {"a":1}]')
    assert outcome(bench) == sorted(["x", '{\n  "a": 1\n}'])


def test_a_list_of_texts_keeps_each_text_exact(client: httpx.Client, bench: Bench) -> None:
    assert client.post("/api/send/list", content='{"a":1}').text == "sent"
    assert outcome(bench) == ['{"a":1}']


def test_the_host_tells_its_state_and_its_functions(client: httpx.Client) -> None:
    assert client.get("/admin/host/ping").status_code == 200
    assert client.get("/admin/host/status").json()["state"] == "Running"
    assert {one["name"] for one in client.get("/admin/functions").json()} == {"work", "tick", "echo", "send"}
    assert client.get("/admin/functions/work").json()["config"]["bindings"][0]["type"] == "queueTrigger"


def test_a_queue_function_can_be_run_by_hand(client: httpx.Client, bench: Bench) -> None:
    assert client.post("/admin/functions/work", json={"input": "by hand"}).status_code == 202
    until(lambda: bench.notes("work"))
    assert bytes.fromhex(bench.notes("work")[0]["body"]) == b"by hand"
    assert size(bench.work) == 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("nothing", '{"input": ""}', 404), ("work", "no json", 400), ("work", '{"other": 1}', 400), ("echo", "", 400)],
)
def test_a_wrong_run_by_hand_is_refused(client: httpx.Client, path: str, body: str, status: int) -> None:
    assert client.post(f"/admin/functions/{path}", content=body).status_code == status


def test_the_trace_of_a_request_goes_on_in_the_function(client: httpx.Client) -> None:
    trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    assert client.get("/api/echo/x", headers={"traceparent": trace}).json()["trace"] == trace


def test_an_app_the_indexer_refuses_ends_the_host_with_its_exception(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text("import no_such_module\n")
    with (
        pytest.raises(StartFailed, match=r"(?s)exit code 1.*No module named 'no_such_module'"),
        local_host(tmp_path, {}),
    ):
        pass


def test_an_app_that_hangs_while_it_is_indexed_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text("import time\ntime.sleep(60)\n")
    asked = time.monotonic()
    with pytest.raises(StartFailed) as failure, local_host(tmp_path, {}, start_within=0.5):
        pass
    assert time.monotonic() - asked < 10
    worker = re.search(r"Worker process started \(pid (\d+)\)", str(failure.value))
    assert worker is not None
    assert not alive(int(worker[1]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"TICK": "banana"}, "'banana' has 1 fields"),
        ({"TICK": None}, "there is no setting TICK"),
        ({"WorkStorage": ""}, "there is no setting WorkStorage and no AzureWebJobsWorkStorage"),
        ({"WorkStorage": "", "WorkStorage__queueServiceUri": "https://x"}, "identity-based"),
    ],
    ids=["a schedule", "a name", "a connection", "an identity"],
)
def test_a_setting_that_is_wrong_or_missing_ends_the_host(
    bench: Bench, changes: dict[str, str | None], said: str
) -> None:
    environment = {name: value for name, value in (bench.environment | changes).items() if value is not None}
    with pytest.raises(StartFailed, match=f"(?s)exit code 1.*{said}"), local_host(APP, environment):
        pass


def test_the_host_runs_from_the_command_line_with_a_settings_file(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("# settings\n" + "".join(f"{name}={value}\n" for name, value in bench.environment.items()))
    command = [sys.executable, "-m", "tests.sandbox.host", "--app", str(APP), "--port", "0", "--settings", str(file)]
    with subprocess.Popen(
        command, cwd=APP.parents[1], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

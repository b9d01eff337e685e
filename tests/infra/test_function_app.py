"""function_app.py against Microsoft's own indexer: what it refuses, each case in a process of its own, and our app.

The indexer is the one that runs in Azure at the start of every app: what it refuses is an app without any function.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.host.configuration import Function, function_from, read_settings, resolve
from tests.sandbox.host.cron import InvalidSchedule, Schedule

ROOT = Path(__file__).parents[2]
INDEXER = """
import asyncio, json
from tests.sandbox.host.worker import index
indexed, _ = asyncio.run(index())
print(json.dumps({"functions": indexed.functions, "error": indexed.error}))
"""

HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"
QUEUE = '@app.queue_trigger(arg_name="message", queue_name="q", connection="C")\n'
ROUTE = '@app.route(route="here")\n'
OUTPUT = '@app.queue_output(arg_name="out", queue_name="r", connection="C")\n'

ACCEPTED = {
    "a queue message": HEAD + QUEUE + "def f(message: func.QueueMessage) -> None: ...",
    "a queue message as text": HEAD + QUEUE + "def f(message: str) -> None: ...",
    "annotations kept as text": "from __future__ import annotations\n"
    + HEAD
    + QUEUE
    + "def f(message: func.QueueMessage) -> None: ...",
    "a list as output": HEAD
    + "from typing import List\n"
    + QUEUE
    + OUTPUT
    + "def f(message: str, out: func.Out[List[str]]) -> None: ...",
    "a text as HTTP answer": HEAD + ROUTE + "def f(req: func.HttpRequest) -> str: return ''",
    "a schedule that is none": HEAD
    + '@app.timer_trigger(arg_name="t", schedule="banana")\ndef f(t: func.TimerRequest) -> None: ...',
}

REFUSED = {
    "a type imported for checking only": (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from decimal import Decimal\n" + HEAD + QUEUE + "def f(message: func.QueueMessage) -> Decimal: ...",
        "NameError",
    ),
    "a queue message as dict": (HEAD + QUEUE + "def f(message: dict) -> None: ...", "do not match"),
    "a parameter no decorator binds": (
        HEAD + QUEUE + "def f(message: str, extra: int = 1) -> None: ...",
        "declared in Python but not in the function definition",
    ),
    "a parameter of another name": (
        HEAD + QUEUE + "def f(msg: str) -> None: ...",
        "declared in Python but not in the function definition",
    ),
    "a binding no parameter takes": (HEAD + QUEUE + "def f() -> None: ...", "Extra parameters in binding definition"),
    "two functions of one name": (
        HEAD + QUEUE + "def f(message: str) -> None: ...\n" + ROUTE + "def f(req: func.HttpRequest) -> str: ...",
        "unique function name",
    ),
    "two apps": (HEAD + "other = func.FunctionApp()\n", "More than one"),
    "no app": ("x = 1\n", "Could not find top level function app"),
    "an output without trigger": (HEAD + OUTPUT + "def f(out: func.Out[str]) -> None: ...", "trigger"),
    "an output that is no Out": (
        HEAD + QUEUE + OUTPUT + "def f(message: str, out: str) -> None: ...",
        "not a subclass of azure.functions.Out",
    ),
    "an output of builtin list": (
        HEAD + QUEUE + OUTPUT + "def f(message: str, out: func.Out[list[str]]) -> None: ...",
        "invalid non-type annotation",
    ),
    "a dict as HTTP answer": (HEAD + ROUTE + "def f(req: func.HttpRequest) -> dict: ...", "does not match"),
    "an import that fails": ("import no_such_module\n" + HEAD, "no_such_module"),
    "a setting read at import": (HEAD + "import os\nos.environ['NO_SUCH_SETTING']\n", "NO_SUCH_SETTING"),
}


def indexed(folder: Path) -> dict[str, Any]:
    """The indexer's answer for a folder, in a fresh process without any setting."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", INDEXER],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def functions() -> list[Function]:
    """The functions of the project's own app; the indexer must accept it without a single setting."""
    answer = indexed(ROOT)
    assert answer["error"] is None
    return [function_from(name, raw) for name, raw in answer["functions"]]


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return read_settings(ROOT / "local.settings.sample.json")


@pytest.mark.parametrize("source", ACCEPTED.values(), ids=list(ACCEPTED))
def test_the_indexer_accepts(source: str, tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(source, "utf-8")
    answer = indexed(tmp_path)
    assert answer["error"] is None
    assert [name for name, _ in answer["functions"]] == ["f"]


@pytest.mark.parametrize(("source", "said"), REFUSED.values(), ids=list(REFUSED))
def test_the_indexer_refuses(source: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(source, "utf-8")
    answer = indexed(tmp_path)
    assert answer["functions"] == []
    assert said in answer["error"]


def test_an_app_without_functions_is_accepted_and_empty(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(HEAD, "utf-8")
    assert indexed(tmp_path) == {"functions": [], "error": None}


def test_our_app_is_accepted_without_a_single_setting(functions: list[Function]) -> None:
    kinds = {function.trigger["type"] for function in functions}
    assert kinds == {"httpTrigger", "timerTrigger", "queueTrigger"}


def test_every_schedule_of_our_app_is_valid(functions: list[Function], settings: dict[str, str]) -> None:
    timers = [function for function in functions if function.trigger["type"] == "timerTrigger"]
    wrong = {}
    for timer in timers:
        try:
            Schedule(resolve(timer.trigger["schedule"], settings))
        except InvalidSchedule as error:
            wrong[timer.name] = str(error)
    assert timers
    assert wrong == {}


def test_every_name_in_a_binding_of_our_app_has_a_setting(functions: list[Function], settings: dict[str, str]) -> None:
    bindings = [binding for function in functions for binding in (function.trigger, *function.outputs)]
    texts = [value for binding in bindings for value in binding.values() if isinstance(value, str)]
    assert "%" not in "".join(resolve(text, settings) for text in texts)


def test_no_two_functions_of_our_app_listen_to_one_queue(functions: list[Function], settings: dict[str, str]) -> None:
    names = [one.trigger["queueName"] for one in functions if one.trigger["type"] == "queueTrigger"]
    queues = [resolve(name, settings) for name in names]
    assert sorted(set(queues)) == sorted(queues)


def test_the_routes_of_our_app_are_these_and_open_to_these_methods(functions: list[Function]) -> None:
    triggers = [one.trigger for one in functions if one.trigger["type"] == "httpTrigger"]
    # Business Central cannot show a key of the host; the last part of the webhook's address is the key.
    assert {one["route"]: (one["authLevel"].lower(), sorted(one["methods"])) for one in triggers} == {
        "health": ("anonymous", ["GET"]),
        "bc/{key}": ("anonymous", ["GET", "POST"]),
    }

"""The local host's rules that need no process: schedules, backoff, routes, outputs, configuration."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.host.configuration import (
    ConfigurationError,
    Function,
    HostOptions,
    connection_string,
    function_from,
    read_host_json,
    read_settings,
    resolve,
    seconds,
)
from tests.sandbox.host.cron import InvalidSchedule, Schedule
from tests.sandbox.host.invocation import Data
from tests.sandbox.host.outputs import messages
from tests.sandbox.host.protos import from_typed_data, protos
from tests.sandbox.host.queues import Backoff, poison_name, text_or_bytes
from tests.sandbox.host.routes import Route, find, route_of
from tests.sandbox.host.timers import past_due, status_at

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("expression", "following"),
    [
        ("0 */5 * * * *", "2026-03-02T12:05:00"),
        ("*/5 * * * *", "2026-03-02T12:05:00"),
        ("30 0 12 * * *", "2026-03-02T12:00:30"),
        ("0 0 12 * * *", "2026-03-03T12:00:00"),
        ("0 30 9 * * Mon-Fri", "2026-03-03T09:30:00"),
        ("0 0 0 1 JAN,jul *", "2026-07-01T00:00:00"),
        ("0 0 0 13 * Fri", "2026-03-13T00:00:00"),
        ("0 0 0 1 1 sunday", "2034-01-01T00:00:00"),
        ("0 10/20 * * * *", "2026-03-02T12:10:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
    ],
)
def test_a_schedule_gives_its_next_occurrence(expression: str, following: str) -> None:
    assert Schedule(expression).next_after(NOON).isoformat() == f"{following}+00:00"


@pytest.mark.parametrize(
    "expression",
    ["", "banana", "* * * *", "* * * * * * 2026", "@hourly", "00:05:00", "60 * * * * *", "0 0 24 * * *"]
    + ["0 0 0 0 * *", "0 0 0 * 13 *", "0 0 0 * * 7", "0 0 0 L * *", "0 0 0 1W * *", "0 0 0 * * Mon#1", "0 0 0 ? * *"]
    + ["0 */0 * * * *", "0 5-1 * * * *", "0 1, * * * *", "0 -1 * * * *", "0 0 0 30 2 *", "0 0 0 * Foo *", "%TICK%"],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(InvalidSchedule):
        Schedule(expression)


@given(
    st.tuples(*(st.integers(low, high) for low, high in [(0, 59), (0, 59), (0, 23), (1, 28), (1, 12)])),
    st.integers(0, 3650 * 86400).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)
def test_the_next_occurrence_fits_every_field_and_lies_ahead(fields: tuple[int, ...], moment: datetime) -> None:
    found = Schedule(" ".join(map(str, fields)) + " *").next_after(moment)
    assert (found.second, found.minute, found.hour, found.day, found.month) == fields
    assert moment < found <= moment + timedelta(days=366)


@pytest.mark.parametrize(
    ("expression", "several"), [("* * * * * *", True), ("0,30 * * * * *", True), ("0 * * * * *", False)]
)
def test_only_a_schedule_with_several_runs_a_minute_goes_unmonitored(expression: str, several: bool) -> None:
    assert Schedule(expression).several_a_minute(NOON) is several


@pytest.mark.parametrize(
    ("now", "schedule", "due"),
    [
        (NOON + timedelta(minutes=4), "0 */5 * * * *", False),
        (NOON + timedelta(minutes=6), "0 */5 * * * *", True),
        (NOON + timedelta(minutes=6), "0 */10 * * * *", False),
    ],
    ids=["still ahead", "missed", "another schedule now"],
)
def test_a_timer_is_past_due_when_its_recorded_occurrence_was_missed(now: datetime, schedule: str, due: bool) -> None:
    recorded = status_at(Schedule("0 */5 * * * *"), NOON, ran=True)
    assert past_due(Schedule(schedule), recorded, now) is due


def test_the_wait_grows_while_nothing_is_found_up_to_its_limit_and_starts_anew() -> None:
    backoff = Backoff(1.0)
    assert backoff.next(found=True) == 0.1
    waits = [backoff.next(found=False) for _ in range(2000)]
    for wait, middle in zip(waits, (0.2, 0.3, 0.5, 0.9), strict=False):
        assert wait == pytest.approx(middle, abs=0.2 * middle)
    assert waits[-1] == 1.0
    assert backoff.next(found=True) == 0.1
    assert backoff.next(found=False) < 0.3


def test_a_poison_queue_has_no_poison_queue_nor_has_a_name_too_long() -> None:
    assert poison_name("documents") == "documents-poison"
    assert poison_name("documents-poison") is None
    assert poison_name("q" * 56) == "q" * 56 + "-poison"
    assert poison_name("q" * 57) is None


@given(st.binary())
def test_a_body_is_text_where_it_can_be(body: bytes) -> None:
    data = text_or_bytes(body)
    assert (data.value if data.kind == "bytes" else data.value.encode()) == body


@pytest.mark.parametrize(
    ("data", "bodies"),
    [
        (Data("string", "plain"), ["plain"]),
        (Data("string", ' {"a":1} '), ['{\n  "a": 1\n}']),
        (Data("string", '["a", "b"]'), ["a", "b"]),
        (Data("string", "[]"), []),
        (Data("string", "{no json}"), ["{no json}"]),
        (Data("string", '"a"'), ['"a"']),
        (Data("json", json.dumps(['{"a":1}', "[1]"])), ['{"a":1}', "[1]"]),
        (Data("bytes", b'{"a":1}'), ['{"a":1}']),
    ],
)
def test_an_output_becomes_its_messages(data: Data, bodies: list[str]) -> None:
    assert messages(data) == [body.encode() for body in bodies]


def http(name: str, route: str | None, *methods: str) -> Route:
    trigger = {"type": "httpTrigger", "name": "req", "methods": list(methods)} | ({"route": route} if route else {})
    return route_of(Function(name, trigger, ()))


ROUTES = [
    http("one", "items/{id:int}"),
    http("any", "items/{id}", "GET"),
    http("new", "items/new"),
    http("files", "files/{*path}"),
    http("Plain", None),
]


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("GET", "/items/7", "one", {"id": "7"}),
        ("GET", "/items/x%2Fy", "any", {"id": "x/y"}),
        ("GET", "/items/new", "new", {}),
        ("GET", "/Items/New/", "new", {}),
        ("GET", "/files/a/b.txt", "files", {"path": "a/b.txt"}),
        ("GET", "/files", "files", {}),
        ("GET", "/plain", "Plain", {}),
    ],
)
def test_a_path_finds_its_function(method: str, path: str, name: str, parameters: dict[str, str]) -> None:
    found = find(ROUTES, method, path)
    assert found is not None
    assert (found[0].name, found[1]) == (name, parameters)


@pytest.mark.parametrize(("method", "path"), [("POST", "/items/x"), ("GET", "/items"), ("GET", "/items/7/8")])
def test_a_path_or_method_of_nobody_finds_nothing(method: str, path: str) -> None:
    assert find(ROUTES, method, path) is None


def test_an_unknown_route_constraint_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="constraint 'range'"):
        http("f", "{a:range}")


@pytest.mark.parametrize(
    ("text", "value"), [("00:00:00", 0), ("00:00:00.100", 0.1), ("01:02:03", 3723), ("1.00:00:01", 86401)]
)
def test_a_time_is_read_in_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["30", "00:10", "-00:00:01", "1:2:3"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        seconds(text)


def test_an_empty_host_json_means_the_real_defaults(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    options = read_host_json(tmp_path)
    assert options == HostOptions()
    queues = options.queues
    assert (queues.batch_size, queues.max_dequeue_count, queues.visibility_timeout) == (16, 5, 0)
    assert (queues.max_polling_interval, queues.base64) == (60, True)


def test_an_unbounded_function_timeout_is_none(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0", "functionTimeout": "-1"}')
    assert read_host_json(tmp_path).function_timeout is None


def test_a_folder_without_host_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no host\.json"):
        read_host_json(tmp_path)


def test_names_between_percent_signs_resolve_from_the_settings() -> None:
    assert resolve("a-%X%-%Y_1%", {"X": "1", "Y_1": "2"}) == "a-1-2"
    assert resolve("100 % sure % of it", {}) == "100 % sure % of it"


def test_a_connection_is_the_setting_or_the_prefixed_one() -> None:
    assert connection_string("X", {"X": "plain"}) == "plain"
    assert connection_string("X", {"X": "plain", "AzureWebJobsX": "prefixed"}) == "prefixed"
    assert connection_string("", {"AzureWebJobsStorage": "own"}) == "own"


def test_an_identity_based_connection_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="identity-based"):
        connection_string("X", {"X__queueServiceUri": "https://x"})


@pytest.mark.parametrize(
    "text", ['{"IsEncrypted": false, "Values": {"A": "1", "B": "x=y"}}', "# comment\n\nA=1\n B = x=y\n"]
)
def test_settings_are_read_from_either_form_of_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings").write_text(text)
    assert read_settings(tmp_path / "settings") == {"A": "1", "B": "x=y"}


def test_a_binding_this_host_does_not_know_is_refused() -> None:
    blob = json.dumps({"type": "blobTrigger", "name": "b", "direction": "IN"})
    with pytest.raises(ConfigurationError, match="blobTrigger"):
        function_from("f", [blob])


def test_the_cookies_of_an_answer_become_headers() -> None:
    cookie = protos.RpcHttpCookie(
        name="a",
        value="1",
        domain=None,
        path=protos.NullableString(value="/"),
        expires=None,
        secure=protos.NullableBool(value=True),
        http_only=protos.NullableBool(value=True),
        same_site=2,
        max_age=protos.NullableDouble(value=60.0),
    )
    answer = protos.RpcHttp(status_code="200", headers={"x": "y"}, cookies=[cookie], body=protos.TypedData(bytes=b"ok"))
    data = from_typed_data(protos.TypedData(http=answer))
    assert data is not None
    (first, second) = data.value["headers"]
    assert first == ("x", "y")
    assert second[0] == "Set-Cookie"
    assert set(second[1].split("; ")) == {"a=1", "Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age=60"}

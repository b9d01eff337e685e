"""One HTTP exchange: no redirect, no cookie, bounded answers, and an error that says whether the request may have arrived."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import Ambiguous, ConnectorError, Outage
from connector.remote import http
from connector.remote.http import Answer, AnswerTooLarge, Remote
from tests.sandbox.clock import START, VirtualClock
from tests.sandbox.wire import Exchange, Fault, Handler, InProcess, serve

URL = "https://remote.example/path"


def remote(handler: Handler, *faults: Fault) -> tuple[Remote, Exchange]:
    """A remote system behind this handler, and the exchange that counts its requests."""
    exchange = Exchange(handler)
    exchange.faults = list(faults)
    return Remote("the remote", InProcess(exchange), VirtualClock()), exchange


def ok(request: httpx.Request) -> httpx.Response:
    """A small JSON answer."""
    return httpx.Response(200, json={"method": request.method})


def get(system: Remote, **headers: str) -> Answer:
    """One GET."""
    return system.send("GET", URL, headers=headers, timeout=5.0)


def post(system: Remote) -> Answer:
    """One POST that may change something."""
    return system.send("POST", URL, headers={}, content=b"{}", timeout=5.0, settles_after=30.0)


class Streaming(httpx.BaseTransport):
    """Answers with these chunks; `between` runs before each."""

    def __init__(self, chunks: Iterator[bytes], headers: dict[str, str] | None = None) -> None:
        self._chunks = chunks
        self._headers = headers or {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=self._headers, stream=_Chunks(self._chunks), request=request)


class _Chunks(httpx.SyncByteStream):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


class Failing(httpx.BaseTransport):
    """Fails as told."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def handle_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - the interface's
        raise self._error


def test_an_answer_is_whole_and_its_header_names_are_lower_case() -> None:
    system, exchange = remote(lambda _: httpx.Response(418, headers={"X-Rule": "7"}, content=b"body"))
    answer = get(system)
    assert (answer.status, answer.body) == (418, b"body")
    assert answer.headers["x-rule"] == "7"
    assert exchange.counts["requests"] == 1


def test_a_request_goes_out_as_it_was_given() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    system, _ = remote(handler)
    system.send("POST", f"{URL}?a=b+c", headers={"Authorization": "Bearer t"}, content=b"\x00x", timeout=5.0)
    (request,) = seen
    assert (request.method, str(request.url), request.content) == ("POST", f"{URL}?a=b+c", b"\x00x")
    assert request.headers["authorization"] == "Bearer t"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_never_followed(status: int) -> None:
    system, exchange = remote(lambda _: httpx.Response(status, headers={"Location": "https://evil.example/"}))
    answer = get(system, Authorization="Bearer secret")
    assert answer.status == status
    assert exchange.counts["requests"] == 1


def test_a_cookie_is_never_sent_back() -> None:
    cookies: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers.get("cookie"))
        headers = [("Set-Cookie", "JSESSIONID=1; Path=/"), ("Set-Cookie", "glide_user_route=2; Domain=remote.example")]
        return httpx.Response(200, headers=headers)

    system, _ = remote(handler)
    for _ in range(3):
        get(system)
    assert cookies == [None, None, None]


def test_no_cookie_is_sent_over_a_real_connection_either() -> None:
    cookies: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"Set-Cookie": "JSESSIONID=1; Path=/"})

    with serve(Exchange(handler)) as served, httpx.HTTPTransport() as transport:
        system = Remote("the remote", transport, VirtualClock())
        for _ in range(2):
            system.send("GET", served.url, headers={}, timeout=5.0)
    assert cookies == [None, None]


def test_a_refused_connection_is_an_outage_even_for_a_write() -> None:
    system, _ = remote(ok, Fault("refuse", times=None))
    for call in (get, post):
        with pytest.raises(Outage, match=r"the remote: cannot be reached \(ConnectError\)") as caught:
            call(system)
        assert not isinstance(caught.value, Ambiguous)


@pytest.mark.parametrize("error", [httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full")])
def test_a_request_that_was_never_sent_is_an_outage_even_for_a_write(error: Exception) -> None:
    with pytest.raises(Outage) as caught:
        post(Remote("the remote", Failing(error), VirtualClock()))
    assert not isinstance(caught.value, Ambiguous)


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "cut_body"])
def test_a_lost_answer_to_a_write_is_ambiguous(effect: str) -> None:
    system, _ = remote(ok, Fault(effect))  # type: ignore[arg-type]
    with pytest.raises(Ambiguous, match="the answer was lost") as caught:
        post(system)
    assert caught.value.settles_after == 30.0
    assert caught.value.retry_after == 30.0


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "cut_body"])
def test_a_lost_answer_to_a_read_is_an_outage(effect: str) -> None:
    system, _ = remote(ok, Fault(effect))  # type: ignore[arg-type]
    with pytest.raises(Outage, match="the answer was lost") as caught:
        get(system)
    assert not isinstance(caught.value, Ambiguous)
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("closed"),
    ],
)
def test_a_write_that_may_have_arrived_is_ambiguous(error: Exception) -> None:
    with pytest.raises(Ambiguous, match=type(error).__name__):
        post(Remote("the remote", Failing(error), VirtualClock()))


def test_an_error_holds_no_word_of_the_request() -> None:
    error = httpx.ReadError("Bearer c4n4ry https://user:c4n4ry@remote.example")
    with pytest.raises(Outage) as caught:
        get(Remote("the remote", Failing(error), VirtualClock()), Authorization="Bearer c4n4ry")
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://remote.example:port/", "https://remote.example/\n"])
def test_an_address_that_cannot_be_called_is_an_error_of_this_connector(url: str) -> None:
    system, exchange = remote(ok)
    with pytest.raises(ConnectorError):
        system.send("GET", url, headers={}, timeout=5.0)
    assert exchange.counts["requests"] == 0


def many_chunks(total: int) -> Iterator[bytes]:
    """That many bytes, a mebibyte at a time."""
    for _ in range(total // (1024 * 1024)):
        yield bytes(1024 * 1024)


def test_an_answer_that_is_too_large_is_refused_and_not_read_to_its_end() -> None:
    left = many_chunks(4 * http.MAX_ANSWER_BYTES)
    with pytest.raises(AnswerTooLarge):
        get(Remote("the remote", Streaming(left), VirtualClock()))
    assert sum(1 for _ in left) >= 2 * http.MAX_ANSWER_BYTES // (1024 * 1024)


def test_an_answer_of_the_largest_size_is_taken() -> None:
    answer = get(Remote("the remote", Streaming(many_chunks(http.MAX_ANSWER_BYTES)), VirtualClock()))
    assert len(answer.body) == http.MAX_ANSWER_BYTES


def test_an_answer_that_unpacks_to_too_much_is_refused() -> None:
    packed = gzip.compress(bytes(2 * http.MAX_ANSWER_BYTES), compresslevel=1)
    parts = (packed[start : start + 65536] for start in range(0, len(packed), 65536))
    with pytest.raises(AnswerTooLarge):
        get(Remote("the remote", Streaming(parts, {"Content-Encoding": "gzip"}), VirtualClock()))


def test_a_write_whose_answer_is_too_large_may_have_taken_effect() -> None:
    with pytest.raises(Ambiguous):
        post(Remote("the remote", Streaming(many_chunks(2 * http.MAX_ANSWER_BYTES)), VirtualClock()))


def test_an_answer_that_does_not_unpack_is_lost() -> None:
    broken = Streaming(iter([b"no gzip at all"]), {"Content-Encoding": "gzip"})
    with pytest.raises(Ambiguous, match="DecodingError"):
        post(Remote("the remote", broken, VirtualClock()))


def test_an_answer_that_drips_ends_with_the_timeout() -> None:
    # Each read may take as long as the timeout, so without an end of its own a request could outlive a claim.
    clock = VirtualClock()

    def drip() -> Iterator[bytes]:
        for _ in range(1000):
            clock.advance(4.0)
            yield b"x"

    with pytest.raises(Ambiguous):
        post(Remote("the remote", Streaming(drip()), clock))
    assert clock.monotonic() <= 60.0


@pytest.mark.parametrize(
    ("kind", "is_json"),
    [
        ("application/json", True),
        ("application/json;charset=UTF-8", True),
        ("Application/JSON; odata.metadata=minimal", True),
        ("text/html", False),
        ("text/html; application/json", False),
        ("", False),
        (None, False),
    ],
)
def test_an_answer_is_json_when_it_says_so(kind: str | None, is_json: bool) -> None:
    assert Answer(200, {} if kind is None else {"content-type": kind}, b"{}").is_json is is_json


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1000000000"}, 1e9),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "abc"}, None),
        ({"retry-after": ""}, None),
        # Relative to the clock that wrote it, wherever this machine's clock stands.
        ({"retry-after": "Wed, 15 Jul 2026 12:00:30 GMT", "date": "Wed, 15 Jul 2026 12:00:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 15 Jul 2026 11:59:00 GMT", "date": "Wed, 15 Jul 2026 12:00:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 15 Jul 2026 12:00:30 GMT", "date": "Wed, 15 Jul 2026 12:00:00 -0000"}, 30.0),
        ({"retry-after": "Wed Jul 15 12:00:30 2026", "date": "Wed, 15 Jul 2026 12:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": "Fri, 31 Dec 9999 23:59:00 GMT"}, 59.0),
    ],
)
def test_a_retry_after_is_told_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    system, _ = remote(ok)
    assert system.retry_after(Answer(429, headers, b"")) == seconds


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_without_a_date_of_the_server_a_retry_after_counts_from_our_clock(date: str | None) -> None:
    system, _ = remote(ok)
    later = (START + timedelta(seconds=45)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"retry-after": later} | ({} if date is None else {"date": date})
    assert system.retry_after(Answer(503, headers, b"")) == 45.0


@settings(deadline=None)
@given(st.text(max_size=60), st.none() | st.text(max_size=40) | st.datetimes().map(datetime.isoformat))
def test_no_header_makes_a_retry_after_fail(value: str, date: str | None) -> None:
    system, _ = remote(ok)
    headers = {"retry-after": value} | ({} if date is None else {"date": date})
    told = system.retry_after(Answer(429, headers, b""))
    assert told is None or told >= 0

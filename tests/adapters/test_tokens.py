"""Tokens: one fetch for all threads, replaced early, two secrets during a rotation, and nothing secret in an error."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import Outage, Refused
from connector.remote.http import Remote
from connector.remote.tokens import PAUSE_AFTER_REFUSAL, Credential, TokenProvider, refresh_margin
from tests.sandbox.clock import VirtualClock
from tests.sandbox.wire import Exchange, Fault, InProcess

URL = "https://login.example/token"
CANARY = "c4n4ry-5ecret"


class Issuer:
    """A token endpoint: knows which secrets are good, numbers its tokens, answers as told."""

    def __init__(self, good: Sequence[str] = ("first",), lifetime: Any = 3599) -> None:
        self.good = set(good)
        self.lifetime = lifetime
        self.asked: list[str] = []
        self.status = 401
        self.refusal: Any = {
            "error": "invalid_client",
            "error_description": f"AADSTS7000222: the secret {CANARY} has expired",
            "error_codes": [7000222],
        }
        self.answer: httpx.Response | None = None
        self.forms: list[Mapping[str, list[str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content.decode())
        self.forms.append(form)
        secret = form["client_secret"][0]
        self.asked.append(secret)
        if self.answer is not None:
            return self.answer
        if secret not in self.good:
            return httpx.Response(self.status, json=self.refusal)
        body = {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer", "expires_in": self.lifetime}
        return httpx.Response(200, json=body)


def secrets(*texts: str) -> list[Callable[[], Credential]]:
    """One credential a text."""

    def credential(text: str) -> Callable[[], Credential]:
        return lambda: {"client_secret": text}

    return [credential(text) for text in texts]


class Setting:
    """A provider in front of an issuer, with a clock to move."""

    def __init__(self, issuer: Callable[[httpx.Request], httpx.Response], *texts: str) -> None:
        self.clock = VirtualClock()
        self.exchange = Exchange(issuer)
        remote = Remote("the issuer", InProcess(self.exchange), self.clock)
        form = {"grant_type": "client_credentials", "client_id": "id", "scope": "https://api.example/.default"}
        self.provider = TokenProvider(remote, URL, form, secrets(*(texts or ("first",))), self.clock)


def test_a_token_is_asked_for_with_the_client_credentials() -> None:
    issuer = Issuer(good=["a secret+&="])
    setting = Setting(issuer, "a secret+&=")
    assert setting.provider.token() == "token-1"
    assert issuer.forms == [
        {
            "grant_type": ["client_credentials"],
            "client_id": ["id"],
            "scope": ["https://api.example/.default"],
            "client_secret": ["a secret+&="],
        }
    ]


def test_a_token_is_used_again_until_it_is_stale() -> None:
    issuer = Issuer(lifetime=3600)
    setting = Setting(issuer)
    tokens = []
    for _ in range(7):
        tokens.append(setting.provider.token())
        setting.clock.advance(599.0)
    # Five minutes before its end, at 3300 s, it is replaced.
    assert tokens == ["token-1"] * 6 + ["token-2"]


def test_a_half_hour_token_is_replaced_before_its_half_hour() -> None:
    setting = Setting(Issuer(lifetime=1800))
    assert setting.provider.token() == "token-1"
    setting.clock.advance(26 * 60)
    assert setting.provider.token() == "token-1"
    setting.clock.advance(3 * 60)
    assert setting.provider.token() == "token-2"


@settings(deadline=None)
@given(st.floats(0.5, 200_000))
def test_the_margin_is_a_tenth_but_at_most_five_minutes(lifetime: float) -> None:
    assert 0 < refresh_margin(lifetime) <= 300
    assert refresh_margin(lifetime) == pytest.approx(min(300, lifetime / 10))


@settings(deadline=None)
@given(st.integers(1, 200_000), st.lists(st.floats(0, 5000), max_size=20))
def test_no_token_is_handed_out_within_its_margin(lifetime: int, steps: list[float]) -> None:
    issued: dict[str, float] = {}
    issuer = Issuer(lifetime=lifetime)
    setting = Setting(issuer)
    for step in [0.0, *steps]:
        setting.clock.advance(step)
        token = setting.provider.token()
        now = setting.clock.monotonic()
        issued.setdefault(token, now)
        assert now - issued[token] <= lifetime - refresh_margin(lifetime) + 1e-6
    assert len(issuer.asked) == len(issued)


@pytest.mark.parametrize("lifetime", [4043, "4043", 4043.0, "4043.5"])
def test_a_lifetime_is_a_number_or_text(lifetime: Any) -> None:
    setting = Setting(Issuer(lifetime=lifetime))
    assert setting.provider.token() == "token-1"
    setting.clock.advance(3740)
    assert setting.provider.token() == "token-1"
    setting.clock.advance(10)
    assert setting.provider.token() == "token-2"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>Your instance is hibernating</html>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"access_token": "t"}),
        httpx.Response(200, json={"expires_in": 3600}),
        httpx.Response(200, json={"access_token": "", "expires_in": 3600}),
        httpx.Response(200, json={"access_token": 7, "expires_in": 3600}),
        httpx.Response(200, json={"access_token": None, "expires_in": 3600}),
        httpx.Response(200, json={"access_token": "t", "expires_in": "soon"}),
        httpx.Response(200, json={"access_token": "t", "expires_in": None}),
        httpx.Response(200, json={"access_token": "t", "expires_in": -1}),
        httpx.Response(200, json={"access_token": "t", "expires_in": "nan"}),
        httpx.Response(200, json={"access_token": "t", "expires_in": "inf"}),
        httpx.Response(200, content=b'{"access_token":"t","expires_in":1' + b"0" * 400 + b"}"),
        httpx.Response(200, json={"access_token": "two\r\nlines", "expires_in": 3600}),
        httpx.Response(200, content=b"[" * 100_000),
    ],
    ids=lambda answer: answer.content[:60].decode() or "empty",
)
def test_an_answer_without_a_token_is_an_outage(answer: httpx.Response) -> None:
    issuer = Issuer()
    issuer.answer = answer
    setting = Setting(issuer)
    with pytest.raises(Outage, match="answered without a token") as caught:
        setting.provider.token()
    assert not isinstance(caught.value, Refused)
    issuer.answer = None
    assert setting.provider.token() == "token-2"


@pytest.mark.parametrize("status", [302, 404, 408, 429, 500, 502, 503])
def test_another_status_is_an_outage_and_the_other_secret_is_not_tried(status: int) -> None:
    issuer = Issuer()
    issuer.answer = httpx.Response(status, headers={"Retry-After": "17"}, text=CANARY)
    setting = Setting(issuer, "first", "second")
    with pytest.raises(Outage, match=str(status)) as caught:
        setting.provider.token()
    assert not isinstance(caught.value, Refused)
    assert caught.value.retry_after == 17
    assert CANARY not in str(caught.value)
    assert issuer.asked == ["first"]


def test_an_endpoint_that_cannot_be_reached_is_an_outage_that_is_tried_again() -> None:
    setting = Setting(Issuer())
    setting.exchange.faults = [Fault("refuse"), Fault("reset_before")]
    for _ in range(2):
        with pytest.raises(Outage):
            setting.provider.token()
    assert setting.provider.token() == "token-1"


def test_the_next_secret_is_tried_when_the_first_is_refused_and_remembered() -> None:
    issuer = Issuer(good=["second"])
    setting = Setting(issuer, "first", "second")
    assert setting.provider.token() == "token-2"
    setting.clock.advance(3600)
    assert setting.provider.token() == "token-3"
    assert issuer.asked == ["first", "second", "second"]


def test_a_secret_may_be_rotated_and_rotated_back_without_an_outage() -> None:
    issuer = Issuer(good=["first"])
    setting = Setting(issuer, "first", "second")
    for good in ("first", "second", "first"):
        issuer.good = {good}
        setting.clock.advance(3600)
        assert setting.provider.token()
    assert issuer.asked == ["first", "first", "second", "second", "first"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_client_that_no_secret_opens_is_refused(status: int) -> None:
    issuer = Issuer(good=[])
    issuer.status = status
    setting = Setting(issuer, "first", "second")
    with pytest.raises(Refused, match="refused the client"):
        setting.provider.token()
    assert issuer.asked == ["first", "second"]


def test_a_refused_client_is_left_alone_for_a_minute() -> None:
    issuer = Issuer(good=[])
    setting = Setting(issuer)
    for _ in range(50):
        with pytest.raises(Refused):
            setting.provider.token()
        setting.clock.advance(1.0)
    assert len(issuer.asked) == 1
    assert PAUSE_AFTER_REFUSAL == 60
    setting.clock.advance(10.0)
    issuer.good = {"first"}
    assert setting.provider.token() == "token-2"
    setting.clock.advance(3600)
    assert setting.provider.token() == "token-3"


def test_each_refusal_is_an_error_of_its_own() -> None:
    # One exception object raised in several threads would gather all their tracebacks, and keep what they hold alive.
    setting = Setting(Issuer(good=[]))
    caught = []
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            setting.provider.token()
        caught.append(refused.value)
    assert len({id(error) for error in caught}) == 3


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ({"error": "invalid_client", "error_description": CANARY, "error_codes": [7000222]}, "AADSTS7000222"),
        ({"error": "invalid_client", "error_description": CANARY}, "invalid_client"),
        ({"error": "server_error", "error_description": "access_denied " + CANARY}, "server_error"),
        ({"error": "unauthorized_client", "error_codes": [700016, 1, 2, 3, CANARY]}, "AADSTS700016"),
        ({"error_description": CANARY}, "status 401"),
        ({"error": "invalid_client", "error_codes": [CANARY]}, "status 401"),
        ([CANARY], "status 401"),
        (CANARY, "status 401"),
    ],
)
def test_a_refusal_says_the_error_word_and_not_the_description(refusal: Any, said: str) -> None:
    issuer = Issuer(good=[])
    issuer.refusal = refusal
    with pytest.raises(Refused) as caught:
        Setting(issuer, CANARY + "-2").provider.token()
    assert said in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000])
def test_a_refusal_without_json_says_its_status(body: bytes) -> None:
    issuer = Issuer()
    issuer.answer = httpx.Response(401, content=body)
    with pytest.raises(Refused, match="status 401"):
        Setting(issuer).provider.token()


def test_ten_threads_cause_one_fetch() -> None:
    issuer = Issuer()
    gate = threading.Barrier(10)

    def slow(request: httpx.Request) -> httpx.Response:
        time.sleep(0.05)
        return issuer(request)

    setting = Setting(slow)
    tokens: list[str] = []

    def ask() -> None:
        gate.wait(5)
        tokens.append(setting.provider.token())

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert tokens == ["token-1"] * 10
    assert len(issuer.asked) == 1


def test_a_token_the_api_refused_is_replaced_once() -> None:
    issuer = Issuer()
    setting = Setting(issuer)
    first = setting.provider.token()
    setting.provider.reject(first)
    second = setting.provider.token()
    # A thread that still held the old token comes late: the new one must stay.
    setting.provider.reject(first)
    assert setting.provider.token() == second
    assert len(issuer.asked) == 2


def test_rejecting_without_a_token_does_nothing() -> None:
    setting = Setting(Issuer())
    setting.provider.reject("unknown")
    assert setting.provider.token() == "token-1"


def test_a_credential_is_made_anew_for_each_fetch() -> None:
    made: list[str] = []

    def assertion() -> Credential:
        made.append(f"assertion-{len(made) + 1}")
        return {"client_secret": made[-1]}

    clock = VirtualClock()
    issuer = Issuer(good=["assertion-1", "assertion-2"])
    provider = TokenProvider(Remote("the issuer", InProcess(Exchange(issuer)), clock), URL, {}, [assertion], clock)
    provider.token()
    clock.advance(3600)
    provider.token()
    assert issuer.asked == ["assertion-1", "assertion-2"]


def test_an_issuer_that_hands_out_the_same_token_until_it_ends_never_causes_an_outage() -> None:
    """ServiceNow answers a request for a token with the living one and the whole seconds it has left, down to none."""
    asked = 0
    clock = VirtualClock()

    def issuer(request: httpx.Request) -> httpx.Response:  # noqa: ARG001 - the interface's
        nonlocal asked
        asked += 1
        number, age = divmod(clock.monotonic(), 1800.0)
        return httpx.Response(200, json={"access_token": f"token-{number:.0f}", "expires_in": int(1800.0 - age)})

    provider = TokenProvider(Remote("the issuer", InProcess(Exchange(issuer)), clock), URL, {}, secrets("s"), clock)
    hours = 2
    for _ in range(hours * 3600 * 4):
        # In the token's last moments the API may refuse it already; that costs one more try, never an outage.
        assert json.dumps(provider.token()).startswith('"token-')
        clock.advance(0.25)
    assert asked <= hours * 2 * 12

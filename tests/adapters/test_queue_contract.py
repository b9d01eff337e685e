"""The contract of `QueueStore` and of the host's side: every case runs on the in-memory store and on the emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.errors import SettingsFault
from connector.storage.ports import Sent
from tests.adapters.storage_bench import Bench, emulated, memory
from tests.sandbox.storage import ReceiptMismatch

WEEK = 7 * 24 * 3600


@pytest.fixture(params=["memory", pytest.param("azurite", marks=pytest.mark.azurite)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "memory":
        yield memory()
        return
    with emulated(request.getfixturevalue("azurite").connection_string) as ready:
        yield ready


def seen(bench: Bench) -> list[str]:
    return sorted(message.text for message in bench.consumer.peek(bench.queue))


@pytest.mark.parametrize("text", ["", "plain", '{"a": "ü € 😀 \\u0000"}\n\t\0', "x" * 49_152])
def test_a_text_comes_out_as_it_went_in(bench: Bench, text: str) -> None:
    sent = bench.queues.send(bench.queue, text)
    (message,) = bench.consumer.receive(bench.queue)
    assert message.text == text
    assert message.message_id == sent.message_id
    assert message.dequeue_count == 1


def test_a_message_never_expires(bench: Bench) -> None:
    bench.queues.send(bench.queue, "x")
    (message,) = bench.consumer.receive(bench.queue)
    assert message.expires_at is None or message.expires_at.year == 9999


def test_a_message_over_64_kib_of_base64_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="64|65"):
        bench.queues.send(bench.queue, "x" * 49_153)
    assert bench.queues.count(bench.queue) == 0


@pytest.mark.parametrize("delay", [-1, WEEK + 1])
def test_a_delay_is_at_most_seven_days(bench: Bench, delay: float) -> None:
    with pytest.raises(ValueError, match=str(delay)):
        bench.queues.send(bench.queue, "x", delay_seconds=delay)
    bench.queues.send(bench.queue, "x", delay_seconds=WEEK)
    assert bench.queues.count(bench.queue) == 1
    assert seen(bench) == []


def test_a_delayed_message_is_counted_at_once_and_seen_later(bench: Bench) -> None:
    bench.queues.send(bench.queue, "now")
    bench.queues.send(bench.queue, "later", delay_seconds=0.3)
    assert bench.queues.count(bench.queue) == 2
    assert seen(bench) == ["now"]
    bench.pass_time(2)
    assert seen(bench) == ["later", "now"]


def test_a_delayed_message_can_be_deleted_by_who_sent_it(bench: Bench) -> None:
    sent = bench.queues.send(bench.queue, "x", delay_seconds=600)
    assert bench.queues.delete(bench.queue, sent)
    assert not bench.queues.delete(bench.queue, sent)
    assert bench.queues.count(bench.queue) == 0


def test_deleting_names_exactly_one_message(bench: Bench) -> None:
    first = bench.queues.send(bench.queue, "first")
    second = bench.queues.send(bench.queue, "second")
    assert not bench.queues.delete(bench.queue, Sent(first.message_id, second.pop_receipt + "x"))
    assert bench.queues.delete(bench.queue, first)
    assert seen(bench) == ["second"]
    with pytest.raises(ValueError, match="receipt"):
        bench.queues.delete(bench.queue, Sent(second.message_id, ""))


def test_a_message_that_was_taken_is_not_deleted_by_its_sender(bench: Bench) -> None:
    sent = bench.queues.send(bench.queue, "x")
    (taken,) = bench.consumer.receive(bench.queue)
    assert not bench.queues.delete(bench.queue, sent)
    assert bench.queues.count(bench.queue) == 1
    assert bench.queues.delete(bench.queue, taken.sent)
    assert bench.queues.count(bench.queue) == 0


def test_peeking_takes_nothing(bench: Bench) -> None:
    bench.queues.send(bench.queue, "x")
    assert seen(bench) == seen(bench) == ["x"]
    (peeked,) = bench.consumer.peek(bench.queue)
    assert (peeked.pop_receipt, peeked.dequeue_count) == ("", 0)
    (taken,) = bench.consumer.receive(bench.queue)
    assert taken.dequeue_count == 1


def test_a_taken_message_comes_back_after_its_lease_with_a_new_receipt(bench: Bench) -> None:
    bench.queues.send(bench.queue, "x")
    (first,) = bench.consumer.receive(bench.queue, visibility_seconds=1)
    assert bench.consumer.receive(bench.queue) == []
    assert seen(bench) == []
    bench.pass_time(1)
    (second,) = bench.consumer.receive(bench.queue, visibility_seconds=30)
    assert second.message_id == first.message_id
    assert second.dequeue_count == 2
    assert second.inserted_at == first.inserted_at
    assert not bench.queues.delete(bench.queue, first.sent)
    with pytest.raises(ReceiptMismatch):
        bench.consumer.update(bench.queue, first, 0)
    assert bench.queues.delete(bench.queue, second.sent)


def test_an_ended_lease_still_deletes_while_nobody_else_took_the_message(bench: Bench) -> None:
    bench.queues.send(bench.queue, "x")
    (taken,) = bench.consumer.receive(bench.queue, visibility_seconds=1)
    bench.pass_time(1)
    assert bench.queues.delete(bench.queue, taken.sent)


def test_an_update_moves_the_lease_and_replaces_the_receipt(bench: Bench) -> None:
    bench.queues.send(bench.queue, "x")
    (taken,) = bench.consumer.receive(bench.queue, visibility_seconds=1)
    held = bench.consumer.update(bench.queue, taken, 30)
    bench.pass_time(1)
    assert bench.consumer.receive(bench.queue) == []
    assert not bench.queues.delete(bench.queue, taken.sent)
    bench.consumer.update(bench.queue, held, 0)
    (again,) = bench.consumer.receive(bench.queue)
    assert (again.text, again.dequeue_count) == ("x", 2)
    bench.queues.delete(bench.queue, again.sent)
    with pytest.raises(ReceiptMismatch):
        bench.consumer.update(bench.queue, again, 5)


def test_a_receive_takes_at_most_what_was_asked(bench: Bench) -> None:
    for number in range(5):
        bench.queues.send(bench.queue, str(number))
    first = bench.consumer.receive(bench.queue, 3)
    rest = bench.consumer.receive(bench.queue, 32)
    assert (len(first), len(rest)) == (3, 2)
    assert sorted(message.text for message in first + rest) == ["0", "1", "2", "3", "4"]
    assert bench.queues.count(bench.queue) == 5


def test_ensure_can_be_repeated_and_keeps_the_messages(bench: Bench) -> None:
    bench.queues.send(bench.queue, "x")
    bench.queues.ensure(bench.queue)
    assert seen(bench) == ["x"]


def test_a_missing_queue_is_an_error_of_the_set_up_for_every_method(bench: Bench) -> None:
    with pytest.raises(SettingsFault, match="missing"):
        bench.queues.send("missing", "x")
    with pytest.raises(SettingsFault, match="missing"):
        bench.queues.count("missing")
    with pytest.raises(SettingsFault, match="missing"):
        bench.queues.delete("missing", Sent("id", "receipt"))


def test_a_name_that_no_queue_can_have_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="Bad_Name"):
        bench.queues.ensure("Bad_Name")

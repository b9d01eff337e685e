"""A file on its way: in chunks from one system to the other, never whole in memory, never larger than allowed."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from connector.business_central.files import FileReader
from connector.business_central.session import BusinessCentralSession
from connector.errors import Ambiguous, Outage
from connector.model.documents import Entity
from connector.model.files import File
from connector.ports import SeededRandomness
from connector.remote.http import Remote
from connector.remote.spool import CHUNK, IN_MEMORY, Spool, TooLarge
from connector.remote.tokens import TokenProvider
from connector.servicenow.attachments import Attachments
from connector.servicenow.authorisation import Basic
from connector.servicenow.session import ServiceNowSession
from tests.flows.pipeline import Pipeline, some
from tests.sandbox.clock import VirtualClock
from tests.sandbox.wire import Exchange, serve

MEGABYTE = 1024 * 1024
SIZE = 30
FILE = File("documentAttachments", str(UUID(int=7)), "large.bin", SIZE * MEGABYTE)
DOCUMENT = str(UUID(int=8))


class Chunks(httpx.SyncByteStream):
    """A body of so many megabytes; `taken` counts those that were asked for, `broken` ends it too early."""

    def __init__(self, megabytes: int, *, broken: bool = False) -> None:
        self.megabytes = megabytes
        self.broken = broken
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self.megabytes):
            self.taken += 1
            yield bytes([number]) * MEGABYTE
            if self.broken:
                raise httpx.ReadError("connection reset by peer")


class BothSystems(httpx.BaseTransport):
    """BC gives the body, ServiceNow takes a file chunk by chunk and keeps its hash."""

    def __init__(self, *bodies: Chunks) -> None:
        self.bodies = list(bodies)
        self.largest = 0
        self.lengths: list[str] = []
        self.digests: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One of the two."""
        if request.url.host == "login.example":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600}, request=request)
        if request.url.host == "bc.example":
            return httpx.Response(200, stream=self.bodies.pop(0), request=request)
        digest, size = hashlib.sha256(), 0
        assert isinstance(request.stream, httpx.SyncByteStream)
        for chunk in request.stream:
            self.largest = max(self.largest, len(chunk))
            digest.update(chunk)
            size += len(chunk)
        self.digests.append(digest.hexdigest())
        self.lengths.append(request.headers["Content-Length"])
        assert "Transfer-Encoding" not in request.headers
        return httpx.Response(201, json={"result": {"size_bytes": str(size)}}, request=request)


def adapters(transport: httpx.BaseTransport) -> tuple[FileReader, Attachments]:
    """Both adapters on this transport."""
    clock, chance = VirtualClock(), SeededRandomness(random.Random(1))
    remote = Remote("Business Central", transport, clock)
    tokens = TokenProvider(remote, "https://login.example/token", {}, [lambda: {"client_secret": "s"}], clock)
    bc = BusinessCentralSession(remote, tokens, "https://bc.example/v2.0/Production/api", clock, chance)
    basic = Basic("user", "password", clock)
    sn = ServiceNowSession(Remote("ServiceNow", transport, clock), basic, "https://sn.example", clock, chance)
    return FileReader(bc, clock, chance), Attachments(sn)


COMPANY = Pipeline(data=some(orders=1, invoices=0)[:1]).settings.companies[0]


def read(reader: FileReader, into: Spool) -> None:
    """The large file."""
    reader.read(COMPANY, Entity.PURCHASE_ORDER, DOCUMENT, FILE, into)


def test_a_file_of_30_megabytes_is_never_whole_in_memory_and_arrives_to_the_byte() -> None:
    there = BothSystems(Chunks(SIZE))
    reader, attachments = adapters(there)
    tracemalloc.start()
    try:
        with Spool(100 * MEGABYTE) as spool:
            read(reader, spool)
            attachments.attach("sn_shop_invoice", "a" * 32, "large.bin", spool)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole = hashlib.sha256(b"".join(bytes([number]) * MEGABYTE for number in range(SIZE)))
    assert there.digests == [whole.hexdigest()]
    assert there.lengths == [str(SIZE * MEGABYTE)]
    assert there.largest <= CHUNK
    assert peak < 6 * MEGABYTE


def test_a_file_that_is_larger_than_allowed_is_not_read_to_its_end() -> None:
    body = Chunks(SIZE)
    reader, _ = adapters(BothSystems(body))
    with Spool(3 * MEGABYTE) as spool, pytest.raises(TooLarge):
        read(reader, spool)
    assert body.taken == 4


def test_a_file_of_the_largest_size_is_taken() -> None:
    reader, _ = adapters(BothSystems(Chunks(3)))
    with Spool(3 * MEGABYTE) as spool:
        read(reader, spool)
        assert spool.size == 3 * MEGABYTE


def test_a_read_that_breaks_off_is_begun_anew_and_leaves_nothing_of_the_first() -> None:
    reader, _ = adapters(BothSystems(Chunks(5, broken=True), Chunks(2)))
    with Spool(4 * MEGABYTE) as spool:
        read(reader, spool)
        assert hashlib.sha256(b"".join(spool)).digest() == hashlib.sha256(b"".join(Chunks(2))).digest()


def test_a_read_that_always_breaks_off_is_an_outage() -> None:
    reader, _ = adapters(BothSystems(*(Chunks(5, broken=True) for _ in range(3))))
    with Spool(10 * MEGABYTE) as spool, pytest.raises(Outage) as caught:
        read(reader, spool)
    assert not isinstance(caught.value, Ambiguous)


def test_a_spool_gives_its_bytes_as_often_as_asked() -> None:
    with Spool(10 * IN_MEMORY) as spool:
        for size in (1, IN_MEMORY, IN_MEMORY):
            spool.write(b"x" * size)
        first, again = b"".join(spool), b"".join(spool)
        assert first == again == b"x" * spool.size
        assert spool.head(3) == b"xxx"
        spool.clear()
        assert (b"".join(spool), spool.size, spool.head(3)) == (b"", 0, b"")
        spool.write(b"new")
        assert b"".join(spool) == b"new"


@pytest.mark.parametrize("size", [1, CHUNK, IN_MEMORY + 1, 3 * MEGABYTE])
def test_a_file_goes_over_a_real_connection_with_its_length(size: int) -> None:
    seen: list[tuple[str | None, bytes]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append((request.headers.get("content-length"), request.content))
        return httpx.Response(201, json={"result": {"size_bytes": str(len(request.content))}})

    clock = VirtualClock()
    with serve(Exchange(handler)) as served, httpx.HTTPTransport() as transport, Spool(size) as spool:
        remote = Remote("ServiceNow", transport, clock)
        session = ServiceNowSession(
            remote, Basic("user", "password", clock), served.url, clock, SeededRandomness(random.Random(1))
        )
        spool.write(b"y" * size)
        Attachments(session).attach("sn_shop_invoice", "a" * 32, "a.bin", spool)
    assert seen == [(str(size), b"y" * size)]

"""The Azure adapters against a storage that fails: what each failure becomes, and that nothing of the SDK gets out."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable, Iterator

import httpx
import pytest
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from connector.errors import ConnectorError, Refused, RowConflict, SettingsFault, StorageUnavailable
from connector.storage.azure_errors import meaning
from connector.storage.azure_queues import AzureQueues
from connector.storage.azure_tables import AzureTables
from connector.storage.ports import Delete, Insert, Replace, Sent, Upsert
from tests.sandbox.processes import free_ports
from tests.sandbox.wire import Effect, Exchange, Fault, serve

KEY = base64.b64encode(b"a key of this test").decode()
ETAG = 'W/"1"'
DATE = {"Date": "Mon, 02 Mar 2026 08:00:00 GMT", "x-ms-version": "2019-02-02"}


class Storage:
    """The adapters on a server that gives the answers it is told to."""

    def __init__(self, url: str, exchange: Exchange) -> None:
        connection = (
            f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey={KEY};"
            f"TableEndpoint={url}/account;QueueEndpoint={url}/account"
        )
        self.exchange = exchange
        self.table_service = TableServiceClient.from_connection_string(connection)
        self.queue_service = QueueServiceClient.from_connection_string(connection)
        self.tables = AzureTables(self.table_service)
        self.queues = AzureQueues(self.queue_service)

    def answers(self, answer: httpx.Response | Callable[[httpx.Request], httpx.Response], *faults: Fault) -> None:
        """This answer, or these, from now on; nothing counted yet."""
        self.exchange.handler = (lambda _: answer) if isinstance(answer, httpx.Response) else answer
        self.exchange.faults = list(faults)
        self.exchange.counts.clear()


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    exchange = Exchange(lambda _: httpx.Response(500))
    with serve(exchange) as server:
        ready = Storage(server.url, exchange)
        with ready.table_service, ready.queue_service:
            yield ready


CALLS: dict[str, Callable[[Storage], object]] = {
    "ensure table": lambda storage: storage.tables.ensure("ledger"),
    "read": lambda storage: storage.tables.read("ledger", "p", "r"),
    "query": lambda storage: list(storage.tables.query("ledger", "p", start="a", stop="b")),
    "insert": lambda storage: storage.tables.write("ledger", "p", [Insert("r", {"n": 1})]),
    "upsert": lambda storage: storage.tables.write("ledger", "p", [Upsert("r", {})]),
    "replace": lambda storage: storage.tables.write("ledger", "p", [Replace("r", {}, ETAG)]),
    "delete row": lambda storage: storage.tables.write("ledger", "p", [Delete("r", ETAG)]),
    "transaction": lambda storage: storage.tables.write("ledger", "p", [Insert("r", {}), Insert("s", {})]),
    "ensure queue": lambda storage: storage.queues.ensure("documents"),
    "send": lambda storage: storage.queues.send("documents", "x"),
    "delete message": lambda storage: storage.queues.delete("documents", Sent("id", "receipt")),
    "count": lambda storage: storage.queues.count("documents"),
}
READS = ("read", "query")
every_call = pytest.mark.parametrize("call", CALLS)


def code(status: int, code: str) -> httpx.Response:
    """An error as both services write it: the code in a header and in the body."""
    body = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": f"{code}.\nsecret detail"}}}
    return httpx.Response(status, json=body, headers={"x-ms-error-code": code, **DATE})


def failure(storage: Storage, answer: httpx.Response, call: str) -> Exception:
    """What the call raises on this answer; fails when it raises nothing or something that is not ours."""
    storage.answers(answer)
    with pytest.raises((ConnectorError, ValueError)) as caught:
        CALLS[call](storage)
    assert not type(caught.value).__module__.startswith("azure")
    return caught.value


@every_call
@pytest.mark.parametrize(
    ("status", "name"),
    [
        (500, "InternalError"),
        (500, "OperationTimedOut"),
        (503, "ServerBusy"),
        (409, "TableBeingDeleted"),
        (409, "QueueBeingDeleted"),
        (404, "AccountIsGone"),
        (429, "TooMany"),
        (408, "Timeout"),
    ],
)
def test_a_passing_failure_is_an_outage(storage: Storage, call: str, status: int, name: str) -> None:
    error = failure(storage, code(status, name), call)
    assert type(error) is StorageUnavailable
    assert str(status) in str(error)
    assert name in str(error)
    assert "secret detail" not in str(error)


@every_call
@pytest.mark.parametrize("content_type", ["text/html", "application/json", "application/xml", ""])
@pytest.mark.parametrize("status", [200, 201, 202, 204, 404, 502])
def test_an_answer_of_somebody_else_is_an_outage(storage: Storage, call: str, status: int, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    page = "" if status == 204 else "<html>Please sign in</html>"
    storage.answers(httpx.Response(status, text=page, headers=headers))
    try:
        CALLS[call](storage)
    except StorageUnavailable:
        return
    # Calls whose success has no body to look at cannot tell.
    assert status in (201, 204)
    assert call in ("ensure table", "ensure queue", "delete message")


@every_call
@pytest.mark.parametrize("effect", ["refuse", "reset_before", "reset_after", "cut_body"])
def test_a_broken_connection_is_an_outage(storage: Storage, call: str, effect: Effect) -> None:
    cut = httpx.Response(500, text="a body long enough to be cut in the middle", headers=DATE)
    storage.answers(cut, Fault(effect, times=None))
    with pytest.raises(StorageUnavailable):
        CALLS[call](storage)


@every_call
def test_a_port_where_nobody_listens_is_an_outage(call: str) -> None:
    (port,) = free_ports(1)
    nobody = Storage(f"http://127.0.0.1:{port}", Exchange(lambda _: httpx.Response(500)))
    with nobody.table_service, nobody.queue_service, pytest.raises(StorageUnavailable):
        CALLS[call](nobody)


@every_call
@pytest.mark.parametrize(
    ("status", "name"),
    [
        (403, "AuthenticationFailed"),
        (403, "AuthorizationFailure"),
        (403, "AuthorizationPermissionMismatch"),
        (403, "KeyBasedAuthenticationNotPermitted"),
        (401, "InvalidAuthenticationInfo"),
        (400, "InvalidAuthenticationInfo"),
        (403, ""),
    ],
)
def test_refused_access_says_what_to_give_or_correct(storage: Storage, call: str, status: int, name: str) -> None:
    error = failure(storage, code(status, name), call)
    assert isinstance(error, Refused)
    for word in (str(status), name, "Storage Table Data Contributor", "Storage Queue Data Contributor"):
        assert word in str(error)


def test_an_identity_without_a_token_is_refused_access() -> None:
    error = meaning(ClientAuthenticationError("ManagedIdentityCredential: no identity assigned"), "table ledger")
    assert isinstance(error, Refused)
    assert "identity" in str(error)


@every_call
def test_a_missing_table_or_queue_is_a_fault_of_the_set_up(storage: Storage, call: str) -> None:
    missing = "QueueNotFound" if call in ("ensure queue", "send", "delete message", "count") else "TableNotFound"
    error = failure(storage, code(404, missing), call)
    assert isinstance(error, SettingsFault)
    assert "ConnectorStorage" in str(error)


@every_call
@pytest.mark.parametrize(("status", "name"), [(400, "EntityTooLarge"), (413, "RequestBodyTooLarge"), (400, "Other")])
def test_a_request_over_a_limit_is_the_callers_mistake(storage: Storage, call: str, status: int, name: str) -> None:
    error = failure(storage, code(status, name), call)
    assert isinstance(error, ValueError)
    assert name in str(error)


@pytest.mark.parametrize("call", ["insert", "replace", "delete row"])
@pytest.mark.parametrize(
    ("status", "name"),
    [(409, "EntityAlreadyExists"), (412, "UpdateConditionNotSatisfied"), (404, "ResourceNotFound")],
)
def test_a_lost_single_write_is_a_conflict_of_operation_0(storage: Storage, call: str, status: int, name: str) -> None:
    error = failure(storage, code(status, name), call)
    assert isinstance(error, RowConflict)
    assert (error.index, error.row) == (0, "r")


def transaction_answer(message: str) -> httpx.Response:
    """A failed entity-group transaction as the service writes it."""
    part = (
        "HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\n\r\n"
        f'{{"odata.error":{{"code":"UpdateConditionNotSatisfied","message":{{"lang":"en-US","value":"{message}"}}}}}}'
    )
    body = (
        "--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n"
        "--changeset_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"{part}\r\n--changeset_1--\r\n--batch_1--\r\n"
    )
    return httpx.Response(202, text=body, headers={"Content-Type": "multipart/mixed; boundary=batch_1", **DATE})


def test_a_lost_transaction_names_the_row_the_service_numbered(storage: Storage) -> None:
    error = failure(storage, transaction_answer("1:The update condition was not satisfied."), "transaction")
    assert isinstance(error, RowConflict)
    assert (error.index, error.row) == (1, "s")


@pytest.mark.parametrize("message", ["The update condition was not satisfied.", "2:No such operation."])
def test_a_lost_transaction_without_a_usable_number_is_an_outage_not_a_guess(storage: Storage, message: str) -> None:
    assert isinstance(failure(storage, transaction_answer(message), "transaction"), StorageUnavailable)


@every_call
@pytest.mark.parametrize("effect", ["answer", "reset_after"])
def test_only_a_broken_read_is_sent_again_and_a_write_never(storage: Storage, call: str, effect: Effect) -> None:
    storage.answers(code(503, "ServerBusy"), Fault(effect, times=None, status=503))
    with pytest.raises(StorageUnavailable):
        CALLS[call](storage)
    assert storage.exchange.counts["requests"] == (3 if call in READS and effect == "reset_after" else 1)


@pytest.mark.parametrize("call", READS)
def test_a_read_that_breaks_once_succeeds(storage: Storage, call: str) -> None:
    row = {"odata.etag": ETAG, "PartitionKey": "p", "RowKey": "r", "Timestamp": "2026-03-02T08:00:00Z"}
    storage.answers(httpx.Response(200, json=row | {"value": []}, headers=DATE), Fault("reset_before"))
    assert CALLS[call](storage) is not None
    assert storage.exchange.counts["requests"] == 2


def test_a_read_without_the_servers_date_is_an_outage(storage: Storage) -> None:
    row = {"odata.etag": ETAG, "PartitionKey": "p", "RowKey": "r", "Timestamp": "2026-03-02T08:00:00Z"}
    storage.answers(httpx.Response(200, json=row))
    with pytest.raises(StorageUnavailable, match="Date"):
        storage.tables.read("ledger", "p", "r")
    storage.answers(httpx.Response(200, json=row, headers=DATE))
    found = storage.tables.read("ledger", "p", "r")
    assert found is not None
    assert found.read_at == found.modified


def test_a_page_without_rows_does_not_end_a_query(storage: Storage) -> None:
    more = {"x-ms-continuation-NextPartitionKey": "p", "x-ms-continuation-NextRowKey": "b"}
    row = {"odata.etag": ETAG, "PartitionKey": "p", "RowKey": "b", "Timestamp": "2026-03-02T08:00:00Z"}

    def answer(request: httpx.Request) -> httpx.Response:
        if "NextRowKey" in request.url.params:
            return httpx.Response(200, json={"value": [row]}, headers=DATE)
        return httpx.Response(200, json={"value": []}, headers=DATE | more)

    storage.answers(answer)
    found = list(storage.tables.query("ledger", "p", start="a", stop="c"))
    assert [entity.row for entity in found] == ["b"]


def test_a_failure_in_a_later_page_is_an_outage_after_the_rows_before_it(storage: Storage) -> None:
    more = {"x-ms-continuation-NextPartitionKey": "p", "x-ms-continuation-NextRowKey": "b"}
    row = {"odata.etag": ETAG, "PartitionKey": "p", "RowKey": "a", "Timestamp": "2026-03-02T08:00:00Z"}

    def answer(request: httpx.Request) -> httpx.Response:
        if "NextRowKey" in request.url.params:
            return code(500, "InternalError")
        return httpx.Response(200, json={"value": [row]}, headers=DATE | more)

    storage.answers(answer)
    rows = storage.tables.query("ledger", "p", start="a", stop="c")
    assert next(rows).row == "a"
    with pytest.raises(StorageUnavailable):
        next(rows)


@every_call
def test_what_the_service_says_is_in_no_traceback(storage: Storage, call: str) -> None:
    error = failure(storage, code(403, "AuthenticationFailed"), call)
    assert "secret detail" not in "".join(traceback.format_exception(error))


def test_a_shared_access_signature_is_in_no_message_and_no_traceback() -> None:
    credential = AzureSasCredential("sv=2026-01-01&sig=SIGNATURE-OF-THIS-TEST")
    service = TableServiceClient("http://127.0.0.1:9/account", credential=credential)
    with service, pytest.raises(StorageUnavailable) as caught:
        AzureTables(service).read("ledger", "p", "r")
    shown = "".join(traceback.format_exception(caught.value))
    assert "SIGNATURE-OF-THIS-TEST" not in shown

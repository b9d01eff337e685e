"""`TableStore` on Azure Table Storage.

One operation goes as a plain request, several as one entity-group transaction. A write is sent once, by a plain rule:
a retried write whose first try had committed would look like a conflict with somebody else. A read is repeated at most
twice when the connection broke, never after an answer; everything longer is the caller's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.data.tables import (
    TableClient,
    TableServiceClient,
    TransactionOperation,
    UpdateMode,
)

from connector.errors import RowConflict, StorageUnavailable
from connector.storage.azure_errors import MISSING_ROW, code_of, typed_errors
from connector.storage.azure_rows import column, literal, to_entity, to_row
from connector.storage.keys import require_legal
from connector.storage.ports import (
    MAX_OPERATIONS,
    Condition,
    Delete,
    Entity,
    Insert,
    Operation,
    Replace,
    Upsert,
)

_PAGE = 1_000
_MAX_CONDITIONS = 11
_LOST = frozenset({"EntityAlreadyExists", "UpdateConditionNotSatisfied", "ConditionNotMet"}) | MISSING_ROW
_ONCE: dict[str, Any] = {"retry_total": 0}
# No retry by status: the SDK would wait out any Retry-After, however long.
_TWICE_MORE: dict[str, Any] = {
    "retry_total": 2,
    "retry_connect": 2,
    "retry_read": 2,
    "retry_status": 0,
    "retry_backoff_factor": 0.3,
}


class AzureTables:
    """Tables of one storage account, reached by the given client."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._clients: dict[str, TableClient] = {}

    def ensure(self, table: str) -> None:
        """Creates the table when it is missing."""
        client = self._client(table)
        with typed_errors(f"table {table}"):
            try:
                client.create_table(**_ONCE)
            except HttpResponseError as error:
                # 409 also says that a table of this name is just being deleted.
                if code_of(error) != "TableAlreadyExists":
                    raise

    def read(self, table: str, partition: str, row: str) -> Entity | None:
        """One row, or None."""
        keys = {"partition_key": require_legal(partition), "row_key": require_legal(row)}
        client, answer = self._client(table), _Answer()
        with typed_errors(f"table {table}"):
            try:
                found = client.get_entity(**keys, raw_response_hook=answer, **_TWICE_MORE)
            except HttpResponseError as error:
                if code_of(error) in MISSING_ROW:
                    return None
                raise
            return to_entity(found, answer.date())

    def query(
        self,
        table: str,
        partition: str,
        *,
        start: str,
        stop: str,
        where: Sequence[Condition] = (),
        limit: int | None = None,
    ) -> Iterator[Entity]:
        """Rows of one partition with start <= row key < stop, in row-key order, at most `limit` of them."""
        if len(where) > _MAX_CONDITIONS:
            raise ValueError(f"a query holds {_MAX_CONDITIONS} conditions, not {len(where)}")
        if limit is not None and limit < 1:
            raise ValueError(f"a query brings at least one row, not {limit}")
        keys = [("PartitionKey", "eq", partition), ("RowKey", "ge", start), ("RowKey", "lt", stop)]
        comparisons = [f"{name} {comparison} {literal(value)}" for name, comparison, value in keys]
        comparisons += [f"{column(check.name)} {check.comparison} {literal(check.value)}" for check in where]
        return self._rows(table, " and ".join(comparisons), limit)

    def _rows(self, table: str, query: str, limit: int | None) -> Iterator[Entity]:
        answer = _Answer()
        with typed_errors(f"table {table}"):
            pages = (
                self._client(table)
                .query_entities(
                    query, results_per_page=min(limit or _PAGE, _PAGE), raw_response_hook=answer, **_TWICE_MORE
                )
                .by_page()
            )
        left = limit
        while left is None or left > 0:
            with typed_errors(f"table {table}"):
                page = next(pages, None)
                if page is None:
                    return
                read_at = answer.date()
                found = [to_entity(row, read_at) for row in page][:left]
            yield from found
            if left is not None:
                left -= len(found)

    def write(self, table: str, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """All operations or none, 1 to 100 of them, each row once; the new ETags in order ("" for a deletion).

        Raises `RowConflict` with the index of the operation that lost; `ValueError` for what storage cannot take (a
        column over 64 KiB, a row over 1 MiB, a transaction over 4 MiB).
        """
        if not 1 <= len(operations) <= MAX_OPERATIONS:
            raise ValueError(f"a transaction has 1 to {MAX_OPERATIONS} operations, not {len(operations)}")
        if len({operation.row for operation in operations}) < len(operations):
            raise ValueError("a row occurs once in a transaction")
        rows = [to_row(partition, operation) for operation in operations]
        client = self._client(table)
        with typed_errors(f"table {table}"):
            try:
                if len(rows) == 1:
                    return [_plain(client, operations[0], rows[0])]
                steps = [_step(operation, row) for operation, row in zip(operations, rows, strict=True)]
                made = client.submit_transaction(steps, **_ONCE)
                return [_etag(operation, each) for operation, each in zip(operations, made, strict=True)]
            except HttpResponseError as error:
                if code_of(error) not in _LOST:
                    raise
                lost = 0 if len(rows) == 1 else _index_in(error)
            if lost is None or lost >= len(operations):
                # Without its number the caller could not take the right row out.
                raise StorageUnavailable(f"table {table}: a transaction lost without a word on which row")
            raise RowConflict(lost, operations[lost].row)

    def _client(self, table: str) -> TableClient:
        client = self._clients.get(table)
        if client is None:
            client = self._clients[table] = self._service.get_table_client(table)
        return client


class _Answer:
    """The last HTTP answer of a call: the SDK tells the Date header of reads and the fate of a deletion only here."""

    def __init__(self) -> None:
        self.response: Any = None

    def __call__(self, exchange: Any) -> None:
        self.response = exchange.http_response

    def date(self) -> datetime:
        """The server's Date; an answer without it, or without the service's version, is somebody else's."""
        headers = self.response.headers
        if not (headers.get("Date") and headers.get("x-ms-version")):
            raise StorageUnavailable("an answer without storage's Date and version")
        return parsedate_to_datetime(headers["Date"]).astimezone(UTC)


def _plain(client: TableClient, operation: Operation, row: dict[str, Any]) -> str:
    match operation:
        case Insert():
            made = client.create_entity(row, response_preference="return-no-content", **_ONCE)
        case Upsert():
            made = client.upsert_entity(row, mode=UpdateMode.REPLACE, **_ONCE)
        case Replace():
            made = client.update_entity(row, UpdateMode.REPLACE, **_match(operation.etag), **_ONCE)
        case Delete():
            answer = _Answer()
            client.delete_entity(row, **_match(operation.etag), raw_response_hook=answer, **_ONCE)
            # The SDK takes 404 for success: the row, or even the table, may not have been there.
            if answer.response.status_code == 404:
                raise HttpResponseError(response=answer.response)
            answer.date()
            made = {}
    return _etag(operation, made)


def _etag(operation: Operation, made: Mapping[str, Any]) -> str:
    if isinstance(operation, Delete):
        return ""
    if not made.get("etag"):
        raise StorageUnavailable("a write was answered without the row's new ETag")
    return str(made["etag"])


def _step(operation: Operation, row: dict[str, Any]) -> tuple[TransactionOperation, dict[str, Any], dict[str, Any]]:
    match operation:
        case Insert():
            return TransactionOperation.CREATE, row, {"response_preference": "return-no-content"}
        case Upsert():
            return TransactionOperation.UPSERT, row, {"mode": UpdateMode.REPLACE}
        case Replace():
            return TransactionOperation.UPDATE, row, {"mode": UpdateMode.REPLACE, **_match(operation.etag)}
        case Delete():
            return TransactionOperation.DELETE, row, _match(operation.etag)


def _match(etag: str) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _index_in(error: HttpResponseError) -> int | None:
    # The service begins the message of a failed transaction with the number of the operation.
    found = re.match(r"(\d+):", error.message)
    return int(found.group(1)) if found else None

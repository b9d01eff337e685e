"""Azure Table and Queue Storage in memory, with the semantics of the real ones: what the fault simulation runs on."""

from tests.sandbox.storage.queues import MemoryQueues, Message, ReceiptMismatch
from tests.sandbox.storage.tables import MemoryTables

__all__ = ["MemoryQueues", "MemoryTables", "Message", "ReceiptMismatch"]

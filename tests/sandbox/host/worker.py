"""The worker process: Microsoft's worker logic at the end of a pipe to the host.

Started by the host as ``python -m tests.sandbox.host.worker FD`` in the app's folder. It ends when told to, in order,
and at once when the pipe ends without a word: then the host is dead and no run may go on.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from tests.sandbox.host.invocation import Indexed, Invocation, Outcome
from tests.sandbox.host.protos import Message, from_typed_data, protos, to_typed_data

# Imported by name: the package carries no type information.
runtime: Any = importlib.import_module("azure_functions_runtime")


def main(descriptor: int) -> None:
    """Serves the host behind the socket `descriptor` until told to end."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s worker %(name)s: %(message)s")
    # The worker's own chatter; the real host keeps it as system logs and does not show it.
    logging.getLogger("azure.functions").setLevel(logging.WARNING)
    runtime.start_threadpool_executor()
    asyncio.run(_serve(Connection(descriptor)))
    runtime.stop_threadpool_executor()


async def _serve(pipe: Connection) -> None:
    arrived: asyncio.Queue[Invocation | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        try:
            while (invocation := pipe.recv()) is not None:
                loop.call_soon_threadsafe(arrived.put_nowait, invocation)
        except (EOFError, OSError):
            os._exit(1)
        loop.call_soon_threadsafe(arrived.put_nowait, None)

    threading.Thread(target=listen, name="pipe", daemon=True).start()
    indexed, ids = await index()
    pipe.send(indexed)
    running: set[asyncio.Task[None]] = set()

    async def run(invocation: Invocation) -> None:
        pipe.send(await _invoke(invocation, ids[invocation.function]))

    while (invocation := await arrived.get()) is not None:
        task = asyncio.create_task(run(invocation))
        running.add(task)
        task.add_done_callback(running.discard)


async def index() -> tuple[Indexed, dict[str, str]]:
    """Lets the worker logic index the app in the current folder; the answer, and each function's id by name."""
    start = Message(capabilities={}, function_app_directory=os.getcwd())
    request = Message(request=Message(worker_init_request=start), properties={"host": "127.0.0.1", "protos": protos})
    answer = await runtime.worker_init_request(request)
    if answer.result.status != protos.StatusResult.Success:
        failure = answer.result.exception
        return Indexed(error=failure.message, stack=failure.stack_trace), {}
    found = (await runtime.functions_metadata_request(Message())).function_metadata_results or []
    functions = tuple((one.name, list(one.raw_bindings)) for one in found)
    return Indexed(functions), {one.name: one.function_id for one in found}


async def _invoke(invocation: Invocation, function_id: str) -> Outcome:
    wire = Message(
        invocation_id=invocation.id,
        function_id=function_id,
        input_data=[
            protos.ParameterBinding(name=name, data=to_typed_data(data)) for name, data in invocation.inputs.items()
        ],
        trigger_metadata={name: to_typed_data(data) for name, data in invocation.metadata.items()},
        trace_context=Message(trace_parent=invocation.trace_parent, trace_state="", attributes={}),
        retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
    )
    answer = await runtime.invocation_request(Message(request=Message(invocation_request=wire)))
    if answer.result.status != protos.StatusResult.Success:
        return Outcome(invocation.id, answer.result.exception.message, answer.result.exception.stack_trace)
    outputs = {one.name: from_typed_data(one.data) for one in answer.output_data}
    written = {name: data for name, data in outputs.items() if data is not None}
    return Outcome(invocation.id, outputs=written, returned=from_typed_data(answer.return_value))


if __name__ == "__main__":
    main(int(sys.argv[1]))

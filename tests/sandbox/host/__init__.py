"""A small local Functions host: runs an unchanged folder (function_app.py, host.json, settings) on the storage emulator.

This is NOT the Azure Functions host. It exists because Microsoft's Core Tools download their programs from outside and a
closed machine cannot. With Core Tools installed, ``func start`` works on the same folder.

Modelled, after the public sources of azure-webjobs-sdk, azure-functions-host and the storage and timer extensions:
- two processes: this host, and a worker running Microsoft's own worker logic (the `azure-functions-runtime` package), so
  that indexing, conversion and invocation are the production code. A dead worker fails its running invocations and is
  restarted; at its third death the host gives up. A run past `functionTimeout` costs the worker its life.
- queue triggers: lease and renewal, retry delay, poison queue, batch size and threshold, idle backoff.
- timer triggers: six- or five-field NCRONTAB in local time, runOnStartup, past-due runs, no overlap. The schedule status
  is kept in files (`--state`), where the real host keeps blobs; without `--state` it is forgotten at the end.
- HTTP triggers under the route prefix, without keys as in ``func start``, and the few /admin routes a developer uses.
- queue outputs of text, bytes and lists of texts, with the parsing of JSON-like texts; `$return` of HTTP functions.
- connection settings "X" and "AzureWebJobsX" holding connection strings; ``%NAME%`` in queue names and schedules;
  ``AzureWebJobs.NAME.Disabled``.

Not modelled: scale controller and several instances (so no blob leases between them), function keys, identity-based
connections, dynamic concurrency, log levels and telemetry of host.json, retry decorators, every other trigger and
binding. A folder that asks for an unknown binding is refused at start; so is a bad schedule or an unresolved setting,
where the real host would start the other functions.
"""

from tests.sandbox.host.running import RunningHost, local_host

__all__ = ["RunningHost", "local_host"]

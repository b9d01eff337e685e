"""A small app for the tests of the local host: it does what its messages say and notes each run in a file.

NOTES (a folder) receives one line a run in the file named like the function, so that a test can count runs even of a
process it killed.
"""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import List  # noqa: UP035 - the worker refuses Out[list[str]]

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def note(name: str, **facts: object) -> None:
    """Appends one line of JSON to the function's notes, with the time and our process id."""
    line = json.dumps({"at": datetime.now(UTC).timestamp(), "pid": os.getpid(), **facts})
    with (Path(os.environ["NOTES"]) / name).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@app.queue_trigger(arg_name="message", queue_name="%WORK_QUEUE%", connection="WorkStorage")
def work(message: func.QueueMessage, context: func.Context) -> None:
    """Does what the body says: fail, or sleep for some seconds, or nothing."""
    raw = message.get_body()
    text = raw.decode("utf-8", "replace")
    note("work", body=raw.hex(), run=message.dequeue_count, trace=context.trace_context.trace_parent)
    if text == "fail":
        raise ValueError("told to fail")
    if text.startswith("sleep "):
        time.sleep(float(text.removeprefix("sleep ")))
        note("slept", body=text)


@app.timer_trigger(arg_name="timer", schedule="%TICK%")
def tick(timer: func.TimerRequest) -> None:
    """Notes its start and end; longer than its own interval."""
    note("tick", event="start", past_due=timer.past_due, status=timer.schedule_status)
    time.sleep(float(os.environ.get("TICK_SECONDS", "0")))
    note("tick", event="end")


@app.route(route="echo/{kind}/{id:int?}", methods=["GET", "POST"])
def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Says what arrived, or fails."""
    if req.route_params["kind"] == "broken":
        raise ValueError("a secret detail")
    seen = {
        "params": dict(req.route_params),
        "query": dict(req.params),
        "agent": req.headers.get("user-agent"),
        "body": req.get_body().decode(),
        "trace": context.trace_context.trace_parent,
    }
    return func.HttpResponse(json.dumps(seen), status_code=201, headers={"X-Kind": req.route_params["kind"]})


@app.route(route="send/{how}", methods=["POST"])
@app.queue_output(arg_name="texts", queue_name="%OUT_QUEUE%", connection="WorkStorage")
@app.queue_output(arg_name="text", queue_name="%OUT_QUEUE%", connection="WorkStorage")
def send(req: func.HttpRequest, texts: func.Out[List[str]], text: func.Out[str]) -> str:  # noqa: UP006
    """Writes its body to the output queue: as one text, or as a list of one text."""
    body = req.get_body().decode()
    if req.route_params["how"] == "list":
        texts.set([body])
    else:
        text.set(body)
    return "sent"

"""The Azure Functions app: triggers only, each a binding and one call. Schedules and queue names are application settings."""

import json

import azure.functions as func

from connector.bootstrap import Application
from connector.errors import ConnectorError
from connector.flows.align import align_all
from connector.flows.daily import daily_all
from connector.flows.deliver import deliver
from connector.flows.detect import poll_all
from connector.flows.health import healthy
from connector.flows.receive import Call, Reply, answer
from connector.flows.renew import renew_all
from connector.flows.rescue import rescue_all
from connector.flows.sweep import sweep_all
from connector.flows.track import track_all
from connector.model.units import message_text

app = func.FunctionApp()
connector = Application()


@app.timer_trigger(arg_name="timer", schedule="%POLL_SCHEDULE%", use_monitor=False)
def poll(timer: func.TimerRequest) -> None:
    """Finds what changed in Business Central and queues it."""
    poll_all(connector.parts)


@app.timer_trigger(arg_name="timer", schedule="%SWEEP_SCHEDULE%", use_monitor=False)
def sweep(timer: func.TimerRequest) -> None:
    """Compares all open documents by content: finds edits that Business Central does not stamp, and what is gone."""
    sweep_all(connector.parts)


@app.timer_trigger(arg_name="timer", schedule="%RESCUE_SCHEDULE%", use_monitor=False)
def rescue(timer: func.TimerRequest) -> None:
    """Sends again what stands still."""
    rescue_all(connector.parts)


@app.timer_trigger(arg_name="timer", schedule="%TRACK_SCHEDULE%", use_monitor=False)
def track(timer: func.TimerRequest) -> None:
    """Finds out how far staged documents have come in ServiceNow."""
    track_all(connector.parts)


@app.timer_trigger(arg_name="timer", schedule="%ALIGN_SCHEDULE%", use_monitor=True)
def align(timer: func.TimerRequest) -> None:
    """Lets cost centres of ServiceNow and dimension values of Business Central know the same."""
    align_all(connector.parts)


@app.timer_trigger(arg_name="timer", schedule="%RENEW_SCHEDULE%", use_monitor=True)
def renew(timer: func.TimerRequest) -> None:
    """Keeps the webhook subscriptions alive. Monitored: an hour that the app was down for is made up for when it starts."""
    renew_all(connector.parts)


@app.timer_trigger(arg_name="timer", schedule="%DAILY_SCHEDULE%", use_monitor=True)
def daily(timer: func.TimerRequest) -> None:
    """Says what is parked and why, and clears away what need not be kept. Monitored, as `renew` is."""
    daily_all(connector.parts)


@app.queue_trigger(arg_name="message", queue_name="%DOCUMENTS_QUEUE%", connection="ConnectorStorage")
def documents(message: func.QueueMessage) -> None:
    """Works one unit of documents into ServiceNow."""
    deliver(connector.parts, message_text(message.get_body()), message.dequeue_count or 1)


@app.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Says whether the app can work, and nothing else."""
    try:
        well = healthy(connector.parts)
    except ConnectorError:
        well = False
    body = json.dumps({"status": "ok" if well else "unavailable"})
    return func.HttpResponse(body, status_code=200 if well else 503, mimetype="application/json")


@app.route(route="bc/{key}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def webhook(req: func.HttpRequest) -> func.HttpResponse:
    """Takes Business Central's handshakes and change notifications."""
    return _response(answer(lambda: connector.parts, _call(req)))


def _call(req: func.HttpRequest) -> Call:
    return Call(
        key=req.route_params.get("key", ""),
        body=req.get_body(),
        token=req.params.get("validationToken"),
        encoding=req.headers.get("Content-Encoding", ""),
    )


def _response(reply: Reply) -> func.HttpResponse:
    return func.HttpResponse(reply.body, status_code=reply.status, headers=reply.headers)

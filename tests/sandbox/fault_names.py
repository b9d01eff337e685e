"""The named faults of both systems: what each does, as data. ``sn.`` is ServiceNow, ``bc.`` Business Central.

Each stands for something clients of these systems report, in the form the vendors' limit, error and status pages give it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.sandbox.servicenow.states import DEVELOPER_SITE, HIBERNATING, HTML, MAINTENANCE
from tests.sandbox.servicenow.time_limits import CANCELLED, DETAIL, READ_DETAIL

JSON_BODY = {"Content-Type": "application/json;charset=UTF-8"}
ODATA_BODY = {"Content-Type": "application/json; odata.metadata=minimal"}
Data = Mapping[str, Any]


@dataclass(frozen=True)
class Named:
    """One named fault: a row of the wire's table, a row of the instance's inner table, switches of the simulator, or what
    befalls a notification on its way to the receiver (`mail`).

    `limit_headers`: the answer carries the headers of a rate rule.
    """

    meaning: str
    wire: Data = field(default_factory=dict)
    inside: Data = field(default_factory=dict)
    switches: Data = field(default_factory=dict)
    mail: Data = field(default_factory=dict)
    limit_headers: bool = False


def _sn_error(message: str, detail: str) -> str:
    return json.dumps({"error": {"message": message, "detail": detail}, "status": "failure"})


def _sn(meaning: str, effect: str, status: int = 200, answer: str = "", /, **more: Any) -> Named:
    return Named(meaning, wire={"effect": effect, "status": status, "answer": answer, "path": "^/api/", **more})


def _sn_page(meaning: str, status: int, answer: str) -> Named:
    return _sn(meaning, "answer", status, answer, headers=HTML)


def _inside(meaning: str, act: str, /, **more: Any) -> Named:
    return Named(meaning, inside={"act": act, "path": "^/api/", **more})


def _bc(meaning: str, effect: str, status: int = 200, /, **more: Any) -> Named:
    return Named(meaning, wire={"effect": effect, "status": status, "path": "/api/", **more})


def _bc_error(meaning: str, status: int, code: str, message: str, /, **more: Any) -> Named:
    correlated = f"{message}  CorrelationId:  7fbe0bac-b30b-4c26-aa52-653622f9cce2."
    body = json.dumps({"error": {"code": code, "message": correlated}}, ensure_ascii=False)
    headers = ODATA_BODY | more.pop("headers", {})
    return _bc(meaning, "answer", status, answer=body, headers=headers, **more)


TRUNCATED_END = "," + json.dumps({"error": {"message": CANCELLED, "detail": READ_DETAIL}, "status": "failure"})[1:]
RATE_ANSWER = _sn_error("Rate limit exceeded", "Rate limit of 1000 requests per hour for Table API exceeded")
UNAUTHENTICATED = _sn_error("User Not Authenticated", "Required to provide Auth information")
DENIED = json.dumps({"error_description": "access_denied", "error": "server_error"})
INSERT_FORBIDDEN = "ACL Exception Insert Failed due to security constraints"
IMPORT, WRITES = {"method": "POST", "path": "^/api/now/(v[12]/)?import/"}, {"method": "POST|PUT|PATCH"}
ITEM = {"path": "^/api/now/"}
REDIRECT, SLOW_SECONDS = "<html><body>Moved</body></html>", 75.0

SERVICENOW: dict[str, Named] = {
    "sn.rate_limited": replace(
        _sn("A rate rule's hour is used up.", "answer", 429, RATE_ANSWER, headers=JSON_BODY), limit_headers=True
    ),
    "sn.semaphore_full": _sn_page(
        "The node's queue is full: a 429 without any header of a rate rule.", 429, "<h1>429</h1>"
    ),
    "sn.dropped_202": _sn("Too many requests wait on the session: empty, and never executed.", "answer", 202),
    "sn.error_before_commit_500": _inside(
        "An exception; nothing was written.", "answer", message="java.lang.Exception"
    ),
    "sn.error_after_commit_500": _inside(
        "A cancelled transaction that has already written.",
        "answer_after",
        message=CANCELLED,
        answer=DETAIL,
        **WRITES,
    ),
    "sn.forbidden_after_commit_403": _inside(
        "An access rule's refusal of an insert that took place.",
        "answer_after",
        status=403,
        answer=INSERT_FORBIDDEN,
        **WRITES,
    ),
    "sn.forbidden_403": _inside(
        "The endpoint's access rule refuses, as after a node switch.",
        "answer",
        status=403,
        message="User Not Authorized",
        answer="Failed API level ACL Validation",
    ),
    "sn.transaction_cancelled_500": _sn(
        "The time limit of the call; nothing was written.",
        "answer",
        500,
        _sn_error(CANCELLED, DETAIL),
        headers=JSON_BODY,
    ),
    "sn.truncated_200": _sn(
        "A list cut off by the time limit, the error behind it.", "truncate", 200, TRUNCATED_END, method="GET"
    ),
    "sn.hibernating": _sn_page("A developer instance sleeps: HTML with status 200.", 200, HIBERNATING),
    "sn.hibernating_redirect": _sn(
        "A developer instance sleeps: off to the vendor's site.", "answer", 302, headers={"Location": DEVELOPER_SITE}
    ),
    "sn.maintenance_503": _sn_page("The instance is being upgraded.", 503, MAINTENANCE),
    "sn.maintenance_200": _sn_page("The instance is being upgraded, and says so with status 200.", 200, MAINTENANCE),
    "sn.bad_gateway_502": _sn_page("The node is down.", 502, "<h1>502 Bad Gateway</h1>"),
    "sn.login_redirect": _sn(
        "A stale session leads to the login page.", "answer", 302, REDIRECT, headers={**HTML, "Location": "/login.do"}
    ),
    "sn.slow_beyond_limit": _sn("The true answer comes after any sensible time-out.", "slow", delay=SLOW_SECONDS),
    "sn.refused": _sn("No connection comes about.", "refuse"),
    "sn.reset_before": _sn("The connection is reset before the instance acted.", "reset_before"),
    "sn.reset_after": _sn("The connection is reset after the instance acted.", "reset_after"),
    "sn.cut_body": _sn("The connection ends in the middle of the answer.", "cut_body"),
    "sn.token_expired": _sn(
        "The bearer token is no longer accepted.", "answer", 401, UNAUTHENTICATED, headers=JSON_BODY
    ),
    "sn.token_refused": _sn("No token is given out.", "answer", 401, DENIED, headers=JSON_BODY, path="^/oauth_token"),
    "sn.import_error": _inside(
        "The row's transform fails, with status 201.", "import_error", answer="Transform script error", **IMPORT
    ),
    "sn.line_before_order": _inside(
        "A line's parent is not there yet.",
        "import_error",
        method="POST",
        path="^/api/now/(v[12]/)?import/.*_line",
        answer="Row rejected: Purchase order matches no record of sn_shop_purchase_order by erp_number",
    ),
    "sn.import_empty_result": _inside("Staged and not transformed, with nothing said.", "import_empty", **IMPORT),
    "sn.import_asynchronous": _inside(
        "Staged for later: the result names the staging table.", "import_asynchronous", **IMPORT
    ),
    "sn.batch_unserviced": _inside("The batch's time runs out before this item.", "unserviced", **ITEM),
    "sn.batch_unserviced_committed": _inside(
        "The batch's time runs out in this item, which took effect.", "unserviced_committed", **ITEM
    ),
    "sn.acl_short_page": _inside("A page lacks rows that access rules hide.", "drop_rows", method="GET", count=1),
    "sn.acl_empty_page": _inside("Access rules hide every row of a page.", "drop_rows", method="GET"),
    "sn.field_stripped": _inside(
        "A field the caller may not read is missing.", "drop_field", method="GET", field="name"
    ),
    "sn.field_ignored": _inside(
        "A field is silently not written: a choice, a reference or a right.", "ignore_field", **WRITES
    ),
    "sn.rows_reordered": _inside("Rows change their order between pages.", "reverse", method="GET"),
    "sn.others_use_all_semaphores": Named(
        "Other clients fill the node's pool and queue.", switches={"others_in_flight": 54}
    ),
    "sn.session_is_busy": Named(
        "More requests wait on every session than it takes.", switches={"others_on_session": 11}
    ),
    "sn.lazy_rate_counting": Named("Rate rules count late.", switches={"lazy_rate_counting": True}),
    "sn.commit_at_cutoff": Named("What is cut off by time has taken effect.", switches={"commit_at_cutoff": True}),
}

THROTTLED = "Too many requests reached. Actual (101). Maximum (100)."
BUSINESS_CENTRAL: dict[str, Named] = {
    "bc.throttled": _bc_error(
        "Too many requests, without a word when to come back.", 429, "Application_TooManyRequests", THROTTLED
    ),
    "bc.throttled_with_retry_after": _bc_error(
        "Too many requests, with the time to wait.",
        429,
        "Application_TooManyRequests",
        THROTTLED,
        headers={"Retry-After": "20"},
    ),
    "bc.token_expired": _bc_error(
        "The bearer token is no longer accepted.",
        401,
        "Authentication_InvalidCredentials",
        "The server has rejected the client credentials.",
    ),
    "bc.token_refused": _bc(
        "The identity provider fails.",
        "answer",
        503,
        path="/oauth2/",
        answer='{"error":"temporarily_unavailable","error_description":"AADSTS90033: A transient error has occurred."}',
        headers={"Content-Type": "application/json; charset=utf-8"},
    ),
    "bc.forbidden_403": _bc_error("No access.", 403, "Authorization_AccessDenied", "Access to the resource is denied."),
    "bc.server_error_500": _bc_error(
        "The database is out of reach.", 500, "Internal_ServerError", "Cannot establish a connection to the SQL Server."
    ),
    "bc.unavailable_503": _bc_error(
        "The tenant is being moved or upgraded.",
        503,
        "Internal_TenantUnavailable",
        "The tenant 'msweua1234t5678' is not accessible.",
        headers={"Retry-After": "30"},
    ),
    "bc.bad_gateway_502": _bc(
        "The gateway finds no server.", "answer", 502, answer="<h1>502</h1>", headers={**HTML, "Retry-After": "10"}
    ),
    "bc.gateway_timeout_504": _bc(
        "The gateway gave up after ten minutes.", "answer", 504, answer="<h1>504</h1>", headers=HTML
    ),
    "bc.timeout_408": _bc_error(
        "The operation took longer than eight minutes.", 408, "Unknown", "The operation timed out."
    ),
    "bc.conflict_409": _bc_error(
        "Somebody else changed the record.",
        409,
        "Request_EntityChanged",
        "Another user has already changed the record.",
    ),
    "bc.refused": _bc("No connection comes about.", "refuse"),
    "bc.reset_before": _bc("The connection is reset before the service acted.", "reset_before"),
    "bc.reset_after": _bc("The connection is reset after the service acted.", "reset_after"),
    "bc.cut_body": _bc("The connection ends in the middle of the answer.", "cut_body"),
    "bc.html_200": _bc(
        "A proxy answers in the service's place.",
        "answer",
        200,
        answer="<html><body>Sign in</body></html>",
        headers=HTML,
    ),
    "bc.truncated_json": _bc("Half a document, as if it were whole.", "truncate", method="GET"),
    "bc.dangling_dimension": _bc_error(
        "A dimension set points at a value that is gone: the whole answer fails.",
        404,
        "Internal_RecordNotFound",
        "The Dimension Value does not exist. Identification fields and values: Dimension Code='DEPARTMENT',Code='GONE'",
        path=r"\$expand=.*dimensionSetLines",
    ),
    "bc.translated_error": _bc_error(
        "The text is in the user's language; the code is not.",
        404,
        "Internal_RecordNotFound",
        "Leverancier bestaat niet.",
    ),
    "bc.slow": _bc("The true answer comes late.", "slow", delay=SLOW_SECONDS),
    "bc.notification_lost": Named(
        "A notification never arrives, and the sender believes it did.", mail={"effect": "lose"}
    ),
    "bc.notification_twice": Named("A notification arrives twice.", mail={"effect": "duplicate"}),
    "bc.notification_late": Named("A notification arrives hours later.", mail={"effect": "delay", "seconds": 7200.0}),
    "bc.notification_out_of_order": Named("A notification arrives behind the next one.", mail={"effect": "swap"}),
    "bc.notification_answer_lost": Named(
        "A notification arrives, its answer does not: it is sent again.", mail={"effect": "lose_answer"}
    ),
}

FAULTS: dict[str, Named] = SERVICENOW | BUSINESS_CENTRAL

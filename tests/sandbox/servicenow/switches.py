"""Every behaviour the vendor leaves open, by name, and the state an instance can be in, so that a test can ask for either."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Switches:
    """Behaviours the vendor does not document, or documents as varying.

    Time, commits and processing
    `commit_at_cutoff`: what was running when its time ran out has taken effect though it is reported as not done.
    `read_row_seconds`: the virtual time one row of a Table API list takes.
    `time_limit`: the virtual seconds one call to the Table, Import Set, Aggregate or Attachment API may take.
    `cancelled_reads`: a cancelled list is a ``500``, or a 200 whose array breaks off in a record (``truncated``) or ends
    early but in order (``closed``), the error behind it either way.
    `held_seconds`: real seconds every transaction occupies its thread.
    `transform_synchronously`: the import set tables' business rule of that name is on.
    `order_status_from_lines`: the status of a purchase order follows its calculated state, whatever was imported.
    `approve_complete_drafts`: the invoice job approves Drafts that lack nothing.
    `log_each_invoice`: the log of the AP Invoice API has one row per invoice, else one per batch.
    `nested_batches`: a batch may be an item of a batch.

    Queries
    `case_sensitive_queries`: string conditions tell upper from lower case.
    `query_acl_effect`: a condition or order that a query rule blocks makes the answer ``empty``, is ``dropped``, or the
    query is ``refused``.

    Access
    `unauthenticated_message`: both spellings of the 401 are seen.
    `mfa_on_basic`: Basic credentials without a second factor are refused.
    `failed_logins_until_lock`: so many wrong passwords in a row lock the user; 0 never does.
    `session_logs_in`: a session cookie alone authenticates, as long as what it was made with is valid.
    `endpoint_acls`: the shipped but inactive access rules of the REST endpoints are active.
    `disabled_api_status`: how an API answers that the instance's property disables.
    `closed_table_status`: how a table answers that web services may not use.
    `blank_unreadable_references`: a reference to a table the caller may not read shows empty.

    Writes
    `unique_violation_status`: a value that a unique index already holds is a 403 or a 500.

    Limits
    `lazy_rate_counting`: a node adds its calls to the hour's count only every 30 seconds, so the limit is overshot.
    `rate_counts_batch_items`: each item of a batch counts against rate rules, not the batch alone.
    `semaphores`, `semaphore_queue`: transactions at work at once, and how many may wait.
    `others_in_flight`: how many of these places other clients take.
    `semaphore_body`: the 429 of a full queue carries ``html`` or is ``empty``.
    `session_queue`: how many requests of one session may wait before one is dropped.
    `others_on_session`: how many further requests wait on every session.
    `forbidden_after_node_switch`: a session moved to another node meets a 403 on every second call.

    Instance
    `state`: ``up``, ``hibernating``, ``hibernating_redirect``, ``maintenance``, ``maintenance_200`` or ``login``.
    """

    commit_at_cutoff: bool = False
    nested_batches: bool = False
    transform_synchronously: bool = True
    order_status_from_lines: bool = False
    approve_complete_drafts: bool = False
    log_each_invoice: bool = True
    read_row_seconds: float = 0.0
    time_limit: float = 60.0
    cancelled_reads: str = "500"
    held_seconds: float = 0.0
    case_sensitive_queries: bool = False
    query_acl_effect: str = "empty"
    unauthenticated_message: str = "User is not authenticated"
    mfa_on_basic: bool = False
    failed_logins_until_lock: int = 5
    session_logs_in: bool = True
    endpoint_acls: bool = False
    disabled_api_status: int = 400
    closed_table_status: int = 403
    blank_unreadable_references: bool = True
    unique_violation_status: int = 403
    lazy_rate_counting: bool = False
    rate_counts_batch_items: bool = False
    semaphores: int = 4
    semaphore_queue: int = 50
    others_in_flight: int = 0
    semaphore_body: str = "html"
    session_queue: int = 10
    others_on_session: int = 0
    forbidden_after_node_switch: bool = False
    state: str = "up"

    def set(self, name: str, value: bool | int | float | str) -> None:
        """Sets a switch by name; the value must fit its kind."""
        if name not in self.__dataclass_fields__:
            raise ValueError(f"no switch named {name}")
        setattr(self, name, type(getattr(self, name))(value))

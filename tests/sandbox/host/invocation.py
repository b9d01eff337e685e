"""What travels between host and worker: one invocation there, one outcome back, and the words both agree on."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["string", "bytes", "json", "http", "int", "double"]


@dataclass(frozen=True, slots=True)
class Data:
    """One value with the name of its wire type. `http`: a dict with the fields of a request or a response."""

    kind: Kind
    value: Any


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of one function: the trigger's value by parameter name, and the trigger's metadata."""

    function: str
    inputs: Mapping[str, Data]
    metadata: Mapping[str, Data] = field(default_factory=dict)
    trace_parent: str = field(default_factory=lambda: f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: with outputs and a returned value, or with an error."""

    id: str
    error: str | None = None
    stack: str = ""
    outputs: Mapping[str, Data] = field(default_factory=dict)
    returned: Data | None = None


@dataclass(frozen=True, slots=True)
class Indexed:
    """The worker's answer to its start: each function's name and raw bindings, or the error that refused the app."""

    functions: tuple[tuple[str, list[str]], ...] = ()
    error: str | None = None
    stack: str = ""

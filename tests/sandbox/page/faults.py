"""The fault table on the page: its rows, and the form that adds one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, get_args

from tests.sandbox.page.frame import View, heading
from tests.sandbox.page.markup import Html, Number, badge, card, code, element, joined, table
from tests.sandbox.page.values import count
from tests.sandbox.wire import Effect, Exchange, Fault

EFFECTS: tuple[Effect, ...] = get_args(Effect)
MOST_FAULTS = 50
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\xa0-\xff]*)")
T = TypeVar("T", int, float)


@dataclass
class Entered:
    """What was filled in, and what is wrong with it."""

    fields: Mapping[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def fault_table(exchange: Exchange) -> Html:
    """The rows of an exchange's fault table, and how often each effect has struck so far."""
    rows = [
        [
            badge(fault.effect, "bad" if fault.times != 0 else ""),
            _whom(fault),
            _what(fault),
            count(fault.skip),
            "for ever" if fault.times is None else count(fault.times),
        ]
        for fault in exchange.faults
    ]
    counted = sorted((kind, number) for kind, number in dict(exchange.counts).items() if kind.startswith("fault:"))
    struck = ", ".join(f"{kind.removeprefix('fault:')} {count(number)}" for kind, number in counted)
    headings = ["Effect", "Meets", "Does", Number("Passes first"), Number("May strike")]
    return joined(
        (
            table(headings, rows, empty="The fault table is empty."),
            element("p", f"Struck so far: {struck}.", class_="quiet") if struck else None,
        )
    )


def faults_body(view: View, exchanges: Mapping[str, Exchange], token: str, entered: Entered) -> tuple[str, Html]:
    """Both fault tables, each with a button that empties it, and the form."""
    cards = [
        card(
            name,
            fault_table(exchange),
            element(
                "form",
                _hidden("token", token),
                _hidden("system", name),
                element("button", "Clear", type="submit", class_="plain"),
                method="post",
                action=view.to("faults", "clear"),
            )
            if exchange.faults
            else None,
        )
        for name, exchange in exchanges.items()
    ]
    alerts = [element("p", text, class_="alert") for text in entered.wrong]
    form = card("Add a fault", *alerts, _form(view, exchanges, token, entered.fields))
    return "Faults", joined((heading(view, "Faults"), element("div", *cards, class_="cards"), form))


def read_fault(fields: Mapping[str, str]) -> tuple[Fault | None, Entered]:
    """The fault that a form describes, or None and what is wrong."""
    entered = Entered(fields)
    wrong = entered.wrong.append
    effect = next((one for one in EFFECTS if one == fields.get("effect")), None)
    if effect is None:
        wrong("The effect is none of those there are.")
    fault = Fault(
        effect or "answer",
        method=_pattern(fields, "method", wrong) or ".*",
        path=_pattern(fields, "path", wrong) or ".*",
        body=_pattern(fields, "body", wrong),
    )
    fault.skip = _between(fields, "skip", int, 0, 0, 1_000_000, wrong)
    fault.times = _between(fields, "times", int, 0, 0, 1_000_000, wrong) if fields.get("times", "").strip() else None
    fault.status = _between(fields, "status", int, 503, 200, 599, wrong)
    fault.delay = _between(fields, "delay", float, 0.0, 0.0, 60.0, wrong)
    fault.probability = _between(fields, "probability", float, 1.0, 0.0, 1.0, wrong)
    fault.answer = fields.get("answer", "")
    for line in filter(None, map(str.strip, fields.get("headers", "").splitlines())):
        match = _HEADER.fullmatch(line)
        if match is None:
            wrong(f"{line!r} is no header: write Name: value.")
        else:
            fault.headers[match[1]] = match[2]
    return (None if entered.wrong else fault), entered


def _pattern(fields: Mapping[str, str], name: str, wrong: Callable[[str], None]) -> str:
    text = fields.get(name, "").strip()
    try:
        re.compile(text)
    except re.error as error:
        wrong(f"{name} is no regular expression: {error}.")
    return text


def _between(
    fields: Mapping[str, str],
    name: str,
    kind: Callable[[str], T],
    default: T,
    least: T,
    most: T,
    wrong: Callable[[str], None],
) -> T:
    text = fields.get(name, "").strip()
    if not text:
        return default
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        wrong(f"{name} must be a number from {least} to {most:,}.")
        return default
    return value


def _whom(fault: Fault) -> Html:
    method = "any method" if fault.method == ".*" else code(fault.method)
    path = "any path" if fault.path == ".*" else code(fault.path)
    return joined((method, ", ", path, joined((", body with ", code(fault.body))) if fault.body else None))


def _what(fault: Fault) -> str:
    parts = []
    if fault.effect in {"answer", "answer_after"}:
        parts.append(f"status {fault.status}")
    if fault.headers:
        parts.append(", ".join(f"{name}: {value}" for name, value in fault.headers.items()))
    if fault.answer:
        parts.append(fault.answer[:80] + ("…" if len(fault.answer) > 80 else ""))
    if fault.delay:
        parts.append(f"after {fault.delay:g} s")
    if fault.probability < 1:
        parts.append(f"with probability {fault.probability:g}")
    return ", ".join(parts)


def _form(view: View, exchanges: Mapping[str, Exchange], token: str, fields: Mapping[str, str]) -> Html:
    def box(name: str, label: str, default: str = "", **attributes: str | bool) -> Html:
        return element(
            "label", label, element("input", name=name, value=fields.get(name, default), maxlength="1000", **attributes)
        )

    def choice(name: str, label: str, options: list[str]) -> Html:
        shown = [element("option", one, value=one, selected=one == fields.get(name)) for one in options]
        return element("label", label, element("select", *shown, name=name))

    def area(name: str, label: str) -> Html:
        # The parser drops one line break behind the tag; a leading one of the text's own would be lost.
        inner = element(
            "textarea", "\n" + fields.get(name, ""), name=name, rows="2", maxlength="20000", spellcheck="false"
        )
        return element("label", label, inner, class_="wide")

    return element(
        "form",
        _hidden("token", token),
        choice("system", "System", list(exchanges)),
        choice("effect", "Effect", list(EFFECTS)),
        box("method", "Method (regular expression)", ".*"),
        box("path", "Path and query (regular expression)", ".*"),
        box("body", "Body (regular expression)"),
        box("skip", "Requests that pass first", "0", inputmode="numeric"),
        box("times", "How often (empty: for ever)", "1", inputmode="numeric"),
        box("status", "Status", "503", inputmode="numeric"),
        box("delay", "Delay in seconds", "0", inputmode="decimal"),
        box("probability", "Probability, 0 to 1", "1", inputmode="decimal"),
        area("headers", "Headers of the answer, one a line"),
        area("answer", "Body of the answer"),
        element("div", element("button", "Add", type="submit"), class_="wide"),
        method="post",
        action=view.to("faults"),
        class_="fields",
    )


def _hidden(name: str, value: str) -> Html:
    return element("input", type="hidden", name=name, value=value)

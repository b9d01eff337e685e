"""Markup that nothing it shows can break: text is escaped on its way in, only `Html` passes as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

VOID = frozenset({"br", "input", "meta"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


class Number(str):
    """The heading of a column of numbers, which are set to the right."""

    __slots__ = ()


def element(tag: str, *children: object, **attributes: str | bool) -> Html:
    """One element. Attribute names lose an underscore at the end (``class_``), others become hyphens; False leaves one out."""
    shown = "".join(_attribute(name, value) for name, value in attributes.items() if value is not False)
    return Html(f"<{tag}{shown}>" if tag in VOID else f"<{tag}{shown}>{joined(children)}</{tag}>")


def joined(children: Iterable[object]) -> Html:
    """The children one after the other; None shows nothing."""
    return Html("".join(_text(child) for child in children if child is not None))


def code(text: object) -> Html:
    """Text in even letters: ids, paths, names of tables."""
    return element("code", text)


def short(text: str) -> Html:
    """The beginning of an id; the whole of it shows under the pointer."""
    return element("code", f"{text[:8]}…" if len(text) > 9 else text, title=text, class_="nowrap")


def badge(text: str, mood: str = "") -> Html:
    """A small marked word; `mood` is ``good``, ``warn``, ``bad`` or nothing."""
    return element("span", text, class_=f"badge {mood}".strip())


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "None.") -> Html:
    """A table; cells under a `Number` heading are set to the right. Without rows the word `empty` stands in its place."""
    numbers = [isinstance(heading, Number) for heading in headings]
    body = [element("tr", *map(_cell, row, numbers)) for row in rows]
    if not body:
        return element("p", empty, class_="quiet")
    cells = map(_heading, headings, numbers)
    parts = element("thead", element("tr", *cells)), element("tbody", *body)
    return element("div", element("table", *parts), class_="scroll", tabindex="0")


def facts(pairs: Iterable[tuple[object, object]]) -> Html:
    """Names with their values, one a line."""
    rows = [element("tr", element("th", name, scope="row"), element("td", value)) for name, value in pairs]
    return element("div", element("table", element("tbody", *rows), class_="facts"), class_="scroll")


def card(title: object, *children: object) -> Html:
    """A part of a page under a title of its own."""
    return element("section", element("h2", title), *children)


def _heading(heading: str, number: bool) -> Html:
    return element("th", heading, scope="col", class_="number" if number else False)


def _cell(content: object, number: bool) -> Html:
    return element("td", content, class_="number" if number else False)


def _text(child: object) -> str:
    return child if isinstance(child, Html) else escape(str(child))


def _attribute(name: str, value: str | bool) -> str:
    name = name.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'

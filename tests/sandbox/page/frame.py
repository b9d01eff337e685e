"""The frame around every page: navigation, style sheet, links that keep the reader's choice of refreshing, paging."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from urllib.parse import quote, urlencode

from tests.sandbox.page.markup import Html, element, joined

REFRESH_SECONDS = 5
PAGE_SIZE, LARGEST_PAGE = 50, 200
STYLE = files("tests.sandbox.page").joinpath("style.css").read_text("utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PLACES = (
    ("Overview", ()),
    ("Business Central", ("business-central",)),
    ("ServiceNow", ("servicenow",)),
    ("Requests", ("requests",)),
    ("Faults", ("faults",)),
)


class Missing(Exception):
    """The address names something that is not there."""


@dataclass(frozen=True)
class View:
    """One reader's look: the decoded parts of the path and the query string."""

    segments: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def refreshes(self) -> bool:
        """Whether the page loads itself anew; not while someone may be filling in the form."""
        return self.query.get("refresh") != "0" and self.segments[:1] != ("faults",)

    def to(self, *segments: str, **query: str | int) -> str:
        """The address of a page, which does not refresh when this one was asked not to."""
        kept = {"refresh": "0"} if self.query.get("refresh") == "0" else {}
        return address(segments, {**query, **kept})

    def link(self, text: object, *segments: str, **query: str | int) -> Html:
        """A link to another page."""
        return element("a", text, href=self.to(*segments, **query))

    def same(self, **changes: str | int) -> str:
        """The address of this page with other words in its query; an empty one drops the word."""
        return address(self.segments, {name: text for name, text in {**self.query, **changes}.items() if text != ""})

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from the query, between 1 and `most`; anything else is the default."""
        text = self.query.get(name, "")
        return max(1, min(int(text), most)) if text.isascii() and text.isdigit() and len(text) < 10 else default


def address(segments: Sequence[str], query: Mapping[str, str | int]) -> str:
    """The address of these parts within the site."""
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    return f"{path}?{urlencode(query)}" if query else path


@dataclass(frozen=True)
class Part:
    """Which part of a long list is on the page."""

    start: int
    end: int
    pager: Html | None


def cut(view: View, total: int) -> Part:
    """The part of a list of `total` rows that the reader asked for, and the way to the others."""
    size = view.number("size", PAGE_SIZE, LARGEST_PAGE)
    pages = max(1, -(-total // size))
    page = view.number("page", 1, pages)
    start, end = (page - 1) * size, min(page * size, total)
    if pages == 1:
        return Part(start, end, None)
    steps = (("First", 1), ("Previous", page - 1), ("Next", page + 1), ("Last", pages))
    links = [
        element("a", name, href=view.same(page=to)) if 1 <= to <= pages and to != page else element("span", name)
        for name, to in steps
    ]
    said = element("span", f"{start + 1:,} to {end:,} of {total:,}", class_="place")
    return Part(start, end, element("nav", said, *links, class_="pager", aria_label="Pages"))


def document(view: View, title: str, body: Html, *, clock: str) -> str:
    """The whole page."""
    again = None
    if view.refreshes:
        again = element("meta", http_equiv="refresh", content=str(REFRESH_SECONDS))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        again,
        element("title", f"{title} · Sandbox"),
        # Escaping would change what the policy's hash vouches for.
        element("style", Html(STYLE)),
    )
    top = element("header", _navigation(view), element("div", clock, " UTC · ", _switch(view), class_="status"))
    return "<!DOCTYPE html>\n" + element("html", head, element("body", top, element("main", body)), lang="en")


def heading(view: View, title: object, *trail: tuple[str, tuple[str, ...]]) -> Html:
    """A page's title with the way back to where it belongs."""
    way = [joined((view.link(name, *segments), " › ")) for name, segments in trail]
    return joined((element("p", *way, class_="trail") if way else None, element("h1", title)))


def _navigation(view: View) -> Html:
    links = [
        element("a", name, href=view.to(*segments), aria_current="page" if view.segments[:1] == segments else False)
        for name, segments in PLACES
    ]
    return element("nav", element("strong", "Sandbox"), *links, aria_label="Places")


def _switch(view: View) -> Html:
    if view.segments[:1] == ("faults",):
        return element("span", "this page stands still")
    if view.refreshes:
        return joined((f"every {REFRESH_SECONDS} s · ", element("a", "pause", href=view.same(refresh=0))))
    return joined(("paused · ", element("a", "resume", href=view.same(refresh=""))))

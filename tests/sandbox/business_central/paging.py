"""Pages of a collection: the size a request asks for, and the link to the next one.

Source: "Server-driven paging in OData web services".
"""

from __future__ import annotations

from urllib.parse import unquote_plus

import httpx

from tests.sandbox.business_central.reads import Page


def wished_size(request: httpx.Request) -> int | None:
    """The page size that a Prefer header asks for, if one does."""
    for part in request.headers.get("Prefer", "").split(","):
        name, _, value = part.strip().partition("=")
        if name.strip().lower() == "odata.maxpagesize" and value.strip().isdigit() and int(value) > 0:
            return int(value)
    return None


def next_link(request: httpx.Request, page: Page, *, with_tenant: bool = True) -> str:
    """The same address with the skip token of the page's last row."""
    kept = []
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    for part in query.split("&"):
        name = unquote_plus(part.partition("=")[0])
        if name == "$top":
            kept.append(f"$top={page.top_left}")
        elif name.lower() == "tenant" and not with_tenant:
            continue
        elif part and name not in {"$skiptoken", "$skip"}:
            kept.append(part)
    kept.append(f"$skiptoken={page.after}")
    return f"{request.url.scheme}://{request.url.netloc.decode()}{path}?{'&'.join(kept)}"

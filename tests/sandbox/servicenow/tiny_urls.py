"""Long queries behind a token: ``POST /api/now/tinyurl`` keeps an address, ``sysparm_tiny`` brings its query back."""

from __future__ import annotations

import hashlib

import httpx

from tests.sandbox.servicenow.answers import Refusal, json_answer, parsed_object
from tests.sandbox.servicenow.instance import Call


class TinyUrls:
    """The addresses kept, by token."""

    def __init__(self) -> None:
        self._queries: dict[str, bytes] = {}

    def posted(self, call: Call) -> httpx.Response:
        """``POST /api/now/tinyurl`` with ``{"url": "<full address>"}``."""
        address = parsed_object(call.content).get("url")
        if not isinstance(address, str) or not address:
            raise Refusal(400, "Invalid url", "The body must hold the url")
        token = hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()
        self._queries[token] = httpx.URL(address).query
        return json_answer(201, {"result": f"incident_list.do?sysparm_tiny={token}"})

    def expanded(self, url: httpx.URL) -> httpx.URL:
        """The address with the kept query in place of its token; an unknown token changes nothing."""
        query = self._queries.get(url.params.get("sysparm_tiny", ""))
        return url if query is None else url.copy_with(query=query)

"""The sandbox's own web page: what both simulators hold, what was asked of them, and the fault table. Nobody's product."""

from tests.sandbox.page.server import serve_page
from tests.sandbox.page.site import Site

__all__ = ["Site", "serve_page"]

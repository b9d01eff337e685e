"""What an instance answers that is not there to serve: hibernating, under maintenance, or behind its login page."""

from __future__ import annotations

import httpx

HTML = {"Content-Type": "text/html;charset=UTF-8"}
HIBERNATING = (
    "<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head>"
    "<body><h1>Your instance is hibernating</h1><p>Sign in to the developer site to wake it.</p></body></html>"
)
MAINTENANCE = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    "<body><h1>This instance is being upgraded</h1><p>Please try again later.</p></body></html>"
)
DEVELOPER_SITE = "https://developer.servicenow.com/dev.do#!/home?wu=true"


def answer(state: str, instance_url: str) -> httpx.Response | None:
    """The answer to every request in this state; None when the instance is up."""
    if state == "hibernating":
        return httpx.Response(200, headers=HTML, text=HIBERNATING)
    if state == "hibernating_redirect":
        return httpx.Response(302, headers={"Location": DEVELOPER_SITE})
    if state == "maintenance":
        return httpx.Response(503, headers=HTML, text=MAINTENANCE)
    if state == "maintenance_200":
        return httpx.Response(200, headers=HTML, text=MAINTENANCE)
    if state == "login":
        return login(instance_url)
    if state != "up":
        raise ValueError(f"no instance state named {state}")
    return None


def login(instance_url: str) -> httpx.Response:
    """The way to the login page."""
    return httpx.Response(302, headers={"Location": f"{instance_url}/login.do"})

"""The request guard: every request passes it before any other part of the server."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from panel.io.server import ComponentResourceHandler
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, HTTPError, OutputTransform, RequestHandler

from dashboards.server.login import logged_in
from dashboards.service.service import Status

# The allowed paths: the page, its socket, their static files, and our own routes. Other routes of
# Panel and Bokeh (autoload.js, metadata, liveness, rest, admin) are blocked.
STATIC = re.compile(r"/(static/.*|components/.*|favicon\.ico)")
PAGES = re.compile(r"/(ws)?")
OPEN = re.compile(r"/(alive|healthz|login|logout)")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    # Bokeh compiles callbacks ('unsafe-eval'), Panel uses inline scripts and loads components from
    # blobs. No other host is contacted.
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:",
            "style-src 'self' 'unsafe-inline' blob: data:",
            "img-src 'self' blob: data:",
            "media-src 'self' blob: data:",
            "font-src 'self' data:",
            "connect-src 'self' blob: data:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    ),
}


class RequestGuard(Router):
    """Passes a request on to the application, or refuses it.

    Args:
        application: the application behind the guard.
        hosts: the `host:port` names of this server, in lower case.
        secret: the secret that signs logins; None without a login.
    """

    def __init__(self, application: Application, hosts: frozenset[str], secret: str | None) -> None:
        self._application = application
        self._hosts = hosts
        self._secret = secret

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        """Choose the handler of a request; called by Tornado."""
        refusal = self._refusal(request)
        if refusal is None:
            return self._application.find_handler(request, **kwargs)
        return self._application.get_handler_delegate(request, Refusal, refusal)

    def _refusal(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        path = request.path
        if path == "/healthz":
            return None  # for monitoring under any host name; it reveals nothing private
        if not self._is_own_host(request.host):
            # Protects against DNS rebinding, where a foreign name points to this address.
            name = request.host[:80]
            return _refuse(
                403,
                f"This server does not accept the host name {name}. Add it with --allow-origin.",
            )
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_own_host(urlsplit(origin).netloc):
            return _refuse(403, "Pages of other sites may not use this server.")
        if not any(pattern.fullmatch(path) for pattern in (STATIC, PAGES, OPEN)):
            return _refuse(404, "Not found.")
        if self._secret is None or not PAGES.fullmatch(path) or logged_in(request, self._secret):
            return None
        if path == "/ws" or request.method != "GET":
            return _refuse(403, "Log in first.")
        return _refuse(302, "Log in first.", f"login?next={quote(request.uri or '/', safe='')}")

    def _is_own_host(self, host: str) -> bool:
        host = host.lower()
        return (host if re.search(r":\d+$", host) else f"{host}:80") in self._hosts


class Refusal(RequestHandler):
    """Answers a refused request with a text."""

    def initialize(self, status: int, text: str, location: str) -> None:
        """Receive the refusal from the guard."""
        self._answer = status, text, location

    def prepare(self) -> None:
        """Send the refusal, whatever the method of the request."""
        status, text, location = self._answer
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if location:
            self.set_header("Location", location)
        self.finish(f"{text}\n")


class SecurityHeaders(OutputTransform):
    """Adds `HEADERS` to every response."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the headers; called by Tornado before the first byte is sent."""
        for name, value in HEADERS.items():
            headers[name] = value
        return status_code, headers, chunk


class LoadedComponents(ComponentResourceHandler):
    """Serves the files of components. Panel's handler imports any module that a request names."""

    def parse_url_path(self, path: str) -> str:
        """The file of a path, if its module is loaded already."""
        if path.split("/", 1)[0] not in sys.modules:
            raise HTTPError(404)
        return super().parse_url_path(path)


class Alive(RequestHandler):
    """Tells a page that lost its connection that the server is back, workers or not."""

    def get(self) -> None:
        """Send a body that no proxy in front of us would send while the server is down."""
        self.set_header("Cache-Control", "no-store")
        self.finish({"alive": True})


class Health(RequestHandler):
    """The status of the workers, for monitoring."""

    def initialize(self, status: Callable[[], Status]) -> None:
        """Receive the options of the route from Tornado."""
        self._status = status

    def get(self) -> None:
        """Send the status: 200 if a worker can answer, else 503."""
        status = self._status()
        states = [worker.state for worker in status.workers]
        healthy = any(state in ("idle", "busy") for state in states)
        self.set_status(200 if healthy else 503)
        self.set_header("Cache-Control", "no-store")
        self.finish(
            {"ok": healthy, "workers": states, "waiting": status.waiting, "running": status.running}
        )


def _refuse(status: int, text: str, location: str = "") -> dict[str, Any]:
    return {"status": status, "text": text, "location": location}

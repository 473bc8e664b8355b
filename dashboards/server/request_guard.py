"""The gate: every request passes here before anything else of the server sees it."""

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

# All there is: the page, its socket, what they are drawn with, and our own few. What else Panel or
# Bokeh answer (autoload.js for other people's pages, metadata, liveness, rest, admin) is not here.
STATIC = re.compile(r"/(static/.*|components/.*|favicon\.ico)")
PAGES = re.compile(r"/(ws)?")
OPEN = re.compile(r"/(healthz|login|logout)")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    # Bokeh compiles its callbacks ('unsafe-eval'), Panel starts from inline scripts and loads
    # components from blobs. Nothing comes from, or goes to, another host.
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
    """Lets a request through to the application, or answers it here.

    Args:
        application: what is behind the gate.
        hosts: `host:port` names of this server, in lower case.
        secret: signs logins; None where there is no login.
    """

    def __init__(self, application: Application, hosts: frozenset[str], secret: str | None) -> None:
        self._application = application
        self._hosts = hosts
        self._secret = secret

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        """Choose who answers; Tornado asks this for every request."""
        refusal = self._refusal(request)
        if refusal is None:
            return self._application.find_handler(request, **kwargs)
        return self._application.get_handler_delegate(request, Refusal, refusal)

    def _refusal(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        path = request.path
        if path == "/healthz":
            return None  # asked by machines, under whatever name, and tells nothing of anyone
        if not self._known(request.host):
            # A page elsewhere can point its own name at this address; the name gives it away.
            name = request.host[:80]
            return _no(403, f"This server is not called {name}. --allow-origin would add that.")
        origin = request.headers.get("Origin")
        if origin is not None and not self._known(urlsplit(origin).netloc):
            return _no(403, "A page from elsewhere may not use this server.")
        if not any(known.fullmatch(path) for known in (STATIC, PAGES, OPEN)):
            return _no(404, "There is nothing here.")
        if self._secret is None or not PAGES.fullmatch(path) or logged_in(request, self._secret):
            return None
        if path == "/ws" or request.method != "GET":
            return _no(403, "Log in first.")
        return _no(302, "Log in first.", f"login?next={quote(request.uri or '/', safe='')}")

    def _known(self, host: str) -> bool:
        host = host.lower()
        return (host if re.search(r":\d+$", host) else f"{host}:80") in self._hosts


class Refusal(RequestHandler):
    """Says no, in words."""

    def initialize(self, status: int, text: str, location: str) -> None:
        self._answer = status, text, location

    def prepare(self) -> None:
        status, text, location = self._answer
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if location:
            self.set_header("Location", location)
        self.finish(f"{text}\n")


class SecurityHeaders(OutputTransform):
    """Adds `HEADERS` to every answer."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Called by Tornado before the first byte is sent."""
        for name, value in HEADERS.items():
            headers[name] = value
        return status_code, headers, chunk


class LoadedComponents(ComponentResourceHandler):
    """Files of components. Panel's own would import any module that a request names."""

    def parse_url_path(self, path: str) -> str:
        """The file that a path names, in a module that is loaded."""
        if path.split("/", 1)[0] not in sys.modules:
            raise HTTPError(404)
        return super().parse_url_path(path)


class Health(RequestHandler):
    """How the workers are; cheap, for machines that look often."""

    def initialize(self, status: Callable[[], Status]) -> None:
        self._status = status

    def get(self) -> None:
        status = self._status()
        states = [worker.state for worker in status.workers]
        well = any(state in ("idle", "busy") for state in states)
        self.set_status(200 if well else 503)
        self.set_header("Cache-Control", "no-store")
        self.finish(
            {"ok": well, "workers": states, "waiting": status.waiting, "running": status.running}
        )


def _no(status: int, text: str, location: str = "") -> dict[str, Any]:
    return {"status": status, "text": text, "location": location}

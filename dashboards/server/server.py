"""The server: it sends the pages, and leaves all computation to the service."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dashboards.server.addresses import allowed_hosts, browser_url, check_address
from dashboards.server.settings import ServeSettings
from dashboards.server.start import claim_cache, start_service
from dashboards.service.catalogue import Catalogue
from dashboards.service.service import Service

if TYPE_CHECKING:
    from bokeh.document import Document
    from panel.io.server import Server

_log = logging.getLogger(__name__)
Build = Callable[[Service, ServeSettings], Any]
Load = Callable[[], Build]
Ready = Callable[[str, Service], None]
FORM_BYTES = 64 * 1024  # only the login form is sent outside of the socket
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


def serve(
    settings: ServeSettings,
    load: Load,
    ready: Ready | None = None,
) -> None:
    """Serve the dashboard until the process receives a signal; then stop all its processes.

    Args:
        settings: the settings of the server.
        load: called once; returns what builds the page of one visitor from the service and the
            settings. What it imports is imported while the worker processes start.
        ready: called with the URL and the service once the server accepts visitors.

    Raises:
        SettingError: the address, the port or the cache is not available, a host name is invalid,
            or the server would be open to other machines without a login.
        ModelError: a folder of models does not exist.
    """
    check_address(settings)
    catalogue = Catalogue(settings.models)
    with claim_cache(settings):
        service = start_service(settings, catalogue)
        try:
            _run(settings, service, ready, load())
        finally:
            service.close()


def make_server(settings: ServeSettings, service: Service, build: Build) -> Server:
    """Create a server that listens, to be started on this thread's event loop.

    Args:
        settings: the settings of the server.
        service: answers the requests of the pages.
        build: builds the page of one visitor from the service and the settings.
    """
    from panel.io.server import get_server

    from dashboards.server.request_guard import SecurityHeaders
    from dashboards.server.socket_guard import BYTES
    from dashboards.server.visitors import VISITOR

    idle = int(1000 * settings.idle_seconds)
    server = get_server(
        # A lambda: Panel would show a `functools.partial` instead of calling it.
        {"/": lambda: build_page(build, service, settings)},
        address=settings.host,
        port=settings.port,
        title="xai-tf",
        extra_patterns=_routes(settings, service),
        transforms=[SecurityHeaders],
        websocket_origin=["localhost"],  # replaced by the allowed hosts in `_guard`
        cookie_secret=settings.cookie_secret,
        # Sessions are created by this server only, and their tokens contain no secrets.
        secret_key=settings.cookie_secret.encode(),
        sign_sessions=True,
        include_cookies=[VISITOR],
        include_headers=["Accept-Language", "User-Agent"],
        websocket_max_message_size=BYTES,
        http_server_kwargs={
            "max_body_size": FORM_BYTES,
            "max_header_size": FORM_BYTES,
            "idle_connection_timeout": 60,
            "body_timeout": 30,
        },
        unused_session_lifetime_milliseconds=idle,
        check_unused_sessions_milliseconds=max(100, idle // 4),
        session_history=0,
    )
    _guard(server, settings)
    return server


def _routes(settings: ServeSettings, service: Service) -> list[tuple[str, Any, dict[str, Any]]]:
    """Our routes in addition to those of Panel."""
    from panel.io.resources import COMPONENT_PATH

    from dashboards.server.login import LoginHandler, LogoutHandler, Throttle
    from dashboards.server.request_guard import Alive, Health, LoadedComponents

    routes: list[tuple[str, Any, dict[str, Any]]] = [
        ("/alive", Alive, {}),
        ("/healthz", Health, {"status": service.status}),
        (f"/{COMPONENT_PATH}(.*)", LoadedComponents, {}),
    ]
    if settings.passwords:
        login = {"passwords": settings.passwords, "throttle": Throttle()}
        routes += [("/login", LoginHandler, login), ("/logout", LogoutHandler, {})]
    return routes


def _guard(server: Server, settings: ServeSettings) -> None:
    """Put the guards in front of a server; Bokeh has no options for this, only private names."""
    from dashboards.server.request_guard import RequestGuard
    from dashboards.server.socket_guard import guard_sockets
    from dashboards.server.visitors import know_visitors

    application = server._tornado  # noqa: SLF001
    guard_sockets(application)
    if settings.keep_seconds:
        know_visitors(application)
    hosts = allowed_hosts(settings, server.port)
    application._websocket_origins = set(hosts)  # noqa: SLF001
    secret = settings.cookie_secret if settings.passwords else None
    server._http.request_callback = RequestGuard(application, hosts, secret)  # noqa: SLF001


def _run(settings: ServeSettings, service: Service, ready: Ready | None, build: Build) -> None:
    server = make_server(settings, service, build)
    _stop_on_signals(server)
    # Panel collects garbage after each visitor; what was imported stays, and need not be searched.
    gc.collect()
    gc.freeze()
    server.start()
    if ready is not None:
        server.io_loop.add_callback(ready, browser_url(settings, server.port), service)
    server.io_loop.start()
    server.stop()


def build_page(build: Build, service: Service, settings: ServeSettings) -> Any:
    """A visitor's page; if it fails, a short text instead of a traceback with paths."""
    from panel import state

    if state.curdoc:
        # A page that lost its server is loaded again, see `components.connection`.
        state.curdoc.config.update(reconnect_session=False, notify_connection_status=False)
        _serve_stylesheets(state.curdoc)
    try:
        return build(service, settings)
    except Exception:
        from panel.pane import Str

        _log.exception("Cannot build a page")
        return Str("Cannot build this page. Open it again without the part after the '?'.")


def _serve_stylesheets(document: Document) -> None:
    """Have Panel's stylesheets come from this server for what is shown later, too.

    Panel learns where they lie after the page is built, and takes its CDN for a pane of a tab that
    is not open, as this has no document.
    """
    from panel import reactive
    from panel.io.resources import get_dist_path

    document.template_variables["dist_url"] = reactive.CDN_DIST = get_dist_path()


def _stop_on_signals(server: Server) -> None:
    def stop(*_: Any) -> None:
        server.io_loop.add_callback_from_signal(server.io_loop.stop)

    for name in STOPPING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)

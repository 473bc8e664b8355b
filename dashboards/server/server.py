"""The server: one process for pages, which never computes, and one service that does."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dashboards.server.addresses import address_of, check_address, names_of
from dashboards.server.settings import ServeSettings
from dashboards.server.start import claimed, start_service
from dashboards.service.catalogue import find_models
from dashboards.service.service import Service

if TYPE_CHECKING:
    from panel.io.server import Server

_log = logging.getLogger(__name__)
Build = Callable[[Service, ServeSettings], Any]
Ready = Callable[[str, Service], None]
FORM_BYTES = 64 * 1024  # nothing but the login form is sent any other way
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


def serve(
    settings: ServeSettings,
    build: Build,
    ready: Ready | None = None,
) -> None:
    """Serve the dashboard until the process is told to stop; then nothing of it is left.

    Args:
        settings: how.
        build: makes the page of one visitor from the service and the settings.
        ready: called with the address and the service, once visitors can come.

    Raises:
        SettingError: the port or the cache is taken, the address is not this machine's or is open
            to others without a login, a name is none.
        ModelError: a folder of models is not there.
    """
    check_address(settings)
    models = find_models(settings.models)
    with claimed(settings.cache):
        service = start_service(settings, models)
        try:
            _run(settings, service, ready, build)
        finally:
            service.close()


def make_server(settings: ServeSettings, service: Service, build: Build) -> Server:
    """A server that listens, to be started on this thread's loop.

    Args:
        settings: how.
        service: what computes.
        build: makes the page of one visitor from the service and the settings.
    """
    from panel.io.resources import COMPONENT_PATH
    from panel.io.server import get_server

    from dashboards.server.login import LoginHandler, LogoutHandler, Throttle
    from dashboards.server.request_guard import (
        Health,
        LoadedComponents,
        RequestGuard,
        SecurityHeaders,
    )
    from dashboards.server.socket_guard import BYTES, guard_sockets

    handlers = [
        ("/healthz", Health, {"status": service.status}),
        (f"/{COMPONENT_PATH}(.*)", LoadedComponents, {}),
    ]
    if settings.passwords:
        login = {"passwords": settings.passwords, "throttle": Throttle()}
        handlers += [("/login", LoginHandler, login), ("/logout", LogoutHandler, {})]
    idle = int(1000 * settings.idle_seconds)
    server = get_server(
        {"/": lambda: page_of(build, service, settings)},  # Panel draws a `partial`: no call
        address=settings.host,
        port=settings.port,
        title="xai-tf",
        extra_patterns=handlers,
        transforms=[SecurityHeaders],
        websocket_origin=["localhost"],  # the gate knows the names; this one is never enough
        cookie_secret=settings.cookie_secret,
        # Only this server makes sessions, and their tokens hold nothing that opens doors.
        secret_key=settings.cookie_secret.encode(),
        sign_sessions=True,
        include_cookies=["xai_tf_seen"],
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
    guard_sockets(server._tornado)
    hosts = names_of(settings, server.port)
    server._tornado._websocket_origins = set(hosts)
    secret = settings.cookie_secret if settings.passwords else None
    server._http.request_callback = RequestGuard(server._tornado, hosts, secret)
    return server


def _run(settings: ServeSettings, service: Service, ready: Ready | None, build: Build) -> None:
    server = make_server(settings, service, build)
    _stop_on_signals(server)
    server.start()
    if ready is not None:
        server.io_loop.add_callback(ready, address_of(settings, server.port), service)
    server.io_loop.start()
    server.stop()


def page_of(build: Build, service: Service, settings: ServeSettings) -> Any:
    """A visitor's page; where it fails, words instead of a traceback with this server's paths."""
    try:
        return build(service, settings)
    except Exception:
        from panel.pane import Str

        _log.exception("a page could not be built")
        return Str("This page could not be built. Open it again without what follows the '?'.")


def _stop_on_signals(server: Server) -> None:
    def stop(*_: Any) -> None:
        server.io_loop.add_callback_from_signal(server.io_loop.stop)

    for name in STOPPING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)

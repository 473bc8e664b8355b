"""The address where the server listens, and the host names it accepts."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket

from dashboards.server.settings import ServeSettings
from xai_tf.errors import SettingError


def check_address(settings: ServeSettings) -> None:
    """Check that the server can and may listen with these settings.

    Raises:
        SettingError: the address or port is not available, an origin is invalid, or the server
            would be open to other machines without a login.
    """
    allowed_hosts(settings, settings.port)
    try:
        _try_port(settings.host, settings.port)
    except OSError as error:
        raise SettingError(_listen_error(settings, error)) from error
    if not (settings.passwords or settings.open_to_all or is_loopback(settings.host)):
        raise SettingError(
            f"With --host {settings.host}, anyone on the network could use the models and read the "
            "given folders. Set a login with --basic-auth FILE_OR_PASSWORD, or allow access "
            "without one with --no-login."
        )


def is_loopback(host: str) -> bool:
    """Whether `host` can be reached from this machine only."""
    try:
        addresses = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(info[4][0].split("%")[0]).is_loopback for info in addresses)


def visitors_bring_models(settings: ServeSettings) -> bool:
    """Whether visitors may use models of their own: as set, or where only this machine visits."""
    if settings.visitor_models is None:
        return is_loopback(settings.host)
    return settings.visitor_models


def visitors_train(settings: ServeSettings) -> bool:
    """Whether visitors may train and tune models: as set, or where only this machine visits."""
    if settings.visitor_training is None:
        return is_loopback(settings.host)
    return settings.visitor_training


def allowed_hosts(settings: ServeSettings, port: int) -> frozenset[str]:
    """The `host:port` names under which visitors may reach the server, in lower case.

    Raises:
        SettingError: one of `origins` is not a host name.
    """
    own = {settings.host, "localhost", "127.0.0.1"}
    if not is_loopback(settings.host):
        own |= {socket.gethostname(), *_own_addresses()}
    names = {f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in own}
    for origin in settings.origins:
        if not re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?", origin):
            raise SettingError(
                f"Invalid value for --allow-origin: {origin!r}. Expected HOST or HOST:PORT, "
                "without http:// and without *."
            )
        # Without a port: behind a proxy at a default port, which browsers omit, or at our port.
        without_port = re.search(r":\d+$", origin) is None
        names |= {f"{origin}:80", f"{origin}:{port}"} if without_port else {origin}
    return frozenset(name.lower() for name in names)


def browser_url(settings: ServeSettings, port: int) -> str:
    """The URL for a browser on this machine."""
    anywhere = settings.host in ("", "0.0.0.0", "::")
    host = "localhost" if anywhere else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _try_port(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _listen_error(settings: ServeSettings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {settings.port} is already in use. Use --port {_free_port(settings)}."
    if error.errno == errno.EACCES:
        return f"No permission to open port {settings.port}. Use --port 5006, or one above 1023."
    return (
        f"Cannot listen at {settings.host}: {error.strerror}. Use --host 127.0.0.1 or another "
        "address of this machine."
    )


def _free_port(settings: ServeSettings) -> int:
    """The next free port; 0, which means any, if none of the next hundred is free."""
    for port in range(settings.port + 1, min(settings.port + 100, 65536)):
        try:
            _try_port(settings.host, port)
        except OSError:
            continue
        return port
    return 0


def _own_addresses() -> set[str]:
    try:
        return {info[4][0].split("%")[0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()

"""Where the server listens, and under which names it may be asked."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket

from dashboards.server.settings import ServeSettings
from xai_tf.errors import SettingError


def check_address(settings: ServeSettings) -> None:
    """Raise a SettingError where the server could not, or should not, listen as it is told to."""
    names_of(settings, settings.port)
    try:
        _try_port(settings.host, settings.port)
    except OSError as error:
        raise SettingError(_why_not(settings, error)) from error
    if not (settings.passwords or settings.open_to_all or is_loopback(settings.host)):
        raise SettingError(
            f"At {settings.host} other machines reach this server, and anyone there could use its "
            "models and read the folders given. Give --basic-auth FILE_OR_PASSWORD, or --no-login "
            "if that is what you want."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(info[4][0].split("%")[0]).is_loopback for info in found)


def names_of(settings: ServeSettings, port: int) -> frozenset[str]:
    """The `host:port` names under which visitors may reach the server, in lower case.

    Raises:
        SettingError: one of `origins` is no such name.
    """
    own = {settings.host, "localhost", "127.0.0.1"}
    if not is_loopback(settings.host):
        own |= {socket.gethostname(), *_own_addresses()}
    names = {f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in own}
    for origin in settings.origins:
        if not re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?", origin):
            raise SettingError(
                f"--allow-origin {origin!r} is no name of a host. Give HOST or HOST:PORT, "
                "without http:// and without *."
            )
        # Without a port: behind a proxy at the usual ones, which browsers leave out, or at ours.
        bare = re.search(r":\d+$", origin) is None
        names |= {f"{origin}:80", f"{origin}:{port}"} if bare else {origin}
    return frozenset(name.lower() for name in names)


def address_of(settings: ServeSettings, port: int) -> str:
    """Where to point a browser on this machine."""
    anywhere = settings.host in ("", "0.0.0.0", "::")
    host = "localhost" if anywhere else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _try_port(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _why_not(settings: ServeSettings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {settings.port} is taken. Give --port {_free_port(settings)}."
    if error.errno == errno.EACCES:
        return f"Port {settings.port} is not yours to open. Give --port 5006, or one above 1023."
    return (
        f"This machine cannot listen at {settings.host}: {error.strerror}. "
        "Give --host 127.0.0.1 or an address of this machine."
    )


def _free_port(settings: ServeSettings) -> int:
    """The next port that is free; 0, which is any, where a hundred are not."""
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

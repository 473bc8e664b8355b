"""The Ollama server: its address, whether it answers, and which of its models run locally."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from xai_tf.errors import MissingExtraError
from xai_tf.narration.messages import LanguageModelError, describe_state
from xai_tf.packages import require_extra

PORT = 11434
STATUS_TIMEOUT = 5.0  # seconds
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ServerStatus:
    """Whether a language model is available.

    Attributes:
        state: "ready", "no_model", "not_running" or "not_ollama".
        host: name and port of the server.
        models: names of the models that can be used.
        refused: names of the models that run in the cloud, so the facts would leave the server.
    """

    state: str
    host: str
    models: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    def message(self, language: str = "en") -> str:
        """The state in words, with the next step."""
        return describe_state(self.state, language, host=self.host)


def server_url(setting: str | None = None) -> str:
    """The URL of the server, from OLLAMA_HOST.

    Scheme and port may be missing. A listening address such as 0.0.0.0 becomes the loopback
    address.

    Args:
        setting: the value of OLLAMA_HOST; read from the environment if left out.

    Raises:
        LanguageModelError: it is not a valid address, or the extra `llm` is not installed.
    """
    try:
        require_extra("llm")
    except MissingExtraError as error:
        raise LanguageModelError("not_installed") from error
    import httpx

    given = (os.environ.get("OLLAMA_HOST", "") if setting is None else setting).strip(" \t\"'")
    scheme, mark, rest = given.partition("://")
    if not mark:
        scheme, rest = "http", given
    try:
        if any(char.isspace() for char in rest):
            raise ValueError("the address contains a space")
        if rest.count(":") > 1 and not rest.startswith("["):
            rest = f"[{ipaddress.IPv6Address(rest)}]"
        parts = urlsplit(f"//{rest}")
        port = parts.port or (_PORTS[scheme] if mark else PORT)
        host = _reachable(parts.hostname or "127.0.0.1")
        return str(httpx.URL(f"{scheme}://{host}:{port}{parts.path.rstrip('/')}"))
    except (ValueError, KeyError, httpx.InvalidURL) as error:
        raise LanguageModelError("no_address", host=given) from error


def host_of(url: str) -> str:
    """Name and port of a server, for display."""
    import httpx

    return httpx.URL(url).netloc.decode()


def is_cloud(model: str) -> bool:
    """Whether the name of a model says that it runs in the cloud."""
    return model.strip().lower().endswith((":cloud", "-cloud"))


def same_model(first: str, second: str) -> bool:
    """Whether two names refer to the same model; a missing tag means "latest"."""
    return _tagged(first) == _tagged(second)


def local_only(url: str) -> dict[str, Any]:
    """Options of an httpx client that talks only to this server: no proxy, no redirects.

    Certificates are loaded, which takes 50 ms, only for https.
    """
    encrypted = url.startswith("https:")
    return {"trust_env": False, "follow_redirects": False, "verify": encrypted}


async def server_status(url: str) -> ServerStatus:
    """Check whether a server answers, and which models it has.

    Reads the raw answer of the server, because `ollama.AsyncClient.list` hides that a model with a
    local name runs in the cloud (`remote_host`).

    Args:
        url: the URL of the server, from `server_url`.
    """
    import httpx

    host = host_of(url)
    try:
        async with httpx.AsyncClient(timeout=STATUS_TIMEOUT, **local_only(url)) as client:
            answer = await client.get(f"{url}/api/tags")
        entries = answer.raise_for_status().json()["models"] or []
        described = [(entry["name"], _generates(entry), _is_remote(entry)) for entry in entries]
    except (httpx.ProtocolError, httpx.HTTPStatusError, httpx.DecodingError):
        return ServerStatus("not_ollama", host)
    except httpx.TransportError:
        return ServerStatus("not_running", host)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ServerStatus("not_ollama", host)
    models = tuple(name for name, generates, remote in described if generates and not remote)
    refused = tuple(name for name, _, remote in described if remote)
    return ServerStatus("ready" if models else "no_model", host, models, refused)


def _is_remote(entry: dict[str, Any]) -> bool:
    remote = entry.get("remote_host") or entry.get("remote_model")
    return bool(remote) or is_cloud(entry["name"]) or is_cloud(entry.get("model") or "")


def _generates(entry: dict[str, Any]) -> bool:
    """Whether a model generates text; embedding models do not."""
    return "completion" in (entry.get("capabilities") or ["completion"])


def _reachable(host: str) -> str:
    """A host that a client can connect to, in the form for a URL."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1"
    return f"[{address}]" if address.version == 6 else str(address)


def _tagged(model: str) -> str:
    name = model.strip().lower()
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"

"""How the server is run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dashboards.files.uploads import MEGABYTE, Limits
from xai_tf.errors import SettingError

GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class ServeSettings:
    """How the server is run.

    Attributes:
        host, port: where it listens; port 0 takes any that is free.
        models: folders of further models.
        data: folders of labelled files that visitors may have evaluated.
        searches: folders of searches that visitors may look at.
        cache: of this server alone; holds answers, which are kept, and uploads, which are not.
        cache_bytes: that answers may take there.
        workers: processes that compute.
        limits: of uploads.
        passwords: by user; user "" is anyone. Empty: no login.
        open_to_all: whether other machines may come in without a login.
        cookie_secret: signs logins and sessions; those of an earlier run hold if it is the same.
        origins: further names, `host` or `host:port`, under which visitors reach the server.
        idle_seconds: a session without a browser is dropped after this, with its uploads.
    """

    host: str = "127.0.0.1"
    port: int = 5006
    models: tuple[Path, ...] = ()
    data: tuple[Path, ...] = ()
    searches: tuple[Path, ...] = ()
    cache: Path = field(default_factory=lambda: default_cache())
    cache_bytes: int = 2 * GIGABYTE
    workers: int = 2
    limits: Limits = field(default_factory=Limits)
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    open_to_all: bool = False
    cookie_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    origins: tuple[str, ...] = ()
    idle_seconds: float = 60.0

    @classmethod
    def from_environment(cls) -> ServeSettings:
        """Those that `XAI_TF_...` variables name; folders with ':' between (';' on Windows).

        Raises:
            SettingError: a variable that should hold a number does not.
        """
        return cls(
            models=_folders("XAI_TF_MODELS"),
            data=_folders("XAI_TF_DATA"),
            searches=_folders("XAI_TF_SEARCHES") or default_searches(),
            cache=Path(os.environ.get("XAI_TF_CACHE") or default_cache()),
            cache_bytes=int(_number("XAI_TF_CACHE_GB", 2) * GIGABYTE),
            workers=int(_number("XAI_TF_WORKERS", 2, least=1)),
            limits=limits_of(_number("XAI_TF_MAX_UPLOAD", 200)),
        )


def default_cache() -> Path:
    """Where a user's caches lie: `XDG_CACHE_HOME`, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xai-tf"


def default_searches() -> tuple[Path, ...]:
    """The folder `tune` writes to, if it is here."""
    searches = Path("searches")
    return (searches.absolute(),) if searches.is_dir() else ()


def limits_of(megabytes: float) -> Limits:
    """Limits where a file may have so many megabytes, a picture at most 100."""
    default, size = Limits(), int(megabytes * MEGABYTE)
    return Limits(size, min(size, default.picture_bytes), max(size, default.total_bytes))


def _folders(variable: str) -> tuple[Path, ...]:
    named = os.environ.get(variable, "").split(os.pathsep)
    return tuple(Path(name) for name in named if name)


def _number(variable: str, default: float, least: float = 0.001) -> float:
    text = os.environ.get(variable, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = 0.0
    if not least <= number < float("inf"):
        raise SettingError(f"{variable}={text!r} is no number from {least:g}. Change or unset it.")
    return number

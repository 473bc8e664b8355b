"""The settings of the server."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dashboards.files.uploads import MEGABYTE, Limits
from tuning.settings import own_searches
from xai_tf.errors import SettingError

GIGABYTE = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The settings of the server.

    Attributes:
        host: the address to listen at.
        port: the port to listen at; 0 for any free port.
        models: folders of additional models.
        data: folders of labeled files that visitors may evaluate.
        searches: folders of searches that visitors may see.
        cache: the folder of this server for stored answers and uploads.
        cache_bytes: maximum size of the stored answers.
        visitor_models: whether visitors may use models of their own; None: only at an address that
            other machines cannot reach.
        model_bytes: maximum size of a visitor's models.
        visitor_training: whether visitors may train and tune models on this server; None: only at
            an address that other machines cannot reach.
        workers: number of worker processes.
        limits: limits of uploads.
        passwords: by user name; the name "" stands for everyone. Empty: no login.
        open_to_all: whether other machines may use the server without a login.
        cookie_secret: signs logins and sessions; they stay valid after a restart with the same one.
        origins: additional names, `host` or `host:port`, under which visitors reach the server.
        idle_seconds: time after which a session without a browser is deleted.
        keep_seconds: time for which the uploads of a visitor are kept after their last page, for
            when they come back; 0 to delete them with the session.
    """

    host: str = "127.0.0.1"
    port: int = 5006
    models: tuple[Path, ...] = ()
    data: tuple[Path, ...] = ()
    searches: tuple[Path, ...] = ()
    cache: Path = field(default_factory=lambda: default_cache())
    cache_bytes: int = 2 * GIGABYTE
    visitor_models: bool | None = None
    model_bytes: int = 500 * MEGABYTE
    visitor_training: bool | None = None
    workers: int = 2
    limits: Limits = field(default_factory=Limits)
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    open_to_all: bool = False
    cookie_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    origins: tuple[str, ...] = ()
    idle_seconds: float = 60.0
    keep_seconds: float = 600.0

    @classmethod
    def from_environment(cls) -> ServeSettings:
        """The settings from `XAI_TF_...` variables; folders are separated by `os.pathsep`.

        Raises:
            SettingError: a variable that should hold a number does not.
        """
        return cls(
            models=_folders("XAI_TF_MODELS"),
            data=_folders("XAI_TF_DATA"),
            searches=_folders("XAI_TF_SEARCHES") or default_searches(),
            cache=Path(os.environ.get("XAI_TF_CACHE") or default_cache()),
            cache_bytes=int(_number("XAI_TF_CACHE_GB", 2) * GIGABYTE),
            visitor_training=False,  # where `panel serve` listens is not known here
            workers=int(_number("XAI_TF_WORKERS", 2, least=1)),
            limits=limits_of(_number("XAI_TF_MAX_UPLOAD", 200)),
            keep_seconds=60 * _number("XAI_TF_KEEP_UPLOADS", 10, least=0),
        )


def default_cache() -> Path:
    """The folder `xai-tf` in `XDG_CACHE_HOME` or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xai-tf"


def default_searches() -> tuple[Path, ...]:
    """The folder where `xai-tf tune` stores searches by default; it need not exist yet."""
    return (own_searches(),)


def limits_of(megabytes: float) -> Limits:
    """Limits for a maximum file size in megabytes; pictures may have at most 100 MB."""
    default, size = Limits(), int(megabytes * MEGABYTE)
    return Limits(size, min(size, default.picture_bytes), max(size, default.total_bytes))


def _folders(variable: str) -> tuple[Path, ...]:
    names = os.environ.get(variable, "").split(os.pathsep)
    return tuple(Path(name) for name in names if name)


def _number(variable: str, default: float, least: float = 0.001) -> float:
    text = os.environ.get(variable, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = 0.0
    if not least <= number < float("inf"):
        raise SettingError(
            f"Invalid value for {variable}: {text!r}. Expected a number of at least {least:g}."
        )
    return number

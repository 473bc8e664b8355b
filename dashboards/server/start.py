"""The service of a server, and the cache that is its own while it runs."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dashboards.files.uploads import clear_uploads, uploads_folder
from dashboards.server.settings import ServeSettings
from dashboards.service.catalogue import find_models
from dashboards.service.service import Service
from dashboards.service.store import answers_folder
from xai_tf.errors import SettingError


@lru_cache(maxsize=1)
def default_service() -> tuple[Service, ServeSettings]:
    """Of this process, by `XAI_TF_...` variables: for `panel serve dashboards/app.py`."""
    settings = ServeSettings.from_environment()
    models = find_models(settings.models)
    claim = claimed(settings.cache)
    claim.__enter__()  # until this process ends
    atexit.register(claim.__exit__, None, None, None)
    return start_service(settings, models), settings


@contextmanager
def claimed(cache: Path) -> Iterator[None]:
    """Keep a cache for one server; uploads are deleted at both ends, the first time of a dead one.

    Raises:
        SettingError: another server has it, or it cannot be written to.
    """
    lock = FileLock(cache / "server.lock")  # the system lets go of it, however we die
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SettingError(
            f"Another xai-tf server keeps its answers in {cache}. Stop it, or give --cache FOLDER."
        ) from error
    except OSError as error:
        raise SettingError(
            f"{cache} cannot be written to ({error.strerror}). Give --cache FOLDER."
        ) from error
    try:
        clear_uploads(cache)
        yield
    finally:
        clear_uploads(cache)
        lock.release()


def start_service(settings: ServeSettings, models: dict[str, Any]) -> Service:
    """The service that computes what the pages of a server ask."""
    scratch = uploads_folder(settings.cache)  # emptied at the next start, however this one ends
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Service(
        models,
        answers_folder(settings.cache),
        workers=settings.workers,
        store_bytes=settings.cache_bytes,
        scratch=scratch,
    )

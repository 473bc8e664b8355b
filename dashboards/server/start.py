"""Starting the service, and locking the cache of a server while it runs."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from filelock import FileLock, Timeout

from dashboards.files.uploads import clear_uploads, sweep_uploads, uploads_folder
from dashboards.server.addresses import visitors_train
from dashboards.server.settings import ServeSettings
from dashboards.service.catalogue import Catalogue
from dashboards.service.service import Service
from dashboards.service.store import answers_folder
from xai_tf.errors import SettingError

TRAININGS = "trainings"  # in the cache: what visitors had trained, with its logs
SWEEP_SECONDS = 30.0  # between two looks at the uploads whose time may be over


@lru_cache(maxsize=1)
def default_service() -> tuple[Service, ServeSettings]:
    """The service for `panel serve dashboards/app.py`, with settings from the environment."""
    settings = ServeSettings.from_environment()
    catalogue = Catalogue(settings.models)
    claim = claim_cache(settings)
    claim.__enter__()  # released when this process ends
    atexit.register(claim.__exit__, None, None, None)
    return start_service(settings, catalogue), settings


@contextmanager
def claim_cache(settings: ServeSettings) -> Iterator[None]:
    """Lock a cache for one server, and delete uploads when their time is over.

    Those of visitors who can come back are kept when the server stops, so that they outlive a
    restart.

    Raises:
        SettingError: another server uses the cache, or it is not writable.
    """
    cache, kept = settings.cache, (settings.keep_seconds, settings.limits.total_bytes)
    lock = FileLock(cache / "server.lock")  # the system releases it, however the process ends
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SettingError(
            f"Another xai-tf server uses the cache {cache}. Stop it, or use --cache FOLDER."
        ) from error
    except OSError as error:
        raise SettingError(
            f"Cannot write to {cache} ({error.strerror}). Use --cache FOLDER with another folder."
        ) from error
    stopped = threading.Event()
    period = min(SWEEP_SECONDS, max(settings.keep_seconds / 10, 0.1))

    def sweep() -> None:
        while not stopped.wait(period):
            sweep_uploads(cache, *kept)

    try:
        clear_uploads(cache, *kept)
        threading.Thread(target=sweep, daemon=True).start()
        yield
    finally:
        stopped.set()
        clear_uploads(cache, *kept)
        lock.release()


def start_service(settings: ServeSettings, catalogue: Catalogue) -> Service:
    """Start the service of a server, which follows the models of a catalogue."""
    scratch = uploads_folder(settings.cache)  # emptied at the next start in any case
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    service = Service(
        catalogue.models,
        answers_folder(settings.cache),
        workers=settings.workers,
        store_bytes=settings.cache_bytes,
        scratch=scratch,
        trainings=settings.cache / TRAININGS if visitors_train(settings) else None,
    )
    service.follow_models(catalogue.refresh)
    return service

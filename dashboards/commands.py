"""The `serve` command of the web app."""

from __future__ import annotations

import threading
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xai_tf.cli.app import SERVE, app
from xai_tf.cli.console import note
from xai_tf.errors import InputError
from xai_tf.packages import require_extra

if TYPE_CHECKING:
    from dashboards.server.server import Build
    from dashboards.server.settings import ServeSettings
    from dashboards.service.service import Service


Host = Annotated[str, typer.Option(help="Address to listen at.")]
Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port to listen at; 0 for any free port.")
]
OpenBrowser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")]
ModelFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--models",
        help="Folder of further models, beside the bundled ones and yours; can be repeated.",
    ),
]
DataFolders = Annotated[
    list[Path] | None,
    typer.Option("--data", help="Folder of labeled files for the Errors tab; can be repeated."),
]
SearchFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--searches",
        help="Folder of searches for the Tuning tab, which need not exist yet; can be repeated. "
        "Default: yours.",
    ),
]
BasicAuth = Annotated[
    str | None,
    typer.Option(
        metavar="FILE_OR_PASSWORD",
        envvar="XAI_TF_BASIC_AUTH",
        help="JSON file of names and passwords, or one password for everyone. Other users of this "
        "machine can see the command line, so a file or the variable is safer.",
    ),
]
Login = Annotated[
    bool,
    typer.Option("--login/--no-login", help="Whether other machines need a login to connect."),
]
CookieSecret = Annotated[
    str | None,
    typer.Option(
        envvar="XAI_TF_COOKIE_SECRET",
        help="Secret that signs logins. Default: a new random one at each start.",
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="Number of worker processes.")]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder for stored answers and uploads. Default: ~/.cache/xai-tf."),
]
CacheSize = Annotated[float, typer.Option(min=0.001, help="Maximum size of stored answers in GB.")]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(help="Additional name of this server, HOST or HOST:PORT; can be repeated."),
]
KeepUploads = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="MINUTES",
        help="How long uploads are kept for a visitor who comes back, as after a reload or a "
        "restart of this server; 0 deletes them with the page.",
    ),
]
VisitorModels = Annotated[
    bool | None,
    typer.Option(
        "--visitor-models/--no-visitor-models",
        help="Whether visitors may use models of their own, which are loaded without running code "
        "in them. Default: only with an address that other machines cannot reach.",
    ),
]
MaxModel = Annotated[
    float, typer.Option(min=0.001, help="Maximum size of all models of a visitor in MB.")
]
VisitorTraining = Annotated[
    bool | None,
    typer.Option(
        "--visitor-training/--no-visitor-training",
        help="Whether visitors may train and tune models on this machine, one at a time. Default: "
        "only with an address that other machines cannot reach.",
    ),
]
MaxUpload = Annotated[float, typer.Option(min=0.001, help="Maximum size of an upload in MB.")]


@app.command("serve", rich_help_panel=SERVE)
def serve_dashboard(
    host: Host = "127.0.0.1",
    port: Port = 5006,
    browser: OpenBrowser = True,
    models: ModelFolders = None,
    data: DataFolders = None,
    searches: SearchFolders = None,
    basic_auth: BasicAuth = None,
    login: Login = True,
    cookie_secret: CookieSecret = None,
    workers: Workers = 2,
    cache: Cache = None,
    cache_size: CacheSize = 2,
    allow_origin: AllowOrigin = None,
    max_upload: MaxUpload = 200,
    keep_uploads: KeepUploads = 10,
    visitor_models: VisitorModels = None,
    max_model: MaxModel = 500,
    visitor_training: VisitorTraining = None,
) -> None:
    """Serve the dashboard: explain, compare, analyze errors and follow searches in a browser."""
    require_extra("dashboard")
    from dashboards.server.server import serve

    settings = _settings(
        host=host,
        port=port,
        models=tuple(models or ()),
        data=_existing(data, "--data"),
        searches=tuple(folder.absolute() for folder in searches or ()),
        basic_auth=basic_auth,
        open_to_all=not login,
        cookie_secret=cookie_secret,
        workers=workers,
        cache=cache,
        cache_size=cache_size,
        origins=tuple(allow_origin or ()),
        max_upload=max_upload,
        keep_seconds=60 * keep_uploads,
        visitor_models=visitor_models,
        model_bytes=int(max_model * 1_000_000),
        visitor_training=visitor_training,
    )
    serve(settings, _load_app, partial(_announce, settings, browser))
    note(f"Stopped. {_uploads_left(settings)}")


def _load_app() -> Build:
    """Import the page, so that the first visitor need not wait for it."""
    from dashboards.app import create_app

    return create_app


def _settings(
    *,
    searches: tuple[Path, ...],
    basic_auth: str | None,
    cookie_secret: str | None,
    cache: Path | None,
    cache_size: float,
    max_upload: float,
    **options: Any,
) -> ServeSettings:
    """The settings of the server from the values of the options."""
    from dashboards.server import settings
    from dashboards.server.login import read_passwords

    if cookie_secret:  # otherwise the settings generate one
        options["cookie_secret"] = cookie_secret
    return settings.ServeSettings(
        searches=searches or settings.default_searches(),
        passwords={} if basic_auth is None else read_passwords(basic_auth),
        cache=(cache or settings.default_cache()).absolute(),
        cache_bytes=int(cache_size * settings.GIGABYTE),
        limits=settings.limits_of(max_upload),
        **options,
    )


def _announce(settings: ServeSettings, browser: bool, url: str, service: Service) -> None:
    """Print the URL of the running server, and open it in a browser if wanted."""
    from dashboards.server.addresses import is_loopback
    from dashboards.server.settings import GIGABYTE

    typer.echo(url)
    note(f"Models: {', '.join(service.models) or 'none; add some with --models FOLDER'}")
    size = settings.cache_bytes / GIGABYTE
    note(f"Answers are stored in {settings.cache} (at most {size:g} GB). Press Ctrl-C to stop.")
    if not is_loopback(settings.host):
        note("Passwords and files are sent unencrypted. Put a TLS proxy in front of this server.")
    if browser:  # in a thread, because a browser in the terminal would block the server
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _uploads_left(settings: ServeSettings) -> str:
    """What became of the uploads when the server stopped."""
    from dashboards.files.uploads import uploads_folder

    folder = uploads_folder(settings.cache)
    if not folder.exists():
        return "All uploads were deleted."
    return (
        f"Visitors find their uploads again if the server is back within "
        f"{settings.keep_seconds / 60:g} minutes; a later start deletes them. To delete them now, "
        f"delete {folder}."
    )


def _existing(folders: list[Path] | None, option: str) -> tuple[Path, ...]:
    for folder in folders or ():
        if not folder.is_dir():
            raise InputError(f"Invalid value for {option}: {folder}. Expected an existing folder.")
    return tuple(folder.absolute() for folder in folders or ())

"""The command of the web app: `serve`."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xai_tf.cli.app import SERVE, app
from xai_tf.cli.console import note
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from dashboards.service.service import Service


@app.command("serve", rich_help_panel=SERVE)
def serve_dashboard(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 5006,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    models: Annotated[
        list[Path] | None, typer.Option(help="A folder of further models; may be repeated.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of labelled files for the Errors tab; may be repeated."),
    ] = None,
    searches: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of searches; may be repeated. ./searches unless given."),
    ] = None,
    basic_auth: Annotated[
        str | None,
        typer.Option(
            metavar="FILE_OR_PASSWORD",
            envvar="XAI_TF_BASIC_AUTH",
            help="A JSON file of names and passwords, or the password of everyone. On the command "
            "line others on this machine can read it: better a file, or the variable.",
        ),
    ] = None,
    login: Annotated[
        bool, typer.Option("--login/--no-login", help="Let other machines in without a login.")
    ] = True,
    cookie_secret: Annotated[
        str | None,
        typer.Option(
            envvar="XAI_TF_COOKIE_SECRET", help="Signs logins; made up at each start unless given."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that compute.")] = 2,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for answers and uploads; ~/.cache/xai-tf.")
    ] = None,
    cache_size: Annotated[float, typer.Option(min=0.001, help="Of the answers, in GB.")] = 2,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="A further name of this server, HOST or HOST:PORT; may be repeated."),
    ] = None,
    max_upload: Annotated[float, typer.Option(min=0.001, help="Of a file, in MB.")] = 200,
) -> None:
    """Serve the dashboard: explain, compare, study errors and searches in a browser."""
    from dashboards.app import create_app  # now, not when the first visitor waits
    from dashboards.server import settings as known
    from dashboards.server.addresses import is_loopback
    from dashboards.server.login import read_passwords
    from dashboards.server.server import serve

    extra = {"cookie_secret": cookie_secret} if cookie_secret else {}
    settings = known.ServeSettings(
        host=host,
        port=port,
        models=tuple(models or ()),
        data=_folders(data, "--data"),
        searches=_folders(searches, "--searches") or known.default_searches(),
        passwords={} if basic_auth is None else read_passwords(basic_auth),
        open_to_all=not login,
        workers=workers,
        cache=(cache or known.default_cache()).absolute(),
        cache_bytes=int(cache_size * known.GIGABYTE),
        origins=tuple(allow_origin or ()),
        limits=known.limits_of(max_upload),
        **extra,
    )

    def ready(address: str, service: Service) -> None:
        typer.echo(address)
        note(f"Models: {', '.join(service.models) or 'none; give --models FOLDER'}")
        note(f"Answers are kept in {settings.cache}, at most {cache_size:g} GB. Ctrl-C stops.")
        if not is_loopback(host):
            note("Passwords and files travel unencrypted. Put a proxy with TLS before this server.")
        if browser:  # in a thread, since a browser of the terminal would hold up the server
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    serve(settings, create_app, ready)
    note("Stopped; uploads are deleted.")


def _folders(given: list[Path] | None, option: str) -> tuple[Path, ...]:
    for folder in given or ():
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder}. Give {option} a folder.")
    return tuple(folder.absolute() for folder in given or ())

"""Models are fetched from a server or a folder; what is not the card's file never takes a place."""

import shutil
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from weights_keras import FOLDER, ModelFileError, fetch, fetching, fingerprint, read_card

NAME = "brain_cnn"
MODEL, DETECTOR, CARD = (f"{NAME}{suffix}" for suffix in (".keras", ".ood.npz", ".md"))


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; `/cut/` ends the connection halfway, `/long/` never ends a file."""

    def do_GET(self):
        kind, _, name = self.path.strip("/").rpartition("/")
        if kind not in ("cut", "long"):
            super().do_GET()
            return
        with open(self.directory + "/" + name, "rb") as file:  # noqa: PTH123
            content = file.read()
        self.send_response(200)
        if kind == "cut":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if kind == "cut" else content + b"0" * 10**6)
        self.close_connection = True

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture(scope="module")
def server():
    """The address of a server of the models in this repository."""
    handler = partial(Handler, directory=str(FOLDER))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with the card of a model, but without its weights."""
    folder = tmp_path / "package"
    folder.mkdir()
    shutil.copy(FOLDER / CARD, folder)
    monkeypatch.setattr(fetching, "FOLDER", folder)
    return folder


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The user's folder of models."""
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path / "mine"))
    return tmp_path / "mine" / "models"


def stored(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_model_comes_from_a_server_whole_with_its_card_and_detector(server, package, mine):
    steps = []

    path = fetch(NAME, server, lambda *step: steps.append(step))

    assert path == mine / MODEL
    assert stored(mine) == [MODEL, CARD, DETECTOR]
    card = read_card(mine / CARD)
    assert fingerprint(path) == card.sha256
    assert fingerprint(mine / DETECTOR) == card.ood_sha256
    assert stored(package) == [CARD]
    totals = [total for _, total, what in steps if what.startswith(MODEL)]
    assert set(totals) == {card.size // 1000}
    assert [done for done, _, what in steps if what.startswith(MODEL)][-1] == card.size // 1000


def test_a_model_comes_from_a_folder(package, mine):
    fetch(NAME, str(FOLDER))

    assert stored(mine) == [MODEL, CARD, DETECTOR]


def test_a_model_that_is_here_is_not_fetched_again(package, mine):
    path = fetch(NAME, str(FOLDER))
    before = path.stat().st_mtime_ns

    assert fetch(NAME, "/nowhere").stat().st_mtime_ns == before


def test_a_model_that_comes_with_the_package_is_not_fetched(mine):
    assert fetch(NAME, "/nowhere") == FOLDER / MODEL
    assert stored(mine) == []


def refused(name, source):
    with pytest.raises(ModelFileError) as caught:
        fetch(name, source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_download_that_breaks_off_leaves_nothing(server, package, mine):
    told = refused(NAME, f"{server}/cut")

    assert f"{server}/cut/{MODEL} was interrupted after 4.7 MB" in told
    assert "Run the command again" in told
    assert stored(mine) == []


def test_a_file_that_is_longer_than_its_card_says_is_not_read_to_its_end(server, package, mine):
    assert "SHA-256 differs" in refused(NAME, f"{server}/long")
    assert stored(mine) == []


@pytest.mark.parametrize("changed", [MODEL, DETECTOR])
def test_a_file_that_is_not_the_one_of_the_card_leaves_nothing(package, mine, tmp_path, changed):
    source = tmp_path / "source"
    source.mkdir()
    for name in (MODEL, DETECTOR):
        shutil.copy(FOLDER / name, source)
    content = bytearray((source / changed).read_bytes())
    content[1000] ^= 1
    (source / changed).write_bytes(content)

    told = refused(NAME, str(source))

    assert f"{source / changed} is not the file that the card" in told
    assert "Nothing was stored" in told
    assert stored(mine) == []


@pytest.mark.parametrize(
    ("source", "cause", "next_step"),
    [
        ("http://127.0.0.1:9", "refused", "Check the connection, or give --from a folder"),
        ("{server}/absent", "answered 404", "Check --from or XAI_TF_MODELS_URL"),
        ("{tmp}/absent", "No such file", "Give --from the folder"),
        ("ftp://127.0.0.1", "Cannot fetch from ftp://127.0.0.1", "Give a folder, or an http"),
    ],
)
def test_what_cannot_be_reached_is_named_with_the_next_step(
    server, package, mine, tmp_path, source, cause, next_step
):
    told = refused(NAME, source.format(server=server, tmp=tmp_path))

    assert cause in told
    assert next_step in told
    assert stored(mine) == []


def test_another_model_of_the_user_with_that_name_is_left_as_it_is(server, package, mine):
    mine.mkdir(parents=True)
    (mine / MODEL).write_text("mine")

    assert f"{mine / MODEL} is another file" in refused(NAME, server)
    assert (mine / MODEL).read_text() == "mine"
    assert stored(mine) == [MODEL]


def test_a_card_without_a_hash_is_refused(package, mine):
    card = replace(read_card(package / CARD), sha256="")
    (package / CARD).write_text(card.to_markdown())

    assert "cannot be verified" in refused(NAME, str(FOLDER))


def test_a_folder_that_cannot_be_written_is_named(package, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XAI_TF_HOME", str(tmp_path / "file"))

    told = refused(NAME, str(FOLDER))

    assert f"Cannot write to {tmp_path / 'file' / 'models'}" in told
    assert "XAI_TF_HOME" in told

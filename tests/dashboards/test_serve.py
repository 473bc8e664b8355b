"""The server: who comes in, what they get, what it leaves behind, and how it says no."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import panel as pn
import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect

import dashboards.commands  # its command, which an entry point mounts where it is installed
from dashboards.files.uploads import Uploads, uploads_folder
from dashboards.server.addresses import allowed_hosts, browser_url, check_address, is_loopback
from dashboards.server.login import Throttle, read_passwords
from dashboards.server.request_guard import OPEN, STATIC
from dashboards.server.server import build_page, make_server
from dashboards.server.settings import ServeSettings
from dashboards.server.start import claim_cache
from dashboards.server.visitors import current_visitor
from dashboards.service.service import ProcessStatus, Status
from tests.conftest import ROOT
from tests.waiting import PATIENCE, eventually, patiently
from xai_tf.cli import main
from xai_tf.errors import SettingError

assert dashboards.commands
PASSWORDS = {"ann": "right one"}


class Still:
    """A service that computes nothing."""

    def __init__(self):
        self.states = ["idle", "busy"]

    def status(self):
        workers = tuple(ProcessStatus(4711, state, "Explain on secret") for state in self.states)
        return Status(workers, 3, 1, "CPU", 0)


class Site:
    """A server in a thread, and what it built."""

    def __init__(self, settings):
        self.settings, self.service, self.built = settings, Still(), 0
        self.uploads = []
        self.visitors = []
        started = threading.Event()

        def run():
            asyncio.set_event_loop(asyncio.new_event_loop())
            self.loop = IOLoop.current()
            self.server = make_server(settings, self.service, self.build)
            self.server.start()
            self.loop.add_callback(started.set)
            self.loop.start()
            self.server.stop()
            self.loop.close(all_fds=True)

        self.thread = threading.Thread(target=run)
        self.thread.start()
        assert started.wait(PATIENCE), "the server does not start"
        self.host = f"127.0.0.1:{self.server.port}"
        self.url = f"http://{self.host}"

    def build(self, service, settings):
        self.built += 1
        self.visitors.append(current_visitor())
        uploads = Uploads(uploads_folder(settings.cache))
        self.uploads.append(uploads.folder)
        pn.state.on_session_destroyed(lambda _: uploads.close())
        return pn.pane.Str("a page")

    def get(self, path="/", **options):
        return httpx.get(self.url + path, timeout=PATIENCE, **options)

    def connect(self, token="", origin=None, **headers):
        """Open the page's socket as a browser would, and close it."""

        async def attempt():
            request = HTTPRequest(
                self.url.replace("http", "ws") + "/ws",
                headers={"Origin": origin or self.url, **headers},
            )
            connection = await websocket_connect(request, subprotocols=["bokeh", token])
            first = await connection.read_message()
            connection.close()
            following = first
            while following is not None:  # until the server has hung up too
                following = await connection.read_message()
            return first

        return asyncio.run(patiently(attempt()))

    def close(self):
        self.loop.add_callback(self.loop.stop)
        self.thread.join(PATIENCE)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    cache = tmp_path_factory.mktemp("open")
    site = Site(ServeSettings(port=0, cache=cache, idle_seconds=PATIENCE))
    yield site
    site.close()


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    cache = tmp_path_factory.mktemp("locked")
    site = Site(ServeSettings(port=0, cache=cache, passwords=PASSWORDS, idle_seconds=PATIENCE))
    yield site
    site.close()


def test_a_page_that_cannot_be_built_says_so_without_a_traceback(caplog):
    def build(service, settings):
        raise RuntimeError("in /secret/place")

    shown = build_page(build, Still(), None)

    assert "Cannot build this page" in shown.object
    assert "secret" not in shown.object
    assert "/secret/place" in caplog.text


def paths_of(site):
    """A path for every pattern that the server answers."""
    patterns = [rule.matcher.regex.pattern for rule in site.server._tornado.wildcard_router.rules]
    return sorted({re.sub(r"\(.*\)", "x", p).replace("/?", "/").rstrip("$") for p in patterns})


def token_of(page):
    return re.search(r'"token":"([^"]+)"', page).group(1)


def log_in(site, name="ann", password="right one", **fields):
    form = {"name": name, "password": password, **fields}
    return httpx.post(f"{site.url}/login", data=form, timeout=PATIENCE)


def runs(pid):
    """Whether a process is there, and not only its entry in a table that nobody reads."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_page_comes_with_headers_that_keep_it_to_itself(site):
    answer = site.get()

    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert site.get("/static/js/bokeh.min.js").headers["X-Content-Type-Options"] == "nosniff"


def test_the_socket_of_a_page_opens(site):
    assert "ACK" in site.connect(token_of(site.get().text))


@pytest.mark.parametrize(
    "path",
    [
        "/liveness",
        "/liveness?endpoint=/",
        "/rest/session_info",
        "/rest/",
        "/admin",
        "/metadata",
        "/autoload.js?bokeh-autoload-element=x",
        "/login",
        "/logout",
        "/static",
        "//",
        "/ws/ws",
        "/%2e%2e/etc/passwd",
        "/app",
    ],
)
def test_what_is_no_part_of_the_page_is_not_there(site, path):
    before = site.built

    assert site.get(path).status_code == 404
    assert site.built == before


def test_static_files_stay_in_their_folders(site):
    for path in ("/static/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd"):
        assert site.get(path).status_code in (403, 404)


def test_a_component_that_is_not_loaded_is_not_imported(site):
    assert site.get("/components/this/d/__css__/x.css").status_code == 404
    assert "this" not in sys.modules


def test_without_login_only_the_login_health_and_static_files_answer(locked):
    paths = paths_of(locked)
    assert {"/", "/ws", "/metadata", "/autoload.js", "/healthz", "/login"} <= set(paths)

    for path in [*paths, "/?bokeh-session-id=x", "/rest/session_info", "/liveness?endpoint=/"]:
        answer = locked.get(path)
        allowed = STATIC.fullmatch(path) or OPEN.fullmatch(path)
        assert allowed or answer.status_code in (302, 403, 404), path
        assert "a page" not in answer.text
    assert locked.built == 0


def test_without_login_the_page_leads_to_the_login_and_back(locked):
    answer = locked.get("/?method=grad_cam", follow_redirects=True)

    assert answer.url.path == "/login"
    assert 'value="/?method=grad_cam"' in answer.text
    assert log_in(locked, next="/?method=grad_cam").headers["Location"] == "/?method=grad_cam"


def test_the_right_password_opens_the_page_and_its_socket(locked):
    cookie = log_in(locked).headers["Set-Cookie"]
    value = cookie.split(";")[0]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    page = locked.get(headers={"Cookie": value})
    assert page.status_code == 200
    assert value.split("=", 1)[1] not in page.text
    assert "ACK" in locked.connect(token_of(page.text), Cookie=value)


def test_a_socket_without_login_is_refused(locked):
    with pytest.raises(HTTPClientError) as caught:
        locked.connect("x")

    assert caught.value.code == 403


def test_a_made_up_cookie_opens_nothing(locked):
    right = log_in(locked).headers["Set-Cookie"].split(";")[0]
    for cookie in ("xai_tf_login=ann", right[:-2], right.replace("xai_tf_login", "user")):
        assert locked.get(headers={"Cookie": cookie}).status_code == 302


@pytest.mark.parametrize(
    "target", ["//evil.org", "https://evil.org/", r"/\evil.org", "javascript:alert(1)", "/\n"]
)
def test_the_login_leads_nowhere_else(locked, target):
    assert log_in(locked, next=target).headers["Location"] == "/"


def test_the_login_shows_markup_as_text(locked):
    text = locked.get("/login", params={"next": '/"><script>alert(1)</script>'}).text

    assert "<script" not in text


def test_the_login_is_in_the_language_of_the_browser(locked):
    french = {"Accept-Language": "fr-FR,fr;q=0.9,en;q=0.8"}

    asked = locked.get("/login", headers=french).text
    wrong = httpx.post(
        f"{locked.url}/login", data={"name": "x", "password": "y"}, headers=french, timeout=PATIENCE
    ).text

    assert '<html lang="fr">' in asked
    assert "Mot de passe" in asked
    assert "Nom ou mot de passe erroné" in wrong
    assert '<html lang="en">' in locked.get("/login").text


def test_after_five_wrong_passwords_even_the_right_one_waits(tmp_path, monkeypatch):
    monkeypatch.setattr("dashboards.server.login.Throttle", lambda: Throttle(lambda: 0.0))
    site = Site(ServeSettings(port=0, cache=tmp_path, passwords=PASSWORDS))
    try:
        wrong = [log_in(site, password=str(number)).status_code for number in range(5)]
        answer = log_in(site)
    finally:
        site.close()

    assert wrong == [401] * 5
    assert answer.status_code == 429
    assert 30 <= int(answer.headers["Retry-After"]) <= 31
    assert "Set-Cookie" not in answer.headers


def test_each_further_wrong_password_doubles_the_wait():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(4):
        throttle.fail("a")
    assert throttle.wait("a") == 0

    throttle.fail("a")
    assert throttle.wait("a") == 30
    throttle.fail("a")
    assert throttle.wait("a") == 60
    now[0] = 60
    assert throttle.wait("a") == 0
    assert throttle.wait("b") == 0
    throttle.succeed("a")
    throttle.fail("a")
    assert throttle.wait("a") == 0


def test_no_more_than_the_login_can_be_sent(locked):
    head = f"POST /login HTTP/1.1\r\nHost: {locked.host}\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", locked.server.port), PATIENCE) as visitor:
        visitor.sendall(head.encode())  # and no body: the announcement is enough

        assert visitor.recv(1000).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("origin", ["http://evil.org", "null", "http://127.0.0.1:1", "file://"])
def test_a_socket_from_elsewhere_is_refused(site, origin):
    token = token_of(site.get().text)

    with pytest.raises(HTTPClientError) as caught:
        site.connect(token, origin=origin)

    assert caught.value.code == 403


def test_a_session_that_the_server_did_not_make_is_refused(site):
    from bokeh.util.token import generate_jwt_token, generate_session_id

    before = site.built
    token = generate_jwt_token(generate_session_id(signed=False), signed=False)

    assert site.connect(token) is None
    assert site.get("/?bokeh-session-id=mine").status_code == 403
    assert site.built == before


@pytest.mark.parametrize("host", ["evil.org", "evil.org:80", "127.0.0.1", "localhost:1", ""])
def test_a_foreign_name_is_refused(site, host):
    before = site.built

    answer = site.get(headers={"Host": host})

    assert answer.status_code in (400, 403)
    assert site.built == before


def test_health_is_told_without_login_names_or_a_session(locked):
    before = locked.built

    answer = locked.get("/healthz", headers={"Host": "10.0.0.1"})

    assert answer.status_code == 200
    expected = {"ok": True, "workers": ["idle", "busy"], "waiting": 3, "running": 1}
    assert answer.json() == expected
    assert locked.built == before


def test_health_is_503_while_no_worker_works(site, monkeypatch):
    monkeypatch.setattr(site.service, "states", ["starting", "lost"])

    answer = site.get("/healthz")

    assert (answer.status_code, answer.json()["ok"]) == (503, False)


def test_a_page_in_need_learns_that_the_server_is_back(locked, monkeypatch):
    monkeypatch.setattr(locked.service, "states", ["starting"])

    answer = locked.get("/alive")

    assert (answer.status_code, answer.json()) == (200, {"alive": True})


def test_a_browser_is_known_by_a_secret_that_the_page_does_not_hold(site):
    with httpx.Client(base_url=site.url, timeout=PATIENCE) as ann:
        first = ann.get("/")
        (cookie,) = first.headers.get_list("set-cookie")
        again = ann.get("/")
        ann_is = site.visitors[-2:]
    site.get()

    secret = re.match(r"xai_tf_visitor=([\w-]{43});", cookie)[1]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "set-cookie" not in again.headers
    assert ann_is[0] == ann_is[1] != site.visitors[-1]
    assert all(re.fullmatch("[0-9a-f]{32}", visitor) for visitor in site.visitors)
    token = re.search(r'"token": ?"([\w-]+)', again.text)[1]
    held = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert secret not in again.text + held


def test_a_visitor_cannot_say_who_they_are(site):
    eve = {"xai_tf_uploads": "0" * 32, "xai_tf_visitor": "../../etc"}

    site.get(cookies=eve)

    assert site.visitors[-1] != eve["xai_tf_uploads"]
    assert re.fullmatch("[0-9a-f]{32}", site.visitors[-1])


def test_another_login_in_the_same_browser_is_another_visitor(tmp_path):
    both = {"ann": "right one", "bob": "other one"}
    site = Site(ServeSettings(port=0, cache=tmp_path, passwords=both, idle_seconds=PATIENCE))
    try:
        with httpx.Client(base_url=site.url, timeout=PATIENCE, follow_redirects=True) as client:
            for name, password in both.items():
                client.post("/login", data={"name": name, "password": password})
                client.get("/")
            ann, bob = site.visitors[0], site.visitors[-1]
            client.get("/logout")
            assert "xai_tf_visitor" not in client.cookies
    finally:
        site.close()

    assert ann != bob


def test_where_nothing_is_kept_nobody_is_known(tmp_path):
    site = Site(ServeSettings(port=0, cache=tmp_path, keep_seconds=0, idle_seconds=PATIENCE))
    try:
        assert "set-cookie" not in site.get().headers
    finally:
        site.close()

    assert site.visitors == [""]


def test_a_session_without_a_browser_is_dropped_with_its_uploads(tmp_path):
    site = Site(ServeSettings(port=0, cache=tmp_path, idle_seconds=0.5))
    try:
        site.get()
        eventually(lambda: not list(uploads_folder(tmp_path).iterdir()))
    finally:
        site.close()

    assert [folder.parent for folder in site.uploads] == [uploads_folder(tmp_path)]


def settings_at(tmp_path, **changes):
    return replace(ServeSettings(cache=tmp_path), **changes)


def test_a_port_that_is_taken_comes_with_one_that_is_free(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(
            SettingError, match=rf"Port {port} is already in use. Use --port \d+"
        ) as caught:
            check_address(settings_at(tmp_path, port=port))

    free = int(re.search(r"--port (\d+)", str(caught.value)).group(1))
    check_address(settings_at(tmp_path, port=free))


def test_other_machines_need_a_login_or_leave(tmp_path):
    everywhere = settings_at(tmp_path, host="0.0.0.0", port=0)

    with pytest.raises(SettingError, match=r"Set a login with --basic-auth .* --no-login"):
        check_address(everywhere)
    check_address(replace(everywhere, passwords=PASSWORDS))
    check_address(replace(everywhere, open_to_all=True))


def test_an_address_of_another_machine_is_told(tmp_path):
    with pytest.raises(SettingError, match=r"Cannot listen at 192.0.2.1: .* Use --host"):
        check_address(settings_at(tmp_path, host="192.0.2.1"))
    with pytest.raises(SettingError, match=r"Cannot listen at no.such.host.invalid"):
        check_address(settings_at(tmp_path, host="no.such.host.invalid"))


@pytest.mark.parametrize("origin", ["*", "http://a.org", "a.org:x", "a b", "", "*.a.org"])
def test_a_name_that_is_none_is_refused(tmp_path, origin):
    with pytest.raises(SettingError, match=r"--allow-origin: .* Expected HOST"):
        check_address(settings_at(tmp_path, origins=(origin,)))


def test_further_names_are_let_in(tmp_path):
    names = allowed_hosts(settings_at(tmp_path, origins=("XAI.example.org", "b.org:8443")), 5006)

    expected = {
        "127.0.0.1:5006",
        "localhost:5006",
        "xai.example.org:80",
        "xai.example.org:5006",
        "b.org:8443",
    }
    assert names == expected


def test_loopback_is_known_by_address():
    assert is_loopback("localhost")
    assert is_loopback("127.0.0.2")
    assert not is_loopback("0.0.0.0")
    assert browser_url(ServeSettings(host="0.0.0.0"), 80) == "http://localhost:80/"


def test_a_cache_is_for_one_server(tmp_path):
    with (
        claim_cache(settings_at(tmp_path)),
        pytest.raises(SettingError, match=r"Another xai-tf server .* use --cache"),
        claim_cache(settings_at(tmp_path)),
    ):
        pass
    with claim_cache(settings_at(tmp_path)):
        pass


def test_uploads_of_a_killed_server_are_gone_at_the_next_start(tmp_path):
    code = (
        "import sys; from pathlib import Path; from dashboards.server.start import claim_cache\n"
        "from dashboards.server.settings import ServeSettings\n"
        "from dashboards.files.uploads import Uploads, uploads_folder\n"
        "with claim_cache(ServeSettings(cache=Path(sys.argv[1]))):\n"
        "    uploads = Uploads(uploads_folder(Path(sys.argv[1])))\n"
        "    uploads.add('a.ogg', b'OggS'); print('there', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        server.stdout.readline()
        assert list(tmp_path.glob("uploads/*/*.ogg"))
        server.kill()
    assert list(tmp_path.glob("uploads/*/*.ogg"))

    with claim_cache(settings_at(tmp_path)):
        assert not list(tmp_path.glob("uploads/*"))


def test_passwords_come_from_a_file_or_are_one_for_all(tmp_path):
    file = tmp_path / "users.json"
    file.write_text(json.dumps(PASSWORDS))

    assert read_passwords(str(file)) == PASSWORDS
    assert read_passwords("open sesame") == {"": "open sesame"}
    for bad in ("[]", "{}", '{"ann": ""}', '{"": "x"}', '{"ann": 3}', "ann: x"):
        file.write_text(bad)
        with pytest.raises(SettingError, match=r"users\.json"):
            read_passwords(str(file))
    with pytest.raises(SettingError, match=r"--basic-auth: .* Expected an existing JSON file"):
        read_passwords(str(tmp_path / "none.json"))


def test_the_environment_says_it_all_for_panel_serve(monkeypatch, tmp_path):
    monkeypatch.setenv("XAI_TF_MODELS", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.setenv("XAI_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XAI_TF_MAX_UPLOAD", "50")

    settings = ServeSettings.from_environment()

    assert settings.models == (tmp_path, ROOT)
    assert settings.cache == tmp_path / "cache"
    assert settings.limits.picture_bytes == settings.limits.sound_bytes == 50_000_000
    monkeypatch.setenv("XAI_TF_WORKERS", "many")
    with pytest.raises(SettingError, match="XAI_TF_WORKERS: 'many'"):
        ServeSettings.from_environment()


def test_settings_keep_their_secrets():
    text = repr(ServeSettings(passwords=PASSWORDS, cookie_secret="sesame"))

    assert "right one" not in text
    assert "sesame" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "0.0.0.0", "--port", "0"), "Set a login with --basic-auth"),
        (("--models", "none", "--port", "0"), "Invalid value for --models: none."),
        (("--data", "none"), "Invalid value for --data: none. Expected an existing folder."),
        (("--basic-auth", "none.json"), "Expected an existing JSON file or a password"),
        (("--allow-origin", "*"), "Invalid value for --allow-origin"),
    ],
)
def test_the_command_refuses_in_a_line(monkeypatch, capsys, tmp_path, words, said):
    arguments = ["xai-tf", "serve", "--no-browser", "--cache", str(tmp_path), *words]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as caught:
        main()

    error = capsys.readouterr().err
    assert caught.value.code == 2
    assert said in error
    assert len(error.splitlines()) == 1


SERVE = """
import multiprocessing, sys
import panel as pn
import dashboards.commands, dashboards.server.server
from dashboards.files.uploads import Uploads, uploads_folder
from tests.waiting import eventually
from xai_tf.cli import main

def build(service, settings):
    Uploads(uploads_folder(settings.cache)).add("a.ogg", b"OggS")
    return pn.pane.Str("a page")

def load():
    eventually(multiprocessing.active_children)  # they start before the page is imported
    return build

if __name__ == "__main__":  # not in the workers, which import this again
    serve = dashboards.server.server.serve
    dashboards.server.server.serve = lambda settings, _, ready: serve(settings, load, ready)
    main()
"""


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_stopped_server_leaves_nothing(tmp_path, number):
    script = tmp_path / "serve.py"
    script.write_text(SERVE)
    words = ["serve", "--port", "0", "--no-browser", "--workers", "1", "--cache", tmp_path / "c"]
    with subprocess.Popen(
        [sys.executable, script, *words],
        cwd=tmp_path,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        try:
            url = server.stdout.readline().strip()
            assert httpx.get(url, timeout=PATIENCE).status_code == 200
            assert list(tmp_path.glob("c/uploads/*/*.ogg"))
            assert len(list(tmp_path.glob("c/uploads/visitor-*"))) == 2  # its own, and a visitor's
            tasks = Path(f"/proc/{server.pid}/task").glob("*/children")
            children = " ".join(task.read_text() for task in tasks).split()
            loaded = Path(f"/proc/{server.pid}/maps").read_text()
            server.send_signal(number)
            _, said = server.communicate(timeout=PATIENCE)
        finally:
            server.kill()

    assert server.returncode == 0
    assert "tensorflow" not in loaded
    assert "Models: " in said
    assert str(tmp_path / "c") in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("c/uploads/*"))
    assert children
    eventually(lambda: not any(runs(child) for child in children))


@pytest.mark.slow
def test_the_page_lives_under_its_own_policy(site):
    from playwright.sync_api import sync_playwright

    troubles = []
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.on("console", lambda m: m.type == "error" and troubles.append(m.text))
        page.on("request", lambda r: site.host not in r.url and troubles.append(r.url))
        page.goto(site.url)
        page.get_by_text("a page").wait_for()
        browser.close()

    assert troubles == []

"""The login: a page, a signed cookie, and a throttle for wrong passwords."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler, decode_signed_value

from dashboards.language import in_language, mark, t, wanted_language
from xai_tf.errors import SettingError

COOKIE = "xai_tf_login"
VISITOR_COOKIE = "xai_tf_visitor"  # a secret that only the browser and this server know
DAYS = 1
FREE_FAILURES = 5
MOST_ADDRESSES = 10_000
TOO_MANY = mark("Too many wrong passwords. Try again in {seconds} s.")
WRONG = mark("Wrong name or password. Try again, or contact the administrator of this server.")

PAGE = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
form {{ max-width: 20rem; margin: 15vh auto 0; padding: 0 1rem; display: grid; gap: .75rem }}
input, button {{ font: inherit; padding: .5rem; width: 100%; box-sizing: border-box }}
</style></head>
<body><main><form method="post" action="login">
<h1>xai-tf</h1>
<p role="alert">{problem}</p>
<input type="hidden" name="next" value="{next}">
<label>{name} <input name="name" autocomplete="username" autocapitalize="off"></label>
<label>{password} <input name="password" type="password" autocomplete="current-password"
required></label>
<button>{log_in}</button>
</form></main></body></html>"""


class Throttle:
    """Delays logins from an address: 30 s after five wrong passwords, doubled after each further.

    Args:
        clock: returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}  # count and last time, by address

    def wait(self, address: str) -> float:
        """Seconds until the next password is checked."""
        count, last = self._failures.get(address, (0, 0.0))
        if count < FREE_FAILURES:
            return 0.0
        pause = min(30.0 * 2 ** (count - FREE_FAILURES), 900.0)
        return max(0.0, last + pause - self._clock())

    def fail(self, address: str) -> None:
        """Record a wrong password."""
        count = self._failures.pop(address, (0, 0.0))[0]
        self._failures[address] = (count + 1, self._clock())
        if len(self._failures) > MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]

    def succeed(self, address: str) -> None:
        """Reset the address after a correct password."""
        self._failures.pop(address, None)


class LoginHandler(RequestHandler):
    """Asks for name and password, and sets the cookie that `logged_in` checks."""

    def initialize(self, passwords: Mapping[str, str], throttle: Throttle) -> None:
        """Receive the options of the route from Tornado."""
        self._passwords = passwords
        self._throttle = throttle

    def get(self) -> None:
        """Show the form."""
        self._ask(self.get_query_argument("next", "/"))

    def post(self) -> None:
        """Check the password."""
        address = self.request.remote_ip or ""
        target = self.get_body_argument("next", "/")
        if wait := self._throttle.wait(address):
            self.set_status(429)
            self.set_header("Retry-After", str(int(wait) + 1))
            self._ask(target, TOO_MANY, seconds=f"{wait:.0f}")
            return
        name = self.get_body_argument("name", "")
        if not _matches(self._passwords, name, self.get_body_argument("password", "", strip=False)):
            self._throttle.fail(address)
            self.set_status(401)
            self._ask(target, WRONG)
            return
        self._throttle.succeed(address)
        self.set_signed_cookie(
            COOKIE,
            name or "anyone",
            expires_days=DAYS,
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )
        self.redirect(_own_path(target))

    def _ask(self, target: str, problem: str = "", **values: str) -> None:
        """Send the form, in the language that the browser prefers, with what was wrong."""
        chosen = wanted_language({}, self.request.headers.get("Accept-Language", ""))
        with in_language(chosen):
            texts = {
                "title": t("xai-tf: log in"),
                "problem": t(problem, **values) if problem else "",
                "name": t("Name"),
                "password": t("Password"),
                "log_in": t("Log in"),
            }
        self.set_header("Cache-Control", "no-store")
        self.set_header("Vary", "Accept-Language")
        shown = {name: escape(text) for name, text in texts.items()}
        self.finish(PAGE.format(language=chosen, next=escape(_own_path(target)), **shown))


class LogoutHandler(RequestHandler):
    """Clears the cookies."""

    def get(self) -> None:
        """Log out, and show the login; the next visitor cannot come back to these uploads."""
        self.clear_cookie(COOKIE)
        self.clear_cookie(VISITOR_COOKIE)
        self.redirect("login")


def logged_in(request: HTTPServerRequest, secret: str) -> bool:
    """Whether a request has a cookie signed by `LoginHandler` that is at most one day old."""
    cookie = request.cookies.get(COOKIE)
    return bool(
        cookie and decode_signed_value(secret, COOKIE, cookie.value, max_age_days=DAYS) is not None
    )


def read_passwords(text: str) -> dict[str, str]:
    """The passwords by name, from the value of `--basic-auth`.

    Args:
        text: a JSON file of names and passwords, or one password for everyone (name "").

    Raises:
        SettingError: the file has another content, or the password is empty.
    """
    path = Path(text)
    if not path.is_file():
        if not text or path.suffix == ".json":
            raise SettingError(
                f"Invalid value for --basic-auth: {text!r}. Expected an existing JSON file or a "
                "password."
            )
        return {"": text}
    try:
        passwords = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError(
            f"Cannot read {path} as JSON: {error}. Fix the file, or give another one."
        ) from error
    if not (isinstance(passwords, dict) and passwords and all(passwords)) or not all(
        isinstance(password, str) and password for password in passwords.values()
    ):
        raise SettingError(
            f'Invalid content of {path}. Expected names and passwords, such as {{"ann": "secret"}}.'
        )
    return passwords


def _matches(passwords: Mapping[str, str], name: str, password: str) -> bool:
    """Compare in constant time, which reveals neither name nor password."""
    right = passwords.get("" if "" in passwords else name)
    same = hmac.compare_digest((right or "\0").encode(), password.encode())
    return same and right is not None


def _own_path(target: str) -> str:
    """The path to go to after the login; anything outside this server becomes "/"."""
    parts = urlsplit(target)
    own = target.startswith("/") and not (parts.scheme or parts.netloc or "\\" in target)
    return target if own and target.isprintable() else "/"

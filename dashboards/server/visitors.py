"""Visitors who come back: a cookie finds their uploads after a reload or a restart."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

from bokeh.server.tornado import BokehTornado
from panel.io.server import DocHandler

from dashboards.server.login import COOKIE as LOGIN
from dashboards.server.login import DAYS
from dashboards.server.login import VISITOR_COOKIE as COOKIE

# What is made of it stands in the session, which the page can read. A cookie of this name that a
# browser sends is replaced.
VISITOR = "xai_tf_uploads"
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


class VisitorPages(DocHandler):
    """Pages that know a visitor who comes back with the same browser and the same login."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Send the page, and the cookie at the first visit."""
        secret = self.get_cookie(COOKIE, "") or ""
        if not _FORM.fullmatch(secret):
            secret = secrets.token_urlsafe(32)
            # Without an end: it goes with the browser's session.
            https = self.request.protocol == "https"
            self.set_cookie(COOKIE, secret, httponly=True, samesite="Lax", secure=https)
        name = self.get_signed_cookie(LOGIN, max_age_days=DAYS) or b""
        # A hash, because it also names the folder: neither tells the secret.
        self.request.cookies[VISITOR] = hashlib.sha256(secret.encode() + name).hexdigest()[:32]
        await super().get(*args, **kwargs)


def know_visitors(application: BokehTornado) -> None:
    """Let a server's pages know who comes back; Panel has no option for it."""
    for rule in application.wildcard_router.rules:
        if rule.target is DocHandler:
            rule.target = VisitorPages


def current_visitor() -> str:
    """The visitor of the page that is being built; "" where they cannot come back."""
    import panel as pn

    return str(pn.state.cookies.get(VISITOR, ""))

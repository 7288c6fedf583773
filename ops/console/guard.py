"""Lets in only the person who started the console, on this machine.

A page on the Internet can make a browser send requests to 127.0.0.1. It cannot know the token, its
cookies are not sent along (SameSite=Strict), and a name that it makes resolve to 127.0.0.1 (DNS
rebinding) is not in the Host header that is accepted here.
"""

import re
import secrets
from urllib.parse import urlencode, urlsplit

from flask import Request, Response, redirect, request

LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost):(\d{1,5})")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No inline script or style, and nothing from another host."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With no-referrer a browser sends "Origin: null" with a form, which could not be checked.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """The request is not let in; the text says why, and what to do."""


class Guard:
    """Checks every request, and completes every answer."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self.csrf = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)

    def check(self) -> Response | None:
        """None if the request is let in; a redirect without the token, which becomes a cookie.

        Raises Refused.
        """
        host = LOOPBACK.fullmatch(request.host)
        if host is None:
            raise Refused("The console answers at 127.0.0.1 and localhost only.")
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            raise Refused("The request was made by a page that is not the console's.")
        if request.endpoint == "static":
            return None
        if request.method == "GET" and "token" in request.args:
            return self._admit(host[2])
        cookie = request.cookies.get(_cookie(host[2]), "")
        if not secrets.compare_digest(cookie.encode(), self._session.encode()):
            raise Refused("Open the console by the link that it printed when it was started.")
        if request.method not in ("GET", "HEAD"):
            self._check_form(request)
        return None

    def complete(self, response: Response) -> Response:
        """The answer with the headers that restrict what a browser does with it."""
        response.headers.update(HEADERS)
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    def _admit(self, port: str) -> Response:
        if not secrets.compare_digest(request.args["token"].encode(), self.token.encode()):
            raise Refused("The link is of a console that has ended. Use the one printed last.")
        rest = [(name, text) for name, text in request.args.items(multi=True) if name != "token"]
        path = urlsplit(request.path).path
        answer = redirect(f"{path}?{urlencode(rest)}" if rest else path)
        answer.set_cookie(_cookie(port), self._session, httponly=True, samesite="Strict")
        return answer  # type: ignore[return-value]  # werkzeug's, which Flask accepts

    def _check_form(self, form: Request) -> None:
        if "Origin" not in form.headers:
            raise Refused("The request does not say which page made it.")
        given = form.form.get("csrf", "")
        if not secrets.compare_digest(given.encode(), self.csrf.encode()):
            raise Refused("The page is of a console that has ended. Reload it and try again.")


def _cookie(port: str) -> str:
    """A name for each port: cookies are shared by all ports of a host."""
    return f"console_{port}"

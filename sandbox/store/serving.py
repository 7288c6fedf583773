"""An HTTP/1.1 server: keep-alive, one send per response, every connection closed at the end.

werkzeug's own handler sends head and body apart, which costs 40 ms with delayed acknowledgements,
and closes the connection after each response.
"""

import re
import selectors
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import Any
from wsgiref.types import WSGIApplication

from werkzeug import Request, Response
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

Answer = Callable[[Request], Response | None]
"""Answers a request; None closes the connection without a response."""

HANG_SECONDS = 60.0


LOCAL_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")


class LocalHandler(BaseHTTPRequestHandler):
    """Answers 403 to the requests that a page on the Internet can send to this machine.

    A browser adds the page's origin, or at least that the request is from another site. A page
    whose name resolves to 127.0.0.1 (DNS rebinding) is its own origin, but names another host.
    """

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        is_local = (
            LOCAL_HOST.fullmatch(self.headers.get("Host", "")) is not None
            and "Origin" not in self.headers
            and self.headers.get("Sec-Fetch-Site", "none") == "none"
        )
        if not is_local:
            self.send_error(HTTPStatus.FORBIDDEN, "Only for programs on this machine")
        return is_local


class Handler(LocalHandler, WSGIRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        body = Request(environ).get_data()
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        response = self.server.answer(Request(environ))
        if response is not None:
            self._send(response, environ)
        if response is None or self.close_connection:
            self.close_connection = True
            hang_up(self.connection)

    def _send(self, response: Response, environ: dict[str, Any]) -> None:
        """A body shorter than its Content-Length is a fault: the connection is closed after it."""
        headers, body = response.get_wsgi_headers(environ), response.get_data()
        if self.command == "HEAD":
            body = b""
        elif len(body) < int(headers.get("Content-Length", 0)):
            self.close_connection = True
        lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {text}" for name, text in headers)]
        self.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def log(self, *_: Any) -> None:
        """Log nothing: the store and the gate record their requests."""


class Server(ThreadedWSGIServer):
    """Serves on 127.0.0.1, in threads; port 0 takes a free one."""

    def __init__(self, port: int, answer: Answer, handler: type[Handler] = Handler) -> None:
        self.answer = answer
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__("127.0.0.1", port, Response(), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._connections.discard(request)
                self._changed.notify_all()

    def stop(self) -> None:
        """Stop listening, close every connection, and wait until its thread has ended."""
        self.shutdown()
        self._thread.join()
        with self._changed:
            for connection in self._connections:
                hang_up(connection)
            self._changed.wait_for(lambda: not self._connections, timeout=5.0)
        self.server_close()


def hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        """The client has closed it already."""


def forward(request: Request, app: WSGIApplication) -> Response:
    """The response of a WSGI application to a request, whose body may have been read before."""
    environ = {**request.environ, "wsgi.input": BytesIO(request.get_data())}
    return Response.from_app(app, environ, buffered=True)


def wait_until_closed(request: Request) -> None:
    """Return when the client or the server closes the connection, or after a minute."""
    with selectors.DefaultSelector() as selector:
        selector.register(request.environ["werkzeug.socket"], selectors.EVENT_READ)
        selector.select(HANG_SECONDS)

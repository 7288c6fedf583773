"""The wire: HTTP/1.1 with keep-alive, every answer in one send, every connection closed at the end.

An answer in two sends meets the delayed acknowledgement of the other side and takes 40 ms."""

import select
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.store.rendering import Answer, Request, phrase

HANG_SECONDS = 60.0


class Server(ThreadingHTTPServer):
    """Listens on this machine only."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, answer: Callable[[Request], Answer | None]) -> None:
        self.answer = answer
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), Handler)
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

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is no error of the store's; the rest is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop listening, close what is open, and wait for the threads to notice."""
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
        """The other side was faster."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {name.title(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body, self._wait)
        answer = self.server.answer(request)
        if answer is None or answer.cut:
            self.close_connection = True
        if answer is not None:
            self.wfile.write(_on_the_wire(answer))
        if self.close_connection:
            hang_up(self.connection)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_any

    def _wait(self) -> None:
        """A connection that closes, from either side, becomes readable."""
        select.select([self.connection], [], [], HANG_SECONDS)

    def log_message(self, format: str, *args: Any) -> None:
        """The store remembers its requests by itself."""


def _on_the_wire(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {phrase(answer.status)}"]
    if answer.status != 204:
        lines.append(f"Content-Type: {answer.content_type}")
        lines.append(f"Content-Length: {len(answer.body)}")
    if answer.cut:
        lines.append("Connection: close")
    lines.extend(f"{name}: {value}" for name, value in answer.headers.items())
    body = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

"""A DynamoDB that answers at once, for benchmarks of speed.

moto needs about 25 ms of processor time for the writes of one order, where DynamoDB needs a few
ms of waiting: with moto, the speed of moto would be measured. This one keeps what is put, adds
what an update sets, and checks no condition.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class QuickTable:
    """Tables by name, items by id, behind the parts of DynamoDB's API that replication uses."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        table = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].split(".")[1]
                body = json.dumps(getattr(table, operation)(request)).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
                self.wfile.write(head.encode() + body)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def PutItem(self, request: Any) -> Any:
        self.items[request["Item"]["id"]["N"]] = request["Item"]
        return {}

    def UpdateItem(self, request: Any) -> Any:
        self.items[request["Key"]["id"]["N"]]["moved"] = {"BOOL": True}
        return {}

    def BatchGetItem(self, request: Any) -> Any:
        return {"Responses": {name: [] for name in request["RequestItems"]}}

    def count(self) -> int:
        """Orders that were put and then updated."""
        return sum("moved" in item for item in self.items.values())

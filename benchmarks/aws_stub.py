"""A stub of AWS with a constant latency, for benchmarks that measure time.

moto needs about 25 ms of CPU time for the writes of one order and scans the whole queue for each
message, so a benchmark with moto would measure moto. The stub stores items and messages, but
evaluates no condition expressions and has no visibility timeout.
"""

import json
import threading
import time
from collections import Counter, deque
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from sandbox.stack import PARAMETERS, Secrets

LATENCY = 0.005
"""Seconds; DynamoDB and SQS respond within single-digit milliseconds."""

SAMPLE = 20
"""One order in this number is kept."""


class AwsStub:
    """Tables, queue and parameters of one stage, with the operations that the service uses."""

    def __init__(self, latency: float = LATENCY) -> None:
        self.latency = latency
        self.calls: Counter[str] = Counter()
        self.orders: dict[int, Any] = {}
        self.stored_at: dict[int, float] = {}
        """The time of the first put of each order, in epoch seconds."""
        self._moved: set[int] = set()
        self._visible: deque[dict[str, Any]] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, operation: str, request: Any) -> Any:
        """The response to an operation, after the latency."""
        time.sleep(self.latency)
        with self._lock:
            self.calls[operation] += 1
            return getattr(self, f"_{operation}")(request)

    @property
    def queued(self) -> int:
        """Messages in the queue."""
        return len(self._visible)

    @property
    def replicated(self) -> int:
        """Orders whose move was recorded."""
        return len(self._moved)

    def _PutItem(self, request: Any) -> Any:
        if request["TableName"].endswith("-orders"):
            order_id = int(request["Item"]["id"]["N"])
            if order_id % SAMPLE == 0:
                self.orders[order_id] = request["Item"]
            self.stored_at.setdefault(order_id, time.time())
        return {}

    def _UpdateItem(self, request: Any) -> Any:
        self._moved.add(int(request["Key"]["id"]["N"]))
        return {}

    def _BatchGetItem(self, request: Any) -> Any:
        return {"Responses": {name: [] for name in request["RequestItems"]}}

    def _Query(self, _: Any) -> Any:
        return {"Items": [], "Count": 0, "ScannedCount": 0}

    def _DeleteItem(self, _: Any) -> Any:
        return {}

    def _GetParameter(self, request: Any) -> Any:
        secrets = {PARAMETERS[name]: value for name, value in vars(Secrets()).items()}
        value = secrets[request["Name"].rsplit("/", 1)[1]]
        return {"Parameter": {"Name": request["Name"], "Type": "SecureString", "Value": value}}

    def _SendMessageBatch(self, request: Any) -> Any:
        sent = []
        for entry in request["Entries"]:
            digest = md5(entry["MessageBody"].encode(), usedforsecurity=False).hexdigest()
            number = str(self.calls["message"])
            self.calls["message"] += 1
            self._visible.append(
                {
                    "MessageId": number,
                    "ReceiptHandle": number,
                    "Body": entry["MessageBody"],
                    "MD5OfBody": digest,
                    "Attributes": {"ApproximateReceiveCount": "1"},
                }
            )
            sent.append({"Id": entry["Id"], "MessageId": number, "MD5OfMessageBody": digest})
        return {"Successful": sent, "Failed": []}

    def _ReceiveMessage(self, request: Any) -> Any:
        count = min(request["MaxNumberOfMessages"], len(self._visible))
        return {"Messages": [self._visible.popleft() for _ in range(count)]}

    def _DeleteMessage(self, _: Any) -> Any:
        return {}

    def _DeleteMessageBatch(self, request: Any) -> Any:
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler(aws: AwsStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].split(".")[1]
            body = json.dumps(aws.respond(operation, request)).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def log_message(self, *_: Any) -> None: ...

    return Handler

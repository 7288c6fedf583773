"""A stub of AWS with a constant latency, for benchmarks that measure time.

moto needs about 25 ms of CPU time for the writes of one order and scans the whole queue for each
message, so a benchmark with moto would measure moto. The stub stores replication records and
messages, but evaluates no condition expressions, and a message that is received stays invisible.
"""

import heapq
import json
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from sandbox.stack import PARAMETERS, Secrets

LATENCY = 0.005
"""Seconds; DynamoDB and SQS respond within single-digit milliseconds."""

SAMPLE = 20
"""One item in this number is kept whole; of the others, only the replication record is."""

SET = re.compile(r"(#[\w.#]+) = (:\w+)")
"""An assignment in an update expression."""


class AwsStub:
    """Tables, queues, parameters and bus of a stage, with the operations that the service uses."""

    def __init__(self, latency: float = LATENCY) -> None:
        self.latency = latency
        self.calls: Counter[str] = Counter()
        self.orders: dict[int, Any] = {}
        self.stored_at: dict[int, float] = {}
        """The time of the first put of each order, in epoch seconds."""
        self.written_at: dict[int, float] = {}
        """The time of the last put of each order, in epoch seconds."""
        self._records: dict[int, dict[str, Any]] = {}
        self._moved: set[int] = set()
        self._queues: defaultdict[str, list[tuple[float, int, dict[str, Any]]]] = defaultdict(list)
        """By queue, a heap of messages, each with the time at which it is visible."""
        self._received: dict[str, dict[str, Any]] = {}
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

    def queued(self, queue: str = "orders") -> int:
        """Messages in a queue, delayed ones included."""
        return len(self._queues[queue])

    def queue(self, queue: str, bodies: Iterable[str]) -> None:
        """Put messages into a queue."""
        with self._lock:
            for body in bodies:
                self._put_message(queue, body, 0)

    @property
    def replicated(self) -> int:
        """Orders whose move was recorded."""
        return len(self._moved)

    def _PutItem(self, request: Any) -> Any:
        if request["TableName"].endswith("-orders"):
            item, now = request["Item"], time.time()
            order_id = int(item["id"]["N"])
            if order_id % SAMPLE == 0:
                self.orders[order_id] = item
            self._records[order_id] = {n: item[n] for n in ("id", "status_id", "replication")}
            self.stored_at.setdefault(order_id, now)
            self.written_at[order_id] = now
        return {}

    def _UpdateItem(self, request: Any) -> Any:
        order_id = int(request["Key"]["id"]["N"])
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        sets, _, removals = request["UpdateExpression"].partition("REMOVE ")
        record = self._records[order_id]["replication"]["M"]
        for path, value in SET.findall(sets):
            name = names[path.rpartition(".")[2]]
            if path.startswith("#r."):
                record[name] = values[value]
            elif name == "status_id":
                self._records[order_id][name] = values[value]
        for path in filter(None, removals.split(", ")):
            record.pop(names[path.rpartition(".")[2]], None)
        if "moved_at" in record:
            self._moved.add(order_id)
        return {}

    def _BatchGetItem(self, request: Any) -> Any:
        found: dict[str, list[Any]] = {name: [] for name in request["RequestItems"]}
        for name, wanted in request["RequestItems"].items():
            if name.endswith("-orders"):
                ids = [int(key["id"]["N"]) for key in wanted["Keys"]]
                found[name] = [self._records[n] for n in ids if n in self._records]
        return {"Responses": found}

    def _GetItem(self, _: Any) -> Any:
        return {}

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
            message = self._put_message(
                _queue_of(request), entry["MessageBody"], entry.get("DelaySeconds", 0)
            )
            digest = message["MD5OfBody"]
            sent.append(
                {"Id": entry["Id"], "MessageId": message["MessageId"], "MD5OfMessageBody": digest}
            )
        return {"Successful": sent, "Failed": []}

    def _put_message(self, queue: str, body: str, delay: float) -> dict[str, Any]:
        number = str(self.calls["message"])
        self.calls["message"] += 1
        message = {
            "MessageId": number,
            "ReceiptHandle": number,
            "Body": body,
            "MD5OfBody": md5(body.encode(), usedforsecurity=False).hexdigest(),
            "Attributes": {"ApproximateReceiveCount": "1"},
        }
        heapq.heappush(self._queues[queue], (time.time() + delay, int(number), message))
        return message

    def _ReceiveMessage(self, request: Any) -> Any:
        messages, now = self._queues[_queue_of(request)], time.time()
        received: list[Any] = []
        while len(received) < request["MaxNumberOfMessages"] and messages and messages[0][0] <= now:
            received.append(heapq.heappop(messages)[2])
        self._received |= {message["ReceiptHandle"]: message for message in received}
        return {"Messages": received}

    def _ChangeMessageVisibilityBatch(self, request: Any) -> Any:
        for entry in request["Entries"]:
            message = self._received.pop(entry["ReceiptHandle"])
            self._put_message(_queue_of(request), message["Body"], entry["VisibilityTimeout"])
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def _GetQueueAttributes(self, request: Any) -> Any:
        count = self.queued(_queue_of(request))
        return {"Attributes": {"ApproximateNumberOfMessages": str(count)}}

    def _DeleteMessage(self, request: Any) -> Any:
        del self._received[request["ReceiptHandle"]]
        return {}

    def _DeleteMessageBatch(self, request: Any) -> Any:
        for entry in request["Entries"]:
            del self._received[entry["ReceiptHandle"]]
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def _PutEvents(self, request: Any) -> Any:
        self.calls["event"] += len(request["Entries"])
        return {
            "FailedEntryCount": 0,
            "Entries": [{"EventId": str(number)} for number in range(len(request["Entries"]))],
        }


def _queue_of(request: Any) -> str:
    """`orders` or `changes`."""
    return str(request["QueueUrl"]).rpartition("-")[2]


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

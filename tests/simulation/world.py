"""A world whose functions reach the store and AWS only through the gate, with their own clock."""

import json
import logging
import math
import os
import random
from datetime import UTC, datetime
from typing import Any

from sandbox.gate import Gate
from sandbox.pump import Pump
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.world import HOOKS, TOKEN_HEADER, World
from tests.simulation.history import History
from tests.simulation.receivers import RETRIES, Receiver
from tests.simulation.watch import Watch

STAGE = "simulated"
QUEUES = {"replicate": "orders", "follow": "changes"}
CLIENT_TIMEOUT = 30.0
"""Seconds for which the service waits for a response of the store."""

BEGINNING = datetime(2026, 1, 5, 8, tzinfo=UTC).timestamp()


class SkewedClock:
    """The clock of Lambda's machines, `ahead` seconds ahead of all others."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self.ahead = 0.0

    def time(self) -> float:
        return self._clock.time() + self.ahead

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class Log(logging.Handler):
    """Keeps every log line of the service with all its fields, and the names of its errors."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.errors: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {vars(record)}")
        if getattr(record, "event", "") == "order_returned":
            self.errors.append(vars(record)["error"].split(":")[0])


class SimulatedWorld(World):
    """A world that starts at a fixed time and records everything that happens."""

    clock: SimulatedClock

    def __init__(
        self,
        aws,
        *,
        seed=1,
        in_flight=1,
        quota=150,
        archived_answers="404",
        receivers=("up",),
        **settings,
    ) -> None:
        clock = SimulatedClock(BEGINNING, tick=0.0)
        store = Store(
            clock=clock,
            seed=seed,
            quota=quota,
            archived_answers=archived_answers,
            client_timeout=CLIENT_TIMEOUT,
        )
        settings.setdefault("MAX_IN_FLIGHT", str(in_flight))
        super().__init__(aws, STAGE, clock=clock, store=store, store_port=None, **settings)
        self.skew = SkewedClock(clock)
        self.gate = Gate(store.answer, aws.functions, self.skew)
        self.pump = Pump(self.stack, clock, self.gate, self.skew)
        self.history = History(store, self.gate)
        self.watch = Watch(self)
        self.log = Log()
        self.failures: list[Exception] = []
        """The errors with which polls and batches of messages failed."""
        self.mails: list[dict[str, Any]] = []
        self.bodies: list[str] = []
        """Bodies of all delivered messages."""
        self.accepted: set[int] = set()
        """Orders with a callback that was answered 200."""
        self.purged: set[int] = set()
        """Orders whose messages were deleted from a queue."""
        self.unheard: set[int] = set()
        """Orders that were archived while the callback of it was lost."""
        self.pauses: list[list[float]] = []
        """The beginning and the end of each pause of moves; the end is infinite until then."""
        self.moves = settings.get("MOVE_STATUS") != "false"
        self.moves_unpaid = settings.get("MOVE_UNPAID") != "false"
        self.channels = {int(n) for n in settings.get("CHANNEL_IDS", "").split(",") if n}
        self.shows_archived = archived_answers == "200"
        self._seed = seed
        self.receivers = {
            kind: Receiver(kind, random.Random(seed + n), clock) for n, kind in enumerate(receivers)
        }
        """The receivers of events, by the names of their destinations."""

    def __enter__(self):
        random.seed(self._seed)
        self.gate.__enter__()
        logger = logging.getLogger()
        self._level = logger.level
        logger.addHandler(self.log)
        logging.getLogger("chalicelib").setLevel(logging.DEBUG)
        super().__enter__()
        return self

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        self.gate.__exit__()
        logging.getLogger().removeHandler(self.log)

    def create_stack(self) -> None:
        """Empty the stack that the `aws` fixture has created, and add the receivers."""
        self.stack.empty()
        self.bus.forget()
        for name, receiver in self.receivers.items():
            self.stack.add_destination(name, url=receiver.url, retries=RETRIES.get(name, 185))
            self.bus.receivers[receiver.url] = receiver

    def configure(self, **settings) -> None:
        """Deploy the service with the URLs of the gate."""
        super().configure(
            **{
                "BIGCOMMERCE_API_URL": self.gate.store_url,
                "AWS_ENDPOINT_URL": self.gate.aws_url,
                **settings,
            }
        )
        # No client may look for credentials elsewhere.
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

    def deliver_webhooks(self):
        """Send every callback that is due, and record the orders that the service accepted."""
        attempts = self.store.deliver_webhooks()
        self.accepted |= {attempt.order_id for attempt in attempts if attempt.succeeded}
        return [attempt.status for attempt in attempts]

    def fire(self, container="poll"):
        """Run a poll now."""
        error = self.pump.poll(container)
        if error is not None:
            self.failures.append(error)
        return error

    def deliver(self, container="replicate 1"):
        """Deliver one batch; None when no message of the container's queue is visible."""
        if not self.stack.visible(QUEUES[container.split()[0]]):
            return None
        self.bodies += self.messages()
        batch = self.pump.deliver(container)
        if batch is not None and batch.error is not None:
            self.failures.append(batch.error)
        return batch

    def stream(self):
        """Publish one batch of the stream, if one is due, and deliver the events that are due."""
        published = self.pump.publish()
        if published is not None and published.error is not None:
            self.failures.append(published.error)
        self.bus.deliver()
        return published

    def unpublished(self) -> list[str]:
        """The bodies of the messages in the failure queue of publish_changes."""
        return self.stack.bodies("unpublished-events")

    def drain(self, consumers: int = 1) -> None:
        """Deliver every visible message, by one consumer of each queue."""
        while self.deliver() or self.deliver("follow 1"):
            pass

    def settle(self, consumers: int = 1) -> None:
        """Replicate and advance the time until both queues are empty."""
        self.drain()
        while (visible_at := self.stack.next_visible_at()) is not None:
            self.clock.advance(max(0.0, visible_at - self.clock.time()) + 0.002)
            self.drain()
        self.pump.evaluate_alarm()
        self.read_mail()

    def register_hooks(self) -> None:
        """Register the webhooks that are missing, as the operator does."""
        known = {hook.scope for hook in self.store.callbacks.hooks.values()}
        for scope, route in HOOKS.items():
            if scope not in known:
                self.store.register_hook(
                    scope=scope,
                    destination=f"{self.api_url}/{route}",
                    headers={TOKEN_HEADER: self.stack.secrets.webhook_token},
                )

    def purge(self, queue: str) -> None:
        """Delete every message of a queue."""
        self.bodies += self.messages()
        for body in self.stack.bodies(queue):
            self.purged.add(json.loads(body)["order_id"])
        self.stack.purge(queue)

    def pause(self) -> None:
        """Pause moves, as the command does."""
        key = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "pause"}}
        item = {**key, "reason": {"S": "a test"}}
        self.stack.dynamodb.put_item(TableName=self.stack.name("jobs"), Item=item)
        if not (self.pauses and self.pauses[-1][1] == math.inf):
            self.pauses.append([self.clock.time(), math.inf])

    def resume(self) -> None:
        key = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "pause"}}
        self.stack.dynamodb.delete_item(TableName=self.stack.name("jobs"), Key=key)
        if self.pauses and self.pauses[-1][1] == math.inf:
            self.pauses[-1][1] = self.clock.time()

    def read_mail(self) -> list[dict[str, Any]]:
        self.mails += self.mail()
        return self.mails

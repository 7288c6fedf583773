"""A world whose functions reach the store and AWS through the gate alone, by a clock of theirs."""

import logging
import os
import random
from datetime import UTC, datetime

import requests

from sandbox.gate import Gate
from sandbox.pump import Pump
from sandbox.stack import ACCOUNT
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.world import World
from tests.simulation.history import History

BEGINNING = datetime(2026, 1, 5, 8, tzinfo=UTC).timestamp()


class SkewedClock:
    """The clock of Lambda's machines, so many seconds ahead of everybody else's."""

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
    """Keeps what the service says: every line with all its facts, and the errors by name."""

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
    """A world that starts at the same moment every time, with everything that happens noted."""

    def __init__(
        self, aws, *, seed=1, in_flight=1, quota=150, archived_answers="404", **settings
    ) -> None:
        clock = SimulatedClock(BEGINNING, tick=0.0)
        store = Store(clock=clock, seed=seed, quota=quota, archived_answers=archived_answers)
        settings.setdefault("MAX_IN_FLIGHT", str(in_flight))
        super().__init__(aws, "simulated", clock=clock, store=store, **settings)
        self.skew = SkewedClock(clock)
        self.gate = Gate(store.answer, aws.functions, self.skew)
        self.pump = Pump(self.stack, clock, self.gate, self.skew)
        self.history = History(store, self.gate)
        self.log = Log()
        self.failures: list[Exception] = []
        """With which a poll or a batch of messages failed."""
        self.mails: list[dict] = []
        self.said: list[str] = []
        """Bodies of messages, kept to be looked through."""
        self.accepted: set[int] = set()
        """Orders of which a callback was answered 200."""
        self.moves = settings.get("MOVE_STATUS") != "false"
        self._seed = seed

    def __enter__(self):
        random.seed(self._seed)
        self.gate.__enter__()
        logger = logging.getLogger()
        self._level = logger.level
        logger.addHandler(self.log)
        logging.getLogger("chalicelib").setLevel(logging.DEBUG)
        requests.post(f"{self._aws.url}/moto-api/reset", timeout=60)
        super().__enter__()
        return self

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        self.gate.__exit__()
        logging.getLogger().removeHandler(self.log)

    def configure(self, **settings) -> None:
        """As everywhere, but by way of the gate."""
        super().configure(
            **{
                "BIGCOMMERCE_API_URL": self.gate.store_url,
                "AWS_ENDPOINT_URL": self.gate.aws_url,
                "ORDERS_QUEUE_URL": f"{self.gate.aws_url}/{ACCOUNT}/{self.stack.name('orders')}",
                **settings,
            }
        )
        # Whatever else reads the environment talks to nobody.
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

    def deliver_webhooks(self):
        """As everywhere; the orders of which the service took charge are remembered."""
        attempts = self.store.deliver_webhooks()
        self.accepted |= {attempt.order_id for attempt in attempts if attempt.succeeded}
        return [attempt.status for attempt in attempts]

    def fire(self, container="poll"):
        """Let the schedule fire now."""
        error = self.pump.poll(container)
        if error is not None:
            self.failures.append(error)
        return error

    def deliver(self, container="replicate 1"):
        """Deliver one batch; None when no message is visible."""
        self.said += self.messages()
        batch = self.pump.deliver(container)
        if batch is not None and batch.error is not None:
            self.failures.append(batch.error)
        return batch

    def drain(self) -> None:
        while self.deliver():
            pass

    def settle(self) -> None:
        """Replicate, and let time pass, until the queue is empty."""
        self.drain()
        while (visible_at := self.stack.next_visible_at()) is not None:
            self.clock.advance(max(0.0, visible_at - self.clock.time()) + 0.002)
            self.drain()
        self.pump.ring()
        self.read_mail()

    def read_mail(self) -> list[dict]:
        self.mails += self.mail()
        return self.mails

"""A random history: what shoppers, a merchant, forgers, AWS and the store do, from one seed.

The same seed makes the same history, call by call, as long as the code is the same: one request is
in flight at a time, and every random source is seeded.
"""

from random import Random
from typing import Any

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.simulation.oracle import state, violations
from tests.simulation.rest import INTERVAL, call_back, come_to_rest, once_more
from tests.simulation.weather import CHANGEABLE, FAIR, STORMY, Weather
from tests.simulation.world import SimulatedWorld

HOUR = 3600.0
LONGEST_OUTAGE = 6 * HOUR
STEPS = 35

KINDS = ("physical", "physical", "mixed", "digital", "gift_certificate")
BOUGHT = (Status.AWAITING_FULFILLMENT,) * 5 + (Status.AWAITING_PAYMENT, Status.COMPLETED)
UNFINISHED = (Status.INCOMPLETE, Status.PENDING, Status.SHIPPED)
BY_HAND = (
    *(Status.AWAITING_FULFILLMENT, Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT),
    *(Status.COMPLETED, Status.SHIPPED, Status.CANCELLED, Status.AWAITING_SHIPMENT),
    *(Status.AWAITING_PICKUP, Status.PENDING, Status.MANUAL_VERIFICATION_REQUIRED),
)
ROUTES = (
    *("*", "GET /orders*", "GET /orders", "GET /orders/*", "GET /orders/*/products"),
    *("GET /orders/*/coupons", "GET /orders/count", "PUT /orders/*", "PUT /orders/*"),
)
PASSED = (1.0, 10.0, 31.0, 200.0, 1100.0, HOUR, INTERVAL)


class RandomHistory:
    """The history of a seed. `story` lists its events, `wrong` the violations."""

    def __init__(self, aws, seed: int, in_flight: int = 1) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.story: list[str] = []
        self.wrong: list[str] = []
        self.poison: set[int] = set()
        settings = {"MOVE_STATUS": "false"} if self.rng.random() < 0.05 else {}
        self.world = SimulatedWorld(
            aws,
            seed=seed,
            in_flight=in_flight,
            quota=self.rng.choice((150, 150, 40)),
            archived_answers=self.rng.choice(("404", "200")),
            **settings,
        )
        self.weather = Weather(Random(seed + 1), self.record)
        self.reopens_at = 0.0
        self.is_inside = False

    def run(self) -> list[str]:
        """Run the history, bring it to rest, and return the violations."""
        with self.world as world:
            world.gate.script = self.weather
            self.shopper()
            for _ in range(STEPS):
                self.step()
            self.wrong += come_to_rest(world, self.poison)
            once_more(world)
            at_rest = state(world)
            once_more(world)
            self.wrong += violations(world, self.poison)
            if state(world) != at_rest:
                self.wrong.append("a second round changed something")
        return self.wrong

    @property
    def trace(self) -> list[Any]:
        """Everything that must be equal when the seed is run again."""
        calls = [(call.name, call.at, outcome) for call, outcome in self.world.gate.calls]
        return [*self.story, *calls]

    def record(self, line: str) -> None:
        self.story.append(line)

    def step(self) -> None:
        """One random event."""
        events = {
            self.shopper: 5,
            self.merchant: 6,
            self.time_passes: 8,
            self.callbacks_arrive: 6,
            self.callback_again: 3,
            self.forgery: 1,
            self.poll: 5,
            self.batch: 6,
            self.next_batch: 9,
            self.message_again: 2,
            self.change_of_weather: 4,
            self.store_in_trouble: 5,
            self.outage: 1,
            self.service_closed: 1,
            self.token: 1,
            self.other_apps: 1,
            self.deployment: 1,
            self.clocks_differ: 1,
            self.meanwhile: 6,
        }
        (event,) = self.rng.choices(list(events), list(events.values()))
        if self.reopens_at < self.world.clock.time():
            self.world.store.restore_token()
        event()

    def shopper(self) -> None:
        """One to three orders; a few can never be replicated, or were never new."""
        rng, store = self.rng, self.world.store
        is_silent = rng.random() < 0.3
        for _ in range(rng.randint(1, 3)):
            fields: dict[str, Any] = {}
            chance = rng.random()
            if chance < 0.01:
                fields = {"date_modified": "yesterday"}
            elif chance < 0.02:
                fields = {"loyalty": {"score": 10**40}}
            order_id = store.place_order(
                kind=rng.choice(KINDS),
                status=rng.choice(UNFINISHED if rng.random() < 0.2 else BOUGHT),
                lines=260 if rng.random() < 0.01 else None,
                via="api" if is_silent or rng.random() < 0.3 else "storefront",
                **fields,
            )
            if fields:
                self.poison.add(order_id)
            self.record(f"order {order_id} is placed {fields or ''}")
        if rng.random() < 0.2:
            store.skip_ids(300)
        self.world.history.note()

    def some_order(self) -> int:
        """Any order, most often one of the last three."""
        ids = self.world.store.order_ids()
        return self.rng.choice(ids[-3:] if self.rng.random() < 0.7 else ids)

    def merchant(self) -> None:
        """Moves, edits or archives an order."""
        store = self.world.store
        order_id = self.some_order()
        chance = self.rng.random()
        if order_id in self.poison:
            return
        if chance < 0.02:
            store.archive(order_id)
            self.record(f"the merchant archives order {order_id}")
        elif chance < 0.4:
            store.edit(order_id, staff_notes=f"note {self.rng.random():.6f}")
            self.record(f"the merchant edits order {order_id}")
        elif not store.book.version(order_id).archived:
            status = self.rng.choice(BY_HAND)
            store.set_status(order_id, status)
            self.record(f"the merchant sets order {order_id} to {int(status)}")
        self.world.history.note()

    def time_passes(self) -> None:
        seconds = self.rng.choice(PASSED) * (0.5 + self.rng.random())
        self.world.clock.advance(seconds)
        self.record(f"{seconds:.0f} s pass")

    def callbacks_arrive(self) -> None:
        answers = self.world.deliver_webhooks()
        self.record(f"callbacks: {answers}")

    def callback_again(self) -> None:
        """A duplicate, late and out of order."""
        order_id = self.some_order()
        for _ in range(self.rng.randint(1, 2)):
            self.record(f"a callback for order {order_id}: {call_back(self.world, order_id)}")

    def forgery(self) -> None:
        order_id = self.some_order()
        how = self.rng.choice(({"token": "guessed"}, {"token": ""}, {"secret": "guessed"}))
        answer = call_back(self.world, order_id, **how)
        self.record(f"a forged callback for order {order_id}: {answer}")
        if answer < 400:
            self.wrong.append(f"a forged callback for order {order_id} was answered {answer}")

    def poll(self) -> None:
        self.record(f"a poll: {self.world.fire()!r}")

    def batch(self) -> None:
        self.record(f"a batch: {self.world.deliver()}")

    def next_batch(self) -> None:
        """Wait until the next message of the queue is visible, and deliver it."""
        visible_at = self.world.stack.next_visible_at()
        if visible_at is not None:
            self.world.clock.advance(max(0.0, visible_at - self.world.clock.time()) + 0.002)
            self.batch()

    def message_again(self) -> None:
        """SQS may deliver a message more than once, also long ago delivered ones."""
        if self.world.bodies:
            body = self.rng.choice(sorted(set(self.world.bodies)))
            self.world.stack.sqs.send_message(QueueUrl=self.world.stack.queue_url, MessageBody=body)
            self.record(f"sent again: {body}")

    def change_of_weather(self) -> None:
        self.weather.rate = self.rng.choice((FAIR, FAIR, CHANGEABLE, STORMY))
        self.record(f"share of failing calls from now on: {self.weather.rate}")

    def store_in_trouble(self) -> None:
        fault = Fault(
            route=self.rng.choice(ROUTES),
            kind=self.rng.choice(
                ("status", "status", "html", "cut", "drop_before", "drop_after", "slow", "stale")
            ),
            status=self.rng.choice((429, 429, 500, 502, 503, 504)),
            headers=self.rng.random() < 0.5,
            retry_after=self.rng.choice((None, None, 7)),
            seconds=self.rng.choice((3.0, 25.0, 90.0, 175.0, 400.0)),
            skip=self.rng.randint(0, 4),
            times=self.rng.choice((1, 1, 2, 5, 12)),
        )
        self.world.store.faults.add(fault)
        self.record(f"{fault}")

    def outage(self) -> None:
        until = self.world.clock.time() + self.rng.random() * LONGEST_OUTAGE
        kind = self.rng.choice(("status", "html", "drop_before"))
        self.world.store.faults.add(
            Fault(route="*", kind=kind, status=503, times=None, until=until)
        )
        self.record(f"the store is down ({kind}) until {until:.0f}")

    def service_closed(self) -> None:
        service = self.rng.choice(("dynamodb", "sqs", "sns", "ssm"))
        until = self.world.clock.time() + self.rng.random() * HOUR
        self.weather.closed[service] = until
        self.record(f"{service} refuses every call until {until:.0f}")

    def token(self) -> None:
        self.world.store.revoke_token()
        self.reopens_at = self.world.clock.time() + self.rng.random() * 3 * HOUR
        self.record(f"the token is revoked until {self.reopens_at:.0f}")

    def other_apps(self) -> None:
        self.world.store.use_quota(self.rng.randint(20, 150))
        self.record("other apps use the quota")

    def deployment(self) -> None:
        self.world.pump.deploy()
        self.record("a deployment")

    def clocks_differ(self) -> None:
        self.world.skew.ahead = self.rng.uniform(-60, 60)
        self.record(f"Lambda's clock is {self.world.skew.ahead:.0f} s ahead")

    def meanwhile(self) -> None:
        """The merchant acts, or another function runs, in the middle of a call to the store."""
        action = self.rng.choice((self.merchant, self.merchant, self.overlap))
        after = self.rng.randint(0, 12)
        self.weather.meanwhile.append((after, action))
        self.record(f"in the middle of a call to the store, after {after} calls: {action.__name__}")

    def overlap(self) -> None:
        """A second poll, or a second consumer with a message that is delivered twice."""
        if self.is_inside:
            return
        self.is_inside = True
        if self.rng.random() < 0.3:
            self.record(f"  meanwhile a poll: {self.world.fire('poll 2')!r}")
        else:
            self.message_again()
            self.record(f"  meanwhile a batch: {self.world.deliver('replicate 2')}")
        self.is_inside = False


def simulate(aws, seed: int, in_flight: int = 1) -> RandomHistory:
    """Run the history of a seed and return it."""
    history = RandomHistory(aws, seed, in_flight)
    history.run()
    return history

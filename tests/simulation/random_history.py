"""A random history: what shoppers, a merchant, forgers, AWS and the store do, from one seed.

The same seed makes the same history, call by call, as long as the code is the same: one request is
in flight at a time, and every random source is seeded.
"""

import json
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

from click.testing import CliRunner

from chalicelib.reading import is_compared
from ops.__main__ import main
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.simulation.oracle import state, violations
from tests.simulation.receivers import KINDS as KINDS_OF_RECEIVERS
from tests.simulation.rest import INTERVAL, call_back, come_to_rest, once_more
from tests.simulation.weather import CHANGEABLE, FAIR, STORMY, Weather
from tests.simulation.world import STAGE, SimulatedWorld

HOUR = 3600.0
FIRST_COMPARED = next(order_id for order_id in count(110) if is_compared(order_id))
"""The id of an order whose lists are read both ways."""
LONGEST_OUTAGE = 6 * HOUR
STEPS = 35

KINDS = (
    *("physical", "physical", "mixed", "digital", "gift_certificate"),
    *("pickup", "partial_pickup"),
)
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
    *("GET /orders/*/shipments", "GET /orders/payment_actions/refunds"),
)
SETTINGS: tuple[dict[str, str], ...] = (
    *({}, {}, {}, {}, {}, {}),
    *({"MOVE_STATUS": "false"}, {"MOVE_UNPAID": "false"}, {"CHANNEL_IDS": "1"}),
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
        self.quiet: set[int] = set()
        """Orders with a change of which only a callback tells."""
        settings = dict(self.rng.choice(SETTINGS))
        settings["EMBEDDED_READS"] = self.rng.choice(("true", "false"))
        self.world = SimulatedWorld(
            aws,
            seed=seed,
            in_flight=in_flight,
            quota=self.rng.choice((150, 150, 40)),
            archived_answers=self.rng.choice(("404", "200")),
            receivers=KINDS_OF_RECEIVERS,
            **settings,
        )
        if self.rng.random() < 0.5:
            self.world.store.skip_ids(FIRST_COMPARED - self.rng.randint(0, 2) - 100)
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
            at_rest = state(world)
            self.wrong += once_more(world, self.poison)
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
            self.merchant: 8,
            self.bulk_edit: 1,
            self.operator: 2,
            self.pause: 1,
            self.purge: 1,
            self.hooks_are_lost: 1,
            self.time_passes: 8,
            self.callbacks_arrive: 6,
            self.callback_again: 3,
            self.forgery: 1,
            self.poll: 5,
            self.batch: 6,
            self.next_batch: 9,
            self.stream: 8,
            self.receiver_is_down: 2,
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
                lines=rng.choice((51, 260)) if rng.random() < 0.02 else None,
                channel_id=1 if rng.random() < 0.8 else 2,
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
        """Changes an order in one of the ways in which people change orders."""
        order_id = self.some_order()
        if order_id in self.poison or self.is_archived(order_id):
            return
        deeds = {
            self.edit: 6,
            self.change_lines: 4,
            self.set_status: 12,
            self.ship: 3,
            self.change_shipment: 1,
            self.refund: 2,
            self.archive: 1,
        }
        (deed,) = self.rng.choices(list(deeds), list(deeds.values()))
        deed(order_id)
        self.world.history.note()

    def is_archived(self, order_id: int) -> bool:
        return bool(self.world.store.book.version(order_id).archived)

    def edit(self, order_id: int) -> None:
        note = f"note {self.rng.random():.6f}"
        self.world.store.edit(order_id, staff_notes=note)
        self.record(f"the merchant edits order {order_id}: {note}")

    def change_lines(self, order_id: int) -> None:
        """Adds a line, or removes or changes the last; all without another edit of the order."""
        store, rng = self.world.store, self.rng
        lines = store.parts(order_id)["products"]
        how = rng.choice(("add", "change", "remove"))
        if how == "add" or len(lines) < 2:
            store.add_line(order_id, price=f"{rng.randint(1, 99)}.00")
        elif how == "change":
            store.change_line(order_id, lines[-1]["id"], quantity=lines[-1]["quantity"] + 1)
        else:
            store.remove_line(order_id, lines[-1]["id"])
        self.record(f"the merchant changes the lines of order {order_id}: {how}")

    def set_status(self, order_id: int) -> None:
        status = self.rng.choice(BY_HAND)
        self.world.store.set_status(order_id, status)
        self.record(f"the merchant sets order {order_id} to {int(status)}")

    def ship(self, order_id: int) -> None:
        """Ships what is left, or one piece of it."""
        lines = self.world.store.parts(order_id)["products"]
        left = {
            line["id"]: line["quantity"] - line["quantity_shipped"] - line["quantity_refunded"]
            for line in lines
            if line["type"] == "physical" and not line["order_pickup_method_id"]
        }
        left = {line_id: number for line_id, number in left.items() if number > 0}
        if not left:
            return
        items = dict([next(iter(left.items()))]) if self.rng.random() < 0.5 else None
        self.world.store.ship(order_id, items, tracking_number=f"T{self.rng.randint(1, 999)}")
        self.record(f"the merchant ships order {order_id}: {items or 'all'}")

    def change_shipment(self, order_id: int) -> None:
        """Only a callback tells of it: the order and its date stay as they are."""
        shipments = self.world.store.parts(order_id)["shipments"]
        if not shipments or not self.hears("store/shipment/*"):
            return
        number = f"T{self.rng.randint(1, 999)}"
        self.world.store.change_shipment(order_id, shipments[-1]["id"], tracking_number=number)
        self.quiet.add(order_id)
        self.record(f"the merchant changes the tracking number of order {order_id}")

    def refund(self, order_id: int) -> None:
        order = self.world.store.order(order_id)
        left = float(order["total_inc_tax"]) - float(order["refunded_amount"])
        if left < 1:
            return
        amount = None if self.rng.random() < 0.5 else "1.00"
        self.world.store.refund(order_id, amount)
        self.record(f"the merchant refunds order {order_id}: {amount or 'all'}")

    def archive(self, order_id: int) -> None:
        self.world.store.archive(order_id)
        if not self.hears("store/order/archived"):
            self.world.unheard.add(order_id)
        self.quiet.add(order_id)
        self.record(f"the merchant archives order {order_id}")

    def hears(self, scope: str) -> bool:
        return any(h.scope == scope for h in self.world.store.callbacks.hooks.values())

    def bulk_edit(self) -> None:
        """A tag on every order, in one second."""
        for order_id in self.world.store.order_ids():
            if order_id not in self.poison and not self.is_archived(order_id):
                self.world.store.edit(order_id, staff_notes=f"tag {self.rng.random():.6f}")
        self.world.history.note()
        self.record("the merchant edits all orders")

    def operator(self) -> None:
        """Runs a command, or returns the messages of the dead-letter queues to their queues."""
        order_id = self.some_order()
        deeds = {"replay": 3, "retry": 4, "redrive": 3, "backfill": 3, "forget": 1}
        (deed,) = self.rng.choices(list(deeds), list(deeds.values()))
        self.record(f"the operator: {deed} {order_id}")
        if deed == "redrive":
            for queue in ("orders", "changes"):
                self.redrive(queue)
        elif deed in ("replay", "retry"):
            self.send(order_id, deed)
        elif deed == "backfill":
            until = self.world.clock.now() + timedelta(seconds=1)
            span = ("--since", "2026-01-01T00:00:00Z", "--until", until.isoformat())
            self.command("backfill", *span)
        elif order_id not in self.poison:
            self.command("forget", "--order", str(order_id))

    def command(self, *arguments: str) -> None:
        """An operator's command, on a machine whose time is the store's."""
        given = ["--stage", STAGE, *arguments, "--yes"]
        result = CliRunner().invoke(main, given, obj=self.world.clock)
        is_defect = result.exception and not isinstance(result.exception, SystemExit)
        if is_defect:
            self.wrong.append(f"{arguments}: {result.exception!r}")
        self.record(f"  ended with {result.exit_code}")

    def send(self, order_id: int, source: str) -> None:
        now = self.world.clock.now().isoformat()
        body = json.dumps({"order_id": order_id, "source": source, "queued_at": now})
        self.world.stack.sqs.send_message(QueueUrl=self.world.stack.queue_url, MessageBody=body)

    def redrive(self, queue: str) -> None:
        sqs, stack = self.world.stack.sqs, self.world.stack
        url = stack.url_of(f"{queue}-dead-letters")
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            sqs.send_message(QueueUrl=stack.url_of(queue), MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def pause(self) -> None:
        """Moves are paused, or resumed."""
        is_pause = self.rng.random() < 0.5
        (self.world.pause if is_pause else self.world.resume)()
        self.record(f"moves are {'paused' if is_pause else 'resumed'}")

    def purge(self) -> None:
        """Somebody deletes every message of a queue."""
        queue = self.rng.choice(("orders", "changes"))
        bodies = self.world.stack.bodies(queue)
        if any(json.loads(body)["order_id"] in self.quiet for body in bodies):
            return
        self.world.purge(queue)
        self.record(f"the messages of {queue} are deleted: {len(bodies)}")

    def hooks_are_lost(self) -> None:
        """The API account is replaced: its hooks and their callbacks are gone."""
        for callback in self.world.store.pending_callbacks:
            if getattr(callback, "order_id", None) in self.quiet:
                return
        self.world.store.lose_hooks()
        self.record("the webhooks are lost")

    def time_passes(self) -> None:
        seconds = self.rng.choice(PASSED) * (0.5 + self.rng.random())
        self.world.clock.advance(seconds)
        self.world.bus.deliver()
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
        self.record(f"a batch of changes: {self.world.deliver('follow 1')}")

    def next_batch(self) -> None:
        """Wait until the next message of a queue is visible, and deliver it."""
        visible_at = self.world.stack.next_visible_at()
        if visible_at is not None:
            self.world.clock.advance(max(0.0, visible_at - self.world.clock.time()) + 0.002)
            self.world.bus.deliver()
            self.batch()

    def stream(self) -> None:
        self.record(f"the stream: {self.world.stream()}")

    def receiver_is_down(self) -> None:
        receiver = self.world.receivers["down"]
        hours = self.rng.choice((1, 5, 30)) * self.rng.random()
        receiver.down_until = self.world.clock.time() + hours * HOUR
        self.record(f"a receiver is down for {hours:.1f} hours")

    def message_again(self) -> None:
        """SQS may deliver a message more than once, also long ago delivered ones."""
        if self.world.bodies:
            body = self.rng.choice(sorted(set(self.world.bodies)))
            url = self.world.stack.url_of(self.rng.choice(("orders", "changes")))
            self.world.stack.sqs.send_message(QueueUrl=url, MessageBody=body)
            self.record(f"sent again: {body}")

    def change_of_weather(self) -> None:
        self.weather.rate = self.rng.choice((FAIR, FAIR, CHANGEABLE, STORMY))
        self.record(f"share of failing calls from now on: {self.weather.rate}")

    def store_in_trouble(self) -> None:
        fault = Fault(
            route=self.rng.choice(ROUTES),
            kind=self.rng.choice(
                (
                    *("status", "status", "html", "cut", "drop_before", "drop_after"),
                    *("slow", "late", "drip", "stale", "short", "embedded"),
                )
            ),
            status=self.rng.choice((429, 429, 500, 502, 503, 504, 403, 409, 408, 520, 400)),
            embedded=self.rng.random() < 0.25,
            limit=self.rng.choice((0, 1, 50)),
            stubs=self.rng.random() < 0.3,
            warns=self.rng.random() < 0.5,
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
        service = self.rng.choice(("dynamodb", "sqs", "sns", "ssm", "events"))
        until = self.world.clock.time() + self.rng.random() * HOUR
        self.weather.closed[service] = until
        self.record(f"{service} refuses every call until {until:.0f}")

    def token(self) -> None:
        self.world.store.revoke_token(self.rng.choice((401, 403)))
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
        """Something else happens in the middle of a call to the store."""
        action = self.rng.choice((self.merchant, self.merchant, self.overlap, self.pause))
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
            container = self.rng.choice(("replicate 2", "follow 2"))
            self.record(f"  meanwhile a batch: {self.world.deliver(container)}")
        self.is_inside = False


def simulate(aws, seed: int, in_flight: int = 1) -> RandomHistory:
    """Run the history of a seed and return it."""
    history = RandomHistory(aws, seed, in_flight)
    history.run()
    return history

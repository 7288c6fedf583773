"""The journeys in which every call is made to fail: their preparation, and the faulty part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.reading import is_compared
from sandbox.gate import PASSES
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.simulation.faults import Single
from tests.simulation.rest import INTERVAL, call_back, deliver_callbacks
from tests.simulation.world import SimulatedWorld

RECEIVES = 20
"""Receives after which a message is moved to the dead-letter queue."""


@dataclass(frozen=True)
class Journey:
    """`act` is run with a fault; `prepare` returns the ids of orders that cannot be replicated.

    `consumes`: a consumer reads orders in it.
    """

    name: str
    prepare: Callable[[SimulatedWorld], Any]
    act: Callable[[SimulatedWorld], Any]
    is_poisoned: bool = False
    consumes: bool = True


def several_kinds(world):
    place = world.store.place_order
    for kind, status in (
        ("physical", Status.AWAITING_FULFILLMENT),
        ("mixed", Status.AWAITING_PAYMENT),
        ("digital", Status.COMPLETED),
        ("gift_certificate", Status.AWAITING_FULFILLMENT),
        ("physical", Status.COMPLETED),
        ("physical", Status.PENDING),
        ("physical", Status.SHIPPED),
    ):
        place(kind=kind, status=status, via="api", lines=2)
    world.store.archive(place(via="api"))


def sold_since(world):
    """A first poll, and a warm consumer."""
    world.store.place_order(via="api")
    world.fire()
    world.settle()
    world.clock.advance(INTERVAL)


def one_more(world):
    sold_since(world)
    world.store.place_order(via="api")


def queued(world, **order):
    world.store.place_order(**order)
    world.deliver_webhooks()


def two_queued(world):
    for kind in ("mixed", "physical"):
        world.store.place_order(kind=kind, coupons=1)
    world.deliver_webhooks()


def died_after(name):
    """Two orders queued, and a consumer that died after its first call of a name."""

    def prepare(world):
        two_queued(world)
        world.gate.script = Single("dies after it", name=name)
        world.deliver()
        world.clock.advance(1081)
        world.gate.script = lambda call: PASSES

    return prepare


def died_and_changed(name, change):
    """As above, and a person changed the first order before its message was visible again."""

    def prepare(world):
        died_after(name)(world)
        change(world.store, world.store.order_ids()[0])
        world.history.note()

    return prepare


def unconfirmed(world):
    """The store moved the order and closed the connection, on every attempt."""
    queued(world)
    world.store.faults.add(Fault(route="PUT /orders/*", kind="drop_after", times=None))
    world.deliver()
    world.store.faults.clear()
    world.clock.advance(221)


def read_long_ago(world):
    """Reading the coupons takes so long that the order has to be read again."""
    queued(world, coupons=1)
    world.store.faults.add(Fault(route="GET /orders/*/coupons", kind="slow", seconds=25))


def token_revoked(world):
    two_queued(world)
    world.store.revoke_token()


def token_revoked_before_poll(world):
    world.store.place_order(via="api")
    world.store.revoke_token()


def out_of_time(world):
    for status in (Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT):
        world.store.place_order(status=status, via="api", lines=1)
    world.store.faults.add(Fault(route="GET /orders", kind="slow", seconds=850, times=1))


def two_polls(world):
    """The first poll has time for one page only."""
    world.fire()
    world.clock.advance(INTERVAL)
    world.fire()


def archived(receives):
    """A message about an archived order, received this many times before."""

    def prepare(world):
        queued(world)
        world.store.archive(world.store.order_ids()[-1])
        received(world, receives)

    return prepare


def received(world, times):
    """Receive every message this many times, and make it visible again."""
    for _ in range(times):
        answer = world.stack.sqs.receive_message(
            QueueUrl=world.stack.queue_url, MaxNumberOfMessages=10
        )
        for message in answer.get("Messages", []):
            world.stack.sqs.change_message_visibility(
                QueueUrl=world.stack.queue_url,
                ReceiptHandle=message["ReceiptHandle"],
                VisibilityTimeout=0,
            )
        world.clock.advance(0.01)


def poisoned(world):
    queued(world, date_modified="yesterday")
    received(world, RECEIVES - 2)
    return {world.store.order_ids()[-1]}


def settle_and_evaluate_alarm(world):
    world.settle()
    world.pump.evaluate_alarm()


def twice_in_a_batch(world):
    """The same order from both sources."""
    queued(world)
    world.fire()


def switched_off(world):
    """BigCommerce has deactivated a webhook, and an order was placed without its callback."""
    hook_id = min(world.store.callbacks.hooks)
    world.store.callbacks.change(hook_id, is_active=False)
    world.store.place_order()


def hooks_lost(world):
    world.store.lose_hooks()
    world.store.place_order()


def changed(*deeds):
    """An order that is stored and moved, and was then changed in these ways."""

    def prepare(world):
        queued(world, lines=2, coupons=1, fees=1)
        world.settle()
        world.clock.advance(60)
        deliver_callbacks(world)
        order_id = world.store.order_ids()[-1]
        for deed in deeds:
            deed(world.store, order_id)
        world.history.note()
        world.deliver_webhooks()
        world.clock.advance(11)

    return prepare


def edit(store, order_id):
    store.edit(order_id, staff_notes="edited")


def add_line(store, order_id):
    store.add_line(order_id, price="3.00")


def ship(store, order_id):
    store.ship(order_id)


def refund(store, order_id):
    store.refund(order_id, "1.00")


def archive(store, order_id):
    store.archive(order_id)


def echo(world):
    """An order that the service has moved, and the callbacks of that."""
    queued(world)
    world.settle()
    world.clock.advance(1)
    world.deliver_webhooks()
    world.clock.advance(11)


def short_of_lines(world):
    """The list of lines lacks one."""
    queued(world, lines=3)
    world.store.faults.add(
        Fault(route="GET /orders/*/products", kind="short", missing=1, times=1),
        Fault(route="GET /orders*", kind="embedded", limit=0, times=2),
    )


def refused(world):
    """The store does not embed lists."""
    queued(world, kind="partial_pickup")
    world.store.faults.add(
        Fault(route="GET /orders*", kind="status", status=400, embedded=True, times=None)
    )


def read_both_ways(world):
    """An order that is one in a hundred."""
    while not is_compared(world.store.next_id):
        world.store.skip_ids(1)
    queued(world)


def different(world):
    """The embedded lines of an order that is read both ways lack a field."""
    read_both_ways(world)
    world.store.faults.add(
        Fault(route="GET /orders*", kind="embedded", without="weight", times=None)
    )


def failing(world):
    """An order whose message has been received twice, and that fails again."""
    queued(world)
    received(world, 2)
    world.store.faults.add(Fault(route="GET /orders/*", kind="status", status=500, times=5))


def failed_before(world):
    """An order that has failed three times, and does not fail any more."""
    failing(world)
    world.deliver()
    world.store.faults.clear()
    world.clock.advance(140)


def paused(world):
    queued(world)
    world.pause()


def unservable(world):
    """The store cannot serve one order in the list of the changes."""
    sold_since(world)
    for _ in range(2):
        world.store.place_order(via="api")
    world.store.faults.add(
        Fault(
            route="GET /orders",
            kind="unservable",
            order_id=world.store.order_ids()[1],
            times=None,
            until=world.clock.time() + 900,
        )
    )


def sold(world, number=6):
    """Orders that are stored and moved, and not published yet: two calls of EventBridge."""
    for _ in range(number):
        world.store.place_order(lines=1)
    world.deliver_webhooks()
    world.settle()


def sold_beside_another_program(world):
    """The same, and between two changes an item that another program writes and deletes."""
    sold(world, 1)
    table = {"TableName": world.stack.name("orders")}
    world.stack.dynamodb.put_item(**table, Item={"id": {"N": "7"}, "note": {"S": "not ours"}})
    world.stack.dynamodb.delete_item(**table, Key={"id": {"N": "7"}})
    sold(world, 1)


def stream_twice(world):
    """Up to the foreign record, and from it."""
    world.stream()
    world.clock.advance(61)
    world.stream()


JOURNEYS = [
    Journey("events of changes", sold, lambda world: world.stream(), consumes=False),
    Journey("a foreign record", sold_beside_another_program, stream_twice, consumes=False),
    Journey("a first poll", several_kinds, lambda world: world.fire(), consumes=False),
    Journey("a poll for changes", one_more, lambda world: world.fire(), consumes=False),
    Journey("a poll in two halves", out_of_time, two_polls, consumes=False),
    Journey("an inactive webhook", switched_off, lambda world: world.fire(), consumes=False),
    Journey("lost webhooks", hooks_lost, lambda world: world.fire(), consumes=False),
    Journey("a page that cannot be served", unservable, lambda world: world.fire(), consumes=False),
    Journey("a change", changed(edit), lambda world: world.deliver("follow 1")),
    Journey("an added line", changed(add_line), lambda world: world.deliver("follow 1")),
    Journey(
        "a shipment and a refund", changed(ship, refund), lambda world: world.deliver("follow 1")
    ),
    Journey("an archived order", changed(archive), lambda world: world.deliver("follow 1")),
    Journey("an echo", echo, lambda world: world.deliver("follow 1")),
    Journey("an incomplete order", short_of_lines, lambda world: world.deliver()),
    Journey("a refused embedded form", refused, lambda world: world.deliver()),
    Journey("an order read both ways", read_both_ways, lambda world: world.deliver()),
    Journey("an order that differs", different, lambda world: world.deliver()),
    Journey("a failing order", failing, lambda world: world.deliver()),
    Journey("an order that failed before", failed_before, lambda world: world.deliver()),
    Journey("paused moves", paused, lambda world: world.deliver()),
    Journey(
        "a pickup order", lambda world: queued(world, kind="pickup"), lambda world: world.deliver()
    ),
    Journey(
        "a poll with a revoked token",
        token_revoked_before_poll,
        lambda world: world.fire(),
        consumes=False,
    ),
    Journey(
        "a webhook",
        lambda world: world.store.place_order(),
        lambda world: world.deliver_webhooks(),
        consumes=False,
    ),
    Journey(
        "a forged webhook",
        lambda world: world.store.place_order(),
        lambda world: call_back(world, 100, token="guessed"),
        consumes=False,
    ),
    Journey("a batch of neighbours", two_queued, lambda world: world.deliver()),
    Journey("a lone order", queued, lambda world: world.deliver()),
    Journey("an order twice", twice_in_a_batch, lambda world: world.deliver()),
    Journey(
        "a batch again, after a death after a put",
        died_after("dynamodb PutItem orders"),
        lambda world: world.deliver(),
    ),
    Journey(
        "a batch again, after a death after a move",
        died_after("store PUT /orders/{id}"),
        lambda world: world.deliver(),
    ),
    Journey(
        "an edit, after a death after a put",
        died_and_changed(
            "dynamodb PutItem orders", lambda store, order_id: store.edit(order_id, staff_notes="!")
        ),
        lambda world: world.deliver(),
    ),
    Journey(
        "a decision, after a death after a move",
        died_and_changed(
            "store PUT /orders/{id}",
            lambda store, order_id: store.set_status(order_id, Status.AWAITING_FULFILLMENT),
        ),
        lambda world: world.deliver(),
    ),
    Journey("an unconfirmed move", unconfirmed, lambda world: world.deliver()),
    Journey("an order read long ago", read_long_ago, lambda world: world.deliver()),
    Journey(
        "a digital order",
        lambda world: queued(world, kind="digital", status=Status.COMPLETED),
        lambda world: world.deliver(),
    ),
    Journey(
        "an order of 520 lines",
        lambda world: queued(world, lines=520),
        lambda world: world.deliver(),
    ),
    Journey("a revoked token", token_revoked, lambda world: world.deliver()),
    Journey("an archived order, first receive", archived(0), lambda world: world.deliver()),
    Journey("an archived order, last receive", archived(4), lambda world: world.deliver()),
    Journey("a poisoned order", poisoned, settle_and_evaluate_alarm, is_poisoned=True),
]

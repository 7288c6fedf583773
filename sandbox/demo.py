"""`make demo`: replicates orders from a simulated store into DynamoDB, and verifies the result.

The clock is simulated: half a day of retries takes a second.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import requests
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sandbox.expected import expected_item
from sandbox.pump import Batch
from sandbox.receiver import Receiver
from sandbox.stack import Aws
from sandbox.store.faults import Fault
from sandbox.store.statuses import LABELS, Status
from sandbox.world import TOKEN_HEADER, World, as_python

CONSUMERS = 3
RECEIVER_URL = "https://receiver.example.com/orders"

NEW = (Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT)
UNFINISHED = (Status.INCOMPLETE, Status.PENDING)
DIGITAL = {"digital", "giftcertificate"}


class Move(NamedTuple):
    """The statuses before and after the one move of a new order."""

    before: int
    after: int


@dataclass(frozen=True)
class Claim:
    """A statement about the result, whether it is true, and what it was compared with."""

    text: str
    holds: bool
    checked: str


class Log(logging.Handler):
    """Keeps the log of the service, which must not contain personal data."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {vars(record)}")


class Demo:
    """The steps of the demo, in order; `check` verifies their results."""

    def __init__(self, world: World, console: Console) -> None:
        self.world = world
        self.store = world.store
        self.console = console
        self.log = Log()
        self.expected: dict[int, Move] = {}
        self.decided: dict[int, int] = {}
        self.stages: list[bool] = []
        self.answers: list[int | None] = []
        self.mail: list[dict[str, Any]] = []
        self.claims: list[Claim] = []
        self.poison_id = 0
        self.receiver = Receiver()
        world.stack.add_destination("receiver", url=RECEIVER_URL)
        world.bus.receivers[RECEIVER_URL] = self.receiver

    def run(self) -> bool:
        """Run all steps; returns whether every claim is true."""
        root = logging.getLogger()
        root.addHandler(self.log)
        root.setLevel(logging.INFO)
        try:
            for step in (
                self.poll,
                self.life,
                self.both,
                self.forgery,
                self.merchant,
                self.token,
                self.poison,
                self.again,
            ):
                step()
        finally:
            root.removeHandler(self.log)
        self.check()
        self.report()
        return all(claim.holds for claim in self.claims)

    def poll(self) -> None:
        """The first poll of a store with orders."""
        self.title("1", "The store has orders of every status. The first poll finds all of them.")
        self.store.place_orders(30)
        for kind in ("physical", "digital", "mixed", "gift_certificate"):
            for status in NEW:
                self.store.place_order(kind=kind, status=status, via="api")
        self.store.place_order(lines=620, addresses=4, coupons=2, via="api")
        self.store.place_order(status=Status.COMPLETED, kind="digital", via="api")
        self.store.place_order(status=Status.COMPLETED, via="api")
        self.expect()
        self.world.poll()
        self.replicate()

    def life(self) -> None:
        """One order from purchase to archive, verified after each step."""
        store = self.store
        self.life_id = order_id = store.place_order(lines=2, coupons=0)
        self.title("2", f"The life of order {order_id}. The store sends a webhook for each change.")
        self.stage("bought", "not in the table yet", self.world.item(order_id) is None)
        self.expect()
        self.settle()
        self.stage("stored", "with 2 lines and its address", self.has(products=2, shipments=0))
        moves = [change for change in store.status_changes if change.order_id == order_id]
        is_moved = [(move.after, move.by) for move in moves] == [(Status.AWAITING_SHIPMENT, "api")]
        self.stage("moved", "once", is_moved and self.is_current(order_id))
        store.add_line(order_id)
        store.change_address(order_id, city="Example City")
        self.settle()
        cities = {address["city"] for address in self.item(order_id)["shipping_addresses"]}
        self.stage(
            "edited", "3 lines, new address", self.has(products=3) and "Example City" in cities
        )
        store.ship(order_id, tracking_number="1Z-EXAMPLE")
        self.settle()
        self.stage("shipped", "with its shipment", self.has(shipments=1))
        store.refund(order_id, "5.00")
        self.settle()
        self.stage("refunded", "with its refund", self.has(refunds=1))
        store.archive(order_id)
        self.settle()
        is_marked = self.item(order_id)["is_deleted"] is True and self.has(refunds=1)
        self.stage("archived", "kept and marked", is_marked)

    def both(self) -> None:
        """Orders from a poll and duplicate webhooks at the same time."""
        self.title("3", "10 orders are placed during a poll, and every purchase is reported twice.")
        kinds = ("physical", "digital", "mixed", "pickup")
        ids = [self.store.place_order(kind=kinds[number % 4]) for number in range(10)]
        self.expect()
        with ThreadPoolExecutor(3) as pool:
            pool.submit(self.world.poll)
            twice = [pool.submit(self.call, order_id) for order_id in ids]
            self.answers += self.world.deliver_webhooks()
            self.answers += [call.result() for call in twice]
        self.replicate()

    def forgery(self) -> None:
        """Webhooks that BigCommerce did not send."""
        self.title("4", "Three forged webhooks are sent.")
        victim = self.store.place_order(status=Status.PENDING, via="api")
        self.forged = {
            "without a token": self.call(victim, token=None),
            "with a wrong token": self.call(victim, token="guessed"),  # noqa: S106 - a wrong one
            "with a wrong signature": self.call(victim, secret="not the secret"),  # noqa: S106 - a wrong one
        }
        for how, status in self.forged.items():
            self.console.print(f"   {how}: answered {status}")

    def merchant(self) -> None:
        """The merchant changes orders after the service has moved them."""
        self.title("5", "The merchant sets two moved orders to other statuses, one to a new one.")
        back, done = sorted(self.expected)[:2]
        self.decided = {back: Status.AWAITING_FULFILLMENT, done: Status.COMPLETED}
        for order_id, status in self.decided.items():
            self.store.set_status(order_id, status)
        self.settle()
        self.world.poll()
        self.settle()

    def token(self) -> None:
        """The access token is invalid for one poll."""
        self.title("6", "The access token is revoked. The poll fails and sends an alert.")
        self.store.place_order(via="api")
        self.expect()
        self.store.revoke_token()
        self.world.poll()
        self.show_mail()
        self.store.restore_token()
        self.world.poll()
        self.settle()

    def poison(self) -> None:
        """An order that cannot be replicated."""
        self.poison_id = self.store.place_order(via="api")
        self.store.faults.add(
            Fault(route=f"GET /orders/{self.poison_id}/products", kind="cut", times=None)
        )
        self.title(
            "7", f"Order {self.poison_id} cannot be read completely. It is retried for hours."
        )
        began = self.world.clock.time()
        self.settle()
        self.hours = (self.world.clock.time() - began) / 3600
        self.world.pump.evaluate_alarm()
        self.show_mail()
        self.dead = [json.loads(body)["order_id"] for body in self.world.dead_letters()]

    def again(self) -> None:
        """A second comparison of everything."""
        self.title("8", "A day of polls and a sweep compare the store with the table.")
        self.before = self.state()
        for _ in range(13):
            self.world.poll()
        self.world.drain(CONSUMERS)
        self.after = self.state()

    def state(self) -> tuple[list[Any], int]:
        """All items without the time of their last read, and the number of status changes."""
        items = self.world.items("orders")
        for item in items:
            item["replication"].pop("read_at", None)
        return items, len(self.store.status_changes)

    def check(self) -> None:
        """Compare every claim with the store and the tables."""
        self.world.publish()
        self.world.deliver_events()
        world, store = self.world, self.store
        stored = {int(item["id"]) for item in self.before[0]}
        unfinished = {n for n in store.order_ids() if store.order(n)["status_id"] in UNFINISHED}
        in_scope = set(store.order_ids()) - unfinished - {self.poison_id}
        current = [order_id for order_id in in_scope if self.is_current(order_id)]
        moves = [change for change in store.status_changes if change.by == "api"]
        once = [
            order_id
            for order_id, move in self.expected.items()
            if [(m.before, m.after) for m in moves if m.order_id == order_id] == [move]
        ]
        personal = _personal(store.whole(order_id) for order_id in store.order_ids())
        public = [*self.log.lines, *map(str, self.mail), str(world.items("jobs"))]
        public += map(str, self.receiver.events.values())
        public += [str(world.items("webhooks")), *world.dead_letters()]
        self.claim(
            f"{len(current)} of {len(in_scope)} orders are complete and current",
            len(current) == len(in_scope),
            "every field in the store",
        )
        self.claim(
            f"{len(once)} new orders were moved once, no other one",
            len(once) == len(self.expected) == len(moves),
            "the store's status changes",
        )
        self.claim(
            f"{len(unfinished)} unfinished orders were skipped",
            stored == in_scope,
            "Incomplete, Pending",
        )
        self.claim(
            f"order {self.life_id} was followed until it was archived",
            len(self.stages) == 7 and all(self.stages),
            "its item, after each change",
        )
        self.claim(
            f"all {len(self.answers)} genuine webhooks were accepted",
            set(self.answers) == {200} and len(world.items("webhooks")) == len(self.answers),
            "the Webhooks table",
        )
        self.claim(
            "3 forged webhooks were rejected",
            set(self.forged.values()) == {401},
            "status 401",
        )
        self.claim(
            "the merchant's changes were not overwritten",
            all(store.order(n)["status_id"] == status for n, status in self.decided.items()),
            f"orders {', '.join(map(str, self.decided))}",
        )
        self.claim(
            f"only order {self.poison_id} was dead-lettered, after half a day",
            self.dead == [self.poison_id] and self.hours > 12,
            "both dead-letter queues",
        )
        self.claim(
            f"{len(self.mail)} e-mails reported both failures",
            ["Unauthorized" in mail["Subject"] for mail in self.mail] == [True, False],
            "both SNS topics",
        )
        announced = self.announced()
        self.claim(
            f"all {len(announced)} changes were delivered as events",
            announced == self.receiver.events.keys(),
            "the versions in the stream of the table",
        )
        self.claim(
            "personal data is only in the Orders table",
            not any(text in line for line in public for text in personal),
            f"{len(public)} lines of log, mail, items",
        )
        self.claim(
            "a second sweep changed nothing",
            self.before == self.after,
            "all items and status changes",
        )

    def announced(self) -> set[str]:
        """The ids of the events that the versions of the orders in the table have to give."""
        ids: set[str] = set()
        for record in self.world.pump.stream.records:
            new, old = (
                as_python(record["dynamodb"].get(name, {})).get("replication", {})
                for name in ("NewImage", "OldImage")
            )
            if new.get("sequence") == old.get("sequence") or (not old and is_fill(new)):
                continue
            kinds = [
                kind
                for kind, is_new in (
                    ("created", not old),
                    ("moved", old and "moved_at" in new.keys() - old and "moved_from" in new),
                    ("archived", old and "archived_at" in new.keys() - old),
                )
                if is_new
            ]
            order_id = record["dynamodb"]["Keys"]["id"]["N"]
            ids |= {f"{order_id}-{new['sequence']}-{kind}" for kind in kinds or ["changed"]}
        return ids

    def report(self) -> None:
        """Print the claims and the next steps."""
        table = Table(title="Verified claims", title_justify="left", expand=False)
        table.add_column("")
        table.add_column("claim")
        table.add_column("compared with", style="dim")
        for claim in self.claims:
            mark = "[green]✔[/]" if claim.holds else "[bold red]✘[/]"
            table.add_row(mark, claim.text, claim.checked)
        self.console.print(table)
        self.console.print(
            "Next: [bold]make sandbox[/] keeps a store and the service running for your own tests; "
            "[bold]app.py[/] is the entry point of the code."
        )

    def title(self, number: str, text: str) -> None:
        self.console.print(f"[bold cyan]{number}[/] {text}")

    def claim(self, text: str, holds: bool, checked: str) -> None:
        self.claims.append(Claim(text, holds, checked))

    def call(self, order_id: int, token: str | None = "", secret: str | None = None) -> int:
        """Send a webhook; returns the status of the answer."""
        body = self.store.callback_body(order_id)
        headers = {"Content-Type": "application/json", **self.store.sign(body, secret=secret)}
        if token is not None:
            headers[TOKEN_HEADER] = token or self.world.stack.secrets.webhook_token
        url = f"{self.world.api_url}/cart-converted"
        return requests.post(url, data=body, headers=headers, timeout=10).status_code

    def expect(self) -> None:
        """Record the current orders that are new, independently of the service."""
        for order_id in self.store.order_ids():
            order = self.store.whole(order_id)
            is_digital = {line["type"] for line in order["products"]} <= DIGITAL
            is_new = order["status_id"] in NEW or (
                order["status_id"] == Status.COMPLETED and is_digital
            )
            if is_new and order_id not in self.expected:
                self.expected[order_id] = Move(order["status_id"], _target(order))

    def stage(self, name: str, what: str, holds: bool) -> None:
        """Print one step in the life of an order, with its status in the store."""
        self.stages.append(holds)
        mark = "[green]✔[/]" if holds else "[bold red]✘[/]"
        status = self.store.order(self.life_id)["status_id"]
        self.console.print(f"   {mark} {name:9} {what:29} {LABELS[status]} ({status})")

    def has(self, **counts: int) -> bool:
        """Whether the item of the followed order is current, with lists of these lengths."""
        item = self.item(self.life_id)
        is_counted = all(len(item[name]) == count for name, count in counts.items())
        return is_counted and self.is_current(self.life_id)

    def item(self, order_id: int) -> dict[str, Any]:
        return self.world.order(order_id) or {}

    def is_current(self, order_id: int) -> bool:
        """Whether the item equals the order in the store."""
        item, order = self.item(order_id), expected_item(self.store, order_id)
        if order["is_deleted"]:
            # The store answers 404 for an archived order, so its last date is not known.
            order = {**order, "date_modified": item.get("date_modified")}
        return item == order

    def settle(self) -> None:
        """Deliver webhooks and messages until none is left."""
        while self.store.pending_callbacks:
            self.answers += self.world.deliver_webhooks()
            self.world.settle(CONSUMERS)

    def replicate(self) -> None:
        """Settle with a progress bar."""
        with self.progress() as progress:
            task = progress.add_task("messages delivered", total=len(self.world.messages()))

            def advance(batch: Batch) -> None:
                progress.advance(task, batch.received)

            self.world.pump.drain(CONSUMERS, after=advance)
            while self.store.pending_callbacks:
                self.answers += self.world.deliver_webhooks()
                # Callbacks of the service's own moves, and messages that are delivered again.
                done = progress.tasks[0].completed
                progress.update(task, total=done + len(self.world.messages()))
                self.world.pump.settle(CONSUMERS, after=advance)
            progress.update(task, total=progress.tasks[0].completed)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        columns = (
            TextColumn("   {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            yield progress

    def show_mail(self) -> None:
        for mail in self.world.mail():
            self.mail.append(mail)
            self.console.print(
                Panel(mail["Message"], title=f"✉ {mail['Subject']}", title_align="left")
            )


def _target(order: dict[str, Any]) -> int:
    is_shipped = any(
        line["type"] not in DIGITAL and not line["order_pickup_method_id"]
        for line in order["products"]
    )
    return Status.AWAITING_SHIPMENT if is_shipped else Status.AWAITING_PICKUP


def is_fill(record: dict[str, Any]) -> bool:
    """Whether the first sweep has found the order, which is then no news."""
    return record.get("found_by") == "fill"


def _personal(orders: Iterable[dict[str, Any]]) -> set[str]:
    """Names, addresses and e-mail addresses of all customers."""
    fields = ("first_name", "last_name", "street_1", "phone", "email")
    return {
        str(address[field])
        for order in orders
        for address in (order["billing_address"], *order["shipping_addresses"])
        for field in fields
        if len(str(address.get(field) or "")) > 4
    }


def run() -> int:
    """Run the demo; returns the exit code."""
    console = Console(width=min(Console().width, 100))
    with Aws() as aws, World(aws, "demo") as world:
        return 0 if Demo(world, console).run() else 1

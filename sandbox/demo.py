"""`make demo`: replicates orders from a simulated store into DynamoDB, and verifies the result.

The clock is simulated: half a day of retries takes a second.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sandbox.stack import Aws
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import TOKEN_HEADER, World

CONSUMERS = 3

NEW = (Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT)
DIGITAL = {"digital", "giftcertificate"}


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
        self.expected: dict[int, dict[str, Any]] = {}
        self.decided: dict[int, int] = {}
        self.mail: list[dict[str, Any]] = []
        self.claims: list[Claim] = []

    def run(self) -> bool:
        """Run all steps; returns whether every claim is true."""
        root = logging.getLogger()
        root.addHandler(self.log)
        root.setLevel(logging.INFO)
        try:
            for step in (
                self.poll,
                self.webhooks,
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
        self.title("1", "The store has orders of every kind. A poll finds the new ones.")
        self.store.place_orders(24)
        for kind in ("physical", "digital", "mixed", "gift_certificate"):
            for status in NEW:
                self.store.place_order(kind=kind, status=status, via="api")
        self.store.place_order(lines=620, addresses=4, coupons=2, via="api")
        self.store.place_order(status=Status.COMPLETED, kind="digital", via="api")
        self.shipped = self.store.place_order(status=Status.COMPLETED, via="api")
        self.poison_id = self.store.place_order(via="api")
        self.store.faults.add(
            Fault(route=f"GET /orders/{self.poison_id}/products", kind="cut", times=None)
        )
        self.expect()
        self.world.poll()
        self.replicate()

    def webhooks(self) -> None:
        """Orders from webhooks."""
        self.title("2", f"12 orders are placed. Signed webhooks arrive at {self.world.api_url}.")
        for number in range(12):
            self.store.place_order(kind=("physical", "digital", "mixed")[number % 3])
        self.expect()
        self.answers = self.world.deliver_webhooks()
        self.replicate()

    def both(self) -> None:
        """Orders from a poll and duplicate webhooks at the same time."""
        self.title("3", "8 orders are placed during a poll, and every webhook is sent twice.")
        ids = [self.store.place_order() for _ in range(8)]
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
        self.title(
            "5",
            "The merchant sets the status of two orders; polls and webhooks continue.",
        )
        back, done = sorted(self.expected)[:2]
        self.decided = {back: Status.AWAITING_FULFILLMENT, done: Status.COMPLETED}
        for order_id, status in self.decided.items():
            self.store.set_status(order_id, status)
            self.answers.append(self.call(order_id))
        # Its status is a new one again: the new version is stored, and not moved.
        self.expected[back] = self.store.whole(back)
        self.world.poll()
        self.world.drain(CONSUMERS)

    def token(self) -> None:
        """The access token is invalid for one poll."""
        self.title("6", "The access token is revoked. The poll fails and sends an alert.")
        self.store.place_order(via="api")
        self.store.revoke_token()
        self.world.poll()
        self.show_mail()
        self.store.restore_token()
        self.expect()
        self.world.poll()
        self.world.drain(CONSUMERS)

    def poison(self) -> None:
        """An order that cannot be replicated."""
        self.title(
            "7", f"Order {self.poison_id} cannot be read completely. It is retried for hours."
        )
        began = self.world.clock.time()
        self.world.settle(CONSUMERS)
        self.hours = (self.world.clock.time() - began) / 3600
        self.world.pump.evaluate_alarm()
        self.show_mail()
        self.dead = [json.loads(body)["order_id"] for body in self.world.dead_letters()]

    def again(self) -> None:
        """A second replication of everything."""
        self.title("8", "A day of polls and a sweep read the whole store again.")
        self.before = self.world.items("orders"), len(self.store.status_changes)
        for _ in range(13):
            self.world.poll()
        self.world.drain(CONSUMERS)
        self.after = self.world.items("orders"), len(self.store.status_changes)

    def check(self) -> None:
        """Compare every claim with the store and the tables."""
        world, store = self.world, self.store
        items = {int(item["id"]): item for item in self.before[0]}
        moved = [change for change in store.status_changes if change.by == "api"]
        whole = [
            order_id
            for order_id, order in self.expected.items()
            if order_id in items and _same(items[order_id], order)
        ]
        once = [
            order_id
            for order_id, order in self.expected.items()
            if [(change.before, change.after) for change in moved if change.order_id == order_id]
            == [(order["status_id"], _target(order))]
        ]
        personal = _personal(store.whole(order_id) for order_id in store.order_ids())
        public = [*self.log.lines, *map(str, self.mail), str(world.items("jobs"))]
        public += [str(world.items("webhooks")), *world.dead_letters()]
        self.claim(
            f"{len(whole)} of {len(self.expected)} new orders are stored completely",
            len(whole) == len(self.expected),
            "every field in the store",
        )
        self.claim(
            f"{len(once)} orders were moved once, to the right status",
            len(once) == len(self.expected) == len(moved),
            "the store's status changes",
        )
        self.claim(
            f"{len(store.order_ids()) - len(items)} orders that are not new were skipped",
            set(items) <= set(self.expected) and {move.order_id for move in moved} <= set(items),
            f"including {self.shipped}: completed and shipped",
        )
        self.claim(
            f"all {len(self.answers)} genuine webhooks were accepted and recorded",
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
            "the dead-letter queue",
        )
        self.claim(
            f"{len(self.mail)} e-mails reported both failures",
            ["Unauthorized" in mail["Subject"] for mail in self.mail] == [True, False],
            "both SNS topics",
        )
        self.claim(
            "personal data is only in the Orders table",
            not any(text in line for line in public for text in personal),
            f"{len(public)} log lines, e-mails and items",
        )
        self.claim(
            "replicating everything again changed nothing",
            self.before == self.after,
            "all items and status changes",
        )

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
            if is_new and order_id not in {*self.expected, self.poison_id}:
                self.expected[order_id] = order

    def replicate(self) -> None:
        """Drain the queue with a progress bar."""
        with self.progress() as progress:
            task = progress.add_task("messages delivered", total=self.world.stack.visible("orders"))
            self.world.pump.drain(
                CONSUMERS, after=lambda batch: progress.advance(task, batch.received)
            )
            # Messages that arrived while the others were delivered.
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


def _same(item: dict[str, Any], order: dict[str, Any]) -> bool:
    """Whether the item equals the order as it was when it was new."""
    return {name: value for name, value in item.items() if name != "replication"} == order


def _target(order: dict[str, Any]) -> int:
    is_digital = {line["type"] for line in order["products"]} <= DIGITAL
    return Status.AWAITING_PICKUP if is_digital else Status.AWAITING_SHIPMENT


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

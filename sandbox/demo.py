"""`make demo`: orders travel from a store into DynamoDB, and everything said of them is checked.

Every wait is played: the clock of this world jumps, so half a day of retries takes a second.
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
    """A sentence about what happened, whether it holds, and what it was checked against."""

    says: str
    holds: bool
    checked: str


class Log(logging.Handler):
    """Keeps what the service logs, to look through it for personal data."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {vars(record)}")


class Demo:
    """The acts, in order. Each leaves behind the claims that the last one checks."""

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
        """Play every act; whether every claim holds."""
        root = logging.getLogger()
        root.addHandler(self.log)
        root.setLevel(logging.INFO)
        try:
            for act in (
                self.poll,
                self.webhooks,
                self.both,
                self.forgery,
                self.merchant,
                self.token,
                self.poison,
                self.again,
            ):
                act()
        finally:
            root.removeHandler(self.log)
        self.check()
        self.report()
        return all(claim.holds for claim in self.claims)

    def poll(self) -> None:
        """A store that sold for a while is switched on."""
        self.say("1", "The store has orders of every kind. The poll finds the new ones.")
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
        self.began = self.world.clock.time()
        self.replicate()

    def webhooks(self) -> None:
        """Shoppers buy; BigCommerce calls."""
        self.say("2", f"12 shoppers buy. Signed webhooks arrive at {self.world.api_url}.")
        for number in range(12):
            self.store.place_order(kind=("physical", "digital", "mixed")[number % 3])
        self.expect()
        self.answers = self.world.deliver_webhooks()
        self.replicate()

    def both(self) -> None:
        """Both doors lead to the same room."""
        self.say("3", "8 more buy while a poll runs and every webhook is sent twice.")
        ids = [self.store.place_order() for _ in range(8)]
        self.expect()
        with ThreadPoolExecutor(3) as pool:
            pool.submit(self.world.poll)
            twice = [pool.submit(self.call, order_id) for order_id in ids]
            self.answers += self.world.deliver_webhooks()
            self.answers += [call.result() for call in twice]
        self.replicate()

    def forgery(self) -> None:
        """Three who are not BigCommerce."""
        self.say("4", "Somebody forges webhooks.")
        victim = self.store.place_order(status=Status.PENDING, via="api")
        self.forged = {
            "without a token": self.call(victim, token=None),
            "with a wrong token": self.call(victim, token="guessed"),  # noqa: S106 - a wrong one
            "with a wrong signature": self.call(victim, secret="not the secret"),  # noqa: S106 - a wrong one
        }
        for how, status in self.forged.items():
            self.console.print(f"   {how}: answered {status}")

    def merchant(self) -> None:
        """People decide after the move."""
        self.say("5", "The merchant moves two orders on by hand; polls and webhooks go on.")
        back, done = sorted(self.expected)[:2]
        self.decided = {back: Status.AWAITING_FULFILLMENT, done: Status.COMPLETED}
        for order_id, status in self.decided.items():
            self.store.set_status(order_id, status)
            self.answers.append(self.call(order_id))
        # New again by its status, it is stored in its new version, and stays where it is.
        self.expected[back] = self.store.whole(back)
        self.world.poll()
        self.world.drain(CONSUMERS)

    def token(self) -> None:
        """The merchant deletes the API account, and puts it back."""
        self.say("6", "The access token is revoked. The poll fails, and says so.")
        self.store.place_order(via="api")
        self.store.revoke_token()
        self.world.poll()
        self.show_mail()
        self.store.restore_token()
        self.expect()
        self.world.poll()
        self.world.drain(CONSUMERS)

    def poison(self) -> None:
        """One order never works."""
        self.say("7", f"Order {self.poison_id} comes back broken, try after try, for hours.")
        self.world.settle(CONSUMERS)
        self.hours = (self.world.clock.time() - self.began) / 3600
        self.world.pump.evaluate_alarm()
        self.show_mail()
        self.dead = [json.loads(body)["order_id"] for body in self.world.dead_letters()]

    def again(self) -> None:
        """Nothing is left to do."""
        self.say("8", "Once more from the start: a sweep of the whole store.")
        self.before = self.world.items("orders"), len(self.store.status_changes)
        for _ in range(13):
            self.world.poll()
        self.world.drain(CONSUMERS)
        self.after = self.world.items("orders"), len(self.store.status_changes)

    def check(self) -> None:
        """Hold every claim against the store and the tables, read by themselves."""
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
            f"{len(whole)} of {len(self.expected)} new orders are stored whole",
            len(whole) == len(self.expected),
            "the store, field by field",
        )
        self.claim(
            f"{len(once)} were moved once, to the right status",
            len(once) == len(self.expected) == len(moved),
            "the store's own history",
        )
        self.claim(
            f"{len(store.order_ids()) - len(items)} orders that are not new were left alone",
            set(items) <= set(self.expected) and {move.order_id for move in moved} <= set(items),
            f"among them {self.shipped}: completed, but shipped",
        )
        self.claim(
            f"all {len(self.answers)} real callbacks were let in and recorded",
            set(self.answers) == {200} and len(world.items("webhooks")) == len(self.answers),
            "the Webhooks table",
        )
        self.claim(
            "3 forged ones were refused",
            set(self.forged.values()) == {401},
            "answers 401",
        )
        self.claim(
            "the merchant was not overruled",
            all(store.order(n)["status_id"] == status for n, status in self.decided.items()),
            f"orders {', '.join(map(str, self.decided))}",
        )
        self.claim(
            f"order {self.poison_id} alone is a dead letter, after {self.hours:.0f} h",
            self.dead == [self.poison_id] and self.hours > 12,
            "the dead-letter queue",
        )
        self.claim(
            f"{len(self.mail)} e-mails told people of both failures",
            ["Unauthorized" in mail["Subject"] for mail in self.mail] == [True, False],
            "both SNS topics",
        )
        self.claim(
            "names and addresses stayed in the Orders table",
            not any(text in line for line in public for text in personal),
            f"{len(public)} log lines, mails and records",
        )
        self.claim(
            "polling it all again changed nothing",
            self.before == self.after,
            "every item, and the store's history",
        )

    def report(self) -> None:
        """The table of what happened, and where to look next."""
        table = Table(title="What happened", title_justify="left", expand=False)
        table.add_column("")
        table.add_column("claim")
        table.add_column("checked against", style="dim")
        for claim in self.claims:
            mark = "[green]✔[/]" if claim.holds else "[bold red]✘[/]"
            table.add_row(mark, claim.says, claim.checked)
        self.console.print(table)
        self.console.print(
            "Next: [bold]make sandbox[/] keeps this world running for your own hands · "
            "[bold]app.py[/] is where to start reading"
        )

    def say(self, number: str, text: str) -> None:
        self.console.print(f"[bold cyan]{number}[/] {text}")

    def claim(self, says: str, holds: bool, checked: str) -> None:
        self.claims.append(Claim(says, holds, checked))

    def call(self, order_id: int, token: str | None = "", secret: str | None = None) -> int:
        """Send a callback by hand; the answer's status."""
        body = self.store.callback_body(order_id)
        headers = {"Content-Type": "application/json", **self.store.sign(body, secret=secret)}
        if token is not None:
            headers[TOKEN_HEADER] = token or self.world.stack.secrets.webhook_token
        url = f"{self.world.api_url}/cart-converted"
        return requests.post(url, data=body, headers=headers, timeout=10).status_code

    def expect(self) -> None:
        """Remember the orders that are new by a reckoning of our own, as they are now."""
        for order_id in self.store.order_ids():
            order = self.store.whole(order_id)
            is_digital = {line["type"] for line in order["products"]} <= DIGITAL
            is_new = order["status_id"] in NEW or (
                order["status_id"] == Status.COMPLETED and is_digital
            )
            if is_new and order_id not in {*self.expected, self.poison_id}:
                self.expected[order_id] = order

    def replicate(self) -> None:
        """Drain the queue, and show how far it is."""
        with self.progress() as progress:
            task = progress.add_task("messages delivered", total=self.world.stack.visible("orders"))
            self.world.pump.drain(
                CONSUMERS, after=lambda batch: progress.advance(task, batch.received)
            )

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
    """The item holds the order as it was when it was new, field by field."""
    return {name: value for name, value in item.items() if name != "replication"} == order


def _target(order: dict[str, Any]) -> int:
    is_digital = {line["type"] for line in order["products"]} <= DIGITAL
    return Status.AWAITING_PICKUP if is_digital else Status.AWAITING_SHIPMENT


def _personal(orders: Iterable[dict[str, Any]]) -> set[str]:
    """Names, addresses and e-mail addresses of everybody who ordered."""
    fields = ("first_name", "last_name", "street_1", "phone", "email")
    return {
        str(address[field])
        for order in orders
        for address in (order["billing_address"], *order["shipping_addresses"])
        for field in fields
        if len(str(address.get(field) or "")) > 4
    }


def main() -> int:
    """Run the demo in a world of its own; the exit code."""
    console = Console()
    with Aws() as aws, World(aws, "demo") as world:
        return 0 if Demo(world, console).run() else 1
